//! Any transactions, fitting or not, with snapshots taken meanwhile, against a naive tree.

use crate::model::{Event, Model, config, header};
use grevy_proto::txn::{CheckTxn, CreateKind, CreateTxn, DeleteTxn, SetAclTxn, SetDataTxn, Txn};
use grevy_proto::{Acl, Id, Zxid};
use grevy_tree::{Change, Fed, Loader, Tree};
use proptest::prelude::*;
use std::borrow::Cow;

#[derive(Debug, Clone)]
enum Step {
    Apply(i64, Txn<'static>),
    StartSnapshot,
    Slice(usize),
    Abandon,
}

fn path() -> impl Strategy<Value = Cow<'static, str>> {
    prop_oneof![
        12 => prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..5)
            .prop_map(|names| format!("/{}", names.join("/"))),
        1 => prop::sample::select(vec!["/", "/zookeeper/config", "/\u{e9}\u{4e16}"])
            .prop_map(String::from),
        4 => prop::sample::select(vec![
            "", "/a", "/a/b", "/a/b/zookeeper_limits", "/a/b/zookeeper_stats",
            "/a/zookeeper_limits", "/a/zookeeper_stats",
        ]).prop_map(|path| format!("/zookeeper/quota{path}")),
    ]
    .prop_map(Into::into)
}

fn data() -> impl Strategy<Value = Option<Cow<'static, [u8]>>> {
    prop_oneof![
        1 => Just(None),
        6 => (prop_oneof![0..20usize, 100..140usize, 500..600usize], any::<u8>())
            .prop_map(|(len, byte)| Some(vec![byte; len].into())),
    ]
}

fn acl() -> impl Strategy<Value = Vec<Acl>> {
    let digest = Acl {
        perms: 5,
        id: Id::new("digest", "user:hash"),
    };
    prop::sample::select(vec![
        vec![Acl::OPEN],
        vec![Acl::READ],
        vec![Acl::READ, digest],
        vec![],
    ])
}

fn operation() -> impl Strategy<Value = Txn<'static>> {
    let kind = prop::sample::select(vec![
        CreateKind::Plain { ephemeral: false },
        CreateKind::Plain2 { ephemeral: false },
        CreateKind::Plain { ephemeral: true },
        CreateKind::Container,
        CreateKind::Ttl(5),
    ]);
    prop_oneof![
        8 => (path(), data(), acl(), kind, -1..6i32).prop_map(
            |(path, data, acl, kind, parent_cversion)| Txn::Create(CreateTxn {
                path, data, acl, kind, parent_cversion,
            })
        ),
        4 => (path(), any::<bool>())
            .prop_map(|(path, container)| Txn::Delete(DeleteTxn { path, container })),
        4 => (path(), data(), -1..9i32).prop_map(|(path, data, version)| {
            Txn::SetData(SetDataTxn { path, data, version, reconfig: false })
        }),
        2 => (path(), acl(), 0..9i32)
            .prop_map(|(path, acl, version)| Txn::SetAcl(SetAclTxn { path, acl, version })),
        1 => path().prop_map(|path| Txn::Check(CheckTxn { path, version: 1 })),
    ]
}

fn txn() -> impl Strategy<Value = Txn<'static>> {
    let part = prop_oneof![20 => operation(), 1 => Just(Txn::Error(-101))];
    prop_oneof![
        12 => operation(),
        2 => prop::collection::vec(part, 0..5).prop_map(Txn::Multi),
        1 => Just(Txn::Error(-101)),
        1 => (1..9i32).prop_map(Txn::CreateSession),
        1 => prop::option::of(prop::collection::vec(path(), 0..3)).prop_map(Txn::CloseSession),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (1..4i64, txn()).prop_map(|(session, txn)| Step::Apply(session, txn)),
        1 => Just(Step::StartSnapshot),
        6 => (0..4usize).prop_map(Step::Slice),
        1 => prop::sample::select(vec![Step::Slice(50), Step::Abandon]),
    ]
}

/// Feeds the body, and something after it, in pieces of this size.
fn load(body: &[u8], zxid: Zxid, piece: usize) -> Tree {
    let mut bytes = body.to_vec();
    bytes.extend(b"what follows");
    let mut loader = Loader::new(config(), zxid);
    let mut used = 0;
    for chunk in bytes.chunks(piece) {
        match loader.feed(chunk).unwrap() {
            Fed::More => used += chunk.len(),
            Fed::Done(len) => {
                assert_eq!(used + len, body.len());
                return loader.finish().unwrap();
            }
        }
    }
    panic!("the body did not end");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_tree_is_as_the_model(
        steps in prop::collection::vec(step(), 0..120),
        piece in prop_oneof![1..9usize, Just(1000), Just(1 << 20)],
    ) {
        let mut tree = Tree::new(config());
        let mut model = Model::new();
        model.check(&tree);
        let mut zxid = 0;
        let mut snapshot: Option<(Model, i64, Vec<u8>)> = None;
        for step in steps {
            match step {
                Step::Apply(session, txn) => {
                    zxid += 1;
                    let header = header(zxid, session, &txn);
                    let mut events: Vec<Event> = Vec::new();
                    let mut changes = |change: Change<'_>| {
                        events.push((change.kind, change.path.into()));
                    };
                    tree.apply(&header, &txn, &mut changes);
                    let mut expected = model.apply(&header, &txn);
                    let key = |event: &Event| format!("{event:?}");
                    events.sort_by_key(key);
                    expected.sort_by_key(key);
                    prop_assert_eq!(events, expected);
                }
                Step::StartSnapshot => {
                    let info = tree.start_snapshot();
                    prop_assert_eq!(info.zxid, model.zxid);
                    prop_assert_eq!(info.digest, model.digest());
                    prop_assert_eq!(info.znodes, model.nodes.len());
                    prop_assert_eq!(info.sessions, model.sessions.len());
                    snapshot = Some((model.clone(), info.digest, Vec::new()));
                }
                Step::Slice(max) => {
                    let Some((mut expected, digest, mut body)) = snapshot.take() else {
                        prop_assert!(!tree.snapshot_slice(max, &mut Vec::new()));
                        continue;
                    };
                    if tree.snapshot_slice(max, &mut body) {
                        snapshot = Some((expected, digest, body));
                    } else {
                        let mut loaded = load(&body, expected.zxid, piece);
                        prop_assert_eq!(loaded.digest(), digest);
                        expected.check(&loaded);
                        prop_assert_eq!(loaded.finish_recovery().len(), 0);
                        expected.recount_all();
                        expected.check(&loaded);
                    }
                }
                Step::Abandon => {
                    tree.abandon_snapshot();
                    snapshot = None;
                }
            }
            prop_assert_eq!(tree.is_taking_snapshot(), snapshot.is_some());
        }
        model.check(&tree);
    }
}
