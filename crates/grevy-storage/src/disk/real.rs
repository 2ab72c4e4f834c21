//! The disk of the machine.

mod direct;

use super::{Disk, DiskError, DiskOp, File, Lock, OpenMode};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The file that a process holds a lock on while it uses a directory; its content is the
/// process's id. Java servers do not know it.
const LOCK_FILE: &str = "grevy.lock";

/// The file system, through `std::fs`.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

struct RealFile {
    file: fs::File,
    path: PathBuf,
}

/// How an existing file, or a new one, is opened.
fn options(mode: OpenMode) -> (fs::OpenOptions, DiskOp) {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    let op = match mode {
        OpenMode::Read => DiskOp::Open,
        OpenMode::Write => {
            options.write(true);
            DiskOp::Open
        }
        OpenMode::Create => {
            options.write(true).create(true).truncate(true);
            DiskOp::Create
        }
    };
    (options, op)
}

fn error(op: DiskOp, path: &Path) -> impl FnOnce(io::Error) -> DiskError + '_ {
    move |cause| DiskError::new(op, path, cause)
}

impl Disk for RealDisk {
    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(error(DiskOp::List, dir))? {
            let entry = entry.map_err(error(DiskOp::List, dir))?;
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            // A name that is not UTF-8 is none of ours.
            if let (false, Ok(name)) = (is_dir, entry.file_name().into_string()) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create_dir(&self, dir: &Path) -> Result<(), DiskError> {
        if dir.is_dir() {
            return Ok(());
        }
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent {
            self.create_dir(parent)?;
        }
        match fs::create_dir(dir) {
            Err(cause) if cause.kind() != ErrorKind::AlreadyExists || !dir.is_dir() => {
                return Err(DiskError::new(DiskOp::CreateDir, dir, cause));
            }
            _ => {}
        }
        self.sync_dir(parent.unwrap_or(Path::new(".")))
    }

    fn open(&self, path: &Path, mode: OpenMode) -> Result<Box<dyn File>, DiskError> {
        let (options, op) = options(mode);
        let file = options.open(path).map_err(error(op, path))?;
        Ok(Box::new(RealFile {
            file,
            path: path.into(),
        }))
    }

    fn open_blocks(&self, path: &Path, mode: OpenMode) -> Result<Box<dyn File>, DiskError> {
        let (mut options, op) = options(mode);
        match direct::open(&mut options, path) {
            Ok(file) => Ok(Box::new(RealFile {
                file,
                path: path.into(),
            })),
            // Not every file system can.
            Err(cause) if cause.kind() == ErrorKind::InvalidInput => self.open(path, mode),
            Err(cause) => Err(DiskError::new(op, path, cause)),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        fs::rename(from, to).map_err(error(DiskOp::Rename, from))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        fs::remove_file(path).map_err(error(DiskOp::Remove, path))
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        fs::File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(error(DiskOp::SyncDir, dir))
    }

    fn lock(&self, dir: &Path) -> Result<Lock, DiskError> {
        let path = dir.join(LOCK_FILE);
        let fail = |cause| DiskError::new(DiskOp::Lock, dir, cause);
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                let holder = match holder.trim() {
                    "" => "another process".to_owned(),
                    pid => format!("process {pid}"),
                };
                return Err(fail(io::Error::new(
                    ErrorKind::WouldBlock,
                    format!(
                        "{holder} is using this directory; stop it, or give this server a \
                         directory of its own"
                    ),
                )));
            }
            Err(fs::TryLockError::Error(cause)) => return Err(fail(cause)),
        }
        file.set_len(0).map_err(fail)?;
        writeln!(&file, "{}", std::process::id()).map_err(fail)?;
        Ok(Lock::new(file))
    }

    fn reads_ahead(&self) -> bool {
        true
    }
}

impl File for RealFile {
    fn len(&self) -> Result<u64, DiskError> {
        let meta = self.file.metadata();
        Ok(meta.map_err(error(DiskOp::Len, &self.path))?.len())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        let mut done = 0;
        while let Some(rest @ [_, ..]) = buf.get_mut(done..) {
            match self.file.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) => return Err(DiskError::new(DiskOp::Read, &self.path, cause)),
            }
        }
        Ok(done)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<(), DiskError> {
        let mut written = self.file.write_all_at(data, offset);
        if let Err(cause) = &written
            && cause.kind() == ErrorKind::InvalidInput
        {
            // The file system, or what is beneath it, wants larger blocks than ours.
            written = direct::end(&self.file).and_then(|()| self.file.write_all_at(data, offset));
        }
        written.map_err(error(DiskOp::Write, &self.path))
    }

    fn set_len(&self, len: u64) -> Result<(), DiskError> {
        let set = self.file.set_len(len);
        set.map_err(error(DiskOp::SetLen, &self.path))
    }

    fn sync(&self) -> Result<(), DiskError> {
        let synced = self.file.sync_data();
        synced.map_err(error(DiskOp::Sync, &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("grevy-disk-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn files_come_and_go() {
        let dir = scratch("files").join("a/b");
        let disk = RealDisk;
        disk.create_dir(&dir).unwrap();
        disk.create_dir(&dir).unwrap();
        let path = dir.join("x");
        let file = disk.open(&path, OpenMode::Create).unwrap();
        file.write_at(b"hello", 3).unwrap();
        file.sync().unwrap();
        let mut buf = [1; 16];
        assert_eq!(file.read_at(&mut buf, 1).unwrap(), 7);
        assert_eq!(&buf[..7], b"\0\0hello");
        file.set_len(5).unwrap();
        assert_eq!(file.len().unwrap(), 5);
        disk.rename(&path, &dir.join("y")).unwrap();
        disk.sync_dir(&dir).unwrap();
        assert_eq!(disk.list(&dir).unwrap(), ["y"]);
        let missing = disk.open(&path, OpenMode::Write).err().unwrap();
        assert!(missing.is_not_found());
        assert!(missing.to_string().contains("/a/b/x"), "{missing}");
        disk.remove(&dir.join("y")).unwrap();
        fs::remove_dir_all(dir.ancestors().nth(2).unwrap()).unwrap();
    }

    #[test]
    fn a_directory_has_one_user() {
        let dir = scratch("lock");
        let disk = RealDisk;
        disk.create_dir(&dir).unwrap();
        let lock = disk.lock(&dir).unwrap();
        let refused = disk.lock(&dir).unwrap_err();
        assert_eq!(refused.cause.kind(), ErrorKind::WouldBlock);
        let pid = std::process::id().to_string();
        assert!(refused.to_string().contains(&pid), "{refused}");
        drop(lock);
        disk.lock(&dir).unwrap();
        fs::remove_dir_all(dir).unwrap();
    }

    /// As where a file system wants larger blocks than ours.
    #[test]
    fn what_cannot_pass_the_cache_by_is_written_as_usual() {
        let dir = scratch("blocks");
        RealDisk.create_dir(&dir).unwrap();
        let path = dir.join("a");
        let file = RealDisk.open_blocks(&path, OpenMode::Create).unwrap();
        for (data, offset) in [(&b"abc"[..], 1), (b"d", 4)] {
            file.write_at(data, offset).unwrap();
        }
        file.sync().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"\0abcd");
        fs::remove_dir_all(dir).unwrap();
    }
}
