//! Whatever moment the power goes, what was acknowledged is there afterwards, and the server
//! starts (P10, P25, P27, P30).

mod support;

use grevy_proto::{Epoch, Zxid};
use grevy_storage::snapshot::Trailers;
use grevy_storage::testing::MemDisk;
use grevy_storage::{Opened, Store};
use std::fmt::Debug;
use support::*;

/// What must hold of a history, whenever it is looked at.
#[derive(Debug, Default, Clone)]
struct Expected {
    /// Nothing above this may be missing.
    acknowledged: Zxid,
    /// All transactions ever appended that have not been taken back.
    history: Vec<Zxid>,
    /// While a truncation is on its way: what the history was before.
    before: Vec<Zxid>,
    accepted: Epoch,
}

impl Expected {
    fn append(&mut self, opened: &mut Opened, zxids: impl IntoIterator<Item = Zxid>) {
        for zxid in zxids {
            opened.log.append(zxid, &entry(zxid)).unwrap();
            self.history.push(zxid);
        }
    }

    fn commit(&mut self, opened: &mut Opened) -> Result<(), Stop> {
        self.acknowledged = opened.log.commit().map_err(stop)?.zxid;
        Ok(())
    }

    fn check(&self, model: &Model, what: &str) {
        let last = model.last();
        assert!(
            last >= self.acknowledged,
            "{what}: {last} is the end, {} was acknowledged",
            self.acknowledged
        );
        let expected = |history: &[Zxid]| -> Vec<Zxid> {
            let base = model.base.unwrap();
            let behind = history.iter().filter(|&&zxid| zxid > base && zxid <= last);
            behind.copied().collect()
        };
        assert!(
            model.txns == expected(&self.history) || model.txns == expected(&self.before),
            "{what}: {model:?} is not the beginning of {self:?}"
        );
    }
}

/// The power is off.
struct Stop;

fn stop(error: impl Debug) -> Stop {
    let text = format!("{error:?}");
    assert!(text.contains("power is off"), "{text}");
    Stop
}

/// A life of a server: it begins, writes, rolls, snapshots, purges, is truncated, is given a
/// snapshot, stops and starts again.
fn scene(disk: &MemDisk, expected: &mut Expected) -> Result<(), Stop> {
    let (mut opened, _) = open(disk).map_err(stop)?;
    snapshot(&opened.store, Zxid(0)).map_err(stop)?;
    promise(&mut opened, expected, Epoch(1))?;

    expected.append(&mut opened, (1..4).map(|n| z(1, n)));
    expected.commit(&mut opened)?;
    expected.append(&mut opened, (4..12).map(|n| z(1, n)));
    expected.commit(&mut opened)?;
    opened.log.sync_mark().map_err(stop)?;
    for n in 12..15 {
        expected.append(&mut opened, [z(1, n)]);
        expected.commit(&mut opened)?;
        roll_and_snapshot(&mut opened, z(1, n))?;
    }
    opened.store.purge(3).map_err(stop)?;
    expected.append(&mut opened, (15..20).map(|n| z(1, n)));
    expected.commit(&mut opened)?;
    promise(&mut opened, expected, Epoch(2))?;

    // A new leader takes the end of epoch 1 back, across two files and a snapshot.
    let to = z(1, 13);
    expected.acknowledged = to;
    expected.before = expected.history.clone();
    expected.history.retain(|&zxid| zxid <= to);
    opened.store.truncate(&mut opened.log, to).map_err(stop)?;
    let Opened { store, .. } = opened;
    let (mut opened, model) = reopen(store)?;
    assert_eq!(model.last(), to);
    expected.before.clone_from(&expected.history);

    promise(&mut opened, expected, Epoch(3))?;
    expected.append(&mut opened, (1..4).map(|n| z(3, n)));
    expected.commit(&mut opened)?;

    // Its leader's snapshot has less; what follows is here already.
    snapshot(&opened.store, z(3, 1)).map_err(stop)?;
    let kept = [2, 3].map(|n| (z(3, n), entry(z(3, n))));
    let kept = kept.iter().map(|(zxid, entry)| (*zxid, entry.as_slice()));
    opened
        .store
        .installed(&mut opened.log, z(3, 1), kept)
        .map_err(stop)?;
    expected.append(&mut opened, [z(3, 4)]);
    expected.commit(&mut opened)?;
    opened.log.close().map_err(stop)?;

    // A leader of epoch 4 is far ahead.
    let (mut opened, model) = reopen(opened.store)?;
    assert_eq!(model.last(), z(3, 4));
    let ahead = z(4, 30);
    opened.epochs.set_accepted(Epoch(4)).map_err(stop)?;
    expected.accepted = Epoch(4);
    snapshot_with(
        &opened.store,
        ahead,
        Trailers::All {
            zxid: ahead,
            digest: 1,
            last_zxid: ahead,
        },
    )
    .map_err(stop)?;
    opened
        .store
        .installed(&mut opened.log, ahead, [])
        .map_err(stop)?;
    opened.epochs.set_current(Epoch(4)).map_err(stop)?;
    expected.acknowledged = ahead;
    expected.append(&mut opened, (31..36).map(|n| z(4, n)));
    expected.commit(&mut opened)?;
    roll_and_snapshot(&mut opened, z(4, 35))?;
    expected.append(&mut opened, [z(4, 36)]);
    expected.commit(&mut opened)?;
    opened.store.purge(3).map_err(stop)?;
    opened.log.close().map_err(stop)
}

