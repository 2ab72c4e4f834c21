//! What clients watch: the kinds of watches, which events use them up, and how they are set again
//! on a new connection. Source: `Watcher`, `AddWatchMode`, `ZKWatchManager`.

use crate::code::ErrorCode;
use crate::event::EventType;
use crate::ids::Zxid;
use crate::jute::Encode;
use crate::op::OpCode;
use crate::request::{SetWatches, SetWatches2};
use alloc::borrow::Cow;
use alloc::vec::Vec;

/// Paths of a setWatches request add up to at most about this many bytes, so that it stays well
/// below the server's limit of a frame.
const BATCH_BYTES: usize = 128 << 10;

/// What a watch by addWatch covers, by its wire value. Source: `AddWatchMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum AddWatchMode {
    /// The znode, and the creation and deletion of its children.
    Persistent = 0,
    /// The znode and everything below it. A change of children shows as the creation or deletion
    /// of the child.
    PersistentRecursive = 1,
}

impl AddWatchMode {
    /// The kind of watch that it leaves.
    pub fn kind(self) -> WatchKind {
        match self {
            Self::Persistent => WatchKind::Persistent,
            Self::PersistentRecursive => WatchKind::PersistentRecursive,
        }
    }
}

/// What removeWatches and checkWatches speak of, by its wire value. Source: `Watcher.WatcherType`.
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
    /// The type with this wire value.
    pub fn from_wire(value: i32) -> Option<Self> {
        Some(match value {
            1 => Self::Children,
            2 => Self::Data,
            3 => Self::Any,
            4 => Self::Persistent,
            5 => Self::PersistentRecursive,
            _ => return None,
        })
    }

    /// Whether it includes watches of `kind`.
    pub fn includes(self, kind: WatchKind) -> bool {
        self == Self::Any || self == kind.watcher_type()
    }
}

/// Which request left a watch. The number is its place in a client's tables.
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

    /// The one-shot watches on a znode that an event at it uses up.
    pub fn used_up_by(event: EventType) -> &'static [Self] {
        match event {
            EventType::NodeCreated | EventType::NodeDataChanged => &[Self::Data, Self::Exists],
            EventType::NodeChildrenChanged => &[Self::Child],
            EventType::NodeDeleted => &[Self::Data, Self::Exists, Self::Child],
        }
    }

    /// The kind that the server keeps after it answered the request with `code`, the `err` of the
    /// reply's header; `None` if it keeps no watch.
    pub fn kept(self, code: i32) -> Option<Self> {
        let found = code == ErrorCode::Ok.wire();
        let missing = code == ErrorCode::NoNode.wire();
        match self {
            // A server keeps a watch on what exists as a data watch, whichever request left it.
            Self::Exists if found => Some(Self::Data),
            Self::Exists if missing => Some(Self::Exists),
            _ => found.then_some(self),
        }
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

/// The requests that set watches again on a new connection, each with its record, for a client
/// that has seen everything up to `last_zxid`. Servers before 3.6 know setWatches only, so that is
/// used wherever it says everything.
pub fn set_again<'a>(
    watches: impl IntoIterator<Item = (WatchKind, &'a str)>,
    last_zxid: Zxid,
) -> Vec<(OpCode, Vec<u8>)> {
    let mut requests = Vec::new();
    let mut batch = no_watches(last_zxid);
    let mut bytes = 0;
    let mut watches = watches.into_iter().peekable();
    while let Some((kind, path)) = watches.next() {
        paths_of(&mut batch, kind).push(Cow::Borrowed(path));
        bytes += path.len();
        if bytes >= BATCH_BYTES || watches.peek().is_none() {
            requests.push(request(&batch));
            batch = no_watches(last_zxid);
            bytes = 0;
        }
    }
    requests
}

fn no_watches<'a>(relative_zxid: Zxid) -> SetWatches2<'a> {
    SetWatches2 {
        standard: SetWatches {
            relative_zxid,
            data: Vec::new(),
            exist: Vec::new(),
            child: Vec::new(),
        },
        persistent: Vec::new(),
        persistent_recursive: Vec::new(),
    }
}

fn paths_of<'b, 'a>(batch: &'b mut SetWatches2<'a>, kind: WatchKind) -> &'b mut Vec<Cow<'a, str>> {
    match kind {
        WatchKind::Data => &mut batch.standard.data,
        WatchKind::Exists => &mut batch.standard.exist,
        WatchKind::Child => &mut batch.standard.child,
        WatchKind::Persistent => &mut batch.persistent,
        WatchKind::PersistentRecursive => &mut batch.persistent_recursive,
    }
}

fn request(batch: &SetWatches2<'_>) -> (OpCode, Vec<u8>) {
    match batch.persistent.is_empty() && batch.persistent_recursive.is_empty() {
        true => (OpCode::SetWatches, batch.standard.to_bytes()),
        false => (OpCode::SetWatches2, batch.to_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::Decode;
    use alloc::format;
    use alloc::string::String;

    #[test]
    fn what_servers_keep() {
        use WatchKind::*;
        for kind in WatchKind::ALL {
            let if_found = if kind == Exists { Data } else { kind };
            assert_eq!(kind.kept(0), Some(if_found));
            assert_eq!(kind.kept(-101), (kind == Exists).then_some(Exists));
            assert_eq!(kind.kept(-102), None);
        }
    }

    #[test]
    fn watches_are_set_again_in_batches() {
        let long = "x".repeat(BATCH_BYTES);
        let paths: Vec<String> = (0..3).map(|n| format!("/{n}{long}")).collect();
        let data = paths.iter().map(|path| (WatchKind::Data, path.as_str()));
        let more = [
            (WatchKind::Child, "/c"),
            (WatchKind::Exists, "/e"),
            (WatchKind::Persistent, "/p"),
            (WatchKind::PersistentRecursive, "/r"),
        ];
        let requests = set_again(data.chain(more), Zxid(7));
        let (last, standard) = requests.split_last().unwrap();
        assert_eq!(standard.len(), paths.len());
        for ((op, record), path) in standard.iter().zip(&paths) {
            let mut expected = no_watches(Zxid(7));
            expected.standard.data.push(path.as_str().into());
            assert_eq!(*op, OpCode::SetWatches);
            assert_eq!(SetWatches::from_bytes(record), Ok(expected.standard));
        }
        let mut expected = no_watches(Zxid(7));
        for (kind, path) in more {
            paths_of(&mut expected, kind).push(path.into());
        }
        assert_eq!(last.0, OpCode::SetWatches2);
        assert_eq!(SetWatches2::from_bytes(&last.1), Ok(expected));
        assert!(set_again([], Zxid(7)).is_empty());
    }
}
