//! The floor: a server that speaks just enough of the protocol to be measured, and does nothing.
//!
//! It answers every request with as many bytes as a real answer has, from one thread, without a tree. Given a log
//! it also appends 200 bytes for each write and syncs once for all writes of a turn before it answers. No server on
//! this machine can be expected to do better by much.

use super::mirror::Mirrors;
use super::sync::{LogFile, RECORD};
use crate::client::{DATA_BYTES, MULTI_SETS, wire};
use crate::failure::{Failure, Result};
use rustix::event::epoll::{self, EventData, EventFlags};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;

const LISTENER: u64 = u64::MAX;
const ROOM: usize = 256 << 10;

/// Serves until it is killed.
pub fn serve(listener: TcpListener, log: Option<&Path>, mirrors: Mirrors) -> Result<()> {
    // The standard library asks for a backlog of 128, too little for the storm.
    rustix::net::listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(
        &epoll,
        &listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    let mut server = Echo {
        listener,
        epoll,
        peers: Vec::new(),
        free: Vec::new(),
        watchers: Vec::new(),
        unsynced: 0,
        log: log.map(LogFile::create).transpose()?,
        mirrors,
        scratch: vec![0; ROOM],
    };
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        match epoll::wait(
            &server.epoll,
            rustix::buffer::spare_capacity(&mut events),
            None,
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => server.turn(&events)?,
            Err(error) => return Err(error.into()),
        }
    }
}

struct Echo {
    listener: TcpListener,
    epoll: OwnedFd,
    /// By number; `None` where a connection ended.
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    /// Peers with a watch; there is only one znode to be watched.
    watchers: Vec<usize>,
    /// Bytes of this turn's writes that the log has not synced.
    unsynced: usize,
    log: Option<LogFile>,
    mirrors: Mirrors,
    scratch: Vec<u8>,
}

struct Peer {
    socket: TcpStream,
    open: bool,
    partial: Vec<u8>,
    out: Vec<u8>,
    sent: usize,
    watches_room: bool,
}

