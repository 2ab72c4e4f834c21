//! A loader takes any bytes without harm.

use crate::model::{config, header};
use grevy_proto::txn::{CreateKind, CreateTxn, Txn};
use grevy_proto::{Acl, DecodeError, Encode, StatPersisted, Zxid};
use grevy_tree::{Fed, LoadError, Loader, Tree};
use proptest::prelude::*;

fn body() -> Vec<u8> {
    let mut tree = Tree::new(config());
    let session = Txn::CreateSession(30_000);
    tree.apply(&header(1, 5, &session), &session, &mut |_| {});
    for (n, path) in ["/a", "/a/b", "/a/c", "/a/c/d", "/e"]
        .into_iter()
        .enumerate()
    {
        let txn = Txn::Create(CreateTxn {
            path: path.into(),
            data: (n != 1).then(|| vec![7; n * 10].into()),
            acl: vec![Acl::OPEN],
            kind: CreateKind::Plain { ephemeral: n == 4 },
            parent_cversion: -1,
        });
        tree.apply(&header(n as i64 + 2, 5, &txn), &txn, &mut |_| {});
    }
    tree.start_snapshot();
    let mut body = Vec::new();
    while tree.snapshot_slice(2, &mut body) {}
    body
}

/// Loads, and if that works, looks at everything and writes it again.
fn try_load(bytes: &[u8], piece: usize) -> Result<(), LoadError> {
    let mut loader = Loader::new(config(), Zxid(9)).field_limit(1000);
    for chunk in bytes.chunks(piece) {
        if let Fed::Done(_) = loader.feed(chunk)? {
            break;
        }
    }
    let mut tree = loader.finish()?;
    tree.finish_recovery();
    tree.drop_orphan_ephemerals();
    tree.set_config(b"x", Zxid(1), 2);
    let info = tree.start_snapshot();
    let mut body = Vec::new();
    while tree.snapshot_slice(100, &mut body) {}
    let mut loader = Loader::new(config(), info.zxid);
    assert_eq!(loader.feed(&body), Ok(Fed::Done(body.len())));
    assert_eq!(loader.finish()?.digest(), tree.digest());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn mutated(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        piece in prop_oneof![1..200usize, Just(4096)],
    ) {
        let mut bytes = body();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = try_load(&bytes, piece);
    }

    #[test]
    fn arbitrary(bytes in prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..300)) {
        let _ = try_load(&bytes, 50);
    }
}

#[test]
fn every_cut_is_noticed() {
    let body = body();
    assert_eq!(try_load(&body, 10), Ok(()));
    for len in 0..body.len() {
        assert_eq!(
            try_load(&body[..len], 10),
            Err(LoadError::Incomplete { offset: len as u64 })
        );
    }
}

/// A body from its parts: lists of access control by number, znodes by path and such a number.
fn assemble(lists: &[(i64, &[Acl])], znodes: &[(&str, i64)]) -> Vec<u8> {
    let mut out = vec![0; 4];
    (lists.len() as i32).encode(&mut out);
    for (id, list) in lists {
        id.encode(&mut out);
        list.encode(&mut out);
    }
    for (path, acl) in znodes {
        path.encode(&mut out);
        Some(&b""[..]).encode(&mut out);
        acl.encode(&mut out);
        StatPersisted::default().encode(&mut out);
    }
    "/".encode(&mut out);
    out
}

#[test]
fn what_is_wrong_is_told() {
    let path = |text: &str| Box::from(text);
    let long = "/x".repeat(600);
    for (bytes, expected) in [
        (assemble(&[], &[("", -1), ("/zookeeper", -1)]), Ok(())),
        (
            assemble(&[(i64::MAX, &[Acl::READ])], &[("", i64::MAX), ("/a", 3)]),
            Ok(()),
        ),
        (assemble(&[], &[]), Err(LoadError::NoRoot)),
        (
            assemble(&[], &[("/a", -1)]),
            Err(LoadError::NoParent(path("/a"))),
        ),
        (
            assemble(&[], &[("a", -1)]),
            Err(LoadError::NoParent(path("a"))),
        ),
        (
            assemble(&[], &[("", -1), ("/a/", -1)]),
            Err(LoadError::NoParent(path("/a/"))),
        ),
        (
            assemble(&[], &[("", -1), ("//a", -1)]),
            Err(LoadError::NoParent(path("//a"))),
        ),
        (
            assemble(&[], &[("", -1), ("", -1)]),
            Err(LoadError::Duplicate(path(""))),
        ),
        (
            assemble(&[], &[("", -1), ("/a", -1), ("/a", -1)]),
            Err(LoadError::Duplicate(path("/a"))),
        ),
        (
            assemble(&[], &[("", -1), (&long, -1)]),
            Err(LoadError::TooLong {
                offset: 84,
                len: 1200,
                limit: 1000,
            }),
        ),
        (
            [&[0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 8], &[0xff; 4]].concat(),
            Err(LoadError::Field {
                offset: 8,
                error: DecodeError::Null,
            }),
        ),
        (
            [&[0; 8][..], &[0x80, 0, 0, 0]].concat(),
            Err(LoadError::Field {
                offset: 8,
                error: DecodeError::NegativeLength(i32::MIN),
            }),
        ),
        (
            [&[0; 8][..], &[0x7f, 0, 0, 0]].concat(),
            Err(LoadError::TooLong {
                offset: 8,
                len: 0x7f00_0000,
                limit: 1000,
            }),
        ),
    ] {
        for piece in [1, 7, 4096] {
            assert_eq!(try_load(&bytes, piece), expected);
        }
    }
}

#[test]
fn an_error_stays() {
    let mut loader = Loader::new(config(), Zxid(1));
    let bytes = assemble(&[], &[("/a", -1)]);
    let error = LoadError::NoParent("/a".into());
    assert_eq!(loader.feed(&bytes), Err(error.clone()));
    assert_eq!(loader.feed(&assemble(&[], &[("", -1)])), Err(error.clone()));
    assert_eq!(loader.finish().err(), Some(error));
}

/// As files of 3.4 are: no `/zookeeper/config`, and some have no list at all.
#[test]
fn a_file_of_3_4() {
    let bytes = assemble(
        &[],
        &[("", -1), ("/zookeeper", -1), ("/zookeeper/quota", -1)],
    );
    let mut loader = Loader::new(config(), Zxid(1));
    assert_eq!(loader.feed(&bytes), Ok(Fed::Done(bytes.len())));
    let mut tree = loader.finish().unwrap();
    assert!(tree.get("/zookeeper/config").is_none());
    tree.set_config(b"server.1=x", Zxid(7), 5);
    let config = tree.get("/zookeeper/config").unwrap();
    assert_eq!(config.acl(), [Acl::READ]);
    let stat = config.stat();
    assert_eq!((stat.version, stat.aversion, stat.mzxid), (-1, -1, Zxid(7)));
}
