//! Directories as Java servers leave them, as crashes leave them, and as operators mix them up.

mod support;

use grevy_proto::{Epoch, Zxid};
use grevy_storage::mark::MARK_FILE;
use grevy_storage::recovery::{Damage, Note, RecoveryError, Start};
use grevy_storage::testing::MemDisk;
use grevy_storage::{Dirs, OpenOptions, Store};
use support::*;

/// A directory with a snapshot at 0 and these logs, none of it ours.
fn java(logs: &[(&str, Vec<u8>)]) -> MemDisk {
    let disk = MemDisk::new();
    disk.put(path("snapshot.0"), &java_snapshot(Zxid(0)));
    for (name, content) in logs {
        disk.put(path(name), content);
    }
    disk
}

fn range(from: u32, to: u32) -> impl Iterator<Item = Zxid> {
    (from..=to).map(|n| z(0, n))
}

/// A log with its last `cut` bytes missing.
fn torn(from: u32, to: u32, cut: usize) -> Vec<u8> {
    let mut log = java_log(range(from, to), 0);
    log.truncate(log.len() - cut);
    log
}

fn with_flip(mut log: Vec<u8>, at: usize) -> Vec<u8> {
    log[at] ^= 1;
    log
}

/// Offset of the `n`th record of a log that begins with transaction 1.
fn offset(n: u32) -> usize {
    java_log(range(1, n - 1), 0).len()
}

#[test]
fn logs_of_java_servers() {
    let inside = |n| offset(n) + 20;
    for (what, logs, expected) in [
        (
            "one log, with zeros",
            vec![("log.1", java_log(range(1, 5), 3000))],
            Ok(5),
        ),
        (
            "few zeros behind",
            vec![("log.1", java_log(range(1, 5), 9))],
            Ok(5),
        ),
        (
            "several",
            vec![
                ("log.1", java_log(range(1, 2), 50)),
                ("log.3", java_log(range(3, 5), 0)),
            ],
            Ok(5),
        ),
        ("torn tail", vec![("log.1", torn(1, 5, 10))], Ok(4)),
        (
            "torn in the length",
            vec![("log.1", java_log(range(1, 4), 3))],
            Ok(4),
        ),
        (
            "torn, and the next one goes on",
            vec![
                ("log.1", torn(1, 5, 10)),
                ("log.5", java_log(range(5, 6), 0)),
            ],
            Ok(6),
        ),
        (
            "damaged, and the next one does not follow",
            vec![
                ("log.1", with_flip(java_log(range(1, 4), 0), inside(3))),
                ("log.5", java_log(range(5, 6), 0)),
            ],
            Err("log.1"),
        ),
        (
            "damaged, something intact behind",
            vec![("log.1", with_flip(java_log(range(1, 5), 0), inside(3)))],
            Err("intact record"),
        ),
        (
            "last record damaged",
            vec![("log.1", with_flip(java_log(range(1, 5), 0), inside(5)))],
            Ok(4),
        ),
        (
            "an empty file at the end",
            vec![("log.1", java_log(range(1, 5), 0)), ("log.6", vec![])],
            Ok(5),
        ),
        (
            "a header and nothing else at the end",
            vec![
                ("log.1", java_log(range(1, 5), 0)),
                ("log.6", java_log([], 99)),
            ],
            Ok(5),
        ),
        (
            "an empty file between",
            vec![("log.1", vec![]), ("log.6", java_log(range(6, 7), 0))],
            Err("log.1"),
        ),
        (
            "a hole between files",
            vec![
                ("log.1", java_log(range(1, 3), 0)),
                ("log.5", java_log(range(5, 6), 0)),
            ],
            Err("missing between 0x3 and 0x5"),
        ),
        (
            "a hole within a file",
            vec![("log.1", java_log(range(1, 3).chain(range(5, 5)), 0))],
            Err("missing between 0x3 and 0x5"),
        ),
        (
            "backwards",
            vec![("log.1", java_log(range(1, 3).chain(range(3, 4)), 0))],
            Err("0x3 stands behind 0x3"),
        ),
        (
            "odd names",
            vec![
                ("log.1", java_log(range(1, 3), 0)),
                ("log.4.bak", java_log(range(4, 5), 0)),
                ("log.old.gz", vec![1]),
                ("snapshot.foo", vec![1]),
            ],
            Ok(3),
        ),
        ("not a log", vec![("log.1", vec![7; 100])], Ok(0)),
    ] {
        let disk = java(&logs);
        let before = disk.files();
        match (look(&disk), expected) {
            (Ok((_, model)), Ok(last)) => {
                assert_eq!(model.last(), z(0, last), "{what}");
                disk.crash(3);
                // Once more, now that it is ours, and on.
                let (mut opened, model) = open(&disk).unwrap();
                assert_eq!(model.last(), z(0, last), "{what}, again");
                append(&mut opened.log, [z(0, last + 1)]);
                opened.log.close().unwrap();
                drop(opened.store);
                let (_, model) = look(&disk).unwrap();
                assert_eq!(model.last(), z(0, last + 1), "{what}, at last");
            }
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{what}: {error}");
                assert_eq!(disk.files(), before, "{what}: files were touched");
            }
            (found, expected) => panic!("{what}: {found:?}, not {expected:?}"),
        }
    }
}

