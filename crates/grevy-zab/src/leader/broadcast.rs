//! Proposals and commits. Source: `Leader.propose`, `Leader.processAck`, `Leader.tryToCommit`.

use super::progress::Stage;
use super::{Leader, Phase};
use crate::common::Common;
use crate::history::OutOfOrder;
use crate::membership::Membership;
use crate::output::{LinkId, Output};
use crate::time::Time;
use alloc::sync::Arc;
use core::fmt;
use grevy_proto::quorum::Packet;
use grevy_proto::{ServerId, Zxid};

/// A broken rule of the protocol. Going on would spread it: the server must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposeError {
    /// A zxid that is not the next one (P22: no holes).
    OutOfOrder(OutOfOrder),
    /// This server does not lead.
    NotLeading,
}

impl fmt::Display for ProposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder(hole) => write!(f, "proposal out of order: {hole}"),
            Self::NotLeading => f.write_str("a proposal of a server that does not lead"),
        }
    }
}

impl core::error::Error for ProposeError {}

impl Leader {
    /// The zxid of the next proposal.
    pub fn next_zxid(&self) -> Zxid {
        self.last_proposed.next()
    }

    /// Whether the epoch's zxids are used up: the leader has to step down, so that another epoch
    /// begins (ZOOKEEPER-1277). A server that runs alone goes on with the next epoch.
    pub fn is_exhausted(&self, common: &Common) -> bool {
        self.last_proposed.counter() >= common.limits.last_counter
            && self.next_ping < Time(u64::MAX)
    }

    /// Takes up a proposal, to be written to the log and sent to the learners. With a
    /// `configuration`, it proposes that.
    pub fn propose(
        &mut self,
        common: &mut Common,
        now: Time,
        zxid: Zxid,
        entry: Arc<[u8]>,
        configuration: Option<Arc<Membership>>,
    ) -> Result<(), ProposeError> {
        if zxid != self.next_zxid() {
            let last = self.last_proposed;
            return Err(ProposeError::OutOfOrder(OutOfOrder { last, got: zxid }));
        }
        common
            .history
            .append(zxid, entry.clone())
            .map_err(ProposeError::OutOfOrder)?;
        self.last_proposed = zxid;
        if let Some(configuration) = configuration {
            self.reconfiguration = Some((zxid, configuration.clone()));
            common.propose_configuration(configuration);
        }
        for (link, progress) in &mut self.links {
            if progress.is_registered() && !progress.observer {
                progress.proposed(zxid, now);
                let entry = entry.clone();
                common.send(*link, Packet::Proposal { zxid, entry });
            }
        }
        common.output(Output::Append { zxid, entry });
        Ok(())
    }

    /// The leader's own log is durable further on.
    pub fn log_synced(&mut self, common: &mut Common) {
        if self.phase >= Phase::Synchronisation {
            self.acked.insert(common.me, common.durable);
            self.try_commit(common);
        }
    }

    pub(super) fn handle_ack(&mut self, common: &mut Common, now: Time, link: LinkId, zxid: Zxid) {
        let (epoch_zxid, last) = (self.epoch_zxid(), self.last_proposed);
        let Some(progress) = self.links.get_mut(&link) else {
            return;
        };
        if zxid.counter() == 0 {
            if zxid == epoch_zxid && progress.stage == Stage::Synchronising {
                self.new_leader_acknowledged(common, now, link);
            }
            return;
        }
        // Of later proposals than there are, or of an epoch before, it cannot know.
        if zxid > last {
            return;
        }
        progress.acknowledged(zxid, last, now);
        if progress.stage >= Stage::Synchronised
            && let Some(server) = progress.server
        {
            let acked = self.acked.entry(server).or_insert(zxid);
            *acked = zxid.max(*acked);
            // What is committed already needs no more acknowledgements.
            if zxid > common.history.committed() {
                self.try_commit(common);
            }
        }
    }

    fn new_leader_acknowledged(&mut self, common: &mut Common, now: Time, link: LinkId) {
        let Some(progress) = self.links.get_mut(&link) else {
            return;
        };
        progress.stage = Stage::Synchronised;
        progress.transfer = None;
        progress.deadline = now + common.silence();
        // The time for acknowledging proposals runs from here on.
        if let Some((_, since)) = &mut progress.oldest {
            *since = now;
        }
        let timeout = common.silence();
        common.output(Output::LinkTimeout { link, timeout });
        if let Some(server) = progress.server {
            let acked = progress.synced_to.max(progress.acked);
            self.acked.insert(server, acked);
            if common.is_voter(server) {
                self.support.insert(server);
            }
        }
        match self.phase {
            Phase::Broadcast => {
                self.serve_learner(common, link);
                self.try_commit(common);
            }
            _ => self.try_establish(common, now),
        }
    }

