//! Writes whose clients may not make them, refused before they are passed on.

mod cluster;

use cluster::{Cluster, create_record};
use grevy_node::ClientId;
use grevy_proto::acl::perms;
use grevy_proto::multi::{MultiOp, encode_multi};
use grevy_proto::request::{Auth, Create, CreateTtl, Delete, SetAcl, SetData};
use grevy_proto::{Acl, Encode, ErrorCode, Id, OpCode, SessionId, Xid, Zxid};
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_millis(200);
const EPHEMERAL: i32 = 1;

/// Three voters and an observer.
fn started(seed: u64, eager: bool) -> Cluster {
    let mut cluster = Cluster::new(3, 1, seed);
    cluster.configure(|config| config.eager_acl_check = eager);
    cluster.start_all();
    cluster.all_serve(SECONDS);
    cluster
}

fn connect(cluster: &mut Cluster, at: usize) -> ClientId {
    let client = cluster.connect(at);
    cluster.run_until("a session", SECONDS, |c| c.session(at, client).is_some());
    cluster.replies(at, client);
    client
}

/// The client says who it is.
fn authenticate(cluster: &mut Cluster, at: usize, client: ClientId) {
    let packet = Auth {
        kind: 0,
        scheme: "digest".into(),
        auth: Some(b"owner:secret"),
    };
    cluster.request(at, client, OpCode::Auth, &packet.to_bytes());
    let replies = cluster.replies(at, client);
    assert_eq!(replies.last().map(|(_, code)| *code), Some(ErrorCode::Ok));
}

fn create(path: &str, acl: Vec<Acl>) -> Vec<u8> {
    Create {
        path: path.into(),
        data: None,
        acl,
        flags: 0,
    }
    .to_bytes()
}

fn delete(path: &str) -> Vec<u8> {
    let path = path.into();
    Delete { path, version: -1 }.to_bytes()
}

fn set_data(path: &str, version: i32) -> Vec<u8> {
    SetData {
        path: path.into(),
        data: Some(b"x"),
        version,
    }
    .to_bytes()
}

fn set_acl(path: &str, acl: Vec<Acl>) -> Vec<u8> {
    SetAcl {
        path: path.into(),
        acl,
        version: -1,
    }
    .to_bytes()
}

/// What the client of a request may do, once it has said who it is.
fn own(perms: i32) -> Vec<Acl> {
    let id = Id::new("auth", "");
    vec![Acl { perms, id }]
}

/// A znode with a child, and one that only its owner may change, but nothing else.
fn furnish(cluster: &mut Cluster, perms: i32) -> Zxid {
    let owner = connect(cluster, 0);
    authenticate(cluster, 0, owner);
    cluster.create(0, owner, "/open");
    let record = create("/closed", own(perms));
    cluster.request(0, owner, OpCode::Create, &record);
    cluster.run_for(SOON);
    let replies = cluster.replies(0, owner);
    assert!(replies.iter().all(|(_, code)| *code == ErrorCode::Ok));
    quiet(cluster)
}

/// The leader is killed, and all others serve under another.
fn lose(cluster: &mut Cluster, leader: usize) {
    cluster.kill(leader);
    cluster.run_until("another leader", SECONDS, |c| {
        c.leader().is_some() && (0..c.len()).all(|at| at == leader || c.serves(at))
    });
}

/// Nothing is under way any more: the zxid that all servers are at.
fn quiet(cluster: &mut Cluster) -> Zxid {
    cluster.run_for(SOON);
    let zxid = cluster.last_zxid(0);
    assert!((1..cluster.len()).all(|at| cluster.last_zxid(at) == zxid));
    zxid
}

fn answers(cluster: &mut Cluster, at: usize, client: ClientId) -> Vec<(Xid, ErrorCode)> {
    cluster.run_for(SOON);
    cluster.replies(at, client)
}