/// The settings of a server that takes entries of up to so many bytes.
fn up_to(max_entry: usize) -> OpenOptions {
    let mut options = options();
    options.log.max_entry = max_entry;
    options
}

#[test]
fn a_whole_record_is_never_cut_for_its_length() {
    let len = |n| entry(z(0, n)).len();
    // Of the first six, 5 is the longest and 1 the next.
    assert!(len(5) > len(1) && [2, 3, 4, 6].iter().all(|n| len(*n) < len(1)));
    let later = || {
        vec![
            ("log.1", java_log(range(1, 4), 0)),
            ("log.5", java_log(range(5, 6), 9)),
        ]
    };
    for (what, logs) in [
        ("at the end", vec![("log.1", java_log(range(1, 5), 3000))]),
        ("before others", vec![("log.1", java_log(range(1, 6), 0))]),
        ("in a later file", later()),
    ] {
        for max_entry in [len(5) - 1, len(1) - 1] {
            let disk = java(&logs);
            let before = disk.files();
            let opened = open_with(&disk, up_to(max_entry));
            let error = opened.map(drop).unwrap_err();
            let RecoveryError::TooLong {
                len: found,
                limit,
                longest,
                ..
            } = &error
            else {
                panic!("{what}: {error}");
            };
            assert_eq!((*limit, *longest), (max_entry, len(5)), "{what}");
            assert_eq!(
                *found,
                len(if max_entry < len(1) { 1 } else { 5 }),
                "{what}"
            );
            let told = format!("set jute.maxbuffer to {} or more", len(5));
            assert!(error.to_string().contains(&told), "{what}: {error}");
            assert_eq!(disk.files(), before, "{what}: files were touched");
            // With the setting that is named it starts.
            let (_, model) = open_with(&disk, up_to(*longest)).unwrap();
            assert!(model.last() >= z(0, 5), "{what}");
        }
    }
    // What a snapshot covers does not have to be read.
    let disk = java(&[("log.1", java_log(range(1, 6), 0))]);
    disk.put(path("snapshot.5"), &java_snapshot(z(0, 5)));
    let (_, model) = open_with(&disk, up_to(len(1) - 1)).unwrap();
    assert_eq!(model.last(), z(0, 6));
    // Behind damage it counts as well.
    let damaged = with_flip(java_log(range(1, 5), 0), offset(4) + 20);
    let opened = open_with(&java(&[("log.1", damaged)]), up_to(len(1)));
    let error = opened.map(drop).unwrap_err();
    assert!(error.to_string().contains("intact record"), "{error}");
}

