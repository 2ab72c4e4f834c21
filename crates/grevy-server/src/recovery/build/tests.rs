use super::*;
use grevy_proto::txn::{CreateKind, CreateTxn, Txn, TxnHeader};
use grevy_proto::{Acl, Encode, SessionId, StatPersisted, Xid};
use grevy_tree::Loader;

/// More than are in flight at once.
const ZNODES: i64 = 20_000;

fn config() -> TreeConfig {
    TreeConfig {
        hash_seed: 7,
        extended_types: true,
        emulate_353_ttl: false,
        digest: true,
    }
}

fn plan(keep: usize) -> Plan {
    Plan {
        tree: config(),
        field_limit: 4096,
        keep,
    }
}

fn entry(zxid: i64) -> TxnEntry<'static> {
    let txn = Txn::Create(CreateTxn {
        path: format!("/znode-{zxid}").into(),
        data: Some(vec![b'x'; (zxid % 200) as usize].into()),
        acl: vec![if zxid % 3 == 0 { Acl::READ } else { Acl::OPEN }],
        kind: CreateKind::Plain { ephemeral: false },
        parent_cversion: zxid as i32,
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
        digest: None,
    }
}

/// The tree after so many transactions.
fn tree(txns: i64) -> Tree {
    let mut tree = Tree::new(config());
    for zxid in 1..=txns {
        let entry = entry(zxid);
        tree.apply(&entry.header, &entry.txn, &mut |_| {});
    }
    tree
}

fn body(txns: i64) -> Vec<u8> {
    let mut tree = tree(txns);
    tree.start_snapshot();
    let mut body = Vec::new();
    while tree.snapshot_slice(usize::MAX, &mut body) {}
    body
}

/// A body with the znode `/znode-1` twice, the second one this far from the end.
fn twice(behind: &[u8]) -> Vec<u8> {
    let mut body = body(ZNODES);
    // The end is the path of the root.
    body.truncate(body.len() - 5);
    znode("/znode-1", &mut body);
    body.extend_from_slice(behind);
    body
}

fn znode(path: &str, out: &mut Vec<u8>) {
    path.encode(out);
    Some(&b""[..]).encode(out);
    (-1i64).encode(out);
    StatPersisted::default().encode(out);
}

fn feed(visitor: &mut dyn Recover, body: &[u8], size: usize) -> Result<Fed, Rejected> {
    for chunk in body.chunks(size) {
        if let done @ Fed::Done(_) = visitor.snapshot_chunk(chunk)? {
            return Ok(done);
        }
    }
    Ok(Fed::More)
}

fn log(visitor: &mut dyn Recover, from: i64, to: i64) {
    for zxid in from..=to {
        visitor.txn(Zxid(zxid), &entry(zxid).to_bytes()).unwrap();
    }
}

fn assert_same(built: &Built, expected: &Tree) {
    let Some((tree, true)) = &built.tree else {
        panic!("there is no tree, or its digest is wrong");
    };
    assert_eq!(tree.last_zxid(), expected.last_zxid());
    assert_eq!(tree.digest(), expected.digest());
    assert_eq!(tree.znode_count(), expected.znode_count());
    assert_eq!(
        tree.approximate_data_size(),
        expected.approximate_data_size()
    );
    for (one, other) in tree.znodes().zip(expected.znodes()) {
        assert_eq!(one.path(), other.path());
        assert_eq!((one.data(), one.acl()), (other.data(), other.acl()));
        assert_eq!(one.stat(), other.stat());
        assert_eq!(one.node_digest(), other.node_digest());
    }
}

#[test]
fn a_snapshot_and_the_log_behind_it() {
    let last = ZNODES + 5000;
    for size in [1 << 20, 1000, 7] {
        let body = body(ZNODES);
        let (fed, built) = build(plan(10), |visitor| {
            visitor.begin(Some(Zxid(ZNODES)));
            visitor.snapshot_len(body.len() as u64);
            let fed = feed(visitor, &body, size);
            log(visitor, ZNODES + 1, last);
            fed
        })
        .unwrap();
        assert_eq!(fed, Ok(Fed::Done((body.len() - 1) % size + 1)));
        assert_same(&built, &tree(last));
        assert!(built.loaded.is_some());
        let recent: Vec<i64> = built.recent.iter().map(|entry| entry.zxid.0).collect();
        assert_eq!(recent, Vec::from_iter(last - 9..=last));
    }
}

#[test]
fn a_log_alone() {
    let ((), built) = build(plan(0), |visitor| {
        visitor.begin(None);
        log(visitor, 1, 700);
    })
    .unwrap();
    assert_same(&built, &tree(700));
    assert!(built.loaded.is_none() && built.recent.is_empty());
}

#[test]
fn nothing_at_all() {
    let ((), built) = build(plan(0), |_| ()).unwrap();
    assert!(built.tree.is_none());
}

/// What is wrong is told in the same words as by a loader in one thread, and of two things the
/// first; the next snapshot is none the worse for it.
#[test]
fn an_older_snapshot_stands_in() {
    let end = body(0).split_off(body(0).len() - 5);
    let rest = [[0xff; 500].as_slice(), &end].concat();
    let mut far = Vec::new();
    for n in 0..ZNODES {
        znode(&format!("/more-{n}"), &mut far);
    }
    far.extend_from_slice(&end);
    let mut damaged = body(ZNODES);
    damaged.truncate(damaged.len() - 5);
    damaged.extend_from_slice(&rest);
    let no_root = [0i32.to_be_bytes(), 0i32.to_be_bytes()].concat();
    let bodies = [
        twice(&end),
        twice(&rest),
        twice(&far),
        damaged,
        [no_root, end].concat(),
    ];
    for bad in bodies {
        let expected = Loader::new(config(), Zxid(1)).feed(&bad).unwrap_err();
        for size in [1 << 20, 4096] {
            let (fed, built) = build(plan(10), |visitor| {
                visitor.begin(Some(Zxid(ZNODES + 9)));
                let fed = feed(visitor, &bad, size);
                visitor.begin(Some(Zxid(300)));
                feed(visitor, &body(300), size).unwrap();
                log(visitor, 301, 302);
                fed
            })
            .unwrap();
            assert_eq!(fed, Err(Rejected(expected.to_string())));
            assert_same(&built, &tree(302));
            assert_eq!(built.recent.len(), 2);
        }
    }
}

/// A file that ends too early, and one that is given up for another reason.
#[test]
fn a_snapshot_that_is_not_read_to_its_end_is_forgotten() {
    let body = body(ZNODES);
    let (refused, built) = build(plan(0), |visitor| {
        visitor.begin(Some(Zxid(ZNODES)));
        let half = feed(visitor, &body[..body.len() / 2], 4096);
        let refused = visitor.txn(Zxid(ZNODES + 1), &entry(ZNODES + 1).to_bytes());
        visitor.begin(Some(Zxid(ZNODES)));
        let whole = feed(visitor, &body, 1 << 16);
        let behind = visitor.snapshot_chunk(b"more");
        let damaged = visitor.txn(Zxid(ZNODES + 1), &[1, 2, 3]);
        visitor.begin(None);
        log(visitor, 1, 3);
        assert!(half == Ok(Fed::More) && matches!(whole, Ok(Fed::Done(_))));
        [refused, behind.map(|_| ()), damaged]
    })
    .unwrap();
    assert!(refused.iter().all(Result::is_err), "{refused:?}");
    assert_same(&built, &tree(3));
}
