//! The two promises of a member: `acceptedEpoch` and `currentEpoch`, a decimal number each, in
//! the directory of the snapshots. Source: `QuorumPeer.loadDataBase`, `writeLongToFile`.
//!
//! A Java server reads the first line only. A second line is ours: a checksum of the first, and
//! whether a [`mark`](crate::mark) is kept beside the log. So a digit that rotted is noticed, a
//! missing mark is noticed, and a file without the line tells that a Java server has set the
//! epoch since.

use crate::disk::{self, Disk, DiskError};
use grevy_proto::{Epoch, Zxid};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files longer than this hold no epoch.
const MAX_LEN: usize = 256;
const OURS: &str = "grevy";

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochFile {
    /// The newest epoch in which this server has promised to follow a leader.
    Accepted,
    /// The epoch of the leader that its history comes from.
    Current,
}

impl EpochFile {
    /// The file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "acceptedEpoch",
            Self::Current => "currentEpoch",
        }
    }

    fn temporary(self) -> &'static str {
        match self {
            Self::Accepted => "acceptedEpoch.tmp",
            Self::Current => "currentEpoch.tmp",
        }
    }
}

/// What a server has promised, in memory and on disk.
pub struct Epochs {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    accepted: Epoch,
    current: Epoch,
    /// Whether a mark is kept beside the log.
    marked: bool,
    /// Files that say that nothing was ever promised.
    initialize: Vec<PathBuf>,
}

/// An epoch that stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) epoch: Epoch,
    /// `None`: a Java server wrote it.
    pub(crate) marked: Option<bool>,
}

/// Why an epoch was not read or written.
#[derive(Debug, Clone)]
pub enum EpochError {
    /// The disk failed.
    Disk(DiskError),
    /// The file does not hold a number, or not the one that was written.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it holds.
        content: String,
    },
    /// A promise would be taken back.
    Decrease {
        /// Which one.
        file: EpochFile,
        /// What stands.
        from: Epoch,
        /// What was asked for.
        to: Epoch,
    },
}

impl fmt::Display for EpochError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::Damaged { path, content } => {
                write!(f, "{} is damaged: it holds {content:?}", path.display())
            }
            Self::Decrease { file, from, to } => write!(
                f,
                "{} cannot go back from {} to {}",
                file.name(),
                from.0,
                to.0
            ),
        }
    }
}

impl std::error::Error for EpochError {}

impl From<DiskError> for EpochError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl Epochs {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        accepted: Epoch,
        current: Epoch,
        marked: bool,
    ) -> Self {
        Self {
            disk,
            dir,
            accepted,
            current,
            marked,
            initialize: Vec::new(),
        }
    }

    /// These files say that nothing was ever promised.
    pub(crate) fn remove_with_first_promise(&mut self, initialize: Vec<PathBuf>) {
        self.initialize = initialize;
    }

    /// The newest epoch in which this server has promised to follow a leader.
    pub fn accepted(&self) -> Epoch {
        self.accepted
    }

    /// The epoch of the leader that this server's history comes from.
    pub fn current(&self) -> Epoch {
        self.current
    }

    /// Makes a new promise durable. The same epoch again is written again.
    pub fn set_accepted(&mut self, epoch: Epoch) -> Result<(), EpochError> {
        self.check(EpochFile::Accepted, self.accepted, epoch)?;
        while let Some(file) = self.initialize.last() {
            match self.disk.remove(file) {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {}
            }
            if let Some(dir) = file.parent() {
                self.disk.sync_dir(dir)?;
            }
            self.initialize.pop();
        }
        self.write(EpochFile::Accepted, epoch)?;
        self.accepted = epoch;
        Ok(())
    }

    /// Makes it durable that the history is now that of the leader of `epoch`.
    pub fn set_current(&mut self, epoch: Epoch) -> Result<(), EpochError> {
        self.check(EpochFile::Current, self.current, epoch)?;
        self.write(EpochFile::Current, epoch)?;
        self.current = epoch;
        Ok(())
    }

    /// Makes up for the step that the end of a server came before: the history is taken over
    /// first, then its epoch is entered. A Java server would not start on a history that is ahead
    /// of `currentEpoch` (ZOOKEEPER-1653). Without the promise the history is not complete, and
    /// nothing is done.
    pub fn catch_up(&mut self, last: Zxid) -> Result<(), EpochError> {
        let reached = last.max(Zxid::ZERO).epoch();
        match reached > self.current && reached <= self.accepted {
            true => self.set_current(reached),
            false => Ok(()),
        }
    }

    /// Writes both files as they are in memory, the accepted epoch first, so that it is never
    /// the smaller one.
    pub(crate) fn write_both(&self) -> Result<(), DiskError> {
        self.write(EpochFile::Accepted, self.accepted)?;
        self.write(EpochFile::Current, self.current)
    }

    /// Says from now on whether a mark is kept.
    pub(crate) fn set_marked(&mut self, marked: bool) {
        self.marked = marked;
    }

    fn check(&self, file: EpochFile, from: Epoch, to: Epoch) -> Result<(), EpochError> {
        match to < from {
            true => Err(EpochError::Decrease { file, from, to }),
            false => Ok(()),
        }
    }

    fn write(&self, file: EpochFile, epoch: Epoch) -> Result<(), DiskError> {
        let content = encode(file, epoch, self.marked);
        disk::replace_file(
            &*self.disk,
            &self.dir,
            file.name(),
            file.temporary(),
            content.as_bytes(),
        )
    }
}

