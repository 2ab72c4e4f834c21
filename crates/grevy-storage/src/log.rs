//! Transaction logs. Source: `FileTxnLog`.
//!
//! A file is a header, then records, then zeros. [`Log`] appends to the newest file;
//! [`LogReader`] reads one file and says how it ends; what an ending means is decided in
//! [`recovery`](crate::recovery), which knows the other files and the [`mark`](crate::mark).

mod blocks;
mod options;
mod range;
mod reader;
mod record;
mod truncate;
mod writer;

pub use options::LogOptions;
pub use range::Entries;
pub use reader::{Ending, Flaw, LogReader, LogRecord, Step};
pub use record::{MAX_ENTRY, checksum};
pub use truncate::TruncateError;
pub use writer::{Committed, Log, LogError, follows};

pub(crate) use range::{Range, read as read_range};
pub(crate) use writer::Resume;
