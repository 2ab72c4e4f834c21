//! What recovery found, and what it did about it.

use crate::log::Flaw;
use crate::snapshot::SnapshotInfo;
use grevy_proto::{Epoch, Zxid};
use std::fmt;
use std::path::PathBuf;

/// The outcome of a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// What the server starts from.
    pub start: Start,
    /// An `initialize` file says of a server without transactions and promises that it never had
    /// any. The file goes with the first promise, or with [`Store::created`](crate::Store::created).
    pub is_new: bool,
    /// How many transactions were replayed.
    pub txns: u64,
    /// What is worth telling the operator.
    pub notes: Vec<Note>,
}

/// What a server starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A history.
    History {
        /// Its last transaction.
        zxid: Zxid,
        /// The snapshot that was loaded, with its zxid; `None`: records on an empty tree.
        snapshot: Option<(PathBuf, Zxid, SnapshotInfo)>,
    },
    /// Nothing, and that is in order: the server begins at zxid 0. Write `snapshot.0`, then call
    /// [`Store::created`](crate::store::Store::created), before telling anybody.
    Empty,
    /// Nothing, and nobody said that this server is new. It must not stand for what it may have
    /// acknowledged: zxid -1, no vote, and a snapshot from an established leader.
    Unknown,
}

impl Start {
    /// The last zxid: -1 if there is no telling.
    pub fn zxid(&self) -> Zxid {
        match self {
            Self::History { zxid, .. } => *zxid,
            Self::Empty => Zxid::ZERO,
            Self::Unknown => Zxid(-1),
        }
    }
}

/// Something that recovery met and went on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A snapshot was passed over.
    SnapshotSkipped {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The end of the last log was torn by a crash and has been cut off. If the mark says how far
    /// the log was durable, it was never acknowledged.
    TailCut {
        /// The log.
        path: PathBuf,
        /// Its new length.
        offset: u64,
        /// What was wrong there.
        flaw: Flaw,
        /// Bytes cut, with the zeros behind.
        bytes: u64,
    },
    /// A log that holds no whole record was removed.
    LogRemoved {
        /// Which.
        path: PathBuf,
    },
    /// A log ends in a torn record, and the next one goes on where it ends: a Java server took
    /// over after a crash.
    TornBeforeNext {
        /// The log.
        path: PathBuf,
        /// Where its records end.
        offset: u64,
        /// What is wrong there.
        flaw: Flaw,
    },
    /// A Java server has used the directory since, and cut the log.
    CutByJava {
        /// The log.
        path: PathBuf,
        /// Where it ends.
        offset: u64,
    },
    /// A file that an interrupted run left behind was removed.
    LeftoverRemoved {
        /// Which.
        path: PathBuf,
    },
    /// A file is neither log nor snapshot, though its name begins so. It is left alone.
    Ignored {
        /// Which.
        path: PathBuf,
    },
    /// A crash had come between the history of a new epoch and `currentEpoch`, which has been
    /// raised.
    EpochRaised {
        /// The epoch.
        epoch: Epoch,
    },
    /// The mark was missing or damaged, which the options allow.
    WithoutMark,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SnapshotSkipped { path, why } => {
                write!(f, "passed over {}: {why}", path.display())
            }
            Self::TailCut {
                path,
                offset,
                flaw,
                bytes,
            } => write!(
                f,
                "cut {bytes} bytes off the end of {} at offset {offset}, where a write was torn: {flaw}",
                path.display()
            ),
            Self::LogRemoved { path } => {
                write!(f, "removed {}, which holds no whole record", path.display())
            }
            Self::TornBeforeNext { path, offset, flaw } => write!(
                f,
                "{} ends at offset {offset}: {flaw}; the next log goes on from there",
                path.display()
            ),
            Self::CutByJava { path, offset } => write!(
                f,
                "a Java server has cut {} at offset {offset}",
                path.display()
            ),
            Self::LeftoverRemoved { path } => write!(f, "removed the leftover {}", path.display()),
            Self::Ignored { path } => write!(f, "ignored {}", path.display()),
            Self::EpochRaised { epoch } => {
                write!(
                    f,
                    "raised currentEpoch to {}, as a crash had prevented",
                    epoch.0
                )
            }
            Self::WithoutMark => f.write_str(
                "started without the mark beside the log, so that damage at its end would pass \
                 for a torn tail",
            ),
        }
    }
}
