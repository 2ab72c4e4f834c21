//! Replaying a log.

use crate::tree::Tree;
use alloc::boxed::Box;
use alloc::vec::Vec;
use grevy_proto::txn::{DIGEST_VERSION, Txn, TxnEntry};

/// How many transactions are looked ahead, so that the tree is prepared for them together.
const AHEAD: usize = 16;

/// A tree, and the transactions of a log, which are applied to it. Once they all have been,
/// [`Tree::finish_recovery`] is due.
pub struct Replay {
    tree: Box<Tree>,
    ahead: Vec<TxnEntry<'static>>,
    digest_matches: bool,
}

impl Replay {
    /// On the state before the first transaction.
    pub fn new(tree: Tree) -> Self {
        Self {
            tree: Box::new(tree),
            ahead: Vec::with_capacity(AHEAD),
            digest_matches: true,
        }
    }

    /// The next transaction.
    pub fn push(&mut self, entry: TxnEntry<'_>) {
        self.ahead.push(entry.into_owned());
        if self.ahead.len() == AHEAD {
            self.settle();
        }
    }

    /// The next transactions, which whoever decoded them keeps.
    pub fn extend(&mut self, entries: &[TxnEntry<'_>]) {
        self.settle();
        for entries in entries.chunks(AHEAD) {
            self.apply(entries);
        }
    }

    /// The state after the last transaction, and whether its digest is the one that the last
    /// transaction with a digest names. Earlier ones say nothing: a Java server's snapshot may
    /// hold parts of what follows it.
    pub fn finish(mut self) -> (Tree, bool) {
        self.settle();
        (*self.tree, self.digest_matches)
    }

    /// Applies what is being kept.
    fn settle(&mut self) {
        let mut ahead = core::mem::take(&mut self.ahead);
        self.apply(&ahead);
        ahead.clear();
        self.ahead = ahead;
    }

    fn apply(&mut self, entries: &[TxnEntry<'_>]) {
        let Self {
            tree,
            digest_matches,
            ..
        } = self;
        let paths = entries.iter().filter_map(|entry| Txn::path(&entry.txn));
        tree.warm(paths.map(str::as_bytes));
        for entry in entries {
            tree.apply(&entry.header, &entry.txn, &mut |_| {});
            if let Some(digest) = entry.digest
                && digest.version == DIGEST_VERSION
                && tree.config().digest
            {
                *digest_matches = digest.digest == tree.digest();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::TreeConfig;
    use grevy_proto::txn::{CreateKind, CreateTxn, TxnDigest, TxnHeader};
    use grevy_proto::{Acl, SessionId, Xid, Zxid};

    fn tree() -> Tree {
        Tree::new(TreeConfig {
            hash_seed: 1,
            extended_types: false,
            emulate_353_ttl: false,
            digest: true,
        })
    }

    fn create(zxid: i64, digest: Option<i64>) -> TxnEntry<'static> {
        let txn = Txn::Create(CreateTxn {
            path: alloc::format!("/{zxid}").into(),
            data: None,
            acl: alloc::vec![Acl::OPEN],
            kind: CreateKind::Plain { ephemeral: false },
            parent_cversion: -1,
        });
        TxnEntry {
            header: TxnHeader {
                session: SessionId(1),
                cxid: Xid(1),
                zxid: Zxid(zxid),
                time: 1,
                op: txn.op().wire(),
            },
            txn,
            digest: digest.map(|digest| TxnDigest {
                version: DIGEST_VERSION,
                digest,
            }),
        }
    }

    /// Whatever their number, all are applied, and the last digest is what counts.
    #[test]
    fn all_are_applied() {
        for count in [0, 1, AHEAD as i64 - 1, AHEAD as i64, 3 * AHEAD as i64 + 1] {
            let mut expected = tree();
            let mut digest = None;
            for zxid in 1..=count {
                let entry = create(zxid, None);
                expected.apply(&entry.header, &entry.txn, &mut |_| {});
                digest = Some(expected.digest());
            }
            for (last, good) in [(digest, true), (Some(1), count == 0)] {
                let entries: Vec<TxnEntry<'_>> = (1..=count)
                    .map(|zxid| create(zxid, if zxid == count { last } else { Some(2) }))
                    .collect();
                for pushed in [0, 1, entries.len()] {
                    let (push, extend) = entries.split_at(pushed.min(entries.len()));
                    let mut replay = Replay::new(tree());
                    push.iter().cloned().for_each(|entry| replay.push(entry));
                    replay.extend(extend);
                    let (tree, digest_matches) = replay.finish();
                    assert_eq!(tree.last_zxid(), Zxid(count));
                    assert_eq!(tree.digest(), expected.digest());
                    assert_eq!(digest_matches, good, "{count}, {pushed} pushed");
                }
            }
        }
    }
}
