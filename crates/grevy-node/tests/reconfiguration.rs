//! An observer that a reconfiguration gives a vote, and that gives it back.

mod cluster;

use cluster::Cluster;
use grevy_proto::request::{Nullable, Reconfig};
use grevy_proto::{Encode, OpCode};
use grevy_zab::Part;
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(30);

#[test]
fn an_observer_takes_up_the_role_that_a_configuration_gives_it() {
    for seed in 1..20 {
        let mut cluster = Cluster::new(3, 1, seed);
        cluster.reconfig = true;
        cluster.configure(|config| {
            config.prepare.reconfig = true;
            config.prepare.skip_acl = true;
        });
        cluster.start_all();
        cluster.run_until("all serve", SECONDS, |c| (0..4).all(|at| c.serves(at)));
        let leader = cluster.leader().unwrap();
        let client = cluster.connect(leader);
        cluster.run_until("a session", SECONDS, |c| {
            c.session(leader, client).is_some()
        });
        for role in ["participant", "observer"] {
            let joining = format!("server.4=host4:2888:3888:{role};2181");
            let reconfig = Reconfig {
                joining: Nullable(Some(joining.into())),
                leaving: Nullable(None),
                members: Nullable(None),
                config_id: -1,
            };
            cluster.request(leader, client, OpCode::Reconfig, &reconfig.to_bytes());
            cluster.run_until("it has another role", SECONDS, |c| {
                match (role, c.part(3)) {
                    ("participant", Some(Part::Following { .. }))
                    | ("observer", Some(Part::Observing { .. })) => c.serves(3),
                    _ => false,
                }
            });
            assert_eq!(cluster.leader(), Some(leader));
        }
        cluster.check_agreement();
    }
}
