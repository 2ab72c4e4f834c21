//! Watches: who wants to hear of which znode. Source: `WatchManager`, `DataTree`.
//!
//! The Java server has a table of data watches and one of child watches. Here one entry of a
//! watcher and a path holds everything that this watcher wants of this path, as bits. What an
//! event may be told to whom (READ on the znode) is decided by who delivers it.

mod catch_up;
mod path;
mod path_set;
mod report;

pub use catch_up::CatchUp;
pub use grevy_proto::watch::WatcherType;
pub use report::{WatchSummary, WatchesByPath, WatchesByWatcher};

use crate::change::ChangeKind;
use alloc::vec::Vec;
use foldhash::fast::FixedState;
use grevy_proto::event::EventType;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use path::{PathId, Paths};
use path_set::PathSet;

/// A connection that watches. Standing for one connection as long as it has watches, and then
/// free to stand for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatcherId(pub u32);

/// How a watch is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WatchMode {
    /// By exists or getData: once, for the znode itself.
    Data,
    /// By getChildren: once, for the znode's children, and for its end.
    Child,
    /// By addWatch: for both of these, until it is removed.
    Persistent,
    /// By addWatch: for the znode and everything below, without changes of children.
    PersistentRecursive,
}

impl WatchMode {
    /// What addWatch's mode says (`ZooDefs.AddWatchModes`).
    pub fn from_wire(mode: i32) -> Option<Self> {
        match mode {
            0 => Some(Self::Persistent),
            1 => Some(Self::PersistentRecursive),
            _ => None,
        }
    }

    fn bits(self) -> Modes {
        match self {
            Self::Data => DATA,
            Self::Child => CHILD,
            Self::Persistent => PERSISTENT,
            Self::PersistentRecursive => RECURSIVE,
        }
    }
}

/// Which modes checkWatches and removeWatches mean.
fn modes_of(which: WatcherType) -> Modes {
    match which {
        WatcherType::Children => CHILD,
        WatcherType::Data => DATA,
        WatcherType::Any => ALL,
        WatcherType::Persistent => PERSISTENT,
        WatcherType::PersistentRecursive => RECURSIVE,
    }
}

/// A set of the bits below: what one watcher wants of one path.
type Modes = u8;

const DATA: Modes = 1;
const CHILD: Modes = 2;
const PERSISTENT: Modes = 4;
const RECURSIVE: Modes = 8;
const ALL: Modes = DATA | CHILD | PERSISTENT | RECURSIVE;
/// What stands in the Java server's table of data watches, and what in that of child watches.
const IN_DATA_TABLE: Modes = DATA | PERSISTENT | RECURSIVE;
const IN_CHILD_TABLE: Modes = CHILD | PERSISTENT;

type Watchers = HashMap<WatcherId, PathSet, FixedState>;

/// All watches of a server's connections.
pub struct WatchTable {
    /// For each watched path its watchers, ascending.
    paths: Paths,
    /// For each watcher the paths that it watches.
    watchers: Watchers,
    hasher: FixedState,
    /// Entries with [`RECURSIVE`]; while there are none, no ancestor is looked at.
    recursive: usize,
    /// Entries in each of the Java server's tables.
    in_data_table: usize,
    in_child_table: usize,
}

impl WatchTable {
    /// An empty table. `hash_seed` keeps strangers from choosing paths that collide: random, per
    /// process.
    pub fn new(hash_seed: u64) -> Self {
        let hasher = FixedState::with_seed(hash_seed);
        Self {
            paths: Paths::new(hasher.clone()),
            watchers: HashMap::with_hasher(hasher.clone()),
            hasher,
            recursive: 0,
            in_data_table: 0,
            in_child_table: 0,
        }
    }

    /// How many watches there are, counted as the Java server counts: per watcher and path one
    /// for data, one for children.
    pub fn count(&self) -> usize {
        self.in_data_table + self.in_child_table
    }

    /// Sets a watch; `false`: it was there already.
    pub fn add(&mut self, watcher: WatcherId, path: &str, mode: WatchMode) -> bool {
        let id = self.paths.intern(path);
        let watches = self.paths.watches_mut(id);
        let old = watches.get(watcher);
        let new = old | mode.bits();
        if new == old {
            return false;
        }
        watches.set(watcher, new);
        if old == 0 {
            self.watchers
                .entry(watcher)
                .or_insert(PathSet::One(id))
                .insert(id, &self.hasher);
        }
        self.account(id, old, new);
        true
    }

    /// Whether there is such a watch.
    pub fn contains(&self, watcher: WatcherId, path: &str, kind: WatcherType) -> bool {
        self.paths
            .find(path)
            .is_some_and(|id| self.paths.watches(id).get(watcher) & modes_of(kind) != 0)
    }

    /// Removes a watch; `false`: there is no such watch.
    pub fn remove(&mut self, watcher: WatcherId, path: &str, kind: WatcherType) -> bool {
        let Some(id) = self.paths.find(path) else {
            return false;
        };
        let watches = self.paths.watches_mut(id);
        let old = watches.get(watcher);
        let new = old & !modes_of(kind);
        if new == old {
            return false;
        }
        watches.set(watcher, new);
        if new == 0 {
            self.forget(watcher, id);
        }
        self.account(id, old, new);
        self.paths.free_if_unwatched(id);
        true
    }