    fn serve_learner(&mut self, common: &mut Common, link: LinkId) {
        if let Some(progress) = self.links.get_mut(&link) {
            progress.stage = Stage::Serving;
            common.send(link, Packet::UpToDate);
        }
    }

    /// Commits what a quorum holds, and everything before it.
    fn try_commit(&mut self, common: &mut Common) {
        if self.phase != Phase::Broadcast || self.relays {
            return;
        }
        let end = self.quorum_acked(common);
        let mut committed = common.history.committed();
        if end <= committed {
            return;
        }
        if self.links.is_empty() && self.reconfiguration.is_none() {
            common.commit(end);
            self.confirmations.committed(end);
            self.release_syncs(common);
            return;
        }
        while let Some(zxid) = common.history.next_after(committed)
            && zxid <= end
            && self.successor.is_none()
        {
            committed = zxid;
            // A quorum has seen what was proposed after a sync: so this server still led then.
            // The answer has to come before the COMMIT, or learners would mix up their requests.
            self.confirmations.committed_before(zxid);
            self.release_syncs(common);
            self.announce(common, zxid);
            common.commit(zxid);
            self.confirmations.committed(zxid);
            self.release_syncs(common);
            if self.activates == Some(zxid) {
                // From here on another quorum counts.
                return self.try_commit(common);
            }
        }
    }

    fn announce(&mut self, common: &mut Common, zxid: Zxid) {
        let activated = self
            .reconfiguration
            .take_if(|(proposed, _)| *proposed == zxid)
            .map(|(_, membership)| {
                let leader = self.designated(common, &membership);
                (membership, leader)
            });
        let leader = activated.as_ref().map(|(_, leader)| *leader);
        self.tell(common, zxid, leader);
        if let Some((membership, leader)) = activated {
            self.activates = Some(zxid);
            common.activate(Some(membership));
            self.successor = (leader != common.me).then_some(leader);
        }
    }

    /// Tells learners that `zxid` is committed; `leader` leads in the configuration that it
    /// brings, if it brings one.
    pub(super) fn tell(&self, common: &mut Common, zxid: Zxid, leader: Option<ServerId>) {
        let mut entry: Option<Arc<[u8]>> = None;
        for (link, progress) in &self.links {
            if !progress.is_registered() {
                continue;
            }
            let mut inform = || {
                entry
                    .get_or_insert_with(|| {
                        let before = Zxid(zxid.0 - 1);
                        let found = common.history.between(before, zxid).next();
                        found.map_or_else(|| Arc::from([]), |e| e.bytes.clone())
                    })
                    .clone()
            };
            let packet = match (progress.observer, leader) {
                (false, None) => Packet::Commit(zxid),
                (false, Some(leader)) => Packet::CommitAndActivate { zxid, leader },
                (true, None) => Packet::Inform {
                    zxid,
                    entry: inform(),
                },
                (true, Some(leader)) => Packet::InformAndActivate {
                    zxid,
                    leader,
                    entry: inform(),
                },
            };
            common.outputs.push_back(Output::Send {
                link: *link,
                packet,
            });
        }
    }

    /// Who leads once `membership` is in force: this server, if it still votes there and learners
    /// reach it where they did; otherwise a voter of it that has come furthest.
    fn designated(&self, common: &Common, membership: &Membership) -> ServerId {
        if membership.keeps(common.members.committed(), common.me) {
            return common.me;
        }
        self.successor_in(common, membership).unwrap_or(common.me)
    }

    /// Another voter of a configuration, one with the longest history.
    pub(super) fn successor_in(
        &self,
        common: &Common,
        membership: &Membership,
    ) -> Option<ServerId> {
        let voters = membership.quorum.voters().iter().copied();
        voters
            .filter(|server| *server != common.me)
            .max_by_key(|server| self.acked.get(server).copied())
    }

    /// Up to where quorums of all configurations concerned have acknowledged.
    fn quorum_acked(&self, common: &Common) -> Zxid {
        let end = common.members.committed().quorum.committed(&self.acked);
        match &self.reconfiguration {
            Some((zxid, next)) if end >= *zxid => {
                let both = end.min(next.quorum.committed(&self.acked));
                both.max(Zxid(zxid.0 - 1))
            }
            _ => end,
        }
    }
}
