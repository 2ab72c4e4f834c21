//! Reading a stretch of the log, and a snapshot's body, for a learner.

mod support;

use grevy_proto::{Encode, Epoch, SessionId, Zxid};
use grevy_storage::snapshot::{SnapshotError, Trailers};
use grevy_storage::testing::MemDisk;
use grevy_storage::{Compression, Opened, Rejected};
use support::*;

/// Epoch 1 up to 6 and epoch 3 up to 3, in files of three; a snapshot at (1, 4), from which the
/// log is kept if `purged`.
fn scene(purged: bool) -> (MemDisk, Opened) {
    let (disk, mut opened) = begun();
    let zxids = (1..7).map(|n| z(1, n)).chain((1..4).map(|n| z(3, n)));
    for (i, zxid) in zxids.enumerate() {
        append(&mut opened.log, [zxid]);
        if i % 3 == 2 {
            opened.log.roll().unwrap();
        }
        opened.log.commit().unwrap();
        if zxid == z(1, 3) {
            snapshot(&opened.store, zxid).unwrap();
        }
    }
    if purged {
        disk.lose(path("log.100000001"));
    }
    (disk, opened)
}

#[test]
fn stretches() {
    let whole: Vec<Zxid> = (1..7)
        .map(|n| z(1, n))
        .chain((1..4).map(|n| z(3, n)))
        .collect();
    for (what, purged, after, until, expected) in [
        ("all", false, Zxid(0), z(3, 3), Some(0..9)),
        ("from the start", false, Zxid(0), z(1, 2), Some(0..2)),
        ("within a file", false, z(1, 4), z(1, 6), Some(4..6)),
        ("over two files", false, z(1, 2), z(1, 5), Some(2..5)),
        ("into an epoch", false, z(1, 6), z(3, 1), Some(6..7)),
        ("from its beginning", false, z(3, 0), z(3, 2), Some(6..8)),
        ("to the end", false, z(3, 2), z(3, 3), Some(8..9)),
        ("beyond", false, z(3, 2), z(3, 4), None),
        ("an end that is not there", false, z(1, 5), z(1, 7), None),
        ("nothing", false, z(1, 5), z(1, 5), None),
        ("backwards", false, z(1, 5), z(1, 4), None),
        ("a learner that is ahead", false, z(1, 7), z(3, 1), None),
        ("another epoch's learner", false, z(2, 1), z(3, 1), None),
        ("an epoch without records", false, z(2, 0), z(3, 1), None),
        ("what was purged", true, z(1, 2), z(1, 5), None),
        ("from nothing, purged", true, Zxid(0), z(1, 5), None),
        ("behind a snapshot", true, z(1, 3), z(1, 5), Some(3..5)),
    ] {
        let (_disk, opened) = scene(purged);
        let found = opened.store.read_log(after, until, u64::MAX).unwrap();
        let found = found.map(|entries| {
            for (zxid, bytes) in &entries {
                assert_eq!(**bytes, entry(*zxid)[..], "{what}");
            }
            entries.into_iter().map(|(zxid, _)| zxid).collect()
        });
        assert_eq!(found, expected.map(|range| whole[range].to_vec()), "{what}");
    }
}

#[test]
fn no_more_than_is_allowed() {
    let (_disk, opened) = scene(false);
    let both = (entry(z(1, 2)).len() + entry(z(1, 3)).len()) as u64;
    for (max_bytes, expected) in [(both, true), (both - 1, false)] {
        let found = opened.store.read_log(z(1, 1), z(1, 3), max_bytes).unwrap();
        assert_eq!(found.is_some(), expected);
    }
}

#[test]
fn an_entry_that_a_learner_may_not_take_is_left_to_a_snapshot() {
    let (disk, mut opened) = begun();
    append(&mut opened.log, (1..4).map(|n| z(0, n)));
    opened.log.commit().unwrap();
    snapshot(&opened.store, z(0, 2)).unwrap();
    drop(opened);
    let mut options = options();
    options.log.max_entry = entry(z(0, 1)).len() - 1;
    let (opened, model) = open_with(&disk, options).unwrap();
    assert_eq!(model.last(), z(0, 3));
    for (after, expected) in [(Zxid(0), false), (z(0, 1), true)] {
        let found = opened.store.read_log(after, z(0, 3), u64::MAX).unwrap();
        assert_eq!(found.is_some(), expected, "{after}");
    }
}

