//! What bounds the members of an ensemble beside `initLimit` and `syncLimit`.

mod cluster;

use cluster::Cluster;
use grevy_node::{ClientId, CloseReason, Part};
use grevy_proto::txn::{SetDataTxn, Txn};
use grevy_proto::{ErrorCode, SessionId, Zxid};
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(30);

#[test]
fn observers_beyond_the_limit_come_again() {
    for seed in 1..20 {
        let mut cluster = Cluster::new(3, 4, seed);
        cluster.limits.snapshots = 1;
        cluster.limits.diffs = 1;
        (0..3).for_each(|at| cluster.start(at));
        cluster.run_until("a leader", SECONDS, |c| c.leader().is_some());
        let leader = cluster.leader().unwrap();
        let client = cluster.connect(leader);
        cluster.run_until("a session", SECONDS, |c| {
            c.session(leader, client).is_some()
        });
        for n in 0..20 {
            cluster.create(leader, client, &format!("/{n}"));
        }
        (3..7).for_each(|at| cluster.start(at));
        cluster.all_serve(SECONDS);
        assert!(cluster.exists(6, "/0"));
        let notes = cluster.notes().join("\n");
        assert!(notes.contains("too many observers"), "{notes}");
    }
}

/// It could not be logged. That is no failure of the disk, and no reason to stop.
#[test]
fn a_transaction_that_is_too_long_here_is_refused() {
    const LIMIT: usize = 1000;
    let mut cluster = Cluster::new(3, 0, 1);
    cluster.configure(|config| config.max_entry = LIMIT);
    cluster.start_all();
    cluster.all_serve(SECONDS);
    let leader = cluster.leader().unwrap();
    let follower = (leader + 1) % 3;
    let setting = |data: usize| {
        Txn::SetData(SetDataTxn {
            path: "/zookeeper/quota".into(),
            data: Some(vec![0; data].into()),
            version: 1,
            reconfig: false,
        })
    };
    let around = cluster::forged_entry(Zxid(1), &setting(0)).len();
    for (len, taken) in [(LIMIT, true), (LIMIT + 1, false)] {
        let zxid = cluster.last_zxid(follower).next();
        let logged = cluster.logged(follower);
        cluster.forge_proposal(leader, follower, zxid, &setting(len - around));
        match taken {
            true => cluster.run_until("it logs it", SECONDS, |c| c.logged(follower) > logged),
            false => cluster.run_until("it gives up", SECONDS, |c| !c.serves(follower)),
        }
        assert_eq!(cluster.logged(follower) > logged, taken);
        let notes = cluster.notes().join("\n");
        let why = format!(
            "transaction {zxid} of the leader cannot be read: it has {len} bytes, where \
             jute.maxbuffer and jute.maxbuffer.extrasize together allow {LIMIT}"
        );
        assert_eq!(notes.contains(&why), !taken, "{notes}");
        // The leader does not have it, and the history goes on without.
        cluster.kill(follower);
        cluster.start(follower);
        cluster.all_serve(SECONDS);
    }
}

#[test]
fn a_leader_that_does_not_serve_still_leads() {
    let mut cluster = Cluster::new(3, 0, 1);
    cluster.configure(|config| config.leader_serves = false);
    cluster.start_all();
    cluster.all_serve(SECONDS);
    let leader = cluster.leader().unwrap();
    let refused = cluster.connect(leader);
    assert_eq!(
        cluster.closing(leader, refused),
        Some(CloseReason::NotServing)
    );
    let follower = (leader + 1) % 3;
    let client = cluster.connect(follower);
    cluster.run_until("a session", SECONDS, |c| {
        c.session(follower, client).is_some()
    });
    cluster.create(follower, client, "/a");
    cluster.run_until("it is there", SECONDS, |c| {
        (0..3).all(|at| c.exists(at, "/a"))
    });
    cluster.kill(leader);
    cluster.run_until("another", SECONDS, |c| c.leader().is_some());
    let next = cluster.leader().unwrap();
    assert!(next == follower || cluster.session(follower, client).is_some());
    let late = cluster.ask_session(next, SessionId::NONE, false);
    assert_eq!(cluster.closing(next, late), Some(CloseReason::NotServing));
}

