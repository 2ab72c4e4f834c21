//! Observers that are served by followers.

mod cluster;

use cluster::Cluster;
use grevy_node::{ClientId, Part};
use grevy_proto::{ErrorCode, OpCode, SessionId, Xid};
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(30);

fn started(voters: usize, observers: usize, seed: u64) -> Cluster {
    let mut cluster = Cluster::new(voters, observers, seed);
    cluster.limits.observer_masters = true;
    cluster.start_all();
    cluster.all_serve(SECONDS * 2);
    cluster
}

fn open(cluster: &mut Cluster, at: usize) -> (ClientId, SessionId) {
    let client = cluster.connect(at);
    cluster.run_until("a session", SECONDS, |c| c.session(at, client).is_some());
    (client, cluster.session(at, client).unwrap())
}

fn await_replies(cluster: &mut Cluster, at: usize, client: ClientId, asked: &[Xid]) {
    let mut replies = Vec::new();
    let end = cluster.now.time + SECONDS;
    while replies.len() < asked.len() {
        assert!(cluster.now.time < end, "{}", cluster.notes().join("\n"));
        cluster.step();
        replies.extend(cluster.replies(at, client));
    }
    let expected: Vec<_> = asked.iter().map(|xid| (*xid, ErrorCode::Ok)).collect();
    assert_eq!(replies, expected);
}

fn agree(cluster: &mut Cluster) {
    cluster.run_until("the same state", SECONDS, |c| {
        (0..c.len()).all(|at| c.last_zxid(at) == c.last_zxid(0))
    });
    cluster.check_agreement();
}

#[test]
fn observers_are_served_by_followers() {
    for seed in 1..20 {
        let mut cluster = started(3, 3, seed);
        let leader = cluster.leader().unwrap();
        for at in 3..6 {
            let linked = cluster.linked(at);
            assert!(linked.len() == 1 && !linked.contains(&leader));
            let master = linked.first().map(|master| *master as i64 + 1);
            assert_eq!(cluster.master(at), master);
            let (client, _) = open(&mut cluster, at);
            let asked: Vec<Xid> = (0..9)
                .map(|n| match n % 3 {
                    2 => cluster.sync(at, client),
                    _ => cluster.create(at, client, &format!("/{at}-{n}")),
                })
                .collect();
            await_replies(&mut cluster, at, client, &asked);
        }
        agree(&mut cluster);
    }
}

#[test]
fn sessions_live_and_move_behind_followers() {
    let mut cluster = started(3, 2, 1);
    let (client, session) = open(&mut cluster, 3);
    cluster.disconnect(3, client);
    let master = *cluster.linked(3).first().unwrap();
    for at in [4, master, 3] {
        let client = cluster.resume(at, session);
        cluster.run_until("it is back", SECONDS, |c| c.session(at, client).is_some());
        let xid = cluster.create(at, client, &format!("/{at}"));
        await_replies(&mut cluster, at, client, &[xid]);
        cluster.disconnect(at, client);
    }
    // Nobody hears of it any more.
    cluster.run_until("its end", SECONDS, |c| !c.knows_session(0, session));
    let late = cluster.resume(4, session);
    cluster.run_until("a refusal", SECONDS, |c| c.closing(4, late).is_some());
}

/// To the leader both are one learner, so the follower has to tell them apart (P20).
#[test]
fn a_session_has_one_home_among_a_follower_and_its_observers() {
    for seed in 1..20 {
        let mut cluster = started(3, 1, seed);
        let observer = 3;
        let master = *cluster.linked(observer).first().unwrap();
        for (old, new) in [(master, observer), (observer, master)] {
            let (left_behind, session) = open(&mut cluster, old);
            let client = cluster.resume(new, session);
            // What it had asked for is on its way as it comes in elsewhere.
            while cluster.session(new, client).is_none() {
                cluster.step();
            }
            if cluster.closing(old, left_behind).is_none() {
                cluster.create(old, left_behind, &format!("/late-{old}"));
            }
            let xid = cluster.create(new, client, &format!("/in-time-{new}"));
            await_replies(&mut cluster, new, client, &[xid]);
            cluster.run_for(Duration::from_secs(1));
            assert!(!cluster.exists(new, &format!("/late-{old}")), "seed {seed}");
        }
    }
}

#[test]
fn a_session_behind_a_follower_is_kept_alive() {
    let mut cluster = started(3, 1, 1);
    let (client, session) = open(&mut cluster, 3);
    for _ in 0..30 {
        // Reads do not reach the leader; what keeps the session is that it was heard.
        cluster.request(3, client, OpCode::Ping, &[]);
        cluster.run_for(Duration::from_secs(1));
    }
    assert_eq!(cluster.session(3, client), Some(session));
    assert!(cluster.knows_session(0, session));
}

#[test]
fn an_observer_finds_another_follower() {
    for seed in 1..20 {
        let mut cluster = started(3, 2, seed);
        let leader = cluster.leader().unwrap();
        let master = *cluster.linked(3).first().unwrap();
        cluster.kill(master);
        let other = (0..3).find(|at| *at != master && *at != leader).unwrap();
        cluster.run_until("it observes again", SECONDS, |c| {
            c.serves(3) && c.linked(3).contains(&other)
        });
        assert_eq!(cluster.leader(), Some(leader));
        let (client, _) = open(&mut cluster, 3);
        let xid = cluster.create(3, client, "/a");
        await_replies(&mut cluster, 3, client, &[xid]);
        cluster.start(master);
        cluster.all_serve(SECONDS * 2);
        agree(&mut cluster);
    }
}

#[test]
fn without_a_follower_that_serves_the_leader_does() {
    let cluster = started(1, 1, 1);
    assert!(matches!(cluster.part(1), Some(Part::Observing { .. })));
    assert_eq!(cluster.linked(1).first(), Some(&0));
}

/// Kills, cuts and restarts at random; in the end everybody has the same.
#[test]
fn whatever_happens_servers_agree() {
    for seed in 1..60 {
        let mut cluster = Cluster::new(3, 2, seed);
        cluster.limits.observer_masters = true;
        cluster.start_all();
        let mut clients = Vec::new();
        for n in 0..60 {
            for _ in 0..cluster.below(200) {
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
                _ if cluster.serves(at) => clients.push((at, cluster.connect(at))),
                _ => {}
            }
            for (at, client) in clients.clone() {
                if cluster.is_up(at) && cluster.session(at, client).is_some() {
                    cluster.create(at, client, &format!("/{n}-{}", client.0));
                    cluster.sync(at, client);
                }
            }
        }
        for at in 0..cluster.len() {
            cluster.isolate(at, false);
            if !cluster.is_up(at) {
                cluster.start(at);
            }
        }
        cluster.all_serve(SECONDS * 2);
        agree(&mut cluster);
    }
}
