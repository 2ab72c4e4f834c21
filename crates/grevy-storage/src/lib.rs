#![doc = include_str!("../README.md")]

pub mod disk;
pub mod epochs;
pub mod log;
pub mod mark;
pub mod names;
pub mod purge;
pub mod recovery;
pub mod snapshot;
pub mod store;
pub mod testing;

mod header;

pub use disk::{Disk, DiskError, DiskOp, File, RealDisk};
pub use epochs::{EpochFile, Epochs};
pub use log::{Log, LogError, LogOptions};
pub use recovery::{Recover, Recovered, RecoveryError, Rejected};
pub use snapshot::{Compression, SnapshotWriter};
pub use store::{Dirs, OpenOptions, Opened, Store, examine};
