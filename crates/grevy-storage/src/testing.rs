//! A disk in memory that behaves as badly as a real one may, for tests and simulations.
//!
//! What is written is visible at once and durable after a sync; [`MemDisk::crash`] drops any
//! part of the rest, as a seed decides: of each sector, of the length and of each directory
//! operation separately. Faults are asked for with [`MemDisk::fail`] and [`MemDisk::crash_at`],
//! rot is put in with [`MemDisk::flip_bit`] and its kind.

mod file;
mod inode;

use crate::disk::{Disk, DiskError, DiskOp, File, Lock, OpenMode};
use file::MemFile;
use inode::Inode;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use inode::SECTOR;

/// A disk in memory; clones are the same disk.
#[derive(Clone, Default)]
pub struct MemDisk(Arc<Mutex<State>>);

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing and reports an I/O error.
    Error,
    /// It does nothing and reports that the disk is full.
    Full,
    /// A write puts down only its first half, then reports an I/O error. (Others: as `Error`.)
    Short,
    /// A sync reports an I/O error, and what it covered counts as clean from then on without
    /// being durable, save for sectors that made it. (Others: as `Error`.)
    Dropped,
}

#[derive(Default)]
struct State {
    /// Grows with every crash; what was opened before is dead.
    boot: u64,
    ops: u64,
    crash_at: Option<u64>,
    crashed: bool,
    faults: Vec<(DiskOp, PathBuf, u64, Fault)>,
    random: Random,
    inodes: Vec<Inode>,
    dirs: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    pending: Vec<DirOp>,
    locks: BTreeSet<PathBuf>,
    /// Bytes that files may hold in all; `None`: any number.
    capacity: Option<u64>,
}

enum DirOp {
    Link(PathBuf, usize),
    Unlink(PathBuf, usize),
    Rename(PathBuf, PathBuf, usize),
}