/// Reads an epoch; `None` if there is no such file.
pub(crate) fn read(
    disk: &dyn Disk,
    dir: &Path,
    file: EpochFile,
) -> Result<Option<Stored>, EpochError> {
    read_from(disk, &dir.join(file.name()), file)
}

/// Reads the epoch that was about to become the current one when the server stopped.
pub(crate) fn read_unfinished(disk: &dyn Disk, dir: &Path) -> Result<Option<Stored>, EpochError> {
    let file = EpochFile::Current;
    match read_from(disk, &dir.join(file.temporary()), file) {
        // Not whole, so it never counted.
        Err(EpochError::Damaged { .. }) => Ok(None),
        other => other,
    }
}

fn read_from(disk: &dyn Disk, path: &Path, file: EpochFile) -> Result<Option<Stored>, EpochError> {
    let Some(content) = disk::read_small(disk, path, MAX_LEN)? else {
        return Ok(None);
    };
    let content = String::from_utf8_lossy(&content);
    match decode(file, &content) {
        Some(stored) => Ok(Some(stored)),
        None => Err(EpochError::Damaged {
            path: path.into(),
            content: content.into_owned(),
        }),
    }
}

fn encode(file: EpochFile, epoch: Epoch, marked: bool) -> String {
    format!("{}\n{}\n", epoch.0, second_line(file, epoch, marked))
}

fn second_line(file: EpochFile, epoch: Epoch, marked: bool) -> String {
    let marked = match marked {
        true => "marked",
        false => "unmarked",
    };
    let covered = format!("{} {} {marked}", file.name(), epoch.0);
    format!(
        "{OURS} {marked} {:08x}",
        crc32fast::hash(covered.as_bytes())
    )
}

fn decode(file: EpochFile, content: &str) -> Option<Stored> {
    let mut lines = content.lines();
    let epoch = match lines.next()?.parse::<i64>().ok()? {
        // What a Java server writes that starts with nothing and is not allowed to create it.
        -1 => Epoch(0),
        epoch => Epoch(u32::try_from(epoch).ok()?),
    };
    let rest: Vec<&str> = lines.collect();
    let marked = match rest[..] {
        [] => None,
        [line] if line == second_line(file, epoch, true) => Some(true),
        [line] if line == second_line(file, epoch, false) => Some(false),
        _ => return None,
    };
    Some(Stored { epoch, marked })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MemDisk;

    const DIR: &str = "/data";

    fn scene() -> (MemDisk, Epochs) {
        let disk = MemDisk::new();
        disk.create_dir(Path::new(DIR)).unwrap();
        let epochs = Epochs::new(disk.shared(), DIR.into(), Epoch(4), Epoch(3), true);
        epochs.write_both().unwrap();
        (disk, epochs)
    }

    fn stored(disk: &MemDisk, file: EpochFile) -> Option<Stored> {
        read(disk, Path::new(DIR), file).ok()?
    }

    #[test]
    fn a_java_server_finds_its_number_in_the_first_line() {
        let (disk, _) = scene();
        let content = disk.content("/data/acceptedEpoch").unwrap();
        assert_eq!(content.split(|&byte| byte == b'\n').next(), Some(&b"4"[..]));
    }

    #[test]
    fn what_a_java_server_wrote_is_read() {
        for (content, expected) in [
            ("5", Some(5)),
            ("5\n", Some(5)),
            ("0", Some(0)),
            ("-1", Some(0)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("", None),
            ("\n5", None),
            (" 5", None),
            ("5x", None),
            ("-2", None),
            ("5\n6", None),
        ] {
            let (disk, _) = scene();
            disk.put("/data/currentEpoch", content.as_bytes());
            let expected = expected.map(|epoch| Stored {
                epoch: Epoch(epoch),
                marked: None,
            });
            assert_eq!(stored(&disk, EpochFile::Current), expected, "{content:?}");
        }
    }

    #[test]
    fn an_orderly_end_leaves_what_a_java_server_starts_with() {
        for (last, expected) in [(3, 3), (4, 4), (5, 3), (2, 3)] {
            let (disk, mut epochs) = scene();
            epochs.catch_up(Zxid::new(Epoch(last), 1)).unwrap();
            let found = stored(&disk, EpochFile::Current).unwrap().epoch;
            assert_eq!(found, Epoch(expected), "{last}");
        }
    }

    #[test]
    fn promises_only_grow_and_survive_every_crash() {
        let ops = {
            let (disk, mut epochs) = scene();
            let before = disk.ops();
            epochs.set_accepted(Epoch(7)).unwrap();
            assert!(epochs.set_accepted(Epoch(6)).is_err());
            disk.ops() - before
        };
        for op in 0..=ops {
            for seed in 0..20 {
                let (disk, mut epochs) = scene();
                disk.crash_at(disk.ops() + op);
                let done = epochs.set_accepted(Epoch(7)).is_ok();
                disk.crash(seed);
                let found = stored(&disk, EpochFile::Accepted).unwrap().epoch;
                let allowed = match done {
                    true => &[Epoch(7)][..],
                    false => &[Epoch(4), Epoch(7)],
                };
                assert!(allowed.contains(&found), "{op} {seed}: {found:?}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let (disk, _) = scene();
        let len = disk.content("/data/currentEpoch").unwrap().len();
        for bit in 0..len * 8 {
            let rotten = disk.fork();
            rotten.flip_bit("/data/currentEpoch", bit);
            let found = stored(&rotten, EpochFile::Current);
            let harmless = Stored {
                epoch: Epoch(3),
                marked: Some(true),
            };
            assert!(found.is_none_or(|found| found == harmless), "bit {bit}");
        }
    }
}
