//! What a learner does with what leaders send, those with ZooKeeper's known bugs among them.

mod support;

use grevy_zab::Time;
use support::{MEMBERS, Server, says, zxid};

/// The history, then the epoch, then the acknowledgement: each durable before the next
/// (ZOOKEEPER-3911, -4643, -4646, -4785). And that one first of all (ZOOKEEPER-4685).
#[test]
fn newleader_is_acknowledged_when_history_and_epoch_are_durable() {
    let mut server = Server::learner(1, &["1.1"]);
    server.check(&[
        ("DIFF 1.3", &[]),
        ("PROPOSAL 1.2", &["log 1.2"]),
        ("COMMIT 1.2", &[]),
        ("PROPOSAL 1.3", &["log 1.3"]),
        ("COMMIT 1.3", &[]),
        ("NEWLEADER 2", &[]),
        ("PROPOSAL 2.1", &["log 2.1"]),
        ("log durable 1.2", &[]),
        ("log durable 1.3", &["save epochs 2 2"]),
        ("log durable 2.1", &[]),
        ("epochs durable", &["ACK 2.0"]),
        ("UPTODATE", &["ACK 2.0", "ACK 2.1", "follows"]),
    ]);
}

/// Nothing is said of a promise before it is in its file (ZOOKEEPER-2307).
#[test]
fn an_epoch_is_accepted_when_the_promise_is_durable() {
    let mut server = Server::new(1, &["1.1"]);
    server.connect("1.1");
    server.check(&[
        ("LEADERINFO 2", &["save epochs 2 1"]),
        ("epochs durable", &["ACKEPOCH 1 1.1"]),
    ]);
}

/// A snapshot is durable before it counts (ZOOKEEPER-2872).
#[test]
fn a_snapshot_is_installed_before_the_epoch_is_entered() {
    let mut server = Server::learner(1, &["1.1"]);
    server.check(&[
        ("SNAP 1.8", &[]),
        ("PROPOSAL 1.9", &[]),
        ("COMMIT 1.9", &[]),
        ("NEWLEADER 2", &[]),
        ("snapshot received 1.8", &["install 1.8", "log 1.9"]),
        ("snapshot installed", &[]),
        ("log durable 1.9", &["save epochs 2 2"]),
        ("epochs durable", &["ACK 2.0"]),
    ]);
}

/// Java leaders send what is not committed yet before NEWLEADER, and its COMMIT behind it
/// (ZOOKEEPER-4394).
#[test]
fn a_commit_may_come_behind_newleader() {
    for (what, early, late) in [
        ("before UPTODATE", true, false),
        ("after UPTODATE", false, true),
    ] {
        let mut server = Server::learner(1, &["1.1"]);
        server.tell("DIFF 1.1");
        server.tell("PROPOSAL 1.2");
        server.tell("NEWLEADER 2");
        server.tell("log durable 1.2");
        assert_eq!(server.tell("epochs durable"), ["ACK 2.0"]);
        if early {
            server.tell("COMMIT 1.2");
        }
        assert_eq!(server.peer.committed(), zxid("1.1"), "{what}");
        assert_eq!(server.tell("UPTODATE"), ["ACK 2.0", "ACK 1.2", "follows"]);
        if late {
            server.tell("COMMIT 1.2");
        }
        assert_eq!(server.peer.committed(), zxid("1.2"), "{what}");
    }
}

/// What was synchronised is committed, and can be applied, when the server begins to serve
/// (ZOOKEEPER-3023); and not before, so that memory is not ahead of the disk of a server that is
/// stopped in between (ZOOKEEPER-3642, -5094).
#[test]
fn the_history_is_committed_when_the_leader_is_established() {
    let mut server = Server::learner(1, &["1.1"]);
    for step in [
        "DIFF 1.3",
        "PROPOSAL 1.2",
        "COMMIT 1.2",
        "PROPOSAL 1.3",
        "COMMIT 1.3",
        "NEWLEADER 2",
        "log durable 1.3",
        "epochs durable",
    ] {
        server.tell(step);
        assert_eq!(server.peer.committed(), zxid("1.1"), "{step}");
    }
    assert_eq!(server.tell("UPTODATE"), ["ACK 2.0", "follows"]);
    assert_eq!(server.peer.committed(), zxid("1.3"));
}

