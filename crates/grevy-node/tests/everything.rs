//! Everything at once, at random: local sessions that upgrade, reads without a leader, observers
//! behind followers, servers that stop, die or are cut off.

mod cluster;

use cluster::{Cluster, create_record};
use grevy_node::Status;
use grevy_proto::request::SetData;
use grevy_proto::{Encode, OpCode, SessionId};
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(60);
const EPHEMERAL: i32 = 1;

fn started(seed: u64) -> Cluster {
    let mut cluster = Cluster::new(3, seed as usize % 3, seed);
    cluster.configure(|config| {
        config.local_sessions = seed % 4 < 2;
        config.upgrade_local_sessions = true;
        config.eager_acl_check = seed % 3 < 2;
        config.read_only = true;
        config.leader_serves = !seed.is_multiple_of(5);
    });
    cluster.limits.observer_masters = true;
    cluster.limits.epoch_wait = Some(Duration::from_millis(500));
    cluster.limits.silence = Some(Duration::from_millis(700));
    cluster.start_all();
    // A server that has taken over no history yet is as one that has lost it.
    cluster.run_until("all serve", SECONDS, |c| {
        (0..c.len()).all(|at| c.serves(at))
    });
    cluster
}

/// What happens to a server.
fn befall(cluster: &mut Cluster, at: usize) {
    match (cluster.below(10), cluster.is_up(at)) {
        (0, true) => cluster.kill(at),
        (1, true) => cluster.isolate(at, true),
        (2, true) => cluster.isolate(at, false),
        (3 | 4, true) => cluster.begin_stop(at),
        (5..=7, false) => {
            cluster.isolate(at, false);
            cluster.start(at);
        }
        _ => {}
    }
    for at in 0..cluster.len() {
        if cluster.is_up(at) && cluster.is_stopped(at) {
            cluster.kill(at);
        }
    }
}

#[test]
fn servers_agree_in_the_end() {
    for seed in 1..60 {
        let mut cluster = started(seed);
        let mut clients = Vec::new();
        for n in 0..60 {
            for _ in 0..cluster.below(200) {
                cluster.step();
            }
            let at = cluster.below(cluster.len());
            befall(&mut cluster, at);
            if cluster.is_up(at) {
                let client = cluster.ask_session(at, SessionId::NONE, true);
                clients.push((at, client));
            }
            for (at, client) in clients.clone() {
                if cluster.is_up(at) && cluster.session(at, client).is_some() {
                    let path = format!("/{n}-{}", client.0);
                    let flags = if n % 3 == 0 { EPHEMERAL } else { 0 };
                    let record = create_record(&path, flags);
                    if n % 4 == 0 {
                        let may_not = SetData {
                            path: "/zookeeper/config".into(),
                            data: None,
                            version: -1,
                        };
                        cluster.request(at, client, OpCode::SetData, &may_not.to_bytes());
                    }
                    cluster.request(at, client, OpCode::Create, &record);
                    cluster.sync(at, client);
                }
            }
        }
        for at in 0..cluster.len() {
            cluster.isolate(at, false);
            if cluster.status(at) == Some(Status::Stopping) {
                cluster.kill(at);
            }
            if !cluster.is_up(at) {
                cluster.start(at);
            }
        }
        cluster.run_until(&format!("seed {seed}: all serve"), SECONDS, |c| {
            (0..c.len()).all(|at| c.serves(at))
        });
        cluster.run_until("the same state", SECONDS, |c| {
            (0..c.len()).all(|at| c.last_zxid(at) == c.last_zxid(0))
        });
        cluster.check_agreement();
    }
}
