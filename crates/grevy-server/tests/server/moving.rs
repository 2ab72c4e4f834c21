//! Reconfigurations that move the ports of a server.

use crate::client::Client;
use crate::place::Place;
use crate::ports::ports;
use grevy_proto::ErrorCode;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

const LINES: &str = "initLimit=10\nsyncLimit=5\nstandaloneEnabled=false\nreconfigEnabled=true\n\
                     skipACL=yes\n";

fn free<const N: usize>() -> [SocketAddr; N] {
    ports().map(|port| (Ipv4Addr::LOCALHOST, port).into())
}

fn is_open(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}

fn is_closed(address: SocketAddr) -> bool {
    let refused = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
    TcpStream::connect(address).is_err_and(refused)
}

fn line(quorum: SocketAddr, election: SocketAddr, client: SocketAddr) -> String {
    format!(
        "server.1=127.0.0.1:{}:{}:participant;{client}",
        quorum.port(),
        election.port()
    )
}

#[test]
fn ports_move_and_connections_stay() {
    let [q1, e1, q2, e2, c2] = free();
    let server = format!("server.1=127.0.0.1:{}:{}\n", q1.port(), e1.port());
    let place = Place::member("moving", &format!("{LINES}{server}"));
    place.wait_until(|| place.shared.not_serving().is_none(), "it leads");
    let c1 = place.address;
    let mut client = Client::connect(c1);
    // It stays where it is, unless it can be where it is to be.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let c3 = taken.local_addr().expect("it is bound");
    assert_eq!(client.reconfigure(&line(q1, e1, c3)), ErrorCode::Ok);
    let wanted = || place.shared.client_port.wanted();
    place.wait_until(|| wanted().is_some_and(|w| w.port == c3.port()), "it knows");
    assert_eq!(client.reconfigure(&line(q2, e2, c2)), ErrorCode::Ok);
    for address in [c2, q2, e2] {
        place.wait_until(|| is_open(address), "it listens at the new port");
    }
    for address in [c1, q1, e1] {
        place.wait_until(|| is_closed(address), "the old port is closed");
    }
    client.create("/on-the-old-connection", b"", 0);
    let mut other = Client::connect(c2);
    assert_eq!(other.get("/on-the-old-connection"), ErrorCode::Ok);
    assert_eq!(client.reconfigure(&line(q2, e2, c3)), ErrorCode::Ok);
    place.wait_until(|| wanted().is_some_and(|w| w.port == c3.port()), "it knows");
    client.create("/behind", b"", 0);
    assert!(is_open(c2), "the new port is taken, and the old one stays");
}

#[test]
fn without_an_address_for_clients_none_are_served() {
    let [quorum, election, client] = free();
    let name = "moving-away";
    let line = line(quorum, election, client);
    let place = Place::unnamed(name, &format!("{LINES}{line}\n"));
    place.wait_until(|| place.shared.not_serving().is_none(), "it leads");
    let mut client = Client::connect(place.address);
    let (without, _) = line.split_once(';').expect("there is an address");
    assert_eq!(client.reconfigure(without), ErrorCode::Ok);
    client.wait_for_end();
    place.wait_until(|| is_closed(place.address), "the port is closed");
}