/// Whatever a leader has sent when its connection ends, a server votes with what is on its disk:
/// with all of it, and with no more (ZOOKEEPER-2845, -2355, -3642, -4712, -4882, -5094).
#[test]
fn a_server_votes_with_what_is_on_its_disk() {
    for (what, sent, done, vote) in [
        ("the zxid of DIFF", &["DIFF 1.9"][..], &[][..], "1.3 in 1"),
        (
            "a transaction that is not on the disk yet",
            &["DIFF 1.9", "PROPOSAL 1.4"],
            &["log durable 1.4"],
            "1.4 in 1",
        ),
        (
            "a snapshot without NEWLEADER",
            &["SNAP 1.9", "snapshot received 1.9", "PROPOSAL 1.10"],
            &[],
            "1.3 in 1",
        ),
        (
            "a snapshot that is being installed",
            &["SNAP 1.9", "NEWLEADER 2", "snapshot received 1.9"],
            &["snapshot installed"],
            "1.9 in 1",
        ),
        (
            "a truncation, and transactions behind it",
            &["TRUNC 1.1", "PROPOSAL 2.1", "COMMIT 2.1"],
            // An append of before is reported late.
            &["log durable 1.3", "truncated", "log durable 2.1"],
            "2.1 in 1",
        ),
        (
            "a truncation",
            &["TRUNC 1.1"],
            &["log durable 1.3", "truncated"],
            "1.1 in 1",
        ),
        (
            "an epoch that is being entered",
            &["DIFF 1.3", "NEWLEADER 2"],
            &["epochs durable"],
            "1.3 in 2",
        ),
    ] {
        let mut server = Server::new(1, &["1.1", "1.2", "1.3"]);
        // It was not committed here, or could not be taken back.
        server.join("1.3");
        for step in sent {
            server.tell(step);
        }
        server.peer.link_lost(server.now, grevy_zab::LinkId(100));
        for step in done {
            assert_eq!(server.vote(), None, "{what}: {step}");
            say(&mut server, step);
        }
        assert_eq!(server.vote().as_deref(), Some(vote), "{what}");
    }
}

/// As [`Server::tell`], with the votes left in.
fn say(server: &mut Server, step: &str) {
    let now = Time(server.now.0);
    match step.split(' ').collect::<Vec<_>>()[..] {
        ["log", "durable", to] => server.peer.log_synced(now, zxid(to)),
        ["truncated"] => server.peer.truncated(now),
        ["snapshot", "installed"] => server.peer.snapshot_installed(now),
        ["epochs", "durable"] => server.peer.epochs_saved(now, server.ordered()),
        _ => panic!("what does {step} mean?"),
    }
}

/// A hole is refused, in whatever phase (ZOOKEEPER-4925, -2418, -2846); a repetition, which some
/// leaders send, takes no effect and shifts nothing.
#[test]
fn transactions_follow_each_other() {
    for (what, steps) in [
        ("a hole", &["DIFF 1.9", "PROPOSAL 1.3"][..]),
        ("a hole behind a snapshot", &["SNAP 1.8", "PROPOSAL 1.10"]),
        (
            "a hole where an epoch begins",
            &["DIFF 1.9", "PROPOSAL 2.2"],
        ),
        (
            "an epoch of before",
            &["SNAP 2.1", "INFORM 1.2", "INFORM 2.3"],
        ),
        (
            "a hole in commits",
            &[
                "DIFF 1.1",
                "NEWLEADER 2",
                "epochs durable",
                "UPTODATE",
                "COMMIT 2.2",
            ],
        ),
    ] {
        let mut server = Server::learner(1, &["1.1"]);
        let (last, before) = steps.split_last().unwrap();
        for step in before {
            assert!(
                !server.tell(step).contains(&"leave".to_owned()),
                "{what}: {step}"
            );
        }
        assert!(server.tell(last).contains(&"leave".to_owned()), "{what}");
    }

    let mut server = Server::learner(1, &["1.1"]);
    server.check(&[
        ("DIFF 1.2", &[]),
        ("PROPOSAL 1.1", &[]),
        ("PROPOSAL 1.2", &["log 1.2"]),
        ("PROPOSAL 1.2", &[]),
        ("NEWLEADER 2", &[]),
        ("log durable 1.2", &["save epochs 2 2"]),
        ("epochs durable", &["ACK 2.0"]),
        ("UPTODATE", &["ACK 2.0", "ACK 1.2", "follows"]),
        ("COMMIT 1.2", &[]),
        ("PROPOSAL 2.1", &["log 2.1"]),
        ("PROPOSAL 2.1", &[]),
        ("PROPOSAL 2.2", &["log 2.2"]),
        ("log durable 2.2", &["ACK 2.1", "ACK 2.2"]),
        ("COMMIT 2.1", &[]),
        ("COMMIT 2.1", &[]),
        ("COMMIT 2.2", &[]),
    ]);
    assert_eq!(server.peer.committed(), zxid("2.2"));
}

/// A reconfiguration is a transaction like any other in the observer's count.
#[test]
fn what_activates_a_configuration_moves_the_history_on() {
    let mut server = Server::new(4, &["1.1"]);
    server.join("1.1");
    server.check(&[
        ("DIFF 1.1", &[]),
        ("INFORMANDACTIVATE 1.2", &["log 1.2"]),
        ("INFORM 1.3", &["log 1.3"]),
        ("NEWLEADER 2", &[]),
        ("log durable 1.3", &["save epochs 2 2"]),
        ("epochs durable", &["ACK 2.0"]),
        ("UPTODATE", &["ACK 2.0", "observes"]),
    ]);
    assert_eq!(server.peer.committed(), zxid("1.3"));
}

/// UPTODATE stands for all that the leader has committed by then, not for what NEWLEADER stood
/// for.
#[test]
fn what_is_committed_before_uptodate_is_seen_with_it() {
    let mut server = Server::learner(1, &["1.1"]);
    for step in [
        "DIFF 1.1",
        "NEWLEADER 2",
        "epochs durable",
        "PROPOSAL 2.1",
        "COMMIT 2.1",
        "UPTODATE",
    ] {
        server.tell(step);
    }
    assert_eq!(server.peer.committed(), zxid("2.1"));
}

