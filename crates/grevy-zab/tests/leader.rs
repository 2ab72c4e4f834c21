//! What a leader sends learners, so that those with ZooKeeper's known bugs come to no harm, and
//! what it makes of what they send.

mod support;

use grevy_zab::{Entry, Membership};
use std::sync::Arc;
use support::{MEMBERS, SECOND, Server, entries};

/// Server 2, established in epoch 2 by server 1, with this history.
fn established(history: &[&str]) -> Server {
    let mut server = Server::leader(history);
    let last = history.last().unwrap();
    server.tell(&format!("1 ACKEPOCH 1 {last}"));
    server.tell("epochs durable");
    server.check(&[("1 ACK 2.0", &["leads", "1 UPTODATE"])]);
    server
}

/// Nothing is said of a new epoch before the promise is in its file (ZOOKEEPER-2307), and nothing
/// of what belongs to it before the epoch is.
#[test]
fn promises_are_durable_before_learners_hear_of_them() {
    let mut server = Server::new(2, &["1.1"]);
    server.lead();
    server.check(&[
        ("1 FOLLOWERINFO 4", &["save epochs 5 1"]),
        ("epochs durable", &["1 LEADERINFO 5"]),
        ("1 ACKEPOCH 1 1.1", &["save epochs 5 5"]),
        ("epochs durable", &["1 DIFF 1.1", "1 NEWLEADER 5"]),
    ]);
}

/// Observers raise the epoch, and are not counted (ZOOKEEPER-2959). What becomes of voters that
/// lost their data is no vote either.
#[test]
fn whoever_has_no_vote_is_not_counted() {
    let mut server = Server::new(2, &["1.1"]);
    server.lead();
    server.check(&[
        ("4 OBSERVERINFO 7", &[]),
        ("1 FOLLOWERINFO 1", &["save epochs 8 1"]),
        ("epochs durable", &["1 LEADERINFO 8", "4 LEADERINFO 8"]),
        ("4 ACKEPOCH 1 1.1", &[]),
        ("1 ACKEPOCH 1 1.1", &["save epochs 8 8"]),
        (
            "epochs durable",
            &["1 DIFF 1.1", "1 NEWLEADER 8", "4 DIFF 1.1", "4 NEWLEADER 8"],
        ),
        ("4 ACK 8.0", &[]),
        ("1 ACK 8.0", &["leads", "1 UPTODATE", "4 UPTODATE"]),
        ("propose 8.1", &["1 PROPOSAL 8.1", "log 8.1"]),
        ("4 ACK 8.1", &[]),
        ("log durable 8.1", &[]),
        ("1 ACK 8.1", &["1 COMMIT 8.1", "4 INFORM 8.1"]),
    ]);
}

/// What is committed stands in pairs before NEWLEADER, what is not stands behind it
/// (ZOOKEEPER-3104, -4394), and from then on the learner gets everything, whether it has
/// acknowledged NEWLEADER or not.
#[test]
fn newleader_stands_between_what_is_committed_and_what_is_not() {
    let mut server = established(&["1.1", "1.2"]);
    server.check(&[
        ("propose 2.1", &["1 PROPOSAL 2.1", "log 2.1"]),
        ("propose 2.2", &["1 PROPOSAL 2.2", "log 2.2"]),
        ("log durable 2.2", &[]),
        ("1 ACK 2.1", &["1 COMMIT 2.1"]),
        ("3 FOLLOWERINFO 1", &["3 LEADERINFO 2"]),
        (
            "3 ACKEPOCH 1 1.1",
            &[
                "3 DIFF 2.1",
                "3 PROPOSAL 1.2",
                "3 COMMIT 1.2",
                "3 PROPOSAL 2.1",
                "3 COMMIT 2.1",
                "3 NEWLEADER 2",
                "3 PROPOSAL 2.2",
            ],
        ),
        (
            "propose 2.3",
            &["1 PROPOSAL 2.3", "3 PROPOSAL 2.3", "log 2.3"],
        ),
        ("1 ACK 2.2", &["1 COMMIT 2.2", "3 COMMIT 2.2"]),
        ("3 ACK 2.0", &["3 UPTODATE"]),
    ]);
}

