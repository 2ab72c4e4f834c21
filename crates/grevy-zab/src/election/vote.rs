//! Votes, and when two of them are one opinion. Source: `Vote.equals`,
//! `FastLeaderElection.totalOrderPredicate`.

use alloc::collections::{BTreeMap, BTreeSet};
use grevy_proto::election::{Notification, PeerState};
use grevy_proto::{ServerId, Zxid};

/// A vote: who should lead, how far that server's history goes, and in which round it was cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// For whom.
    pub leader: ServerId,
    /// The last zxid in that server's log.
    pub zxid: Zxid,
    /// The round of elections.
    pub round: i64,
    /// The epoch that server last took part in (its currentEpoch).
    pub epoch: i64,
}

impl Vote {
    /// Whether this vote's leader has the longer history, or the higher number where histories
    /// are equally long. Rounds do not matter.
    pub fn beats(&self, other: &Self) -> bool {
        let rank = |vote: &Self| (vote.epoch, vote.zxid, vote.leader);
        rank(self) > rank(other)
    }

    /// The vote that a notification tells.
    pub fn of(notification: &Notification) -> Self {
        Self {
            leader: notification.leader,
            zxid: notification.zxid,
            round: notification.round,
            epoch: notification.epoch,
        }
    }
}

/// What one server said last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub vote: Vote,
    pub state: PeerState,
    /// The format of the message, or 0 where it does not matter.
    pub version: i32,
}

impl Record {
    /// Whether both mean the same leadership. Of a leadership that exists, members may tell
    /// different zxids and rounds (ZOOKEEPER-1805); and servers up to 3.4 tell another epoch
    /// than newer ones (ZOOKEEPER-1732).
    pub fn agrees(&self, other: &Self) -> bool {
        if self.state == PeerState::Looking || other.state == PeerState::Looking {
            return self.vote == other.vote;
        }
        let comparable = (self.version > 0) == (other.version > 0);
        self.vote.leader == other.vote.leader
            && (!comparable || self.vote.epoch == other.vote.epoch)
    }
}

/// Who said what agrees with `record`.
pub(super) fn supporters(said: &BTreeMap<ServerId, Record>, record: &Record) -> BTreeSet<ServerId> {
    said.iter()
        .filter(|(_, other)| other.agrees(record))
        .map(|(id, _)| *id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use PeerState::{Following, Leading, Looking};

    fn vote(epoch: i64, zxid: i64, leader: i64) -> Vote {
        Vote {
            leader: ServerId(leader),
            zxid: Zxid(zxid),
            round: 1,
            epoch,
        }
    }

    #[test]
    fn the_longer_history_beats() {
        let ascending = [
            vote(i64::MIN, i64::MIN, i64::MIN),
            vote(0, -1, 9),
            vote(0, 0, 1),
            vote(0, 0, 2),
            vote(0, 7, 1),
            vote(1, 3, 1),
            vote(1, 3, 2),
            vote(1, 4, 1),
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(a.beats(b), i > j, "{a:?} beats {b:?}");
            }
        }
        let late = Vote {
            round: 9,
            ..vote(0, 0, 1)
        };
        assert!(!late.beats(&vote(0, 0, 1)));
    }

    #[test]
    fn agreement() {
        let record = |vote, state, version| Record {
            vote,
            state,
            version,
        };
        let (one, other_zxid, other_epoch) = (vote(1, 1, 1), vote(1, 2, 1), vote(2, 1, 1));
        let elsewhere = vote(1, 1, 2);
        for (a, b, expected) in [
            (record(one, Looking, 2), record(one, Looking, 0), true),
            (
                record(one, Looking, 2),
                record(other_zxid, Looking, 2),
                false,
            ),
            (
                record(one, Following, 0),
                record(other_zxid, Looking, 0),
                false,
            ),
            (record(one, Following, 2), record(one, Looking, 0), true),
            (
                record(one, Following, 2),
                record(other_zxid, Leading, 2),
                true,
            ),
            (
                record(one, Following, 2),
                record(other_epoch, Leading, 2),
                false,
            ),
            (
                record(one, Following, 0),
                record(other_epoch, Leading, 2),
                true,
            ),
            (
                record(one, Following, 0),
                record(other_epoch, Leading, 0),
                false,
            ),
            (
                record(one, Following, 0),
                record(elsewhere, Leading, 2),
                false,
            ),
        ] {
            assert_eq!(a.agrees(&b), expected, "{a:?}, {b:?}");
            assert_eq!(b.agrees(&a), expected, "{b:?}, {a:?}");
        }
    }
}
