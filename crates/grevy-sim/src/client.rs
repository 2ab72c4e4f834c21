//! A client: connects, opens a session, asks and watches, loses its connection and comes back;
//! written anew from the protocol, without a line of the client library.

mod frames;
mod watches;

pub use frames::{read_frame, take_frame};

use crate::history::{Asked, Conversation, Frame, Sent};
use crate::net::{End, LinkId, Received};
use crate::operation::Operation;
use crate::random::Random;
use crate::workload;
use crate::world::{Context, Event};
use frames::handshake;
use grevy_node::Time;
use grevy_proto::{ErrorCode, SessionId, Xid};
use std::collections::VecDeque;
use watches::ClientWatches;

/// A client's state.
pub struct Client {
    /// Its number.
    pub number: usize,
    /// The last byte of its address.
    address: u8,
    session: i64,
    password: Vec<u8>,
    timeout_ms: i32,
    last_zxid: i64,
    next_xid: i32,
    /// With what number it begins on every connection, if it counts anew as some libraries do.
    first_xid: Option<i32>,
    connection: Option<Live>,
    users: Vec<String>,
    watches: ClientWatches,
    random: Random,
    /// Until then it does nothing.
    asleep_until: Time,
    /// Whether it reads what it is sent.
    deaf: bool,
    /// It asks for nothing new: the run is ending.
    pub quiet: bool,
    /// It does nothing but change the ensemble.
    is_operator: bool,
    /// A server without a leader will do.
    can_be_read_only: bool,
    /// Its session, or its last one, is of such a server.
    is_read_only: bool,
    /// How often it has failed to get a session since it had one.
    failures: u32,
}

/// The connection that it uses now.
struct Live {
    link: LinkId,
    /// Its place in the history.
    conversation: usize,
    unread: Vec<u8>,
    unsent: Vec<u8>,
    connected: bool,
    /// Ordinary requests without a reply.
    outstanding: VecDeque<(i32, Operation)>,
    last_sent: Time,
    last_heard: Time,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(number: usize, mut random: Random) -> Self {
        let next_xid = 1 + random.below(1000) as i32;
        let mut dice = random.clone();
        Self {
            number,
            can_be_read_only: dice.one_in(2),
            is_read_only: false,
            failures: 0,
            address: 1 + (number % 200) as u8,
            session: 0,
            password: vec![0; 16],
            timeout_ms: 0,
            last_zxid: 0,
            next_xid,
            first_xid: dice.one_in(2).then_some(next_xid),
            connection: None,
            users: Vec::new(),
            watches: ClientWatches::default(),
            random,
            asleep_until: Time(0),
            deaf: false,
            quiet: false,
            is_operator: false,
        }
    }

    /// One that does nothing but change the ensemble.
    pub fn operator(number: usize, random: Random) -> Self {
        Self {
            is_operator: true,
            can_be_read_only: false,
            users: vec![workload::OPERATOR.to_owned()],
            ..Self::new(number, random)
        }
    }

    /// Its time has come: it connects, asks, or keeps its session alive.
    pub fn wake(&mut self, ctx: &mut Context) {
        let now = ctx.schedule.now();
        let timeout = ctx.options.tick * ctx.options.timeout_ticks as u32;
        let pace = match self.quiet {
            true => timeout.as_micros() as u64 / 8,
            false => ctx.options.think,
        };
        let next = self
            .random
            .around(pace)
            .clamp(50, timeout.as_micros() as u64 / 5);
        ctx.schedule.after_micros(next, Event::Wake(self.number));
        if now < self.asleep_until {
            return;
        }
        self.flush(ctx);
        let Some(live) = &self.connection else {
            return self.connect(ctx);
        };
        let patience = match live.connected {
            true => self.timeout_ms.max(1) as u64 * 1000 * 2 / 3,
            false => timeout.as_micros() as u64 + 1_000_000,
        };
        if now.0.saturating_sub(live.last_heard.0) > patience && !self.deaf {
            trace!(
                ctx.trace,
                now, "client {} gives up link {}", self.number, live.link.0
            );
            self.drop_link(ctx, self.random.clone().one_in(2));
            return;
        }
        if !live.connected {
            return;
        }
        if self.is_read_only && self.random.one_in(20) {
            // It looks for a better one. Libraries ask first whether a server is one.
            return self.drop_link(ctx, false);
        }
        let idle = now.0.saturating_sub(live.last_sent.0);
        if idle > self.timeout_ms.max(1) as u64 * 1000 / 4 {
            self.send(ctx, Operation::Ping);
        }
        let enough = ctx.counts.of("requests sent") >= ctx.options.requests;
        if !self.quiet && !enough && self.live_outstanding() < 2 * ctx.options.depth as usize {
            let burst = self.random.between(1, ctx.options.depth);
            if self.is_operator {
                if self.live_outstanding() == 0 && self.random.one_in(4) {
                    let operation = workload::reconfigure(&mut self.random, &ctx.options);
                    self.send(ctx, operation);
                }
                return;
            }
            for _ in 0..burst {
                let operation = workload::draw(&mut self.random, &ctx.options, &self.users);
                let last = operation == Operation::CloseSession;
                // What a register reads behind a sync must be new.
                if let Operation::Read { path, .. } = &operation
                    && workload::is_register(path)
                {
                    self.send(ctx, Operation::Sync(path.clone()));
                }
                self.send(ctx, operation);
                if last {
                    break;
                }
            }
        }
    }

