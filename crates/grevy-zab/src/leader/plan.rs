//! How a learner is brought up to date. Source: `LearnerHandler.syncFollower`.

use crate::history::History;
use grevy_proto::Zxid;

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// DIFF, and the transactions behind `after`.
    Diff { after: Zxid },
    /// TRUNC to `to`, and the transactions behind it.
    Trunc { to: Zxid },
    /// The same as a DIFF, of transactions that are no longer in memory.
    Log { after: Zxid },
    /// SNAP.
    Snapshot,
}

/// How to bring a learner whose log ends at `last` to the point `end` of the leader's history.
///
/// TRUNC is only used to a point that the learner must have: in the epoch of its last
/// transaction, so that it got everything before that from the same leader. A Java learner keeps
/// one transaction too many if the point is missing, and exits if it is beyond the end of its log.
pub(crate) fn plan(history: &History, end: Zxid, last: Zxid, read_log: bool) -> Plan {
    if last == end {
        return Plan::Diff { after: last };
    }
    // It has nothing at all: a snapshot is what every learner can take.
    if last <= Zxid::ZERO {
        return Plan::Snapshot;
    }
    if last > end {
        return match last.epoch() == end.epoch() && end.counter() > 0 {
            true => Plan::Trunc { to: end },
            false => Plan::Snapshot,
        };
    }
    if last < history.base() {
        return match read_log {
            true => Plan::Log { after: last },
            false => Plan::Snapshot,
        };
    }
    // A log that ends with an epoch's first number, which no transaction has, holds all of the
    // epochs before.
    if history.contains(last) || last.counter() == 0 {
        return Plan::Diff { after: last };
    }
    match history.newest_up_to(last) {
        Some(shared) if shared.epoch() == last.epoch() && shared.counter() > 0 => {
            Plan::Trunc { to: shared }
        }
        _ => Plan::Snapshot,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::sync::Arc;
    use grevy_proto::Epoch;

    fn at(epoch: u32, counter: u32) -> Zxid {
        Zxid::new(Epoch(epoch), counter)
    }

    #[test]
    fn plans() {
        let mut history = History::new(at(1, 5), 100);
        for zxid in [at(1, 6), at(1, 7), at(3, 1), at(3, 2), at(3, 3)] {
            history.append(zxid, Arc::from([])).unwrap();
        }
        let end = at(3, 2);
        for (last, expected) in [
            (end, Plan::Diff { after: end }),
            (at(3, 1), Plan::Diff { after: at(3, 1) }),
            (at(1, 5), Plan::Diff { after: at(1, 5) }),
            (at(3, 0), Plan::Diff { after: at(3, 0) }),
            // Proposed and not committed: it gets it again.
            (at(3, 3), Plan::Trunc { to: end }),
            (at(3, 9), Plan::Trunc { to: end }),
            (at(1, 9), Plan::Trunc { to: at(1, 7) }),
            (at(2, 4), Plan::Snapshot),
            (at(4, 1), Plan::Snapshot),
            (at(1, 4), Plan::Log { after: at(1, 4) }),
            (Zxid(0), Plan::Snapshot),
            (Zxid(-1), Plan::Snapshot),
        ] {
            assert_eq!(plan(&history, end, last, true), expected, "{last}");
        }
        assert_eq!(plan(&history, end, at(1, 4), false), Plan::Snapshot);
    }
}
