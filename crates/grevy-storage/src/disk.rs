//! All that this crate asks of a disk, and the real one.
//!
//! Nothing else here touches `std::fs`, so that a simulated disk with crashes, torn writes and
//! rot can stand in. What the code above relies on, and no more:
//!
//! - a write, a length or a new name may be lost, wholly or sector by sector and in any order,
//!   until [`File::sync`] (data and length) or [`Disk::sync_dir`] (names) returned success;
//! - a sync that failed says nothing about what it covered, and neither does a later one;
//! - a sector of 512 bytes is written wholly or not at all.

mod real;

pub use real::RealDisk;

use std::any::Any;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Logs are written in blocks of this many bytes: what file systems deal in, and no less than the
/// sector of any disk.
pub const BLOCK: usize = 4096;

/// A place for directories and files. Every method is one operation.
pub trait Disk: Send + Sync {
    /// The names in `dir`, in no particular order; directories are left out.
    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError>;

    /// Creates `dir` and its missing parents, durably. An existing directory is fine.
    fn create_dir(&self, dir: &Path) -> Result<(), DiskError>;

    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Box<dyn File>, DiskError>;

    /// Opens a file of which all writes begin at multiples of [`BLOCK`], in the file and in
    /// memory, and are as long, and are synced before anything is made of them. They may pass the
    /// system's cache of pages by.
    fn open_blocks(&self, path: &Path, mode: OpenMode) -> Result<Box<dyn File>, DiskError> {
        self.open(path, mode)
    }

    /// Gives `from` the name `to` in the same directory, in place of what had it.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> Result<(), DiskError>;

    /// Makes creations, renames and removals in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError>;

    /// Takes `dir` for this process alone until the lock is dropped. If another has it, the
    /// error is of kind [`io::ErrorKind::WouldBlock`] and says which.
    fn lock(&self, dir: &Path) -> Result<Lock, DiskError>;

    /// Whether a second thread that reads ahead makes sense here. A simulated disk says no, so
    /// that its operations have one order.
    fn reads_ahead(&self) -> bool {
        false
    }
}

/// An open file.
pub trait File: Send {
    /// Its length in bytes.
    fn len(&self) -> Result<u64, DiskError>;

    /// Whether it has no bytes.
    fn is_empty(&self) -> Result<bool, DiskError> {
        Ok(self.len()? == 0)
    }

    /// Reads at `offset` into `buf` until `buf` is full or the file ends; returns how much.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError>;

    /// Writes all of `data` at `offset`; a gap before it reads as zeros.
    fn write_at(&self, data: &[u8], offset: u64) -> Result<(), DiskError>;

    /// Cuts or extends (with zeros) to `len` bytes.
    fn set_len(&self, len: u64) -> Result<(), DiskError>;

    /// Makes data and length durable (`fdatasync`).
    fn sync(&self) -> Result<(), DiskError>;
}

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it must exist.
    Write,
    /// For reading and writing; empty, new or not.
    Create,
}

/// Holds a directory until dropped; see [`Disk::lock`].
pub struct Lock(
    #[expect(dead_code, reason = "dropping it is all there is to it")] Box<dyn Any + Send + Sync>,
);

impl Lock {
    /// A lock that lasts as long as `guard`.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

/// An operation that failed.
#[derive(Debug, Clone)]
pub struct DiskError {
    /// What was tried.
    pub op: DiskOp,
    /// On which file or directory.
    pub path: PathBuf,
    /// What the system said.
    pub cause: Arc<io::Error>,
}

/// Names of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiskOp {
    /// [`Disk::list`]
    List,
    /// [`Disk::create_dir`]
    CreateDir,
    /// [`Disk::open`] of an existing file
    Open,
    /// [`Disk::open`] of a new or emptied file
    Create,
    /// [`Disk::rename`]
    Rename,
    /// [`Disk::remove`]
    Remove,
    /// [`Disk::sync_dir`]
    SyncDir,
    /// [`Disk::lock`]
    Lock,
    /// [`File::len`]
    Len,
    /// [`File::read_at`]
    Read,
    /// [`File::write_at`]
    Write,
    /// [`File::set_len`]
    SetLen,
    /// [`File::sync`]
    Sync,
}

impl DiskError {
    /// An operation on `path` failed for `cause`.
    pub fn new(op: DiskOp, path: impl Into<PathBuf>, cause: io::Error) -> Self {
        Self {
            op,
            path: path.into(),
            cause: Arc::new(cause),
        }
    }

    /// Whether the file or directory is not there.
    pub fn is_not_found(&self) -> bool {
        self.cause.kind() == io::ErrorKind::NotFound
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.op {
            DiskOp::List => "list",
            DiskOp::CreateDir => "create directory",
            DiskOp::Open => "open",
            DiskOp::Create => "create",
            DiskOp::Rename => "rename",
            DiskOp::Remove => "remove",
            DiskOp::SyncDir => "sync directory",
            DiskOp::Lock => "lock",
            DiskOp::Len => "get the length of",
            DiskOp::Read => "read",
            DiskOp::Write => "write",
            DiskOp::SetLen => "set the length of",
            DiskOp::Sync => "sync",
        };
        write!(f, "cannot {what} {}: {}", self.path.display(), self.cause)
    }
}

impl std::error::Error for DiskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.cause)
    }
}

/// Replaces `dir`/`name` by `content` so that after a crash either the old or the new file is
/// there, and durably the new one once this has returned. `temporary` is a name in `dir` that no
/// reader looks at.
pub(crate) fn replace_file(
    disk: &dyn Disk,
    dir: &Path,
    name: &str,
    temporary: &str,
    content: &[u8],
) -> Result<(), DiskError> {
    let temporary = dir.join(temporary);
    let file = disk.open(&temporary, OpenMode::Create)?;
    file.write_at(content, 0)?;
    file.sync()?;
    drop(file);
    disk.rename(&temporary, &dir.join(name))?;
    disk.sync_dir(dir)
}

/// The first `limit` bytes of a file, or `None` if it does not exist.
pub(crate) fn read_small(
    disk: &dyn Disk,
    path: &Path,
    limit: usize,
) -> Result<Option<Vec<u8>>, DiskError> {
    let file = match disk.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let len = usize::try_from(file.len()?).unwrap_or(limit).min(limit);
    let mut content = vec![0; len];
    let read = file.read_at(&mut content, 0)?;
    content.truncate(read);
    Ok(Some(content))
}
