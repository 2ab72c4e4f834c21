//! Requests of a learner's clients that are on their way to the leader, and those that wait for
//! one. Source: `FollowerRequestProcessor`, `CommitProcessor`.
//!
//! A request is over when the transaction with its session and number is applied here. Requests
//! of one session are over in the order in which they came. If the leader is lost, they wait for
//! the next one: once that is established and its history taken over, a request that is not in
//! it has not taken effect and never will, and can be sent again without doing anything twice.
//!
//! With `enableEagerACLCheck` a request is held back that its client may not make as things stand,
//! and with it what the session asks for behind it. When its turn comes, that is settled: what was
//! asked for before may have brought the permission, and the answer must not come before theirs.

use crate::connection::ClientId;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use grevy_proto::quorum::{Forwarded, Packet};
use grevy_proto::{Encode, ErrorCode, Id, OpCode, SessionId, Xid, Zxid};
use grevy_zab::LinkId;

/// A request that is not over.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub client: ClientId,
    pub op: OpCode,
    pub kind: Kind,
    /// The first number of the epoch in which it was sent to the leader that there is, or was.
    pub sent: Option<Zxid>,
}

/// What it waits for.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Its transaction.
    Write {
        cxid: Xid,
        record: Box<[u8]>,
        ids: Arc<[Id]>,
    },
    /// The leader's word that everything before it is committed.
    Sync { path: Box<str> },
    /// Nothing but its turn: it cannot be.
    Refusal(ErrorCode),
    /// Nothing but its turn: then this local session ends.
    LocalClose(SessionId),
}

impl Waiting {
    fn waits_for_nothing(&self) -> bool {
        matches!(self.kind, Kind::Refusal(_) | Kind::LocalClose(_))
    }

    /// Whether it is for the leader and has not been sent.
    fn is_held(&self) -> bool {
        self.sent.is_none() && !self.waits_for_nothing()
    }

    /// Whose answer comes without a name, if it is a sync.
    fn sync(&self, session: SessionId) -> Option<SyncOf> {
        match self.kind {
            Kind::Sync { .. } => Some(SyncOf::Client(session, self.client)),
            _ => None,
        }
    }

    /// What is sent to the leader; nothing for a refusal.
    pub fn packet(&self, session: SessionId) -> Option<Packet> {
        let (cxid, record, ids) = match &self.kind {
            Kind::Write { cxid, record, ids } => (*cxid, record.clone(), ids.clone()),
            Kind::Sync { path } => return Some(sync_request(session, path)),
            Kind::Refusal(_) | Kind::LocalClose(_) => return None,
        };
        Some(Packet::Request(Box::new(Forwarded {
            session,
            cxid,
            op: self.op.wire(),
            record,
            ids,
        })))
    }
}

/// Asks the leader to say when everything before is committed.
pub(crate) fn sync_request(session: SessionId, path: &str) -> Packet {
    Packet::Request(Box::new(Forwarded {
        session,
        cxid: Xid(0),
        op: OpCode::Sync.wire(),
        record: path.to_bytes().into(),
        ids: Arc::from([]),
    }))
}

/// Whose a sync is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SyncOf {
    /// A client's of this server.
    Client(SessionId, ClientId),
    /// This server's own, for a client that resumes a session.
    Resuming(SessionId, ClientId),
    /// An observer's that this follower serves.
    Observer(LinkId),
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Forwarding {
    sessions: BTreeMap<SessionId, VecDeque<Waiting>>,
    /// Whose syncs the leader has not answered, oldest first: its answers carry no name.
    syncs: VecDeque<SyncOf>,
    count: usize,
    /// Sessions whose oldest request may be one that waits for nothing but its turn, or that is
    /// held back.
    due: Vec<SessionId>,
}

impl Forwarding {
    /// Number of requests.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Takes up a request, to be sent with [`Waiting::packet`].
    pub fn push(&mut self, session: SessionId, waiting: Waiting) {
        if waiting.sent.is_some() {
            self.syncs.extend(waiting.sync(session));
        }
        self.sessions.entry(session).or_default().push_back(waiting);
        self.count += 1;
        self.note_due(session);
    }

    fn note_due(&mut self, session: SessionId) {
        let first = self.sessions.get(&session).and_then(VecDeque::front);
        if first.is_some_and(|first| first.waits_for_nothing() || first.is_held()) {
            self.due.push(session);
        }
    }

    /// Whether what the session asks for next must be held back, too.
    pub fn holds(&self, session: SessionId) -> bool {
        let queue = self.sessions.get(&session);
        let mut newest = queue.into_iter().flat_map(|queue| queue.iter().rev());
        let last = newest.find(|waiting| !waiting.waits_for_nothing());
        last.is_some_and(Waiting::is_held)
    }