    /// Removes all watches of a connection that is gone.
    pub fn remove_watcher(&mut self, watcher: WatcherId) {
        let ids = self.watchers.remove(&watcher);
        for id in ids.iter().flat_map(PathSet::iter) {
            let watches = self.paths.watches_mut(id);
            let old = watches.get(watcher);
            watches.set(watcher, 0);
            self.account(id, old, 0);
            self.paths.free_if_unwatched(id);
        }
    }

    /// Tells who is to hear of a change of the znode `path`: calls `emit` with the watcher, the
    /// event and the event's path. Watches that fire once are gone afterwards, delivered or not.
    ///
    /// Events of the znode come before those of its parent; equal events in ascending order of
    /// watchers. A watcher hears of a deletion once, even if it watches data and children.
    pub fn trigger(
        &mut self,
        kind: ChangeKind,
        path: &str,
        emit: &mut dyn FnMut(WatcherId, EventType, &str),
    ) {
        if self.watchers.is_empty() {
            return;
        }
        let (event, wanted) = match kind {
            ChangeKind::Created => (EventType::NodeCreated, IN_DATA_TABLE),
            ChangeKind::DataChanged => (EventType::NodeDataChanged, IN_DATA_TABLE),
            ChangeKind::Deleted => (EventType::NodeDeleted, IN_DATA_TABLE | IN_CHILD_TABLE),
        };
        let id = self.paths.find(path);
        let above = match self.recursive {
            0 => Vec::new(),
            _ => self.recursive_above(path),
        };
        if above.is_empty() {
            if let Some(id) = id {
                self.fire(id, wanted, &mut |watcher| emit(watcher, event, path));
            }
        } else {
            let mut hearers = above;
            if let Some(id) = id {
                self.fire(id, wanted, &mut |watcher| hearers.push(watcher));
            }
            hearers.sort_unstable();
            hearers.dedup();
            for watcher in hearers {
                emit(watcher, event, path);
            }
        }
        if kind != ChangeKind::DataChanged
            && let Some(parent) = parent(path)
            && let Some(id) = self.paths.find(parent)
        {
            self.fire(id, IN_CHILD_TABLE, &mut |watcher| {
                emit(watcher, EventType::NodeChildrenChanged, parent);
            });
        }
    }

    /// Calls `hear` for every watcher of the path that wants any of `wanted`, and takes the
    /// standard watches among those away.
    fn fire(&mut self, id: PathId, wanted: Modes, hear: &mut dyn FnMut(WatcherId)) {
        let spent = wanted & (DATA | CHILD);
        let mut changed = false;
        let watches = self.paths.watches_mut(id);
        for watch in watches.as_mut_slice() {
            let old = watch.modes;
            if old & wanted == 0 {
                continue;
            }
            hear(watch.watcher);
            let new = old & !spent;
            if new != old {
                watch.modes = new;
                changed = true;
                self.in_data_table -= lost(old, new, IN_DATA_TABLE);
                self.in_child_table -= lost(old, new, IN_CHILD_TABLE);
                if new == 0 {
                    forget(&mut self.watchers, watch.watcher, id);
                }
            }
        }
        if changed {
            watches.drop_empty();
            self.paths.free_if_unwatched(id);
        }
    }

    /// Who watches an ancestor of `path` recursively.
    fn recursive_above(&self, path: &str) -> Vec<WatcherId> {
        let mut found = Vec::new();
        let mut at = path;
        while let Some(up) = parent(at) {
            at = up;
            if let Some(id) = self.paths.find(at)
                && self.paths.recursive(id) > 0
            {
                let watches = self.paths.watches(id).as_slice().iter();
                found.extend(
                    watches
                        .filter(|watch| watch.modes & RECURSIVE != 0)
                        .map(|watch| watch.watcher),
                );
            }
        }
        found
    }

    /// Keeps the counts when an entry's bits change.
    fn account(&mut self, id: PathId, old: Modes, new: Modes) {
        self.in_data_table += lost(new, old, IN_DATA_TABLE);
        self.in_data_table -= lost(old, new, IN_DATA_TABLE);
        self.in_child_table += lost(new, old, IN_CHILD_TABLE);
        self.in_child_table -= lost(old, new, IN_CHILD_TABLE);
        let (more, less) = (lost(new, old, RECURSIVE), lost(old, new, RECURSIVE));
        self.recursive = self.recursive + more - less;
        self.paths.add_recursive(id, more, less);
    }

    fn forget(&mut self, watcher: WatcherId, id: PathId) {
        forget(&mut self.watchers, watcher, id);
    }
}

fn forget(watchers: &mut Watchers, watcher: WatcherId, id: PathId) {
    if let Entry::Occupied(mut paths) = watchers.entry(watcher)
        && !paths.get_mut().remove(id)
    {
        paths.remove();
    }
}

/// 1 if `old` had any bit of `table` and `new` has none.
fn lost(old: Modes, new: Modes, table: Modes) -> usize {
    usize::from(old & table != 0 && new & table == 0)
}

/// Clients may watch any string, a path or not.
fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        ("", "") => None,
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

#[cfg(test)]
mod tests;