    /// Asks for something, if it has a session now.
    pub fn order(&mut self, ctx: &mut Context, operation: Operation) {
        if self.connection.as_ref().is_some_and(|live| live.connected) {
            self.send(ctx, operation);
        }
    }

    fn live_outstanding(&self) -> usize {
        self.connection
            .as_ref()
            .map_or(0, |live| live.outstanding.len())
    }

    /// A whim that stands for a fault of the client or of its network.
    pub fn misbehave(&mut self, ctx: &mut Context) {
        let now = ctx.schedule.now();
        let timeout = self.timeout_ms.max(1) as u64 * 1000;
        match self.random.weighted(&[4, 2, 2, 3, 2, 2]) {
            0 => {
                ctx.counts.fault("link reset");
                if let Some(live) = &self.connection {
                    ctx.reset(live.link);
                }
            }
            1 => {
                ctx.counts.fault("closed in mid-message");
                if let Some(live) = &mut self.connection {
                    let half = Operation::Ping.frame(Xid::PING);
                    let cut = self.random.index(half.len());
                    live.unsent.extend_from_slice(&half[..cut]);
                }
                self.flush(ctx);
                self.drop_link(ctx, false);
            }
            2 => {
                ctx.counts.fault("half-open link");
                if let Some(live) = &self.connection {
                    ctx.network.kill(live.link);
                }
            }
            3 => {
                ctx.counts.fault("client asleep");
                self.asleep_until = Time(now.0 + self.random.below(3 * timeout));
            }
            4 => {
                ctx.counts.fault("session from two places");
                // The old connection stays open, with requests on their way.
                if self.connection.as_ref().is_some_and(|live| live.connected) {
                    if let Some(live) = self.connection.take() {
                        ctx.history.connections[live.conversation].closed = Some(now);
                        ctx.forget_owner(live.link);
                    }
                    self.connect(ctx);
                }
            }
            _ => {
                ctx.counts.fault("client that does not read");
                self.deaf = !self.deaf;
                if let Some(link) = self.connection.as_ref().map(|live| live.link) {
                    ctx.schedule.after_micros(1, Event::Client(link));
                }
            }
        }
    }

    /// Names a session of somebody else, with a wrong password.
    pub fn intrude(&mut self, ctx: &mut Context, session: i64) {
        ctx.counts.fault("wrong password");
        let server = self.random.index(ctx.up.len());
        let link = ctx.dial(None, self.address, server);
        let asked = Asked {
            session,
            last_zxid: 0,
            timeout: 1000,
            password_right: false,
            read_only: self.can_be_read_only,
        };
        let conversation = self.converse(ctx, link, asked);
        ctx.strangers.insert(link, (conversation, Vec::new()));
        let bytes = handshake(asked, &[7; 16]);
        let now = ctx.schedule.now();
        let (_, due) = ctx.network.send(link, End::Client, &bytes, now);
        for at in due {
            ctx.schedule.at(at, Event::Arrive(link, End::Server));
        }
    }

    /// The session it has, if any.
    pub fn session(&self) -> Option<i64> {
        (self.session != 0).then_some(self.session)
    }

    /// The link that it uses.
    pub fn link(&self) -> Option<LinkId> {
        self.connection.as_ref().map(|live| live.link)
    }

