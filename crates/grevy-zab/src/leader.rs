//! Broadcast at the leader: proposals go out in the order of their zxids, and one is committed
//! when a quorum of voters holds it and all before it in durable storage. Source: `Leader.propose`,
//! `Leader.tryToCommit`; Junqueira, Reed, Serafini: Zab (DSN 2011).
//!
//! The leader counts itself like any voter: by what its own log has reported as durable, never
//! by what it has merely written.

use crate::quorum::Quorum;
use alloc::collections::{BTreeMap, VecDeque};
use core::fmt;
use grevy_proto::{ServerId, Zxid};

/// A broken rule of the protocol. Going on would spread it: the server must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BroadcastError {
    /// A zxid that is not the next one (P22: no holes).
    OutOfOrder {
        /// The zxid that was to come.
        expected: Zxid,
        /// The one that came.
        got: Zxid,
    },
    /// An acknowledgement of something never proposed.
    AckBeyondProposals {
        /// The newest proposal.
        last: Zxid,
        /// What was acknowledged.
        acked: Zxid,
    },
}

impl fmt::Display for BroadcastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder { expected, got } => {
                write!(f, "proposal {got} where {expected} is the next zxid")
            }
            Self::AckBeyondProposals { last, acked } => {
                write!(
                    f,
                    "acknowledgement of {acked}, but the last proposal is {last}"
                )
            }
        }
    }
}

impl core::error::Error for BroadcastError {}

/// The broadcast phase of one epoch.
#[derive(Debug)]
pub struct Leader {
    quorum: Quorum,
    /// Up to where each server's log is durable.
    acked: BTreeMap<ServerId, Zxid>,
    last_proposed: Zxid,
    committed: Zxid,
    /// Proposed and not committed, in order.
    outstanding: VecDeque<Zxid>,
}

impl Leader {
    /// A leader whose durable history ends at `last`, all of it committed.
    pub fn new(id: ServerId, quorum: Quorum, last: Zxid) -> Self {
        Self {
            quorum,
            acked: BTreeMap::from([(id, last)]),
            last_proposed: last,
            committed: last,
            outstanding: VecDeque::new(),
        }
    }

    /// The zxid of the next proposal.
    pub fn next_zxid(&self) -> Zxid {
        self.last_proposed.next()
    }

    /// The newest proposal.
    pub fn last_proposed(&self) -> Zxid {
        self.last_proposed
    }

    /// The newest committed transaction.
    pub fn committed(&self) -> Zxid {
        self.committed
    }

    /// Proposals that are not committed.
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// Takes up a proposal; it must be written to the log and sent to the learners.
    pub fn propose(&mut self, zxid: Zxid) -> Result<(), BroadcastError> {
        if zxid != self.next_zxid() {
            return Err(BroadcastError::OutOfOrder {
                expected: self.next_zxid(),
                got: zxid,
            });
        }
        self.last_proposed = zxid;
        self.outstanding.push_back(zxid);
        Ok(())
    }

    /// `server` holds everything up to `zxid` in durable storage. Returns whether that
    /// committed anything.
    pub fn handle_ack(&mut self, server: ServerId, zxid: Zxid) -> Result<bool, BroadcastError> {
        if zxid > self.last_proposed {
            return Err(BroadcastError::AckBeyondProposals {
                last: self.last_proposed,
                acked: zxid,
            });
        }
        let acked = self.acked.entry(server).or_insert(zxid);
        *acked = zxid.max(*acked);
        let committed = self.quorum.committed(&self.acked);
        if committed <= self.committed {
            return Ok(false);
        }
        self.committed = committed;
        while self.outstanding.front().is_some_and(|z| *z <= committed) {
            self.outstanding.pop_front();
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leader(voters: i64) -> Leader {
        Leader::new(
            ServerId(1),
            Quorum::majority((1..=voters).map(ServerId)),
            Zxid(0),
        )
    }

    #[test]
    fn nothing_commits_before_it_is_durable() {
        let mut leader = leader(1);
        leader.propose(Zxid(1)).unwrap();
        leader.propose(Zxid(2)).unwrap();
        assert_eq!(leader.committed(), Zxid(0));
        assert_eq!(leader.handle_ack(ServerId(1), Zxid(1)), Ok(true));
        assert_eq!((leader.committed(), leader.outstanding()), (Zxid(1), 1));
        assert_eq!(leader.handle_ack(ServerId(1), Zxid(1)), Ok(false));
        assert_eq!(leader.handle_ack(ServerId(1), Zxid(2)), Ok(true));
        assert_eq!((leader.committed(), leader.outstanding()), (Zxid(2), 0));
    }

    #[test]
    fn a_quorum_commits_and_observers_do_not_count() {
        let mut leader = leader(3);
        leader.propose(Zxid(1)).unwrap();
        assert_eq!(leader.handle_ack(ServerId(1), Zxid(1)), Ok(false));
        assert_eq!(leader.handle_ack(ServerId(9), Zxid(1)), Ok(false));
        assert_eq!(leader.handle_ack(ServerId(3), Zxid(1)), Ok(true));
    }

    #[test]
    fn holes_and_inventions_are_refused() {
        let mut leader = leader(1);
        assert_eq!(
            leader.propose(Zxid(2)),
            Err(BroadcastError::OutOfOrder {
                expected: Zxid(1),
                got: Zxid(2)
            })
        );
        assert_eq!(
            leader.handle_ack(ServerId(1), Zxid(1)),
            Err(BroadcastError::AckBeyondProposals {
                last: Zxid(0),
                acked: Zxid(1)
            })
        );
    }
}
