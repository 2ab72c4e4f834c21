//! Taking transactions back (TRUNC), starting over from a leader's snapshot (SNAP), and purging.

mod support;

use grevy_proto::{Epoch, Zxid};
use grevy_storage::log::TruncateError;
use grevy_storage::snapshot::Trailers;
use grevy_storage::testing::MemDisk;
use grevy_storage::{Compression, OpenOptions, Opened, RecoveryError, Store};
use std::path::Path;
use support::*;

/// Epoch 1 up to 4 and epoch 3 up to 3, in files of two, with snapshots at 0 and (1, 4).
fn scene() -> (MemDisk, Opened) {
    let (disk, mut opened) = begun();
    let zxids = (1..5).map(|n| z(1, n)).chain((1..4).map(|n| z(3, n)));
    for (i, zxid) in zxids.enumerate() {
        append(&mut opened.log, [zxid]);
        if i % 2 == 1 {
            opened.log.roll().unwrap();
        }
        opened.log.commit().unwrap();
        if zxid == z(1, 4) {
            snapshot(&opened.store, zxid).unwrap();
        }
    }
    opened.epochs.set_accepted(Epoch(9)).unwrap();
    opened.epochs.set_current(Epoch(9)).unwrap();
    (disk, opened)
}

fn recovered(store: &Store) -> Model {
    let mut model = Model::default();
    drop(store.recover(&mut model).unwrap());
    model
}

#[test]
fn truncation() {
    for (what, to, expected) in [
        ("at the end", z(3, 3), Ok(z(3, 3))),
        ("in the last file", z(3, 2), Ok(z(3, 2))),
        ("at a file's end", z(3, 1), Ok(z(3, 1))),
        ("at the snapshot", z(1, 4), Ok(z(1, 4))),
        ("below the snapshot", z(1, 3), Ok(z(1, 3))),
        ("to nothing", Zxid(0), Ok(Zxid(0))),
        ("beyond", z(3, 4), Err(true)),
        ("between two epochs", z(1, 9), Err(false)),
    ] {
        let (_disk, mut opened) = scene();
        match (opened.store.truncate(&mut opened.log, to), expected) {
            (Ok(()), Ok(last)) => {
                assert_eq!(opened.log.last_zxid(), last, "{what}");
                assert_eq!(recovered(&opened.store).last(), last, "{what}");
                // The log that was truncated goes on as well.
                append(&mut opened.log, [z(5, 1)]);
                opened.log.commit().unwrap();
                assert_eq!(recovered(&opened.store).last(), z(5, 1), "{what}");
            }
            (Err(TruncateError::Beyond { last }), Err(true)) => assert_eq!(last, z(3, 3)),
            (Err(TruncateError::NoWayThere), Err(false)) => {
                assert_eq!(recovered(&opened.store).last(), z(3, 3), "{what}");
            }
            (found, _) => panic!("{what}: {found:?}"),
        }
    }
}

/// A truncation that is not done says so, and the log takes nothing more (ZOOKEEPER-3701); after
/// a restart the history ends somewhere between where it ended and where it was to end.
#[test]
fn a_truncation_that_fails_is_not_taken_for_done() {
    let steps = {
        let (disk, mut opened) = scene();
        let before = disk.ops();
        opened.store.truncate(&mut opened.log, z(1, 3)).unwrap();
        disk.ops() - before
    };
    for step in 0..steps {
        let (disk, mut opened) = scene();
        disk.crash_at(disk.ops() + step);
        let refused = opened.store.truncate(&mut opened.log, z(1, 3));
        assert!(
            matches!(refused, Err(TruncateError::Log(_))),
            "{step}: {refused:?}"
        );
        drop(opened);
        disk.crash(step);
        let (_, model) = look(&disk).unwrap();
        assert!((z(1, 3)..=z(3, 3)).contains(&model.last()), "{step}");
    }
}

#[test]
fn a_truncation_needs_a_snapshot_below() {
    let (disk, mut opened) = scene();
    disk.lose(path("snapshot.0"));
    let refused = opened.store.truncate(&mut opened.log, z(1, 2));
    assert!(
        matches!(refused, Err(TruncateError::NoWayThere)),
        "{refused:?}"
    );
    assert_eq!(recovered(&opened.store).last(), z(3, 3));
}

