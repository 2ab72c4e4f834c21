use super::*;
use alloc::string::ToString;
use grevy_proto::Zxid;

const THREE: &str = "server.1=a:2888:3888:participant;0.0.0.0:2181\n\
                     server.2=b:2888:3888:participant;0.0.0.0:2181\n\
                     server.3=c:2888:3888:observer\n\
                     version=100000005";

const GROUPS: &str = "server.1=a:1:2:participant\nserver.2=b:1:2:participant\n\
                      server.3=c:1:2:participant\ngroup.1=1:2\ngroup.2=3\n\
                      weight.1=1\nweight.2=3\nweight.3=1\nversion=0";

fn parse(text: &str) -> Membership {
    Membership::parse(text).unwrap()
}

#[test]
fn the_text_that_java_writes_is_written_the_same() {
    for text in [
        THREE,
        GROUPS,
        "server.1=a:1:2|b:1:2:participant;a:3;b:4\nversion=0",
        "server.1=[::1]:1:2:participant;;[::1]:4\nversion=7fffffffffffffff",
    ] {
        assert_eq!(parse(text).to_string(), text);
    }
    let three = parse(THREE);
    assert_eq!(three.version, 0x1_0000_0005);
    let observer = &three.members[&ServerId(3)];
    assert_eq!((observer.role, &observer.client), (Role::Observer, &None));
    assert_eq!(three.quorum, Quorum::majority([1, 2].map(ServerId)));
}

#[test]
fn what_people_write_is_read() {
    for (text, expected) in [
        ("server.1=a:1:2", "server.1=a:1:2:participant\nversion=0"),
        (
            "# mine\r\n\r\n server.01 : a:1:2:PARTICIPANT;2181 \r\nversion=A",
            "server.1=a:1:2:participant;0.0.0.0:2181\nversion=a",
        ),
        (
            "server.1=c:1:2|[::]:1:2:participant|b:3:4|b:3:4;",
            "server.1=[::]:1:2|b:3:4|c:1:2:participant\nversion=0",
        ),
        (
            "server.1=x:1:2\nserver.1=a:1:2:",
            "server.1=a:1:2:participant\nversion=0",
        ),
        (
            "server.1=a:1:2\nserver.2=b:1:2:observer\ngroup.1=1\nweight.7=2",
            "server.1=a:1:2:participant\nserver.2=b:1:2:observer\ngroup.1=1\nweight.1=1\n\
             weight.7=2\nversion=0",
        ),
    ] {
        assert_eq!(parse(text).to_string(), expected);
        assert_eq!(parse(expected), parse(text));
    }
}

#[test]
fn what_is_no_membership() {
    use MembershipError::{InManyGroups, InNoGroup, Key, NoParticipants, Twice, UnknownKey, Value};
    let check = |text: &str, expected| assert_eq!(Membership::parse(text), Err(expected), "{text}");
    let value = |key: &str, value: &str| {
        check(
            &alloc::format!("{key}={value}"),
            Value {
                key: key.into(),
                value: value.into(),
            },
        );
    };
    for text in [
        "",
        "a",
        "a:1",
        "a:1:1",
        "a:1:x",
        "a:1:65536",
        "a:-1:2",
        ":1:2",
        "::1:1:2",
        "[::1:1:2",
        "a:1:2:leader",
        "a:1:2:participant:3",
        "a:1:2:observer|b:1:2:participant",
        "a:1:2|b",
        "a:1:2;x",
        "a:1:2;b:",
        "a:1:2;b:1:2",
        "a:1:2;1;2;3",
        "a b:1:2",
        "\\u0041:1:2",
    ] {
        value("server.1", text);
    }
    for text in ["", "x", "1::2", "-1"] {
        value("group.1", text);
    }
    for text in ["", "-1", "x", "4294967296"] {
        value("weight.1", text);
    }
    for text in ["", "x", "-1", "8000000000000000"] {
        value("version", text);
    }
    check("", NoParticipants);
    check("version=5", NoParticipants);
    check("server.1=a:1:2:observer", NoParticipants);
    check("server.x=a:1:2", Key("server.x".into()));
    check("server.-1=a:1:2", Key("server.-1".into()));
    check("server.1=a:1:2\ngroup=1", Key("group".into()));
    check("clientPort=2181", UnknownKey("clientPort".into()));
    check("server.1=a:1:2\nserver.01=b:1:2", Twice("server.1".into()));
    check("group.1=1\ngroup.01=2", Twice("group.1".into()));
    check("weight.1=1\nweight.01=2", Twice("weight.1".into()));
    check("group.1=1:2\ngroup.2=2", InManyGroups(ServerId(2)));
    check(
        "server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1",
        InNoGroup(ServerId(2)),
    );
}

