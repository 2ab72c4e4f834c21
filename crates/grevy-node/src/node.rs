//! One server as a deterministic machine. Inputs are method calls, with the time; outputs are
//! taken with [`Node::poll`]. It knows no socket, file, clock or thread.
//!
//! A write's way: [`Node::submit`] decides it ([`grevy_tree::prepare`]), gives it a zxid and
//! emits [`Output::Append`]; when the storage has reported it durable ([`Node::log_synced`]) and
//! that makes a quorum, it is committed; [`Node::apply_committed`] applies it to the tree, queues
//! its watch events, then its reply. An acknowledgement thus cannot come into being before its
//! transaction is durable, whatever the shell does.
//!
//! A standalone server is an ensemble of one, through the same code.

use crate::clients::Clients;
use crate::config::NodeConfig;
use crate::connection::{ClientId, CloseReason, Connect, Request, View};
use crate::digest_log::DigestLog;
use crate::reaper::Reaper;
use crate::reply;
use crate::session_clock::SessionClock;
use crate::time::{Now, Time};
use crate::watches::Watches;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use grevy_proto::acl::perms;
use grevy_proto::event::EventType;
use grevy_proto::request::PathOnly;
use grevy_proto::txn::{Txn, TxnDigest, TxnHeader, encode_entry};
use grevy_proto::{Decode, Encode, ErrorCode, Id, OpCode, Reader, SessionId, Xid, Zxid};
use grevy_tree::prepare::{Context, Pending, WriteRequest};
use grevy_tree::watch::WatcherId;
use grevy_tree::{Change, SnapshotInfo, Tree};
use grevy_zab::{BroadcastError, Leader, Quorum};

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Write the entry to the log, after those before it, and report it with
    /// [`Node::log_synced`] once it is durable.
    Append {
        /// The transaction's number.
        zxid: Zxid,
        /// Its bytes: header, body, digest.
        entry: Arc<[u8]>,
    },
    /// Write a snapshot: take slices from the tree until there are no more, then report
    /// [`Node::snapshot_done`]. What is appended from here on goes into a new log file.
    Snapshot(SnapshotInfo),
    /// For the log of the server: the session was not heard of for its whole timeout.
    Expired(SessionId),
    /// A rule of the protocol is broken. The server must stop at once.
    Broken(BroadcastError),
}

/// Whether the node serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Serving,
    /// A write or sync of its storage failed. Nothing more is acknowledged until a restart.
    StorageFailed(String),
}

/// A transaction or reply that waits for its turn. What has no zxid of its own goes out when
/// everything before it has been applied.
#[derive(Debug)]
enum Queued {
    Txn {
        header: TxnHeader,
        txn: Txn,
        /// Which connection it came in through, as which operation; `None`: the node's own.
        origin: Option<(ClientId, OpCode)>,
    },
    Sync {
        client: ClientId,
        path: Box<str>,
    },
    Refused {
        client: ClientId,
        code: ErrorCode,
    },
}

/// The machine. See the module's text.
pub struct Node {
    config: NodeConfig,
    status: Status,
    leader: Leader,
    pending: Pending,
    queue: VecDeque<Queued>,
    /// The newest transaction that was applied.
    applied: Zxid,
    clock: SessionClock,
    reaper: Reaper,
    txns_until_snapshot: u64,
    bytes_until_snapshot: u64,
    snapshot_running: bool,
    digests: DigestLog,
    random: u64,
    outputs: VecDeque<Output>,
}

impl Node {
    /// A standalone server with the state that was recovered from its storage. All sessions in
    /// it get their full timeout from `now`.
    pub fn standalone(config: NodeConfig, tree: &Tree, now: Now) -> Self {
        let mut clock = SessionClock::new(config.tick);
        for (session, timeout) in tree.sessions().iter() {
            let timeout = Duration::from_millis(u64::try_from(timeout).unwrap_or(0));
            clock.open(session, timeout, now.time);
        }
        let applied = tree.last_zxid();
        let quorum = Quorum::majority([config.server_id]);
        let mut node = Self {
            status: Status::Serving,
            leader: Leader::new(config.server_id, quorum, applied),
            pending: Pending::new(config.seed),
            queue: VecDeque::new(),
            applied,
            clock,
            reaper: Reaper::new(&config, now.time),
            txns_until_snapshot: 0,
            bytes_until_snapshot: 0,
            snapshot_running: false,
            digests: DigestLog::default(),
            random: config.seed | 1,
            outputs: VecDeque::new(),
            config,
        };
        node.draw_snapshot_thresholds();
        node
    }