#[test]
fn a_snapshot_from_the_leader() {
    for (what, at) in [
        ("far ahead", z(6, 9)),
        ("at the end", z(3, 3)),
        ("behind the end", z(3, 1)),
        ("behind another snapshot", z(1, 2)),
    ] {
        let (disk, mut opened) = scene();
        opened.epochs.set_accepted(Epoch(9)).unwrap();
        opened.epochs.set_current(Epoch(9)).unwrap();
        snapshot(&opened.store, at).unwrap();
        opened.store.installed(&mut opened.log, at, []).unwrap();
        append(&mut opened.log, [z(7, 1)]);
        opened.log.commit().unwrap();
        disk.crash(1);
        let (_, model) = look(&disk).unwrap();
        assert_eq!(
            (model.base, &model.txns[..]),
            (Some(at), &[z(7, 1)][..]),
            "{what}"
        );
    }
}

#[test]
fn purging_keeps_what_is_needed() {
    let (disk, mut opened) = begun();
    disk.put(path("snapshot.foo"), b"kept");
    disk.put(path("log.old.gz"), b"kept");
    for n in 1..=20 {
        append(&mut opened.log, [z(0, n)]);
        opened.log.commit().unwrap();
        if n % 4 == 0 {
            opened.log.roll().unwrap();
        }
        if n % 5 == 0 {
            snapshot(&opened.store, z(0, n)).unwrap();
        }
    }
    let purged = opened.store.purge(1).unwrap();
    let names: Vec<_> = purged
        .removed
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["snapshot.0", "snapshot.5", "log.1", "log.5"]);
    assert!(opened.store.purge(3).unwrap().removed.is_empty());
    disk.crash(0);
    // Each of those kept leads to the end.
    for (lost, base) in [
        (None, 20),
        (Some("snapshot.14"), 15),
        (Some("snapshot.f"), 10),
    ] {
        if let Some(lost) = lost {
            disk.lose(path(lost));
        }
        let (_, model) = look(&disk).unwrap();
        assert_eq!((model.base, model.last()), (Some(z(0, base)), z(0, 20)));
    }
    assert_eq!(disk.content(path("snapshot.foo")).unwrap(), b"kept");
    assert_eq!(disk.content(path("log.old.gz")).unwrap(), b"kept");
}

#[test]
fn the_log_refuses_what_does_not_follow() {
    let (_disk, mut opened) = scene();
    for (zxid, fits) in [
        (z(3, 3), false),
        (z(3, 5), false),
        (z(4, 2), false),
        (z(2, 1), false),
        (z(3, 4), true),
        (z(9, 1), true),
    ] {
        assert_eq!(
            opened.log.append(zxid, &entry(zxid)).is_ok(),
            fits,
            "{zxid}"
        );
    }
    assert!(opened.log.append(z(9, 2), &[0; 31]).is_err(), "too short");
    assert!(
        opened.log.append(z(9, 2), &entry(z(9, 3))).is_err(),
        "another zxid inside"
    );
    assert!(
        opened.log.append(z(9, 2), &vec![0; 3 << 20]).is_err(),
        "too long"
    );
    opened.log.commit().unwrap();
    assert_eq!(recovered(&opened.store).last(), z(9, 1));
}

#[test]
fn files_roll_at_the_size_limit() {
    let disk = MemDisk::new();
    let mut small = options();
    small.log.size_limit = Some(300);
    let (mut opened, _) = open_with(&disk, small).unwrap();
    snapshot(&opened.store, Zxid(0)).unwrap();
    for n in 1..20 {
        append(&mut opened.log, [z(0, n)]);
        opened.log.commit().unwrap();
    }
    let logs = disk.files();
    let logs = logs
        .iter()
        .filter(|(path, _)| path.to_str().unwrap().contains("log."));
    assert!(logs.count() > 3);
    assert_eq!(recovered(&opened.store).last(), z(0, 19));
}

#[test]
fn a_snapshot_from_the_leader_ends_older_histories() {
    // (3, 3) was never committed, and the leader's epoch 5 began behind (3, 2).
    let (disk, mut opened) = scene();
    snapshot(&opened.store, z(5, 0)).unwrap();
    opened
        .store
        .installed(&mut opened.log, z(5, 0), [])
        .unwrap();
    append(&mut opened.log, [z(5, 1)]);
    opened.log.commit().unwrap();
    disk.crash(0);
    disk.lose(path("snapshot.500000000"));
    // Anything but (3, 3) followed by (5, 1).
    assert!(look(&disk).is_err());
}