#[test]
fn a_length_that_nothing_bears_out_is_a_torn_tail() {
    let claims = |len: u32| {
        let mut log = java_log(range(1, 4), 3 << 19);
        let at = offset(5);
        log[at..at + 12].copy_from_slice(&[0; 12]);
        log[at + 8..at + 12].copy_from_slice(&len.to_be_bytes());
        log
    };
    for len in [u32::MAX, 31, 100, 5 << 18, i32::MAX as u32] {
        let (recovered, model) = look(&java(&[("log.1", claims(len))])).unwrap();
        assert_eq!(model.last(), z(0, 4), "{len}");
        assert!(
            matches!(recovered.notes[..], [Note::TailCut { .. }]),
            "{len}"
        );
    }
}

#[test]
fn an_operator_may_have_a_doubtful_tail_cut() {
    let disk = java(&[("log.1", with_flip(java_log(range(1, 5), 0), offset(3) + 20))]);
    let options = OpenOptions {
        cut_unmarked_tail: true,
        ..options()
    };
    let (opened, model) = open_with(&disk, options).unwrap();
    assert_eq!(model.last(), z(0, 2));
    assert!(matches!(opened.recovered.notes[..], [Note::TailCut { .. }]));
}

#[test]
fn a_java_server_ran_in_between() {
    let next = |from, to| java_log(range(from, to), 70);
    for (what, change, expected) in [
        (
            "it wrote a log of its own",
            Box::new(move |disk: &MemDisk| disk.put(path("log.6"), &next(6, 8)))
                as Box<dyn Fn(&MemDisk)>,
            Ok(z(0, 8)),
        ),
        (
            "it wrote one and lost power",
            Box::new(|disk: &MemDisk| disk.put(path("log.6"), &torn(6, 8, 3))),
            Ok(z(0, 7)),
        ),
        (
            "it cut ours on behalf of a new leader",
            Box::new(|disk: &MemDisk| {
                disk.rot(path("log.1"), |data| data.truncate(offset(4)));
                disk.put(path("acceptedEpoch"), b"2");
                disk.put(path("currentEpoch"), b"2");
                disk.put(path("log.200000001"), &java_log([z(2, 1)], 0));
            }),
            Ok(z(2, 1)),
        ),
        (
            "it cut ours, and wrote nothing",
            Box::new(|disk: &MemDisk| {
                disk.rot(path("log.1"), |data| data.truncate(offset(4)));
                disk.put(path("acceptedEpoch"), b"2");
                disk.put(path("currentEpoch"), b"2");
            }),
            Ok(z(0, 3)),
        ),
        (
            "somebody cut ours",
            Box::new(|disk: &MemDisk| disk.rot(path("log.1"), |data| data.truncate(offset(4)))),
            Err("had reached offset"),
        ),
        (
            "somebody removed ours",
            Box::new(|disk: &MemDisk| disk.lose(path("log.1"))),
            Err("log.1 is damaged at offset 0: the file is missing"),
        ),
        (
            "it took a snapshot and purged ours",
            Box::new(|disk: &MemDisk| {
                disk.put(path("snapshot.5"), &java_snapshot(z(0, 5)));
                disk.lose(path("log.1"));
            }),
            Ok(z(0, 5)),
        ),
    ] {
        let disk = filled(5);
        change(&disk);
        match (look(&disk), expected) {
            (Ok((_, model)), Ok(last)) => assert_eq!(model.last(), last, "{what}"),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{what}: {error}");
            }
            (found, expected) => panic!("{what}: {found:?}, not {expected:?}"),
        }
    }
}

#[test]
fn servers_without_data() {
    for (what, create_db, files, expected) in [
        ("new", true, vec![], Ok(Start::Empty)),
        ("perhaps wiped", false, vec![], Ok(Start::Unknown)),
        (
            "initialised",
            false,
            vec!["/zk/initialize"],
            Ok(Start::Empty),
        ),
        (
            "a promise is left",
            true,
            vec!["/zk/version-2/acceptedEpoch"],
            Ok(Start::Unknown),
        ),
        (
            "an epoch is left",
            true,
            vec!["/zk/version-2/acceptedEpoch", "/zk/version-2/currentEpoch"],
            Err("there had been"),
        ),
    ] {
        let disk = MemDisk::new();
        for file in files {
            disk.put(file, b"1");
        }
        let options = OpenOptions {
            create_db,
            ..options()
        };
        let says_new = disk.content("/zk/initialize").is_some();
        match (open_with(&disk, options.clone()), expected) {
            (Ok((opened, _)), Ok(start)) => {
                assert_eq!(opened.recovered.start, start, "{what}");
                assert_eq!(opened.recovered.is_new, says_new, "{what}");
                // Nothing more happened; the next start finds the same.
                drop(opened);
                let (opened, _) = open_with(&disk, options.clone()).unwrap();
                assert_eq!(opened.recovered.start, start, "{what}, again");
                opened.store.created().unwrap();
                assert!(disk.content("/zk/initialize").is_none(), "{what}");
            }
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{what}: {error}");
            }
            (found, expected) => panic!("{what}: {:?}, not {expected:?}", found.err()),
        }
    }
}