/// A leader may ask for what a server cannot or must not do: to take back what is committed, or
/// to end at a transaction that is not there (ZOOKEEPER-3526, -4352). Nothing is touched, and the
/// next time a snapshot is asked for.
#[test]
fn an_impossible_truncation_leads_to_a_snapshot() {
    for (what, to) in [
        ("beyond the end", "1.9"),
        ("between two epochs", "0.9"),
        ("before an epoch that is not there", "2.0"),
    ] {
        let mut server = Server::new(1, &["0.5", "0.6", "1.1", "1.2"]);
        server.join("1.9");
        let answer = server.tell(&format!("TRUNC {to}"));
        assert_eq!(answer, ["leave", "looks"], "{what}");
        server.connect("1.9");
        server.check(&[("LEADERINFO 2", &["ACKEPOCH -1 0.0"]), ("SNAP 1.1", &[])]);
    }

    let mut server = Server::learner(1, &["1.1"]);
    for step in [
        "DIFF 1.2",
        "PROPOSAL 1.2",
        "NEWLEADER 2",
        "log durable 1.2",
        "epochs durable",
        "COMMIT 1.2",
        "UPTODATE",
        "connection lost",
    ] {
        server.tell(step);
    }
    server.connect("1.2");
    server.tell("LEADERINFO 2");
    assert_eq!(server.tell("TRUNC 1.1"), ["leave", "looks"]);
}

/// The log's files may not lead to where the leader wants the history to end. Then a snapshot is
/// asked for.
#[test]
fn a_truncation_that_fails_leads_to_a_snapshot() {
    let mut server = Server::new(1, &["1.1", "1.2"]);
    server.join("1.9");
    server.check(&[("TRUNC 0.8", &["truncate to 0.8"]), ("NEWLEADER 2", &[])]);
    let now = server.now;
    let last = zxid("1.2");
    server.peer.truncation_refused(now, last, "there is no way");
    assert_eq!(server.outputs(), ["leave", "looks"]);
    server.connect("1.9");
    server.check(&[
        ("LEADERINFO 2", &["ACKEPOCH -1 0.0"]),
        ("SNAP 1.9", &[]),
        ("snapshot received 1.9", &[]),
        ("NEWLEADER 2", &["install 1.9"]),
        ("snapshot installed", &["save epochs 2 2"]),
        ("epochs durable", &["ACK 2.0"]),
        ("UPTODATE", &["ACK 2.0", "follows"]),
    ]);
    assert_eq!(server.peer.last(), zxid("1.9"));
}

/// Where an epoch has no transaction, a leader may name its first number.
#[test]
fn an_epoch_can_be_taken_back_whole() {
    let mut server = Server::learner(1, &["0.5", "1.1", "1.2"]);
    server.check(&[
        ("TRUNC 1.0", &["truncate to 0.5"]),
        ("PROPOSAL 1.1", &["log 1.1"]),
        ("NEWLEADER 2", &[]),
        ("truncated", &[]),
        ("log durable 1.1", &["save epochs 2 2"]),
    ]);
}

/// Where configurations cannot be changed, those of others are left aside (ZOOKEEPER-2819,
/// -3829); where they can, a newer one takes effect, and an older one never (ZOOKEEPER-2212).
#[test]
fn configurations_of_leaders() {
    for (reconfig, own, sent, expected) in [
        (false, 0, "100000000", None),
        (true, 0, "100000000", Some(1 << 32)),
        (true, 3, "5", Some(5)),
        (true, 9, "5", None),
    ] {
        let members = format!("{MEMBERS}\nversion={own:x}");
        let mut server = Server::with(1, &["1.1"], &members, |config| {
            config.reconfig = reconfig;
        });
        server.join("1.1");
        for step in [
            "DIFF 1.1",
            &format!("NEWLEADER 2 {sent}"),
            "epochs durable",
            "UPTODATE",
        ] {
            server.tell(step);
        }
        let configured = server.configured.as_ref().map(|members| members.version);
        assert_eq!(configured, expected, "{own} and {sent}");
    }
}

/// Who serves tells joiners the epoch that it serves in (ZOOKEEPER-1732).
#[test]
fn joiners_are_told_the_epoch_of_the_present_leader() {
    let mut server = Server::learner(1, &["1.1"]);
    for step in ["DIFF 1.1", "NEWLEADER 2", "epochs durable", "UPTODATE"] {
        server.tell(step);
    }
    let joiner = grevy_proto::ServerId(2);
    let looks = says(grevy_proto::election::PeerState::Looking, 2, "1.1");
    server.peer.handle_notification(server.now, joiner, &looks);
    let told = std::iter::from_fn(|| server.peer.poll()).find_map(|output| match output {
        grevy_zab::Output::Notify { message, .. } => Some((message.leader.0, message.epoch)),
        _ => None,
    });
    assert_eq!(told, Some((3, 2)));
}