impl MemDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same as a trait object.
    pub fn shared(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// Operations so far.
    pub fn ops(&self) -> u64 {
        self.state().ops
    }

    /// Loses power when `op` operations have been done in all: the next and all later ones fail
    /// until [`crash`](Self::crash).
    pub fn crash_at(&self, op: u64) {
        self.state().crash_at = Some(op);
    }

    /// Lets the `nth` (from 0) operation `op` on `path` from now on fail, once.
    pub fn fail(&self, op: DiskOp, path: impl Into<PathBuf>, nth: u64, fault: Fault) {
        self.state().faults.push((op, path.into(), nth, fault));
    }

    /// Takes back all faults that were asked for and have not come, and lifts the limit.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.crash_at = None;
        state.capacity = None;
    }

    /// Lets writes and extensions fail once files hold `bytes` in all; `None` lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Loses power and comes back: all that was not synced survives or not, as `seed` says.
    /// Open files and locks are gone.
    pub fn crash(&self, seed: u64) {
        let mut state = self.state();
        state.random = Random(seed);
        state.lose_names();
        let State { inodes, random, .. } = &mut *state;
        for inode in inodes {
            inode.crash(random);
        }
        state.reboot();
    }

    /// The process dies, the machine lives: nothing written is lost, open files and locks are
    /// gone.
    pub fn kill(&self) {
        self.state().reboot();
    }

    /// A copy of the disk as it is now, with no faults waiting.
    pub fn fork(&self) -> Self {
        self.copy(|state| &state.names, Inode::sync)
    }

    /// A copy of what would be there after a power cut that nothing unsynced survives.
    pub fn durable(&self) -> Self {
        self.copy(|state| &state.durable_names, Inode::lose)
    }

    /// A copy of the files that have a name.
    fn copy(
        &self,
        names: impl Fn(&State) -> &BTreeMap<PathBuf, usize>,
        settle: impl Fn(&mut Inode),
    ) -> Self {
        let state = self.state();
        let mut copy = State {
            random: Random(state.random.0),
            dirs: state.dirs.clone(),
            ..State::default()
        };
        for (path, &id) in names(&state) {
            let mut inode = state.inodes[id].clone();
            settle(&mut inode);
            copy.names.insert(path.clone(), copy.inodes.len());
            copy.inodes.push(inode);
        }
        copy.durable_names = copy.names.clone();
        Self(Arc::new(Mutex::new(copy)))
    }

    /// All files and their lengths.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = self.state();
        let files = state.names.iter();
        files
            .map(|(path, &id)| (path.clone(), state.inodes[id].data().len() as u64))
            .collect()
    }

    /// A file's content.
    pub fn content(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.state();
        let id = *state.names.get(path.as_ref())?;
        Some(state.inodes[id].data().to_vec())
    }

    /// Puts a file in place, durably. Its directory comes into being with it.
    pub fn put(&self, path: impl Into<PathBuf>, content: &[u8]) {
        let path = path.into();
        let mut state = self.state();
        if let Some(dir) = path.parent() {
            state.make_dirs(dir);
        }
        let mut inode = Inode::default();
        inode.write(0, content);
        inode.sync();
        state.inodes.push(inode);
        let id = state.inodes.len() - 1;
        state.names.insert(path.clone(), id);
        state.durable_names.insert(path, id);
    }

    /// Takes a file away, durably, as a fault would.
    pub fn lose(&self, path: impl AsRef<Path>) {
        let mut state = self.state();
        state.names.remove(path.as_ref());
        state.durable_names.remove(path.as_ref());
    }

    /// Turns over one bit of a file at rest; bit 0 is the highest of byte 0.
    pub fn flip_bit(&self, path: impl AsRef<Path>, bit: usize) {
        self.rot(path, |data| data[bit / 8] ^= 0x80 >> (bit % 8));
    }

    /// Fills a sector of a file at rest with zeros.
    pub fn zero_sector(&self, path: impl AsRef<Path>, sector: usize) {
        self.rot(path, |data| {
            let end = data.len().min((sector + 1) * SECTOR);
            data[sector * SECTOR..end].fill(0);
        });
    }

    /// Changes a file at rest: rot, truncation, garbage at its end.
    pub fn rot(&self, path: impl AsRef<Path>, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let id = *state.names.get(path.as_ref()).expect("no such file");
        state.inodes[id].rot(change);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an operation and decides whether it fails.
    fn begin(&mut self, op: DiskOp, path: &Path) -> Result<Option<Fault>, DiskError> {
        if self.crashed || self.crash_at.is_some_and(|at| self.ops >= at) {
            self.crashed = true;
            return Err(failure(op, path, ErrorKind::Other, "the power is off"));
        }
        self.ops += 1;
        let mut found = None;
        self.faults.retain_mut(|(on, at, nth, fault)| {
            if found.is_some() || *on != op || at != path {
                return true;
            }
            if *nth > 0 {
                *nth -= 1;
                return true;
            }
            found = Some(*fault);
            false
        });
        Ok(found)
    }

    /// As [`Self::begin`], for operations that fail in one way only.
    fn run(&mut self, op: DiskOp, path: &Path) -> Result<(), DiskError> {
        match self.begin(op, path)? {
            None => Ok(()),
            Some(Fault::Full) => Err(failure(op, path, ErrorKind::StorageFull, "no space left")),
            Some(_) => Err(failure(op, path, ErrorKind::Other, "input/output error")),
        }
    }

    fn inode(&self, op: DiskOp, path: &Path) -> Result<usize, DiskError> {
        let id = self.names.get(path).copied();
        id.ok_or_else(|| failure(op, path, ErrorKind::NotFound, "no such file"))
    }

    fn check_dir(&self, op: DiskOp, dir: &Path) -> Result<(), DiskError> {
        match self.dirs.contains(dir) {
            true => Ok(()),
            false => Err(failure(op, dir, ErrorKind::NotFound, "no such directory")),
        }
    }

    fn make_dirs(&mut self, dir: &Path) {
        self.dirs.extend(dir.ancestors().map(Path::to_path_buf));
    }

    fn check_room(&self, op: DiskOp, path: &Path, more: u64) -> Result<(), DiskError> {
        let live = self.names.values();
        let used: u64 = live.map(|&id| self.inodes[id].data().len() as u64).sum();
        match self.capacity {
            Some(capacity) if more > 0 && used + more > capacity => {
                Err(failure(op, path, ErrorKind::StorageFull, "no space left"))
            }
            _ => Ok(()),
        }
    }

    /// Any subset of the directory operations since the last sync reaches the disk.
    fn lose_names(&mut self) {
        for op in std::mem::take(&mut self.pending) {
            if self.random.chance() {
                op.apply(&mut self.durable_names);
            }
        }
        self.names = self.durable_names.clone();
    }

    fn reboot(&mut self) {
        self.boot += 1;
        self.crashed = false;
        self.crash_at = None;
        self.locks.clear();
    }
}

