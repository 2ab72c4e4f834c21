//! A leader that a reconfiguration removes: another one takes its place without an election.

mod cluster;

use cluster::Cluster;
use grevy_proto::request::{Nullable, Reconfig};
use grevy_proto::{Encode, OpCode};
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(30);

#[test]
fn whoever_succeeds_can_send_snapshots_of_all_that_is_committed() {
    for (seed, always_snapshot) in (1..20).flat_map(|seed| [(seed, false), (seed, true)]) {
        let mut cluster = Cluster::new(3, 0, seed);
        cluster.reconfig = true;
        cluster.always_snapshot = always_snapshot;
        cluster.configure(|config| {
            config.prepare.reconfig = true;
            config.prepare.skip_acl = true;
        });
        cluster.start_all();
        cluster.run_until("all serve", SECONDS, |c| (0..3).all(|at| c.serves(at)));
        let leader = cluster.leader().unwrap();
        let client = cluster.connect(leader);
        cluster.run_until("a session", SECONDS, |c| {
            c.session(leader, client).is_some()
        });
        let leaving = format!("{}", leader + 1);
        let reconfig = Reconfig {
            joining: Nullable(None),
            leaving: Nullable(Some(leaving.into())),
            members: Nullable(None),
            config_id: -1,
        };
        cluster.request(leader, client, OpCode::Reconfig, &reconfig.to_bytes());
        cluster.run_until("another leads", SECONDS, |c| {
            (0..3).all(|at| c.serves(at)) && c.leader().is_some_and(|other| other != leader)
        });
        cluster.check_agreement();
    }
}
