//! Writes that pass the system's cache of pages by (`O_DIRECT`), where there are such.
//!
//! A log is written once and seldom read. Without them every byte of it is copied to a page of
//! memory that is then looked for, locked, written and dropped again: a quarter of the processor
//! time of a commit.

#[cfg(target_os = "linux")]
pub(super) use linux::{end, open};
#[cfg(not(target_os = "linux"))]
pub(super) use other::{end, open};

#[cfg(target_os = "linux")]
mod linux {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;

    /// Opens `path` for them; an error of kind [`io::ErrorKind::InvalidInput`] if its file system
    /// has none.
    pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
        let flags = OFlags::DIRECT.bits().cast_signed();
        options.custom_flags(flags).open(path)
    }

    /// Makes `file` one with ordinary writes.
    pub fn end(file: &File) -> io::Result<()> {
        let flags = fcntl_getfl(file)?;
        Ok(fcntl_setfl(file, flags - OFlags::DIRECT)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::path::Path;

    pub fn open(_: &mut OpenOptions, _: &Path) -> io::Result<File> {
        Err(io::ErrorKind::InvalidInput.into())
    }

    pub fn end(_: &File) -> io::Result<()> {
        Ok(())
    }
}
