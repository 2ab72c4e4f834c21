//! The floor beneath an ensemble: what every write costs that three disks must hold, and two before it is answered.
//!
//! The server that clients talk to sends the bytes of a turn's writes to two mirrors, which append and sync them as it
//! does itself, and answers when it and one of them are done. There is no order to keep, no history, nothing to
//! recover: a bound and not a rival.

use super::sync::LogFile;
use crate::failure::{Failure, Result};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

/// How often connecting to a mirror is tried.
const TRIES: u32 = 500;
const PAUSE: Duration = Duration::from_millis(10);

/// Keeps what it is sent, until it is killed.
pub fn serve(listener: &TcpListener, log: &Path) -> Result<()> {
    let mut log = LogFile::create(log)?;
    let (mut leader, _) = listener.accept()?;
    leader.set_nodelay(true)?;
    let mut batch = Vec::new();
    loop {
        let mut length = [0; 4];
        leader.read_exact(&mut length)?;
        batch.resize(u32::from_be_bytes(length) as usize, 0);
        leader.read_exact(&mut batch)?;
        log.append_and_sync(batch.len())?;
        leader.write_all(&[1])?;
    }
}

/// The mirrors of a server.
pub struct Mirrors {
    links: Vec<Link>,
    sent: u64,
    batch: Vec<u8>,
}

struct Link {
    socket: TcpStream,
    /// Batches that it has synced.
    synced: u64,
}

impl Mirrors {
    /// Connects to mirrors that may be about to start.
    pub fn connect(addresses: &[SocketAddr]) -> Result<Mirrors> {
        let links = addresses.iter().map(|&address| {
            let socket = connect(address)?;
            socket.set_nodelay(true)?;
            Ok(Link { socket, synced: 0 })
        });
        Ok(Mirrors {
            links: links.collect::<Result<_>>()?,
            sent: 0,
            batch: Vec::new(),
        })
    }

    /// Sends as many bytes to each.
    pub fn send(&mut self, bytes: usize) -> Result<()> {
        self.sent += 1;
        self.batch.clear();
        self.batch.extend_from_slice(&(bytes as u32).to_be_bytes());
        self.batch.resize(4 + bytes, b'x');
        for link in &mut self.links {
            link.socket.write_all(&self.batch)?;
        }
        Ok(())
    }

    /// Waits until one of them, if there is any, has all that was sent.
    pub fn wait_for_one(&mut self) -> Result<()> {
        if self.links.is_empty() {
            return Ok(());
        }
        while self.links.iter().all(|link| link.synced < self.sent) {
            let mut ready: Vec<PollFd<'_>> = self
                .links
                .iter()
                .map(|link| PollFd::new(&link.socket, PollFlags::IN))
                .collect();
            match poll(&mut ready, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let ready: Vec<bool> = ready.iter().map(|fd| !fd.revents().is_empty()).collect();
            for (link, _) in self.links.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
                let mut words = [0; 64];
                match link.socket.read(&mut words)? {
                    0 => return Err(Failure::new("a mirror has ended")),
                    read => link.synced += read as u64,
                }
            }
        }
        Ok(())
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let mut tries = 1;
    loop {
        match TcpStream::connect(address) {
            Ok(socket) => return Ok(socket),
            Err(error) if tries == TRIES => return Err(error.into()),
            Err(_) => std::thread::sleep(PAUSE),
        }
        tries += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_two_is_enough() {
        let log = std::env::temp_dir().join(format!("grevy-bench-mirror-{}", std::process::id()));
        let good = TcpListener::bind("127.0.0.1:0").unwrap();
        // Takes connections, and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = [&silent, &good].map(|listener| listener.local_addr().unwrap());
        let path = log.clone();
        let served = std::thread::spawn(move || serve(&good, &path));
        let mut mirrors = Mirrors::connect(&addresses).unwrap();
        for bytes in [0, 1, 5_000] {
            mirrors.send(bytes).unwrap();
            mirrors.wait_for_one().unwrap();
        }
        assert_eq!(mirrors.links[1].synced, 3);
        drop(mirrors);
        // Its leader is gone.
        assert!(served.join().unwrap().is_err());
        std::fs::remove_file(log).unwrap();
    }
}
