//! One client's connection: the handshake, its requests in their order, what is to be sent.
//!
//! Frames go in with [`Connection::handle_frame`]; reads are answered there and then from the
//! tree, writes come out as an [`Action`] for the [`Node`](crate::Node), which completes them
//! with [`Connection::complete`]. A read that comes behind a write of the same connection waits
//! for it, and is then answered in the very state that the write made: so a client's requests
//! take effect in the order in which it sent them, reads and writes alike.
//!
//! Replies and events are appended to one buffer in the order of the states they tell of. Who
//! holds the tree's lock (shared to read, exclusive to apply) may touch a connection; that the
//! event comes before the data follows from it.

use crate::auth::{self, AuthConfig, Verdict};
use crate::config::NodeConfig;
use crate::reads;
use crate::time::Time;
use crate::watches::Watches;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use grevy_proto::connect::{ConnectRequest, ConnectResponse};
use grevy_proto::jute::frame;
use grevy_proto::reply::{ReplyHeader, encode_reply};
use grevy_proto::request::{Auth, RequestHeader};
use grevy_proto::{Decode, Encode, ErrorCode, Id, OpCode, Reader, SessionId, Xid, Zxid};
use grevy_tree::Tree;

/// Identities of one connection. Each check of a permission compares all of them.
const MAX_IDS: usize = 256;

/// Names one connection of a server for as long as anything may still refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u32);

/// What a connection looks at while it answers.
pub struct View<'a, W> {
    /// The present.
    pub now: Time,
    /// The state.
    pub tree: &'a Tree,
    /// Where watches are registered.
    pub watches: &'a W,
    /// How this server is set up.
    pub config: &'a NodeConfig,
}

impl<W> Clone for View<'_, W> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<W> Copy for View<'_, W> {}

/// What a frame asks for beyond what the connection did itself.
#[derive(Debug)]
pub enum Action<'f> {
    /// Nothing.
    None,
    /// Pass to [`Node::open_session`](crate::Node::open_session); no further frame until then.
    Connect(Connect),
    /// Pass to [`Node::submit`](crate::Node::submit).
    Submit(Request<'f>),
    /// Close the connection, saying why in the log. Nothing is sent.
    Close(CloseReason),
}

/// A client asks for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connect {
    /// Who asks.
    pub client: ClientId,
    /// The session to resume, or [`SessionId::NONE`].
    pub session: SessionId,
    /// Whether the password is that session's.
    pub password_matches: bool,
    /// The negotiated timeout.
    pub timeout: Duration,
    /// Whether a server without a leader will do.
    pub read_only: bool,
}

impl Connect {
    /// Whether a new session is asked for.
    pub(crate) fn is_new(&self) -> bool {
        self.session == SessionId::NONE
    }
}

/// A request that has to go through the node.
#[derive(Debug, Clone)]
pub struct Request<'f> {
    /// Which connection it came in through.
    pub client: ClientId,
    /// Whose it is.
    pub session: SessionId,
    /// The client's number for it.
    pub xid: Xid,
    /// What it asks for.
    pub op: OpCode,
    /// The record behind the header, not yet read.
    pub record: &'f [u8],
    /// Who the client is.
    pub ids: Arc<[Id]>,
}

