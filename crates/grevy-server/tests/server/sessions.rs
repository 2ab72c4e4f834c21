//! Sessions over real time, and znodes that go with it.

use crate::client::Client;
use crate::place::Place;
use grevy_proto::{ErrorCode, OpCode};
use std::time::{Duration, Instant};

#[test]
fn who_is_not_heard_of_loses_the_session_and_its_znodes() {
    let place = Place::new("expiry", "tickTime=50\n");
    let timeout = Duration::from_millis(200);
    let mut silent = Client::connect_for(place.address, timeout);
    let mut watcher = Client::connect(place.address);
    silent.create("/e", b"", 1);
    let start = Instant::now();
    watcher.watch(OpCode::Exists, "/e");
    assert_eq!(watcher.event(), "/e");
    // Never sooner than promised; how much later is up to the machine.
    assert!(start.elapsed() > timeout / 2);
    silent.wait_for_end();
    assert_eq!(watcher.get("/e"), ErrorCode::NoNode);
}

/// Between two ticks as well.
#[test]
fn containers_are_looked_for_as_often_as_is_said() {
    let arguments = [
        "-Dznode.container.checkIntervalMs=1",
        "-Dznode.container.maxNeverUsedIntervalMs=1",
    ];
    let place = Place::with_arguments("containers", "tickTime=300000\n", &arguments);
    let mut client = Client::connect(place.address);
    client.create_container("/c");
    let is_gone = || place.shared.tree.read().get("/c").is_none();
    place.wait_until(is_gone, "the container goes");
}
