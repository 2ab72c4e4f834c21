//! Reads the logs behind a snapshot and judges how each ends.

use super::{Damage, Note, Recover, RecoveryError};
use crate::disk::{Disk, DiskError};
use crate::log::{Ending, Flaw, LogReader, LogRecord, Step, follows};
use crate::mark::{End, Mark};
use crate::names;
use grevy_proto::Zxid;
use std::path::{Path, PathBuf};

/// What is known before reading.
pub(super) struct Logs<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) dir: &'a Path,
    /// The zxids in the names, ascending.
    pub(super) files: &'a [Zxid],
    pub(super) mark: Option<Mark>,
    pub(super) ends: &'a [End],
    /// A Java server has established an epoch since the mark was made, so it may have cut logs.
    pub(super) java_since: bool,
    /// Cut an unmarked tail even if something intact stands behind the damage.
    pub(super) cut_unmarked: bool,
    /// A longer entry that counts is a reason not to start.
    pub(super) max_entry: usize,
}

/// What was found, and what must be done on disk before going on.
#[derive(Debug)]
pub(super) struct Replayed {
    /// The last transaction.
    pub(super) last: Zxid,
    pub(super) txns: u64,
    /// The files that were read, oldest first, and how far each counts.
    pub(super) files: Vec<ReadFile>,
    /// Files without a whole record at the end.
    pub(super) removable: Vec<Zxid>,
    pub(super) notes: Vec<Note>,
}

#[derive(Debug)]
pub(super) struct ReadFile {
    pub(super) end: End,
    /// From here on it may not be durable yet: it was not behind a mark.
    pub(super) durable: u64,
    /// Its length must become `end.offset`.
    pub(super) cut: bool,
}

/// How far a file is known to reach.
#[derive(Clone, Copy)]
enum Known {
    /// Exactly so far: nothing was written to it any more.
    Closed(End),
    /// At least so far; what follows was on its way. 0: nothing is known of it.
    Marked(Mark),
    /// Somebody else wrote it.
    Unmarked,
}

