//! Appends to the log.

use super::blocks::Blocks;
use super::{LogOptions, record};
use crate::disk::{BLOCK, Disk, DiskError, DiskOp, File, OpenMode};
use crate::header;
use crate::mark::{End, Mark, MarkFile};
use crate::names;
use grevy_proto::Zxid;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Java writes ahead when this little room is left, in bytes.
const MARGIN: u64 = 4096;

/// The transaction log of a server, for one thread: [`append`](Self::append) what has queued,
/// then [`commit`](Self::commit) it with one write and one sync, then acknowledge.
///
/// After the first failure of the disk it refuses everything with the same error: what a failed
/// sync covered may be lost although a later one succeeds.
pub struct Log {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) options: LogOptions,
    pub(super) active: Option<Active>,
    /// `None` without `forceSync`.
    pub(super) mark: Option<MarkFile>,
    /// The last durable transaction.
    pub(super) last: Zxid,
    /// The last appended one, and the first since the last commit.
    pub(super) appended: Zxid,
    first_pending: Zxid,
    records: u64,
    /// Records since the last commit; before them the header, if they begin a file, or what the
    /// file's last block has.
    pub(super) buf: Blocks,
    /// Where the file before ends, until the next one is begun.
    pub(super) closed: Option<End>,
    failed: Option<LogError>,
}

/// The file being appended to.
pub(super) struct Active {
    pub(super) file: Box<dyn File>,
    pub(super) name: Zxid,
    /// The end of its last record.
    pub(super) end: u64,
    /// Its length, with the zeros ahead.
    allocated: u64,
}

/// Where a log goes on after recovery.
pub(crate) struct Resume {
    /// The newest file, by the zxid in its name, and the end of its last record.
    pub(crate) file: Option<(Zxid, u64)>,
    /// The last transaction of the history.
    pub(crate) last: Zxid,
    /// Where older files end.
    pub(crate) ends: Vec<End>,
}

/// What a commit made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The last durable transaction.
    pub zxid: Zxid,
    /// Transactions that became durable.
    pub records: u64,
    /// Bytes of their records.
    pub bytes: u64,
}

/// Why a log refuses.
#[derive(Debug, Clone)]
pub enum LogError {
    /// The disk failed, now or earlier. Nothing can be made durable any more; the server must
    /// stop, and recover what is there when it starts again.
    Disk(DiskError),
    /// A transaction does not follow the one before it. Nothing was appended.
    OutOfOrder {
        /// The last one appended.
        last: Zxid,
        /// The one refused.
        next: Zxid,
    },
    /// An entry is shorter than its header, or longer than `jute.maxbuffer` and its extra allow.
    /// Nothing was appended. A server sees to it that it is never asked to.
    Length {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The header in an entry does not carry the zxid that it was appended under. Nothing was
    /// appended.
    Header {
        /// That zxid.
        zxid: Zxid,
    },
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(
                f,
                "the transaction log has stopped, because it {error}; check the disk, then \
                 restart the server"
            ),
            Self::OutOfOrder { last, next } => {
                write!(f, "transaction {next} cannot follow {last} in the log")
            }
            Self::Length { len, limit } => write!(
                f,
                "a transaction of {len} bytes cannot be logged, where jute.maxbuffer and \
                 jute.maxbuffer.extrasize together allow {limit}"
            ),
            Self::Header { zxid } => {
                write!(f, "the entry given as transaction {zxid} is another one")
            }
        }
    }
}

impl std::error::Error for LogError {}

impl From<DiskError> for LogError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// Whether `next` may stand behind `last`: the next of its epoch, or the first of a later one.
pub fn follows(last: Zxid, next: Zxid) -> bool {
    next == last.next() || (next.epoch() > last.epoch() && next.counter() == 1)
}

impl Active {
    /// Cuts off, durably, what follows the records.
    pub(super) fn cut(&mut self) -> Result<(), DiskError> {
        self.file.set_len(self.end)?;
        self.file.sync()?;
        self.allocated = self.end;
        Ok(())
    }
}

