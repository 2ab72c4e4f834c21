//! Writes: at the leader they are decided and proposed, at a learner they go to the leader.

use crate::config::NodeConfig;
use crate::connection::{ClientId, Request};
use crate::forwarding::{Kind, Waiting};
use crate::node::{Node, Queued, millis};
use crate::output::{Output, Service};
use crate::time::Now;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use grevy_proto::request::{PathOnly, Reconfig};
use grevy_proto::txn::{Txn, TxnDigest, TxnHeader, encode_entry};
use grevy_proto::{Decode, ErrorCode, Id, OpCode, Reader, SessionId, Xid, Zxid};
use grevy_tree::Tree;
use grevy_tree::prepare::{Context, WriteRequest, check_readable};
use grevy_zab::{Membership, MembershipError, Peer};

/// So much room for encoding is kept, in bytes.
const KEPT: usize = 16 << 10;

/// A write to be decided.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub session: SessionId,
    pub cxid: Xid,
    pub op: OpCode,
    pub record: &'a [u8],
    pub ids: &'a [Id],
    /// The connection of this server that waits for the answer.
    pub client: Option<ClientId>,
    /// Whether it may come from where it comes: otherwise `SessionMoved`.
    pub admitted: Result<(), ErrorCode>,
}

impl Node {
    /// Requests of a client, in order, each as by [`Node::submit`]. The tree is prepared for what
    /// they are about.
    pub fn submit_all(&mut self, now: Now, tree: &Tree, requests: Vec<Request<'_>>) {
        if requests.len() > 1 && self.peer.leads() {
            self.pending.warm(tree, requests.iter().filter_map(path));
        }
        for request in requests {
            self.submit(now, tree, request);
        }
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
        if self.service == Service::ReadOnly {
            return self.submit_read_only(client, session, op);
        }
        // Of a connection that has been cut off nothing may take effect any more (P20).
        if self.failure.is_some() || self.serving(session) != Some(client) {
            return;
        }
        // What comes behind the end of a session takes no effect (P18).
        if self.local.closing.contains(&session) {
            return;
        }
        if op == OpCode::CloseSession && self.local.clock.knows(session) {
            return self.close_local(client, session);
        }
        if let Err(code) = self.screen_here(tree, session, op, record, &ids) {
            return self.refuse(client, session, op, code);
        }
        if let Err(code) = self.upgrade(now, tree, session, client, op, record) {
            return self.refuse(client, session, op, code);
        }
        match self.peer.leads() && self.service == Service::Open {
            true => self.submit_here(now, tree, client, session, xid, op, record, &ids),
            false => self.forward(tree, client, session, xid, op, record, ids),
        }
        self.follow_up(now);
    }

