//! Sessions that have moved to another server, and the connections that they have left behind.

mod cluster;

use cluster::Cluster;
use grevy_node::{ClientId, CloseReason};
use grevy_proto::{ErrorCode, OpCode, SessionId, Xid};
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(30);

fn opened(cluster: &mut Cluster, at: usize, client: ClientId) -> SessionId {
    cluster.run_until("a session", SECONDS, |c| c.session(at, client).is_some());
    cluster.session(at, client).unwrap()
}

fn answer(cluster: &mut Cluster, at: usize, client: ClientId, xid: Xid) -> ErrorCode {
    for _ in 0..100_000 {
        let replies = cluster.replies(at, client);
        if let Some((_, code)) = replies.iter().find(|(x, _)| *x == xid) {
            return *code;
        }
        cluster.step();
    }
    panic!("no reply\n{}", cluster.notes().join("\n"));
}

/// A write through the connection that a session has left takes no effect behind one that came
/// through the newer connection, whoever leads (P1).
#[test]
fn what_was_left_behind_is_not_taken_up_by_the_next_leader() {
    for seed in 1..30 {
        let mut cluster = Cluster::new(3, 0, seed);
        cluster.start_all();
        cluster.run_until("all serve", SECONDS, |c| (0..3).all(|at| c.serves(at)));
        let leader = cluster.leader().unwrap();
        let (old, new) = ((leader + 1) % 3, (leader + 2) % 3);
        let left = cluster.connect(old);
        let session = opened(&mut cluster, old, left);
        let xid = cluster.create(old, left, "/before");
        assert_eq!(answer(&mut cluster, old, left, xid), ErrorCode::Ok);
        let moved = cluster.resume(new, session);
        opened(&mut cluster, new, moved);
        let xid = cluster.create(new, moved, "/moved");
        assert_eq!(answer(&mut cluster, new, moved, xid), ErrorCode::Ok);
        cluster.run_until("all have it", SECONDS, |c| c.exists(old, "/moved"));
        cluster.kill(leader);
        cluster.create(old, left, "/late");
        cluster.run_until("another leads", SECONDS, |c| c.serves(old) && c.serves(new));
        let xid = cluster.create(new, moved, "/again");
        assert_eq!(answer(&mut cluster, new, moved, xid), ErrorCode::Ok);
        let reason = CloseReason::SessionMoved(session);
        assert_eq!(cluster.closing(old, left), Some(reason));
        cluster.run_for(Duration::from_secs(1));
        assert!(!cluster.exists(old, "/late"), "{seed}");
    }
}

/// Nor does the session end by what was asked for before it moved (P20).
#[test]
fn a_session_does_not_end_through_a_connection_that_it_has_left() {
    for seed in 1..10 {
        let mut cluster = Cluster::new(3, 0, seed);
        cluster.start_all();
        cluster.run_until("all serve", SECONDS, |c| (0..3).all(|at| c.serves(at)));
        let leader = cluster.leader().unwrap();
        for (old, new) in [
            ((leader + 1) % 3, (leader + 2) % 3),
            (leader, (leader + 1) % 3),
        ] {
            let left = cluster.connect(old);
            let session = opened(&mut cluster, old, left);
            let moved = cluster.resume(new, session);
            opened(&mut cluster, new, moved);
            if cluster.closing(old, left).is_none() {
                cluster.request(old, left, OpCode::CloseSession, &[]);
            }
            cluster.run_for(Duration::from_secs(1));
            let reason = CloseReason::SessionMoved(session);
            assert_eq!(cluster.closing(old, left), Some(reason), "{seed}");
            assert_eq!(cluster.session(new, moved), Some(session), "{seed}");
            let closing = cluster.request(new, moved, OpCode::CloseSession, &[]);
            assert_eq!(answer(&mut cluster, new, moved, closing), ErrorCode::Ok);
        }
    }
}

/// A session that has come back stays.
#[test]
fn who_comes_back_is_at_home_again() {
    let mut cluster = Cluster::new(3, 0, 1);
    cluster.start_all();
    cluster.run_until("all serve", SECONDS, |c| (0..3).all(|at| c.serves(at)));
    let leader = cluster.leader().unwrap();
    let (first, second) = ((leader + 1) % 3, (leader + 2) % 3);
    let client = cluster.connect(first);
    let session = opened(&mut cluster, first, client);
    let moved = cluster.resume(second, session);
    opened(&mut cluster, second, moved);
    let xid = cluster.create(second, moved, "/moved");
    assert_eq!(answer(&mut cluster, second, moved, xid), ErrorCode::Ok);
    let back = cluster.resume(first, session);
    opened(&mut cluster, first, back);
    let xid = cluster.create(first, back, "/back");
    assert_eq!(answer(&mut cluster, first, back, xid), ErrorCode::Ok);
    cluster.run_for(Duration::from_secs(1));
    cluster.kill(leader);
    let xid = cluster.create(first, back, "/on");
    assert_eq!(answer(&mut cluster, first, back, xid), ErrorCode::Ok);
    assert_eq!(cluster.closing(first, back), None);
}