/// What the block in which the records of the file `path` end has before that, at `end`. It is
/// written anew with what follows.
fn last_block(disk: &dyn Disk, path: &Path, end: u64) -> Result<Vec<u8>, DiskError> {
    let begin = end - end % BLOCK as u64;
    let mut held = vec![0; (end - begin) as usize];
    if !held.is_empty() && disk.open(path, OpenMode::Read)?.read_at(&mut held, begin)? < held.len()
    {
        let cause = ErrorKind::UnexpectedEof.into();
        return Err(DiskError::new(DiskOp::Read, path, cause));
    }
    Ok(held)
}

impl Log {
    /// Goes on where recovery left off. Writes a new mark file.
    pub(crate) fn resume(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        options: LogOptions,
        resume: Resume,
    ) -> Result<Self, DiskError> {
        let mut log = Self {
            disk,
            dir,
            options,
            active: None,
            mark: None,
            last: resume.last,
            appended: resume.last,
            first_pending: resume.last,
            records: 0,
            buf: Blocks::default(),
            closed: None,
            failed: None,
        };
        if let Some((name, end)) = resume.file {
            log.go_on_with(name, end)?;
        }
        if log.options.force_sync {
            log.write_mark_file(&resume.ends)?;
        }
        Ok(log)
    }

    /// The last durable transaction; of a log without records, that of the snapshot below it.
    pub fn last_zxid(&self) -> Zxid {
        self.last
    }

    /// Bytes of records in the newest file, with its header.
    pub fn file_bytes(&self) -> u64 {
        self.active.as_ref().map_or(0, |active| active.end)
    }

    /// Bytes appended and not yet committed.
    pub fn pending_bytes(&self) -> usize {
        self.buf.pending()
    }

    /// Appends a transaction, in memory. `entry` begins with a header that carries `zxid`.
    pub fn append(&mut self, zxid: Zxid, entry: &[u8]) -> Result<(), LogError> {
        self.check()?;
        if !follows(self.appended, zxid) {
            return Err(LogError::OutOfOrder {
                last: self.appended,
                next: zxid,
            });
        }
        let limit = self.options.max_entry;
        if !(record::MIN_ENTRY..=limit).contains(&entry.len()) {
            return Err(LogError::Length {
                len: entry.len(),
                limit,
            });
        }
        if record::zxid(entry) != Some(zxid) {
            return Err(LogError::Header { zxid });
        }
        if self.records == 0 {
            self.first_pending = zxid;
            if self.active.is_none() {
                let header = header::log_header();
                self.buf.room(header.len()).extend_from_slice(&header);
            }
        }
        record::put(entry, self.buf.room(entry.len() + record::FRAME));
        self.appended = zxid;
        self.records += 1;
        Ok(())
    }

    /// Makes durable all that was appended. How long this took is for the caller to measure
    /// (`fsync.warningthresholdms`).
    pub fn commit(&mut self) -> Result<Committed, LogError> {
        self.check()?;
        if self.records == 0 {
            return Ok(Committed {
                zxid: self.last,
                records: 0,
                bytes: 0,
            });
        }
        let done = self.write_out();
        self.sticky(done)
    }

    /// Lets the next transaction begin a new file, after committing what is pending. Done before
    /// a snapshot, so that older files can be purged with older snapshots.
    pub fn roll(&mut self) -> Result<(), LogError> {
        self.commit()?;
        if let Some(active) = self.active.take() {
            self.end_file(&active);
        }
        Ok(())
    }

    /// The next transaction begins another file than `active`.
    fn end_file(&mut self, active: &Active) {
        self.buf.hold(&[]);
        self.closed = Some(End {
            file: active.name,
            offset: active.end,
            zxid: self.last,
        });
    }

    /// Appends to the file `name`, of which the records end at `end`.
    pub(super) fn go_on_with(&mut self, name: Zxid, end: u64) -> Result<(), DiskError> {
        let path = self.dir.join(names::log(name));
        let held = last_block(&*self.disk, &path, end)?;
        let file = self.open_file(&path, OpenMode::Write)?;
        let allocated = file.len()?;
        self.buf.hold(&held);
        self.active = Some(Active {
            file,
            name,
            end,
            allocated,
        });
        Ok(())
    }

