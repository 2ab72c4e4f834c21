//! Clients that are slow, broken or no ZooKeeper clients at all. None of them may disturb the
//! others, or keep what is theirs for ever.

use crate::client::{Client, connect_frame, wait_for_end};
use crate::place::Place;
use grevy_proto::reply::ReplyHeader;
use grevy_proto::{Decode, ErrorCode, OpCode, Reader};
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Long paths fill buffers soonest.
const LONG: usize = 8000;

fn long_path() -> String {
    format!("/{}", "long".repeat(LONG / 4))
}

#[test]
fn what_is_no_connect_request_ends_its_connection() {
    let place = Place::new("garbage", "");
    let connect = connect_frame(Duration::from_secs(20));
    for garbage in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"\0\0\0\0".to_vec(),
        b"\0\0\0\x01x".to_vec(),
        b"\xff\xff\xff\xff".to_vec(),
        b"\x7f\xff\xff\xff".to_vec(),
        b"\x80\0\0\0".to_vec(),
        [&[0, 0, 0, 28], &connect[4..32]].concat(),
    ] {
        let mut stream = TcpStream::connect(place.address).expect("the port is open");
        stream.write_all(&garbage).expect("the server takes it");
        wait_for_end(stream);
    }
    assert_eq!(Client::connect(place.address).get("/"), ErrorCode::Ok);
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    let place = Place::new("silence", "nio.sessionlessCnxnTimeout=50\n");
    let connect = connect_frame(Duration::from_secs(20));
    for start in [&b""[..], b"ru", b"\0\0\0\x2d", &connect[..40]] {
        let mut stream = TcpStream::connect(place.address).expect("the port is open");
        stream.write_all(start).expect("the server takes it");
        wait_for_end(stream);
    }
    place.wait_for_the_last_connection_to_end();
}

#[test]
fn bytes_may_come_one_by_one() {
    let place = Place::new("bytes", "");
    let mut stream = TcpStream::connect(place.address).expect("the port is open");
    stream.set_nodelay(true).expect("an option of sockets");
    let frames = [
        connect_frame(Duration::from_secs(20)),
        Client::set_frame("/zookeeper", b"x"),
        Client::get_frame("/zookeeper"),
    ];
    for byte in frames.concat() {
        stream.write_all(&[byte]).expect("the server takes it");
    }
    let mut client = Client::connected(stream);
    for _ in 0..2 {
        let answer = client.receive();
        let reply = ReplyHeader::decode(&mut Reader::new(&answer)).expect("a reply");
        assert_eq!(reply.err, 0);
    }
}

#[test]
fn who_does_not_read_events_is_cut_off() {
    let place = Place::new("deaf", "nio.sessionlessCnxnTimeout=50\n");
    let path = long_path();
    let mut deaf = Client::connect(place.address);
    let mut other = Client::connect(place.address);
    other.create(&path, b"", 0);
    deaf.watch_on(&path);
    let set = Client::set_frame(&path, b"");
    let mut reader = other.stream.try_clone().expect("a second handle");
    let drain = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    // More than a server keeps for a client, and two sockets' buffers hold.
    for _ in 0..(48 << 20) / LONG {
        other.stream.write_all(&set).expect("the server takes it");
    }
    let cut_off = || place.shared.clients.len() < 2;
    place.wait_until(cut_off, "the client is cut off");
    other.stream.shutdown(Shutdown::Both).ok();
    assert!(drain.join().is_ok());
    assert_eq!(Client::connect(place.address).get(&path), ErrorCode::Ok);
    drop(deaf);
}

#[test]
fn a_session_expires_though_its_client_does_not_read() {
    let place = Place::new("stuck", "tickTime=100\nnio.sessionlessCnxnTimeout=50\n");
    let mut other = Client::connect(place.address);
    other.create("/big", &vec![0; 1 << 19], 0);
    other.watch(OpCode::Exists, "/e");
    let mut stuck = Client::connect_for(place.address, Duration::from_millis(300));
    stuck.create("/e", b"", 1);
    assert_eq!(other.event(), "/e");
    other.watch(OpCode::Exists, "/e");
    let get = Client::get_frame("/big");
    stuck
        .stream
        .write_all(&get.repeat(100))
        .expect("the server takes it");
    assert_eq!(other.event(), "/e");
    drop(other);
    place.wait_for_the_last_connection_to_end();
    drop(stuck);
}
