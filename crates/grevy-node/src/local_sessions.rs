//! Sessions that only the server knows which their clients are connected to
//! (`localSessionsEnabled`): opening and closing them costs the ensemble nothing. Source:
//! `UpgradeableSessionTracker`, `LearnerSessionTracker`, `QuorumZooKeeperServer`.
//!
//! A local session cannot own ephemeral znodes and cannot move to another server. If it may
//! (`localSessionsUpgradingEnabled`), it becomes an ordinary one under the same id when its client
//! asks for an ephemeral znode: its createSession goes to the leader ahead of that request.

use crate::clients::Clients;
use crate::connection::{ClientId, CloseReason, Connect};
use crate::forwarding::{Kind, Waiting};
use crate::node::{Node, Queued};
use crate::output::{Output, Service};
use crate::session_clock::SessionClock;
use crate::time::{Now, Time};
use crate::writes::Ask;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use grevy_proto::multi::{MultiOp, decode_multi};
use grevy_proto::request::{Create, CreateMode};
use grevy_proto::{Decode, Encode, ErrorCode, OpCode, Reader, SessionId, Xid};
use grevy_tree::Tree;

/// How many ends of sessions are remembered.
const MAX_ENDED: usize = 1 << 16;

/// Low bits of an id that count the local sessions of one run of the server.
const COUNTER_BITS: u32 = 30;
/// Bits above them that tell the runs of one server apart.
const RUN_BITS: u32 = 25;
/// Tells ids of local sessions from those that are made of zxids.
const LOCAL: i64 = 1 << (COUNTER_BITS + RUN_BITS);

/// What a server knows of sessions that the ensemble does not know.
#[derive(Debug)]
pub(crate) struct LocalSessions {
    pub clock: SessionClock,
    /// How many this run of the server has opened.
    opened: u32,
    /// Sessions whose clients have asked for their end, which has not had its turn yet.
    pub closing: BTreeSet<SessionId>,
    /// Sessions whose createSession is on its way.
    upgrading: BTreeSet<SessionId>,
    /// Clients that ask for one, or resume one, while there is no leader.
    waiting: Vec<Connect>,
    /// Sessions of the ensemble that ended lately: none of them is another server's local one.
    ended: BTreeSet<SessionId>,
    ended_order: VecDeque<SessionId>,
}

impl LocalSessions {
    pub fn new(tick: Duration) -> Self {
        Self {
            clock: SessionClock::new(tick),
            opened: 0,
            closing: BTreeSet::new(),
            upgrading: BTreeSet::new(),
            waiting: Vec::new(),
            ended: BTreeSet::new(),
            ended_order: VecDeque::new(),
        }
    }

    /// A session of the ensemble has ended.
    fn note_end(&mut self, session: SessionId) {
        if self.ended.insert(session) {
            self.ended_order.push_back(session);
        }
        if self.ended_order.len() > MAX_ENDED
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }
}

// What others ask.
impl Node {
    /// The local sessions' deadlines.
    pub fn local_clock(&self) -> &SessionClock {
        &self.local.clock
    }

    /// Whether sessions begin as local ones.
    pub fn has_local_sessions(&self) -> bool {
        self.config.local_sessions && self.peer.is_member()
    }

    /// The connection that serves the session, be it local or not.
    pub(crate) fn serving(&self, session: SessionId) -> Option<ClientId> {
        let local = self.local.clock.client(session);
        local.or_else(|| self.clock.client(session))
    }

    /// Whether a request of a session that is not known here may come from a learner: it may be
    /// a local one of that server. Source: `LeaderSessionTracker.checkSession`.
    fn is_foreign(&self, session: SessionId) -> bool {
        self.has_local_sessions()
            && session.0 >> 56 != self.config.server_id.0 << 56 >> 56
            && !self.clock.knows(session)
            && !self.local.ended.contains(&session)
    }

