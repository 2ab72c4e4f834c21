//! When a set of voters is enough. Source: `QuorumMaj`, `QuorumHierarchical`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use grevy_proto::{ServerId, Zxid};

/// Who votes, and how many votes are enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quorum {
    /// More than half of the voters.
    Majority {
        /// Who votes.
        voters: BTreeSet<ServerId>,
    },
    /// More than half of the weight in more than half of the groups. Groups without any weight
    /// do not exist as far as counting goes.
    Hierarchical {
        /// Who votes.
        voters: BTreeSet<ServerId>,
        /// Members of each group. A group's weight is that of all its members, voters or not.
        groups: BTreeMap<i64, BTreeSet<ServerId>>,
        /// Weights; a server without one has none.
        weights: BTreeMap<ServerId, u32>,
    },
}

impl Quorum {
    /// More than half of `voters`.
    pub fn majority(voters: impl IntoIterator<Item = ServerId>) -> Self {
        Self::Majority {
            voters: voters.into_iter().collect(),
        }
    }

    /// Who votes.
    pub fn voters(&self) -> &BTreeSet<ServerId> {
        match self {
            Self::Majority { voters } | Self::Hierarchical { voters, .. } => voters,
        }
    }

    /// Whether `server` votes.
    pub fn contains(&self, server: ServerId) -> bool {
        self.voters().contains(&server)
    }

    /// What the vote of `server` weighs. A server that weighs nothing cannot be elected.
    pub fn weight(&self, server: ServerId) -> u32 {
        match self {
            Self::Majority { .. } => 1,
            Self::Hierarchical { weights, .. } => weights.get(&server).copied().unwrap_or(0),
        }
    }

    /// Whether the voters that `agrees` names are enough. Servers that do not vote never count.
    pub fn is_quorum(&self, agrees: impl Fn(ServerId) -> bool) -> bool {
        match self {
            Self::Majority { voters } => {
                voters.iter().filter(|voter| agrees(**voter)).count() > voters.len() / 2
            }
            Self::Hierarchical { voters, groups, .. } => {
                let weigh = |servers: &mut dyn Iterator<Item = &ServerId>| -> u64 {
                    servers.map(|server| u64::from(self.weight(*server))).sum()
                };
                let (mut counted, mut won) = (0, 0);
                for group in groups.values() {
                    let whole = weigh(&mut group.iter());
                    let agreeing = weigh(
                        &mut group
                            .iter()
                            .filter(|server| voters.contains(server) && agrees(**server)),
                    );
                    counted += usize::from(whole > 0);
                    won += usize::from(agreeing > whole / 2);
                }
                won > counted / 2
            }
        }
    }

