//! A second ZooKeeper, as naive as possible: what a server must do, in maps and strings.
//!
//! It shares no code with the servers beyond plain records of the wire format, so that a mistake
//! would have to be made twice to go unseen.

pub mod acl;
pub mod decide;
pub mod digest;
pub mod dump;
pub mod log_file;
pub mod quota;
pub mod read;
pub mod tree;
pub mod txn;
pub mod watch;

pub use tree::{Model, Trigger, TriggerKind};
pub use txn::{Change, Entry};