    /// Whether a session may write, and whether it may own ephemeral znodes.
    pub(crate) fn session_states(
        &self,
        ask: &Ask<'_>,
    ) -> (Result<(), ErrorCode>, Result<(), ErrorCode>) {
        let session = ask.session;
        let is_internal = session == SessionId::NONE || ask.op == OpCode::CreateSession;
        if is_internal || self.clock.is_open(session) {
            return (ask.admitted, ask.admitted);
        }
        if self.local.clock.is_open(session) {
            return (ask.admitted, Err(ErrorCode::EphemeralOnLocalSession));
        }
        let expired = Err(ErrorCode::SessionExpired);
        match self.is_foreign(session) {
            true => (ask.admitted, expired),
            false => (expired, expired),
        }
    }
}

// Opening and ending.
impl Node {
    pub(crate) fn open_local(
        &mut self,
        now: Now,
        tree: &Tree,
        clients: &impl Clients,
        ask: Connect,
    ) {
        if self.service != Service::Open {
            return self.local.waiting.push(ask);
        }
        let Some(session) = self.new_local_id() else {
            return self.open_new(now, tree, ask);
        };
        let opened = clients.with(ask.client, |c| c.session_opened(session, now.time));
        if opened == Some(true) {
            self.local.clock.open(session, ask.timeout, now.time);
            self.local
                .clock
                .attach(session, ask.client, ask.timeout, now.time);
        }
    }

    /// An id that no session of this server has had: not in this run, nor in another, nor one
    /// that the ensemble knows. `None` if this run has given out all that it has.
    pub(crate) fn new_local_id(&mut self) -> Option<SessionId> {
        if self.local.opened >> COUNTER_BITS > 0 {
            return None;
        }
        let run = i64::from(self.config.run) & ((1 << RUN_BITS) - 1);
        let low = LOCAL | run << COUNTER_BITS | i64::from(self.local.opened);
        self.local.opened += 1;
        Some(SessionId(self.config.server_id.0 << 56 | low))
    }

    pub(crate) fn resume_local(&mut self, now: Now, clients: &impl Clients, ask: Connect) {
        if self.service != Service::Open {
            return self.local.waiting.push(ask);
        }
        if !self.peer.leads() {
            return self.resume_later(ask, true);
        }
        let attached = self
            .local
            .clock
            .attach(ask.session, ask.client, ask.timeout, now.time);
        clients.with(ask.client, |c| match attached {
            Some(_) => drop(c.session_opened(ask.session, now.time)),
            None => c.session_refused(ask.session),
        });
    }

    /// Clients that wait are not served after all.
    pub(crate) fn drop_local_waiting(&mut self) {
        self.local.waiting.clear();
    }

    /// There is a leader again.
    pub(crate) fn restart_local(&mut self, now: Now, tree: &Tree, clients: &impl Clients) {
        let own: Vec<_> = self.local.clock.timeouts().collect();
        self.local.clock.restart(own.into_iter(), now.time);
        for ask in core::mem::take(&mut self.local.waiting) {
            self.open_session(now, tree, clients, ask);
        }
    }

    pub(crate) fn expire_local(&mut self, now: Now, clients: &impl Clients) {
        for (session, client) in self.local.clock.end_unheard(now.time, clients) {
            self.local.closing.remove(&session);
            self.outputs.push_back(Output::Expired(session));
            if let Some(client) = client {
                let reason = CloseReason::SessionExpired(session);
                clients.with(client, |c| c.close(reason));
            }
        }
    }

    pub(crate) fn end_local(&mut self, session: SessionId) {
        self.local.closing.remove(&session);
        self.local.clock.remove(session);
    }

    /// A client closes its local session, once what it asked for before is answered.
    pub(crate) fn close_local(&mut self, client: ClientId, session: SessionId) {
        self.local.closing.insert(session);
        match self.peer.leads() && self.service == Service::Open {
            true => {
                let close = Queued::LocalClose { client, session };
                self.queue.push_back(close);
            }
            false => self.forwarding.push(
                session,
                Waiting {
                    client,
                    op: OpCode::CloseSession,
                    kind: Kind::LocalClose(session),
                    sent: None,
                },
            ),
        }
    }
}

