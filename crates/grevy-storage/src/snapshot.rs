//! Snapshots: the whole state at one zxid. Source: `FileSnap`, `SnapStream`.
//!
//! A snapshot is a header, the body (sessions, ACL table, nodes), a seal, and two optional blocks
//! with a seal each. What the body says is the caller's business; this module carries it and
//! checks that it is whole.

mod body;
mod candidate;
mod compression;
mod reader;
mod snappy;
mod source;
mod trailer;
mod writer;

pub use body::{BodyParser, DEFAULT_MAX_ITEM, Item};
pub use candidate::{Candidate, candidates, looks_whole};
pub use compression::Compression;
pub use reader::{Fed, SnapshotError, SnapshotInfo, read};
pub use trailer::{Digest, DigestValue, Trailers};
pub use writer::{SealedSnapshot, SnapshotFile, SnapshotWriter};

pub(crate) use candidate::{Looks, is_sealed, looks};
pub(crate) use writer::is_leftover;