#[test]
fn the_same() {
    let three = parse(THREE);
    for (text, expected) in [
        (THREE, true),
        ("server.9=z:1:2\nversion=100000005", true),
        (&THREE.replace("100000005", "0"), true),
        ("server.9=z:1:2\nversion=0", false),
        (
            &THREE.replace("observer\nversion=100000005", "participant"),
            false,
        ),
        (
            &THREE.replace("b:2888", "b:2889").replace("100000005", "0"),
            false,
        ),
    ] {
        assert_eq!(three.same_as(&parse(text)), expected, "{text}");
    }
    let other = GROUPS.replace("weight.2=3", "weight.2=2") + "1";
    assert!(!parse(GROUPS).same_as(&parse(&other)));
}

#[test]
fn who_leads_on() {
    let before = parse("server.1=a:1:2\nserver.2=b:1:2;3\nserver.3=c:1:2:observer");
    for (after, expected) in [
        ("server.1=a:1:2\nserver.2=b:1:2;4", true),
        ("server.1=a:1:2\nserver.2=b:1:9;3", true),
        ("server.1=a:1:2\nserver.2=b:9:2;3", false),
        ("server.1=a:1:2\nserver.2=b:1:2|c:1:2;3", false),
        ("server.1=a:1:2\nserver.2=B.:1:2;3", false),
        ("server.1=a:1:2\nserver.2=b:1:2:observer;3", false),
        ("server.1=a:1:2", false),
    ] {
        assert_eq!(
            parse(after).keeps(&before, ServerId(2)),
            expected,
            "{after}"
        );
    }
}

#[test]
fn reconfiguration() {
    let three = parse(THREE);
    let check =
        |joining: Option<&str>, leaving: Option<&str>, all: Option<&str>, expected: &str| {
            let next = three.reconfigure(joining, leaving, all, 2).unwrap();
            assert_eq!(next, parse(expected).with_version(three.version));
        };
    check(None, None, None, THREE);
    check(
        None,
        Some("3,77"),
        None,
        THREE.split("server.3").next().unwrap(),
    );
    check(
        Some("server.3=c:2888:3888;2181"),
        None,
        None,
        &THREE.replace("observer", "participant;2181"),
    );
    check(
        Some(" server.4=d:1:2:observer;3 ,5=e:1:2;;4"),
        Some(" 1 , "),
        None,
        "server.2=b:2888:3888;2181\nserver.3=c:2888:3888:observer\n\
         server.4=d:1:2:observer;3\nserver.5=e:1:2;;4",
    );
    check(
        Some("ignored"),
        None,
        Some("server.1=a:1:2,server.7=g:1:2"),
        "server.1=a:1:2\nserver.7=g:1:2",
    );
    // A server may take an address from one that leaves; every machine has a loopback.
    check(
        Some("server.4=a:2888:3888;a:2181,server.5=localhost:1:2;3,server.6=127.0.0.1:1:2;3"),
        Some("1"),
        None,
        "server.2=b:2888:3888;2181\nserver.3=c:2888:3888:observer\n\
         server.4=a:2888:3888;a:2181\nserver.5=localhost:1:2;3\nserver.6=127.0.0.1:1:2;3",
    );
}

#[test]
fn reconfigurations_that_cannot_be() {
    let three = parse(THREE);
    let fails = |joining: Option<&str>, leaving: Option<&str>, all: Option<&str>| {
        let error = three.reconfigure(joining, leaving, all, 2).unwrap_err();
        assert_eq!(error.code(), grevy_proto::ErrorCode::BadArguments);
        error
    };
    for text in [
        "x",
        "server.4",
        "server.4=d:1:2",
        "server.4=d:1;3",
        "server.x=d:1:2;3",
        "server.4=d:1:2;3=4",
    ] {
        assert_eq!(
            fails(Some(text), None, None),
            ReconfigError::Joining(text.into())
        );
    }
    assert_eq!(
        fails(None, Some("1,x"), None),
        ReconfigError::Leaving("x".into())
    );
    assert_eq!(
        fails(None, None, Some("clientPort=1")),
        ReconfigError::Members(MembershipError::UnknownKey("clientPort".into()))
    );
    assert_eq!(
        fails(Some("server.4=d:1:3888;b:3888"), None, None),
        ReconfigError::AddressInUse {
            server: ServerId(4),
            address: "b:3888".parse().unwrap(),
            by: ServerId(2),
        }
    );
    let one_left = ReconfigError::TooFewParticipants { left: 1, least: 2 };
    assert_eq!(fails(None, Some("1"), None), one_left);
    assert_eq!(fails(None, None, Some("server.1=a:1:2")), one_left);
    assert!(three.reconfigure(None, Some("1"), None, 1).is_ok());
    let groups = parse(GROUPS);
    assert_eq!(
        groups.reconfigure(None, Some("1"), None, 1),
        Err(ReconfigError::NotMajority)
    );
    assert!(groups.reconfigure(None, None, Some(GROUPS), 2).is_ok());
}

