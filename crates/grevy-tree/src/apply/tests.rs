use super::*;
use crate::ephemeral_type::EphemeralType;
use crate::tree::TreeConfig;
use alloc::borrow::ToOwned;
use alloc::string::ToString;
use alloc::vec;
use grevy_proto::txn::{CheckTxn, DeleteTxn};
use grevy_proto::{Acl, Id, Xid};

const PERSISTENT: CreateKind = CreateKind::Plain { ephemeral: false };
const EPHEMERAL: CreateKind = CreateKind::Plain2 { ephemeral: true };

fn tree() -> Tree {
    Tree::new(TreeConfig {
        hash_seed: 3,
        extended_types: true,
        emulate_353_ttl: false,
        digest: true,
    })
}

fn acl(name: &'static str) -> Vec<Acl> {
    vec![Acl {
        perms: 31,
        id: Id::new("digest", name),
    }]
}

fn create(path: &'static str, kind: CreateKind) -> Txn<'static> {
    Txn::Create(CreateTxn {
        path: path.into(),
        data: Some(b"data".as_slice().into()),
        acl: acl("first"),
        kind,
        parent_cversion: -1,
    })
}

fn delete(path: &'static str) -> Txn<'static> {
    Txn::Delete(DeleteTxn {
        path: path.into(),
        container: false,
    })
}

fn set_data(path: &'static str, data: &'static [u8], version: i32) -> Txn<'static> {
    Txn::SetData(SetDataTxn {
        path: path.into(),
        data: Some(data.into()),
        version,
        reconfig: false,
    })
}

fn set_acl(path: &'static str, name: &'static str, version: i32) -> Txn<'static> {
    Txn::SetAcl(SetAclTxn {
        path: path.into(),
        acl: acl(name),
        version,
    })
}

fn apply(tree: &mut Tree, zxid: i64, session: i64, txn: &Txn) -> (Applied, Vec<String>) {
    let header = TxnHeader {
        session: SessionId(session),
        cxid: Xid(1),
        zxid: Zxid(zxid),
        time: 1000 + zxid,
        op: txn.op().wire(),
    };
    let mut told = Vec::new();
    let applied = tree.apply(&header, txn, &mut |change| {
        let of = |list: &[Acl]| list.first().map(|acl| acl.id.id.clone().into_owned());
        let (own, parent) = (of(change.acl), of(change.parent_acl));
        let (own, parent) = (own.unwrap_or_default(), parent.unwrap_or_default());
        told.push(alloc::format!(
            "{:?} {} {own} {parent}",
            change.kind,
            change.path
        ));
    });
    (applied, told)
}

/// The transactions get ascending zxids from 1.
fn apply_all(tree: &mut Tree, txns: &[Txn]) -> Vec<(Applied, Vec<String>)> {
    let all = txns.iter().zip(1..);
    all.map(|(txn, zxid)| apply(tree, zxid, 5, txn)).collect()
}

#[test]
fn changes_carry_the_lists_they_are_guarded_by() {
    let mut tree = tree();
    let results = apply_all(
        &mut tree,
        &[
            create("/a", PERSISTENT),
            set_acl("/a", "second", 1),
            create("/a/b", PERSISTENT),
            set_data("/a/b", b"x", 1),
            delete("/a/b"),
            set_data("/", b"x", 1),
            delete("/a/b"),
            set_data("/a/b", b"y", 2),
        ],
    );
    let told: Vec<&str> = results
        .iter()
        .flat_map(|(_, told)| told)
        .map(|told| &**told)
        .collect();
    assert_eq!(
        told,
        [
            "Created /a first anyone",
            "Created /a/b first second",
            "DataChanged /a/b first second",
            "Deleted /a/b first second",
            "DataChanged / anyone anyone",
        ]
    );
}