/// The same behind a snapshot, which is of exactly the zxid that it is said to be of.
#[test]
fn a_snapshot_is_followed_by_what_it_lacks() {
    let mut server = established(&["1.8", "1.9"]);
    server.check(&[
        ("3 FOLLOWERINFO 0", &["3 LEADERINFO 2"]),
        ("3 ACKEPOCH 0 0.0", &["take a snapshot"]),
        ("snapshot started 1.9", &[]),
        ("propose 2.1", &["1 PROPOSAL 2.1", "log 2.1"]),
        ("log durable 2.1", &[]),
        ("1 ACK 2.1", &["1 COMMIT 2.1"]),
        ("propose 2.2", &["1 PROPOSAL 2.2", "log 2.2"]),
        (
            "snapshot ready",
            &[
                "3 SNAP 1.9",
                "3 snapshot 1.9",
                "3 PROPOSAL 2.1",
                "3 COMMIT 2.1",
                "3 NEWLEADER 2",
                "3 PROPOSAL 2.2",
            ],
        ),
    ]);
}

/// Java followers acknowledge transactions before NEWLEADER (ZOOKEEPER-4685), and what is
/// committed, or not proposed yet.
#[test]
fn newleader_is_acknowledged_by_its_own_zxid() {
    let mut server = Server::leader(&["1.1", "1.2"]);
    server.check(&[
        ("1 ACKEPOCH 1 1.1", &["save epochs 2 2"]),
        (
            "epochs durable",
            &[
                "1 DIFF 1.2",
                "1 PROPOSAL 1.2",
                "1 COMMIT 1.2",
                "1 NEWLEADER 2",
            ],
        ),
        ("1 ACK 1.2", &[]),
        ("1 ACK 1.0", &[]),
        ("1 ACK 2.0", &["leads", "1 UPTODATE"]),
        ("1 ACK 1.2", &[]),
        ("1 ACK 2.0", &[]),
        ("1 ACK 2.7", &[]),
        ("propose 2.1", &["1 PROPOSAL 2.1", "log 2.1"]),
        ("log durable 2.1", &[]),
        ("1 ACK 2.1", &["1 COMMIT 2.1"]),
    ]);
}

/// The log's files are believed as far as they join what is in memory, without a hole
/// (ZOOKEEPER-2418, -2846); otherwise the learner is sent a snapshot.
#[test]
fn what_the_files_lack_is_sent_as_a_snapshot() {
    let base = ["1.5", "1.6"];
    for (what, read, expected) in [
        (
            "all of it",
            "1.3 1.4",
            vec!["3 DIFF 1.6", "3 PROPOSAL 1.3", "3 COMMIT 1.3"],
        ),
        ("a hole at the beginning", "1.4", vec!["take a snapshot"]),
        ("a hole at the end", "1.3", vec!["take a snapshot"]),
        ("a hole within", "1.3 1.5", vec!["take a snapshot"]),
    ] {
        let mut server = established(&base);
        server.check(&[
            ("3 FOLLOWERINFO 1", &["3 LEADERINFO 2"]),
            ("3 ACKEPOCH 1 1.2", &["read the log for 3 from 1.2 to 1.4"]),
        ]);
        let sent = server.tell(&format!("log read 3 {read}"));
        assert_eq!(sent[..expected.len()], expected[..], "{what}");
    }
}

/// What a server took over as a learner it can send as a leader, without a hole
/// (ZOOKEEPER-4925).
#[test]
fn what_was_taken_over_is_passed_on() {
    let mut server = Server::learner(2, &["1.1"]);
    for step in [
        "DIFF 1.3",
        "PROPOSAL 1.2",
        "COMMIT 1.2",
        "PROPOSAL 1.3",
        "NEWLEADER 2",
        "log durable 1.3",
        "epochs durable",
        "COMMIT 1.3",
        "UPTODATE",
        "connection lost",
    ] {
        server.tell(step);
    }
    server.now = server.now + SECOND;
    server.lead();
    for step in ["1 FOLLOWERINFO 2", "epochs durable", "1 ACKEPOCH 1 1.1"] {
        server.tell(step);
    }
    server.check(&[(
        "epochs durable",
        &[
            "1 DIFF 1.3",
            "1 PROPOSAL 1.2",
            "1 COMMIT 1.2",
            "1 PROPOSAL 1.3",
            "1 COMMIT 1.3",
            "1 NEWLEADER 3",
        ],
    )]);
}

