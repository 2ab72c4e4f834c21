//! What a server tells of its part in the ensemble.

use super::{Peer, Role};
use crate::common::{Common, Epochs};
use crate::leader::Leader;
use crate::membership::Memberships;
use crate::output::{LinkId, Output, Part};
use crate::time::Time;
use alloc::vec::Vec;
use grevy_proto::{ServerId, Zxid};

impl Peer {
    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.common.outputs.pop_front()?;
        match (&output, &mut self.role) {
            (Output::Became(part), _) => self.part = part.clone(),
            (Output::Send { link, packet }, Role::Leading(leader)) => {
                leader.count_sent(*link, packet);
            }
            _ => {}
        }
        Some(output)
    }

    /// What this server is, as of the outputs that were taken.
    pub fn part(&self) -> &Part {
        &self.part
    }

    /// This server's number.
    pub fn id(&self) -> ServerId {
        self.common.me
    }

    /// Who is in the ensemble.
    pub fn members(&self) -> &Memberships {
        &self.common.members
    }

    /// The newest transaction that is known to be committed, or that was recovered.
    pub fn committed(&self) -> Zxid {
        self.common.history.committed()
    }

    /// The newest transaction of this server's history.
    pub fn last(&self) -> Zxid {
        self.common.history.last()
    }

    /// Transactions that are not known to be committed.
    pub fn outstanding(&self) -> usize {
        self.common.history.outstanding()
    }

    /// The promises, as they are on the disk.
    pub fn epochs(&self) -> Epochs {
        self.common.epochs
    }

    /// The first number of the epoch that this server serves in: every state that an earlier
    /// epoch has shown is part of its state.
    pub fn reached(&self) -> Zxid {
        match &self.role {
            Role::Leading(leader) if leader.is_established() => Zxid::new(leader.epoch(), 0),
            Role::Learning(learner) if learner.serves() => Zxid::new(learner.epoch(), 0),
            _ => Zxid(-1),
        }
    }

    /// The connection to the leader that this server follows or observes.
    pub fn leader_link(&self) -> Option<LinkId> {
        match &self.role {
            Role::Learning(learner) if learner.serves() => learner.link(),
            _ => None,
        }
    }

    /// Whether this server is the established leader.
    pub fn leads(&self) -> bool {
        matches!(&self.role, Role::Leading(leader) if leader.is_established())
    }

    /// Whether a learner's requests are taken up.
    pub fn serves_learner(&self, link: LinkId) -> bool {
        matches!(&self.role, Role::Leading(leader) if leader.serves(link))
    }

    /// Whether anything but the server's own clients is behind it.
    pub fn is_member(&self) -> bool {
        self.common.timing.tick > core::time::Duration::ZERO
    }

    /// The learners of a leader, or of a follower: their connections, who they are, whether they
    /// observe.
    pub fn learners(&self) -> Vec<(LinkId, ServerId, bool)> {
        let serving = match &self.role {
            Role::Leading(leader) => Some(leader),
            _ => self.relay.as_ref(),
        };
        serving.map_or(Vec::new(), |serving| serving.learners().collect())
    }

    /// The leader, or the follower that serves observers, with what it needs.
    pub(super) fn serving(&mut self) -> Option<(&mut Leader, &mut Common)> {
        let serving = match &mut self.role {
            Role::Leading(leader) => Some(leader),
            _ => self.relay.as_mut(),
        };
        Some((serving?, &mut self.common))
    }

    /// Who is behind a connection to this leader, if it has said so.
    pub fn learner(&self, link: LinkId) -> Option<ServerId> {
        match &self.role {
            Role::Leading(leader) => leader.learner(link),
            _ => None,
        }
    }

    /// When [`Peer::handle_timeout`] is due next.
    pub fn next_timeout(&self) -> Option<Time> {
        match &self.role {
            Role::Draining { until, .. } if self.common.is_settled() => Some(*until),
            Role::Learning(_) => self.relay.as_ref().and_then(Leader::next_timeout),
            Role::Draining { .. } | Role::Retired => None,
            Role::Looking(election) => election.next_timeout(),
            Role::Leading(leader) => leader.next_timeout(),
        }
    }
}
