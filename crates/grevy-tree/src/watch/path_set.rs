//! The paths that one watcher watches.

use super::path::PathId;
use alloc::boxed::Box;
use foldhash::fast::FixedState;
use hashbrown::HashSet;

/// Never empty. Most watchers watch one path, which needs no allocation: thousands of them may be
/// taken away by one event.
pub(super) enum PathSet {
    One(PathId),
    Many(Box<HashSet<PathId, FixedState>>),
}

impl PathSet {
    pub(super) fn insert(&mut self, id: PathId, hasher: &FixedState) {
        match self {
            Self::One(other) if *other == id => {}
            Self::One(other) => {
                let mut both = HashSet::with_hasher(hasher.clone());
                both.extend([*other, id]);
                *self = Self::Many(Box::new(both));
            }
            Self::Many(ids) => {
                ids.insert(id);
            }
        }
    }

    /// Returns whether anything is left; if not, the set is to be dropped.
    pub(super) fn remove(&mut self, id: PathId) -> bool {
        match self {
            Self::One(other) => *other != id,
            Self::Many(ids) => {
                ids.remove(&id);
                !ids.is_empty()
            }
        }
    }

    /// In no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = PathId> {
        let (one, many) = match self {
            Self::One(id) => (Some(*id), None),
            Self::Many(ids) => (None, Some(ids.iter().copied())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}
