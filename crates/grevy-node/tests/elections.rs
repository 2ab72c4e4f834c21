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

/// As when a server that ran alone becomes one of three. Two that are empty might have lost what they
/// acknowledged, if nobody says that they never had anything (P30).
#[test]
fn one_with_data_and_new_ones_elect_and_keep_the_data() {
    for seed in 1..20 {
        let mut cluster = started(3, seed);
        let client = cluster.connect(0);
        cluster.run_until("a session", SECONDS, |c| c.session(0, client).is_some());
        cluster.create(0, client, "/data");
        cluster.run_for(Duration::from_secs(1));
        (0..3).for_each(|at| cluster.kill(at));
        [1, 2].into_iter().for_each(|at| cluster.wipe(at));
        // Whoever has the data comes first: the others must hear of it before they agree.
        cluster.start(0);
        cluster.start(1);
        cluster.run_for(Duration::from_secs(1));
        cluster.start(2);
        cluster.run_for(SECONDS);
        let notes = cluster.notes().join("\n");
        assert_eq!(cluster.leader(), None, "{seed}: {notes}");

        [1, 2].into_iter().for_each(|at| cluster.kill(at));
        cluster.new = [1, 2].into();
        [1, 2].into_iter().for_each(|at| cluster.start(at));
        cluster.run_until("all serve", SECONDS, |c| (0..3).all(|at| c.serves(at)));
        assert_eq!(cluster.leader(), Some(0), "{seed}");
        assert!((0..3).all(|at| cluster.exists(at, "/data")), "{seed}");
        cluster.check_agreement();
    }
}

/// A wrong port in a file must not cost the others their service.
#[test]
fn one_that_can_be_elected_and_not_be_joined_does_not_stop_the_others() {
    for seed in 1..30 {
        let mut cluster = Cluster::new(3, 0, seed);
        cluster.deaf = [2].into();
        cluster.start_all();
        let limit = cluster::TICK * 10;
        cluster.run_until("the others serve", limit, |c| c.serves(0) && c.serves(1));
        cluster.run_until("it follows them", SECONDS, |c| c.serves(2));
        cluster.check_agreement();
    }
}
