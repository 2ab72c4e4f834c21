//! What is true whatever anybody believes: the committed history, replayed by the model.

use grevy_sim::Time;
use grevy_sim::history::History;
use grevy_sim::model::{Change, Entry, Model, TriggerKind};
use std::collections::BTreeMap;

/// The znodes that there are, and those that there were.
pub struct Truth {
    /// The present state.
    pub model: Model,
    /// Znodes by the transaction that created them.
    pub all: BTreeMap<i64, Life>,
    /// Successful changes of a znode's data, with the session and the znode's path, in order.
    pub writes: Vec<Write>,
    alive: BTreeMap<String, i64>,
    seen: usize,
}

/// A znode from its creation to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Where.
    pub path: String,
    /// The session that created it.
    pub creator: i64,
    /// The transaction that deleted it, if one has.
    pub end: Option<End>,
}

/// How a znode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The transaction.
    pub zxid: i64,
    /// Whose.
    pub session: i64,
    /// When it was known to be committed.
    pub at: Time,
}

/// A creation, or new data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The transaction.
    pub zxid: i64,
    /// Whose.
    pub session: i64,
    /// Where.
    pub path: String,
    /// What.
    pub data: Vec<u8>,
}

impl Truth {
    /// Before anything was committed.
    pub fn new(history: &History) -> Self {
        Self {
            model: history.state.clone(),
            all: BTreeMap::new(),
            writes: Vec::new(),
            alive: BTreeMap::new(),
            seen: 0,
        }
    }

    /// Takes the next committed transaction, if there is one. Returns what it created and
    /// deleted.
    ///
    /// # Errors
    ///
    /// If the model cannot apply it.
    pub fn follow(&mut self, history: &History, now: Time) -> Result<Option<Vec<Event>>, String> {
        let Some(committed) = history.committed.get(self.seen) else {
            return Ok(None);
        };
        self.seen += 1;
        let entry = Entry::decode(&committed.entry)
            .ok_or_else(|| format!("{:x} cannot be read", committed.zxid))?;
        let (_, triggers) = self.model.apply(&entry)?;
        let mut events = Vec::new();
        for trigger in triggers {
            let path = trigger.path;
            match trigger.kind {
                TriggerKind::Created => {
                    self.alive.insert(path.clone(), entry.zxid);
                    let life = Life {
                        path: path.clone(),
                        creator: entry.session,
                        end: None,
                    };
                    self.all.insert(entry.zxid, life);
                    events.push(Event::Created(entry.zxid, path));
                }
                TriggerKind::Deleted => {
                    let Some(born) = self.alive.remove(&path) else {
                        continue;
                    };
                    if let Some(life) = self.all.get_mut(&born) {
                        life.end = Some(End {
                            zxid: entry.zxid,
                            session: entry.session,
                            at: now,
                        });
                    }
                    events.push(Event::Deleted(born, path));
                }
                TriggerKind::DataChanged => {}
            }
        }
        self.note_writes(&entry, &entry.change);
        Ok(Some(events))
    }

    fn note_writes(&mut self, entry: &Entry, change: &Change) {
        match change {
            Change::Create { path, data, .. } | Change::SetData { path, data, .. } => {
                self.writes.push(Write {
                    zxid: entry.zxid,
                    session: entry.session,
                    path: path.clone(),
                    data: data.clone().unwrap_or_default(),
                });
            }
            Change::Multi(parts) if !parts.iter().any(|p| matches!(p, Change::Error(_))) => {
                for part in parts {
                    self.note_writes(entry, part);
                }
            }
            _ => {}
        }
    }

    /// The last transaction.
    pub fn zxid(&self) -> i64 {
        self.model.zxid
    }

    /// Whether the znode of that creation exists.
    pub fn exists(&self, created: i64) -> bool {
        self.all
            .get(&created)
            .is_some_and(|life| life.end.is_none())
    }

    /// The children of a znode with the transactions that created them.
    pub fn children(&self, parent: &str) -> Vec<(i64, String)> {
        let names = self.model.get(parent).map(|znode| &znode.children);
        let mut children: Vec<_> = names
            .into_iter()
            .flatten()
            .filter_map(|name| {
                let path = format!("{parent}/{name}");
                Some((*self.alive.get(&path)?, path))
            })
            .collect();
        children.sort();
        children
    }

    /// The data of a znode.
    pub fn data(&self, path: &str) -> Option<&[u8]> {
        let znode = self.model.get(path)?;
        Some(znode.data.as_deref().unwrap_or_default())
    }

    /// The znodes that a path has had, in order.
    pub fn lives(&self, path: &str) -> Vec<(i64, Life)> {
        let lives = self.all.iter().filter(|(_, life)| life.path == path);
        lives.map(|(born, life)| (*born, life.clone())).collect()
    }
}

/// Something that was committed, with the transaction that created the znode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A znode came into being.
    Created(i64, String),
    /// A znode is gone.
    Deleted(i64, String),
}
