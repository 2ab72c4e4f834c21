//! A server that listens everywhere: by IPv4 and IPv6, as the Java server does.

use crate::place::{Place, exchange};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

#[test]
fn clients_of_either_kind_of_address_are_served() {
    for lines in [
        "clientPort=0\n",
        "clientPort=0\nclientPortAddress=0.0.0.0\n",
        "clientPort=0\nclientPortAddress=::\n",
    ] {
        let lines = format!("{lines}4lw.commands.whitelist=*\nadmin.serverAddress=0.0.0.0\n");
        let place = Place::unnamed("every-address", &lines);
        let admin = place.admin.expect("an admin port").port();
        let mut hosts: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into()];
        // There are machines without IPv6.
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            hosts.push(Ipv6Addr::LOCALHOST.into());
        }
        for host in hosts {
            let told = exchange((host, place.address.port()).into(), b"cons");
            // The client's own address, as it knows it itself.
            let shown = match host {
                IpAddr::V4(_) => "/127.0.0.1:",
                IpAddr::V6(_) => "/[0:0:0:0:0:0:0:1]:",
            };
            assert!(told.contains(shown), "{lines}: {told} does not say {shown}");
            let request = b"GET /commands/ruok HTTP/1.0\r\n\r\n";
            let answer = exchange((host, admin).into(), request);
            assert!(answer.starts_with("HTTP/1.0 200"), "{lines}: {answer}");
        }
    }
}
