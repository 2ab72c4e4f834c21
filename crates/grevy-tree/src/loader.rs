//! Building a tree from a snapshot's body: sessions, access control lists, znodes. Source:
//! `SerializeUtils.deserializeSnapshot`, `DataTree.deserialize`.
//!
//! The body may be fuzzy, as the Java server writes it: then a log has to be replayed on the
//! tree before it is a state that ever existed.
//!
//! There are two steps: a [`BodyDecoder`] makes [`Batch`]es of the bytes, which takes no tree,
//! and a [`Builder`] makes the tree of the batches. A [`Loader`] does both in turn; who has two
//! threads gives each a step.

mod batch;
mod builder;
mod decoder;

pub use batch::Batch;
pub use builder::Builder;
pub use decoder::{BodyDecoder, Decoded};

use crate::tree::{Tree, TreeConfig};
use alloc::boxed::Box;
use core::fmt;
use grevy_proto::{DecodeError, Zxid};

/// Reads a snapshot's body piece by piece.
pub struct Loader {
    decoder: BodyDecoder,
    batch: Batch,
    builder: Builder,
    failure: Option<LoadError>,
}

/// What became of the bytes that a [`Loader`] was fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed {
    /// All are used, and the body goes on.
    More,
    /// The body is complete; this many of the bytes belong to it, the rest follows it.
    Done(usize),
}

impl Loader {
    /// Begins with nothing. `zxid`: the last transaction that is wholly in the snapshot.
    pub fn new(config: TreeConfig, zxid: Zxid) -> Self {
        Self {
            decoder: BodyDecoder::new(&config),
            batch: Batch::default(),
            builder: Builder::new(config, zxid),
            failure: None,
        }
    }

    /// Sets the longest field, in bytes, that is accepted (`jute.maxbuffer`); without it any.
    #[must_use]
    pub fn field_limit(mut self, limit: usize) -> Self {
        self.decoder = self.decoder.field_limit(limit);
        self
    }

    /// Reads the next bytes, however they are cut. After an error there is only that error.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<Fed, LoadError> {
        match &self.failure {
            Some(error) => Err(error.clone()),
            None => self
                .read(chunk)
                .inspect_err(|error| self.failure = Some(error.clone())),
        }
    }

    fn read(&mut self, chunk: &[u8]) -> Result<Fed, LoadError> {
        let mut used = 0;
        loop {
            let decoded = self.decoder.feed(&chunk[used..], &mut self.batch);
            self.builder.build(&mut self.batch)?;
            match decoded {
                Decoded::Full(more) => used += more,
                Decoded::More => return Ok(Fed::More),
                Decoded::Last(more) => return Ok(Fed::Done(used + more)),
            }
        }
    }

    /// The tree that the body holds. After the log has been replayed on it,
    /// [`Tree::finish_recovery`] is due.
    pub fn finish(self) -> Result<Tree, LoadError> {
        match self.failure {
            Some(error) => Err(error),
            None if !self.decoder.is_done() => Err(LoadError::Incomplete {
                offset: self.decoder.offset(),
            }),
            None => Ok(self.builder.finish()),
        }
    }
}

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
    /// There are no znodes, not even the root.
    NoRoot,
    /// A znode comes before its parent, or what should be its path is none.
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
            Self::NoRoot => f.write_str("the snapshot has no znodes"),
            Self::NoParent(path) => {
                write!(f, "the snapshot's znode {path:?} has no parent before it")
            }
            Self::Duplicate(path) => write!(f, "the znode {path:?} is in the snapshot twice"),
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
