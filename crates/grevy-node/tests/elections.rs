//! How soon an ensemble has a leader again. Whatever the order in which servers learn things, none
//! waits for anything but messages and its disk.

mod cluster;

use cluster::Cluster;
use grevy_zab::Part;
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(30);
/// The first pauses of a server whom one leader after the other sends away; far less than votes
/// are waited for.
const PAUSES: Duration = Duration::from_millis(40);

fn started(voters: usize, seed: u64) -> Cluster {
    let mut cluster = Cluster::new(voters, 0, seed);
    cluster.start_all();
    cluster.run_until("all serve", SECONDS, |c| {
        (0..c.len()).all(|at| c.serves(at))
    });
    cluster
}

#[test]
fn after_a_crash_of_the_leader_nobody_waits() {
    for seed in 1..=150 {
        let voters = [3, 5, 7][seed as usize % 3];
        let mut cluster = started(voters, seed);
        for crash in 0..3 {
            cluster.run_for(Duration::from_secs(1));
            let leader = cluster.leader().unwrap();
            cluster.kill(leader);
            let what = format!("seed {seed}, crash {crash} of server {}", leader + 1);
            cluster.run_within(&what, PAUSES, |c| {
                c.leader().is_some() && (0..c.len()).all(|at| at == leader || c.serves(at))
            });

            cluster.start(leader);
            cluster.run_until("it is back", SECONDS, |c| c.serves(leader));
        }
        cluster.check_agreement();
    }
}

/// Whatever it had still to do, it votes for nobody and joins nobody: it could promise nothing, and
/// might lead without being able to write.
#[test]
fn who_cannot_write_takes_no_part_any_more() {
    for failing in 0..3 {
        let mut cluster = started(3, 7 + failing as u64);
        cluster.run_for(Duration::from_secs(1));
        cluster.fail_storage(failing);
        cluster.run_until("the others serve", SECONDS, |c| {
            (0..3).all(|at| at == failing || c.serves(at))
        });
        // Without one more there is no quorum.
        let other = (failing + 1) % 3;
        cluster.kill(other);
        cluster.run_for(SECONDS);
        assert_eq!(cluster.leader(), None, "with the help of {failing}");
        for at in [failing, (failing + 2) % 3] {
            let is_looking = matches!(cluster.part(at), Some(Part::Looking { .. }));
            assert!(is_looking, "{at} when {failing} failed");
        }
        cluster.start(other);
        cluster.run_until("the others serve", SECONDS, |c| {
            (0..3).all(|at| at == failing || c.serves(at))
        });
    }
}
