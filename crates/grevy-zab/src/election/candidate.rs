//! What a server brings to an election.

use super::Vote;
use grevy_proto::{ServerId, Zxid};

/// What a server has to show for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Which one.
    pub id: ServerId,
    /// The last zxid in its durable log.
    pub zxid: Zxid,
    /// Its currentEpoch.
    pub epoch: i64,
    /// Whether its history can be relied on.
    pub standing: Standing,
}

/// Whether a voter may vote (P30: honest recovery).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It holds everything that it ever acknowledged.
    Normal,
    /// It has no transaction and never promised an epoch (no acceptedEpoch above 0). Perhaps
    /// the ensemble is new; perhaps the disk is, and what it acknowledged is gone. It votes
    /// until it hears a voter tell of any history; from then on it abstains.
    Empty,
    /// Likewise, but whoever runs it has said that it is new: it cannot have lost anything, and
    /// votes whatever it hears. So a server that has run alone can become one of several.
    New,
    /// It may have lost what it acknowledged. Its vote must not count, so it names nobody (zxid
    /// -1, which others leave out of their counts; and no leader, which even those before 3.6
    /// ignore). It takes a leader from nobody but a quorum of the others that have one.
    Abstaining,
    /// It is of an epoch that the others have shown this ensemble never had: its data must be
    /// another ensemble's. It names nobody, as above, and follows nobody.
    Refuted,
}

impl Standing {
    /// Whether its vote counts.
    pub fn votes(self) -> bool {
        matches!(self, Self::Normal | Self::Empty | Self::New)
    }
}

impl Candidate {
    /// Its vote for itself in a round, or for nobody: where it abstains, or does not vote.
    pub(super) fn vote(&self, votes: bool, round: i64) -> Vote {
        let nobody = Vote {
            leader: ServerId(i64::MIN),
            zxid: Zxid(i64::MIN),
            round,
            epoch: i64::MIN,
        };
        match self.standing {
            Standing::Abstaining | Standing::Refuted => Vote {
                zxid: Zxid(-1),
                ..nobody
            },
            Standing::Normal | Standing::Empty | Standing::New if votes => Vote {
                leader: self.id,
                zxid: self.zxid,
                round,
                epoch: self.epoch,
            },
            Standing::Normal | Standing::Empty | Standing::New => nobody,
        }
    }
}
