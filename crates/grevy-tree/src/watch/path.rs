//! Watched paths, each stored once, and the watches on each.

use super::{Modes, WatcherId};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::slice;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// The number of a watched path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PathId(u32);

/// One watcher's watches on one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) watcher: WatcherId,
    pub(super) modes: Modes,
}

/// The watches on a path, in ascending order of watchers. Most paths have one watcher, which
/// needs no allocation.
#[derive(Debug)]
pub(super) enum Watches {
    One(Watch),
    Many(Vec<Watch>),
}

struct Watched {
    path: Box<str>,
    watches: Watches,
    recursive: u32,
}

/// Watched paths by number, numbers by path.
pub(super) struct Paths {
    watched: Vec<Watched>,
    /// Numbers that are not in use.
    free: Vec<PathId>,
    index: HashTable<PathId>,
    hasher: FixedState,
}

impl Paths {
    pub(super) fn new(hasher: FixedState) -> Self {
        Self {
            watched: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher,
        }
    }

    pub(super) fn find(&self, path: &str) -> Option<PathId> {
        let hash = self.hasher.hash_one(path);
        let equal = |id: &PathId| &*self.watched[id.0 as usize].path == path;
        self.index.find(hash, equal).copied()
    }

    /// The path's number; a new path has no watches yet and must get one.
    pub(super) fn intern(&mut self, path: &str) -> PathId {
        if let Some(id) = self.find(path) {
            return id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            let id = PathId(self.watched.len() as u32);
            self.watched.push(Watched::default());
            id
        });
        self.watched[id.0 as usize].path = path.into();
        let Self {
            watched, hasher, ..
        } = self;
        self.index
            .insert_unique(hasher.hash_one(path), id, |id: &PathId| {
                hasher.hash_one(&*watched[id.0 as usize].path)
            });
        id
    }

    pub(super) fn path(&self, id: PathId) -> &str {
        &self.watched[id.0 as usize].path
    }

    pub(super) fn watches(&self, id: PathId) -> &Watches {
        &self.watched[id.0 as usize].watches
    }

    pub(super) fn watches_mut(&mut self, id: PathId) -> &mut Watches {
        &mut self.watched[id.0 as usize].watches
    }

    /// How many recursive watches are on the path.
    pub(super) fn recursive(&self, id: PathId) -> u32 {
        self.watched[id.0 as usize].recursive
    }

    pub(super) fn add_recursive(&mut self, id: PathId, more: usize, less: usize) {
        let count = &mut self.watched[id.0 as usize].recursive;
        *count = *count + more as u32 - less as u32;
    }

    pub(super) fn free_if_unwatched(&mut self, id: PathId) {
        if !self.watches(id).as_slice().is_empty() {
            return;
        }
        let watched = core::mem::take(&mut self.watched[id.0 as usize]);
        let hash = self.hasher.hash_one(&*watched.path);
        if let Ok(entry) = self.index.find_entry(hash, |found| *found == id) {
            entry.remove();
        }
        self.free.push(id);
    }

    /// All watched paths, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Watches)> {
        self.watched
            .iter()
            .filter(|watched| !watched.watches.as_slice().is_empty())
            .map(|watched| (&*watched.path, &watched.watches))
    }
}

impl Default for Watched {
    fn default() -> Self {
        Self {
            path: Box::default(),
            watches: Watches::Many(Vec::new()),
            recursive: 0,
        }
    }
}

impl Watches {
    pub(super) fn as_slice(&self) -> &[Watch] {
        match self {
            Self::One(watch) => slice::from_ref(watch),
            Self::Many(watches) => watches,
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Watch] {
        match self {
            Self::One(watch) => slice::from_mut(watch),
            Self::Many(watches) => watches,
        }
    }

    /// What the watcher wants; 0 if it does not watch here.
    pub(super) fn get(&self, watcher: WatcherId) -> Modes {
        let watches = self.as_slice();
        watches
            .binary_search_by_key(&watcher, |watch| watch.watcher)
            .map_or(0, |at| watches[at].modes)
    }

    /// Sets what the watcher wants; 0 takes it away.
    pub(super) fn set(&mut self, watcher: WatcherId, modes: Modes) {
        let slice = self.as_slice();
        let found = slice.binary_search_by_key(&watcher, |watch| watch.watcher);
        let watch = Watch { watcher, modes };
        match (found, modes, &mut *self) {
            (Err(_), 0, _) => {}
            (Ok(at), 0, Self::Many(watches)) if watches.len() > 1 => {
                watches.remove(at);
            }
            (Ok(_), 0, _) => *self = Self::Many(Vec::new()),
            (Ok(at), _, _) => {
                if let Some(old) = self.as_mut_slice().get_mut(at) {
                    *old = watch;
                }
            }
            (Err(_), _, Self::Many(watches)) if watches.is_empty() => *self = Self::One(watch),
            (Err(at), _, Self::Many(watches)) => watches.insert(at, watch),
            (Err(at), _, Self::One(other)) => {
                let mut both = Vec::from([*other]);
                both.insert(at, watch);
                *self = Self::Many(both);
            }
        }
    }

    /// Drops entries that want nothing any more.
    pub(super) fn drop_empty(&mut self) {
        match self {
            Self::One(watch) if watch.modes == 0 => *self = Self::Many(Vec::new()),
            Self::One(_) => {}
            Self::Many(watches) => watches.retain(|watch| watch.modes != 0),
        }
    }
}