/// Why a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// The first frame is not a connect request.
    BadConnectRequest(grevy_proto::DecodeError),
    /// A frame is too short for a request header.
    BadHeader(grevy_proto::DecodeError),
    /// The client has seen a newer state than this server has.
    ZxidAhead {
        /// What the client has seen.
        seen: Zxid,
        /// What the server has.
        last: Zxid,
    },
    /// The session has ended, or its password was wrong.
    SessionRefused(SessionId),
    /// The client closed its session.
    SessionClosed(SessionId),
    /// The session expired.
    SessionExpired(SessionId),
    /// The session came back through another connection.
    SessionMoved(SessionId),
    /// An auth packet failed.
    AuthFailed,
    /// The client must authenticate before it does anything else.
    AuthRequired,
    /// The client expected an ensemble of another name.
    WrongEnsemble,
    /// The operation does not exist.
    UnknownOperation(i32),
    /// A frame is too long, or its length makes no sense.
    FrameLength {
        /// What its first four bytes say.
        len: i32,
        /// The most that is accepted, in bytes.
        limit: usize,
    },
    /// The client does not read what it is sent.
    OutputLimit(usize),
    /// The server has no leader, which will not do for the client or its session.
    ReadOnly,
    /// The server stops, or cannot write to its storage.
    NotServing,
    /// A leader was lost, and a request with it, so that nobody knows what became of it. No later
    /// one of this connection may take effect.
    RequestLost,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadConnectRequest(error) => write!(
                f,
                "the first frame is not a ZooKeeper connect request ({error}); \
                 is something else talking to this port?"
            ),
            Self::BadHeader(error) => write!(f, "a request has no whole header ({error})"),
            Self::ZxidAhead { seen, last } => write!(
                f,
                "the client has seen zxid {seen} and this server is at {last}; \
                 it must try another server"
            ),
            Self::SessionRefused(session) => write!(
                f,
                "session {session} has expired, or its password does not match"
            ),
            Self::SessionClosed(session) => write!(f, "session {session} was closed"),
            Self::SessionExpired(session) => write!(f, "session {session} expired"),
            Self::SessionMoved(session) => {
                write!(f, "session {session} came back through another connection")
            }
            Self::AuthFailed => f.write_str("authentication failed"),
            Self::AuthRequired => {
                f.write_str("the client has none of the identities that this server requires")
            }
            Self::WrongEnsemble => f.write_str("the client expected an ensemble of another name"),
            Self::UnknownOperation(op) => write!(f, "operation {op} does not exist"),
            Self::FrameLength { len, limit } => write!(
                f,
                "a frame of {len} bytes, where the limit is {limit} (jute.maxbuffer); raise it \
                 on servers and clients if the data is right"
            ),
            Self::OutputLimit(bytes) => {
                write!(f, "the client does not read: {bytes} bytes wait for it")
            }
            Self::ReadOnly => {
                f.write_str("this server has no leader and serves new read-only sessions alone")
            }
            Self::NotServing => f.write_str("this server is not serving"),
            Self::RequestLost => f.write_str(
                "a leader was lost before it answered; the client has to find out which of its \
                 requests took effect",
            ),
        }
    }
}

#[derive(Debug)]
enum State {
    /// Nothing received yet.
    New,
    /// Waits for the node's word about its session.
    Opening,
    Open(SessionId),
    /// What is in the output buffer is the last that is sent.
    Closing(CloseReason),
}

/// A request that has not been answered.
#[derive(Debug)]
enum Pending {
    /// The node will complete it.
    Submitted {
        xid: Xid,
        op: OpCode,
        received: Time,
        /// Bytes of its frame.
        len: usize,
    },
    /// A read behind it, as a whole frame.
    Read { frame: Box<[u8]>, received: Time },
}

/// What operators want to know of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionStats {
    /// Frames received.
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
    /// Bytes of the events among them, without their lengths.
    pub event_bytes: u64,
    /// The last operation.
    pub last_op: Option<OpCode>,
    /// The number of the last request that has one of its own, as pings have not.
    pub last_cxid: Option<Xid>,
    /// The zxid of the last reply.
    pub last_zxid: Zxid,
    /// When the last reply was made.
    pub last_response: Time,
    /// How long the last request took, in µs.
    pub last_latency: u32,
    /// The shortest time that a request took, in µs.
    pub min_latency: u32,
    /// The longest, in µs.
    pub max_latency: u32,
    /// All requests' times, in µs.
    pub total_latency: u64,
    /// Number of requests in `total_latency`.
    pub replies: u64,
}

