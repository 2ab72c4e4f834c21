//! Sessions that only one server knows, until they need more.

mod cluster;

use cluster::{Cluster, create_record};
use grevy_node::{ClientId, CloseReason, Part};
use grevy_proto::multi::{MultiOp, encode_multi};
use grevy_proto::request::Create;
use grevy_proto::{Acl, ErrorCode, OpCode, SessionId, Xid};
use std::collections::BTreeSet;
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(30);
const EPHEMERAL: i32 = 1;

fn started(seed: u64, upgrade: bool) -> Cluster {
    let mut cluster = Cluster::new(3, 1, seed);
    cluster.configure(|config| {
        config.local_sessions = true;
        config.upgrade_local_sessions = upgrade;
    });
    cluster.start_all();
    cluster.all_serve(SECONDS);
    cluster
}

fn connect(cluster: &mut Cluster, at: usize) -> (ClientId, SessionId) {
    let client = cluster.connect(at);
    let session = cluster.session(at, client).expect("it is opened at once");
    (client, session)
}

fn create_ephemeral(cluster: &mut Cluster, at: usize, client: ClientId, path: &str) -> Xid {
    let record = create_record(path, EPHEMERAL);
    cluster.request(at, client, OpCode::Create, &record)
}

fn multi_with_ephemeral(path: &str) -> Vec<u8> {
    let create = |path: String, flags| {
        let acl = vec![Acl::OPEN];
        let create = Create {
            path: path.into(),
            data: None,
            acl,
            flags,
        };
        MultiOp::Create(OpCode::Create, create)
    };
    let mut record = Vec::new();
    let ops = [
        create(path.to_owned(), 0),
        create(format!("{path}/e"), EPHEMERAL),
    ];
    encode_multi(&ops, &mut record);
    record
}

#[test]
fn a_local_session_costs_the_ensemble_nothing() {
    let mut cluster = started(1, false);
    for at in 0..4 {
        let before = cluster.last_zxid(at);
        let (client, session) = connect(&mut cluster, at);
        let closing = cluster.request(at, client, OpCode::CloseSession, &[]);
        cluster.run_for(Duration::from_millis(100));
        assert_eq!(cluster.replies(at, client), [(closing, ErrorCode::Ok)]);
        let reason = Some(CloseReason::SessionClosed(session));
        assert_eq!(cluster.closing(at, client), reason);
        assert_eq!(cluster.last_zxid(at), before);
        assert!((0..4).all(|at| !cluster.knows_session(at, session)));
    }
}

#[test]
fn what_was_asked_before_the_end_is_answered_first() {
    let mut cluster = started(1, true);
    for at in 0..4 {
        let (client, _) = connect(&mut cluster, at);
        let writes = [
            cluster.create(at, client, &format!("/{at}")),
            cluster.sync(at, client),
        ];
        let closing = cluster.request(at, client, OpCode::CloseSession, &[]);
        cluster.run_for(Duration::from_secs(1));
        let expected = [writes[0], writes[1], closing].map(|xid| (xid, ErrorCode::Ok));
        assert_eq!(cluster.replies(at, client), expected);
    }
}

#[test]
fn what_is_asked_behind_the_end_takes_no_effect() {
    for seed in 1..10 {
        let mut cluster = started(seed, true);
        for at in 0..4 {
            let (client, _) = connect(&mut cluster, at);
            let before = cluster.create(at, client, &format!("/before-{at}"));
            let closing = cluster.request(at, client, OpCode::CloseSession, &[]);
            cluster.create(at, client, &format!("/behind-{at}"));
            cluster.run_for(Duration::from_secs(1));
            let expected = [before, closing].map(|xid| (xid, ErrorCode::Ok));
            assert_eq!(cluster.replies(at, client), expected);
            for server in 0..4 {
                assert!(cluster.exists(server, &format!("/before-{at}")));
                assert!(!cluster.exists(server, &format!("/behind-{at}")), "{at}");
            }
        }
    }
}