#[test]
fn replies_have_what_they_need() {
    let mut tree = tree();
    let stat = |czxid, mzxid, version, aversion, cversion, num_children, pzxid| Stat {
        czxid: Zxid(czxid),
        mzxid: Zxid(mzxid),
        ctime: 1000 + czxid,
        mtime: 1000 + mzxid,
        version,
        cversion,
        aversion,
        ephemeral_owner: SessionId::NONE,
        data_length: 4,
        num_children,
        pzxid: Zxid(pzxid),
    };
    let owned = Stat {
        ephemeral_owner: SessionId(5),
        ..stat(2, 2, 0, 0, 0, 0, 2)
    };
    let no_node = Applied::Error(ErrorCode::NoNode as i32);
    let check = Txn::Check(CheckTxn {
        path: "/a".into(),
        version: 1,
    });
    let table = [
        (
            create("/a", PERSISTENT),
            Applied::Stat(stat(1, 1, 0, 0, 0, 0, 1)),
        ),
        (create("/a/e", EPHEMERAL), Applied::Stat(owned)),
        (
            create("/a/c", CreateKind::Container),
            Applied::Stat(stat(3, 3, 0, 0, 0, 0, 3)),
        ),
        (
            create("/a/t", CreateKind::Ttl(9)),
            Applied::Stat(stat(4, 4, 0, 0, 0, 0, 4)),
        ),
        (
            create("/a/u", CreateKind::Ttl(0)),
            Applied::Error(ErrorCode::BadArguments as i32),
        ),
        (
            set_data("/a", b"abcd", 7),
            Applied::Stat(stat(1, 6, 7, 0, 3, 3, 4)),
        ),
        (
            set_acl("/a", "second", 3),
            Applied::Stat(stat(1, 6, 7, 3, 3, 3, 4)),
        ),
        (delete("/a/c"), Applied::Done),
        (
            set_acl("/a", "third", 4),
            Applied::Stat(stat(1, 6, 7, 4, 4, 2, 8)),
        ),
        (delete("/a/c"), no_node.clone()),
        (delete("/x/y"), no_node.clone()),
        (create("/x/y", PERSISTENT), no_node.clone()),
        (set_data("/x", b"", 1), no_node.clone()),
        (set_acl("/x", "a", 1), no_node),
        (
            create("/a", PERSISTENT),
            Applied::Error(ErrorCode::NodeExists as i32),
        ),
        (delete("/"), Applied::Error(ErrorCode::BadArguments as i32)),
        (
            create("a", PERSISTENT),
            Applied::Error(ErrorCode::BadArguments as i32),
        ),
        (check, Applied::Done),
        (Txn::Error(-4711), Applied::Error(-4711)),
        (Txn::CreateSession(30), Applied::Done),
    ];
    for ((txn, expected), zxid) in table.into_iter().zip(1..) {
        assert_eq!(apply(&mut tree, zxid, 5, &txn).0, expected, "{txn:?}");
        assert_eq!(tree.last_zxid(), Zxid(zxid));
    }
}

#[test]
fn a_multi_is_applied_whole_or_not_at_all() {
    let mut tree = tree();
    let failed = Txn::Multi(vec![
        create("/a", PERSISTENT),
        Txn::Error(-101),
        delete("/a"),
        Txn::Error(-2),
    ]);
    let (applied, told) = apply(&mut tree, 1, 5, &failed);
    let error = |error| AppliedOp { error, stat: None };
    assert_eq!(
        applied,
        Applied::Multi(vec![error(0), error(-101), error(-2), error(-2)])
    );
    assert!(told.is_empty() && tree.get("/a").is_none());

    let good = Txn::Multi(vec![
        create("/a", PERSISTENT),
        create("/a/b", PERSISTENT),
        set_data("/a", b"", 1),
        delete("/a/b"),
    ]);
    let (applied, told) = apply(&mut tree, 2, 5, &good);
    let Applied::Multi(results) = applied else {
        panic!("{applied:?}");
    };
    let versions: Vec<_> = results
        .iter()
        .map(|op| op.stat.map(|s| (s.version, s.cversion)))
        .collect();
    assert_eq!(versions, [Some((0, 0)), Some((0, 0)), Some((1, 1)), None]);
    assert_eq!(told.len(), 4);
    let stat = tree.get("/a").unwrap().stat();
    assert_eq!((stat.cversion, stat.pzxid), (2, Zxid(2)));
}

#[test]
fn a_sessions_end_takes_the_listed_znodes_first() {
    for listed in [None, Some(vec!["/c".into(), "/gone".into(), "/a".into()])] {
        let mut tree = tree();
        let all = [
            Txn::CreateSession(30_000),
            create("/a", EPHEMERAL),
            create("/b", EPHEMERAL),
            create("/c", EPHEMERAL),
            create("/d", PERSISTENT),
        ];
        apply_all(&mut tree, &all);
        assert_eq!(tree.sessions().timeout(SessionId(5)), Some(30_000));
        assert_eq!(tree.ephemerals_count(), 3);
        let order = match listed {
            None => ["/a", "/b", "/c"],
            Some(_) => ["/c", "/a", "/b"],
        };
        let (applied, told) = apply(&mut tree, 9, 5, &Txn::CloseSession(listed));
        assert_eq!(applied, Applied::Done);
        assert_eq!(
            told,
            order.map(|path| alloc::format!("Deleted {path} first anyone"))
        );
        assert!(tree.sessions().is_empty() && tree.ephemeral_owners().next().is_none());
        assert_eq!(tree.get("/").unwrap().persisted().pzxid, Zxid(9));
        assert!(tree.get("/d").is_some());
    }
}

