//! Takes transactions back off the end of the log.

use super::writer::follows;
use super::{Log, LogError, LogReader, Step};
use crate::disk::DiskError;
use crate::mark::{self, End, MarkFound};
use crate::names;
use grevy_proto::Zxid;
use std::fmt;

/// Why a log was not truncated.
#[derive(Debug, Clone)]
pub enum TruncateError {
    /// The log ends before that transaction: the leader knows something that this server does
    /// not. Nothing was changed; a snapshot is needed.
    Beyond {
        /// The last transaction here.
        last: Zxid,
    },
    /// No snapshot here with an unbroken log leads to that transaction, so the state at it could
    /// not be rebuilt. Nothing was changed; a snapshot is needed.
    NoWayThere,
    /// The disk failed, or had failed before. Truncating again after a restart is safe.
    Log(LogError),
}

impl fmt::Display for TruncateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beyond { last } => {
                write!(
                    f,
                    "the log ends at {last} already, before the point to cut at"
                )
            }
            Self::NoWayThere => f.write_str(
                "no snapshot with an unbroken log leads to the point to cut at; the state must \
                 come from the leader",
            ),
            Self::Log(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TruncateError {}

impl From<LogError> for TruncateError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl Log {
    /// Whether records lead from a snapshot at `from` to `to`, each following the one before.
    pub(crate) fn leads(&self, from: Zxid, to: Zxid) -> Result<bool, DiskError> {
        let files = self.files()?;
        let start = files.iter().rposition(|&file| file <= from).unwrap_or(0);
        let mut last = from;
        for &file in files.get(start..).unwrap_or_default() {
            if file > to {
                break;
            }
            let mut reader = self.reader(file)?;
            let end = self.end_of(file);
            while let Step::Record(record) = reader.read()? {
                if end.is_some_and(|end| record.end > end) || record.zxid > to {
                    break;
                }
                if record.zxid > from {
                    if !follows(last, record.zxid) {
                        return Ok(false);
                    }
                    last = record.zxid;
                }
            }
        }
        Ok(last == to)
    }

    /// Makes `to` the end of the history, where a durable snapshot stands or records lead:
    /// drops all records above it, and those that are appended and not committed. The next
    /// transaction may then be any that follows `to`.
    ///
    /// The order of the steps is such that a crash between them leaves a history that ends
    /// somewhere between `to` and where it ended.
    pub(crate) fn end_at(&mut self, to: Zxid) -> Result<(), LogError> {
        self.check()?;
        self.discard_pending();
        let done = self.cut_files(to);
        self.sticky(done)
    }

    fn cut_files(&mut self, to: Zxid) -> Result<(), DiskError> {
        let keep = self.find_cut(to)?;
        self.active = None;
        self.buf.hold(&[]);
        self.closed = None;
        self.last = to;
        self.appended = to;
        // The mark first: records that it vouches for must not be missing after a crash.
        let mut ends = self.known_ends()?;
        ends.retain(|end| keep.is_some_and(|(file, _)| end.file < file));
        if let Some((name, end)) = keep {
            self.go_on_with(name, end)?;
        }
        if self.mark.is_some() {
            self.write_mark_file(&ends)?;
        }
        // Then the newest first, so that no hole arises.
        let mut files = self.files()?;
        while let Some(file) = files.pop() {
            if keep.is_some_and(|(keep, _)| file <= keep) {
                break;
            }
            self.disk.remove(&self.dir.join(names::log(file)))?;
            self.disk.sync_dir(&self.dir)?;
        }
        if let Some(active) = &mut self.active {
            active.cut()?;
        }
        Ok(())
    }

    /// Where to cut: the file in which `to` is the last record to keep, and how much of it.
    /// `None`: nothing shows that the records there are belong to the history that ends at `to`,
    /// as when a leader's snapshot reaches further than they do. None of them may stay, or what
    /// follows `to` would seem to follow them.
    fn find_cut(&self, to: Zxid) -> Result<Option<(Zxid, u64)>, DiskError> {
        for &file in self.files()?.iter().rev() {
            if file > to {
                continue;
            }
            let mut reader = self.reader(file)?;
            let end = self.end_of(file);
            let mut kept = None;
            while let Step::Record(record) = reader.read()? {
                if record.zxid > to || end.is_some_and(|end| record.end > end) {
                    break;
                }
                kept = Some((record.end, record.zxid));
            }
            if let Some((offset, last)) = kept {
                return Ok((last == to).then_some((file, offset)));
            }
        }
        Ok(None)
    }

    /// What the mark file knows of files that are complete.
    fn known_ends(&self) -> Result<Vec<End>, DiskError> {
        Ok(match mark::read(&*self.disk, &self.dir)? {
            MarkFound::Whole(_, ends) => ends,
            MarkFound::Missing | MarkFound::Damaged => Vec::new(),
        })
    }

    /// The logs in the directory, oldest first.
    fn files(&self) -> Result<Vec<Zxid>, DiskError> {
        Ok(names::logs(&self.disk.list(&self.dir)?))
    }

    /// Where the file being written ends; nothing behind that counts.
    fn end_of(&self, file: Zxid) -> Option<u64> {
        let active = self.active.as_ref().filter(|active| active.name == file)?;
        Some(active.end)
    }

    fn reader(&self, file: Zxid) -> Result<LogReader, DiskError> {
        let path = self.dir.join(names::log(file));
        LogReader::open(&*self.disk, &path)
    }
}
