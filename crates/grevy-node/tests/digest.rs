//! A learner whose state is not the leader's.

mod cluster;

use cluster::Cluster;
use grevy_node::ClientId;
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(30);

fn started(seed: u64) -> (Cluster, usize, ClientId) {
    let mut cluster = Cluster::new(3, 1, seed);
    cluster.start_all();
    cluster.run_until("all serve", SECONDS, |c| (0..4).all(|at| c.serves(at)));
    let leader = cluster.leader().unwrap();
    let writer = cluster.connect(leader);
    cluster.run_until("a session", SECONDS, |c| {
        c.session(leader, writer).is_some()
    });
    (cluster, leader, writer)
}

#[test]
fn a_learner_s_wrong_state_is_replaced_by_the_leader_s() {
    for seed in 1..20 {
        let (mut cluster, leader, writer) = started(seed);
        for at in (0..4).filter(|at| *at != leader) {
            let reader = cluster.connect(at);
            cluster.run_until("a session", SECONDS, |c| c.session(at, reader).is_some());
            let rot = format!("/rot-{at}");
            cluster.corrupt(at, &rot);
            cluster.create(leader, writer, &format!("/{at}"));
            cluster.run_until("it stops serving", SECONDS, |c| !c.serves(at));
            assert_eq!(cluster.session(at, reader), None, "who read it is gone");
            cluster.run_until("it serves again", SECONDS, |c| c.serves(at));
            assert!(!cluster.exists(at, &rot));
            assert_eq!(cluster.leader(), Some(leader), "the others went on");
        }
        cluster.create(leader, writer, "/end");
        cluster.run_until("all have it", SECONDS, |c| {
            (0..4).all(|at| c.exists(at, "/end"))
        });
        cluster.check_agreement();
    }
}

#[test]
fn that_is_not_tried_again_and_again() {
    let (mut cluster, leader, writer) = started(1);
    let at = (leader + 1) % 3;
    cluster.corrupt(at, "/first");
    cluster.create(leader, writer, "/a");
    cluster.run_until("it stops serving", SECONDS, |c| !c.serves(at));
    cluster.run_until("it serves again", SECONDS, |c| c.serves(at));
    cluster.corrupt(at, "/second");
    cluster.create(leader, writer, "/b");
    cluster.run_until("it is there", SECONDS, |c| c.exists(at, "/b"));
    assert!(cluster.serves(at) && cluster.exists(at, "/second"));
}