impl Logs<'_> {
    /// Hands every transaction above `base` to `visitor`.
    pub(super) fn replay(
        &self,
        base: Zxid,
        visitor: &mut dyn Recover,
    ) -> Result<Replayed, RecoveryError> {
        let start = self.files.iter().rposition(|&file| file <= base);
        let files = self.files.get(start.unwrap_or(0)..).unwrap_or_default();
        self.check_present(base, files)?;
        let mut removable = Vec::new();
        let files = self.without_empty_tail(base, files, &mut removable)?;
        let mut notes = Vec::new();
        let mut run = Run {
            visitor,
            base,
            last: base,
            seen: None,
            txns: 0,
        };
        for &file in &removable {
            let path = self.path(file);
            notes.push(Note::LogRemoved { path });
        }
        let mut read = Vec::new();
        for (i, &file) in files.iter().enumerate() {
            let later = files.get(i + 1..).unwrap_or_default();
            read.push(self.read_file(file, later, &mut run, &mut notes)?);
        }
        Ok(Replayed {
            last: run.last,
            txns: run.txns,
            files: read,
            removable,
            notes,
        })
    }

    /// No file may be missing that holds something above `base`.
    fn check_present(&self, base: Zxid, files: &[Zxid]) -> Result<(), RecoveryError> {
        if self.java_since {
            return Ok(());
        }
        let marked = self.mark.and_then(|mark| {
            let file = mark.file.filter(|_| mark.offset > 0)?;
            Some((file, mark.zxid))
        });
        let ended = self.ends.iter().map(|end| (end.file, end.zxid));
        for (file, zxid) in ended.chain(marked) {
            if zxid > base && !files.contains(&file) {
                return Err(self.damage(file, 0, Damage::Missing));
            }
        }
        Ok(())
    }

    /// Leaves out the files at the end that hold no whole record: a crash came before their first
    /// one was whole.
    fn without_empty_tail<'f>(
        &self,
        base: Zxid,
        mut files: &'f [Zxid],
        removable: &mut Vec<Zxid>,
    ) -> Result<&'f [Zxid], RecoveryError> {
        while let Some((&file, before)) = files.split_last() {
            let mut reader = self.reader(file)?;
            let Step::End(ending) = reader.read()? else {
                break;
            };
            let known = self.known(file);
            if let Some(required) = known.required()
                && known.zxid() > base
                && !(self.java_since && ending.flaw.is_none())
            {
                return Err(self.ends_early(file, ending, required));
            }
            if let Some(flaw) = ending.flaw {
                self.check_unmarked(file, &mut reader, known, flaw, Zxid(i64::MIN))?;
            }
            removable.push(file);
            files = before;
        }
        Ok(files)
    }

    fn read_file(
        &self,
        file: Zxid,
        later: &[Zxid],
        run: &mut Run<'_>,
        notes: &mut Vec<Note>,
    ) -> Result<ReadFile, RecoveryError> {
        let known = self.known(file);
        let mut reader = self.reader(file)?;
        let mut at = 0;
        let ending = loop {
            if let Known::Closed(end) = known
                && at == end.offset
            {
                let cut = later.is_empty();
                return Ok(run.read_file(file, at, at, cut));
            }
            match reader.read()? {
                Step::Record(record) => {
                    self.check_place(file, known, &record)?;
                    let (offset, len) = (record.offset, record.entry.len());
                    if len > self.max_entry && record.zxid > run.base {
                        return Err(self.too_long(file, offset, len, reader, later));
                    }
                    at = record.end;
                    run.take(&record)
                        .map_err(|what| self.damage(file, record.offset, what))?;
                }
                Step::End(ending) => break ending,
            }
        };
        let required = known.required().unwrap_or(0);
        if at < required {
            if !self.java_since || ending.flaw.is_some() {
                return Err(self.ends_early(file, ending, required));
            }
            notes.push(Note::CutByJava {
                path: self.path(file),
                offset: ending.offset,
            });
        }
        let durable = required.min(ending.offset);
        let Some(flaw) = ending.flaw else {
            let cut = later.is_empty() && !matches!(known, Known::Marked(_));
            return Ok(run.read_file(file, ending.offset, durable, cut));
        };
        if let Some(next) = self.first_record(later)? {
            let last = run.seen.unwrap_or(run.base);
            if next != last.next() && next.epoch() <= last.epoch() {
                return Err(self.damage(file, ending.offset, Damage::Flaw(flaw)));
            }
            notes.push(Note::TornBeforeNext {
                path: self.path(file),
                offset: ending.offset,
                flaw,
            });
            return Ok(run.read_file(file, ending.offset, durable, false));
        }
        self.check_unmarked(file, &mut reader, known, flaw, run.last)?;
        notes.push(Note::TailCut {
            path: self.path(file),
            offset: ending.offset,
            flaw,
            bytes: reader.file_len() - ending.offset,
        });
        Ok(run.read_file(file, ending.offset, durable, true))
    }

    /// A record must not reach across the place where records are known to end, and what ends
    /// there must be what was known to.
    fn check_place(
        &self,
        file: Zxid,
        known: Known,
        record: &LogRecord<'_>,
    ) -> Result<(), RecoveryError> {
        let Some(required) = known.required() else {
            return Ok(());
        };
        let across = record.offset < required && record.end > required;
        let expected = known.zxid();
        if across || (record.end == required && record.zxid != expected) {
            let found = record.zxid;
            let what = Damage::Misplaced { expected, found };
            return Err(self.damage(file, record.offset, what));
        }
        Ok(())
    }

    /// In a file that somebody else wrote, something intact behind the damage is a reason to ask.
    fn check_unmarked(
        &self,
        file: Zxid,
        reader: &mut LogReader,
        known: Known,
        flaw: Flaw,
        last: Zxid,
    ) -> Result<(), RecoveryError> {
        if !matches!(known, Known::Unmarked) || self.cut_unmarked {
            return Ok(());
        }
        match reader.intact_behind(last)? {
            Some(at) => Err(self.damage(file, reader.offset(), Damage::IntactBehind(flaw, at))),
            None => Ok(()),
        }
    }

    fn first_record(&self, files: &[Zxid]) -> Result<Option<Zxid>, DiskError> {
        for &file in files {
            if let Step::Record(record) = self.reader(file)?.read()? {
                return Ok(Some(record.zxid));
            }
        }
        Ok(None)
    }

    fn known(&self, file: Zxid) -> Known {
        if let Some(mark) = self.mark.filter(|mark| mark.file == Some(file)) {
            // A file that was only about to be begun may be another server's of the same name.
            return match mark.offset == 0 && self.java_since {
                true => Known::Unmarked,
                false => Known::Marked(mark),
            };
        }
        match self.ends.iter().find(|end| end.file == file) {
            Some(end) => Known::Closed(*end),
            None => Known::Unmarked,
        }
    }

    /// The record in `file` exceeds the limit. Says also how long the longest one is, there and in
    /// later files, so that no start after this one fails for the next.
    fn too_long(
        &self,
        file: Zxid,
        offset: u64,
        len: usize,
        mut reader: LogReader,
        later: &[Zxid],
    ) -> RecoveryError {
        let mut longest = len;
        let mut measure = |reader: &mut LogReader| {
            while let Ok(Step::Record(record)) = reader.read() {
                longest = longest.max(record.entry.len());
            }
        };
        measure(&mut reader);
        for reader in later.iter().map(|&file| self.reader(file)) {
            reader
                .into_iter()
                .for_each(|mut reader| measure(&mut reader));
        }
        RecoveryError::TooLong {
            path: self.path(file),
            offset,
            len,
            limit: self.max_entry,
            longest,
        }
    }

    fn ends_early(&self, file: Zxid, ending: Ending, required: u64) -> RecoveryError {
        let what = match ending.flaw {
            Some(flaw) => Damage::Flaw(flaw),
            None => Damage::EndsEarly(required),
        };
        self.damage(file, ending.offset, what)
    }

    fn damage(&self, file: Zxid, offset: u64, what: Damage) -> RecoveryError {
        RecoveryError::Log {
            path: self.path(file),
            offset,
            what,
        }
    }

    fn reader(&self, file: Zxid) -> Result<LogReader, DiskError> {
        LogReader::open(self.disk, &self.path(file))
    }

    fn path(&self, file: Zxid) -> PathBuf {
        self.dir.join(names::log(file))
    }
}