    /// If the turn of a request has come that was held back, settles whether its client may make
    /// it by now: if so, it goes to the leader, and so does what was held back behind it, up to
    /// the next that its client may not make. Otherwise it is refused. Returns what is to be sent,
    /// in the epoch that begins with `epoch`.
    pub fn release(
        &mut self,
        session: SessionId,
        epoch: Zxid,
        screen: impl Fn(OpCode, &[u8], &[Id]) -> Result<(), ErrorCode>,
    ) -> Vec<Packet> {
        let mut packets = Vec::new();
        let Some(queue) = self.sessions.get_mut(&session) else {
            return packets;
        };
        if !queue.front().is_some_and(Waiting::is_held) {
            return packets;
        }
        for (at, waiting) in queue.iter_mut().enumerate() {
            if let Kind::Write { record, ids, .. } = &waiting.kind
                && let Err(code) = screen(waiting.op, record, ids)
            {
                if at == 0 {
                    waiting.kind = Kind::Refusal(code);
                }
                break;
            }
            if let Some(packet) = waiting.packet(session) {
                waiting.sent = Some(epoch);
                self.syncs.extend(waiting.sync(session));
                packets.push(packet);
            }
        }
        packets
    }

    /// Whether [`Forwarding::take_due`] has something to say.
    pub fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Sessions for which [`Forwarding::take_refusal`] or [`Forwarding::release`] may have something.
    pub fn take_due(&mut self) -> Vec<SessionId> {
        core::mem::take(&mut self.due)
    }

    /// The request that the transaction `cxid` of `session` answers, behind those of the session
    /// that came before it. These are over, too: a leader that was lost did not live to answer
    /// them.
    pub fn take_write(&mut self, session: SessionId, cxid: Xid) -> Option<(Vec<Waiting>, Waiting)> {
        let queue = self.sessions.get(&session)?;
        let answers = |w: &Waiting| matches!(w.kind, Kind::Write { cxid: x, .. } if x == cxid);
        let before = queue.iter().position(answers)?;
        let before = (0..before)
            .filter_map(|_| self.take_first(session))
            .collect();
        Some((before, self.take_first(session)?))
    }

    /// The session's oldest request, if that waits for nothing.
    pub fn take_refusal(&mut self, session: SessionId) -> Option<Waiting> {
        match self.sessions.get(&session)?.front()?.waits_for_nothing() {
            true => self.take_first(session),
            false => None,
        }
    }

    /// The leader has answered the oldest sync. Returns whose it is.
    pub fn sync_answered(&mut self) -> Option<SyncOf> {
        self.syncs.pop_front()
    }

    /// The leader was asked to say when everything is committed that the session has asked for
    /// before.
    pub fn push_resuming(&mut self, session: SessionId, client: ClientId) {
        self.syncs.push_back(SyncOf::Resuming(session, client));
    }

    /// A sync of an observer's was passed on.
    pub fn push_relayed_sync(&mut self, observer: LinkId) {
        self.syncs.push_back(SyncOf::Observer(observer));
    }

    /// The session's oldest request, if that is a sync of this connection's.
    pub fn take_sync(&mut self, session: SessionId, client: ClientId) -> Option<Box<str>> {
        let first = self.sessions.get(&session)?.front()?;
        if first.client != client || !matches!(first.kind, Kind::Sync { .. }) {
            return None;
        }
        match self.take_first(session)?.kind {
            Kind::Sync { path } => Some(path),
            _ => None,
        }
    }

    fn take_first(&mut self, session: SessionId) -> Option<Waiting> {
        let queue = self.sessions.get_mut(&session)?;
        let first = queue.pop_front();
        if queue.is_empty() {
            self.sessions.remove(&session);
        }
        self.count -= usize::from(first.is_some());
        first
    }

    /// Whether the session's createSession is among them.
    pub fn opens(&self, session: SessionId) -> bool {
        let is_opening = |waiting: &Waiting| {
            waiting.op == OpCode::CreateSession && matches!(waiting.kind, Kind::Write { .. })
        };
        let queue = self.sessions.get(&session);
        queue.is_some_and(|queue| queue.iter().any(is_opening))
    }

    /// The connection has ended: nobody waits for its requests any more.
    pub fn forget(&mut self, session: SessionId, client: ClientId) {
        if let Some(queue) = self.sessions.get_mut(&session) {
            let before = queue.len();
            queue.retain(|waiting| waiting.client != client);
            self.count -= before - queue.len();
            if queue.is_empty() {
                self.sessions.remove(&session);
            }
            self.note_due(session);
        }
    }