#[test]
fn what_a_client_may_not_do_costs_nothing() {
    let ttl = |path: &str| CreateTtl {
        create: Create {
            path: path.to_owned().into(),
            data: None,
            acl: vec![Acl::OPEN],
            flags: 5,
        },
        ttl: 1000,
    };
    let mut multi = Vec::new();
    let part = MultiOp::SetData(SetData {
        path: "/closed".into(),
        data: None,
        version: -1,
    });
    encode_multi(&[part], &mut multi);
    let bad = create("/open/a", Vec::new());
    let no_auth = ErrorCode::NoAuth;
    for (op, record, code, is_screened) in [
        (OpCode::Create, create_record("/closed/a", 0), no_auth, true),
        (
            OpCode::Create2,
            create_record("/closed/a", 0),
            no_auth,
            true,
        ),
        (OpCode::Create, bad, ErrorCode::InvalidAcl, true),
        (OpCode::Delete, delete("/closed/a"), no_auth, true),
        (OpCode::SetData, set_data("/closed", 7), no_auth, true),
        (
            OpCode::SetAcl,
            set_acl("/closed", vec![Acl::OPEN]),
            no_auth,
            true,
        ),
        (
            OpCode::SetData,
            set_data("/open", 7),
            ErrorCode::BadVersion,
            false,
        ),
        (
            OpCode::SetData,
            set_data("/none", 7),
            ErrorCode::NoNode,
            false,
        ),
        (
            OpCode::CreateContainer,
            create_record("/closed/a", 4),
            no_auth,
            false,
        ),
        (
            OpCode::CreateTtl,
            ttl("/closed/a").to_bytes(),
            no_auth,
            false,
        ),
        (OpCode::Multi, multi, ErrorCode::Ok, false),
    ] {
        for eager in [true, false] {
            let mut cluster = started(1, eager);
            let mut zxid = furnish(&mut cluster, perms::ALL);
            for at in 0..cluster.len() {
                let client = connect(&mut cluster, at);
                zxid = zxid.next();
                assert_eq!(quiet(&mut cluster), zxid, "its session");
                let xid = cluster.request(at, client, op, &record);
                assert_eq!(answers(&mut cluster, at, client), [(xid, code)], "{op:?}");
                if !(eager && is_screened) {
                    zxid = zxid.next();
                }
                assert_eq!(quiet(&mut cluster), zxid, "{op:?} {eager} {at}");
            }
        }
    }
}

#[test]
fn the_answer_keeps_its_place() {
    for seed in 1..10 {
        let mut cluster = started(seed, true);
        furnish(&mut cluster, perms::ALL);
        for at in 0..cluster.len() {
            let client = connect(&mut cluster, at);
            let first = cluster.create(at, client, &format!("/open/{at}"));
            let requests = [
                (OpCode::SetData, set_data("/closed", -1), ErrorCode::NoAuth),
                (OpCode::Sync, "/".to_bytes(), ErrorCode::Ok),
                (OpCode::Delete, delete("/closed/a"), ErrorCode::NoAuth),
                (OpCode::SetData, set_data("/closed", -1), ErrorCode::NoAuth),
                (OpCode::SetData, set_data("/open", -1), ErrorCode::Ok),
                (OpCode::Create, Vec::new(), ErrorCode::MarshallingError),
                (OpCode::SetData, set_data("/closed", -1), ErrorCode::NoAuth),
                (OpCode::Ping, Vec::new(), ErrorCode::Ok),
                (OpCode::SetData, set_data("/open", -1), ErrorCode::Ok),
            ];
            let mut expected = vec![(first, ErrorCode::Ok)];
            for (op, record, code) in &requests {
                let xid = cluster.request(at, client, *op, record);
                let xid = if *op == OpCode::Ping { Xid::PING } else { xid };
                expected.push((xid, *code));
            }
            assert_eq!(answers(&mut cluster, at, client), expected, "{seed} {at}");
        }
        cluster.check_agreement();
    }
}

