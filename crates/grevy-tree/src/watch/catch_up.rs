//! Watches of a client that comes back: what it missed, and what is set again.

use super::{WatchMode, WatchTable, WatcherId};
use alloc::borrow::Cow;
use grevy_proto::Zxid;
use grevy_proto::event::EventType;
use grevy_proto::request::SetWatches2;

/// What setWatches says to the tree about a path, and what a tree answers. Source:
/// `DataTree.setWatches`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatchUp {
    /// The transaction that last set the znode's data.
    pub mzxid: Zxid,
    /// The transaction that last created or deleted a child of it.
    pub pzxid: Zxid,
    /// Whether the client may read it. If not, it is told nothing, as it would have been told
    /// nothing then.
    pub readable: bool,
}

/// What becomes of one of the client's watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The client has missed this event.
    Fires(EventType),
    /// It would have fired, unheard.
    Spent,
    /// It is set again.
    Set,
}

impl WatchTable {
    /// Sets a returning client's watches again, or calls `emit` with the event that each of them
    /// has missed and its path. `look`: what the tree says of a path, `None` if there is no such
    /// znode.
    pub fn set_again(
        &mut self,
        watcher: WatcherId,
        watches: &SetWatches2<'_>,
        look: &mut dyn FnMut(&str) -> Option<CatchUp>,
        emit: &mut dyn FnMut(EventType, &str),
    ) {
        let standard = &watches.standard;
        let since = standard.relative_zxid;
        let mut each = |paths: &[Cow<'_, str>], mode, fate: fn(Option<CatchUp>, Zxid) -> Fate| {
            for path in paths {
                match fate(look(path), since) {
                    Fate::Fires(event) => emit(event, path),
                    Fate::Spent => {}
                    Fate::Set => {
                        self.add(watcher, path, mode);
                    }
                }
            }
        };
        each(&standard.data, WatchMode::Data, data);
        each(&standard.exist, WatchMode::Data, exist);
        each(&standard.child, WatchMode::Child, child);
        for path in &watches.persistent {
            self.add(watcher, path, WatchMode::Persistent);
        }
        for path in &watches.persistent_recursive {
            self.add(watcher, path, WatchMode::PersistentRecursive);
        }
    }
}

fn data(znode: Option<CatchUp>, since: Zxid) -> Fate {
    match znode {
        None => Fate::Fires(EventType::NodeDeleted),
        Some(znode) if znode.mzxid > since => znode.fires(EventType::NodeDataChanged),
        Some(_) => Fate::Set,
    }
}

fn exist(znode: Option<CatchUp>, _: Zxid) -> Fate {
    match znode {
        None => Fate::Set,
        Some(znode) => znode.fires(EventType::NodeCreated),
    }
}

fn child(znode: Option<CatchUp>, since: Zxid) -> Fate {
    match znode {
        None => Fate::Fires(EventType::NodeDeleted),
        Some(znode) if znode.pzxid > since => znode.fires(EventType::NodeChildrenChanged),
        Some(_) => Fate::Set,
    }
}

impl CatchUp {
    fn fires(self, event: EventType) -> Fate {
        match self.readable {
            true => Fate::Fires(event),
            false => Fate::Spent,
        }
    }
}
