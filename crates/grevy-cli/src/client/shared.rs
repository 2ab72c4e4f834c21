//! What callers and the connection's thread share.

use super::event::{EventKind, KeeperState, WatchedEvent};
use super::watches::Watches;
use super::{ClientError, Config, Reply, State, path};
use grevy_proto::connect::ConnectResponse;
use grevy_proto::event::EventType;
use grevy_proto::jute::frame;
use grevy_proto::reply::ReplyHeader;
use grevy_proto::request::{Auth, RequestHeader};
use grevy_proto::watch::{WatchKind, WatcherType};
use grevy_proto::{Decode, Encode, ErrorCode, OpCode, Reader, SessionId, Xid, Zxid};
use std::collections::VecDeque;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The state behind a [`Client`](super::Client).
pub struct Shared {
    pub config: Config,
    core: Mutex<Core>,
    changed: Condvar,
    on_event: Box<dyn Fn(&WatchedEvent) + Send + Sync>,
}

/// What the lock guards.
pub struct Core {
    pub state: State,
    /// The session, its password and its last zxid: what resumes it.
    pub session: SessionId,
    pub password: Option<Box<[u8]>>,
    pub last_zxid: Zxid,
    /// The negotiated session timeout; before that, the one to ask for.
    pub timeout: Duration,
    /// Whether the session has been on a server that is not read-only. Others do not know it.
    pub is_global: bool,
    /// When something was last written.
    pub last_sent: Instant,
    /// When a server last answered something, and so had heard of the session.
    pub last_answer: Instant,
    /// Why the last round of attempts failed; `None` while connected and at first.
    pub failure: Option<String>,
    /// Set by an orderly end: the thread must not reconnect.
    pub closing: bool,
    expired: bool,
    told: KeeperState,
    next_xid: i32,
    /// Not sent yet, for want of a connection.
    waiting: VecDeque<Request>,
    /// Sent, in the order in which replies must come.
    pending: VecDeque<(Xid, Request)>,
    stream: Option<TcpStream>,
    identities: Vec<(String, Option<Vec<u8>>)>,
    watches: Watches,
}

/// A request and who waits for it.
struct Request {
    op: OpCode,
    body: Vec<u8>,
    effect: Effect,
    reply: Sender<Result<Vec<u8>, ClientError>>,
}

/// What a request's reply does to the client's own watches. Paths are the server's.
pub enum Effect {
    /// Nothing.
    None,
    /// Registers one.
    Register(WatchKind, String),
    /// Removes some; the flag: even if the server could not be asked.
    Remove(WatcherType, String, bool),
}

/// Why a session's connection ended.
#[derive(Debug)]
pub enum End {
    /// The connection is lost; the session may be resumed.
    Lost(String),
    /// The session is gone.
    Expired,
    /// The server refused an identity.
    AuthFailed,
}

impl Shared {
    pub fn new(config: Config, on_event: Box<dyn Fn(&WatchedEvent) + Send + Sync>) -> Self {
        let core = Core {
            state: State::Connecting,
            session: SessionId::NONE,
            password: None,
            last_zxid: Zxid::ZERO,
            timeout: config.timeout,
            is_global: false,
            last_sent: Instant::now(),
            last_answer: Instant::now(),
            failure: None,
            closing: false,
            expired: false,
            told: KeeperState::Disconnected,
            next_xid: 1,
            waiting: VecDeque::new(),
            pending: VecDeque::new(),
            stream: None,
            identities: Vec::new(),
            watches: Watches::default(),
        };
        Self {
            config,
            core: Mutex::new(core),
            changed: Condvar::new(),
            on_event,
        }
    }