impl DirOp {
    fn dir(&self) -> Option<&Path> {
        match self {
            Self::Link(path, _) | Self::Unlink(path, _) | Self::Rename(_, path, _) => path.parent(),
        }
    }

    fn apply(self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Link(path, id) => {
                names.insert(path, id);
            }
            Self::Unlink(path, id) => {
                if names.get(&path) == Some(&id) {
                    names.remove(&path);
                }
            }
            Self::Rename(from, to, id) => {
                if names.get(&from) == Some(&id) {
                    names.remove(&from);
                }
                names.insert(to, id);
            }
        }
    }
}

impl Disk for MemDisk {
    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        let mut state = self.state();
        state.run(DiskOp::List, dir)?;
        state.check_dir(DiskOp::List, dir)?;
        let names = state.names.keys();
        let here = names.filter(|path| path.parent() == Some(dir));
        Ok(here
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    fn create_dir(&self, dir: &Path) -> Result<(), DiskError> {
        let mut state = self.state();
        state.run(DiskOp::CreateDir, dir)?;
        state.make_dirs(dir);
        Ok(())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> Result<Box<dyn File>, DiskError> {
        let mut state = self.state();
        let op = match mode {
            OpenMode::Create => DiskOp::Create,
            OpenMode::Read | OpenMode::Write => DiskOp::Open,
        };
        state.run(op, path)?;
        let id = match (mode, state.inode(op, path)) {
            (OpenMode::Create, Ok(id)) => {
                state.inodes[id].set_len(0);
                id
            }
            (OpenMode::Create, Err(_)) => {
                state.check_dir(op, path.parent().unwrap_or(Path::new("")))?;
                state.inodes.push(Inode::default());
                let id = state.inodes.len() - 1;
                state.names.insert(path.into(), id);
                state.pending.push(DirOp::Link(path.into(), id));
                id
            }
            (_, found) => found?,
        };
        Ok(Box::new(MemFile {
            disk: self.clone(),
            boot: state.boot,
            id,
            path: path.into(),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let mut state = self.state();
        state.run(DiskOp::Rename, from)?;
        let id = state.inode(DiskOp::Rename, from)?;
        state.names.remove(from);
        state.names.insert(to.into(), id);
        state
            .pending
            .push(DirOp::Rename(from.into(), to.into(), id));
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        let mut state = self.state();
        state.run(DiskOp::Remove, path)?;
        let id = state.inode(DiskOp::Remove, path)?;
        state.names.remove(path);
        state.pending.push(DirOp::Unlink(path.into(), id));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        let mut state = self.state();
        state.run(DiskOp::SyncDir, dir)?;
        state.check_dir(DiskOp::SyncDir, dir)?;
        for op in std::mem::take(&mut state.pending) {
            match op.dir() == Some(dir) {
                true => op.apply(&mut state.durable_names),
                false => state.pending.push(op),
            }
        }
        Ok(())
    }

    fn lock(&self, dir: &Path) -> Result<Lock, DiskError> {
        let mut state = self.state();
        state.run(DiskOp::Lock, dir)?;
        if !state.locks.insert(dir.into()) {
            let message = "another server is using this directory";
            return Err(failure(DiskOp::Lock, dir, ErrorKind::WouldBlock, message));
        }
        Ok(Lock::new(MemLock {
            disk: self.clone(),
            boot: state.boot,
            dir: dir.into(),
        }))
    }
}

struct MemLock {
    disk: MemDisk,
    boot: u64,
    dir: PathBuf,
}

impl Drop for MemLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.boot == self.boot {
            state.locks.remove(&self.dir);
        }
    }
}

fn failure(op: DiskOp, path: &Path, kind: ErrorKind, message: &str) -> DiskError {
    DiskError::new(op, path, io::Error::new(kind, message))
}

/// A small generator (splitmix64), for what survives a crash.
#[derive(Debug, Clone, Default)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn chance(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_synced_survives_and_the_rest_may_go_in_parts() {
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let disk = MemDisk::new();
            let dir = Path::new("/d");
            disk.create_dir(dir).unwrap();
            let path = dir.join("f");
            let file = disk.open(&path, OpenMode::Create).unwrap();
            file.write_at(&[1; 2 * SECTOR], 0).unwrap();
            file.sync().unwrap();
            disk.sync_dir(dir).unwrap();
            file.write_at(&[2; 2 * SECTOR], 0).unwrap();
            file.write_at(&[3; SECTOR], 2 * SECTOR as u64).unwrap();
            disk.rename(&path, &dir.join("g")).unwrap();
            disk.crash(seed);
            assert!(file.len().is_err(), "the file was opened before the crash");
            let names = disk.list(dir).unwrap();
            let data = disk.content(dir.join(&names[0])).unwrap();
            let sectors: Vec<u8> = data.chunks(SECTOR).map(|sector| sector[0]).collect();
            seen.insert((names, sectors));
        }
        // Old or new name; two sectors old or new; the third not there, zero or new.
        assert_eq!(seen.len(), 2 * 4 * 3);
    }