/// Some clients number their requests anew on each connection, as kazoo does. What the session asked
/// for on an earlier one, here or at another server, answers none of them (P2).
#[test]
fn what_an_earlier_connection_asked_for_answers_nothing_else() {
    for seed in 1..60 {
        let mut cluster = Cluster::new(3, 1, seed);
        cluster.start_all();
        cluster.run_until("all serve", SECONDS, |c| (0..4).all(|at| c.serves(at)));
        let leader = cluster.leader().unwrap();
        let at = |n: usize| (leader + 1 + n) % 3;
        let observer = 3;
        let (first, second) = [
            (at(0), at(0)),
            (at(0), at(1)),
            (observer, observer),
            (at(0), observer),
            (observer, at(0)),
            (leader, at(0)),
            (at(0), leader),
        ][seed as usize % 7];
        let client = cluster.connect(first);
        let session = opened(&mut cluster, first, client);
        cluster.restart_xids();
        // A later number than the first of the next connection.
        if seed % 3 == 0 {
            cluster.sync(first, client);
        }
        cluster.create(first, client, "/earlier");
        if seed % 2 == 0 {
            cluster.disconnect(first, client);
        }
        let client = cluster.resume(second, session);
        opened(&mut cluster, second, client);
        cluster.restart_xids();
        let xids = [(); 2].map(|()| cluster.create(second, client, "/none/below"));
        cluster.run_for(Duration::from_secs(1));
        let replies = cluster.replies(second, client);
        let expected = xids.map(|xid| (xid, ErrorCode::NoNode));
        match cluster.closing(second, client) {
            None => assert_eq!(replies, expected, "{seed}"),
            // The leader refused what came from the other server too late.
            Some(reason) => {
                assert_eq!(reason, CloseReason::SessionMoved(session), "{seed}");
                assert!(
                    first != second && expected.starts_with(&replies),
                    "{seed}: {replies:?}"
                );
            }
        }
        cluster.check_agreement();
    }
}

/// Of two threads, one may have read a request of the earlier connection just before the other hears
/// of the new one.
#[test]
fn nor_does_what_is_submitted_late() {
    for seed in 1..20 {
        let mut cluster = Cluster::new(3, 1, seed);
        cluster.start_all();
        cluster.run_until("all serve", SECONDS, |c| (0..4).all(|at| c.serves(at)));
        for at in 0..4 {
            let earlier = cluster.connect(at);
            let session = opened(&mut cluster, at, earlier);
            cluster.restart_xids();
            let path = format!("/{at}");
            let record = cluster::create_record(&path, 0);
            let mut client = earlier;
            cluster.late(at, earlier, OpCode::Create, &record, |c| {
                client = c.resume(at, session);
            });
            opened(&mut cluster, at, client);
            cluster.restart_xids();
            let xid = cluster.create(at, client, "/none/below");
            cluster.run_for(Duration::from_secs(1));
            let expected = [(xid, ErrorCode::NoNode)];
            assert_eq!(cluster.replies(at, client), expected, "{seed}");
            assert!(!cluster.exists(at, &path), "{seed}");
        }
    }
}

/// Of two connections that name the same session at once, one has it, and the other hears that.
#[test]
fn a_session_has_one_connection() {
    for seed in 1..10 {
        let mut cluster = Cluster::new(3, 1, seed);
        cluster.configure(|config| config.local_sessions = seed % 2 == 0);
        cluster.start_all();
        cluster.run_until("all serve", SECONDS, |c| (0..4).all(|at| c.serves(at)));
        for at in 0..4 {
            let client = cluster.connect(at);
            let session = opened(&mut cluster, at, client);
            let one = cluster.resume(at, session);
            let two = cluster.resume(at, session);
            cluster.run_for(Duration::from_secs(1));
            let moved = Some(CloseReason::SessionMoved(session));
            let closed = [client, one, two].map(|client| cluster.closing(at, client));
            assert_eq!(closed, [moved.clone(), moved, None], "seed {seed}, {at}");
            let xid = cluster.create(at, two, &format!("/{at}"));
            assert_eq!(answer(&mut cluster, at, two, xid), ErrorCode::Ok);
        }
    }
}

/// To the leader a follower and the observers behind it are one, so it cannot tell these apart.
#[test]
fn a_session_is_at_a_follower_or_behind_it() {
    for seed in 1..30 {
        let mut cluster = Cluster::new(3, 2, seed);
        cluster.limits.observer_masters = true;
        cluster.start_all();
        cluster.run_until("all serve", SECONDS, |c| (0..5).all(|at| c.serves(at)));
        let observer = 3;
        let follower = cluster.master(observer).unwrap() as usize - 1;
        let client = cluster.connect(follower);
        let session = opened(&mut cluster, follower, client);
        cluster.disconnect(follower, client);
        let here = cluster.resume(follower, session);
        let there = cluster.resume(observer, session);
        cluster.run_for(Duration::from_secs(1));
        let has = |at, client| {
            cluster.session(at, client).is_some() && cluster.closing(at, client).is_none()
        };
        assert!(!(has(follower, here) && has(observer, there)), "{seed}");
    }
}