    /// No code panics while it holds the lock, so a poisoned one is still whole.
    pub fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `is_done`, the end of the client, or `timeout`.
    pub fn wait(
        &self,
        timeout: Duration,
        is_done: impl Fn(&Core) -> bool,
    ) -> Result<(), ClientError> {
        let (core, _) = self
            .changed
            .wait_timeout_while(self.lock(), timeout, |core| {
                core.state.is_alive() && !is_done(core)
            })
            .unwrap_or_else(PoisonError::into_inner);
        core.check_alive()?;
        if is_done(&core) {
            return Ok(());
        }
        let why = core
            .failure
            .clone()
            .unwrap_or_else(|| format!("no server answered within {} ms", timeout.as_millis()));
        Err(ClientError::ConnectionLoss(why))
    }

    /// Sends a request, or keeps it until there is a connection.
    pub fn submit(&self, op: OpCode, body: Vec<u8>, effect: Effect) -> Reply {
        let (reply, receiver) = channel();
        let request = Request {
            op,
            body,
            effect,
            reply,
        };
        let mut core = self.lock();
        match core.check_alive() {
            Err(error) => request.answer(Err(error)),
            Ok(()) if core.state.is_connected() => core.send(request),
            Ok(()) => core.waiting.push_back(request),
        }
        Reply(receiver)
    }

    /// Adds an identity, now and after every reconnect.
    pub fn add_identity(&self, scheme: String, auth: Option<Vec<u8>>) {
        let mut core = self.lock();
        if core.state.is_connected() {
            core.send_identity(&scheme, auth.as_deref());
        }
        core.identities.push((scheme, auth));
    }

    /// Ends the session.
    pub fn close(&self) {
        let mut core = self.lock();
        if !core.state.is_alive() {
            return;
        }
        core.closing = true;
        let timeout = core.timeout;
        let is_connected = core.state.is_connected();
        drop(core);
        if is_connected {
            let reply = self.submit(OpCode::CloseSession, Vec::new(), Effect::None);
            // Whatever comes, or does not: the socket is closed next, and the server ends the
            // session sooner or later.
            drop(reply.wait_for(timeout));
        }
        self.abandon();
        self.tell_state(KeeperState::Closed);
    }

    /// Lets go of the connection for good.
    pub fn abandon(&self) {
        let mut core = self.lock();
        core.closing = true;
        if core.state.is_alive() {
            core.state = State::Closed;
        }
        if let Some(stream) = core.stream.take() {
            // It may be closed already.
            drop(stream.shutdown(Shutdown::Both));
        }
        core.fail_all(&ClientError::Closed);
        drop(core);
        self.changed.notify_all();
    }

    /// A handshake succeeded: identities and watches first, then what has been waiting.
    pub fn connected(&self, stream: TcpStream, response: &ConnectResponse, read_only: bool) {
        let (state, event) = match read_only {
            true => (State::ConnectedReadOnly, KeeperState::ConnectedReadOnly),
            false => (State::Connected, KeeperState::SyncConnected),
        };
        let mut core = self.lock();
        if core.closing {
            return;
        }
        core.session = response.session;
        core.password.clone_from(&response.password);
        core.timeout = Duration::from_millis(u64::try_from(response.timeout).unwrap_or(0));
        core.is_global |= !read_only;
        drop(core);
        // Told before anybody can see the state, so that what callers do next comes after it.
        self.tell_state(event);
        let mut core = self.lock();
        if core.closing {
            return;
        }
        core.failure = None;
        core.last_answer = Instant::now();
        core.stream = Some(stream);
        core.state = state;
        core.restore();
        drop(core);
        self.changed.notify_all();
    }

    /// A connection ended; tells whether to look for another.
    pub fn disconnected(&self, end: End) -> bool {
        let mut core = self.lock();
        core.stream = None;
        if core.closing {
            return false;
        }
        let (state, event) = match &end {
            End::Lost(_) => (State::Connecting, KeeperState::Disconnected),
            End::Expired => (State::Closed, KeeperState::Expired),
            End::AuthFailed => (State::AuthFailed, KeeperState::AuthFailed),
        };
        core.state = state;
        core.expired = matches!(end, End::Expired);
        match end {
            End::Lost(why) => core.fail_pending(&ClientError::OutcomeUnknown(why)),
            End::Expired => core.fail_all(&ClientError::SessionExpired),
            End::AuthFailed => core.fail_all(&ClientError::AuthFailed),
        }
        drop(core);
        self.tell_state(event);
        self.changed.notify_all();
        state.is_alive()
    }