/// What was asked for before may bring the permission, or take it.
#[test]
fn permissions_are_those_of_its_turn() {
    let (ok, no_auth) = (ErrorCode::Ok, ErrorCode::NoAuth);
    for seed in 1..10 {
        let mut cluster = started(seed, true);
        for at in 0..cluster.len() {
            let client = connect(&mut cluster, at);
            authenticate(&mut cluster, at, client);
            let path = format!("/{at}");
            let create = (OpCode::Create, create(&path, own(perms::ADMIN)), ok);
            let write = |version, code| (OpCode::SetData, set_data(&path, version), code);
            let permit = |perms| (OpCode::SetAcl, set_acl(&path, own(perms)), ok);
            let bursts = [
                vec![
                    create,
                    write(0, no_auth),
                    permit(perms::ALL),
                    write(0, ok),
                    write(1, ok),
                    write(1, ErrorCode::BadVersion),
                    permit(perms::ADMIN),
                    write(2, no_auth),
                ],
                // The same, from where all that was applied.
                vec![
                    write(2, no_auth),
                    permit(perms::ALL),
                    write(2, ok),
                    write(3, ok),
                    write(3, ErrorCode::BadVersion),
                ],
            ];
            for burst in bursts {
                let ask = |(op, record, code): (_, Vec<u8>, _)| {
                    (cluster.request(at, client, op, &record), code)
                };
                let expected: Vec<_> = burst.into_iter().map(ask).collect();
                assert_eq!(answers(&mut cluster, at, client), expected, "{seed} {at}");
            }
        }
        cluster.check_agreement();
    }
}

#[test]
fn what_is_held_back_outlives_its_leader() {
    for seed in 1..30 {
        let mut cluster = started(seed, true);
        furnish(&mut cluster, perms::ALL);
        let leader = cluster.leader().unwrap();
        let survivors: Vec<usize> = (0..cluster.len()).filter(|at| *at != leader).collect();
        let mut asked = Vec::new();
        for at in survivors {
            let client = connect(&mut cluster, at);
            for n in 0..3 {
                let path = format!("/open/{at}-{n}");
                let made = cluster.create(at, client, &path);
                asked.push((at, client, made, ErrorCode::Ok));
                let record = set_data("/closed", -1);
                let refused = cluster.request(at, client, OpCode::SetData, &record);
                asked.push((at, client, refused, ErrorCode::NoAuth));
            }
        }
        for _ in 0..cluster.below(30) {
            cluster.step();
        }
        lose(&mut cluster, leader);
        cluster.run_for(SOON);
        for at in (0..cluster.len()).filter(|at| *at != leader) {
            let of_server = asked.iter().filter(|(server, ..)| *server == at);
            let expected: Vec<_> = of_server
                .clone()
                .map(|(_, _, xid, code)| (*xid, *code))
                .collect();
            let client = of_server.clone().next().unwrap().1;
            assert_eq!(cluster.closing(at, client), None, "seed {seed}");
            let replies = cluster.replies(at, client);
            assert_eq!(replies, expected, "seed {seed}, {at}");
        }
        cluster.start(leader);
        cluster.all_serve(SECONDS);
        quiet(&mut cluster);
        cluster.check_agreement();
    }
}

/// Whoever takes a permission away from itself and uses it at once is refused, also if only the
/// first of the two has come to the next leader.
#[test]
fn what_was_sent_to_a_lost_leader_may_be_refused_by_the_next() {
    for seed in 1..60 {
        let mut cluster = started(seed, true);
        furnish(&mut cluster, perms::ALL);
        let leader = cluster.leader().unwrap();
        let at = (0..cluster.len()).find(|at| *at != leader).unwrap();
        let client = connect(&mut cluster, at);
        let taken = set_acl("/open", vec![Acl::READ]);
        let taken = cluster.request(at, client, OpCode::SetAcl, &taken);
        let refused = cluster.request(at, client, OpCode::SetData, &set_data("/open", -1));
        for _ in 0..cluster.below(12) {
            cluster.step();
        }
        lose(&mut cluster, leader);
        let expected = [(taken, ErrorCode::Ok), (refused, ErrorCode::NoAuth)];
        assert_eq!(answers(&mut cluster, at, client), expected, "seed {seed}");
    }
}