/// The harness loses connections across a cut at once; what hangs shows as silence.
#[test]
fn silence_counts_sooner_if_so_configured() {
    for (silence, expected) in [(None, false), (Some(Duration::from_millis(300)), true)] {
        let mut cluster = Cluster::new(3, 0, 1);
        cluster.limits.silence = silence;
        cluster.start_all();
        cluster.all_serve(SECONDS);
        let leader = cluster.leader().unwrap();
        (0..3)
            .filter(|at| *at != leader)
            .for_each(|at| cluster.hang(at));
        cluster.run_for(Duration::from_millis(900));
        let leads = matches!(cluster.part(leader), Some(Part::Leading { .. }));
        assert_eq!(!leads, expected);
    }
}

#[test]
fn an_observer_takes_its_time_to_look_for_the_next_leader() {
    let mut cluster = Cluster::new(3, 1, 7);
    cluster.limits.observer_election_delay = Duration::from_secs(20);
    cluster.start_all();
    cluster.all_serve(SECONDS);
    let leader = cluster.leader().unwrap();
    cluster.kill(leader);
    cluster.run_until("another", SECONDS, |c| c.leader().is_some());
    assert!(!cluster.serves(3));
    cluster.run_until("it observes again", SECONDS, |c| c.serves(3));
}

#[test]
fn who_is_elected_and_left_again_does_not_wait() {
    for (wait, expected) in [(None, false), (Some(Duration::from_millis(200)), true)] {
        let mut cluster = Cluster::new(3, 0, 1);
        cluster.limits.epoch_wait = wait;
        cluster.start_all();
        cluster.all_serve(SECONDS);
        let first = cluster.leader().unwrap();
        cluster.kill(first);
        let elected =
            |c: &Cluster| (0..3).find(|at| matches!(c.part(*at), Some(Part::PreparingToLead)));
        cluster.run_until("an elected server", SECONDS, |c| elected(c).is_some());
        let leader = elected(&cluster).unwrap();
        let elector = 3 - first - leader;
        cluster.kill(elector);
        cluster.run_for(Duration::from_millis(300));
        // One alone cannot elect another leader, and it knows nothing of the round.
        cluster.start(elector);
        cluster.run_for(Duration::from_secs(3));
        assert_eq!(cluster.serves(leader), expected);
        cluster.start(first);
        cluster.all_serve(SECONDS);
    }
}

/// Several requests may come at once where the first one finds the epoch's numbers used up.
#[test]
fn the_end_of_an_epoch_is_the_beginning_of_another() {
    for seed in 1..20 {
        let mut cluster = Cluster::new(3, 1, seed);
        cluster.limits.last_counter = 40;
        cluster.start_all();
        cluster.all_serve(SECONDS);
        let clients: Vec<ClientId> = (0..4).map(|at| cluster.connect(at)).collect();
        cluster.run_until("sessions", SECONDS, |c| {
            (0..4).all(|at| c.session(at, clients[at]).is_some())
        });
        for round in 0..40 {
            for (at, client) in clients.iter().enumerate() {
                for n in 0..3 {
                    cluster.create(at, *client, &format!("/{at}-{round}-{n}"));
                }
            }
            for _ in 0..cluster.below(60) {
                cluster.step();
            }
            for (at, client) in clients.iter().enumerate() {
                let replies = cluster.replies(at, *client);
                assert!(replies.iter().all(|(_, code)| *code == ErrorCode::Ok));
            }
        }
        cluster.all_serve(SECONDS);
        cluster.run_until("the same state", SECONDS, |c| {
            (0..4).all(|at| c.last_zxid(at) == c.last_zxid(0))
        });
        cluster.check_agreement();
        let reached = cluster.last_zxid(0);
        assert!(reached.epoch().0 > 3, "seed {seed}: {reached}");
    }
}