    /// No server could be reached.
    pub fn unreachable(&self, why: String) {
        let mut core = self.lock();
        core.fail_waiting(&ClientError::ConnectionLoss(why.clone()));
        core.failure = Some(why);
        drop(core);
        self.changed.notify_all();
    }

    /// Waits before the next attempt; tells whether to make it.
    pub fn pause(&self, pause: Duration) -> bool {
        let (core, _) = self
            .changed
            .wait_timeout_while(self.lock(), pause, |core| !core.closing)
            .unwrap_or_else(PoisonError::into_inner);
        !core.closing
    }

    /// Handles a frame from the server.
    pub fn received(&self, bytes: &[u8]) -> Result<(), End> {
        let unreadable = |error| End::Lost(format!("the server's reply cannot be read: {error}"));
        let mut reader = Reader::new(bytes);
        let header = ReplyHeader::decode(&mut reader).map_err(unreadable)?;
        // An event may come from a server that hears nothing any more.
        if header.xid != Xid::NOTIFICATION {
            self.lock().last_answer = Instant::now();
        }
        match header.xid {
            Xid::PING | Xid::SET_WATCHES => Ok(()),
            Xid::AUTH if header.err == ErrorCode::Ok.wire() => Ok(()),
            Xid::AUTH => Err(End::AuthFailed),
            Xid::NOTIFICATION => self.notified(header.zxid, &mut reader).map_err(unreadable),
            _ => self.replied(header, reader.rest()),
        }
    }

    /// Sends a ping.
    pub fn ping(&self) {
        self.lock().write(Xid::PING, OpCode::Ping, &[]);
    }

    fn notified(
        &self,
        zxid: Zxid,
        reader: &mut Reader<'_>,
    ) -> Result<(), grevy_proto::DecodeError> {
        let kind = reader.int()?;
        reader.int()?;
        let server_path = reader.string()?.unwrap_or_default();
        let Some(event) = EventType::from_wire(kind) else {
            return Ok(());
        };
        let is_watched = self.lock().watches.fire(event, &server_path);
        if is_watched {
            let path = path::strip(&self.config.connect.chroot, &server_path);
            self.tell(event.into(), path, zxid.0);
        }
        Ok(())
    }

    fn replied(&self, header: ReplyHeader, record: &[u8]) -> Result<(), End> {
        let mut core = self.lock();
        match core.pending.front() {
            Some((xid, _)) if *xid == header.xid => {}
            _ => {
                return Err(End::Lost(format!(
                    "the server answered request {}, which is not the oldest one",
                    header.xid.0
                )));
            }
        }
        let Some((_, request)) = core.pending.pop_front() else {
            return Ok(());
        };
        if header.zxid > Zxid::ZERO {
            core.last_zxid = header.zxid;
        }
        let result = match header.err {
            0 => Ok(record.to_vec()),
            code => Err(ClientError::Server(code)),
        };
        match &request.effect {
            Effect::None => {
                drop(core);
                request.answer(result);
            }
            Effect::Register(kind, path) => {
                core.watches.register(*kind, path.clone(), header.err);
                drop(core);
                request.answer(result);
            }
            Effect::Remove(which, server_path, local) => {
                let removed = match result.is_ok() || *local {
                    true => core.watches.remove(*which, server_path),
                    false => Vec::new(),
                };
                drop(core);
                let result = removal_result(result, &removed, *local);
                let path = path::strip(&self.config.connect.chroot, server_path);
                for kind in removed {
                    self.tell(kind, path, -1);
                }
                request.answer(result);
            }
        }
        Ok(())
    }