#[test]
fn what_is_left_of_a_history_is_not_taken_for_none() {
    let disk = filled(5);
    for (name, expected) in [
        ("snapshot.0", "no snapshot in"),
        (MARK_FILE, "grevy.durable is missing"),
        ("currentEpoch", "currentEpoch is missing"),
        ("acceptedEpoch", "acceptedEpoch is missing"),
    ] {
        let disk = disk.fork();
        disk.lose(path(name));
        let error = look(&disk).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    for name in ["log.1", "snapshot.0"] {
        disk.lose(path(name));
    }
    assert!(matches!(
        look(&disk),
        Err(RecoveryError::Log {
            what: Damage::Missing,
            ..
        })
    ));
}

#[test]
fn a_log_without_snapshot_needs_trust() {
    let disk = MemDisk::new();
    disk.put(path("log.1"), &java_log(range(1, 3), 0));
    assert!(matches!(look(&disk), Err(RecoveryError::NoSnapshot { .. })));
    let options = OpenOptions {
        trust_empty: true,
        ..options()
    };
    let (opened, model) = open_with(&disk, options).unwrap();
    assert_eq!((model.base, model.txns.len()), (None, 3));
    assert_eq!(opened.recovered.start.zxid(), z(0, 3));
}

#[test]
fn directories_that_are_mixed_up() {
    let apart = Dirs {
        data: "/data".into(),
        log: "/log".into(),
    };
    for (file, wrong) in [
        ("/data/version-2/log.1", true),
        ("/log/version-2/snapshot.0", true),
        ("/log/version-2/log.1", false),
    ] {
        let disk = MemDisk::new();
        disk.put("/data/version-2/snapshot.0", &java_snapshot(Zxid(0)));
        disk.put(file, &java_log(range(1, 2), 0));
        let mut model = Model::default();
        let opened = Store::open(disk.shared(), apart.clone(), options(), &mut model);
        match opened {
            Err(RecoveryError::MixedUp { path }) => assert!(wrong && path.to_str() == Some(file)),
            Err(error) => panic!("{file}: {error}"),
            Ok(_) => assert!(!wrong && model.last() == z(0, 2), "{file}"),
        }
    }
}

#[test]
fn one_server_at_a_time() {
    let (disk, opened) = begun();
    let refused = open(&disk).err().unwrap().to_string();
    assert!(refused.contains("another server"), "{refused}");
    drop(opened);
    open(&disk).unwrap();
}

#[test]
fn epochs_and_history_must_fit() {
    for (what, accepted, current, unfinished, expected) in [
        ("as it should be", Some("3"), Some("2"), None, Ok((3, 2))),
        ("none yet", None, None, None, Ok((2, 2))),
        ("rename lost", Some("3"), Some("1"), Some("2"), Ok((3, 2))),
        (
            "crash before the epoch",
            Some("2"),
            Some("1"),
            None,
            Ok((2, 2)),
        ),
        (
            "promise lost too",
            Some("1"),
            Some("1"),
            None,
            Err("says 1"),
        ),
        (
            "crossed",
            Some("2"),
            Some("3"),
            None,
            Err("less than currentEpoch"),
        ),
        (
            "not a number",
            Some("x"),
            Some("2"),
            None,
            Err("acceptedEpoch is damaged"),
        ),
        (
            "empty",
            Some("2"),
            Some(""),
            None,
            Err("currentEpoch is damaged"),
        ),
    ] {
        let disk = java(&[("log.200000001", java_log([z(2, 1)], 0))]);
        for (name, content) in [
            ("acceptedEpoch", accepted),
            ("currentEpoch", current),
            ("currentEpoch.tmp", unfinished),
        ] {
            if let Some(content) = content {
                disk.put(path(name), content.as_bytes());
            }
        }
        match (open(&disk), expected) {
            (Ok((opened, _)), Ok((accepted, current))) => {
                let found = (opened.epochs.accepted(), opened.epochs.current());
                assert_eq!(found, (Epoch(accepted), Epoch(current)), "{what}");
            }
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{what}: {error}");
            }
            (found, _) => panic!("{what}: {:?}", found.err()),
        }
    }
}

