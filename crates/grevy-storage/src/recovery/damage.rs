//! Why a server must not start.

use super::Rejected;
use crate::disk::DiskError;
use crate::epochs::EpochError;
use crate::log::Flaw;
use grevy_proto::{Epoch, Zxid};
use std::fmt;
use std::path::PathBuf;

/// Why a history could not be brought back. Each says what is wrong, where, and what to do.
#[derive(Debug, Clone)]
pub enum RecoveryError {
    /// The disk failed, or another process uses the directory.
    Disk(DiskError),
    /// A log lies among the snapshots, or a snapshot among the logs, though the directories
    /// differ: the configuration has them the wrong way round.
    MixedUp {
        /// The file that is in the wrong place.
        path: PathBuf,
    },
    /// Part of the log is damaged or missing that had been acknowledged, or may have been.
    Log {
        /// The log file.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong there.
        what: Damage,
    },
    /// Nothing is damaged, but a transaction is longer than the settings allow.
    TooLong {
        /// The log file.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
        /// The longest one from there on, in bytes.
        longest: usize,
    },
    /// The history ends before a point that it had reached.
    TooShort {
        /// Where it ends.
        last: Zxid,
        /// Where it had come to.
        reached: Zxid,
        /// The file that says so.
        witness: PathBuf,
    },
    /// There are snapshots, but none could be loaded.
    NoSnapshotLoads {
        /// Each, with what is wrong.
        tried: Vec<(PathBuf, String)>,
    },
    /// There is a log but no snapshot.
    NoSnapshot {
        /// The directory of the snapshots.
        dir: PathBuf,
    },
    /// There is neither log nor snapshot, though there had been.
    Vanished {
        /// The file that says so.
        witness: PathBuf,
    },
    /// The mark beside the log is gone, or neither of its slots is whole.
    Mark {
        /// The mark file.
        path: PathBuf,
        /// Whether it is gone.
        missing: bool,
    },
    /// An epoch file is damaged.
    Epoch(EpochError),
    /// An epoch file is gone.
    EpochMissing {
        /// The file.
        path: PathBuf,
    },
    /// The history is of a later epoch than `currentEpoch` says.
    EpochBehind {
        /// The file.
        path: PathBuf,
        /// What it says.
        current: Epoch,
        /// The last transaction.
        last: Zxid,
    },
    /// `acceptedEpoch` is below `currentEpoch`.
    EpochsCrossed {
        /// The directory of both files.
        dir: PathBuf,
        /// What the one says.
        accepted: Epoch,
        /// What the other says.
        current: Epoch,
    },
}

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// A record is damaged.
    Flaw(Flaw),
    /// A record is damaged, but an intact one stands at that offset behind it. In a directory
    /// that another server wrote last, nobody but the operator can tell whether it matters.
    IntactBehind(Flaw, u64),
    /// The records end here, but had been durable up to that offset.
    EndsEarly(u64),
    /// The transaction here is not the one that was known to be.
    Misplaced {
        /// What was known.
        expected: Zxid,
        /// What is here.
        found: Zxid,
    },
    /// A transaction has a zxid not above the one before.
    Backwards {
        /// The one before.
        last: Zxid,
        /// The one here.
        next: Zxid,
    },
    /// Transactions are missing between two.
    Hole {
        /// The one before.
        last: Zxid,
        /// The one here.
        next: Zxid,
    },
    /// A record is whole but cannot be understood.
    Content(Rejected),
    /// The file is gone.
    Missing,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flaw(flaw) => flaw.fmt(f),
            Self::IntactBehind(flaw, at) => {
                write!(
                    f,
                    "{flaw}, yet an intact record stands behind it at offset {at}"
                )
            }
            Self::EndsEarly(durable) => {
                write!(f, "the records end here, but had reached offset {durable}")
            }
            Self::Misplaced { expected, found } => {
                write!(
                    f,
                    "transaction {found} stands where {expected} had been written"
                )
            }
            Self::Backwards { last, next } => {
                write!(f, "transaction {next} stands behind {last}")
            }
            Self::Hole { last, next } => {
                write!(f, "transactions are missing between {last} and {next}")
            }
            Self::Content(what) => write!(f, "a transaction cannot be understood: {what}"),
            Self::Missing => f.write_str("the file is missing"),
        }
    }
}

