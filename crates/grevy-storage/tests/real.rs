//! The same on the file system of the machine.

mod support;

use grevy_proto::Zxid;
use grevy_storage::{Compression, Dirs, RealDisk, Store};
use std::sync::Arc;
use support::*;

#[test]
fn a_server_on_a_real_disk() {
    let root = std::env::temp_dir().join(format!("grevy-store-{}", std::process::id()));
    let dirs = Dirs {
        data: root.join("data"),
        log: root.join("log"),
    };
    let open = || {
        let mut model = Model::default();
        let disk = Arc::new(RealDisk);
        let opened = Store::open(disk, dirs.clone(), options(), &mut model);
        opened.map(|opened| (opened, model))
    };
    let (mut opened, _) = open().unwrap();
    snapshot(&opened.store, Zxid(0)).unwrap();
    for n in 1..100 {
        append(&mut opened.log, [z(0, n)]);
        opened.log.commit().unwrap();
    }
    opened.log.roll().unwrap();
    let mut writer = opened.store.snapshot(z(0, 99), Compression::Gzip).unwrap();
    writer.write(&body(z(0, 99))).unwrap();
    writer
        .finish(grevy_storage::snapshot::Trailers::None)
        .unwrap();
    append(&mut opened.log, [z(0, 100)]);
    opened.log.commit().unwrap();
    let refused = open().err().unwrap().to_string();
    assert!(
        refused.contains(&std::process::id().to_string()),
        "{refused}"
    );
    drop(opened);

    let (opened, model) = open().unwrap();
    assert_eq!((model.base, model.last()), (Some(z(0, 99)), z(0, 100)));
    assert!(opened.store.purge(3).unwrap().removed.is_empty());
    drop(opened);
    std::fs::remove_dir_all(root).unwrap();
}
