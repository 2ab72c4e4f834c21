//! What is asked of a server, and what the answer does to the watches held here.

use super::watches::WatcherId;
use grevy_proto::OpCode;
use grevy_proto::watch::{WatchKind, WatcherType};

/// A request without its header. Paths are the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it asks for.
    pub op: OpCode,
    /// Its record.
    pub body: Vec<u8>,
    /// What its answer does to the watches held here.
    pub effect: Effect,
}

/// What a request's answer does to the watches held here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Registers a watcher.
    Watch {
        /// For which events.
        kind: WatchKind,
        /// Of which znode.
        path: String,
        /// Whom to tell.
        watcher: WatcherId,
    },
    /// Removes all watchers of a kind.
    Unwatch {
        /// Which kind.
        which: WatcherType,
        /// On which znode.
        path: String,
    },
}

impl Request {
    /// Whether it may have changed something without our knowing, if it was sent and its answer
    /// is lost. A watch dies with its connection, so requests about watches do not count.
    pub fn is_write(&self) -> bool {
        matches!(
            self.op,
            OpCode::Create
                | OpCode::Create2
                | OpCode::CreateContainer
                | OpCode::CreateTtl
                | OpCode::Delete
                | OpCode::SetData
                | OpCode::SetAcl
                | OpCode::Multi
                | OpCode::Reconfig
        )
    }
}
