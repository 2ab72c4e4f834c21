//! Ensembles of nodes: elections, writes through any server, and what outlives whom.

mod cluster;

use cluster::Cluster;
use grevy_node::connection::CloseReason;
use grevy_proto::{ErrorCode, OpCode};
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(30);

fn started(voters: usize, observers: usize, seed: u64) -> Cluster {
    let mut cluster = Cluster::new(voters, observers, seed);
    cluster.start_all();
    cluster.run_until("all serve", SECONDS, |c| {
        (0..c.len()).all(|at| c.serves(at))
    });
    cluster
}

/// A client of `at` creates `path`.
fn create(cluster: &mut Cluster, at: usize, path: &str) -> ErrorCode {
    let client = cluster.connect(at);
    cluster.run_until("a session", SECONDS, |c| c.session(at, client).is_some());
    let xid = cluster.create(at, client, path);
    let mut replies = Vec::new();
    for _ in 0..100_000 {
        replies.extend(cluster.replies(at, client));
        if let Some((_, code)) = replies.iter().find(|(x, _)| *x == xid) {
            return *code;
        }
        cluster.step();
    }
    panic!("no reply to {path}\n{}", cluster.notes().join("\n"));
}

#[test]
fn every_server_takes_writes() {
    for seed in 1..20 {
        let mut cluster = started(3, 1, seed);
        for at in 0..4 {
            assert_eq!(create(&mut cluster, at, &format!("/{at}")), ErrorCode::Ok);
            assert_eq!(
                create(&mut cluster, at, &format!("/{at}")),
                ErrorCode::NodeExists
            );
        }
        cluster.run_for(Duration::from_secs(1));
        cluster.check_agreement();
    }
}

#[test]
fn a_connection_that_its_session_has_left_ends_at_the_next_write() {
    for seed in 1..10 {
        let mut cluster = started(3, 0, seed);
        let leader = cluster.leader().unwrap();
        let follower = (leader + 1) % 3;
        let left = cluster.connect(follower);
        cluster.run_until("a session", SECONDS, |c| {
            c.session(follower, left).is_some()
        });
        let session = cluster.session(follower, left).unwrap();
        cluster.run_for(Duration::from_secs(1));
        // The follower does not hear of it.
        let other = cluster.resume(leader, session);
        cluster.run_until("the session moves", SECONDS, |c| {
            c.session(leader, other).is_some()
        });
        cluster.replies(follower, left);
        cluster.create(follower, left, "/left");
        cluster.run_until("the connection ends", SECONDS, |c| {
            c.closing(follower, left) == Some(CloseReason::SessionMoved(session))
        });
        assert_eq!(cluster.replies(follower, left), []);
        assert!(!cluster.exists(leader, "/left"));
    }
}

/// A read behind a sync would be answered in a state that another leader may have left behind.
#[test]
fn clients_wait_for_the_leader_to_be_established_while_it_sends_a_snapshot() {
    let mut answered = 0;
    for seed in 1..20 {
        let mut cluster = Cluster::new(3, 0, seed);
        cluster.always_snapshot = true;
        cluster.start_all();
        cluster.run_until("all serve", SECONDS, |c| (0..3).all(|at| c.serves(at)));
        let leader = cluster.leader().unwrap();
        let client = cluster.connect(leader);
        cluster.run_until("a session", SECONDS, |c| {
            c.session(leader, client).is_some()
        });
        let others = [leader, (leader + 1) % 3];
        others.into_iter().for_each(|at| cluster.isolate(at, true));
        cluster.sync(leader, client);
        cluster.run_until("nobody leads", SECONDS, |c| c.leader().is_none());
        others.into_iter().for_each(|at| cluster.isolate(at, false));
        for _ in 0..10_000 {
            if !cluster.replies(leader, client).is_empty() {
                assert!(cluster.serves(leader), "seed {seed}");
                answered += 1;
                break;
            }
            cluster.step();
        }
    }
    assert!(answered > 10, "{answered}");
}

#[test]
fn what_cannot_be_read_is_refused_in_its_turn() {
    for at in 0..2 {
        let mut cluster = started(2, 0, 1);
        let client = cluster.connect(at);
        cluster.run_until("a session", SECONDS, |c| c.session(at, client).is_some());
        let mut xids = Vec::new();
        for n in 0..3 {
            xids.push((cluster.request(at, client, OpCode::Create, b"?"), false));
            xids.push((cluster.create(at, client, &format!("/{n}")), true));
        }
        xids.push((cluster.request(at, client, OpCode::Create, b"?"), false));
        cluster.run_for(Duration::from_secs(1));
        let expected: Vec<_> = xids
            .into_iter()
            .map(|(xid, readable)| match readable {
                true => (xid, ErrorCode::Ok),
                false => (xid, ErrorCode::MarshallingError),
            })
            .collect();
        assert_eq!(cluster.replies(at, client), expected);
        // With nothing before it.
        let xid = cluster.request(at, client, OpCode::Create, b"?");
        let expected = [(xid, ErrorCode::MarshallingError)];
        assert_eq!(cluster.replies(at, client), expected);
    }
}

/// Also one that took over the state of another (ZOOKEEPER-2819, -3829).
#[test]
fn each_server_tells_the_configuration_that_it_has() {
    let mut cluster = started(3, 1, 1);
    let emptied = 1 - cluster.leader().unwrap().min(1);
    cluster.kill(emptied);
    cluster.wipe(emptied);
    cluster.start(emptied);
    cluster.run_until("it serves again", SECONDS, |c| c.serves(emptied));
    for at in 0..4 {
        assert_eq!(cluster.told_members(at), Some(cluster.members()));
    }
}

