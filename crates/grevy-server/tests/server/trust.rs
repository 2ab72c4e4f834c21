//! A log without any snapshot, as ZooKeeper 3.4 leaves it.

use crate::client::Client;
use crate::place::Place;
use grevy_proto::ErrorCode;
use std::fs;
use std::path::Path;

#[test]
fn trust_is_needed_once() {
    let place = Place::new("trust", "");
    Client::connect(place.address).create("/kept", b"", 0);
    drop(place);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("server-trust");
    let file = directory.join("zoo.cfg");
    let lines = fs::read_to_string(&file).expect("the configuration");
    let snapshots = || {
        let entries = fs::read_dir(directory.join("data/version-2")).expect("the data");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let is_snapshot = |path: &std::path::PathBuf| path.to_string_lossy().contains("snapshot.");
        paths.filter(is_snapshot).collect::<Vec<_>>()
    };
    for snapshot in snapshots() {
        fs::remove_file(snapshot).expect("the snapshot goes");
    }

    fs::write(&file, format!("{lines}snapshot.trust.empty=true\n")).expect("a new configuration");
    drop(Place::start(&file));
    assert_eq!(snapshots().len(), 1);

    fs::write(&file, lines).expect("the old configuration");
    let place = Place::start(&file);
    assert_eq!(Client::connect(place.address).get("/kept"), ErrorCode::Ok);
}
