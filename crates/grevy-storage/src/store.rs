//! The directories of one server, opened.

use crate::disk::{Disk, DiskError, DiskOp, Lock};
use crate::epochs::Epochs;
use crate::log::{self, Entries, Log, LogError, LogOptions, TruncateError};
use crate::names::{self, Name};
use crate::purge::{self, Purged};
use crate::recovery::{self, Place, Recover, Recovered, RecoveryError, Rejected};
use crate::snapshot::{self, BodyParser, Compression, Fed, SnapshotError, SnapshotWriter};
use grevy_proto::{Epoch, Zxid};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All that ZooKeeper keeps lies in directories of this name below the configured ones.
const VERSION: &str = "version-2";
/// The marker that lets an empty server begin, written by `zkServer-initialize`.
const INITIALIZE: &str = "initialize";

/// The configured directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// `dataDir`: snapshots and epochs, in its `version-2`.
    pub data: PathBuf,
    /// `dataLogDir`: the log, in its `version-2`. May be the same.
    pub log: PathBuf,
}

impl Dirs {
    /// Everything below one directory.
    pub fn both(dir: impl Into<PathBuf>) -> Self {
        let data = dir.into();
        Self {
            log: data.clone(),
            data,
        }
    }

    /// Where snapshots and epoch files are.
    pub fn snapshots(&self) -> PathBuf {
        self.data.join(VERSION)
    }

    /// Where logs are.
    pub fn logs(&self) -> PathBuf {
        self.log.join(VERSION)
    }
}

/// How to open the directories. The names in quotes are ZooKeeper's settings.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// How to write the log.
    pub log: LogOptions,
    /// Create missing directories (`zookeeper.datadir.autocreate`).
    pub create_dirs: bool,
    /// Let a server without any data begin at zxid 0 (`zookeeper.db.autocreate`). Otherwise it
    /// may only with an `initialize` file, and comes up as
    /// [`Start::Unknown`](recovery::Start::Unknown) without.
    pub create_db: bool,
    /// Replay a log onto an empty tree (`zookeeper.snapshot.trust.empty`).
    pub trust_empty: bool,
    /// Cut a damaged end off a log that another server wrote, even if something intact stands
    /// behind the damage. For an operator who knows that the machine had lost power.
    pub cut_unmarked_tail: bool,
    /// The server is a member of an ensemble. If its history reaches into an epoch that it has
    /// not promised itself to, it was about to be filled by a leader, and must not stand for what
    /// it may have acknowledged before. Otherwise that is an error.
    pub member: bool,
    /// Start although the mark beside the log is gone or damaged. For an operator who knows that
    /// the log is complete.
    pub accept_lost_mark: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            log: LogOptions::default(),
            create_dirs: true,
            create_db: true,
            trust_empty: false,
            cut_unmarked_tail: false,
            member: false,
            accept_lost_mark: false,
        }
    }
}

/// A server's directories, held for this process. Clones share them.
#[derive(Clone)]
pub struct Store {
    disk: Arc<dyn Disk>,
    dirs: Dirs,
    options: OpenOptions,
    _locks: Arc<Vec<Lock>>,
}

/// What [`Store::open`] gives: each part may go to a thread of its own.
pub struct Opened {
    /// The directories.
    pub store: Store,
    /// The log, ready for the next transaction.
    pub log: Log,
    /// The promises.
    pub epochs: Epochs,
    /// What was found.
    pub recovered: Recovered,
}

impl Store {
    /// Takes the directories for this process and brings the history back; `visitor` builds the
    /// state.
    pub fn open(
        disk: Arc<dyn Disk>,
        dirs: Dirs,
        options: OpenOptions,
        visitor: &mut dyn Recover,
    ) -> Result<Opened, RecoveryError> {
        let (snapshots, logs) = (dirs.snapshots(), dirs.logs());
        if options.create_dirs {
            disk.create_dir(&snapshots)?;
            disk.create_dir(&logs)?;
        }
        let mut locks = vec![disk.lock(&snapshots)?];
        if logs != snapshots {
            locks.push(disk.lock(&logs)?);
        }
        let store = Self {
            disk,
            dirs,
            options,
            _locks: Arc::new(locks),
        };
        let (log, epochs, recovered) = store.recover(visitor)?;
        Ok(Opened {
            store,
            log,
            epochs,
            recovered,
        })
    }