#[test]
fn kinds_are_registered_as_configured() {
    let ttl = create("/t", CreateKind::Ttl(9));
    for (extended_types, expected) in [
        (true, EphemeralType::Ttl(9)),
        (
            false,
            EphemeralType::Ephemeral(SessionId(-0x00ff_ffff_ffff_fff7)),
        ),
    ] {
        let mut tree = Tree::new(TreeConfig {
            extended_types,
            ..tree().config().clone()
        });
        apply_all(
            &mut tree,
            &[ttl.clone(), create("/c", CreateKind::Container)],
        );
        assert_eq!(tree.get("/t").unwrap().kind(), expected);
        assert_eq!(tree.ttl_znodes().count(), usize::from(extended_types));
        assert_eq!(tree.containers().next().unwrap().path(), "/c");
        let dropped = tree.drop_orphan_ephemerals();
        assert_eq!(dropped.len(), usize::from(!extended_types));
        assert_eq!(tree.get("/t").is_some(), extended_types);
    }
}

#[test]
fn older_transactions_are_not_about_later_znodes() {
    let mut tree = tree();
    apply(&mut tree, 5, 5, &create("/a", PERSISTENT));
    apply(&mut tree, 6, 5, &create("/a/b", PERSISTENT));
    let before = tree.digest();
    for (txn, error) in [
        (delete("/a"), ErrorCode::NoNode),
        (set_data("/a", b"old", 3), ErrorCode::NoNode),
        (set_acl("/a", "old", 3), ErrorCode::NoNode),
        (create("/a/c", PERSISTENT), ErrorCode::NoNode),
        (delete("/a/b"), ErrorCode::NoNode),
        (create("/a", PERSISTENT), ErrorCode::NodeExists),
    ] {
        let (applied, told) = apply(&mut tree, 4, 5, &txn);
        assert_eq!(applied, Applied::Error(error as i32), "{txn:?}");
        assert!(told.is_empty());
    }
    // Only the root, which is older, heard of a create; it had heard of a later one.
    assert_eq!(tree.get("/a").unwrap().acl(), acl("first"));
    assert_eq!(tree.get("/").unwrap().persisted().cversion, 2);
    assert_ne!(tree.digest(), before);
    assert_eq!(tree.last_zxid(), Zxid(6));
}

#[test]
fn usage_is_counted_where_limits_are_set() {
    let mut tree = tree();
    let quota = |tree: &Tree, path| {
        let quota = tree.quota(path)?;
        let usage = quota.usage.map(|usage| (usage.count, usage.bytes));
        Some((quota.path.to_owned(), quota.limits.count_hard, usage))
    };
    let set_up = [
        create("/a", PERSISTENT),
        create("/a/b", PERSISTENT),
        create("/zookeeper/quota/a", PERSISTENT),
        create("/zookeeper/quota/a/zookeeper_limits", PERSISTENT),
    ];
    apply_all(&mut tree, &set_up);
    let a = || "/a".to_string();
    assert_eq!(quota(&tree, "/a/x"), Some((a(), None, None)));
    let limits = b"count=9,bytes=9=;countHardLimit=7";
    apply(
        &mut tree,
        5,
        5,
        &set_data("/zookeeper/quota/a/zookeeper_limits", limits, 1),
    );
    let (replied, _) = apply(
        &mut tree,
        6,
        5,
        &create("/zookeeper/quota/a/zookeeper_stats", PERSISTENT),
    );
    let Applied::Stat(stat) = replied else {
        panic!("{replied:?}");
    };
    assert_eq!(stat.data_length, 4);
    assert_eq!(quota(&tree, "/a/x"), Some((a(), Some(7), Some((2, 8)))));
    apply(&mut tree, 7, 5, &create("/a/b/c", PERSISTENT));
    apply(&mut tree, 8, 5, &set_data("/a", b"", 1));
    assert_eq!(quota(&tree, "/a"), Some((a(), Some(7), Some((3, 8)))));
    let usage = tree.get("/zookeeper/quota/a/zookeeper_stats").unwrap();
    assert_eq!(usage.data(), Some(&b"count=3,bytes=8"[..]));
    assert_eq!((usage.stat().version, usage.stat().mzxid), (0, Zxid(6)));
    apply(&mut tree, 9, 5, &delete("/a/b/c"));
    assert_eq!(quota(&tree, "/a/b"), Some((a(), Some(7), Some((2, 4)))));
    assert_eq!((quota(&tree, "/"), quota(&tree, "/ab")), (None, None));
    apply(
        &mut tree,
        10,
        5,
        &delete("/zookeeper/quota/a/zookeeper_limits"),
    );
    assert_eq!(quota(&tree, "/a"), None);
    assert_eq!(tree.quotas().count(), 0);
}