impl Echo {
    fn turn(&mut self, events: &[epoll::Event]) -> Result<()> {
        let mut touched = Vec::with_capacity(events.len());
        for event in events {
            match event.data.u64() {
                LISTENER => self.accept()?,
                number => {
                    // Copied out, since the kernel's record is packed.
                    let (number, flags) = (number as usize, event.flags);
                    if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR)
                        && self.read(number).is_err()
                    {
                        self.drop_peer(number);
                    } else {
                        touched.push(number);
                    }
                }
            }
        }
        if self.unsynced > 0 {
            self.mirrors.send(self.unsynced)?;
            if let Some(log) = &mut self.log {
                log.append_and_sync(self.unsynced)?;
            }
            self.mirrors.wait_for_one()?;
            self.unsynced = 0;
            for number in std::mem::take(&mut self.watchers) {
                if let Some(Some(peer)) = self.peers.get_mut(number) {
                    peer.event();
                    touched.push(number);
                }
            }
        }
        for number in touched {
            if self.flush(number).is_err() {
                self.drop_peer(number);
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => {
                    socket.set_nonblocking(true)?;
                    socket.set_nodelay(true)?;
                    let number = self.free.pop().unwrap_or(self.peers.len());
                    epoll::add(
                        &self.epoll,
                        &socket,
                        EventData::new_u64(number as u64),
                        EventFlags::IN,
                    )?;
                    let (partial, out) = (Vec::new(), Vec::new());
                    let peer = Peer {
                        socket,
                        open: false,
                        partial,
                        out,
                        sent: 0,
                        watches_room: false,
                    };
                    match self.peers.get_mut(number) {
                        Some(place) => *place = Some(peer),
                        None => self.peers.push(Some(peer)),
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read(&mut self, number: usize) -> Result<()> {
        let Some(Some(peer)) = self.peers.get_mut(number) else {
            return Ok(());
        };
        let kept = peer.partial.len();
        if kept >= self.scratch.len() {
            return Err(Failure::new("a frame beyond all measure"));
        }
        self.scratch[..kept].copy_from_slice(&peer.partial);
        let read = match peer.socket.read(&mut self.scratch[kept..]) {
            Ok(0) => return Err(Failure::new("closed")),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let bytes = &self.scratch[..kept + read];
        let mut at = 0;
        while let Some(frame) = wire::next_frame(&bytes[at..])? {
            at += 4 + frame.len();
            match peer.answer(frame) {
                Asked::Read => {}
                Asked::Watch => self.watchers.push(number),
                Asked::Write(bytes) => self.unsynced += bytes,
            }
        }
        peer.partial.clear();
        peer.partial.extend_from_slice(&bytes[at..]);
        Ok(())
    }

    fn flush(&mut self, number: usize) -> Result<()> {
        let Some(Some(peer)) = self.peers.get_mut(number) else {
            return Ok(());
        };
        while peer.sent < peer.out.len() {
            match peer.socket.write(&peer.out[peer.sent..]) {
                Ok(written) => peer.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let left = peer.sent < peer.out.len();
        if !left {
            peer.out.clear();
            peer.sent = 0;
        }
        if left != peer.watches_room {
            peer.watches_room = left;
            let flags = if left {
                EventFlags::IN | EventFlags::OUT
            } else {
                EventFlags::IN
            };
            epoll::modify(
                &self.epoll,
                &peer.socket,
                EventData::new_u64(number as u64),
                flags,
            )?;
        }
        Ok(())
    }

    fn drop_peer(&mut self, number: usize) {
        if self.peers.get_mut(number).and_then(Option::take).is_some() {
            self.free.push(number);
        }
    }
}

enum Asked {
    Read,
    Watch,
    /// So many bytes are to be kept.
    Write(usize),
}

impl Peer {
    /// Queues the answer to one frame.
    fn answer(&mut self, frame: &[u8]) -> Asked {
        const STAT: [u8; 68] = [0; 68];
        // Each result has a header, and so has the end.
        const MULTI_ANSWER: [u8; MULTI_SETS * 77 + 9] = [0; MULTI_SETS * 77 + 9];
        if !self.open {
            self.open = true;
            wire::frame(&mut self.out, |out| {
                out.extend_from_slice(&0i32.to_be_bytes());
                out.extend_from_slice(&crate::client::SESSION_TIMEOUT_MS.to_be_bytes());
                out.extend_from_slice(&1i64.to_be_bytes());
                wire::buffer(out, &[0; 16]);
                out.push(0);
            });
            return Asked::Read;
        }
        let xid = wire::i32_at(frame, 0).unwrap_or(0);
        let operation = wire::i32_at(frame, 4).unwrap_or(0);
        wire::frame(&mut self.out, |out| {
            out.extend_from_slice(&xid.to_be_bytes());
            out.extend_from_slice(&[0; 12]);
            match operation {
                wire::op::GET_DATA => {
                    wire::buffer(out, &[0; DATA_BYTES]);
                    out.extend_from_slice(&STAT);
                }
                wire::op::SET_DATA => out.extend_from_slice(&STAT),
                wire::op::MULTI => out.extend_from_slice(&MULTI_ANSWER),
                wire::op::CREATE => wire::buffer(out, b"/bench/d00000/n000000000"),
                _ => {}
            }
        });
        match operation {
            wire::op::SET_DATA | wire::op::CREATE => Asked::Write(RECORD),
            wire::op::MULTI => Asked::Write(frame.len()),
            wire::op::GET_DATA if frame.last() == Some(&1) => Asked::Watch,
            _ => Asked::Read,
        }
    }

    /// Queues the event that data changed.
    fn event(&mut self) {
        wire::frame(&mut self.out, |out| {
            out.extend_from_slice(&wire::XID_EVENT.to_be_bytes());
            out.extend_from_slice(&[255; 8]);
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(&3i32.to_be_bytes());
            out.extend_from_slice(&3i32.to_be_bytes());
            wire::buffer(out, b"/bench/d00000/n000000000");
        });
    }
}