    /// Refuses a request when its turn comes.
    pub(crate) fn refuse(
        &mut self,
        client: ClientId,
        session: SessionId,
        op: OpCode,
        code: ErrorCode,
    ) {
        match self.peer.leads() && self.service == Service::Open {
            true => self.queue.push_back(Queued::Refused { client, code }),
            false => self.forwarding.push(
                session,
                Waiting {
                    client,
                    op,
                    kind: Kind::Refusal(code),
                    sent: None,
                },
            ),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a request")]
    fn submit_here(
        &mut self,
        now: Now,
        tree: &Tree,
        client: ClientId,
        session: SessionId,
        cxid: Xid,
        op: OpCode,
        record: &[u8],
        ids: &[Id],
    ) {
        match op {
            OpCode::Sync => match PathOnly::decode(&mut Reader::new(record)) {
                Ok(request) => self.sync(client, request.path.into()),
                Err(_) => self.queue.push_back(Queued::Refused {
                    client,
                    code: ErrorCode::MarshallingError,
                }),
            },
            _ => self.decide(
                now,
                tree,
                Ask {
                    session,
                    cxid,
                    op,
                    record,
                    ids,
                    client: Some(client),
                    admitted: Ok(()),
                },
            ),
        }
    }

    /// A sync of a client of this leader.
    pub(crate) fn sync(&mut self, client: ClientId, path: Box<str>) {
        self.peer.sync(None);
        self.syncs += 1;
        self.queue.push_back(Queued::Sync {
            client,
            path,
            number: self.syncs,
        });
    }

    /// Sends a request to the leader, now or when there is one. What cannot be read is refused
    /// here: a Java leader would stumble over it.
    #[expect(clippy::too_many_arguments, reason = "the parts of a request")]
    fn forward(
        &mut self,
        tree: &Tree,
        client: ClientId,
        session: SessionId,
        cxid: Xid,
        op: OpCode,
        record: &[u8],
        ids: Arc<[Id]>,
    ) {
        let kind = match op {
            OpCode::Sync => match PathOnly::decode(&mut Reader::new(record)) {
                Ok(request) => Kind::Sync {
                    path: request.path.into(),
                },
                Err(_) => Kind::Refusal(ErrorCode::MarshallingError),
            },
            _ => match check_readable(&WriteRequest { op, record }) {
                Ok(()) => Kind::Write {
                    cxid,
                    record: record.into(),
                    ids,
                },
                Err(code) => Kind::Refusal(code),
            },
        };
        let waiting = Waiting {
            client,
            op,
            kind,
            sent: None,
        };
        self.send_or_hold(tree, session, waiting);
    }

    /// Sends a request to the leader, if there is one; unless it, or one before it, is held back
    /// because its client may not make it.
    pub(crate) fn send_or_hold(&mut self, tree: &Tree, session: SessionId, mut waiting: Waiting) {
        // To the leader there was before, perhaps.
        waiting.sent = None;
        if self.service == Service::Open
            && let Some(link) = self.peer.leader_link()
            && !self.is_held(tree, session, &waiting)
            && let Some(packet) = waiting.packet(session)
        {
            waiting.sent = Some(self.peer.reached());
            self.peer.send(link, packet);
        }
        self.forwarding.push(session, waiting);
    }

    fn is_held(&self, tree: &Tree, session: SessionId, waiting: &Waiting) -> bool {
        if !self.config.eager_acl_check {
            return false;
        }
        let screened = match &waiting.kind {
            Kind::Write { record, ids, .. } => self.screen(tree, waiting.op, record, ids),
            _ => Ok(()),
        };
        screened.is_err() || self.forwarding.holds(session)
    }

    /// The session's oldest request is over: what it has held back may have its turn.
    pub(crate) fn release_held(&mut self, now: Now, tree: &Tree, session: SessionId) {
        if self.service != Service::Open || !self.config.eager_acl_check {
            return;
        }
        let Some(link) = self.peer.leader_link() else {
            return;
        };
        let (config, pending) = (&self.config.prepare, &self.pending);
        let screen = |op, record: &[u8], ids: &[Id]| {
            pending.screen(tree, &WriteRequest { op, record }, config, ids)
        };
        let epoch = self.peer.reached();
        let packets = self.forwarding.release(session, epoch, screen);
        if packets.is_empty() {
            return;
        }
        for packet in packets {
            self.peer.send(link, packet);
        }
        self.follow_up(now);
    }

    /// Whether the client may make a request, if that is looked at ahead of everything else.
    fn screen(&self, tree: &Tree, op: OpCode, record: &[u8], ids: &[Id]) -> Result<(), ErrorCode> {
        match self.config.eager_acl_check && self.peer.is_member() {
            true => {
                let request = WriteRequest { op, record };
                self.pending
                    .screen(tree, &request, &self.config.prepare, ids)
            }
            false => Ok(()),
        }
    }

    /// The same at the leader, where everything that was asked for before is decided already. What
    /// a session may not ask for any more is refused for that.
    pub(crate) fn screen_here(
        &self,
        tree: &Tree,
        session: SessionId,
        op: OpCode,
        record: &[u8],
        ids: &[Id],
    ) -> Result<(), ErrorCode> {
        let is_open = || self.clock.is_open(session) || self.local.clock.is_open(session);
        let leads = self.peer.leads() && self.service == Service::Open;
        match self.config.eager_acl_check && leads && is_open() {
            true => self.screen(tree, op, record, ids),
            false => Ok(()),
        }
    }

    /// Decides a write and proposes what comes of it.
    pub(crate) fn decide(&mut self, now: Now, tree: &Tree, ask: Ask<'_>) {
        if self.peer.is_exhausted() {
            self.peer
                .step_down(now.time, "the zxids of this epoch are used up");
        }
        // It may have stepped down for a request just before this one.
        if !self.peer.leads() {
            return self.decide_later(ask);
        }
        let zxid = self.peer.next_zxid();
        let (session_state, ephemeral_state) = self.session_states(&ask);
        let Self {
            config,
            peer,
            pending,
            ..
        } = self;
        let reconfigure = |request: &Reconfig<'_>| reconfigured(peer, config, request, zxid);
        let context = Context {
            config: &config.prepare,
            session: ask.session,
            cxid: ask.cxid,
            zxid,
            time: now.wall_ms,
            ids: ask.ids,
            session_state,
            ephemeral_state,
            reconfigure: match peer.is_member() {
                true => Some(&reconfigure),
                false => None,
            },
        };
        let request = WriteRequest {
            op: ask.op,
            record: ask.record,
        };
        // The end of a session comes once (P18), whoever asks for it again.
        let prepared = match (ask.op, session_state) {
            (OpCode::CloseSession, Err(ErrorCode::SessionExpired)) => {
                Err(ErrorCode::SessionExpired)
            }
            _ => pending.prepare(tree, &request, &context),
        };
        let header = prepared.as_ref().ok().map(|p| context.header(&p.txn));
        let origin = ask.client.map(|client| (client, ask.op));
        match (prepared, header) {
            (Ok(prepared), Some(header)) => {
                match prepared.txn {
                    Txn::CloseSession(_) => self.clock.start_closing(ask.session),
                    // Its next request may come before this one is committed.
                    Txn::CreateSession(timeout) if !self.clock.knows(ask.session) => {
                        self.clock.open(ask.session, millis(timeout), now.time);
                    }
                    _ => {}
                }
                self.noted.decided(ask.op, ask.record, &prepared.txn);
                self.propose(now, header, &prepared.txn, prepared.digest, origin);
            }
            (Err(code), _) => match ask.client {
                Some(client) => self.queue.push_back(Queued::Refused { client, code }),
                // The server that it came from waits for a transaction.
                None => {
                    let txn = Txn::Error(code.wire());
                    let header = TxnHeader {
                        session: ask.session,
                        cxid: ask.cxid,
                        zxid,
                        time: now.wall_ms,
                        op: txn.op().wire(),
                    };
                    self.propose(now, header, &txn, None, None);
                }
            },
            (Ok(_), None) => {}
        }
    }

    /// Keeps a client's request for the next leader. What came from a learner, that keeps itself.
    fn decide_later(&mut self, ask: Ask<'_>) {
        if let Some(client) = ask.client {
            let waiting = Waiting {
                client,
                op: ask.op,
                kind: Kind::Write {
                    cxid: ask.cxid,
                    record: ask.record.into(),
                    ids: ask.ids.into(),
                },
                sent: None,
            };
            self.forwarding.push(ask.session, waiting);
        }
    }

    fn propose(
        &mut self,
        now: Now,
        header: TxnHeader,
        txn: &Txn<'_>,
        digest: Option<TxnDigest>,
        origin: Option<(ClientId, OpCode)>,
    ) {
        self.encoded.clear();
        encode_entry(&header, txn, digest, &mut self.encoded);
        let entry: Arc<[u8]> = self.encoded.as_slice().into();
        if entry.len() > KEPT {
            self.encoded = Vec::new();
        }
        self.bytes_until_snapshot = self.bytes_until_snapshot.saturating_sub(entry.len() as u64);
        // This server has just written it, if there is one.
        let configuration = configuration(txn).unwrap_or_default().map(Arc::new);
        self.queued = header.zxid;
        self.tally.proposed += 1;
        self.queue.push_back(Queued::Txn {
            header,
            entry: entry.clone(),
            origin,
        });
        let proposed = self
            .peer
            .propose(now.time, header.zxid, entry, configuration);
        if let Err(broken) = proposed {
            self.outputs.push_back(Output::Broken(broken.into()));
        }
    }
}

/// The path that a request is about, if that is easily seen.
fn path<'a>(request: &Request<'a>) -> Option<&'a [u8]> {
    match request.op {
        OpCode::Create | OpCode::Create2 | OpCode::Delete | OpCode::SetData | OpCode::SetAcl => {
            Reader::new(request.record).buffer().ok()?
        }
        _ => None,
    }
}

