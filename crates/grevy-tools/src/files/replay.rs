//! Rebuilds the state from files, to see whether it is the one that the digests in them tell of.

use grevy_proto::txn::{DIGEST_VERSION, TxnEntry};
use grevy_proto::{Decode, Zxid};
use grevy_storage::snapshot::Fed;
use grevy_storage::{Recover, Rejected};
use grevy_tree::{Loader, Tree, TreeConfig};

/// A state that is being rebuilt.
#[derive(Default)]
pub struct Replay {
    state: State,
    /// Since when digests of transactions are not the tree's. One that is right again ends it:
    /// a Java server's snapshot may hold parts of what follows it.
    differs_since: Option<Zxid>,
}

#[derive(Default)]
enum State {
    #[default]
    None,
    Loading(Box<Loader>),
    Loaded(Box<Tree>),
}

impl Replay {
    /// The state, if a snapshot or an empty tree was its beginning.
    pub fn tree(&mut self) -> Option<&mut Tree> {
        match &mut self.state {
            State::Loaded(tree) => Some(tree),
            State::None | State::Loading(_) => None,
        }
    }

    /// Since when the state is not the one that the log tells of.
    pub fn differs_since(&self) -> Option<Zxid> {
        self.differs_since
    }
}

impl Recover for Replay {
    fn begin(&mut self, zxid: Option<Zxid>) {
        // What an earlier attempt built must not take memory beside this one.
        self.state = State::None;
        self.differs_since = None;
        self.state = match zxid {
            Some(zxid) => State::Loading(Box::new(Loader::new(config(), zxid))),
            None => State::Loaded(Box::new(Tree::new(config()))),
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
                if let State::Loading(loader) = std::mem::take(&mut self.state) {
                    self.state = State::Loaded(Box::new(loader.finish().map_err(rejected)?));
                }
                Ok(Fed::Done(used))
            }
        }
    }

    fn txn(&mut self, zxid: Zxid, entry: &[u8]) -> Result<(), Rejected> {
        let State::Loaded(tree) = &mut self.state else {
            return Err(Rejected(
                "a transaction without a state before it".to_owned(),
            ));
        };
        let entry = TxnEntry::from_bytes(entry).map_err(|error| Rejected(error.to_string()))?;
        tree.apply(&entry.header, &entry.txn, &mut |_| {});
        if let Some(digest) = entry.digest
            && digest.version == DIGEST_VERSION
        {
            self.differs_since = match digest.digest == tree.digest() {
                true => None,
                false => self.differs_since.or(Some(zxid)),
            };
        }
        Ok(())
    }
}

/// Nobody chooses paths against this process's index for long, so the seed may be a constant.
fn config() -> TreeConfig {
    TreeConfig {
        hash_seed: 0,
        extended_types: true,
        emulate_353_ttl: false,
        digest: true,
    }
}
