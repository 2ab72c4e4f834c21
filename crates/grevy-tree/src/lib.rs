#![no_std]
#![doc = include_str!("../README.md")]

extern crate alloc;

mod acl_table;
mod arena;
mod blobs;
mod children;
mod digest;
mod index;
mod warm;

pub mod apply;
pub mod change;
pub mod ephemeral_type;
pub mod loader;
pub mod permission;
pub mod prepare;
pub mod quota;
pub mod replay;
pub mod sessions;
pub mod snapshot;
pub mod tree;
pub mod watch;
pub mod znode;

pub use apply::{Applied, AppliedOp, OrphanEphemeral};
pub use change::{Change, ChangeKind};
pub use ephemeral_type::EphemeralType;
pub use loader::{Fed, LoadError, Loader};
pub use permission::Schemes;
pub use prepare::{Context, Pending, PrepareConfig, Prepared, WriteRequest};
pub use quota::{Quota, QuotaLimits, QuotaUsage, StatsTrack};
pub use replay::Replay;
pub use sessions::Sessions;
pub use snapshot::SnapshotInfo;
pub use tree::{Tree, TreeConfig};
pub use watch::{WatchMode, WatchTable, WatcherId, WatcherType};
pub use znode::{AclId, Znode};