    /// Brings the history back once more, after a truncation or because the state in memory is
    /// not to be trusted. The log and the epochs opened before must have been dropped.
    pub fn recover(
        &self,
        visitor: &mut dyn Recover,
    ) -> Result<(Log, Epochs, Recovered), RecoveryError> {
        let initialize = initialize_files(&*self.disk, &self.dirs)?;
        let place = Place {
            disk: &self.disk,
            snapshots: &self.dirs.snapshots(),
            logs: &self.dirs.logs(),
            initialize: !initialize.is_empty(),
            options: &self.options,
        };
        let (log, mut epochs, mut recovered) = recovery::recover(&place, visitor)?;
        let is_blank = recovered.start.zxid() == Zxid::ZERO && epochs.accepted() == Epoch(0);
        recovered.is_new = is_blank && !initialize.is_empty();
        if recovered.is_new {
            epochs.remove_with_first_promise(initialize);
        } else if let recovery::Start::History { .. } = recovered.start {
            self.remove_initialize_files()?;
        }
        Ok((log, epochs, recovered))
    }

    /// Begins a snapshot of the state at exactly `zxid`. Roll the log before taking one, so that
    /// older files can be purged.
    pub fn snapshot(
        &self,
        zxid: Zxid,
        compression: Compression,
    ) -> Result<SnapshotWriter, DiskError> {
        let dir = self.dirs.snapshots();
        SnapshotWriter::begin(self.disk.clone(), &dir, zxid, compression)
    }

    /// Begins a snapshot that comes from the leader (SNAP). No two that are under way may have
    /// the same `number`.
    pub fn receive_snapshot(
        &self,
        zxid: Zxid,
        compression: Compression,
        number: u32,
    ) -> Result<SnapshotWriter, DiskError> {
        let dir = self.dirs.snapshots();
        SnapshotWriter::begin_received(self.disk.clone(), &dir, zxid, compression, number)
    }

    /// Hands the body of the snapshot at `zxid` to `sink`, chunk by chunk, for a learner; no
    /// part of it may be longer than `max_item` bytes. What was handed on is good only if this
    /// succeeds.
    pub fn read_snapshot(
        &self,
        zxid: Zxid,
        max_item: usize,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Rejected>,
    ) -> Result<(), SnapshotError> {
        let dir = self.dirs.snapshots();
        let names = self.disk.list(&dir).map_err(SnapshotError::Disk)?;
        let found = snapshot::candidates(&names)
            .into_iter()
            .find(|candidate| candidate.named && candidate.zxid == zxid);
        let Some(found) = found else {
            let cause = io::ErrorKind::NotFound.into();
            let path = dir.join(names::snapshot(zxid, Compression::None));
            let missing = DiskError::new(DiskOp::Open, &path, cause);
            return Err(SnapshotError::Disk(missing));
        };
        let mut parser = BodyParser::new(max_item);
        let path = dir.join(&found.name);
        snapshot::read(&*self.disk, &path, found.compression, &mut |chunk| {
            let fed = parser.feed(chunk, &mut |_| Ok(()))?;
            let body = match fed {
                Fed::More => chunk,
                Fed::Done(used) => chunk.get(..used).unwrap_or(chunk),
            };
            sink(body)?;
            Ok(fed)
        })?;
        Ok(())
    }

    /// The transactions behind `after` up to `until`, for a learner whose history ends at
    /// `after`. `None` if the log does not show beyond doubt that they are what follows `after`,
    /// each one the one before it; or if their entries have more than `max_bytes` together. The
    /// log may be appended to meanwhile, but not truncated.
    pub fn read_log(
        &self,
        after: Zxid,
        until: Zxid,
        max_bytes: u64,
    ) -> Result<Option<Entries>, DiskError> {
        let names = self.disk.list(&self.dirs.snapshots())?;
        let anchored = snapshot::candidates(&names)
            .iter()
            .any(|candidate| candidate.named && candidate.zxid == after);
        let range = log::Range {
            after,
            until,
            anchored,
            max_bytes,
        };
        let max_entry = self.options.log.max_entry;
        log::read_range(&*self.disk, &self.dirs.logs(), max_entry, range)
    }

    /// To be called once the first snapshot of an empty server is in place: removes the
    /// `initialize` files, so that the server cannot begin a second time. A member needs them until
    /// it promises something.
    pub fn created(&self) -> Result<(), DiskError> {
        match self.options.member {
            true => Ok(()),
            false => self.remove_initialize_files(),
        }
    }

    fn remove_initialize_files(&self) -> Result<(), DiskError> {
        for file in initialize_files(&*self.disk, &self.dirs)? {
            self.disk.remove(&file)?;
            if let Some(dir) = file.parent() {
                self.disk.sync_dir(dir)?;
            }
        }
        Ok(())
    }