    fn tell(&self, kind: EventKind, path: &str, zxid: i64) {
        let event = WatchedEvent {
            state: self.lock().told,
            kind,
            path: Some(path.to_owned()),
            zxid,
        };
        (self.on_event)(&event);
    }

    /// Each change of state is told once.
    fn tell_state(&self, state: KeeperState) {
        let before = std::mem::replace(&mut self.lock().told, state);
        if before != state {
            (self.on_event)(&WatchedEvent::state(state));
        }
    }
}

/// A removal succeeds if the client had such a watch and the server agrees, or, for a local one,
/// whatever the server says.
fn removal_result(
    result: Result<Vec<u8>, ClientError>,
    removed: &[EventKind],
    local: bool,
) -> Result<Vec<u8>, ClientError> {
    match result {
        Ok(_) if removed.is_empty() => Err(ClientError::Server(ErrorCode::NoWatcher.wire())),
        Err(_) if local && !removed.is_empty() => Ok(Vec::new()),
        result => result,
    }
}

impl Request {
    /// The caller may have stopped waiting.
    fn answer(self, result: Result<Vec<u8>, ClientError>) {
        drop(self.reply.send(result));
    }
}

impl Core {
    fn check_alive(&self) -> Result<(), ClientError> {
        match self.state {
            State::Closed if self.expired => Err(ClientError::SessionExpired),
            State::Closed => Err(ClientError::Closed),
            State::AuthFailed => Err(ClientError::AuthFailed),
            _ => Ok(()),
        }
    }

    fn restore(&mut self) {
        for (scheme, auth) in std::mem::take(&mut self.identities) {
            self.send_identity(&scheme, auth.as_deref());
            self.identities.push((scheme, auth));
        }
        for (op, body) in self.watches.set_again(self.last_zxid) {
            self.write(Xid::SET_WATCHES, op, &body);
        }
        for request in std::mem::take(&mut self.waiting) {
            self.send(request);
        }
    }

    fn send(&mut self, request: Request) {
        let xid = Xid(self.next_xid);
        self.next_xid = self.next_xid.checked_add(1).unwrap_or(1);
        self.write(xid, request.op, &request.body);
        self.pending.push_back((xid, request));
    }

    fn send_identity(&mut self, scheme: &str, auth: Option<&[u8]>) {
        let auth = Auth {
            kind: 0,
            scheme: scheme.into(),
            auth,
        };
        self.write(Xid::AUTH, OpCode::Auth, &auth.to_bytes());
    }

    fn write(&mut self, xid: Xid, op: OpCode, body: &[u8]) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        let mut bytes = Vec::new();
        frame(&mut bytes, |out| {
            RequestHeader { xid, op: op.wire() }.encode(out);
            out.extend_from_slice(body);
        });
        if stream.write_all(&bytes).is_err() {
            // The thread that reads notices the end of the stream and deals with it.
            drop(stream.shutdown(Shutdown::Both));
        }
        self.last_sent = Instant::now();
    }

    fn fail_pending(&mut self, error: &ClientError) {
        let pending = std::mem::take(&mut self.pending);
        for (_, request) in pending {
            self.fail(request, error);
        }
    }

    fn fail_waiting(&mut self, error: &ClientError) {
        for request in std::mem::take(&mut self.waiting) {
            self.fail(request, error);
        }
    }

    /// Watches can be forgotten without a server; everything else fails.
    fn fail(&mut self, request: Request, error: &ClientError) {
        let is_done = match &request.effect {
            Effect::Remove(which, path, true) => !self.watches.remove(*which, path).is_empty(),
            _ => false,
        };
        request.answer(match is_done {
            true => Ok(Vec::new()),
            false => Err(error.clone()),
        });
    }

    fn fail_all(&mut self, error: &ClientError) {
        self.fail_pending(error);
        self.fail_waiting(error);
    }
}
