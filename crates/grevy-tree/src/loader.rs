//! Building a tree from a snapshot's body.

use crate::tree::{Tree, TreeConfig};
use alloc::boxed::Box;
use core::fmt;
use grevy_proto::{DecodeError, Zxid};

/// Why a snapshot's body could not be loaded. Another snapshot has to be tried, with a loader
/// of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// A field is malformed.
    Field {
        /// Where the record with the field begins, in bytes from the start of the body.
        offset: u64,
        /// What is wrong.
        error: DecodeError,
    },
    /// A field is longer than the limit.
    TooLong {
        /// Where the record with the field begins, in bytes from the start of the body.
        offset: u64,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The first znode is not the root.
    NoRoot(Box<str>),
    /// A znode comes before its parent.
    NoParent(Box<str>),
    /// A znode comes twice.
    Duplicate(Box<str>),
    /// The input ends before the body does.
    Incomplete {
        /// How many bytes there were.
        offset: u64,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { offset, error } => {
                write!(
                    f,
                    "the snapshot's record at byte {offset} is damaged: {error}"
                )
            }
            Self::TooLong { offset, len, limit } => write!(
                f,
                "a field of {len} bytes in the snapshot's record at byte {offset} is longer than \
                 {limit} bytes; raise jute.maxbuffer if the data is right"
            ),
            Self::NoRoot(path) => {
                write!(f, "the snapshot's first znode is {path}, not the root")
            }
            Self::NoParent(path) => {
                write!(
                    f,
                    "the znode {path} comes before its parent in the snapshot"
                )
            }
            Self::Duplicate(path) => write!(f, "the znode {path} is in the snapshot twice"),
            Self::Incomplete { offset } => {
                write!(
                    f,
                    "the snapshot ends early, after {offset} bytes of its body"
                )
            }
        }
    }
}

impl core::error::Error for LoadError {}

/// What became of the bytes that a [`Loader`] was fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed {
    /// All are used, and the body goes on.
    More,
    /// The body is complete; this many of the bytes belong to it, the rest follows it.
    Done(usize),
}

/// Reads a snapshot's body piece by piece.
pub struct Loader {
    tree: Tree,
}

impl Loader {
    /// Begins with nothing. `zxid`: the last transaction wholly in the snapshot.
    pub fn new(config: TreeConfig, zxid: Zxid) -> Self {
        let _ = zxid;
        Self {
            tree: Tree::new(config),
        }
    }

    /// Sets the longest field, in bytes, that is accepted (`jute.maxbuffer`); without it any.
    #[must_use]
    pub fn field_limit(self, limit: usize) -> Self {
        let _ = limit;
        self
    }

    /// Reads the next bytes, however they are cut.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<Fed, LoadError> {
        let _ = chunk;
        todo!()
    }

    /// The tree that the body holds. After the log has been replayed on it,
    /// [`Tree::finish_recovery`] is due.
    pub fn finish(self) -> Result<Tree, LoadError> {
        Ok(self.tree)
    }
}
