//! Sessions over real time.

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
