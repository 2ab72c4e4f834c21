//! Watches of one connection, by the table in the guarantees.

use super::acl::{self, Identity, permits};
use super::tree::{Model, Trigger, TriggerKind, split};
use crate::operation::Watched;
use std::collections::BTreeSet;

/// Event types on the wire.
pub mod events {
    /// NodeCreated
    pub const CREATED: i32 = 1;
    /// NodeDeleted
    pub const DELETED: i32 = 2;
    /// NodeDataChanged
    pub const DATA_CHANGED: i32 = 3;
    /// NodeChildrenChanged
    pub const CHILDREN_CHANGED: i32 = 4;
}

/// What a connection watches.
#[derive(Debug, Clone, Default)]
pub struct Watches {
    data: BTreeSet<String>,
    child: BTreeSet<String>,
    persistent: BTreeSet<String>,
    recursive: BTreeSet<String>,
}

/// An event that a connection gets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// Its type.
    pub kind: i32,
    /// Its path.
    pub path: String,
}

/// What a trigger means to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The event.
    pub event: Event,
    /// The list that decides whether it is told.
    pub acl: Vec<crate::operation::AclEntry>,
}

impl Watches {
    /// By exists and getData.
    pub fn add_data(&mut self, path: &str) {
        self.data.insert(path.to_owned());
    }

    /// By getChildren.
    pub fn add_child(&mut self, path: &str) {
        self.child.insert(path.to_owned());
    }

    /// By addWatch.
    pub fn add_mode(&mut self, path: &str, mode: i32) {
        match mode {
            0 => self.persistent.insert(path.to_owned()),
            _ => self.recursive.insert(path.to_owned()),
        };
    }

    /// Whether there is a watch of the type (1 children, 2 data, 3 any, 4 persistent,
    /// 5 recursive).
    pub fn contains(&self, path: &str, kind: i32) -> bool {
        self.sets(kind).iter().any(|set| set.contains(path))
    }

    /// Removes them; whether there were any.
    pub fn remove(&mut self, path: &str, kind: i32) -> bool {
        let found = self.contains(path, kind);
        for (number, set) in [
            (1, &mut self.child),
            (2, &mut self.data),
            (4, &mut self.persistent),
            (5, &mut self.recursive),
        ] {
            if kind == 3 || kind == number {
                set.remove(path);
            }
        }
        found
    }

    fn sets(&self, kind: i32) -> Vec<&BTreeSet<String>> {
        match kind {
            1 => vec![&self.child],
            2 => vec![&self.data],
            3 => vec![&self.child, &self.data, &self.persistent, &self.recursive],
            4 => vec![&self.persistent],
            _ => vec![&self.recursive],
        }
    }

    /// What a change means; watches that fire once are spent, whether the client may hear of it
    /// or not.
    pub fn trigger(&mut self, trigger: &Trigger) -> Vec<Due> {
        let path = &trigger.path;
        let mut due = Vec::new();
        let mut heard = self.persistent.contains(path) || self.is_below_recursive(path);
        heard |= self.data.remove(path);
        let kind = match trigger.kind {
            TriggerKind::Created => events::CREATED,
            TriggerKind::DataChanged => events::DATA_CHANGED,
            TriggerKind::Deleted => {
                heard |= self.child.remove(path);
                events::DELETED
            }
        };
        if heard {
            due.push(Due {
                event: Event {
                    kind,
                    path: path.clone(),
                },
                acl: trigger.acl.clone(),
            });
        }
        if trigger.kind != TriggerKind::DataChanged && path != "/" {
            let parent = split(path).0;
            if self.child.remove(parent) | self.persistent.contains(parent) {
                due.push(Due {
                    event: Event {
                        kind: events::CHILDREN_CHANGED,
                        path: parent.to_owned(),
                    },
                    acl: trigger.parent_acl.clone(),
                });
            }
        }
        due
    }

    fn is_below_recursive(&self, path: &str) -> bool {
        let mut at = path;
        loop {
            if self.recursive.contains(at) {
                return true;
            }
            if at == "/" || at.is_empty() {
                return false;
            }
            at = split(at).0;
        }
    }

    /// A returning client's watches: sets again what it has not missed, and returns what it has.
    pub fn set_again(&mut self, watched: &Watched, state: &Model, ids: &[Identity]) -> Vec<Event> {
        let mut missed = Vec::new();
        let mut miss = |kind, path: &String| {
            let readable = state
                .get(path)
                .is_none_or(|znode| permits(&znode.acl, acl::READ, ids));
            if readable {
                let path = path.clone();
                missed.push(Event { kind, path });
            }
        };
        for path in &watched.data {
            match state.get(path) {
                None => miss(events::DELETED, path),
                Some(znode) if znode.mzxid > watched.since => miss(events::DATA_CHANGED, path),
                Some(_) => self.add_data(path),
            }
        }
        for path in &watched.exist {
            match state.get(path) {
                Some(_) => miss(events::CREATED, path),
                None => self.add_data(path),
            }
        }
        for path in &watched.child {
            match state.get(path) {
                None => miss(events::DELETED, path),
                Some(znode) if znode.pzxid > watched.since => {
                    miss(events::CHILDREN_CHANGED, path);
                }
                Some(_) => self.add_child(path),
            }
        }
        watched
            .persistent
            .iter()
            .for_each(|path| self.add_mode(path, 0));
        watched
            .recursive
            .iter()
            .for_each(|path| self.add_mode(path, 1));
        missed
    }
}