    /// Takes back all transactions above `to` (TRUNC), in the log and in snapshots. The state in
    /// memory must be built anew with [`Self::recover`]. Interrupted at any point, it can be done
    /// again.
    pub fn truncate(&self, log: &mut Log, to: Zxid) -> Result<(), TruncateError> {
        let last = log.last_zxid();
        if to > last {
            return Err(TruncateError::Beyond { last });
        }
        match self.leads_to(log, to) {
            Ok(true) => {}
            Ok(false) => return Err(TruncateError::NoWayThere),
            Err(error) => return Err(TruncateError::Log(LogError::Disk(error))),
        }
        self.remove_snapshots(|at| at > to)
            .map_err(LogError::Disk)?;
        Ok(log.end_at(to)?)
    }

    /// Makes a snapshot that came from the leader (SNAP), and is in place, the base of the
    /// history: transactions above it are dropped but for those that are `kept`, and the log goes on
    /// behind these. Other snapshots are removed, for nothing leads from an older one to what
    /// follows, and if this one were lost or damaged one day, that could not be told where a new
    /// epoch begins.
    ///
    /// What is kept is in the log already, and stays durable throughout.
    pub fn installed<'a>(
        &self,
        log: &mut Log,
        zxid: Zxid,
        kept: impl IntoIterator<Item = (Zxid, &'a [u8])>,
    ) -> Result<(), LogError> {
        self.remove_snapshots(|at| at != zxid)?;
        let kept: Vec<(Zxid, &[u8])> = kept.into_iter().collect();
        let end = kept.last().map_or(zxid, |(last, _)| *last);
        if end == zxid || log.leads(zxid, end)? {
            return log.end_at(end);
        }
        // There is more in memory than in the files, though they were said to have it.
        log.end_at(zxid)?;
        for (zxid, entry) in kept {
            log.append(zxid, entry)?;
        }
        log.commit().map(drop)
    }

    /// Removes snapshots but for the newest `keep` (at least 3) that look whole, and logs that
    /// none of these needs.
    pub fn purge(&self, keep: usize) -> Result<Purged, DiskError> {
        purge::purge(&*self.disk, &self.dirs, keep, &mut |_| {})
    }

    /// The disk.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// The directories.
    pub fn dirs(&self) -> &Dirs {
        &self.dirs
    }

    /// Whether some snapshot that is intact leads to the state at `to`.
    fn leads_to(&self, log: &Log, to: Zxid) -> Result<bool, DiskError> {
        let dir = self.dirs.snapshots();
        for candidate in snapshot::candidates(&self.disk.list(&dir)?) {
            if candidate.zxid > to || !candidate.named {
                continue;
            }
            let path = dir.join(&candidate.name);
            if snapshot::is_sealed(&*self.disk, &path, candidate.compression)? {
                return log.leads(candidate.zxid, to);
            }
        }
        Ok(false)
    }

    fn remove_snapshots(&self, goes: impl Fn(Zxid) -> bool) -> Result<(), DiskError> {
        let dir = self.dirs.snapshots();
        for name in self.disk.list(&dir)? {
            match Name::parse(&name) {
                Name::Snapshot(at, _) | Name::UnnamedSnapshot(at) if goes(at) => {
                    self.disk.remove(&dir.join(&name))?;
                }
                _ => {}
            }
        }
        self.disk.sync_dir(&dir)
    }
}

/// Brings the history back as [`Store::open`] would, for tools: nothing on disk is changed, and no
/// directory is taken, so a server may be running on them. Where [`Recovered::notes`] tell of
/// changes, they are those that opening would make.
pub fn examine(
    disk: Arc<dyn Disk>,
    dirs: &Dirs,
    options: &OpenOptions,
    visitor: &mut dyn Recover,
) -> Result<Recovered, RecoveryError> {
    let place = Place {
        disk: &disk,
        snapshots: &dirs.snapshots(),
        logs: &dirs.logs(),
        initialize: !initialize_files(&*disk, dirs)?.is_empty(),
        options,
    };
    recovery::examine(&place, visitor)
}

/// The `initialize` files there are. ZooKeeper looks in `dataLogDir`, and its script writes to
/// `dataDir`.
fn initialize_files(disk: &dyn Disk, dirs: &Dirs) -> Result<Vec<PathBuf>, DiskError> {
    let mut found = Vec::new();
    for dir in [&dirs.data, &dirs.log] {
        let there = list_or_nothing(disk, dir)?
            .iter()
            .any(|name| name == INITIALIZE);
        let path = dir.join(INITIALIZE);
        if there && !found.contains(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

fn list_or_nothing(disk: &dyn Disk, dir: &Path) -> Result<Vec<String>, DiskError> {
    match disk.list(dir) {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        other => other,
    }
}