    /// Makes the mark durable: cheap when it is already. For idle moments, so that a power cut
    /// later finds a mark that covers all that was acknowledged.
    pub fn sync_mark(&mut self) -> Result<(), LogError> {
        self.check()?;
        let done = match &mut self.mark {
            Some(mark) => mark.sync(),
            None => Ok(()),
        };
        self.sticky(done)
    }

    /// Commits what is pending and leaves everything durable, for an orderly stop.
    pub fn close(mut self) -> Result<(), LogError> {
        self.commit()?;
        self.sync_mark()
    }

    fn write_out(&mut self) -> Result<Committed, DiskError> {
        let begins = self.active.is_none();
        let mut active = match self.active.take() {
            Some(active) => active,
            None => self.begin_file()?,
        };
        let bytes = self.buf.pending();
        let kept = self.buf.held() + bytes;
        let begin = active.end - self.buf.held() as u64;
        let end = active.end + bytes as u64;
        let ahead = match end + MARGIN > active.allocated {
            true => self.options.preallocate.min(LogOptions::MAX_PREALLOCATION),
            false => 0,
        };
        let blocks = self.buf.pad(ahead as usize);
        active.file.write_at(blocks, begin)?;
        active.allocated = active.allocated.max(begin + blocks.len() as u64);
        if self.options.force_sync {
            active.file.sync()?;
            if begins {
                self.disk.sync_dir(&self.dir)?;
            }
        }
        active.end = end;
        if let Some(mark) = &mut self.mark {
            mark.set(Mark {
                file: Some(active.name),
                offset: end,
                zxid: self.appended,
            })?;
        }
        let committed = Committed {
            zxid: self.appended,
            records: self.records,
            bytes: bytes as u64,
        };
        self.last = self.appended;
        self.records = 0;
        self.buf.written(kept);
        self.buf
            .shrink_to(4 * LogOptions::MAX_PREALLOCATION as usize);
        match self.options.size_limit.is_some_and(|limit| end > limit) {
            true => self.end_file(&active),
            false => self.active = Some(active),
        }
        Ok(committed)
    }

    /// Creates the file that the first pending transaction gives its name. The mark goes first.
    fn begin_file(&mut self) -> Result<Active, DiskError> {
        let name = self.first_pending;
        if let Some(mark) = &mut self.mark {
            let begun = Mark {
                file: Some(name),
                offset: 0,
                zxid: self.last,
            };
            mark.begin_file(begun, self.closed.take())?;
        }
        let path = self.dir.join(names::log(name));
        Ok(Active {
            file: self.open_file(&path, OpenMode::Create)?,
            name,
            end: 0,
            allocated: 0,
        })
    }

    fn open_file(&self, path: &Path, mode: OpenMode) -> Result<Box<dyn File>, DiskError> {
        match self.options.force_sync {
            true => self.disk.open_blocks(path, mode),
            false => self.disk.open(path, mode),
        }
    }

    /// Writes the mark file anew from what is durable now.
    pub(super) fn write_mark_file(&mut self, ends: &[End]) -> Result<(), DiskError> {
        let mark = Mark {
            file: self.active.as_ref().map(|active| active.name),
            offset: self.file_bytes(),
            zxid: self.last,
        };
        self.mark = Some(MarkFile::create(&*self.disk, &self.dir, mark, ends)?);
        Ok(())
    }

    /// Forgets what is appended and not committed.
    pub(super) fn discard_pending(&mut self) {
        self.buf.discard_pending();
        self.records = 0;
        self.appended = self.last;
    }

    pub(super) fn check(&self) -> Result<(), LogError> {
        match &self.failed {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    pub(super) fn sticky<T>(&mut self, done: Result<T, DiskError>) -> Result<T, LogError> {
        done.map_err(|error| {
            let error = LogError::Disk(error);
            self.failed = Some(error.clone());
            error
        })
    }

    /// The directory of the logs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}
