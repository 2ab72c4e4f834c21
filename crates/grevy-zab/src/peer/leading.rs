//! What a leader is asked for: proposals, syncs, and what learners are brought up to date with.

use super::{Peer, Role};
use crate::history::Entry;
use crate::leader::ProposeError;
use crate::membership::Membership;
use crate::output::LinkId;
use crate::time::Time;
use alloc::sync::Arc;
use alloc::vec::Vec;
use grevy_proto::{ServerId, Zxid};

impl Peer {
    /// The zxid of the next proposal.
    pub fn next_zxid(&self) -> Zxid {
        match &self.role {
            Role::Leading(leader) => leader.next_zxid(),
            _ => self.common.history.last().next(),
        }
    }

    /// Proposes a transaction; with a `configuration`, that takes effect once it is committed.
    ///
    /// # Errors
    /// This server does not lead, or `zxid` is not [`Peer::next_zxid`].
    pub fn propose(
        &mut self,
        now: Time,
        zxid: Zxid,
        entry: Arc<[u8]>,
        configuration: Option<Arc<Membership>>,
    ) -> Result<(), ProposeError> {
        let Role::Leading(leader) = &mut self.role else {
            return Err(ProposeError::NotLeading);
        };
        leader.propose(&mut self.common, now, zxid, entry, configuration)
    }

    /// Whether the epoch's numbers are used up, so that nothing more can be proposed.
    pub fn is_exhausted(&self) -> bool {
        matches!(&self.role, Role::Leading(leader) if leader.is_exhausted(&self.common))
    }

    /// Stops to lead or to follow, and looks for a leader.
    pub fn step_down(&mut self, now: Time, why: &str) {
        self.look(now, why.into());
        self.advance(now);
    }

    /// The state of this learner is not what its history leads to. It leaves its leader, to be
    /// sent a snapshot by it or the next.
    pub fn distrust(&mut self, now: Time, why: &str) {
        if let Role::Learning(_) = self.role {
            self.common.distrusted = true;
            self.step_down(now, why);
        }
    }

    /// A sync came, from a learner or (`None`) a client of this server.
    pub fn sync(&mut self, link: Option<LinkId>) {
        if let Role::Leading(leader) = &mut self.role {
            leader.sync(&mut self.common, link);
        }
    }

    /// How many syncs of this server's own clients are done since it began to lead.
    pub fn syncs_released(&self) -> u64 {
        match &self.role {
            Role::Leading(leader) => leader.syncs_released(),
            _ => 0,
        }
    }

    /// The snapshot that [`Output::TakeSnapshot`](crate::Output::TakeSnapshot) asked for is of the
    /// state at `zxid`.
    pub fn snapshot_started(&mut self, zxid: Zxid) {
        if let Some((serving, common)) = self.serving() {
            serving.snapshot_started(common, zxid);
        }
    }

    /// It is durable, or could not be written.
    pub fn snapshot_ready(&mut self, now: Time, written: bool) {
        if let Some((serving, common)) = self.serving() {
            serving.snapshot_ready(common, now, written);
        }
    }

    /// What [`Output::ReadLog`](crate::Output::ReadLog) asked for; `None`: the files do not have it.
    pub fn log_read(&mut self, now: Time, link: LinkId, entries: Option<Vec<Entry>>) {
        if let Some((serving, common)) = self.serving() {
            serving.log_read(common, now, link, entries);
        }
    }

    /// A transaction with a new configuration is in the history of this learner.
    pub fn configuration_proposed(&mut self, now: Time, membership: Arc<Membership>) {
        let version = membership.version;
        self.common.propose_configuration(membership);
        if let Role::Learning(learner) = &mut self.role
            && let Some((zxid, leader)) = learner.activates.take_if(|(zxid, _)| zxid.0 == version)
        {
            self.activated(now, zxid, leader);
            self.advance(now);
        }
    }

    /// Servers whose acknowledgements a reconfiguration could count on: the leader, and who
    /// follows it and goes on to. An observer by the configuration in force does not, though it may
    /// not have heard of that yet.
    pub fn is_in_sync(&self, server: ServerId) -> bool {
        let committed = self.common.members.committed();
        let goes_on = committed.is_voter(server) || !committed.members.contains_key(&server);
        let learners = self.learners();
        let mut learners = learners.iter();
        server == self.common.me
            || (goes_on && learners.any(|(_, id, observes)| *id == server && !observes))
    }
}
