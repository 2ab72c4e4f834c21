//! What a node has counted since its start. How long things took is for the shell to find out,
//! which has clocks.

use grevy_proto::quorum::Packet;

/// See the module's text. Source: `ServerMetrics`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Transactions that were applied.
    pub applied: u64,
    /// The sum of their times, in ms since 1970, wrapping around: with the present time it tells
    /// how long ago the leader made them.
    pub applied_times: u64,
    /// Those of them that this server had committed, alone or as a leader.
    pub committed: u64,
    /// Transactions that this server proposed.
    pub proposed: u64,
    /// Times that the state after a transaction differed from what the leader said it would be.
    pub digest_mismatches: u64,
    /// Proposals that came from the leader that is followed.
    pub proposals_received: u64,
    /// Commits that came from the leader that is followed or observed.
    pub commits_received: u64,
    /// Questions of learners whether a session is open.
    pub revalidations: u64,
}

impl Tally {
    pub(crate) fn apply(&mut self, time_ms: i64, leads: bool) {
        self.applied += 1;
        self.committed += u64::from(leads);
        self.applied_times = self.applied_times.wrapping_add(time_ms.cast_unsigned());
    }

    /// A packet came from the leader.
    pub(crate) fn receive(&mut self, packet: &Packet) {
        match packet {
            Packet::Proposal { .. } => self.proposals_received += 1,
            Packet::Commit(_)
            | Packet::CommitAndActivate { .. }
            | Packet::Inform { .. }
            | Packet::InformAndActivate { .. } => self.commits_received += 1,
            _ => {}
        }
    }

    /// How long ago the transactions were made that were applied since `before`, on average, in
    /// ms, and how many they are; `None` if there are none, or clocks disagree.
    pub fn lag_since(&self, before: &Self, now_ms: i64) -> Option<(u64, u64)> {
        let count = self.applied.checked_sub(before.applied)?;
        let times = self.applied_times.wrapping_sub(before.applied_times);
        let average = times.checked_div(count)?;
        let lag = u64::try_from(now_ms).ok()?.checked_sub(average)?;
        Some((count, lag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_told_on_average() {
        let before = Tally {
            applied: 3,
            applied_times: u64::MAX,
            ..Tally::default()
        };
        let mut after = before;
        assert_eq!(after.lag_since(&before, 1000), None);
        [900, 800, 1000]
            .into_iter()
            .for_each(|ms| after.apply(ms, true));
        assert_eq!(after.lag_since(&before, 1000), Some((3, 100)));
        assert_eq!(after.lag_since(&before, 800), None, "the clock is behind");
    }
}