impl Known {
    /// Where a record is known to end; `None` if nothing is known.
    fn required(self) -> Option<u64> {
        match self {
            Self::Closed(end) => Some(end.offset),
            Self::Marked(mark) => (mark.offset > 0).then_some(mark.offset),
            Self::Unmarked => None,
        }
    }

    /// Which record that is.
    fn zxid(self) -> Zxid {
        match self {
            Self::Closed(end) => end.zxid,
            Self::Marked(mark) => mark.zxid,
            Self::Unmarked => Zxid(i64::MIN),
        }
    }
}

/// A replay on its way.
struct Run<'a> {
    visitor: &'a mut dyn Recover,
    base: Zxid,
    /// The last transaction of the history so far.
    last: Zxid,
    /// The last record, also of those that the snapshot covers.
    seen: Option<Zxid>,
    txns: u64,
}

impl Run<'_> {
    fn take(&mut self, record: &LogRecord<'_>) -> Result<(), Damage> {
        let next = record.zxid;
        if let Some(last) = self.seen.filter(|&last| next <= last) {
            return Err(Damage::Backwards { last, next });
        }
        self.seen = Some(next);
        if next <= self.base {
            return Ok(());
        }
        if !follows(self.last, next) {
            let last = self.last;
            return Err(Damage::Hole { last, next });
        }
        self.visitor
            .txn(next, record.entry)
            .map_err(Damage::Content)?;
        self.last = next;
        self.txns += 1;
        Ok(())
    }

    fn read_file(&self, file: Zxid, end: u64, durable: u64, cut: bool) -> ReadFile {
        ReadFile {
            end: End {
                file,
                offset: end,
                zxid: self.seen.unwrap_or(self.base),
            },
            durable,
            cut,
        }
    }
}
