//! The watches of a client, as a library would keep them.

use crate::operation::{ReadKind, Watched};
use std::collections::BTreeSet;

/// What a client library remembers of watches, to set them again.
#[derive(Debug, Default)]
pub(super) struct ClientWatches {
    data: BTreeSet<String>,
    exist: BTreeSet<String>,
    child: BTreeSet<String>,
    persistent: BTreeSet<String>,
    recursive: BTreeSet<String>,
}

impl ClientWatches {
    /// What setWatches says on a new connection, for a client that has seen what happened up to
    /// `since`. `old`: by the request of servers before 3.6, if that can say it all.
    pub(super) fn to_set(&self, since: i64, old: bool) -> Watched {
        let is_old_form = old && self.persistent.is_empty() && self.recursive.is_empty();
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect();
        Watched {
            since,
            is_old_form,
            data: list(&self.data),
            exist: list(&self.exist),
            child: list(&self.child),
            persistent: list(&self.persistent),
            recursive: list(&self.recursive),
        }
    }

    /// A read that asked for a watch was answered.
    pub(super) fn read(&mut self, kind: ReadKind, path: &str, err: i32) {
        let set = match (kind, err) {
            (ReadKind::Exists, -101) => &mut self.exist,
            (ReadKind::Exists | ReadKind::Data, 0) => &mut self.data,
            (ReadKind::Children | ReadKind::Children2, 0) => &mut self.child,
            _ => return,
        };
        set.insert(path.to_owned());
    }

    /// addWatch succeeded.
    pub(super) fn added(&mut self, path: &str, mode: i32) {
        match mode {
            0 => self.persistent.insert(path.to_owned()),
            _ => self.recursive.insert(path.to_owned()),
        };
    }

    /// removeWatches succeeded.
    pub(super) fn removed(&mut self, path: &str, kind: i32) {
        let numbers = [1, 2, 2, 4, 5];
        let sets = [
            &mut self.child,
            &mut self.data,
            &mut self.exist,
            &mut self.persistent,
            &mut self.recursive,
        ];
        for (number, set) in numbers.into_iter().zip(sets) {
            if kind == 3 || kind == number {
                set.remove(path);
            }
        }
    }

    /// An event came, and used up what is not persistent.
    pub(super) fn fired(&mut self, kind: i32, path: &str) {
        if kind <= 3 {
            self.data.remove(path);
            self.exist.remove(path);
        }
        if kind == 4 || kind == 2 {
            self.child.remove(path);
        }
    }
}