impl ConnectionStats {
    /// Adds what another connection, or the same one since, has counted.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.sent += other.sent;
        self.event_bytes += other.event_bytes;
        if other.replies > 0 {
            self.min_latency = match self.replies {
                0 => other.min_latency,
                _ => self.min_latency.min(other.min_latency),
            };
            self.max_latency = self.max_latency.max(other.max_latency);
            self.total_latency += other.total_latency;
            self.replies += other.replies;
        }
    }

    /// An event is sent, as a frame of so many bytes.
    pub(crate) fn count_event(&mut self, frame: usize) {
        self.sent += 1;
        self.event_bytes += (frame as u64).saturating_sub(4);
    }

    fn count_reply(&mut self, op: OpCode, xid: Xid, zxid: Zxid, received: Time, now: Time) {
        let latency = u32::try_from(now.0.saturating_sub(received.0)).unwrap_or(u32::MAX);
        self.min_latency = match self.replies {
            0 => latency,
            _ => self.min_latency.min(latency),
        };
        self.max_latency = self.max_latency.max(latency);
        self.total_latency += u64::from(latency);
        self.replies += 1;
        self.sent += 1;
        self.last_op = Some(op);
        if xid.0 >= 0 {
            self.last_cxid = Some(xid);
        }
        self.last_zxid = zxid;
        self.last_response = now;
        self.last_latency = latency;
    }
}

/// One client's connection. See the module's text.
#[derive(Debug)]
pub struct Connection {
    id: ClientId,
    /// The first is its address.
    ids: Arc<[Id]>,
    state: State,
    /// The session that was opened here, also when the connection is closing.
    session: SessionId,
    /// Whether the client sent the read-only byte, and gets one back.
    read_only_byte: bool,
    timeout_ms: u32,
    pending: VecDeque<Pending>,
    /// Bytes of their frames.
    pending_bytes: usize,
    output: Vec<u8>,
    heard: Time,
    stats: ConnectionStats,
}

impl Connection {
    /// A connection from `address`, accepted at `now`.
    pub fn new(id: ClientId, address: IpAddr, now: Time) -> Self {
        Self::with_ids(id, [auth::ip_id(address)].into(), now)
    }

    /// The same, with the identity that its address gives it, for connections to share.
    pub fn with_ids(id: ClientId, ids: Arc<[Id]>, now: Time) -> Self {
        Self {
            id,
            ids,
            state: State::New,
            session: SessionId::NONE,
            read_only_byte: false,
            timeout_ms: 0,
            pending: VecDeque::new(),
            pending_bytes: 0,
            output: Vec::new(),
            heard: now,
            stats: ConnectionStats::default(),
        }
    }

    /// Its name.
    pub fn id(&self) -> ClientId {
        self.id
    }

    /// Its session, once it has one.
    pub fn session(&self) -> Option<SessionId> {
        match self.state {
            State::Open(session) => Some(session),
            _ => None,
        }
    }

    /// The session that was opened here, even if the connection is closing now.
    pub fn last_session(&self) -> Option<SessionId> {
        Some(self.session).filter(|session| *session != SessionId::NONE)
    }