    /// Whether it has a connection with a session and waits for nothing but pings; else why not.
    pub fn contentment(&self) -> Result<(), String> {
        let Some(live) = &self.connection else {
            return Err("it has no connection".into());
        };
        if !live.connected {
            return Err(format!("it waits for a session on link {}", live.link.0));
        }
        let waiting = live
            .outstanding
            .iter()
            .find(|(_, op)| *op != Operation::Ping);
        match waiting {
            None => Ok(()),
            Some((xid, operation)) => Err(format!(
                "it waits for the reply to {xid} {operation:?} on link {}",
                live.link.0
            )),
        }
    }

    /// Reads again, and is awake.
    pub fn calm_down(&mut self) {
        self.quiet = true;
        self.deaf = false;
        self.asleep_until = Time(0);
    }

    fn connect(&mut self, ctx: &mut Context) {
        let now = ctx.schedule.now();
        let timeout = ctx.options.tick * ctx.options.timeout_ticks as u32;
        if self.is_read_only && !self.random.one_in(4) {
            // Libraries never name such a session again.
            self.session = 0;
        }
        // What it knows of may have been taken back, and its session only a leader can resume.
        if self.failures > 1 && self.knows_read_only(ctx) && self.random.one_in(2) {
            self.start_anew(ctx);
        }
        let asked = Asked {
            session: self.session,
            last_zxid: self.last_zxid,
            timeout: timeout.as_millis() as i32,
            password_right: true,
            read_only: self.can_be_read_only,
        };
        // A server that is down is left for another at the next try.
        let server = self.random.index(ctx.up.len());
        let link = ctx.dial(Some(self.number), self.address, server);
        let conversation = self.converse(ctx, link, asked);
        self.next_xid = self.first_xid.unwrap_or(self.next_xid);
        self.connection = Some(Live {
            link,
            conversation,
            unread: Vec::new(),
            unsent: handshake(asked, &self.password),
            connected: false,
            outstanding: VecDeque::new(),
            last_sent: now,
            last_heard: now,
        });
        self.flush(ctx);
    }

    /// Whether it may meet a server without a leader that serves it.
    fn knows_read_only(&self, ctx: &Context) -> bool {
        let ensemble = ctx.options.ensemble.as_ref();
        self.can_be_read_only && ensemble.is_some_and(|e| e.read_only != 0)
    }

    /// The process is another one.
    fn start_anew(&mut self, ctx: &mut Context) {
        ctx.counts.did("clients begun anew");
        (self.session, self.last_zxid) = (0, 0);
        self.users.clear();
        self.watches = ClientWatches::default();
        self.failures = 0;
        self.is_read_only = false;
    }

    fn converse(&self, ctx: &mut Context, link: LinkId, asked: Asked) -> usize {
        let conversation = ctx.history.connections.len();
        ctx.history.connections.push(Conversation {
            link,
            client: self.number,
            address: format!("10.0.0.{}", self.address),
            opened: ctx.schedule.now(),
            asked,
            sent: Vec::new(),
            received: Vec::new(),
            closed: None,
        });
        conversation
    }

    fn send(&mut self, ctx: &mut Context, operation: Operation) {
        let now = ctx.schedule.now();
        let Some(live) = &mut self.connection else {
            return;
        };
        let xid = match operation.special_xid() {
            Some(Xid(xid)) => xid,
            None => {
                self.next_xid += 1;
                self.next_xid
            }
        };
        live.unsent.extend(operation.frame(Xid(xid)));
        live.last_sent = now;
        live.outstanding.push_back((xid, operation.clone()));
        ctx.counts.did("requests sent");
        trace!(
            ctx.trace,
            now, "client {} link {} sends {xid} {operation:?}", self.number, live.link.0
        );
        ctx.history.connections[live.conversation].sent.push(Sent {
            at: now,
            xid,
            operation,
        });
        self.flush(ctx);
    }

    fn flush(&mut self, ctx: &mut Context) {
        let now = ctx.schedule.now();
        let Some(live) = &mut self.connection else {
            return;
        };
        let (sent, due) = ctx.network.send(live.link, End::Client, &live.unsent, now);
        live.unsent.drain(..sent);
        for at in due {
            ctx.schedule.at(at, Event::Arrive(live.link, End::Server));
        }
    }

    /// Something may be read on its link.
    pub fn readable(&mut self, ctx: &mut Context, link: LinkId) {
        let now = ctx.schedule.now();
        if self.deaf || now < self.asleep_until {
            return;
        }
        self.flush(ctx);
        loop {
            let max = *self.random.pick(&[1 << 16, 1 << 16, 50, 1]);
            let Some(live) = self.connection.as_mut().filter(|live| live.link == link) else {
                return;
            };
            match ctx.network.receive(link, End::Client, max) {
                Received::Nothing => return,
                Received::End | Received::Reset => return self.drop_link(ctx, false),
                Received::Bytes(bytes) => {
                    live.unread.extend(bytes);
                    live.last_heard = now;
                    ctx.wake(link, End::Server, 100);
                    while let Some(frame) = self.next_frame() {
                        self.receive(ctx, &frame);
                    }
                }
            }
        }
    }

