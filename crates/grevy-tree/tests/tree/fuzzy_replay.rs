//! A log replayed over a fuzzy snapshot, as the Java server writes it, gives the exact state:
//! its znodes are read one after another, while transactions go on being applied.

use crate::model::{Model, config, header, parent};
use grevy_proto::txn::{CreateKind, CreateTxn, DeleteTxn, SetAclTxn, SetDataTxn, Txn, TxnHeader};
use grevy_proto::{Acl, Encode, Id, SessionId, Zxid};
use grevy_tree::{Fed, Loader};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// What a client asks for; the model makes a transaction of it, if it is possible.
#[derive(Debug, Clone)]
enum Request {
    Create(String, u8, CreateKind),
    Delete(String),
    SetData(String, u8),
    SetAcl(String, u8),
    Open,
    /// With or without the list of paths that leaders write since 3.6.
    Close(bool),
    Multi(Vec<Request>),
}

fn acl(n: u8) -> Vec<Acl> {
    vec![Acl {
        perms: n.into(),
        id: Id::ANYONE,
    }]
}

fn prepare<'r>(model: &Model, session: i64, zxid: i64, request: &'r Request) -> Option<Txn<'r>> {
    Some(match request {
        Request::Create(path, n, kind) => {
            let above = model.nodes.get(parent(path))?;
            let is_session = (1..4).contains(&above.stat.ephemeral_owner);
            if is_session || model.nodes.contains_key(path) {
                return None;
            }
            let ephemeral = matches!(
                kind,
                CreateKind::Plain { ephemeral: true } | CreateKind::Plain2 { ephemeral: true }
            );
            if ephemeral && !model.sessions.contains_key(&SessionId(session)) {
                return None;
            }
            Txn::Create(CreateTxn {
                path: path.as_str().into(),
                data: Some(vec![*n; 3].into()),
                acl: acl(*n),
                kind: *kind,
                parent_cversion: above.stat.cversion + 1,
            })
        }
        Request::Delete(path) => {
            model.nodes.get(path)?;
            if !model.children(path).is_empty() {
                return None;
            }
            Txn::Delete(DeleteTxn {
                path: path.as_str().into(),
                container: false,
            })
        }
        Request::SetData(path, n) => Txn::SetData(SetDataTxn {
            path: path.as_str().into(),
            data: Some(vec![*n; 5].into()),
            version: model.nodes.get(path)?.stat.version + 1,
            reconfig: false,
        }),
        Request::SetAcl(path, n) => Txn::SetAcl(SetAclTxn {
            path: path.as_str().into(),
            acl: acl(*n),
            version: model.nodes.get(path)?.stat.aversion + 1,
        }),
        Request::Open => Txn::CreateSession(zxid as i32),
        Request::Close(with_paths) => {
            model.sessions.get(&SessionId(session))?;
            let paths = model.owned_by(SessionId(session));
            let paths = paths.into_iter().map(Into::into).collect();
            Txn::CloseSession(with_paths.then_some(paths))
        }
        Request::Multi(requests) => {
            let mut model = model.clone();
            let mut parts = Vec::new();
            for request in requests {
                let part = prepare(&model, session, zxid, request)?;
                model.apply(&header(zxid, session, &part), &part);
                parts.push(part);
            }
            Txn::Multi(parts)
        }
    })
}

/// Writes a snapshot that begins with `states[0]`; before each znode, `pauses` says how many
/// transactions are applied. Returns the body and the state in which it ended.
fn fuzzy_snapshot(states: &[Model], pauses: &[usize]) -> Vec<u8> {
    let mut out = Vec::new();
    (states[0].sessions.len() as i32).encode(&mut out);
    for (session, timeout) in &states[0].sessions {
        session.encode(&mut out);
        timeout.encode(&mut out);
    }
    // The number of a list of this test is the number in it, plus one for the bits of 0.
    let lists: BTreeSet<&Vec<Acl>> = states[0].nodes.values().map(|node| &node.acl).collect();
    (lists.len() as i32).encode(&mut out);
    for list in lists {
        list_id(list).encode(&mut out);
        list.encode(&mut out);
    }
    let mut pauses = pauses.iter().copied().chain(std::iter::repeat(0));
    let mut now = 0;
    let mut stack = vec![String::new()];
    while let Some(path) = stack.pop() {
        now = (now + pauses.next().unwrap()).min(states.len() - 1);
        let Some(node) = states[now].nodes.get(&path) else {
            continue;
        };
        path.as_str().encode(&mut out);
        node.data.as_deref().encode(&mut out);
        list_id(&node.acl).encode(&mut out);
        node.stat.encode(&mut out);
        stack.extend(states[now].children(&path));
    }
    "/".encode(&mut out);
    out
}

fn list_id(list: &[Acl]) -> i64 {
    i64::from(list[0].perms) + 1
}

fn replay(states: &[Model], log: &[(TxnHeader, Txn)], start: usize, pauses: &[usize]) {
    let body = fuzzy_snapshot(&states[start..], pauses);
    let mut loader = Loader::new(config(), states[start].zxid);
    assert_eq!(loader.feed(&body), Ok(Fed::Done(body.len())));
    let mut tree = loader.finish().unwrap();
    for (header, txn) in &log[start..] {
        tree.apply(header, txn, &mut |_| {});
    }
    assert_eq!(tree.finish_recovery(), Vec::<String>::new());
    states.last().unwrap().check(&tree);
    assert_eq!(tree.drop_orphan_ephemerals(), []);
}