    #[test]
    fn a_failed_sync_leaves_pages_clean_and_lost() {
        let mut lost = false;
        for seed in 0..20 {
            let disk = MemDisk::new();
            disk.put("/d/f", b"old");
            disk.state().random = Random(seed);
            let file = disk.open(Path::new("/d/f"), OpenMode::Write).unwrap();
            disk.fail(DiskOp::Sync, "/d/f", 0, Fault::Dropped);
            file.write_at(b"new", 0).unwrap();
            assert!(file.sync().is_err());
            file.sync().unwrap();
            disk.crash(seed);
            lost |= disk.content("/d/f").unwrap() == b"old";
        }
        assert!(lost);
    }

    #[test]
    fn faults_hit_once_and_where_asked() {
        let disk = MemDisk::new();
        disk.create_dir(Path::new("/d")).unwrap();
        disk.set_capacity(Some(10));
        let file = disk.open(Path::new("/d/f"), OpenMode::Create).unwrap();
        let full = file.write_at(&[0; 11], 0).unwrap_err();
        assert_eq!(full.cause.kind(), ErrorKind::StorageFull);
        disk.fail(DiskOp::Write, "/d/f", 1, Fault::Short);
        file.write_at(b"ab", 0).unwrap();
        assert!(file.write_at(b"cdef", 2).is_err());
        assert_eq!(disk.content("/d/f").unwrap(), b"abcd");
        file.write_at(b"cdef", 2).unwrap();
        disk.crash_at(disk.ops() + 1);
        file.sync().unwrap();
        assert!(file.sync().is_err());
        disk.kill();
        assert!(file.sync().is_err());
    }
}
