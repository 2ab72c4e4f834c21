//! An open file of a disk in memory.

use super::{Fault, MemDisk, State, failure};
use crate::disk::{DiskError, DiskOp, File};
use std::io::ErrorKind;
use std::path::PathBuf;

pub(super) struct MemFile {
    pub(super) disk: MemDisk,
    /// When it was opened; dead after a crash.
    pub(super) boot: u64,
    pub(super) id: usize,
    pub(super) path: PathBuf,
}

impl MemFile {
    fn with<T>(
        &self,
        op: DiskOp,
        run: impl FnOnce(&mut State, Option<Fault>) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        let mut state = self.disk.state();
        if state.boot != self.boot {
            let message = "opened before the last crash";
            return Err(failure(op, &self.path, ErrorKind::Other, message));
        }
        match state.begin(op, &self.path)? {
            Some(Fault::Full) => Err(failure(
                op,
                &self.path,
                ErrorKind::StorageFull,
                "no space left",
            )),
            Some(Fault::Error) => Err(self.io_error(op)),
            fault => run(&mut state, fault),
        }
    }

    fn io_error(&self, op: DiskOp) -> DiskError {
        failure(op, &self.path, ErrorKind::Other, "input/output error")
    }
}

impl File for MemFile {
    fn len(&self) -> Result<u64, DiskError> {
        self.with(DiskOp::Len, |state, _| {
            Ok(state.inodes[self.id].data().len() as u64)
        })
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        self.with(DiskOp::Read, |state, fault| {
            if fault.is_some() {
                return Err(self.io_error(DiskOp::Read));
            }
            let data = state.inodes[self.id].data();
            let offset = usize::try_from(offset).map_or(data.len(), |at| at.min(data.len()));
            let n = buf.len().min(data.len() - offset);
            buf[..n].copy_from_slice(&data[offset..offset + n]);
            Ok(n)
        })
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<(), DiskError> {
        self.with(DiskOp::Write, |state, fault| {
            let len = state.inodes[self.id].data().len() as u64;
            let end = offset + data.len() as u64;
            state.check_room(DiskOp::Write, &self.path, end.saturating_sub(len))?;
            let offset = usize::try_from(offset).expect("a file that fits in memory");
            if fault.is_some() {
                state.inodes[self.id].write(offset, &data[..data.len() / 2]);
                return Err(self.io_error(DiskOp::Write));
            }
            state.inodes[self.id].write(offset, data);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> Result<(), DiskError> {
        self.with(DiskOp::SetLen, |state, fault| {
            if fault.is_some() {
                return Err(self.io_error(DiskOp::SetLen));
            }
            let more = len.saturating_sub(state.inodes[self.id].data().len() as u64);
            state.check_room(DiskOp::SetLen, &self.path, more)?;
            let len = usize::try_from(len).expect("a file that fits in memory");
            state.inodes[self.id].set_len(len);
            Ok(())
        })
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.with(DiskOp::Sync, |state, fault| {
            let State { inodes, random, .. } = state;
            if fault.is_some() {
                inodes[self.id].drop_dirty(random);
                return Err(self.io_error(DiskOp::Sync));
            }
            inodes[self.id].sync();
            Ok(())
        })
    }
}