    /// How it is set up.
    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// Whether it serves.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The sessions' deadlines.
    pub fn clock(&self) -> &SessionClock {
        &self.clock
    }

    /// The tree's digests at some zxids; empty if digests are off.
    pub fn digests(&self) -> &DigestLog {
        &self.digests
    }

    /// Requests that were taken up and not answered.
    pub fn outstanding(&self) -> usize {
        self.queue.len()
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Node::handle_timeout`] is due next.
    pub fn next_timeout(&self) -> Option<Time> {
        if self.status != Status::Serving {
            return None;
        }
        let deadline = self.clock.next_deadline();
        Some(deadline.map_or(self.reaper.due(), |at| at.min(self.reaper.due())))
    }

    /// A client asks for a session.
    pub fn open_session(&mut self, now: Now, tree: &Tree, clients: &impl Clients, ask: Connect) {
        if self.status != Status::Serving {
            clients.with(ask.client, |c| c.close(CloseReason::NotServing));
            return;
        }
        if ask.session == SessionId::NONE {
            let session = self.new_session_id();
            let timeout = i32::try_from(ask.timeout.as_millis()).unwrap_or(i32::MAX);
            let origin = Some((ask.client, OpCode::CreateSession));
            let record = timeout.to_be_bytes();
            self.decide(
                now,
                tree,
                session,
                Xid(0),
                OpCode::CreateSession,
                &record,
                &[],
                origin,
            );
            return;
        }
        // Whoever names a session cuts off its connection, password or not, as in ZooKeeper.
        if let Some(previous) = self.clock.client(ask.session) {
            clients.with(previous, |c| {
                c.close(CloseReason::SessionMoved(ask.session))
            });
        }
        let attached = ask.password_matches
            && self
                .clock
                .attach(ask.session, ask.client, ask.timeout, now.time)
                .is_some();
        clients.with(ask.client, |c| match attached {
            true => drop(c.session_opened(ask.session, now.time)),
            false => c.session_refused(ask.session),
        });
    }

    /// The server's id and the zxid of the transaction that opens the session. ZooKeeper takes
    /// the clock for the zxid's part, and can give an id out again after the clock was set back,
    /// so that whoever had it before resumes somebody else's session; zxids do not come again.
    fn new_session_id(&self) -> SessionId {
        let zxid = self.leader.next_zxid().0 & ((1 << 56) - 1);
        let mut session = SessionId(self.config.server_id.0 << 56 | zxid);
        // An id that a Java server gave out may be the same.
        while self.clock.knows(session) {
            session.0 += 1;
        }
        session
    }

    /// A request of a client: a write, or something that must wait for writes.
    pub fn submit(&mut self, now: Now, tree: &Tree, request: Request<'_>) {
        let Request {
            client,
            session,
            xid,
            op,
            record,
            ids,
        } = request;
        // Of a connection that has been cut off nothing may take effect any more (P20).
        if self.status != Status::Serving || self.clock.client(session) != Some(client) {
            return;
        }
        match op {
            OpCode::Sync => {
                let queued = match PathOnly::decode(&mut Reader::new(record)) {
                    Ok(request) => Queued::Sync {
                        client,
                        path: request.path.into(),
                    },
                    Err(_) => Queued::Refused {
                        client,
                        code: ErrorCode::MarshallingError,
                    },
                };
                self.queue.push_back(queued);
            }
            // Its end is proposed already, and comes once (P18).
            OpCode::CloseSession if !self.clock.is_open(session) => {
                self.queue.push_back(Queued::Refused {
                    client,
                    code: ErrorCode::SessionExpired,
                });
            }
            _ => self.decide(
                now,
                tree,
                session,
                xid,
                op,
                record,
                &ids,
                Some((client, op)),
            ),
        }
    }

    /// Decides a write and proposes what comes of it.
    #[expect(
        clippy::too_many_arguments,
        reason = "all of a request, and where it came from"
    )]
    fn decide(
        &mut self,
        now: Now,
        tree: &Tree,
        session: SessionId,
        cxid: Xid,
        op: OpCode,
        record: &[u8],
        ids: &[Id],
        origin: Option<(ClientId, OpCode)>,
    ) {
        let zxid = self.leader.next_zxid();
        let internal = session == SessionId::NONE || op == OpCode::CreateSession;
        let session_state = match internal || self.clock.is_open(session) {
            true => Ok(()),
            false => Err(ErrorCode::SessionExpired),
        };
        let context = Context {
            config: &self.config.prepare,
            session,
            cxid,
            zxid,
            time: now.wall_ms,
            ids,
            session_state,
            ephemeral_state: session_state,
            reconfigure: None,
        };
        let request = WriteRequest { op, record };
        match self.pending.prepare(tree, &request, &context) {
            Ok(prepared) => {
                let header = context.header(&prepared.txn);
                if op == OpCode::CloseSession {
                    self.clock.start_closing(session);
                }
                self.propose(header, prepared.txn, prepared.digest, origin);
            }
            Err(code) => {
                if let Some((client, _)) = origin {
                    self.queue.push_back(Queued::Refused { client, code });
                }
            }
        }
    }

    fn propose(
        &mut self,
        header: TxnHeader,
        txn: Txn,
        digest: Option<TxnDigest>,
        origin: Option<(ClientId, OpCode)>,
    ) {
        if let Err(broken) = self.leader.propose(header.zxid) {
            self.outputs.push_back(Output::Broken(broken));
            return;
        }
        let mut entry = Vec::with_capacity(256);
        encode_entry(&header, &txn, digest, &mut entry);
        self.bytes_until_snapshot = self.bytes_until_snapshot.saturating_sub(entry.len() as u64);
        self.outputs.push_back(Output::Append {
            zxid: header.zxid,
            entry: entry.into(),
        });
        self.queue.push_back(Queued::Txn {
            header,
            txn,
            origin,
        });
    }

    /// The connection has ended; it heard its client last at `heard`.
    pub fn client_closed(&mut self, client: ClientId, session: Option<SessionId>, heard: Time) {
        if let Some(session) = session {
            self.clock.detach(session, client, heard);
        }
    }

    /// The log is durable up to `zxid`.
    pub fn log_synced(&mut self, zxid: Zxid) {
        if self.status != Status::Serving {
            return;
        }
        if let Err(broken) = self.leader.handle_ack(self.config.server_id, zxid) {
            self.outputs.push_back(Output::Broken(broken));
        }
    }

    /// A write or sync failed: nothing more is acknowledged.
    pub fn storage_failed(&mut self, why: String) {
        self.status = Status::StorageFailed(why);
    }

    /// Whether [`Node::apply_committed`] has something to do.
    pub fn has_committed(&self) -> bool {
        match self.queue.front() {
            Some(Queued::Txn { header, .. }) => header.zxid <= self.leader.committed(),
            Some(_) => true,
            None => false,
        }
    }

    /// Applies what is committed, in order: to the tree, then as events, then as replies. The
    /// caller holds the tree exclusively, so nobody reads the new state before that is done.
    pub fn apply_committed(
        &mut self,
        now: Now,
        tree: &mut Tree,
        watches: &impl Watches,
        clients: &impl Clients,
    ) {
        while self.has_committed() {
            let Some(queued) = self.queue.pop_front() else {
                return;
            };
            match queued {
                Queued::Txn {
                    header,
                    txn,
                    origin,
                } => self.apply(now, header, &txn, origin, tree, watches, clients),
                Queued::Sync { client, path } => {
                    let view = self.view(now, tree, watches);
                    clients.with(client, |c| {
                        c.complete(ErrorCode::Ok, |out| path.encode(out), view);
                    });
                }
                Queued::Refused { client, code } => {
                    let view = self.view(now, tree, watches);
                    clients.with(client, |c| c.complete(code, |_| {}, view));
                }
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a transaction, and all that it touches"
    )]
    fn apply(
        &mut self,
        now: Now,
        header: TxnHeader,
        txn: &Txn,
        origin: Option<(ClientId, OpCode)>,
        tree: &mut Tree,
        watches: &impl Watches,
        clients: &impl Clients,
    ) {
        let applied = tree.apply(&header, txn, &mut |change| {
            self.notify(header.zxid, change, watches, clients);
        });
        self.applied = header.zxid;
        self.pending.applied(header.zxid);
        if tree.config().digest {
            self.digests.applied(header.zxid, || tree.digest());
        }
        let view = self.view(now, tree, watches);
        match (txn, origin) {
            (Txn::CreateSession(timeout), origin) => {
                let timeout = Duration::from_millis(u64::try_from(*timeout).unwrap_or(0));
                self.clock.open(header.session, timeout, now.time);
                if let Some((client, _)) = origin {
                    // The session of a client that is gone already will expire.
                    let opened =
                        clients.with(client, |c| c.session_opened(header.session, now.time));
                    if opened == Some(true) {
                        self.clock.attach(header.session, client, timeout, now.time);
                    }
                }
            }
            (Txn::CloseSession(_), origin) => {
                if let Some((client, _)) = origin {
                    clients.with(client, |c| {
                        c.complete(ErrorCode::Ok, |_| {}, view);
                        c.close(CloseReason::SessionClosed(header.session));
                    });
                }
                if let Some(client) = self.clock.remove(header.session) {
                    let reason = CloseReason::SessionExpired(header.session);
                    clients.with(client, |c| c.close(reason));
                }
            }
            (_, Some((client, op))) => {
                let code = reply::code(&applied);
                clients.with(client, |c| {
                    c.complete(
                        code,
                        |out| reply::encode_record(op, txn, &applied, out),
                        view,
                    );
                });
            }
            (_, None) => {}
        }
        self.count_towards_snapshot(tree);
    }

    /// Sends a change's events to the watchers that may read the znode.
    fn notify(
        &self,
        zxid: Zxid,
        change: Change<'_>,
        watches: &impl Watches,
        clients: &impl Clients,
    ) {
        let limit = self.config.output_limit;
        watches.with(|table| {
            table.trigger(change.kind, change.path, &mut |watcher, kind, path| {
                let acl = match kind {
                    EventType::NodeChildrenChanged => change.parent_acl,
                    _ => change.acl,
                };
                let WatcherId(client) = watcher;
                clients.with(ClientId(client), |c| {
                    if self.config.permits(acl, perms::READ, c.ids()) {
                        c.send_event(zxid, kind, path, limit);
                    }
                });
            });
        });
    }

    fn view<'a, W>(&'a self, now: Now, tree: &'a Tree, watches: &'a W) -> View<'a, W> {
        View {
            now: now.time,
            tree,
            watches,
            config: &self.config,
        }
    }

    /// Time has come: sessions that were not heard of expire, childless containers go.
    pub fn handle_timeout(&mut self, now: Now, tree: &Tree, clients: &impl Clients) {
        if self.status != Status::Serving {
            return;
        }
        for (session, client) in self.clock.due(now.time) {
            if let Some(client) = client
                && let Some(heard) = clients.with(client, |c| c.heard())
            {
                self.clock.heard(session, heard);
            }
        }
        for (session, _) in self.clock.due(now.time) {
            self.outputs.push_back(Output::Expired(session));
            self.decide(
                now,
                tree,
                session,
                Xid(0),
                OpCode::CloseSession,
                &[],
                &[],
                None,
            );
            self.clock.start_closing(session);
        }
        for path in self.reaper.reap(now, tree) {
            let record = path.to_bytes();
            self.decide(
                now,
                tree,
                SessionId::NONE,
                Xid(0),
                OpCode::DeleteContainer,
                &record,
                &[],
                None,
            );
        }
    }

    /// The snapshot that was asked for is written, or could not be.
    pub fn snapshot_done(&mut self) {
        self.snapshot_running = false;
    }

    /// Begins a snapshot now, unless one is being written. Returns whether it did.
    pub fn take_snapshot(&mut self, tree: &mut Tree) -> bool {
        if self.snapshot_running {
            return false;
        }
        self.snapshot_running = true;
        self.draw_snapshot_thresholds();
        self.outputs
            .push_back(Output::Snapshot(tree.start_snapshot()));
        true
    }

    fn count_towards_snapshot(&mut self, tree: &mut Tree) {
        self.txns_until_snapshot = self.txns_until_snapshot.saturating_sub(1);
        if self.txns_until_snapshot == 0 || self.bytes_until_snapshot == 0 {
            self.take_snapshot(tree);
        }
    }

    /// Between half of `snapCount` and all of it, and of the size likewise, so that the servers
    /// of an ensemble do not take their snapshots together. Source:
    /// `SyncRequestProcessor.resetSnapshotStats`.
    fn draw_snapshot_thresholds(&mut self) {
        self.txns_until_snapshot = self.draw(self.config.snap_count);
        self.bytes_until_snapshot = match self.config.snap_size {
            Some(limit) => self.draw(limit),
            None => u64::MAX,
        };
    }

    /// A number from half of `limit` to all of it (xorshift).
    fn draw(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let half = (limit / 2).max(1);
        half + self.random % half
    }
}
