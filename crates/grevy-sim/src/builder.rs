//! Builds a tree from what recovery finds, as the server does.

use grevy_proto::txn::TxnEntry;
use grevy_proto::{Decode, Zxid};
use grevy_storage::snapshot::Fed;
use grevy_storage::{Recover, Rejected};
use grevy_tree::{Loader, Replay, Tree, TreeConfig};
use grevy_zab::Entry;
use std::collections::VecDeque;

/// See the module's text.
pub struct Builder {
    config: TreeConfig,
    state: State,
    recent: VecDeque<Entry>,
    keep: usize,
}

enum State {
    None,
    Loading(Box<Loader>),
    Loaded(Replay),
}

impl Builder {
    /// Nothing yet.
    pub fn new(config: TreeConfig) -> Self {
        Self {
            config,
            state: State::None,
            recent: VecDeque::new(),
            keep: 0,
        }
    }

    /// The same, and keeps the last `keep` transactions for learners.
    pub fn keeping(config: TreeConfig, keep: usize) -> Self {
        Self {
            keep,
            ..Self::new(config)
        }
    }

    /// The last transactions, oldest first.
    pub fn recent(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.recent).into()
    }

    /// What was built; an empty tree if nothing was found.
    pub fn finish(self) -> Tree {
        match self.state {
            State::Loaded(replay) => replay.finish().0,
            State::None | State::Loading(_) => Tree::new(self.config),
        }
    }
}

impl Recover for Builder {
    fn begin(&mut self, zxid: Option<Zxid>) {
        self.recent.clear();
        self.state = match zxid {
            Some(zxid) => State::Loading(Box::new(Loader::new(self.config.clone(), zxid))),
            None => State::Loaded(Replay::new(Tree::new(self.config.clone()))),
        };
    }

    fn snapshot_chunk(&mut self, chunk: &[u8]) -> Result<Fed, Rejected> {
        let State::Loading(loader) = &mut self.state else {
            return Err(Rejected("bytes behind the end of the body".to_owned()));
        };
        let rejected = |error: grevy_tree::LoadError| Rejected(error.to_string());
        match loader.feed(chunk).map_err(rejected)? {
            grevy_tree::Fed::More => Ok(Fed::More),
            grevy_tree::Fed::Done(used) => {
                if let State::Loading(loader) = std::mem::replace(&mut self.state, State::None) {
                    let tree = loader.finish().map_err(rejected)?;
                    self.state = State::Loaded(Replay::new(tree));
                }
                Ok(Fed::Done(used))
            }
        }
    }

    fn txn(&mut self, zxid: Zxid, entry: &[u8]) -> Result<(), Rejected> {
        if self.keep > 0 {
            let bytes = entry.into();
            self.recent.push_back(Entry { zxid, bytes });
            if self.recent.len() > self.keep {
                self.recent.pop_front();
            }
        }
        let State::Loaded(replay) = &mut self.state else {
            return Err(Rejected("a transaction before its state".to_owned()));
        };
        let entry = TxnEntry::from_bytes(entry).map_err(|error| Rejected(error.to_string()))?;
        replay.push(entry);
        Ok(())
    }
}