#[test]
fn ids_do_not_come_again() {
    let mut cluster = started(1, false);
    let mut ids = BTreeSet::new();
    for _ in 0..3 {
        for at in 0..4 {
            for _ in 0..20 {
                let (_, session) = connect(&mut cluster, at);
                assert!(ids.insert(session), "{session} came again");
            }
            cluster.kill(at);
            cluster.start(at);
            cluster.all_serve(SECONDS);
        }
    }
}

#[test]
fn it_is_resumed_where_it_is_known_and_expires_there() {
    let mut cluster = started(1, false);
    let (client, session) = connect(&mut cluster, 1);
    cluster.disconnect(1, client);
    let elsewhere = cluster.resume(2, session);
    cluster.run_for(Duration::from_millis(500));
    let refused = Some(CloseReason::SessionRefused(session));
    assert_eq!(cluster.closing(2, elsewhere), refused);
    let back = cluster.resume(1, session);
    cluster.run_until("it goes on", SECONDS, |c| {
        c.session(1, back) == Some(session)
    });
    cluster.run_until("its end", SECONDS, |c| {
        c.closing(1, back) == Some(CloseReason::SessionExpired(session))
    });
    let late = cluster.resume(1, session);
    cluster.run_until("a refusal", SECONDS, |c| {
        c.closing(1, late) == Some(CloseReason::SessionRefused(session))
    });
}

/// The connections of one session may number their requests alike.
#[test]
fn what_an_earlier_connection_asked_for_answers_nothing_else() {
    for seed in 1..10 {
        let mut cluster = started(seed, false);
        for at in 0..4 {
            let (client, session) = connect(&mut cluster, at);
            cluster.restart_xids();
            cluster.create(at, client, &format!("/{at}"));
            cluster.disconnect(at, client);
            let back = cluster.resume(at, session);
            cluster.run_until("it goes on", SECONDS, |c| {
                c.session(at, back) == Some(session)
            });
            cluster.restart_xids();
            let xid = cluster.create(at, back, "/none/below");
            cluster.run_for(Duration::from_secs(1));
            let expected = [(xid, ErrorCode::NoNode)];
            assert_eq!(cluster.replies(at, back), expected, "seed {seed}, {at}");
        }
    }
}

#[test]
fn who_resumes_it_before_its_end_has_it() {
    for seed in 1..10 {
        let mut cluster = started(seed, false);
        for at in 0..4 {
            let (client, session) = connect(&mut cluster, at);
            cluster.create(at, client, &format!("/{at}"));
            cluster.request(at, client, OpCode::CloseSession, &[]);
            let back = cluster.resume(at, session);
            cluster.run_for(Duration::from_secs(1));
            if cluster.closing(at, back).is_none() {
                let xid = cluster.create(at, back, &format!("/{at}-back"));
                cluster.run_for(Duration::from_secs(1));
                let expected = [(xid, ErrorCode::Ok)];
                assert_eq!(cluster.replies(at, back), expected, "seed {seed}, {at}");
            }
        }
    }
}

#[test]
fn without_upgrading_it_has_no_ephemeral_znodes() {
    let mut cluster = started(1, false);
    for at in 0..4 {
        let (client, _) = connect(&mut cluster, at);
        let path = format!("/{at}");
        let multi = multi_with_ephemeral(&path);
        let xids = [
            create_ephemeral(&mut cluster, at, client, "/e"),
            cluster.create(at, client, &path),
            cluster.request(at, client, OpCode::Multi, &multi),
            cluster.create(at, client, &format!("/{at}/x")),
        ];
        cluster.run_for(Duration::from_secs(1));
        let refused = ErrorCode::EphemeralOnLocalSession;
        let codes = [refused, ErrorCode::Ok, refused, ErrorCode::Ok];
        let expected: Vec<_> = xids.into_iter().zip(codes).collect();
        assert_eq!(cluster.replies(at, client), expected);
    }
}

