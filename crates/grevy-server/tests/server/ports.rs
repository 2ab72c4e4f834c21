//! Ports for servers that must be told where to listen.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that systems give to whoever asks for any port: one of these would be given to some
/// other socket between its choice and the server's start.
const PORTS: Range<u16> = 12_000..20_000;

/// How many this process has looked at.
static LOOKED_AT: AtomicU16 = AtomicU16::new(0);

/// Ports on which nobody listens, and which this process has not handed out before.
pub fn ports<const N: usize>() -> [u16; N] {
    std::array::from_fn(|_| port())
}

fn port() -> u16 {
    let count = PORTS.end - PORTS.start;
    // Processes at the same time begin in different places.
    let first = (std::process::id() * 61 % u32::from(count)) as u16;
    for _ in 0..count {
        let looked_at = LOOKED_AT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + (first + looked_at % count) % count;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}