#[test]
fn what_follows_a_snapshot_from_the_leader_may_be_here() {
    for (what, at, kept, expected) in [
        ("all of it", z(3, 1), &[z(3, 2), z(3, 3)][..], z(3, 3)),
        ("a part", z(3, 1), &[z(3, 2)], z(3, 2)),
        ("in the file before", z(1, 2), &[z(1, 3)], z(1, 3)),
        ("not in the log after all", z(3, 3), &[z(3, 4)], z(3, 4)),
    ] {
        let (disk, mut opened) = scene();
        snapshot(&opened.store, at).unwrap();
        let entries: Vec<_> = kept.iter().map(|zxid| (*zxid, entry(*zxid))).collect();
        let entries = entries
            .iter()
            .map(|(zxid, entry)| (*zxid, entry.as_slice()));
        let store = &opened.store;
        store.installed(&mut opened.log, at, entries).unwrap();
        assert_eq!(opened.log.last_zxid(), expected, "{what}");
        append(&mut opened.log, [z(7, 1)]);
        opened.log.commit().unwrap();
        disk.crash(1);
        let (_, model) = look(&disk).unwrap();
        let txns = [kept, &[z(7, 1)]].concat();
        assert_eq!((model.base, model.txns), (Some(at), txns), "{what}");
    }
}

#[test]
fn a_snapshot_comes_into_place_when_it_is_installed() {
    let (disk, opened) = begun();
    let begin = |number| {
        let writer = opened
            .store
            .receive_snapshot(z(2, 5), Compression::Gzip, number);
        let mut writer = writer.unwrap();
        writer.write(&body(z(2, 5))).unwrap();
        writer.seal(Trailers::None).unwrap()
    };
    let (first, second) = (begin(1), begin(2));
    first.discard().unwrap();
    let names = |names: &[&str]| {
        let mut found = disk.shared().list(Path::new(LOGS)).unwrap();
        found.retain(|name| name.contains("snapshot"));
        found.sort();
        assert_eq!(found, names);
    };
    names(&["grevy.snapshot.received.2", "snapshot.0"]);
    second.install().unwrap();
    names(&["snapshot.0", "snapshot.200000005.gz"]);
}

/// A server that had lost its data takes the leader's snapshot over, and is killed before it has
/// promised anything.
#[test]
fn a_history_without_a_promise_is_one_that_was_not_complete() {
    let (disk, mut opened) = begun();
    snapshot(&opened.store, z(3, 5)).unwrap();
    opened
        .store
        .installed(&mut opened.log, z(3, 5), [])
        .unwrap();
    append(&mut opened.log, [z(3, 6)]);
    opened.log.commit().unwrap();
    disk.crash(0);
    let refused = open(&disk).map(drop);
    assert!(
        matches!(refused, Err(RecoveryError::EpochBehind { .. })),
        "{refused:?}"
    );
    let member = OpenOptions {
        member: true,
        ..options()
    };
    let (opened, model) = open_with(&disk, member).unwrap();
    assert_eq!(model.last(), z(3, 6));
    assert_eq!(opened.epochs.accepted(), Epoch(0));
    assert_eq!(opened.epochs.current(), Epoch(0));
}

/// A snapshot from the leader has no log before it, and behind it a new epoch began.
#[test]
fn a_damaged_snapshot_from_the_leader_is_not_passed_over() {
    let (disk, mut opened) = scene();
    snapshot(&opened.store, z(3, 9)).unwrap();
    opened
        .store
        .installed(&mut opened.log, z(3, 9), [])
        .unwrap();
    append(&mut opened.log, [z(5, 1)]);
    opened.log.commit().unwrap();
    disk.crash(0);
    disk.flip_bit(Path::new(LOGS).join("snapshot.300000009"), 800);
    let refused = look(&disk).map(drop);
    let Err(RecoveryError::NoSnapshotLoads { tried }) = refused else {
        panic!("{refused:?}");
    };
    let (newest, _) = tried.first().unwrap();
    assert!(newest.ends_with("snapshot.300000009"), "{tried:?}");
}
