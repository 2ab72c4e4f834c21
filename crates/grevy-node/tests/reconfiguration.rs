//! What reconfigurations give servers, and what they may not.

mod cluster;

use cluster::Cluster;
use grevy_node::ClientId;
use grevy_proto::request::{Nullable, Reconfig};
use grevy_proto::{Encode, ErrorCode, OpCode, Xid};
use grevy_zab::Part;
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(30);

/// Three voters and an observer, who leads, and a client of that.
fn serving(seed: u64, several_addresses: bool) -> (Cluster, usize, ClientId) {
    let mut cluster = Cluster::new(3, 1, seed);
    cluster.reconfig = true;
    cluster.configure(|config| {
        config.prepare.reconfig = true;
        config.prepare.skip_acl = true;
        config.several_addresses = several_addresses;
    });
    cluster.start_all();
    cluster.run_until("all serve", SECONDS, |c| (0..4).all(|at| c.serves(at)));
    let leader = cluster.leader().unwrap();
    let client = cluster.connect(leader);
    cluster.run_until("a session", SECONDS, |c| {
        c.session(leader, client).is_some()
    });
    (cluster, leader, client)
}

fn join(cluster: &mut Cluster, leader: usize, client: ClientId, joining: &str) -> Xid {
    let reconfig = Reconfig {
        joining: Nullable(Some(joining.into())),
        leaving: Nullable(None),
        members: Nullable(None),
        config_id: -1,
    };
    cluster.request(leader, client, OpCode::Reconfig, &reconfig.to_bytes())
}

#[test]
fn an_observer_takes_up_the_role_that_a_configuration_gives_it() {
    for seed in 1..20 {
        let (mut cluster, leader, client) = serving(seed, false);
        for role in ["participant", "observer"] {
            let joining = format!("server.4=host4:2888:3888:{role};2181");
            join(&mut cluster, leader, client, &joining);
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

#[test]
fn several_addresses_are_for_those_who_have_enabled_them() {
    let joining = "server.4=host4:2888:3888:observer|other4:2888:3888:observer;2181";
    for (enabled, expected) in [(false, ErrorCode::BadArguments), (true, ErrorCode::Ok)] {
        let (mut cluster, leader, client) = serving(1, enabled);
        let asked = join(&mut cluster, leader, client, joining);
        cluster.run_for(Duration::from_secs(1));
        assert_eq!(cluster.replies(leader, client), [(asked, expected)]);
        let told = cluster.told_members(3).unwrap_or_default();
        assert_eq!(told.contains("other4"), enabled, "{told}");
    }
}