    /// The newest zxid up to which a quorum has acknowledged, given how far each server has;
    /// -1 if there is none.
    pub fn committed(&self, acked: &BTreeMap<ServerId, Zxid>) -> Zxid {
        let of = |server: &ServerId| acked.get(server).copied();
        let mut zxids: Vec<Zxid> = self.voters().iter().filter_map(of).collect();
        zxids.sort_unstable_by(|a, b| b.cmp(a));
        let newest = match self {
            Self::Majority { voters } => zxids.get(voters.len() / 2).copied(),
            Self::Hierarchical { .. } => zxids
                .into_iter()
                .find(|zxid| self.is_quorum(|voter| of(&voter) >= Some(*zxid))),
        };
        newest.unwrap_or(Zxid(-1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hierarchy(groups: &[(i64, &[(i64, u32)])]) -> Quorum {
        let ids = |members: &[(i64, u32)]| members.iter().map(|(id, _)| ServerId(*id)).collect();
        let members = || groups.iter().flat_map(|(_, members)| members.iter());
        Quorum::Hierarchical {
            voters: members().map(|(id, _)| ServerId(*id)).collect(),
            groups: groups.iter().map(|(g, m)| (*g, ids(m))).collect(),
            weights: members().map(|(id, w)| (ServerId(*id), *w)).collect(),
        }
    }

    fn check(quorum: &Quorum, agreeing: &[i64], expected: bool) {
        let is_quorum = quorum.is_quorum(|id| agreeing.contains(&id.0));
        assert_eq!(is_quorum, expected, "{agreeing:?} of {quorum:?}");
    }

    #[test]
    fn more_than_half() {
        for (voters, agreeing, expected) in [
            (0, &[][..], false),
            (1, &[], false),
            (1, &[0], true),
            (2, &[0], false),
            (2, &[0, 1], true),
            (3, &[0, 7, 8], false),
            (3, &[0, 2], true),
            (4, &[0, 1], false),
            (5, &[0, 1, 4], true),
        ] {
            check(
                &Quorum::majority((0..voters).map(ServerId)),
                agreeing,
                expected,
            );
        }
    }

    #[test]
    fn more_than_half_of_more_than_half() {
        let groups: &[(i64, &[(i64, u32)])] = &[
            (1, &[(1, 1), (2, 1), (3, 1)]),
            (2, &[(4, 1), (5, 1), (6, 1)]),
            (3, &[(7, 1), (8, 1), (9, 1)]),
        ];
        let three = hierarchy(groups);
        check(&three, &[], false);
        check(&three, &[1, 2, 4, 5], true);
        check(&three, &[1, 2, 3, 4, 7], false);
        check(&three, &[3, 5, 6, 9, 7], true);
        // The third group weighs nothing: both others are needed.
        let two = hierarchy(&[
            (1, &[(1, 1), (2, 1), (3, 1)]),
            (2, &[(4, 1), (5, 1), (6, 1)]),
            (3, &[(7, 0), (8, 0)]),
        ]);
        check(&two, &[1, 2, 7, 8], false);
        check(&two, &[1, 2, 4, 5], true);
        let heavy = hierarchy(&[(1, &[(1, 4), (2, 1), (3, 1)])]);
        check(&heavy, &[2, 3], false);
        check(&heavy, &[1], true);
        check(&hierarchy(&[(1, &[(1, 0)])]), &[1], false);
    }

    #[test]
    fn who_does_not_vote_adds_weight_to_the_group_alone() {
        let Quorum::Hierarchical {
            groups, weights, ..
        } = hierarchy(&[(1, &[(1, 1), (2, 1)])])
        else {
            unreachable!()
        };
        let voters = BTreeSet::from([ServerId(1)]);
        let quorum = Quorum::Hierarchical {
            voters,
            groups,
            weights,
        };
        check(&quorum, &[1, 2], false);
        assert_eq!(quorum.weight(ServerId(3)), 0);
        assert!(!quorum.contains(ServerId(2)));
    }

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
            let quorum = Quorum::majority((0..voters).map(ServerId));
            let acked = acked.iter().map(|&(s, z)| (ServerId(s), Zxid(z))).collect();
            assert_eq!(quorum.committed(&acked), Zxid(expected), "{acked:?}");
        }
    }

    /// The largest half-way mark: what more than half of the weight of `items` has reached.
    fn weighted_middle(mut items: Vec<(i64, u64)>) -> i64 {
        let whole: u64 = items.iter().map(|(_, weight)| weight).sum();
        items.sort_unstable_by_key(|(value, _)| core::cmp::Reverse(*value));
        let mut sum = 0;
        for (value, weight) in items {
            sum += weight;
            if sum > whole / 2 {
                return value;
            }
        }
        -1
    }

    proptest! {
        /// Counting set by set gives what the middle of middles gives.
        #[test]
        fn committed_is_the_middle(
            groups in prop::collection::vec(
                prop::collection::vec((0..3_u32, -1..6_i64), 1..4), 1..5)
        ) {
            let mut next = 0;
            let mut acked = BTreeMap::new();
            let (mut sets, mut weights) = (BTreeMap::new(), BTreeMap::new());
            let mut middles = Vec::new();
            let mut all = Vec::new();
            for (g, members) in groups.iter().enumerate() {
                let mut group = BTreeSet::new();
                for &(weight, zxid) in members {
                    let id = ServerId(next);
                    next += 1;
                    group.insert(id);
                    weights.insert(id, weight);
                    if zxid >= 0 {
                        acked.insert(id, Zxid(zxid));
                    }
                    all.push((zxid, 1));
                }
                sets.insert(g as i64, group);
                let weighted = members.iter().map(|&(w, z)| (z, u64::from(w)));
                if members.iter().any(|(weight, _)| *weight > 0) {
                    middles.push((weighted_middle(weighted.collect()), 1));
                }
            }
            let voters: BTreeSet<_> = (0..next).map(ServerId).collect();
            let majority = Quorum::Majority { voters: voters.clone() };
            prop_assert_eq!(majority.committed(&acked), Zxid(weighted_middle(all)));
            let quorum = Quorum::Hierarchical { voters, groups: sets, weights };
            prop_assert_eq!(quorum.committed(&acked), Zxid(weighted_middle(middles)));
        }
    }
}