fn promise(opened: &mut Opened, expected: &mut Expected, epoch: Epoch) -> Result<(), Stop> {
    opened.epochs.set_accepted(epoch).map_err(stop)?;
    expected.accepted = epoch;
    opened.epochs.set_current(epoch).map_err(stop)
}

fn roll_and_snapshot(opened: &mut Opened, zxid: Zxid) -> Result<(), Stop> {
    opened.log.roll().map_err(stop)?;
    snapshot(&opened.store, zxid).map_err(stop)
}

fn reopen(store: Store) -> Result<(Opened, Model), Stop> {
    let mut model = Model::default();
    let (log, epochs, recovered) = store.recover(&mut model).map_err(stop)?;
    let opened = Opened {
        store,
        log,
        epochs,
        recovered,
    };
    Ok((opened, model))
}

/// Starts again and looks; then writes on, and looks once more.
fn check_restart(disk: &MemDisk, expected: &Expected, what: &str) {
    let (mut opened, model) = open(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(opened.epochs.accepted() >= expected.accepted, "{what}");
    if model.base.is_none() {
        // The first snapshot had not been written yet.
        assert_eq!(expected.acknowledged, Zxid(0), "{what}");
        return;
    }
    expected.check(&model, what);
    let last = model.last();
    append(&mut opened.log, [last.next(), last.next().next()]);
    opened.log.commit().unwrap();
    disk.crash(1);
    let (_, model) = look(disk).unwrap_or_else(|error| panic!("{what}, again: {error}"));
    assert_eq!(model.last(), last.next().next(), "{what}, again");
}

#[test]
fn a_crash_at_any_moment_loses_nothing_acknowledged() {
    let whole = MemDisk::new();
    let mut expected = Expected::default();
    assert!(scene(&whole, &mut expected).is_ok());
    let ops = whole.ops();
    assert!(ops > 200, "a scene of {ops} operations says little");
    for op in 0..=ops {
        for seed in 0..12 {
            let what = format!("operation {op}, seed {seed}");
            let disk = MemDisk::new();
            let mut expected = Expected::default();
            disk.crash_at(op);
            let _ = scene(&disk, &mut expected);
            match seed {
                0 => disk.kill(),
                seed => disk.crash(seed * 1_000_003 + op),
            }
            // The power fails again while the server recovers.
            if seed % 3 == 2 {
                disk.crash_at(disk.ops() + seed * 7 % 40);
                let _ = open(&disk);
                disk.crash(seed * 7_000_003 + op);
            }
            check_restart(&disk, &expected, &what);
        }
    }
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_a_restart_is_honest() {
    use grevy_storage::testing::Fault;
    for seed in 0..40 {
        let (disk, mut opened) = begun();
        append(&mut opened.log, [z(0, 1)]);
        opened.log.commit().unwrap();
        disk.fail(
            grevy_storage::DiskOp::Sync,
            path("log.1"),
            0,
            Fault::Dropped,
        );
        append(&mut opened.log, (2..9).map(|n| z(0, n)));
        let first = opened.log.commit().unwrap_err().to_string();
        assert!(first.contains("log.1"), "{first}");
        assert_eq!(opened.log.commit().unwrap_err().to_string(), first);
        assert_eq!(
            opened
                .log
                .append(z(0, 9), &entry(z(0, 9)))
                .unwrap_err()
                .to_string(),
            first
        );
        // The process ends; the pages still read as written, but are not on the disk.
        disk.kill();
        let (_, model) = look(&disk).unwrap();
        let claimed = model.last();
        disk.crash(seed);
        let (_, model) = look(&disk).unwrap();
        assert!(
            model.last() >= claimed,
            "{claimed} was read, {} is there",
            model.last()
        );
    }
}

#[test]
fn a_full_disk_stops_the_log_and_hurts_nothing() {
    let full = filled(3);
    let used: u64 = full.files().iter().map(|(_, len)| len).sum();
    for room in 0..1500 {
        let disk = full.fork();
        let (mut opened, _) = open(&disk).unwrap();
        disk.set_capacity(Some(used + room));
        append(&mut opened.log, (4..9).map(|n| z(0, n)));
        let done = opened.log.commit();
        disk.kill();
        disk.set_capacity(None);
        let (_, model) = look(&disk).unwrap();
        match done {
            Ok(committed) => assert_eq!(model.last(), committed.zxid),
            Err(_) => assert_eq!(model.last(), z(0, 3)),
        }
    }
}

#[test]
fn what_was_cut_off_does_not_come_back() {
    let disk = filled(3);
    // A batch of 4 and 5 was torn: 4 is damaged, 5 whole.
    let file = path("log.1");
    let end = java_log((1..=3).map(|n| z(0, n)), 0).len();
    let mut tail = java_log([z(0, 4), z(0, 5)], 0).split_off(16);
    tail[20] ^= 1;
    disk.rot(&file, |data| {
        data.truncate(end);
        data.extend_from_slice(&tail);
    });
    // Nothing is written ahead that would cover 5 by chance.
    let mut bare = options();
    bare.log.preallocate = 0;
    let (mut opened, model) = open_with(&disk, bare).unwrap();
    assert_eq!(model.last(), z(0, 3));
    append(&mut opened.log, [z(0, 4)]);
    opened.log.commit().unwrap();
    disk.kill();
    let (_, model) = look(&disk).unwrap();
    assert_eq!(model.last(), z(0, 4), "5 was cut off");
}
