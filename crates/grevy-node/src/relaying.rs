//! What a follower passes on between the observers that it serves and the leader. Source:
//! `ObserverMaster`.
//!
//! Requests go to the leader as they are; that they are done, observers learn by the
//! transactions. Answers to syncs and about sessions come in the order of the questions and
//! without a name, so it is kept whose questions were passed on.

use crate::clients::Clients;
use crate::node::{Node, millis};
use crate::time::Now;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use grevy_proto::quorum::{Forwarded, Packet};
use grevy_proto::{OpCode, SessionId};
use grevy_zab::LinkId;

/// Sessions that came here, or to an observer behind this server.
#[derive(Debug, Default)]
pub(crate) struct Revalidations {
    /// Questions that the leader has not answered, oldest first.
    asked: VecDeque<Asked>,
    /// Where they came in last: at the observer of this connection, or at this server itself. To
    /// the leader all of these are one learner.
    homes: BTreeMap<SessionId, Option<LinkId>>,
}

#[derive(Debug)]
struct Asked {
    session: SessionId,
    timeout: i32,
    /// Of which observer; `None`: of a client of this server.
    observer: Option<LinkId>,
}

impl Revalidations {
    pub fn clear(&mut self) {
        self.asked.clear();
        self.homes.clear();
    }

    /// The session has ended.
    pub fn forget(&mut self, session: SessionId) {
        self.homes.remove(&session);
    }

    /// Whether the session did not come in at an observer last.
    pub fn is_here(&self, session: SessionId) -> bool {
        !matches!(self.homes.get(&session), Some(Some(_)))
    }

    /// A client of this server asks.
    pub fn push_own(&mut self, session: SessionId, timeout: i32) {
        self.homes.insert(session, None);
        self.asked.push_back(Asked {
            session,
            timeout,
            observer: None,
        });
    }
}

impl Node {
    /// Somebody has connected to the port for observers.
    pub fn observer_accepted(&mut self, now: Now, link: LinkId) {
        self.peer.observer_accepted(now.time, link);
        self.follow_up(now);
    }

    /// Whether something that came from an observer is passed on. A follower that is about to
    /// end passes nothing on: the observer is about to look for another.
    pub(crate) fn relays_for(&self, link: LinkId) -> bool {
        self.peer.serves_observer(link) && !self.is_stopping()
    }

    pub(crate) fn relay_request(&mut self, link: LinkId, request: Box<Forwarded>) {
        let Some(leader) = self.peer.leader_link() else {
            return;
        };
        // A sync has no effect on its session, and the answers to all that were asked are counted.
        if OpCode::from_wire(request.op) == Some(OpCode::Sync) {
            self.forwarding.push_relayed_sync(link);
            return self.peer.send(leader, Packet::Request(request));
        }
        // The session came back here, or to another observer: what still comes from this one was
        // sent before, and the leader cannot tell them apart (P20).
        let home = self.revalidations.homes.get(&request.session);
        if home.is_some_and(|home| *home != Some(link)) {
            return;
        }
        self.peer.send(leader, Packet::Request(request));
    }

    pub(crate) fn relay_revalidation(
        &mut self,
        clients: &impl Clients,
        link: LinkId,
        session: SessionId,
        timeout: i32,
    ) {
        let Some(leader) = self.peer.leader_link() else {
            return;
        };
        // A connection of this server is cut off, as the leader would have it done elsewhere.
        if let Some(client) = self.serving(session) {
            self.cut_off(clients, client, session);
        }
        self.revalidations.homes.insert(session, Some(link));
        self.revalidations.asked.push_back(Asked {
            session,
            timeout,
            observer: Some(link),
        });
        let packet = Packet::Revalidate { session, timeout };
        self.peer.send(leader, packet);
    }

    /// The leader says whether a session is open.
    pub(crate) fn session_judged(
        &mut self,
        now: Now,
        clients: &impl Clients,
        session: SessionId,
        valid: bool,
    ) {
        let is_meant = |asked: &Asked| asked.session == session;
        let Some(at) = self.revalidations.asked.iter().position(is_meant) else {
            return;
        };
        let Some(asked) = self.revalidations.asked.remove(at) else {
            return;
        };
        let Some(observer) = asked.observer else {
            return self.revalidated(now, clients, session, valid);
        };
        if valid {
            self.also_heard.push((session, asked.timeout));
        }
        let packet = Packet::Revalidated { session, valid };
        self.peer.send(observer, packet);
    }

    /// Sessions that an observer heard: the leader is told with the next ping.
    pub(crate) fn relay_heard(&mut self, heard: &[(SessionId, i32)]) {
        for (session, timeout) in heard {
            // What makes no sense as a timeout is nobody's session.
            if !millis(*timeout).is_zero() {
                self.also_heard.push((*session, *timeout));
            }
        }
    }
}