#[test]
fn its_first_ephemeral_znode_makes_it_known_to_all() {
    for (seed, in_multi) in [(1, false), (2, true)] {
        let mut cluster = started(seed, true);
        for at in 0..4 {
            let (client, session) = connect(&mut cluster, at);
            let path = format!("/{at}");
            let mut xids = match in_multi {
                true => {
                    let multi = multi_with_ephemeral(&path);
                    vec![cluster.request(at, client, OpCode::Multi, &multi)]
                }
                false => vec![
                    cluster.create(at, client, &path),
                    create_ephemeral(&mut cluster, at, client, &format!("{path}/e")),
                ],
            };
            xids.push(create_ephemeral(
                &mut cluster,
                at,
                client,
                &format!("{path}/f"),
            ));
            cluster.run_for(Duration::from_secs(1));
            let expected: Vec<_> = xids.into_iter().map(|xid| (xid, ErrorCode::Ok)).collect();
            assert_eq!(cluster.replies(at, client), expected);
            let known = |c: &Cluster| (0..4).all(|at| c.knows_session(at, session));
            cluster.run_until("all know it", SECONDS, known);
            // It moves like any other.
            cluster.disconnect(at, client);
            let elsewhere = (at + 1) % 4;
            let client = cluster.resume(elsewhere, session);
            cluster.run_until("it is back", SECONDS, |c| {
                c.session(elsewhere, client) == Some(session)
            });
            cluster.request(elsewhere, client, OpCode::CloseSession, &[]);
            let (e, f) = (format!("{path}/e"), format!("{path}/f"));
            cluster.run_until("its end", SECONDS, |c| {
                (0..4).all(|at| {
                    !c.knows_session(at, session) && !c.exists(at, &e) && !c.exists(at, &f)
                })
            });
        }
        cluster.check_agreement();
    }
}

#[test]
fn upgrades_outlive_leaders() {
    for seed in 1..60 {
        let mut cluster = started(seed, true);
        let leader = cluster.leader().unwrap();
        let askers: Vec<usize> = (0..3).filter(|at| *at != leader).collect();
        let mut asked: Vec<_> = askers
            .iter()
            .map(|at| {
                let (client, session) = connect(&mut cluster, *at);
                let path = format!("/{at}");
                let mut xids = vec![create_ephemeral(&mut cluster, *at, client, &path)];
                xids.push(cluster.create(*at, client, &format!("/{at}-")));
                (*at, client, session, xids, Vec::new())
            })
            .collect();
        for _ in 0..cluster.below(80) {
            cluster.step();
        }
        cluster.kill(leader);
        let end = cluster.now.time + SECONDS;
        while asked.iter().any(|(.., xids, got)| got.len() < xids.len()) {
            assert!(cluster.now.time < end, "{}", cluster.notes().join("\n"));
            cluster.step();
            for (at, client, _, _, got) in &mut asked {
                got.extend(cluster.replies(*at, *client));
            }
        }
        for (at, _, session, xids, got) in asked {
            let expected: Vec<_> = xids.into_iter().map(|xid| (xid, ErrorCode::Ok)).collect();
            assert_eq!(got, expected, "seed {seed}");
            assert!(cluster.knows_session(at, session));
        }
        cluster.start(leader);
        cluster.all_serve(SECONDS);
    }
}

#[test]
fn the_leader_s_own_local_sessions_outlive_its_leading() {
    for seed in 1..20 {
        let mut cluster = started(seed, true);
        let leader = cluster.leader().unwrap();
        let (client, session) = connect(&mut cluster, leader);
        cluster.isolate(leader, true);
        let lost = create_ephemeral(&mut cluster, leader, client, "/lost");
        cluster.run_until("another leader", SECONDS, |c| {
            c.leader().is_some_and(|other| other != leader)
        });
        cluster.isolate(leader, false);
        cluster.run_until("it follows", SECONDS, |c| {
            c.serves(leader) && matches!(c.part(leader), Some(Part::Following { .. }))
        });
        // Its connection did not outlive the pause, or what was proposed has gone.
        let replies = cluster.replies(leader, client);
        assert!(!replies.contains(&(lost, ErrorCode::Ok)));
        let back = cluster.resume(leader, session);
        cluster.run_until("it is back", SECONDS, |c| {
            c.session(leader, back) == Some(session)
        });
        let again = create_ephemeral(&mut cluster, leader, back, "/again");
        cluster.run_until("it is there", SECONDS, |c| c.exists(leader, "/again"));
        assert_eq!(cluster.replies(leader, back), [(again, ErrorCode::Ok)]);
    }
}
