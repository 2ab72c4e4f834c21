//! Limits: of frames, of connections.

use crate::client::Client;
use crate::place::Place;
use grevy_proto::ErrorCode;
use grevy_server::config::{self, Arguments, OnDisk};
use grevy_server::recovery;
use grevy_storage::RealDisk;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

/// What a setData of "/a" has besides the data: header, path, length, version.
const AROUND: usize = 8 + 6 + 4 + 4;

#[test]
fn a_frame_may_be_as_long_as_jute_maxbuffer() {
    let place = Place::new("frames", "jute.maxbuffer=100000\n");
    let mut client = Client::connect(place.address);
    client.create("/a", b"", 0);
    let frame = Client::set_frame("/a", &vec![1; 100_000 - AROUND]);
    assert_eq!(frame.len(), 4 + 100_000);
    client
        .stream
        .write_all(&frame)
        .expect("the server takes it");
    assert_eq!(client.get("/a"), ErrorCode::Ok);
    // What came before a frame that is too long still counts.
    let small = Client::set_frame("/a", b"before");
    let frame = Client::set_frame("/a", &vec![2; 100_000 - AROUND + 1]);
    let both = [small, frame].concat();
    // The connection may end before all is sent.
    let _ = client.stream.write_all(&both);
    client.wait_for_end();
    let mut client = Client::connect(place.address);
    client.sync();
    let tree = place.shared.tree.read();
    let data = tree.get("/a").and_then(|znode| znode.data());
    assert_eq!(data.map(<[u8]>::len), Some(b"before".len()));
}

#[test]
fn the_log_takes_and_gives_back_what_jute_maxbuffer_lets_in() {
    const RAISED: &str = "jute.maxbuffer=4000000\n";
    let long = vec![7; 4_000_000 - AROUND];
    let place = Place::new("long-entries", RAISED);
    let mut client = Client::connect(place.address);
    client.create("/a", b"", 0);
    assert_eq!(client.set("/a", &long), ErrorCode::Ok);
    assert_eq!(client.set("/a", &long), ErrorCode::Ok);
    client.create("/last", b"", 0);
    drop(place);

    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("server-long-entries");
    let file = directory.join("zoo.cfg");
    let raised = fs::read_to_string(&file).expect("the configuration");
    fs::write(&file, raised.replace(RAISED, "")).expect("a new configuration");
    let arguments = Arguments::parse([file.display().to_string()]);
    let loaded = config::load(&arguments, &OnDisk).expect("a good configuration");
    let disk = Arc::new(RealDisk);
    let error = recovery::recover(&loaded.config, disk, 1).map(drop);
    let error = error.expect_err("it is too long").to_string();
    assert!(error.contains("set jute.maxbuffer to 40000"), "{error}");

    fs::write(&file, raised).expect("the old configuration");
    let place = Place::start(&file);
    assert_eq!(Client::connect(place.address).get("/last"), ErrorCode::Ok);
    let tree = place.shared.tree.read();
    let data = tree.get("/a").and_then(|znode| znode.data());
    assert!(data == Some(&*long));
}

#[test]
fn connections_of_one_address_are_counted() {
    let place = Place::new("connections", "maxClientCnxns=3\n");
    let mut clients: Vec<_> = (0..3).map(|_| Client::connect(place.address)).collect();
    let refused = TcpStream::connect(place.address).expect("the port is open");
    crate::client::wait_for_end(refused);
    drop(clients.pop());
    place.wait_until(|| place.shared.clients.len() < 3, "the connection ends");
    assert_eq!(Client::connect(place.address).get("/"), ErrorCode::Ok);
}