    /// Takes everything out, in the order of each session, to be taken up by another leader.
    pub fn take_all(&mut self) -> Vec<(SessionId, Waiting)> {
        self.syncs.clear();
        self.due.clear();
        self.count = 0;
        core::mem::take(&mut self.sessions)
            .into_iter()
            .flat_map(|(session, queue)| queue.into_iter().map(move |w| (session, w)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: SessionId = SessionId(1);

    fn write(cxid: i32) -> Waiting {
        Waiting {
            client: ClientId(1),
            op: OpCode::SetData,
            kind: Kind::Write {
                cxid: Xid(cxid),
                record: Box::from([]),
                ids: Arc::from([]),
            },
            sent: Some(Zxid(0)),
        }
    }

    #[test]
    fn requests_are_over_in_their_order() {
        let mut forwarding = Forwarding::default();
        forwarding.push(S, write(1));
        let sync = Waiting {
            op: OpCode::Sync,
            kind: Kind::Sync { path: "/".into() },
            ..write(0)
        };
        forwarding.push(S, sync);
        forwarding.push(S, write(2));
        assert!(forwarding.take_write(S, Xid(3)).is_none());
        let expected = SyncOf::Client(S, ClientId(1));
        assert_eq!(forwarding.sync_answered(), Some(expected));
        assert!(forwarding.take_sync(S, ClientId(1)).is_none());
        assert!(forwarding.take_write(S, Xid(1)).is_some());
        assert_eq!(forwarding.take_sync(S, ClientId(1)), Some("/".into()));
        assert!(forwarding.take_write(S, Xid(2)).is_some());
        assert_eq!(forwarding.len(), 0);
    }

    #[test]
    fn what_came_before_an_answered_request_is_over() {
        let mut forwarding = Forwarding::default();
        (1..=3).for_each(|cxid| forwarding.push(S, write(cxid)));
        let (before, _) = forwarding.take_write(S, Xid(2)).unwrap();
        assert_eq!((before.len(), forwarding.len()), (1, 1));
    }

    fn held(cxid: i32) -> Waiting {
        Waiting {
            sent: None,
            ..write(cxid)
        }
    }

    fn sent(packets: &[Packet]) -> Vec<i32> {
        let cxid = |packet: &Packet| match packet {
            Packet::Request(request) => request.cxid.0,
            other => panic!("{other:?}"),
        };
        packets.iter().map(cxid).collect()
    }

    #[test]
    fn what_is_held_back_waits_for_its_turn() {
        let may = |_: OpCode, _: &[u8], _: &[Id]| Ok(());
        let mut forwarding = Forwarding::default();
        forwarding.push(S, write(1));
        assert!(!forwarding.holds(S));
        forwarding.push(S, held(2));
        let refusal = Waiting {
            kind: Kind::Refusal(ErrorCode::MarshallingError),
            ..held(3)
        };
        forwarding.push(S, refusal);
        assert!(forwarding.holds(S));
        forwarding.push(S, held(4));
        assert!(forwarding.release(S, Zxid(0), may).is_empty());
        forwarding.take_write(S, Xid(1)).unwrap();
        assert_eq!(sent(&forwarding.release(S, Zxid(0), may)), [2, 4]);
        assert!(!forwarding.holds(S));
        assert!(forwarding.release(S, Zxid(0), may).is_empty());
    }

    #[test]
    fn who_may_not_by_then_is_refused() {
        let may_not = |_: OpCode, _: &[u8], _: &[Id]| Err(ErrorCode::NoAuth);
        let mut forwarding = Forwarding::default();
        forwarding.push(S, held(1));
        let sync = Waiting {
            op: OpCode::Sync,
            kind: Kind::Sync { path: "/".into() },
            ..held(0)
        };
        forwarding.push(S, sync);
        forwarding.push(S, held(2));
        assert_eq!(forwarding.take_due().first(), Some(&S));
        assert!(forwarding.release(S, Zxid(0), may_not).is_empty());
        let refused = forwarding.take_refusal(S).map(|waiting| waiting.kind);
        assert!(matches!(refused, Some(Kind::Refusal(ErrorCode::NoAuth))));
        assert_eq!(sent(&forwarding.release(S, Zxid(0), may_not)), [0]);
        let expected = SyncOf::Client(S, ClientId(1));
        assert_eq!(forwarding.sync_answered(), Some(expected));
        assert!(forwarding.take_refusal(S).is_none());
    }

    #[test]
    fn a_connection_that_ended_waits_for_nothing() {
        let mut forwarding = Forwarding::default();
        forwarding.push(S, write(1));
        forwarding.forget(S, ClientId(1));
        assert_eq!(forwarding.len(), 0);
        assert!(forwarding.take_all().is_empty());
    }
}