/// What helps whenever a history is damaged.
const REMEDY: &str = "put an intact copy back, or, if a quorum of the other servers is healthy, \
                      move this server's data away so that it rejoins empty";

impl fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::MixedUp { path } => write!(
                f,
                "{} is in the wrong directory; check dataDir and dataLogDir",
                path.display()
            ),
            Self::Log { path, offset, what } => {
                write!(
                    f,
                    "{} is damaged at offset {offset}: {what}; ",
                    path.display()
                )?;
                match what {
                    Damage::IntactBehind(..) => write!(
                        f,
                        "if the server that wrote it had lost power, start once with \
                         grevy.cutUnmarkedTail=true, which cuts the file there, otherwise {REMEDY}"
                    ),
                    _ => f.write_str(REMEDY),
                }
            }
            Self::TooLong {
                path,
                offset,
                len,
                limit,
                longest,
            } => write!(
                f,
                "{} is sound, but its transaction at offset {offset} has {len} bytes, where \
                 jute.maxbuffer and jute.maxbuffer.extrasize together allow {limit}; set \
                 jute.maxbuffer to {longest} or more on every server, as it was when the file was \
                 written",
                path.display()
            ),
            Self::TooShort {
                last,
                reached,
                witness,
            } => write!(
                f,
                "the history ends at {last}, but according to {} it had reached {reached}; {REMEDY}",
                witness.display()
            ),
            Self::NoSnapshotLoads { tried } => {
                f.write_str("no snapshot can be loaded:")?;
                for (path, why) in tried {
                    write!(f, " {}: {why};", path.display())?;
                }
                write!(f, " unless one needs no more than a setting, {REMEDY}")
            }
            Self::NoSnapshot { dir } => write!(
                f,
                "there is a log, but no snapshot in {}; {REMEDY}. Only after an upgrade from \
                 ZooKeeper 3.4 is this in order, and snapshot.trust.empty=true accepts it",
                dir.display()
            ),
            Self::Vanished { witness } => write!(
                f,
                "there is neither log nor snapshot, but according to {} there had been; {REMEDY}",
                witness.display()
            ),
            Self::Mark { path, missing } => write!(
                f,
                "{} is {}, so that nothing tells whether the log is complete; check dataLogDir, \
                 and {REMEDY}, or, if the log is known to be complete, start once with \
                 grevy.acceptLostMark=true",
                path.display(),
                if *missing { "missing" } else { "damaged" }
            ),
            Self::Epoch(error) => write!(f, "{error}; {REMEDY}"),
            Self::EpochMissing { path } => {
                write!(f, "{} is missing; {REMEDY}", path.display())
            }
            Self::EpochBehind {
                path,
                current,
                last,
            } => write!(
                f,
                "{} says {}, but the history goes on to {last} in epoch {}; {REMEDY}",
                path.display(),
                current.0,
                last.epoch().0
            ),
            Self::EpochsCrossed {
                dir,
                accepted,
                current,
            } => write!(
                f,
                "in {} acceptedEpoch is {}, less than currentEpoch, which is {}; {REMEDY}",
                dir.display(),
                accepted.0,
                current.0
            ),
        }
    }
}

impl std::error::Error for RecoveryError {}

impl From<DiskError> for RecoveryError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl From<EpochError> for RecoveryError {
    fn from(error: EpochError) -> Self {
        match error {
            EpochError::Disk(error) => Self::Disk(error),
            error => Self::Epoch(error),
        }
    }
}