#[test]
fn what_the_history_does_not_bring_is_not_proposed() {
    let with_version = |version: i64| parse(THREE).with_version(version);
    let (own, epochs) = (0x1_0000_0006, 0x2_0000_0000);
    for (proposed, newest, kept) in [
        (own, own, true),
        (own, -1, false),
        (own, 0x1_0000_0002, false),
        (own, 0x2_0000_0003, false),
        // That of an epoch has no transaction.
        (epochs, -1, true),
    ] {
        let mut pair = Memberships::new(with_version(1));
        pair.propose(with_version(proposed));
        pair.keep_proposed_if_brought(newest);
        assert_eq!(pair.proposed().is_some(), kept, "{proposed:x}, {newest:x}");
    }
}

#[test]
fn what_the_history_brings_counts_though_the_files_are_older() {
    let with_version = |version: i64| parse(THREE).with_version(version);
    let (epochs, one, two) = (0x1_0000_0000, 0x1_0000_0006, 0x1_0000_0009);
    for (files, before, newest, expected) in [
        (epochs, None, Some(one), (epochs, Some(one))),
        (epochs, Some(epochs), Some(one), (epochs, Some(one))),
        // A second one was proposed, so the first is committed.
        (epochs, Some(one), Some(two), (one, Some(two))),
        (one, Some(epochs), Some(two), (one, Some(two))),
        // The files are as new, or newer.
        (two, Some(one), Some(two), (two, None)),
        (two, None, Some(one), (two, None)),
        (epochs, None, None, (epochs, None)),
        // A snapshot of a Java server may have had what the log repeats.
        (epochs, Some(one), Some(one), (epochs, Some(one))),
        // The files were made anew.
        (0, Some(one), Some(two), (0, None)),
        // No transaction brings that of an epoch.
        (one, None, Some(0x2_0000_0000), (one, None)),
    ] {
        let mut pair = Memberships::new(with_version(files));
        let unchanged = pair.clone();
        let changed = pair.catch_up(before.map(with_version), newest.map(with_version));
        let proposed = pair.proposed().map(|proposed| proposed.version);
        assert_eq!((pair.committed().version, proposed), expected);
        assert_eq!(changed, pair != unchanged);
    }
}

#[test]
fn while_two_are_in_force_both_must_agree() {
    let mut pair = Memberships::new(parse("server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2"));
    assert!(!pair.propose(parse("server.1=a:1:2")));
    assert!(pair.propose(parse(
        "server.3=c:1:2\nserver.4=d:1:2\nserver.5=e:1:2\nversion=5"
    )));
    assert_eq!(pair.last_seen().version, 5);
    assert_eq!(pair.voters(), (1..=5).map(ServerId).collect());
    assert!(pair.is_voter(ServerId(1)) && pair.is_voter(ServerId(5)));
    for (agreeing, expected) in [
        (&[1, 2][..], false),
        (&[4, 5], false),
        (&[1, 3], false),
        (&[1, 3, 4], true),
        (&[1, 2, 4, 5], true),
    ] {
        assert_eq!(pair.is_quorum(|id| agreeing.contains(&id.0)), expected);
        let acked = agreeing.iter().map(|id| (ServerId(*id), Zxid(7))).collect();
        let zxid = Zxid(if expected { 7 } else { -1 });
        assert_eq!(pair.committed_zxid(&acked), zxid);
    }
    assert!(!pair.adopt(parse("server.1=a:1:2")));
    assert!(pair.adopt(parse("server.1=a:1:2\nversion=4")));
    assert_eq!(pair.proposed().unwrap().version, 5);
    let proposed = pair.last_seen().clone();
    assert!(pair.adopt(proposed));
    assert_eq!((pair.committed().version, pair.proposed()), (5, None));
    assert!(pair.is_quorum(|id| id.0 >= 4));
}