    fn next_frame(&mut self) -> Option<Vec<u8>> {
        take_frame(&mut self.connection.as_mut()?.unread)
    }

    fn receive(&mut self, ctx: &mut Context, bytes: &[u8]) {
        let now = ctx.schedule.now();
        let Some(live) = &mut self.connection else {
            return;
        };
        let frame = read_frame(bytes, live.connected);
        trace!(
            ctx.trace,
            now, "client {} link {} gets {frame:?}", self.number, live.link.0
        );
        ctx.history.connections[live.conversation]
            .received
            .push((now, frame.clone()));
        match frame {
            Frame::Connected { session: 0, .. } => {
                ctx.counts.did("sessions refused");
                self.session = 0;
                self.watches = ClientWatches::default();
                self.drop_link(ctx, false);
            }
            Frame::Connected {
                session,
                timeout,
                read_only,
            } => {
                live.connected = true;
                self.connected(ctx, session, timeout, read_only);
            }
            Frame::Reply { xid, zxid, err, .. } => {
                ctx.counts
                    .did(if err == 0 { "replies" } else { "error replies" });
                if err == ErrorCode::NotReadOnly.wire() {
                    ctx.counts.did("requests refused read-only");
                }
                self.last_zxid = self.last_zxid.max(zxid);
                let at = live.outstanding.iter().position(|(sent, _)| *sent == xid);
                if let Some((_, operation)) = at.and_then(|at| live.outstanding.remove(at)) {
                    self.replied(ctx, &operation, err);
                }
            }
            Frame::Event { zxid, kind, path } => {
                ctx.counts.did("events");
                self.last_zxid = self.last_zxid.max(zxid);
                self.watches.fired(kind, &path);
            }
            Frame::Unreadable(_) => {}
        }
    }

    /// A server opened or resumed its session.
    fn connected(&mut self, ctx: &mut Context, session: i64, timeout: i32, read_only: bool) {
        self.failures = 0;
        if self.is_read_only && !read_only {
            ctx.counts.did("read-only clients back");
        }
        self.is_read_only = read_only;
        ctx.counts.did(match self.session {
            0 => "sessions opened",
            _ => "sessions resumed",
        });
        if self.session != session {
            self.password = SessionId(session).password().to_vec();
        }
        self.session = session;
        self.timeout_ms = timeout;
        for user in self.users.clone() {
            self.send(ctx, Operation::Auth(user));
        }
        let old = self.random.one_in(2);
        let watched = self.watches.to_set(self.last_zxid, old);
        if !watched.is_empty() {
            self.send(ctx, Operation::SetWatches(watched));
        }
    }

    fn replied(&mut self, ctx: &mut Context, operation: &Operation, err: i32) {
        match operation {
            Operation::Read {
                kind,
                path,
                watch: true,
            } => self.watches.read(*kind, path, err),
            Operation::AddWatch { path, mode } if err == 0 => {
                self.watches.added(path, *mode);
            }
            Operation::WatchOf {
                remove: true,
                path,
                kind,
            } if err == 0 => self.watches.removed(path, *kind),
            Operation::Auth(user) if err == 0 && !self.users.contains(user) => {
                self.users.push(user.clone());
            }
            Operation::CloseSession => {
                ctx.counts.did("sessions closed");
                self.session = 0;
                self.users.retain(|user| user == workload::OPERATOR);
                self.watches = ClientWatches::default();
                self.drop_link(ctx, false);
            }
            _ => {}
        }
    }

    /// Lets go of the link; `silently`: the server is not told.
    fn drop_link(&mut self, ctx: &mut Context, silently: bool) {
        let now = ctx.schedule.now();
        let Some(live) = self.connection.take() else {
            return;
        };
        self.failures += u32::from(!live.connected);
        ctx.history.connections[live.conversation].closed = Some(now);
        match silently {
            true => ctx.network.kill(live.link),
            false => {
                if let Some(at) = ctx.network.finish(live.link, End::Client, now) {
                    ctx.schedule.at(at, Event::Arrive(live.link, End::Server));
                }
                ctx.network.close(live.link, End::Client);
            }
        }
    }
}
