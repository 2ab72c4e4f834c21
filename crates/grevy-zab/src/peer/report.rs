//! What operators want to know of a server's part in its ensemble. Nothing here changes anything.

use super::{Peer, Role};
use crate::election::Standing;
use crate::output::LinkId;
use crate::time::Time;
use alloc::vec::Vec;
use core::fmt;
use grevy_proto::quorum::Packet;
use grevy_proto::{Epoch, ServerId, Zxid};

/// Where a server, or a learner in the eyes of its leader, is in the protocol. Source:
/// `QuorumPeer.ZabState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It looks for a leader.
    Election,
    /// A quorum agrees on an epoch.
    Discovery,
    /// A quorum takes over the leader's history.
    Synchronisation,
    /// Transactions are proposed and committed.
    Broadcast,
}

/// ZooKeeper's word for it.
impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Election => "election",
            Self::Discovery => "discovery",
            Self::Synchronisation => "synchronization",
            Self::Broadcast => "broadcast",
        })
    }
}

/// A learner as its leader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LearnerReport {
    /// Its connection.
    pub link: LinkId,
    /// Who it is; `None` if it has not said, or will not before its lost history is replaced.
    pub server: Option<ServerId>,
    /// It gets committed transactions only.
    pub observer: bool,
    /// How far it has come.
    pub phase: Phase,
    /// Up to where its log is durable, as it says; -1 if it has not, as observers never do.
    pub acked: Zxid,
    /// What went to and fro.
    pub traffic: Traffic,
}

/// What went over a connection to a learner. Source: `LearnerHandler.getLearnerHandlerInfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Since when it is there.
    pub since: Time,
    /// Packets to the learner.
    pub sent: u64,
    /// Packets from it.
    pub received: u64,
    /// Those of them that were requests of its clients, or questions about their sessions.
    pub requests: u64,
    /// The number that the last packet to it bore; -1 before the first.
    pub last_zxid: Zxid,
}

impl Traffic {
    pub(crate) fn since(since: Time) -> Self {
        Self {
            since,
            sent: 0,
            received: 0,
            requests: 0,
            last_zxid: Zxid(-1),
        }
    }

    pub(crate) fn sent(&mut self, packet: &Packet) {
        self.sent += 1;
        match packet {
            Packet::Proposal { zxid, .. }
            | Packet::Commit(zxid)
            | Packet::CommitAndActivate { zxid, .. }
            | Packet::Inform { zxid, .. }
            | Packet::InformAndActivate { zxid, .. }
            | Packet::Ping { zxid, .. }
            | Packet::NewLeader { zxid, .. }
            | Packet::Diff(zxid)
            | Packet::Trunc(zxid)
            | Packet::Snap(zxid) => self.last_zxid = *zxid,
            _ => {}
        }
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::since(self.since);
    }
}

/// Another voter, as far as is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoterReport {
    /// Who.
    pub server: ServerId,
    /// Whether the election connection is up; `None` before the first try has ended.
    pub connected: Option<bool>,
    /// For whom it votes in the present election, or whom it follows already.
    pub supports: Option<ServerId>,
}

impl Peer {
    /// Where this server is in the protocol.
    pub fn phase(&self) -> Phase {
        match &self.role {
            Role::Draining { .. } | Role::Looking(_) | Role::Retired => Phase::Election,
            Role::Leading(leader) => leader.report_phase(),
            Role::Learning(learner) => learner.report_phase(),
        }
    }

    /// Whether its data is another ensemble's, so that it takes no part.
    pub fn is_refuted(&self) -> bool {
        self.standing == Standing::Refuted
    }

    /// Whom this server votes for, tries to follow or follows; itself if it leads.
    pub fn candidate(&self) -> Option<ServerId> {
        match &self.role {
            Role::Draining { .. } | Role::Retired => None,
            Role::Looking(election) => election.votes_for(),
            Role::Leading(_) => Some(self.common.me),
            Role::Learning(learner) => Some(learner.leader),
        }
    }

    /// Whom this learner is connected to, or tries to be: the leader, or a follower that serves
    /// observers.
    pub fn master(&self) -> Option<ServerId> {
        match &self.role {
            Role::Learning(learner) => Some(learner.dials()),
            _ => None,
        }
    }

    /// The epoch that this server serves in, or that its history is from.
    pub fn epoch(&self) -> Epoch {
        match &self.role {
            Role::Leading(leader) if leader.is_established() => leader.epoch(),
            Role::Learning(learner) if learner.serves() => learner.epoch(),
            _ => self.common.epochs.current,
        }
    }

    /// All who are connected to this leader, or the observers of this follower.
    pub fn learner_reports(&self) -> Vec<LearnerReport> {
        let serving = match &self.role {
            Role::Leading(leader) => Some(leader),
            _ => self.relay.as_ref(),
        };
        serving.map_or(Vec::new(), |serving| serving.report_learners().collect())
    }

    /// Whether observers may be connected to it: it leads, or follows and serves them.
    pub fn serves_observers(&self) -> bool {
        matches!(self.role, Role::Leading(_)) || self.relay.is_some()
    }

    /// How many are connected to this leader, or to this follower that serves observers.
    pub fn link_count(&self) -> usize {
        match &self.role {
            Role::Leading(leader) => leader.link_count(),
            _ => self.relay.as_ref().map_or(0, |relay| relay.link_count()),
        }
    }

    /// Up to where each voter's log is durable, as this leader knows it.
    pub fn acked(&self) -> impl Iterator<Item = (ServerId, Zxid)> {
        let acked = match &self.role {
            Role::Leading(leader) => Some(leader.acked()),
            _ => None,
        };
        acked.into_iter().flatten()
    }

    /// Has this server count the traffic of its observers anew.
    pub fn reset_observer_traffic(&mut self) {
        if let Some((serving, _)) = self.serving() {
            serving.reset_observer_traffic();
        }
    }

    /// Syncs that wait for this leader to be confirmed.
    pub fn pending_syncs(&self) -> usize {
        match &self.role {
            Role::Leading(leader) => leader.pending_syncs(),
            _ => 0,
        }
    }

    /// The other voters, in the configuration in force or the proposed one.
    pub fn voter_reports(&self) -> Vec<VoterReport> {
        let me = self.common.me;
        let voters = self.common.members.voters().into_iter();
        voters
            .filter(|server| *server != me)
            .map(|server| VoterReport {
                server,
                connected: self.connected.get(&server).copied(),
                supports: match &self.role {
                    Role::Looking(election) => election.supports(server),
                    Role::Leading(leader) if leader.is_supported_by(server) => Some(me),
                    _ => None,
                },
            })
            .collect()
    }
}
