//! Observers behind followers: whom a follower serves, and whom an observer connects to. Source:
//! `QuorumPeer.findLearnerMaster`, `ObserverMaster`.

use super::{MAX_PARKED, Peer, Role};
use crate::leader::Leader;
use crate::output::{LinkId, Output};
use crate::time::Time;
use alloc::vec::Vec;
use grevy_proto::ServerId;

pub(super) const NO_OBSERVERS: &str = "this server does not follow, and serves no observers";

// As a follower.
impl Peer {
    /// Whether this follower serves the observer that is connected.
    pub fn serves_observer(&self, link: LinkId) -> bool {
        self.relay.as_ref().is_some_and(|relay| relay.serves(link))
    }

    /// Somebody has connected to this server's port for observers.
    pub fn observer_accepted(&mut self, now: Time, link: LinkId) {
        let may_follow = !matches!(self.role, Role::Leading(_) | Role::Retired)
            && self.common.limits.observer_masters
            && self.common.is_voter(self.common.me);
        match &mut self.relay {
            Some(relay) => relay.link_accepted(&mut self.common, now, link),
            None if may_follow && self.parked_observers.len() < MAX_PARKED => {
                let timeout = self.common.timing.init;
                self.common.output(Output::LinkTimeout { link, timeout });
                self.parked_observers.insert(link, None);
            }
            None => self.common.hang_up(link, NO_OBSERVERS),
        }
    }

    /// Begins to serve observers, once this server follows.
    pub(super) fn begin_relay(&mut self, now: Time) {
        if let Role::Learning(learner) = &self.role
            && self.relay.is_none()
            && self.common.limits.observer_masters
            && learner.follows()
        {
            let mut relay = Leader::relay(&self.common, now, learner.epoch());
            for (link, packet) in core::mem::take(&mut self.parked_observers) {
                relay.link_accepted(&mut self.common, now, link);
                if let Some(packet) = packet {
                    relay.handle_packet(&mut self.common, now, link, packet);
                }
            }
            self.relay = Some(relay);
        }
    }

    pub(super) fn end_relay(&mut self, why: &str) {
        if let Some(relay) = self.relay.take() {
            relay.end(&mut self.common, why);
        }
    }

    pub(super) fn refuse_observers(&mut self, why: &str) {
        while let Some((link, _)) = self.parked_observers.pop_first() {
            self.common.hang_up(link, why);
        }
    }
}

// As an observer.
impl Peer {
    /// The next follower for an observer to try, in an order that is drawn; `None`: the leader
    /// itself, after all of them. Source: `QuorumPeer.findLearnerMaster`.
    pub(super) fn next_master(&mut self, leader: ServerId) -> Option<ServerId> {
        if self.masters.is_empty() {
            let voters = self.common.members.committed().quorum.voters();
            let mut left: Vec<_> = voters.iter().copied().filter(|v| *v != leader).collect();
            self.masters.push(None);
            while !left.is_empty() {
                let at = self.common.below(left.len());
                self.masters.push(Some(left.swap_remove(at)));
            }
        }
        // One that has been elected since is to be found on its quorum port.
        self.masters.pop()?.filter(|master| *master != leader)
    }
}