#[test]
fn damage_ends_a_stretch() {
    let (disk, opened) = scene(false);
    disk.flip_bit(path("log.100000004"), (16 + 20) * 8);
    assert_eq!(
        opened
            .store
            .read_log(z(1, 2), z(1, 3), u64::MAX)
            .unwrap()
            .map(|entries| entries.len()),
        Some(1)
    );
    let damaged = opened.store.read_log(z(1, 2), z(1, 5), u64::MAX).unwrap();
    assert_eq!(damaged, None);
}

/// A body that parses: one session, no lists, no nodes.
fn real_body() -> Vec<u8> {
    let mut body = 1i32.to_bytes();
    SessionId(7).encode(&mut body);
    4000i32.encode(&mut body);
    0i32.encode(&mut body);
    "/".encode(&mut body);
    body
}

#[test]
fn bodies() {
    for compression in [Compression::None, Compression::Gzip, Compression::Snappy] {
        let (disk, opened) = begun();
        let mut writer = opened.store.snapshot(z(1, 9), compression).unwrap();
        writer.write(&real_body()).unwrap();
        let trailers = Trailers::Digest {
            zxid: z(1, 9),
            digest: 5,
        };
        let file = writer.finish(trailers).unwrap();
        let read = || {
            let mut body = Vec::new();
            let result = opened.store.read_snapshot(z(1, 9), 100, &mut |chunk| {
                body.extend_from_slice(chunk);
                Ok(())
            });
            result.map(|()| body)
        };
        assert_eq!(read().unwrap(), real_body(), "{compression:?}");
        let stop = &mut |_: &[u8]| Err(Rejected("enough".to_owned()));
        let stopped = opened.store.read_snapshot(z(1, 9), 100, stop);
        assert!(matches!(stopped, Err(SnapshotError::Body(_))));
        if compression == Compression::None {
            disk.flip_bit(&file.path, (file.bytes as usize - 10) * 8);
            assert!(matches!(read(), Err(SnapshotError::Seal)));
        }
        let missing = opened.store.read_snapshot(z(1, 8), 100, &mut |_| Ok(()));
        assert!(
            matches!(missing, Err(SnapshotError::Disk(error)) if error.is_not_found()),
            "{compression:?}"
        );
    }
}

/// What a server had before it took a leader's snapshot over may never have been in the history
/// that it has now (ZOOKEEPER-2846).
#[test]
fn what_is_older_than_a_leader_s_snapshot_is_not_told() {
    let (disk, mut opened) = scene(false);
    opened.epochs.set_accepted(Epoch(5)).unwrap();
    opened.epochs.set_current(Epoch(5)).unwrap();
    snapshot(&opened.store, z(5, 2)).unwrap();
    opened
        .store
        .installed(&mut opened.log, z(5, 2), [])
        .unwrap();
    append(&mut opened.log, [z(5, 3), z(5, 4)]);
    opened.log.commit().unwrap();
    for again in [false, true] {
        if again {
            drop(opened);
            disk.crash(0);
            (opened, _) = open(&disk).unwrap();
        }
        for (after, until, expected) in [
            (z(5, 2), z(5, 4), Some(vec![z(5, 3), z(5, 4)])),
            (z(5, 3), z(5, 4), Some(vec![z(5, 4)])),
            (z(3, 2), z(5, 3), None),
            (z(3, 3), z(5, 4), None),
            (z(3, 1), z(3, 2), None),
            (z(1, 1), z(3, 1), None),
        ] {
            let found = opened.store.read_log(after, until, u64::MAX).unwrap();
            let found = found.map(|found| found.into_iter().map(|(zxid, _)| zxid).collect());
            assert_eq!(found, expected, "{after} to {until}");
        }
    }
}
