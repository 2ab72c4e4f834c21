//! When a set of voters is enough. Source: `QuorumMaj`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use grevy_proto::{ServerId, Zxid};

/// More than half of the voters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Majority {
    voters: BTreeSet<ServerId>,
}

impl Majority {
    /// An ensemble of `voters`, at least one.
    pub fn new(voters: impl IntoIterator<Item = ServerId>) -> Self {
        Self {
            voters: voters.into_iter().collect(),
        }
    }

    /// Who votes.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> {
        self.voters.iter().copied()
    }

    /// Whether `server` votes.
    pub fn contains(&self, server: ServerId) -> bool {
        self.voters.contains(&server)
    }

    /// The newest zxid up to which a quorum has acknowledged, given how far each server has.
    pub fn committed(&self, acked: &BTreeMap<ServerId, Zxid>) -> Zxid {
        let mut zxids: Vec<Zxid> = self
            .voters
            .iter()
            .map(|voter| acked.get(voter).copied().unwrap_or(Zxid(-1)))
            .collect();
        zxids.sort_unstable_by(|a, b| b.cmp(a));
        // With n voters a quorum is n/2 + 1 of them: the zxid at index n/2, newest first.
        zxids.get(zxids.len() / 2).copied().unwrap_or(Zxid(-1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_is_what_more_than_half_have() {
        for (voters, acked, expected) in [
            (1, &[(0, 7)][..], 7),
            (1, &[], -1),
            (2, &[(0, 7)], -1),
            (2, &[(0, 7), (1, 5)], 5),
            (3, &[(0, 7), (1, 5)], 5),
            (3, &[(0, 7), (1, 5), (2, 6)], 6),
            (3, &[(0, 7), (9, 7), (8, 7)], -1),
            (4, &[(0, 7), (1, 7)], -1),
            (5, &[(0, 9), (1, 8), (2, 3)], 3),
        ] {
            let quorum = Majority::new((0..voters).map(ServerId));
            let acked = acked.iter().map(|&(s, z)| (ServerId(s), Zxid(z))).collect();
            assert_eq!(quorum.committed(&acked), Zxid(expected), "{acked:?}");
        }
    }
}
