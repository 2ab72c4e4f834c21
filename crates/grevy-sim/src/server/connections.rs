//! The tasks of connections; as `Serve` in the server.

use super::{Run, Server, Task};
use crate::checkers::{l04, local, read_only};
use crate::history::{Attached, Heard};
use crate::net::{End, LinkId, Received};
use crate::planted::{Bug, Rewriter};
use crate::workload;
use crate::world::{Context, Event};
use grevy_node::connection::{CloseReason, Connect, Request};
use grevy_node::{Action, ClientId, Connection, Service, View};
use grevy_proto::connect::ConnectRequest;
use grevy_proto::{Encode, Id, OpCode, SessionId, Xid, Zxid};
use grevy_tree::watch::WatcherId;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// A frame before the handshake is no longer than this.
const CONNECT_LIMIT: usize = 16 << 10;
/// `jute.maxbuffer`.
const FRAME_LIMIT: usize = 0xf_ffff;

/// A connection's socket.
pub struct Socket {
    link: LinkId,
    /// Received and not handled.
    unhandled: Vec<u8>,
    /// What the node is to be asked.
    connect: Option<Connect>,
    requests: Vec<Owned>,
    /// Whether [`Task::Submit`] is to come.
    submitting: bool,
    draining: bool,
    /// With a planted bug: changed output that waits to be sent.
    rewriter: Rewriter,
    changed: Vec<u8>,
    /// Whether it has served a session.
    attached: bool,
    /// Whether that was without a leader.
    read_only: bool,
    /// Bytes that there was no room for.
    left: usize,
}

/// A request with a record of its own.
struct Owned {
    session: SessionId,
    xid: Xid,
    op: OpCode,
    record: Vec<u8>,
    ids: Arc<[Id]>,
}