/// What a leader makes of a request that it cannot read is its own affair: it is not sent one.
#[test]
fn a_learner_forwards_what_can_be_read() {
    let mut cluster = started(2, 0, 1);
    let follower = 1 - cluster.leader().unwrap();
    let client = cluster.connect(follower);
    cluster.run_until("a session", SECONDS, |c| {
        c.session(follower, client).is_some()
    });
    let before = cluster.last_zxid(follower);
    let mut expected = Vec::new();
    for (op, code) in [
        (OpCode::Create, ErrorCode::MarshallingError),
        (OpCode::Multi, ErrorCode::MarshallingError),
        (OpCode::Reconfig, ErrorCode::MarshallingError),
        (OpCode::Check, ErrorCode::Unimplemented),
    ] {
        let xid = cluster.request(follower, client, op, b"?");
        expected.push((xid, code));
    }
    cluster.run_for(Duration::from_secs(1));
    assert_eq!(cluster.replies(follower, client), expected);
    assert_eq!(cluster.last_zxid(follower), before);
}

#[test]
fn a_killed_leader_is_replaced_and_comes_back() {
    for seed in 1..20 {
        let mut cluster = started(3, 1, seed);
        assert_eq!(create(&mut cluster, 0, "/before"), ErrorCode::Ok);
        let leader = cluster.leader().unwrap();
        cluster.kill(leader);
        cluster.run_until("another leader", SECONDS, |c| {
            c.leader().is_some_and(|l| l != leader)
        });
        let other = cluster.leader().unwrap();
        for n in 0..12 {
            assert_eq!(create(&mut cluster, other, &format!("/{n}")), ErrorCode::Ok);
        }
        cluster.start(leader);
        cluster.run_until("it serves again", SECONDS, |c| c.serves(leader));
        assert!(cluster.exists(leader, "/before") && cluster.exists(leader, "/11"));
        cluster.run_for(Duration::from_secs(1));
        cluster.check_agreement();
    }
}

#[test]
fn clients_of_survivors_keep_their_connection_and_get_their_answers() {
    for seed in 1..40 {
        let mut cluster = started(3, 0, seed);
        let leader = cluster.leader().unwrap();
        let at = (leader + 1) % 3;
        let client = cluster.connect(at);
        cluster.run_until("a session", SECONDS, |c| c.session(at, client).is_some());
        let mut xids = Vec::new();
        for n in 0..10 {
            xids.push(cluster.create(at, client, &format!("/{n}")));
            if n % 3 == 0 {
                xids.push(cluster.sync(at, client));
            }
        }
        for _ in 0..cluster.below(60) {
            cluster.step();
        }
        cluster.kill(leader);
        let mut replies = Vec::new();
        let end = cluster.now.time + SECONDS;
        while replies.len() < xids.len() && cluster.now.time < end {
            cluster.step();
            replies.extend(cluster.replies(at, client));
        }
        let expected: Vec<_> = xids.into_iter().map(|xid| (xid, ErrorCode::Ok)).collect();
        assert_eq!(
            replies,
            expected,
            "seed {seed}\n{}",
            cluster.notes().join("\n")
        );
    }
}

#[test]
fn an_emptied_server_and_one_that_lags_do_not_forget_what_was_acknowledged() {
    for seed in 1..20 {
        let mut cluster = started(3, 0, seed);
        let leader = cluster.leader().unwrap();
        let (lagging, emptied) = ((leader + 1) % 3, (leader + 2) % 3);
        cluster.kill(lagging);
        for n in 0..20 {
            assert_eq!(
                create(&mut cluster, leader, &format!("/{n}")),
                ErrorCode::Ok
            );
        }
        cluster.kill(leader);
        cluster.kill(emptied);
        cluster.wipe(emptied);
        cluster.start(lagging);
        cluster.start(emptied);
        cluster.run_for(Duration::from_secs(5));
        assert_eq!(cluster.leader(), None, "two that lost elected each other");
        cluster.start(leader);
        cluster.run_until("all serve", SECONDS, |c| (0..3).all(|at| c.serves(at)));
        for at in 0..3 {
            assert!(cluster.exists(at, "/19"));
        }
        cluster.check_agreement();
    }
}

/// Kills, cuts and restarts at random; in the end everybody has the same.
#[test]
fn whatever_happens_servers_agree() {
    for seed in 1..60 {
        let voters = [3, 3, 5, 1, 2][seed as usize % 5];
        let mut cluster = Cluster::new(voters, seed as usize % 2, seed);
        cluster.start_all();
        let mut clients = Vec::new();
        for n in 0..60 {
            for _ in 0..cluster.below(150) {
                cluster.step();
            }
            let at = cluster.below(cluster.len());
            match cluster.below(8) {
                0 if cluster.is_up(at) => cluster.kill(at),
                1 if cluster.is_up(at) => cluster.isolate(at, true),
                2 if cluster.is_up(at) => cluster.isolate(at, false),
                3 | 4 if !cluster.is_up(at) => {
                    cluster.isolate(at, false);
                    cluster.start(at);
                }
                _ if cluster.serves(at) => {
                    let client = cluster.connect(at);
                    clients.push((at, client));
                }
                _ => {}
            }
            for (at, client) in clients.clone() {
                if cluster.is_up(at) && cluster.session(at, client).is_some() {
                    cluster.create(at, client, &format!("/{n}-{}", client.0));
                }
            }
        }
        for at in 0..cluster.len() {
            cluster.isolate(at, false);
            if !cluster.is_up(at) {
                cluster.start(at);
            }
        }
        cluster.run_until(&format!("seed {seed}: all serve"), SECONDS * 2, |c| {
            (0..c.len()).all(|at| c.serves(at))
        });
        cluster.run_for(Duration::from_secs(2));
        cluster.check_agreement();
    }
}