fn history(requests: &[(i64, Request)]) -> (Vec<Model>, Vec<(TxnHeader, Txn<'_>)>) {
    let mut states = vec![Model::new()];
    let mut log = Vec::new();
    for (session, request) in requests {
        let mut model = states.last().unwrap().clone();
        let zxid = model.zxid.0 + 1;
        let Some(txn) = prepare(&model, *session, zxid, request) else {
            continue;
        };
        let header = header(zxid, *session, &txn);
        model.apply(&header, &txn);
        states.push(model);
        log.push((header, txn));
    }
    (states, log)
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b"]), 1..4)
        .prop_map(|names| format!("/{}", names.join("/")))
}

fn operation() -> impl Strategy<Value = Request> {
    let kind = prop::sample::select(vec![
        CreateKind::Plain { ephemeral: false },
        CreateKind::Plain2 { ephemeral: false },
        CreateKind::Plain { ephemeral: true },
        CreateKind::Plain2 { ephemeral: true },
        CreateKind::Container,
        CreateKind::Ttl(5),
    ]);
    prop_oneof![
        6 => (path(), 0..9u8, kind).prop_map(|(path, n, kind)| Request::Create(path, n, kind)),
        5 => path().prop_map(Request::Delete),
        3 => (path(), any::<u8>()).prop_map(|(path, n)| Request::SetData(path, n)),
        2 => (path(), 0..9u8).prop_map(|(path, n)| Request::SetAcl(path, n)),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        12 => operation(),
        2 => prop::collection::vec(operation(), 1..4).prop_map(Request::Multi),
        2 => Just(Request::Open),
        // Without the list, nothing tells the parent of an ephemeral that was gone already: that is
        // why leaders write it.
        1 => Just(Request::Close(true)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn replay_gives_the_exact_state(
        requests in prop::collection::vec((1..4i64, request()), 0..80),
        start in any::<prop::sample::Index>(),
        pauses in prop::collection::vec(prop_oneof![3 => 0..3usize, 1 => 0..20usize], 0..12),
    ) {
        let (states, log) = history(&requests);
        replay(&states, &log, start.index(states.len()), &pauses);
    }
}

/// The cases that disk formats and issues of ZooKeeper tell of. Each history is tried with every
/// start, and with the snapshot ending after each of its transactions.
#[test]
fn known_cases() {
    use Request::*;
    let persistent = CreateKind::Plain { ephemeral: false };
    let ephemeral = CreateKind::Plain2 { ephemeral: true };
    let create = |path: &str| Create(path.into(), 1, persistent);
    let own = |path: &str| Create(path.into(), 2, ephemeral);
    let delete = |path: &str| Delete(path.into());
    let cases: &[(&str, Vec<(i64, Request)>)] = &[
        (
            "a list that the snapshot's table lacks (ZOOKEEPER-3306, 4846)",
            vec![
                (1, create("/a")),
                (1, SetAcl("/a".into(), 7)),
                (1, Create("/b".into(), 8, persistent)),
            ],
        ),
        (
            "the parent is read later than its child was made (ZOOKEEPER-3249)",
            vec![
                (1, create("/a")),
                (1, create("/a/b")),
                (1, delete("/a/b")),
                (1, create("/a/b")),
            ],
        ),
        (
            "a deletion that is in already (ZOOKEEPER-3125)",
            vec![(1, create("/a")), (1, create("/a/b")), (1, delete("/a/b"))],
        ),
        (
            "an ephemeral of another session by now (ZOOKEEPER-3145)",
            vec![
                (1, Open),
                (2, Open),
                (1, own("/a")),
                (1, Close(true)),
                (2, own("/a")),
            ],
        ),
        (
            "likewise, without the list of paths",
            vec![
                (1, Open),
                (2, Open),
                (1, own("/a")),
                (1, Close(false)),
                (2, own("/a")),
            ],
        ),
        (
            "several parts under one zxid (ZOOKEEPER-3127)",
            vec![
                (1, Multi(vec![create("/a"), create("/a/b"), delete("/a/b")])),
                (1, Multi(vec![create("/a/b"), SetData("/a".into(), 3)])),
                (1, Multi(vec![delete("/a/b"), delete("/a")])),
            ],
        ),
        (
            "orphans: a later incarnation has children",
            vec![
                (1, create("/a")),
                (1, delete("/a")),
                (1, create("/a")),
                (1, create("/a/b")),
                (1, create("/a/b/a")),
            ],
        ),
    ];
    for (name, requests) in cases {
        println!("{name}");
        let (states, log) = history(requests);
        assert_eq!(log.len(), requests.len());
        for start in 0..states.len() {
            for first in 0..states.len() - start {
                for second in 0..states.len() - start - first {
                    replay(&states, &log, start, &[first, second]);
                    replay(&states, &log, start, &[first, 0, 0, 0, second]);
                }
            }
        }
    }
}

#[test]
fn a_list_that_stays_unknown_lets_nobody_in() {
    let (mut states, _) = history(&[(
        1,
        Request::Create("/a".into(), 7, CreateKind::Plain { ephemeral: false }),
    )]);
    let last = states.pop().unwrap();
    let body = fuzzy_snapshot(&[states.pop().unwrap(), last], &[1]);
    let mut loader = Loader::new(config(), Zxid(1));
    assert_eq!(loader.feed(&body), Ok(Fed::Done(body.len())));
    let mut tree = loader.finish().unwrap();
    let everyone = [Id::ANYONE];
    let schemes = grevy_tree::Schemes::default();
    assert!(!schemes.permits(tree.get("/a").unwrap().acl(), 31, &everyone));
    assert_eq!(tree.finish_recovery(), ["/a"]);
    let used = tree.get("/a").unwrap().acl_id();
    let txn = Txn::SetAcl(SetAclTxn {
        path: "/zookeeper".into(),
        acl: acl(5),
        version: 1,
    });
    tree.apply(&header(2, 1, &txn), &txn, &mut |_| {});
    assert_ne!(tree.get("/zookeeper").unwrap().acl_id(), used);
}