    /// Its session's negotiated timeout.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.timeout_ms))
    }

    /// When the last frame came.
    pub fn heard(&self) -> Time {
        self.heard
    }

    /// Who the client is.
    pub fn ids(&self) -> &Arc<[Id]> {
        &self.ids
    }

    /// What has been counted.
    pub fn stats(&self) -> &ConnectionStats {
        &self.stats
    }

    /// Starts counting anew.
    pub fn reset_stats(&mut self) {
        self.stats = ConnectionStats::default();
    }

    /// Requests that have not been answered.
    pub fn outstanding(&self) -> usize {
        self.pending.len()
    }

    /// Whether the next frame may come: not while the session is being opened, nor while too
    /// many requests or too much output wait.
    pub fn is_receptive(&self, config: &NodeConfig) -> bool {
        match self.state {
            State::New => true,
            State::Opening | State::Closing(_) => false,
            State::Open(_) => {
                self.pending.len() < config.max_pending_requests
                    && self.pending_bytes < config.max_pending_bytes
                    && self.output.len() < config.output_high_water
            }
        }
    }

    /// Why the connection is to be closed once the output is sent.
    pub fn closing(&self) -> Option<&CloseReason> {
        match &self.state {
            State::Closing(reason) => Some(reason),
            _ => None,
        }
    }

    /// What is to be sent.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Handles one frame, without its length.
    pub fn handle_frame<'f, W: Watches>(
        &mut self,
        frame: &'f [u8],
        view: View<'_, W>,
    ) -> Action<'f> {
        self.heard = view.now;
        self.stats.received += 1;
        match self.state {
            State::New => self.handle_connect(frame, view),
            State::Open(session) => self.handle_request(session, frame, view),
            State::Opening | State::Closing(_) => Action::None,
        }
    }

    fn handle_connect<W>(&mut self, frame: &[u8], view: View<'_, W>) -> Action<'static> {
        let mut reader = Reader::new(frame);
        let request = match ConnectRequest::decode(&mut reader) {
            Ok(request) => request,
            Err(error) => return Action::Close(CloseReason::BadConnectRequest(error)),
        };
        let last = view.tree.last_zxid();
        if request.last_zxid_seen > last {
            return Action::Close(CloseReason::ZxidAhead {
                seen: request.last_zxid_seen,
                last,
            });
        }
        let asked = Duration::from_millis(u64::try_from(request.timeout).unwrap_or(0));
        let timeout = asked
            .max(view.config.min_session_timeout)
            .min(view.config.max_session_timeout);
        self.timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        self.read_only_byte = request.read_only.is_some();
        self.state = State::Opening;
        Action::Connect(Connect {
            client: self.id,
            session: request.session,
            password_matches: request.password == Some(&request.session.password()),
            timeout,
            read_only: request.read_only == Some(true),
        })
    }

    fn handle_request<'f, W: Watches>(
        &mut self,
        session: SessionId,
        frame: &'f [u8],
        view: View<'_, W>,
    ) -> Action<'f> {
        let mut reader = Reader::new(frame);
        let header = match RequestHeader::decode(&mut reader) {
            Ok(header) => header,
            Err(error) => return Action::Close(CloseReason::BadHeader(error)),
        };
        let op = OpCode::from_wire(header.op);
        if op == Some(OpCode::Auth) {
            return self.handle_auth(header.xid, reader, &view.config.auth);
        }
        if op == Some(OpCode::Sasl) {
            return self.decline_sasl(header.xid, reader);
        }
        if !self.is_authenticated(&view.config.auth) {
            self.reply(
                header.xid,
                Zxid::ZERO,
                ErrorCode::SessionClosedRequireSaslAuth,
            );
            self.close(CloseReason::AuthRequired);
            return Action::None;
        }
        match op {
            Some(op) if is_submitted(op) => {
                self.pending_bytes += frame.len();
                self.pending.push_back(Pending::Submitted {
                    xid: header.xid,
                    op,
                    received: view.now,
                    len: frame.len(),
                });
                Action::Submit(Request {
                    client: self.id,
                    session,
                    xid: header.xid,
                    op,
                    record: reader.rest(),
                    ids: self.ids.clone(),
                })
            }
            _ if self.pending.is_empty() => {
                self.answer(header, reader, view.now, view);
                Action::None
            }
            _ => {
                self.pending_bytes += frame.len();
                self.pending.push_back(Pending::Read {
                    frame: frame.into(),
                    received: view.now,
                });
                Action::None
            }
        }
    }

    /// Answers a request from the state in `view`.
    fn answer<W: Watches>(
        &mut self,
        header: RequestHeader,
        reader: Reader<'_>,
        received: Time,
        view: View<'_, W>,
    ) {
        let zxid = view.tree.last_zxid();
        let Some(op) = OpCode::from_wire(header.op).filter(|op| reads::is_read(*op)) else {
            // With the zxid -1, as the Java server answers what it does not know.
            self.reply(header.xid, Zxid(-1), ErrorCode::Unimplemented);
            self.close(CloseReason::UnknownOperation(header.op));
            return;
        };
        let xid = match op {
            OpCode::Ping => Xid::PING,
            _ => header.xid,
        };
        let mut caller = reads::Caller {
            id: self.id,
            session: self.session().unwrap_or(SessionId::NONE),
            ids: &self.ids,
            output: &mut self.output,
            stats: &mut self.stats,
        };
        reads::answer(&mut caller, op, xid, reader, view);
        self.stats.count_reply(op, xid, zxid, received, view.now);
    }

    fn handle_auth(
        &mut self,
        xid: Xid,
        mut reader: Reader<'_>,
        config: &AuthConfig,
    ) -> Action<'static> {
        // An undecodable auth packet ends the connection in ZooKeeper too; here the client is
        // told first.
        let verdict = match Auth::decode(&mut reader) {
            Ok(packet) => auth::authenticate(config, &self.ids[0], &packet.scheme, packet.auth),
            Err(_) => Verdict::Fail,
        };
        match verdict {
            Verdict::Add(ids) if self.ids.len() + ids.len() > MAX_IDS => {
                drop(ids);
                self.reply(xid, Zxid::ZERO, ErrorCode::AuthFailed);
                self.close(CloseReason::AuthFailed);
                Action::None
            }
            Verdict::Add(ids) => {
                if ids.iter().any(|id| !self.ids.contains(id)) {
                    let known = self.ids.iter().cloned();
                    let new = ids.into_iter().filter(|id| !self.ids.contains(id));
                    self.ids = known.chain(new).collect();
                }
                self.reply(xid, Zxid::ZERO, ErrorCode::Ok);
                Action::None
            }
            Verdict::Fail => {
                self.reply(xid, Zxid::ZERO, ErrorCode::AuthFailed);
                self.close(CloseReason::AuthFailed);
                Action::None
            }
            Verdict::WrongEnsemble => Action::Close(CloseReason::WrongEnsemble),
        }
    }

    /// A client that is set up for SASL takes a null token for an end of its attempt, and goes on
    /// without; an error would have it connect again and again.
    fn decline_sasl(&mut self, xid: Xid, mut reader: Reader<'_>) -> Action<'static> {
        if let Err(error) = reader.buffer() {
            return Action::Close(CloseReason::BadHeader(error));
        }
        let header = ReplyHeader::ok(xid, Zxid::ZERO);
        encode_reply(header, &mut self.output, |out| None::<&[u8]>.encode(out));
        self.stats.sent += 1;
        Action::None
    }

    fn is_authenticated(&self, config: &AuthConfig) -> bool {
        config.required_schemes.is_empty()
            || self
                .ids
                .iter()
                .any(|id| config.required_schemes.iter().any(|s| *s == id.scheme))
    }

    /// The node has opened or resumed the session. Returns whether the connection takes it; one
    /// that is closing does not.
    pub fn session_opened(&mut self, session: SessionId, now: Time) -> bool {
        self.open(session, now, false)
    }

    /// The same, at a server without a leader.
    pub fn session_opened_read_only(&mut self, session: SessionId, now: Time) -> bool {
        self.open(session, now, true)
    }

    fn open(&mut self, session: SessionId, now: Time, read_only: bool) -> bool {
        if !matches!(self.state, State::Opening) {
            return false;
        }
        let timeout = i32::try_from(self.timeout_ms).unwrap_or(i32::MAX);
        self.send_connect_response(&ConnectResponse::accept(session, timeout), read_only);
        let op = OpCode::CreateSession;
        self.stats
            .count_reply(op, Xid(0), Zxid::ZERO, self.heard, now);
        self.heard = now;
        self.session = session;
        self.state = State::Open(session);
        true
    }

    /// The session that was asked for cannot be opened now.
    pub(crate) fn close_newcomer(&mut self) {
        if matches!(self.state, State::Opening) {
            self.close(CloseReason::NotServing);
        }
    }

    /// The node does not know the session, or its password was wrong.
    pub fn session_refused(&mut self, session: SessionId) {
        if !matches!(self.state, State::Opening) {
            return;
        }
        self.send_connect_response(&ConnectResponse::refuse(), false);
        self.stats.sent += 1;
        self.close(CloseReason::SessionRefused(session));
    }

    fn send_connect_response(&mut self, response: &ConnectResponse, read_only: bool) {
        frame(&mut self.output, |out| {
            response.encode(out);
            if self.read_only_byte {
                read_only.encode(out);
            }
        });
    }

    /// Completes the oldest request that was submitted to the node: sends the reply with a
    /// record written by `record`, then answers the reads that waited behind it, in the state
    /// that it left.
    pub fn complete<W: Watches>(
        &mut self,
        code: ErrorCode,
        record: impl FnOnce(&mut Vec<u8>),
        view: View<'_, W>,
    ) {
        let Some(Pending::Submitted {
            xid,
            op,
            received,
            len,
        }) = self.pending.pop_front()
        else {
            // Only a connection that is closing forgets its requests.
            return;
        };
        self.pending_bytes -= len;
        let zxid = view.tree.last_zxid();
        let header = ReplyHeader {
            xid,
            zxid,
            err: code.wire(),
        };
        encode_reply(header, &mut self.output, |out| {
            if code == ErrorCode::Ok {
                record(out);
            }
        });
        self.stats.count_reply(op, xid, zxid, received, view.now);
        while let Some(Pending::Read { .. }) = self.pending.front() {
            let Some(Pending::Read { frame, received }) = self.pending.pop_front() else {
                return;
            };
            self.pending_bytes -= frame.len();
            let mut reader = Reader::new(&frame);
            if let Ok(header) = RequestHeader::decode(&mut reader) {
                // They cannot be put off, or the client's next write would come before them.
                if self.is_output_within(view.config.output_limit) {
                    self.answer(header, reader, received, view);
                }
            }
        }
    }

    /// Whether more may be added to the output; otherwise closes the connection.
    fn is_output_within(&mut self, limit: usize) -> bool {
        let waiting = self.output.len();
        if waiting > limit {
            self.output = Vec::new();
            self.close(CloseReason::OutputLimit(waiting));
        }
        waiting <= limit
    }

    /// Sends a watch event, which is a whole frame.
    pub fn send_event(&mut self, frame: &[u8], limit: usize) {
        if !matches!(self.state, State::Open(_)) {
            return;
        }
        if self.is_output_within(limit) {
            self.output.extend_from_slice(frame);
            self.stats.count_event(frame.len());
        }
    }

    /// Sends what is in the output buffer and nothing more; unanswered requests are forgotten.
    pub fn close(&mut self, reason: CloseReason) {
        if !matches!(self.state, State::Closing(_)) {
            self.state = State::Closing(reason);
            self.pending.clear();
            self.pending_bytes = 0;
        }
    }

    fn reply(&mut self, xid: Xid, zxid: Zxid, code: ErrorCode) {
        let header = ReplyHeader {
            xid,
            zxid,
            err: code.wire(),
        };
        encode_reply(header, &mut self.output, |_| {});
        self.stats.sent += 1;
    }
}

/// Whether an operation goes through the node: writes, and what must wait for them.
fn is_submitted(op: OpCode) -> bool {
    matches!(
        op,
        OpCode::Create
            | OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl
            | OpCode::Delete
            | OpCode::DeleteContainer
            | OpCode::SetData
            | OpCode::SetAcl
            | OpCode::Multi
            | OpCode::Reconfig
            | OpCode::Sync
            | OpCode::CloseSession
    )
}