#[test]
fn a_session_goes_on_without_what_its_last_connection_left() {
    for seed in 1..10 {
        let mut cluster = started(seed, true);
        furnish(&mut cluster, perms::ALL);
        for at in 0..cluster.len() {
            let client = connect(&mut cluster, at);
            let session = cluster.session(at, client).unwrap();
            cluster.create(at, client, &format!("/open/{at}"));
            for _ in 0..3 {
                cluster.request(at, client, OpCode::SetData, &set_data("/closed", -1));
                cluster.sync(at, client);
            }
            cluster.disconnect(at, client);
            let back = resume(&mut cluster, at, session);
            let expected = [
                (
                    cluster.create(at, back, &format!("/open/{at}-back")),
                    ErrorCode::Ok,
                ),
                (cluster.sync(at, back), ErrorCode::Ok),
            ];
            assert_eq!(answers(&mut cluster, at, back), expected, "{seed} {at}");
        }
        cluster.check_agreement();
    }
}

fn resume(cluster: &mut Cluster, at: usize, session: SessionId) -> ClientId {
    let back = cluster.resume(at, session);
    cluster.run_until("it goes on", SECONDS, |c| {
        c.session(at, back) == Some(session)
    });
    cluster.replies(at, back);
    back
}

/// An ephemeral znode where its client may not create it: the leader finds that out before the
/// session becomes one of the ensemble's, and learners after that, as in ZooKeeper.
#[test]
fn local_sessions_are_screened_too() {
    for upgrades in [true, false] {
        let mut cluster = Cluster::new(3, 1, 1);
        cluster.configure(|config| {
            config.eager_acl_check = true;
            config.local_sessions = true;
            config.upgrade_local_sessions = upgrades;
        });
        cluster.start_all();
        cluster.all_serve(SECONDS);
        let mut zxid = furnish(&mut cluster, perms::ALL);
        for at in 0..cluster.len() {
            let client = connect(&mut cluster, at);
            let session = cluster.session(at, client).unwrap();
            let record = create_record("/closed/a", EPHEMERAL);
            let xid = cluster.request(at, client, OpCode::Create, &record);
            let is_learner = cluster.leader() != Some(at);
            let code = match is_learner && !upgrades {
                true => ErrorCode::EphemeralOnLocalSession,
                false => ErrorCode::NoAuth,
            };
            assert_eq!(answers(&mut cluster, at, client), [(xid, code)], "{at}");
            let is_upgraded = upgrades && is_learner;
            if is_upgraded {
                zxid = zxid.next();
            }
            assert_eq!(quiet(&mut cluster), zxid, "{at}");
            assert_eq!(cluster.knows_session(at, session), is_upgraded, "{at}");
        }
    }
}

/// A client that was refused is cut off like any other when its session goes elsewhere.
#[test]
fn a_session_that_has_moved_stays_moved() {
    for seed in 1..10 {
        let mut cluster = started(seed, true);
        furnish(&mut cluster, perms::ALL);
        let leader = cluster.leader().unwrap();
        for (from, to) in [(leader, (leader + 1) % 3), ((leader + 1) % 3, leader)] {
            let client = connect(&mut cluster, from);
            let session = cluster.session(from, client).unwrap();
            let back = resume(&mut cluster, to, session);
            let record = set_data("/closed", -1);
            let refused = cluster.request(from, client, OpCode::SetData, &record);
            let told = answers(&mut cluster, from, client);
            assert!(told.is_empty() || told == [(refused, ErrorCode::NoAuth)]);
            cluster.create(from, client, "/open/left");
            cluster.run_for(SOON);
            assert!(cluster.replies(from, client).is_empty());
            assert!(cluster.closing(from, client).is_some());
            assert!((0..4).all(|at| !cluster.exists(at, "/open/left")));
            let xid = cluster.request(to, back, OpCode::SetData, &record);
            let expected = [(xid, ErrorCode::NoAuth)];
            assert_eq!(answers(&mut cluster, to, back), expected);
        }
    }
}