impl Server {
    /// A client's connection arrives.
    pub fn accept(&mut self, ctx: &mut Context, link: LinkId, address: u8) {
        let now = self.now_of(ctx);
        let serving = self.not_serving().is_none();
        let open = |run: &&mut Run| serving && run.service != Service::Closed;
        let Some(run) = self.run.as_mut().filter(open) else {
            ctx.reset(link);
            return;
        };
        let id = ClientId(run.next_client);
        run.next_client += 1;
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, address));
        let connection = Connection::new(id, address, now.time);
        run.connections.borrow_mut().insert(id, connection);
        run.by_link.insert(link, id);
        run.sockets.insert(
            id,
            Socket {
                link,
                unhandled: Vec::new(),
                connect: None,
                requests: Vec::new(),
                submitting: false,
                draining: false,
                rewriter: Rewriter::default(),
                changed: Vec::new(),
                attached: false,
                read_only: false,
                left: 0,
            },
        );
        ctx.counts.did("connections accepted");
        self.schedule(ctx, 1, Task::Socket(link));
    }

    /// One turn of a connection's task: send, then handle what waits, then read once.
    pub(super) fn serve(&mut self, ctx: &mut Context, link: LinkId) {
        let Some(run) = &mut self.run else { return };
        let Some(&client) = run.by_link.get(&link) else {
            return;
        };
        if run.sockets[&client].submitting {
            // The task hands its requests over before it does anything else.
            return;
        }
        if ctx.network.is_closed(link, End::Server) {
            return self.ended(ctx, client);
        }
        if !self.flush(ctx, client) {
            return;
        }
        let Some(run) = &mut self.run else { return };
        let Some(socket) = run.sockets.get_mut(&client) else {
            return;
        };
        let is_open = matches!(run.service, Service::Open | Service::ReadOnly);
        if !is_open && !socket.draining {
            return;
        }
        if !socket.unhandled.is_empty() && !socket.draining {
            let handled = self.handle_bytes(ctx, client);
            if handled {
                self.schedule(ctx, 1, Task::Socket(link));
                return;
            }
        }
        let Some(run) = &mut self.run else { return };
        let Some(socket) = run.sockets.get_mut(&client) else {
            return;
        };
        let receptive = run
            .connections
            .borrow()
            .get(&client)
            .is_some_and(|c| c.is_receptive(&self.node_config));
        if !receptive && !socket.draining {
            return;
        }
        let max = *self.random.pick(&[1 << 16, 1 << 16, 100, 7, 1]);
        match ctx.network.receive(link, End::Server, max) {
            Received::Nothing => {}
            Received::End | Received::Reset => self.ended(ctx, client),
            Received::Bytes(bytes) => {
                ctx.schedule.after_micros(1, Event::Client(link));
                if !socket.draining {
                    socket.unhandled.extend_from_slice(&bytes);
                    self.handle_bytes(ctx, client);
                }
                self.schedule(ctx, 1, Task::Socket(link));
            }
        }
    }

    /// Handles the whole frames among what was received. Returns whether there were any.
    fn handle_bytes(&mut self, ctx: &mut Context, client: ClientId) -> bool {
        let now = self.now_of(ctx);
        let bug = ctx.options.bug;
        let Some(run) = &mut self.run else {
            return false;
        };
        let Some(socket) = run.sockets.get_mut(&client) else {
            return false;
        };
        let link = socket.link;
        let bytes = std::mem::take(&mut socket.unhandled);
        let mut rest = &bytes[..];
        let mut too_long = false;
        {
            let mut connections = run.connections.borrow_mut();
            let Some(connection) = connections.get_mut(&client) else {
                return false;
            };
            let view = View {
                now: now.time,
                tree: &run.tree,
                watches: &run.watches,
                config: &self.node_config,
            };
            while connection.is_receptive(&self.node_config) {
                let limit = match connection.session() {
                    Some(_) => FRAME_LIMIT,
                    None => CONNECT_LIMIT,
                };
                let frame = match split_frame(rest, limit) {
                    Ok(Some((frame, after))) => {
                        rest = after;
                        frame
                    }
                    Ok(None) => break,
                    Err(()) => {
                        too_long = true;
                        break;
                    }
                };
                let session = connection.session();
                ctx.history.reached += 1;
                ctx.history.heard.push(Heard {
                    number: ctx.history.reached,
                    at: now.time,
                    link,
                    session: session.map_or(0, |session| session.0),
                    xid: match (session, frame) {
                        (Some(_), [a, b, c, d, ..]) => i32::from_be_bytes([*a, *b, *c, *d]),
                        _ => 0,
                    },
                    incarnation: self.incarnation,
                });
                if bug == Some(Bug::ReadBeforeOwnWrite)
                    && connection.outstanding() > 0
                    && let Some(session) = session
                    && let Some((xid, stale)) = answer_early(session, frame, view)
                {
                    socket.rewriter.stale.insert(xid, stale);
                }
                if bug == Some(Bug::RepeatsReads)
                    && let Some((xid, path)) = register_read(frame)
                {
                    socket.rewriter.reads.insert(xid, path);
                }
                match connection.handle_frame(frame, view) {
                    Action::None => {}
                    Action::Submit(request) => socket.requests.push(Owned {
                        session: request.session,
                        xid: request.xid,
                        op: request.op,
                        record: request.record.to_vec(),
                        ids: request.ids,
                    }),
                    Action::Connect(mut ask) => {
                        ask.read_only |= bug == Some(Bug::ServesAnybodyReadOnly);
                        socket.connect = Some(ask);
                    }
                    Action::Close(reason) => connection.close(reason),
                }
            }
        }
        let handled = bytes.len() - rest.len();
        socket.unhandled = rest.to_vec();
        let asks = socket.connect.is_some() || !socket.requests.is_empty();
        if asks {
            socket.submitting = true;
            // Another thread may come between.
            let delay = match self.random.one_in(3) {
                true => self.random.below(300),
                false => 0,
            };
            self.schedule(ctx, delay, Task::Submit(client));
        }
        if too_long {
            ctx.reset(link);
            self.ended(ctx, client);
            return false;
        }
        self.flush(ctx, client);
        handled > 0
    }

    /// Hands a connection's requests to the node.
    pub(super) fn submit(&mut self, ctx: &mut Context, client: ClientId) {
        let now = self.now_of(ctx);
        let Some(run) = &mut self.run else { return };
        let Some(socket) = run.sockets.get_mut(&client) else {
            return;
        };
        socket.submitting = false;
        let link = socket.link;
        let connect = socket.connect.take();
        let requests = std::mem::take(&mut socket.requests);
        self.with_node(ctx, |node, tree, connections| {
            if let Some(ask) = connect {
                node.open_session(now, tree, connections, ask);
            }
            let requests = requests.iter().map(|request| Request {
                client,
                session: request.session,
                xid: request.xid,
                op: request.op,
                record: &request.record,
                ids: request.ids.clone(),
            });
            node.submit_all(now, tree, requests.collect());
        });
        self.schedule(ctx, 1, Task::Socket(link));
    }

    /// Sends what every connection has to say.
    pub(super) fn flush_all(&mut self, ctx: &mut Context) {
        let Some(run) = &self.run else { return };
        let clients: Vec<ClientId> = run.sockets.keys().copied().collect();
        for client in clients {
            // One that waits for its connection to become receptive is woken with it.
            if self.flush(ctx, client)
                && let Some(run) = &self.run
                && let Some(socket) = run.sockets.get(&client)
                && !socket.unhandled.is_empty()
                && !socket.submitting
            {
                let link = socket.link;
                self.schedule(ctx, 1, Task::Socket(link));
            }
        }
    }

    /// Sends what a connection has to say; whether all of it went out. A closing connection says
    /// its end after that.
    fn flush(&mut self, ctx: &mut Context, client: ClientId) -> bool {
        let Some(run) = &mut self.run else {
            return false;
        };
        let Run {
            sockets,
            connections,
            node,
            heard_leader,
            leaderless,
            service,
            tree,
            ..
        } = run;
        let Some(socket) = sockets.get_mut(&client) else {
            return false;
        };
        if socket.draining {
            return true;
        }
        let mut connections = connections.borrow_mut();
        let Some(connection) = connections.get_mut(&client) else {
            return false;
        };
        let link = socket.link;
        if let Some(session) = connection.session().filter(|_| !socket.attached) {
            socket.attached = true;
            socket.read_only = *service == Service::ReadOnly;
            ctx.history.reached += 1;
            if socket.read_only {
                read_only::attached(ctx, self.index, link, session.0);
            } else {
                local::attached(ctx, self.index, self.incarnation, session.0);
                // One answer may be for several connections.
                let granted = ctx.history.granted.get(&(self.index, session.0)).copied();
                let number = granted.filter(|_| !node.peer().leads());
                ctx.history.attached.push(Attached {
                    number: number.unwrap_or(ctx.history.reached),
                    session: session.0,
                    link,
                    epoch: ctx.history.last() >> 32,
                });
            }
        }
        if let Some(bug) = ctx.options.bug {
            let output = std::mem::take(connection.output());
            if !output.is_empty() || socket.rewriter.holds() {
                let changed = socket.rewriter.rewrite(bug, &output);
                socket.changed.extend(changed);
            }
        }
        let is_open = connection.session().is_some();
        let output = match ctx.options.bug {
            Some(_) => &mut socket.changed,
            None => connection.output(),
        };
        let now = ctx.schedule.now();
        // What could not be sent at once was said before.
        let answers = output.len() > socket.left && is_open;
        if answers && socket.read_only {
            let still = *service == Service::ReadOnly;
            read_only::answers(ctx, self.index, still, tree.last_zxid().0);
        } else if answers && !node.peer().leads() {
            let leaderless = leaderless.filter(|_| !node.is_stopping());
            let now = self.clock.local(now);
            l04::answers(ctx, self.index, now, *heard_leader, leaderless);
        }
        let (sent, due) = ctx.network.send(link, End::Server, output, now);
        for at in due {
            ctx.schedule.at(at, Event::Arrive(link, End::Client));
        }
        output.drain(..sent);
        socket.left = output.len();
        if !output.is_empty() {
            return false;
        }
        let Some(reason) = connection.closing() else {
            return true;
        };
        trace!(ctx.trace, now, "link {} closing: {reason}", link.0);
        if socket.read_only && matches!(reason, CloseReason::SessionExpired(_)) {
            let silent = self.clock.local(now).0 - connection.heard().0;
            read_only::expired(ctx, self.index, silent, connection.timeout());
        }
        ctx.counts.did(match reason {
            CloseReason::SessionMoved(_) => "connections closed: moved",
            CloseReason::SessionExpired(_) => "connections closed: expired",
            CloseReason::SessionClosed(_) => "connections closed: closed",
            CloseReason::SessionRefused(_) => "connections closed: refused",
            CloseReason::ZxidAhead { .. } => "connections closed: zxid ahead",
            CloseReason::OutputLimit(_) => "connections closed: output limit",
            _ => "connections closed: other",
        });
        socket.draining = true;
        socket.unhandled = Vec::new();
        if let Some(at) = ctx.network.finish(link, End::Server, now) {
            ctx.schedule.at(at, Event::Arrive(link, End::Client));
        }
        drop(connections);
        self.schedule(ctx, 1_000_000, Task::Linger(link));
        self.schedule(ctx, 1, Task::Socket(link));
        true
    }

    /// The connections of all clients are closed, once they are sent what they were answered.
    pub(super) fn drop_clients(&mut self) {
        let Some(run) = &self.run else { return };
        for connection in run.connections.borrow_mut().values_mut() {
            connection.close(CloseReason::NotServing);
        }
    }

    /// Whether all that was answered is with the network.
    pub(super) fn is_flushed(&self) -> bool {
        let run = self.run.as_ref();
        run.is_none_or(|run| run.sockets.values().all(|socket| socket.draining))
    }

    pub(super) fn linger(&mut self, ctx: &mut Context, link: LinkId) {
        let client = self.run.as_ref().and_then(|run| run.by_link.get(&link));
        if let Some(&client) = client {
            self.ended(ctx, client);
        }
    }

    /// A connection's task ends.
    fn ended(&mut self, ctx: &mut Context, client: ClientId) {
        let Some(run) = &mut self.run else { return };
        let Some(socket) = run.sockets.remove(&client) else {
            return;
        };
        run.by_link.remove(&socket.link);
        let connection = run.connections.borrow_mut().remove(&client);
        run.watches.borrow_mut().remove_watcher(WatcherId(client.0));
        ctx.network.close(socket.link, End::Server);
        ctx.reset_later(socket.link);
        if let Some(connection) = connection {
            let (session, heard) = (connection.last_session(), connection.heard());
            self.with_node(ctx, |node, _, _| node.client_closed(client, session, heard));
        }
    }
}

