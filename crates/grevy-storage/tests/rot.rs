//! No rot of acknowledged transactions shortens the history without a word (P30).

mod support;

use grevy_proto::Zxid;
use grevy_storage::mark::MARK_FILE;
use grevy_storage::recovery::RecoveryError;
use grevy_storage::testing::{MemDisk, SECTOR};
use std::path::Path;
use support::*;

const LAST: u32 = 7;

/// Transactions in three files: one closed in the middle of an epoch, one at the end of it.
fn scene() -> MemDisk {
    let (disk, mut opened) = begun();
    let log = &mut opened.log;
    for (batch, roll) in [
        (vec![z(0, 1), z(0, 2)], true),
        (vec![z(0, 3)], false),
        (vec![z(0, 4)], true),
        (vec![z(1, 1), z(1, 2)], false),
        (vec![z(1, 3)], false),
    ] {
        append(log, batch);
        log.commit().unwrap();
        if roll {
            log.roll().unwrap();
        }
    }
    opened.log.close().unwrap();
    opened.epochs.set_accepted(grevy_proto::Epoch(1)).unwrap();
    opened.epochs.set_current(grevy_proto::Epoch(1)).unwrap();
    disk.kill();
    disk
}

/// What became of a rotten disk: nothing lost, or refused with the name of a rotten file.
fn check(rotten: &MemDisk, path: &Path, what: &str) -> bool {
    match look(rotten) {
        Ok((recovered, model)) => {
            assert_eq!(recovered.start.zxid(), z(1, 3), "{what}: {recovered:?}");
            assert_eq!(model.txns.len(), LAST as usize, "{what}");
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(path.to_str().unwrap()), "{what}: {text}");
            if let RecoveryError::Log { offset, .. } = error {
                assert!(text.contains(&offset.to_string()), "{what}: {text}");
            }
            false
        }
    }
}

#[test]
fn the_scene_is_as_described() {
    let disk = scene();
    let logs: Vec<_> = disk.files();
    for name in ["log.1", "log.3", "log.100000001", MARK_FILE] {
        assert!(logs.iter().any(|(file, _)| *file == path(name)), "{name}");
    }
    check(&disk, &path("log.1"), "no rot");
}

#[test]
fn any_flipped_bit_of_a_log_is_refused_or_harmless() {
    let disk = scene();
    for name in ["log.1", "log.3", "log.100000001"] {
        let file = path(name);
        let content = disk.content(&file).unwrap();
        let records = 1 + content.iter().rposition(|&byte| byte == 0x42).unwrap();
        for bit in 0..content.len() * 8 {
            // Of the zeros behind the end, some.
            if bit / 8 >= records + 40 && bit % 97 != 0 {
                continue;
            }
            let rotten = disk.fork();
            rotten.flip_bit(&file, bit);
            let harmless = check(&rotten, &file, &format!("{name} bit {bit}"));
            // Version and id in the header mean nothing to anybody; nor do zeros behind the end.
            let meaningless = (4..16).contains(&(bit / 8)) || bit / 8 >= records;
            assert_eq!(harmless, meaningless, "{name} bit {bit}");
        }
    }
}

#[test]
fn any_zeroed_sector_is_refused_or_harmless() {
    let disk = scene();
    for (file, len) in disk.files() {
        for sector in 0..(len as usize).div_ceil(SECTOR) {
            let rotten = disk.fork();
            rotten.zero_sector(&file, sector);
            check(&rotten, &file, &format!("{} {sector}", file.display()));
        }
    }
}

#[test]
fn any_flipped_bit_of_a_small_file_is_refused_or_harmless() {
    let disk = scene();
    for name in [MARK_FILE, "currentEpoch", "acceptedEpoch", "snapshot.0"] {
        let file = path(name);
        let content = disk.content(&file).unwrap();
        for bit in 0..content.len() * 8 {
            // Of the zeros between the parts of the mark file, some.
            if content[bit / 8] == 0 && name == MARK_FILE && bit % 97 != 0 {
                continue;
            }
            let rotten = disk.fork();
            rotten.flip_bit(&file, bit);
            check(&rotten, &file, &format!("{name} bit {bit}"));
        }
    }
}

#[test]
fn any_truncated_or_lost_file_is_refused_or_harmless() {
    let disk = scene();
    for (file, len) in disk.files() {
        let lost = disk.fork();
        lost.lose(&file);
        let name = file.file_name().unwrap().to_str().unwrap();
        match look(&lost) {
            Ok((recovered, _)) => assert_eq!(recovered.start.zxid(), z(1, 3), "{name} lost"),
            // With the only snapshot gone, the directory is what can be named.
            Err(error) => assert!(
                error.to_string().contains(name) || name == "snapshot.0",
                "{name} lost: {error}"
            ),
        }
        for keep in 0..len as usize {
            if keep > 100 && name == MARK_FILE && keep % 97 != 0 {
                continue;
            }
            let rotten = disk.fork();
            rotten.rot(&file, |data| data.truncate(keep));
            let what = format!("{name} cut at {keep}");
            match look(&rotten) {
                Ok((recovered, _)) => assert_eq!(recovered.start.zxid(), z(1, 3), "{what}"),
                Err(error) => assert!(
                    error.to_string().contains(name) || name == "snapshot.0",
                    "{what}: {error}"
                ),
            }
        }
    }
}

#[test]
fn an_older_snapshot_stands_in_for_a_rotten_one() {
    let disk = filled(4);
    let (mut opened, _) = open(&disk).unwrap();
    opened.log.roll().unwrap();
    snapshot(&opened.store, z(0, 4)).unwrap();
    append(&mut opened.log, [z(0, 5)]);
    opened.log.close().unwrap();
    disk.kill();
    let file = path("snapshot.4");
    for bit in 0..disk.content(&file).unwrap().len() * 8 {
        let rotten = disk.fork();
        rotten.flip_bit(&file, bit);
        let (recovered, model) = look(&rotten).unwrap();
        assert_eq!(recovered.start.zxid(), z(0, 5));
        let text = bit / 8 == disk.content(&file).unwrap().len() - 1;
        let header = (4..16).contains(&(bit / 8));
        if !text && !header {
            assert_eq!(model.base, Some(Zxid(0)), "bit {bit}");
        }
    }
}
