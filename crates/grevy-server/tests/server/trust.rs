//! What is trusted only if a setting says so: a log without any snapshot, as ZooKeeper 3.4 leaves
//! it, and one without its mark, as a backup may leave it.

use crate::client::Client;
use crate::place::Place;
use grevy_proto::ErrorCode;
use grevy_server::config::{self, Arguments, OnDisk};
use grevy_server::recovery;
use grevy_storage::RealDisk;
use std::fs;
use std::path::Path;
use std::sync::Arc;

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

#[test]
fn a_log_without_its_mark_is_trusted_if_the_operator_says_so() {
    let place = Place::new("lost-mark", "");
    Client::connect(place.address).create("/kept", b"", 0);
    drop(place);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("server-lost-mark");
    let file = directory.join("zoo.cfg");
    let lines = fs::read_to_string(&file).expect("the configuration");
    fs::remove_file(directory.join("data/version-2/grevy.durable")).expect("the mark goes");

    let arguments = Arguments::parse([file.display().to_string()]);
    let loaded = config::load(&arguments, &OnDisk).expect("a good configuration");
    let error = recovery::recover(&loaded.config, Arc::new(RealDisk), 1).map(drop);
    let error = error.expect_err("the mark is missing").to_string();
    assert!(error.contains("grevy.acceptLostMark=true"), "{error}");

    fs::write(&file, format!("{lines}grevy.acceptLostMark=true\n")).expect("a new configuration");
    drop(Place::start(&file));
    fs::write(&file, lines).expect("the old configuration");
    let place = Place::start(&file);
    assert_eq!(Client::connect(place.address).get("/kept"), ErrorCode::Ok);
}
