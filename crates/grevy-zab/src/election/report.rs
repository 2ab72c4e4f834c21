//! What an election has come to, for operators.

use super::Election;
use grevy_proto::ServerId;

impl Election {
    /// For whom this server votes; `None` if it only waits for what others say.
    pub fn votes_for(&self) -> Option<ServerId> {
        self.counts().then_some(self.proposal.leader)
    }

    /// For whom another voter votes in this round, or whom it follows or is as a leader.
    pub fn supports(&self, server: ServerId) -> Option<ServerId> {
        let of = |records: &alloc::collections::BTreeMap<ServerId, super::vote::Record>| {
            records.get(&server).map(|record| record.vote.leader)
        };
        of(&self.established).or_else(|| of(&self.votes))
    }
}
