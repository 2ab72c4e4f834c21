//! What reconfigurations give servers, and what they may not.

mod cluster;

use cluster::Cluster;
use grevy_node::ClientId;
use grevy_proto::request::{Nullable, Reconfig};
use grevy_proto::txn::{SetDataTxn, Txn};
use grevy_proto::{Encode, ErrorCode, OpCode, Xid};
use grevy_zab::{Membership, Part};
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

/// A lone voter, and servers that only their own files know, as observers: they wait in the way
/// that lets a reconfiguration count on their votes, as Java servers do, and go on to do so when the
/// leader was away.
#[test]
fn who_is_in_no_configuration_yet_can_be_given_a_vote_that_is_needed() {
    for seed in 1..20 {
        let mut cluster = Cluster::new(1, 2, seed);
        cluster.reconfig = true;
        cluster.configure(|config| {
            config.prepare.reconfig = true;
            config.prepare.skip_acl = true;
        });
        let line = |id: usize, role: &str| format!("server.{id}=host{id}:2888:3888:{role};2181");
        for at in 0..3 {
            let mut own = line(1, "participant");
            if at > 0 {
                own = format!("{own}\n{}", line(at + 1, "observer"));
            }
            let own = Membership::parse(&own).unwrap();
            cluster.own_members.insert(at, own);
        }
        cluster.start_all();
        let wait = |c: &Cluster| {
            (0..3).all(|at| c.serves(at))
                && (1..3).all(|at| matches!(c.part(at), Some(Part::Following { .. })))
        };
        cluster.run_until("two wait", SECONDS, wait);
        cluster.kill(0);
        cluster.run_for(Duration::from_secs(1));
        cluster.start(0);
        cluster.run_until("they wait again", SECONDS, wait);
        let client = cluster.connect(0);
        cluster.run_until("a session", SECONDS, |c| c.session(0, client).is_some());
        let joining = format!("{},{}", line(2, "participant"), line(3, "participant"));
        let asked = join(&mut cluster, 0, client, &joining);
        cluster.run_for(Duration::from_secs(2));
        assert_eq!(cluster.replies(0, client), [(asked, ErrorCode::Ok)]);
        cluster.run_until("all serve", SECONDS, |c| (0..3).all(|at| c.serves(at)));
        cluster.check_agreement();
    }
}

/// One that has just been made an observer may not know it yet. Were its vote needed, and the leader
/// gone, nobody could ever be elected: as an observer it votes for nobody.
#[test]
fn who_is_about_to_become_an_observer_is_not_counted_on() {
    for seed in 1..20 {
        let mut cluster = Cluster::new(2, 0, seed);
        cluster.reconfig = true;
        cluster.configure(|config| {
            config.prepare.reconfig = true;
            config.prepare.skip_acl = true;
            config.may_shrink_to_one = true;
        });
        cluster.start_all();
        cluster.run_until("both serve", SECONDS, |c| (0..2).all(|at| c.serves(at)));
        let leader = cluster.leader().unwrap();
        let other = 1 - leader;
        let line = |role: &str| {
            let id = other + 1;
            format!("server.{id}=host{id}:2888:3888:{role};2181")
        };
        let client = cluster.connect(leader);
        cluster.run_until("a session", SECONDS, |c| {
            c.session(leader, client).is_some()
        });
        let demoted = join(&mut cluster, leader, client, &line("observer"));
        cluster.run_until("that is committed", SECONDS, |c| {
            c.told_members(leader)
                .is_some_and(|told| told.contains(":observer"))
        });
        let promoted = join(&mut cluster, leader, client, &line("participant"));
        cluster.run_until("it observes", SECONDS, |c| {
            matches!(c.part(other), Some(Part::Observing { .. }))
        });
        assert_eq!(
            cluster.replies(leader, client),
            [
                (demoted, ErrorCode::Ok),
                (promoted, ErrorCode::NewConfigNoQuorum)
            ],
            "seed {seed}"
        );
        cluster.check_agreement();
    }
}

/// The files could not be written, or not before a crash. Those whom a change has removed have
/// acknowledged it, and must not go on as if they had not: the others may serve without them.
#[test]
fn what_is_in_the_log_counts_though_the_files_are_older() {
    for seed in 1..20 {
        let mut cluster = Cluster::new(5, 0, seed);
        cluster.reconfig = true;
        cluster.configure(|config| {
            config.prepare.reconfig = true;
            config.prepare.skip_acl = true;
        });
        let line = |id: usize| format!("server.{id}=host{id}:2888:3888:participant;2181");
        let lines = |ids: &[usize]| ids.iter().map(|id| line(*id)).collect::<Vec<_>>();
        let old = lines(&[1, 2, 3]).join("\n");
        let old = Membership::parse(&old).unwrap();
        let old = old.with_version(0x1_0000_0000);
        for at in 0..5 {
            let own = match at {
                0..3 => old.clone(),
                // To be added.
                _ => Membership::parse(&lines(&[1, 2, 3, at + 1]).join("\n")).unwrap(),
            };
            cluster.own_members.insert(at, own);
        }
        cluster.start_all();
        cluster.run_until("all serve", SECONDS, |c| (0..5).all(|at| c.serves(at)));
        let leader = cluster.leader().unwrap();
        let client = cluster.connect(leader);
        cluster.run_until("a session", SECONDS, |c| {
            c.session(leader, client).is_some()
        });
        let reconfig = Reconfig {
            joining: Nullable(None),
            leaving: Nullable(None),
            members: Nullable(Some(lines(&[3, 4, 5]).join(",").into())),
            config_id: -1,
        };
        cluster.request(leader, client, OpCode::Reconfig, &reconfig.to_bytes());
        let is_new = |told: Option<String>| told.is_some_and(|told| !told.contains("server.1="));
        cluster.run_until("all have it", SECONDS, |c| {
            (0..5).all(|at| is_new(c.told_members(at)))
        });
        for at in 0..5 {
            cluster.kill(at);
            cluster.own_members.insert(at, old.clone());
        }
        cluster.start(0);
        cluster.start(1);
        cluster.run_for(SECONDS);
        assert_eq!(cluster.leader(), None, "seed {seed}");
        (2..5).for_each(|at| cluster.start(at));
        cluster.run_until("all serve again", SECONDS, |c| {
            (0..5).all(|at| c.serves(at) && is_new(c.told_members(at)))
        });
        assert!(cluster.leader() >= Some(2));
        cluster.check_agreement();
    }
}

/// Whoever passed it over would go on counting the servers of the configuration before.
#[test]
fn a_configuration_that_cannot_be_read_is_not_passed_over() {
    let (mut cluster, leader, _) = serving(1, false);
    let follower = (leader + 1) % 3;
    cluster.run_until("it has all", SECONDS, |c| {
        c.last_zxid(follower) == c.last_zxid(leader)
    });
    let zxid = cluster.last_zxid(follower).next();
    let txn = Txn::SetData(SetDataTxn {
        path: "/zookeeper/config".into(),
        data: Some(b"server.one=here".into()),
        version: -1,
        reconfig: true,
    });
    cluster.forge_proposal(leader, follower, zxid, &txn);
    cluster.run_until("it gives up", SECONDS, |c| !c.serves(follower));
    cluster.run_until("it serves again", SECONDS, |c| c.serves(follower));
    let notes = cluster.notes().join("\n");
    let why =
        format!("transaction {zxid} of the leader cannot be read: \"server.one\" must end in");
    assert!(notes.contains(&why), "{notes}");
    cluster.check_agreement();
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
