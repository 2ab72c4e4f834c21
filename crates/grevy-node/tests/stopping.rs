//! The orderly end of servers, one after the other, under the feet of their clients.

mod cluster;

use cluster::Cluster;
use grevy_node::ClientId;
use grevy_proto::{ErrorCode, Xid};
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(30);

/// A client that asks on and on, and what it has not been told.
struct Asking {
    at: usize,
    client: ClientId,
    asked: Vec<Xid>,
    answered: Vec<Xid>,
}

impl Asking {
    fn connect(cluster: &mut Cluster, at: usize) -> Self {
        let client = cluster.connect(at);
        cluster.run_until("a session", SECONDS, |c| c.session(at, client).is_some());
        Self {
            at,
            client,
            asked: Vec::new(),
            answered: Vec::new(),
        }
    }

    fn ask(&mut self, cluster: &mut Cluster) {
        let xid = match self.asked.len() % 4 {
            3 => cluster.sync(self.at, self.client),
            n => {
                let path = format!("/{}-{}-{n}", self.client.0, self.asked.len());
                cluster.create(self.at, self.client, &path)
            }
        };
        self.asked.push(xid);
    }

    fn listen(&mut self, cluster: &mut Cluster) {
        for (xid, code) in cluster.replies(self.at, self.client) {
            assert_eq!(code, ErrorCode::Ok, "{}", cluster.notes().join("\n"));
            self.answered.push(xid);
        }
    }
}

#[test]
fn a_rolling_restart_fails_no_request() {
    for seed in 1..20 {
        let mut cluster = Cluster::new(3, 1, seed);
        cluster.configure(|config| config.local_sessions = seed % 2 == 0);
        cluster.start_all();
        cluster.run_until("all serve", SECONDS, |c| (0..4).all(|at| c.serves(at)));
        for stops in 0..4 {
            let mut askers: Vec<Asking> =
                (0..4).map(|at| Asking::connect(&mut cluster, at)).collect();
            for n in 0..40 {
                if n == 20 {
                    cluster.begin_stop(stops);
                }
                for asker in askers.iter_mut().filter(|a| a.at != stops || n < 20) {
                    asker.ask(&mut cluster);
                }
                for _ in 0..cluster.below(100) {
                    cluster.step();
                }
                askers.iter_mut().for_each(|a| a.listen(&mut cluster));
            }
            cluster.run_until("the end", SECONDS, |c| c.is_stopped(stops));
            askers[stops].listen(&mut cluster);
            assert_eq!(askers[stops].asked, askers[stops].answered);
            cluster.kill(stops);
            let end = cluster.now.time + SECONDS;
            let mut others = askers;
            others.retain(|asker| asker.at != stops);
            while others.iter().any(|a| a.asked.len() > a.answered.len()) {
                assert!(cluster.now.time < end, "{}", cluster.notes().join("\n"));
                cluster.step();
                others.iter_mut().for_each(|a| a.listen(&mut cluster));
            }
            for asker in others {
                assert_eq!(asker.asked, asker.answered, "their order");
            }
            cluster.start(stops);
            cluster.run_until("all serve", SECONDS, |c| (0..4).all(|at| c.serves(at)));
        }
        cluster.run_until("the same state", SECONDS, |c| {
            (0..4).all(|at| c.last_zxid(at) == c.last_zxid(0))
        });
        cluster.check_agreement();
    }
}

#[test]
fn a_server_without_a_leader_ends_at_once() {
    let mut cluster = Cluster::new(3, 0, 1);
    cluster.start(0);
    cluster.run_for(Duration::from_millis(300));
    cluster.begin_stop(0);
    assert!(cluster.is_stopped(0));
}

#[test]
fn a_leader_that_cannot_finish_ends_all_the_same() {
    let mut cluster = Cluster::new(3, 0, 1);
    cluster.start_all();
    cluster.run_until("all serve", SECONDS, |c| (0..3).all(|at| c.serves(at)));
    let leader = cluster.leader().unwrap();
    let mut asker = Asking::connect(&mut cluster, leader);
    cluster.isolate(leader, true);
    asker.ask(&mut cluster);
    cluster.begin_stop(leader);
    assert!(!cluster.is_stopped(leader));
    cluster.run_until("the end", SECONDS, |c| c.is_stopped(leader));
    asker.listen(&mut cluster);
    assert!(asker.answered.is_empty());
}
