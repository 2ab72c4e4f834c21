//! Looking at directories without changing them.

mod support;

use grevy_proto::Zxid;
use grevy_storage::mark::MARK_FILE;
use grevy_storage::recovery::Start;
use grevy_storage::testing::MemDisk;
use grevy_storage::{Dirs, Disk, OpenOptions, Recovered, RecoveryError, Store, examine};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use support::*;

fn files(disk: &MemDisk) -> BTreeMap<String, Vec<u8>> {
    let names = disk.list(Path::new(LOGS)).unwrap();
    let content = |name: String| {
        let content = disk.content(Path::new(LOGS).join(&name)).unwrap();
        (name, content)
    };
    names.into_iter().map(content).collect()
}

fn dirs() -> Dirs {
    Dirs::both("/zk")
}

fn look(disk: &MemDisk) -> Result<Recovered, RecoveryError> {
    let options = OpenOptions::default();
    examine(
        Arc::new(disk.clone()),
        &dirs(),
        &options,
        &mut Model::default(),
    )
}

/// What opening would find, without what it does.
#[test]
fn a_look_finds_what_opening_finds_and_changes_nothing() {
    let disk = MemDisk::new();
    disk.put(path("snapshot.0"), &java_snapshot(Zxid(0)));
    let mut torn = java_log((1..=5).map(|n| z(0, n)), 0);
    torn.truncate(torn.len() - 10);
    disk.put(path("log.1"), &torn);
    let before = files(&disk);
    let seen = look(&disk).unwrap();
    assert_eq!(files(&disk), before);
    assert_eq!(seen.start.zxid(), z(0, 4));
    assert_eq!(seen.notes.len(), 1, "{:?}", seen.notes);
    let opened = Store::open(
        Arc::new(disk.clone()),
        dirs(),
        OpenOptions::default(),
        &mut Model::default(),
    );
    assert_eq!(opened.map(|opened| opened.recovered).unwrap(), seen);
    assert!(files(&disk).contains_key(MARK_FILE));
}

#[test]
fn a_look_at_an_empty_directory() {
    let disk = MemDisk::new();
    disk.create_dir(Path::new(LOGS)).unwrap();
    assert_eq!(look(&disk).unwrap().start, Start::Empty);
    assert_eq!(files(&disk), BTreeMap::new());
}