/// A frame's payload, and what follows the frame.
type Split<'a> = (&'a [u8], &'a [u8]);

/// The first whole frame and what follows it; an error if it is too long.
fn split_frame(bytes: &[u8], limit: usize) -> Result<Option<Split<'_>>, ()> {
    let Some((prefix, rest)) = bytes.split_at_checked(4) else {
        return Ok(None);
    };
    let len = i32::from_be_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]);
    match usize::try_from(len) {
        Ok(len) if len <= limit => Ok(rest.split_at_checked(len)),
        _ => Err(()),
    }
}

/// What a read would be answered now: the planted bug of answering before own writes.
fn answer_early(
    session: SessionId,
    frame: &[u8],
    view: View<'_, std::cell::RefCell<grevy_tree::WatchTable>>,
) -> Option<(i32, Vec<u8>)> {
    let op = i32::from_be_bytes(frame.get(4..8)?.try_into().ok()?);
    if op != OpCode::GetData.wire() && op != OpCode::GetChildren2.wire() {
        return None;
    }
    let mut scratch = Connection::new(
        ClientId(u32::MAX),
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        view.now,
    );
    let connect = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(0),
        timeout: 0,
        session,
        password: None,
        read_only: None,
    };
    scratch.handle_frame(&connect.to_bytes(), view);
    scratch.session_opened(session, view.now);
    scratch.output().clear();
    let mut frame = frame.to_vec();
    // No watch.
    *frame.last_mut()? = 0;
    scratch.handle_frame(&frame, view);
    let xid = i32::from_be_bytes(frame.get(..4)?.try_into().ok()?);
    Some((xid, std::mem::take(scratch.output())))
}

/// The number and the path of a frame that reads a register's data.
fn register_read(frame: &[u8]) -> Option<(i32, Vec<u8>)> {
    let xid = i32::from_be_bytes(frame.get(..4)?.try_into().ok()?);
    let op = i32::from_be_bytes(frame.get(4..8)?.try_into().ok()?);
    let path = frame.get(12..frame.len().checked_sub(1)?)?;
    let text = std::str::from_utf8(path).ok()?;
    (op == OpCode::GetData.wire() && workload::is_register(text)).then(|| (xid, path.to_vec()))
}