/// A Java learner that takes something back may keep it in a snapshot that it wrote when it was
/// elected (ZOOKEEPER-1549), or lose what comes behind (ZOOKEEPER-5094). Once a leader is
/// established, it has a state to send that lacks nothing.
#[test]
fn whoever_has_what_the_leader_lacks_is_sent_a_snapshot() {
    for (what, last, expected) in [
        ("beyond the end", "2.9", vec!["take a snapshot"]),
        ("beyond an epoch's end", "1.4", vec!["take a snapshot"]),
        ("beyond another's", "0.9", vec!["take a snapshot"]),
        (
            "outstanding here, too",
            "2.2",
            vec!["3 TRUNC 2.1", "3 NEWLEADER 2", "3 PROPOSAL 2.2"],
        ),
    ] {
        let mut server = established(&["0.5", "1.1", "1.2", "1.3"]);
        for step in [
            "propose 2.1",
            "log durable 2.1",
            "1 ACK 2.1",
            "propose 2.2",
            "3 FOLLOWERINFO 1",
        ] {
            server.tell(step);
        }
        assert_eq!(
            server.tell(&format!("3 ACKEPOCH 1 {last}")),
            expected,
            "{what}"
        );
    }
    // Before that it has none, and the learner may be needed.
    let mut server = Server::leader(&["1.1", "1.2"]);
    server.check(&[
        ("1 ACKEPOCH 0 1.9", &["save epochs 2 2"]),
        ("epochs durable", &["1 TRUNC 1.2", "1 NEWLEADER 2"]),
    ]);
}

/// A leader that only those who have gone have acknowledged would fall at once; and the disks of
/// those may be gone, too.
#[test]
fn who_has_gone_before_a_leader_is_established_does_not_help_to_establish_it() {
    let members = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2";
    let mut server = Server::with(2, &["1.1"], members, |_| {});
    server.lead_by(&[1, 3]);
    for step in [
        "1 FOLLOWERINFO 1",
        "3 FOLLOWERINFO 1",
        "epochs durable",
        "1 ACKEPOCH 1 1.1",
        // What is promised stays promised.
        "1 lost",
        "3 ACKEPOCH 1 1.1",
        "epochs durable",
        "1 FOLLOWERINFO 2",
        "1 ACKEPOCH 1 1.1",
    ] {
        server.tell(step);
    }
    server.check(&[
        ("1 ACK 2.0", &[]),
        ("1 lost", &[]),
        ("3 ACK 2.0", &[]),
        ("1 FOLLOWERINFO 2", &["1 LEADERINFO 2"]),
        ("1 ACKEPOCH 1 1.1", &["1 DIFF 1.1", "1 NEWLEADER 2"]),
        ("1 ACK 2.0", &["leads", "1 UPTODATE", "3 UPTODATE"]),
    ]);
}

/// From a reconfiguration on, the leader needs quorums of both configurations: to commit, and to
/// go on leading (ZOOKEEPER-1699).
#[test]
fn during_a_reconfiguration_both_quorums_are_needed() {
    let members = format!("{MEMBERS}\nversion=1");
    let mut server = Server::with(2, &["1.1"], &members, |config| config.reconfig = true);
    server.lead();
    for step in [
        "1 FOLLOWERINFO 1",
        "epochs durable",
        "1 ACKEPOCH 1 1.1",
        "epochs durable",
        "1 ACK 2.0",
    ] {
        server.tell(step);
    }
    let next = "server.2=b:1:2\nserver.5=e:1:2\nserver.6=f:1:2\nversion=200000001";
    let Entry { zxid, bytes } = entries(&["2.1"]).remove(0);
    let next = Arc::new(Membership::parse(next).unwrap());
    let proposed = server.peer.propose(server.now, zxid, bytes, Some(next));
    proposed.unwrap();
    server.outputs();
    server.check(&[("log durable 2.1", &[]), ("1 ACK 2.1", &[])]);
    // Server 1 goes on answering, and is a quorum of the old one.
    let mut told = Vec::new();
    for _ in 0..4 {
        server.now = server.now + SECOND / 2;
        server.tell("1 ACK 2.1");
        server.peer.handle_timeout(server.now);
        told.extend(server.outputs());
    }
    assert!(told.contains(&"looks".to_owned()), "{told:?}");
}

/// A configuration that never had a version gets one with the first leader that may change it, so
/// that a joiner's own idea of the ensemble does not win over it (ZOOKEEPER-1783).
#[test]
fn the_first_leader_gives_the_configuration_a_version() {
    for (reconfig, expected) in [(true, Some(2 << 32)), (false, None)] {
        let mut server = Server::with(2, &["1.1"], MEMBERS, |config| config.reconfig = reconfig);
        server.lead();
        for step in [
            "1 FOLLOWERINFO 1",
            "epochs durable",
            "1 ACKEPOCH 1 1.1",
            "epochs durable",
            "1 ACK 2.0",
        ] {
            server.tell(step);
        }
        let configured = server.configured.as_ref().map(|members| members.version);
        assert_eq!(configured, expected);
    }
}

/// The counter does not run over into the epoch (ZOOKEEPER-1277).
#[test]
fn an_epoch_ends_when_its_numbers_are_used_up() {
    for (last, expected) in [("1.4294967293", false), ("1.4294967294", true)] {
        let mut server = Server::new(2, &[last]);
        server.lead();
        assert_eq!(server.peer.is_exhausted(), expected, "{last}");
    }
}