/// What `/zookeeper/config` holds after a reconfiguration. Source: `PrepRequestProcessor`, case
/// reconfig.
fn reconfigured(
    peer: &Peer,
    config: &NodeConfig,
    request: &Reconfig<'_>,
    zxid: Zxid,
) -> Result<Box<[u8]>, ErrorCode> {
    let members = peer.members();
    if members.proposed().is_some() {
        return Err(ErrorCode::ReconfigInProgress);
    }
    let committed = members.committed();
    if request.config_id != -1 && request.config_id != committed.version {
        return Err(ErrorCode::BadVersion);
    }
    let next = committed
        .reconfigure(
            request.joining.0.as_deref(),
            request.leaving.0.as_deref(),
            request.members.0.as_deref(),
            if config.may_shrink_to_one { 1 } else { 2 },
        )
        .map_err(|error| error.code())?
        .with_version(zxid.0);
    if next.has_several_addresses() && !config.several_addresses {
        return Err(ErrorCode::BadArguments);
    }
    // Who joins must be in sync already.
    if !next.quorum.is_quorum(|server| peer.is_in_sync(server)) {
        return Err(ErrorCode::NewConfigNoQuorum);
    }
    Ok(next.to_string().into_bytes().into())
}

/// The configuration that a transaction brings, if it is a reconfiguration.
///
/// # Errors
/// It is one, and cannot be read.
pub(crate) fn configuration(txn: &Txn<'_>) -> Result<Option<Membership>, MembershipError> {
    match txn {
        Txn::SetData(set) if set.reconfig => {
            let text = String::from_utf8_lossy(set.data.as_deref().unwrap_or_default());
            Membership::parse(&text).map(Some)
        }
        _ => Ok(None),
    }
}
