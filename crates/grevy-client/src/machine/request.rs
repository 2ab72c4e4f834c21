//! What is asked of a server, and what the answer does to the watches held here.

use super::watches::WatcherId;
use grevy_proto::OpCode;

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

/// Which request left a watch. The number is its place in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WatchKind {
    /// getData, once.
    Data = 0,
    /// exists, once; also on a znode that is missing.
    Exists = 1,
    /// getChildren, once.
    Child = 2,
    /// addWatch: the znode and the names of its children, for good.
    Persistent = 3,
    /// addWatch: the znode and everything below it, for good.
    PersistentRecursive = 4,
}

impl WatchKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Data,
        Self::Exists,
        Self::Child,
        Self::Persistent,
        Self::PersistentRecursive,
    ];

    /// Whether an event uses the watch up.
    pub fn is_oneshot(self) -> bool {
        matches!(self, Self::Data | Self::Exists | Self::Child)
    }

    /// By what removeWatches knows it. Servers before 3.9 do not know the types of persistent
    /// watches.
    pub fn watcher_type(self) -> WatcherType {
        match self {
            Self::Data | Self::Exists => WatcherType::Data,
            Self::Child => WatcherType::Children,
            Self::Persistent => WatcherType::Persistent,
            Self::PersistentRecursive => WatcherType::PersistentRecursive,
        }
    }
}

/// What removeWatches and checkWatches speak of (`Watcher.WatcherType`), by its wire value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum WatcherType {
    /// One-shot watches by getChildren.
    Children = 1,
    /// One-shot watches by getData and exists.
    Data = 2,
    /// All.
    Any = 3,
    /// Persistent ones.
    Persistent = 4,
    /// Persistent recursive ones.
    PersistentRecursive = 5,
}

impl WatcherType {
    /// Whether it includes watches of `kind`.
    pub fn includes(self, kind: WatchKind) -> bool {
        self == Self::Any || self == kind.watcher_type()
    }
}