// Upgrading.
impl Node {
    /// Makes the session one of the ensemble's, if the request needs that.
    ///
    /// # Errors
    /// `EphemeralOnLocalSession`: it does, and local sessions stay what they are. Source:
    /// `QuorumZooKeeperServer.checkUpgradeSession`.
    pub(crate) fn upgrade(
        &mut self,
        now: Now,
        tree: &Tree,
        session: SessionId,
        client: ClientId,
        op: OpCode,
        record: &[u8],
    ) -> Result<(), ErrorCode> {
        let Some(timeout) = self.local.clock.timeout_ms(session) else {
            return Ok(());
        };
        if !makes_ephemerals(op, record) {
            return Ok(());
        }
        if !self.config.upgrade_local_sessions {
            return Err(ErrorCode::EphemeralOnLocalSession);
        }
        self.make_global(session, now.time);
        self.local.upgrading.insert(session);
        let record = i32::try_from(timeout).unwrap_or(i32::MAX).to_bytes();
        let op = OpCode::CreateSession;
        if self.peer.leads() && self.service == Service::Open {
            let ask = Ask {
                session,
                cxid: Xid(0),
                op,
                record: &record,
                ids: &[],
                client: None,
                admitted: Ok(()),
            };
            self.decide(now, tree, ask);
        } else {
            let kind = Kind::Write {
                cxid: Xid(0),
                record: record.into(),
                ids: Arc::from([]),
            };
            let waiting = Waiting {
                client,
                op,
                kind,
                sent: None,
            };
            self.send_or_hold(tree, session, waiting);
        }
        Ok(())
    }

    /// The ensemble knows the session from here on: any local copy is forgotten.
    pub(crate) fn upgraded(&mut self, session: SessionId, now: Time) {
        self.local.upgrading.remove(&session);
        if self.local.clock.knows(session) {
            self.make_global(session, now);
        }
    }

    /// A session of the ensemble has ended.
    pub(crate) fn global_ended(&mut self, session: SessionId) {
        self.revalidations.forget(session);
        self.local.upgrading.remove(&session);
        if self.has_local_sessions() {
            self.local.note_end(session);
        }
    }

    fn make_global(&mut self, session: SessionId, now: Time) {
        let timeout = self.local.clock.timeout(session);
        let client = self.local.clock.remove(session);
        if !self.clock.knows(session) {
            self.clock.open(session, timeout, now);
        }
        if let Some(client) = client {
            self.clock.attach(session, client, timeout, now);
        }
    }

    /// Sessions that are about to be known to the ensemble, with their timeouts.
    pub(crate) fn upgrading(&self, tree: &Tree) -> Vec<(SessionId, Duration)> {
        let sessions = self.local.upgrading.iter();
        sessions
            .filter(|session| !tree.sessions().contains(**session))
            .map(|session| (*session, self.clock.timeout(*session)))
            .collect()
    }

    /// There is another leader: sessions whose createSession has got lost are local again.
    pub(crate) fn settle_upgrades(&mut self, tree: &Tree, now: Now) {
        for session in core::mem::take(&mut self.local.upgrading) {
            if tree.sessions().contains(session) {
                continue;
            }
            if self.forwarding.opens(session) || self.proposes_opening(session) {
                self.local.upgrading.insert(session);
                continue;
            }
            let timeout = self.clock.timeout(session);
            let client = self.clock.remove(session);
            self.local.clock.open(session, timeout, now.time);
            if let Some(client) = client {
                self.local.clock.attach(session, client, timeout, now.time);
            }
        }
    }

    fn proposes_opening(&self, session: SessionId) -> bool {
        self.queue.iter().any(|queued| {
            matches!(queued, Queued::Txn { header, .. }
                if header.session == session && header.op == OpCode::CreateSession.wire())
        })
    }
}

/// Whether a request makes ephemeral znodes. What cannot be read makes none.
fn makes_ephemerals(op: OpCode, record: &[u8]) -> bool {
    let is_ephemeral = |create: &Create<'_>| {
        CreateMode::from_wire(create.flags).is_some_and(CreateMode::is_ephemeral)
    };
    let mut reader = Reader::new(record);
    match op {
        OpCode::Create | OpCode::Create2 => {
            Create::decode(&mut reader).is_ok_and(|create| is_ephemeral(&create))
        }
        OpCode::Multi => decode_multi(&mut reader).is_ok_and(|ops| {
            ops.iter()
                .any(|op| matches!(op, MultiOp::Create(_, create) if is_ephemeral(create)))
        }),
        _ => false,
    }
}