#[test]
fn snapshots_that_do_not_load() {
    let damaged = |zxid: Zxid| {
        let mut snapshot = java_snapshot(zxid);
        snapshot[300] ^= 1;
        snapshot
    };
    let half = |zxid: Zxid| java_snapshot(zxid)[..300].to_vec();
    let log = || ("log.1", java_log(range(1, 5), 0));
    for (what, files, expected) in [
        (
            "the log covers it",
            vec![log(), ("snapshot.5", damaged(z(0, 5)))],
            Ok(z(0, 5)),
        ),
        (
            "the log does not reach it",
            vec![log(), ("snapshot.7", damaged(z(0, 7)))],
            Err("snapshot.7 it had reached 0x7"),
        ),
        (
            "it was never finished",
            vec![log(), ("snapshot.7", half(z(0, 7)))],
            Ok(z(0, 5)),
        ),
        (
            "it waits for its name",
            vec![log(), ("snapshot.7.tmp", java_snapshot(z(0, 7)))],
            Ok(z(0, 7)),
        ),
        (
            "it waits for its name and epoch",
            vec![log(), ("snapshot.100000007.tmp", java_snapshot(z(1, 7)))],
            Ok(z(0, 5)),
        ),
        (
            "none is good",
            vec![log(), ("snapshot.0", damaged(Zxid(0)))],
            Err("snapshot.0: its content is damaged"),
        ),
    ] {
        let disk = java(&files);
        match (look(&disk), expected) {
            (Ok((_, model)), Ok(last)) => assert_eq!(model.last(), last, "{what}"),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{what}: {error}");
            }
            (found, expected) => panic!("{what}: {found:?}, not {expected:?}"),
        }
    }
}

#[test]
fn without_force_sync_there_is_no_mark() {
    let mut lax = options();
    lax.log.force_sync = false;
    let disk = filled(3);
    let (mut opened, _) = open_with(&disk, lax).unwrap();
    assert!(disk.content(path(MARK_FILE)).is_none());
    append(&mut opened.log, [z(0, 4)]);
    opened.log.close().unwrap();
    drop(opened.store);
    let (_, model) = look(&disk).unwrap();
    assert_eq!(model.last(), z(0, 4));
    assert!(disk.content(path(MARK_FILE)).is_some());
}

/// A member is new by somebody's word until it has promised something, however often it starts.
#[test]
fn an_initialize_file_goes_with_the_first_promise_of_a_member() {
    let disk = MemDisk::new();
    let options = OpenOptions {
        member: true,
        ..options()
    };
    let start = |disk: &MemDisk| open_with(disk, options.clone()).unwrap().0;
    let opened = start(&disk);
    assert!(!opened.recovered.is_new);
    snapshot(&opened.store, Zxid(0)).unwrap();
    drop(opened);
    assert!(!start(&disk).recovered.is_new);
    // Whoever runs it says so only now.
    disk.put("/zk/initialize", b"");
    for _ in 0..2 {
        assert!(start(&disk).recovered.is_new);
    }
    let mut opened = start(&disk);
    opened.epochs.set_accepted(Epoch(1)).unwrap();
    drop(opened);
    assert!(disk.content("/zk/initialize").is_none());
    disk.put("/zk/initialize", b"");
    assert!(!start(&disk).recovered.is_new, "it has promised something");
    assert!(disk.content("/zk/initialize").is_none());
}
