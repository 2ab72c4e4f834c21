//! A non-blocking connection with any number of requests in flight.

use super::wire;
use crate::clock;
use crate::failure::{Failure, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Bytes of data in every znode of the benchmark.
pub const DATA_BYTES: usize = 100;
/// Sets in one multi.
pub const MULTI_SETS: usize = 10;
/// Bytes of an encoded `Stat`.
const STAT_BYTES: usize = 68;
/// Bytes before each result of a multi, and at its end.
const MULTI_HEADER_BYTES: usize = 9;

/// What a request in flight was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The session's handshake.
    Connect,
    Get,
    Set,
    /// [`MULTI_SETS`] sets at once.
    Multi,
    Create,
    /// A create that may find the znode present.
    Fill,
    /// A read of a znode with any data.
    Probe,
    Close,
    /// Not a request: a watch event from the server.
    Event,
}

/// A request in flight.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// When it was, or ought to have been, sent; see [`clock::now`].
    pub start: u64,
    pub operation: Operation,
    xid: i32,
}

/// One session over one socket. Requests are queued by the methods named after them and leave with [`flush`].
///
/// [`flush`]: Connection::flush
pub struct Connection {
    socket: TcpStream,
    out: Vec<u8>,
    /// How much of `out` the socket has taken.
    sent: usize,
    /// The beginning of a frame whose end has not come.
    partial: Vec<u8>,
    pending: VecDeque<Pending>,
    next_xid: i32,
    /// Whether epoll reports room for writing; kept here for the pool.
    pub(super) watches_room: bool,
}

impl Connection {
    /// Starts to connect and queues the handshake.
    pub fn start(server: SocketAddr) -> Result<Connection> {
        let family = if server.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        match rustix::net::connect(&socket, &server) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let socket = TcpStream::from(socket);
        socket.set_nodelay(true)?;
        let mut connection = Connection {
            socket,
            out: Vec::new(),
            sent: 0,
            partial: Vec::new(),
            pending: VecDeque::new(),
            next_xid: 1,
            watches_room: true,
        };
        wire::connect(&mut connection.out, super::SESSION_TIMEOUT_MS);
        connection.expect(Operation::Connect, clock::now());
        Ok(connection)
    }

    #[inline]
    pub fn get(&mut self, path: &[u8], start: u64) {
        let xid = self.expect(Operation::Get, start);
        wire::get(&mut self.out, xid, path, false);
    }

    /// Reads data and leaves a watch.
    pub fn get_and_watch(&mut self, path: &[u8], start: u64) {
        let xid = self.expect(Operation::Get, start);
        wire::get(&mut self.out, xid, path, true);
    }

    #[inline]
    pub fn set(&mut self, path: &[u8], data: &[u8], start: u64) {
        let xid = self.expect(Operation::Set, start);
        wire::set(&mut self.out, xid, path, data);
    }

    /// All of `paths` get `data` at once; there must be [`MULTI_SETS`] of them.
    #[inline]
    pub fn multi(&mut self, paths: impl Iterator<Item = [u8; 24]>, data: &[u8], start: u64) {
        let xid = self.expect(Operation::Multi, start);
        let begun = wire::begin_multi(&mut self.out, xid);
        paths.for_each(|path| wire::set_in_multi(&mut self.out, &path, data));
        wire::end_multi(&mut self.out, begun);
    }

    /// `operation` is `Create` or `Fill`.
    #[inline]
    pub fn create(&mut self, operation: Operation, path: &[u8], data: &[u8], start: u64) {
        let xid = self.expect(operation, start);
        wire::create(&mut self.out, xid, path, data);
    }

    /// Reads data of any length.
    pub fn probe(&mut self, path: &[u8]) {
        let xid = self.expect(Operation::Probe, clock::now());
        wire::get(&mut self.out, xid, path, false);
    }

    /// Keeps the session alive; its answer is not reported.
    pub fn ping(&mut self) {
        wire::ping(&mut self.out);
    }

    pub fn close(&mut self) {
        let xid = self.expect(Operation::Close, clock::now());
        wire::close(&mut self.out, xid);
    }

    /// Requests whose answers have not come.
    #[inline]
    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Hands what is queued to the socket; says whether something is left because the socket is full.
    #[inline]
    pub fn flush(&mut self) -> Result<bool> {
        while self.sent < self.out.len() {
            match self.socket.write(&self.out[self.sent..]) {
                Ok(0) => return Err(Failure::new("the socket takes no more bytes")),
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A non-blocking connect that has not finished.
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        self.sent = 0;
        Ok(false)
    }

    /// Reads once and reports every reply and event that is complete, with the time at which it was read.
    ///
    /// `scratch` is room for reading, shared by all connections; the length of it bounds one turn.
    #[inline]
    pub fn receive(
        &mut self,
        scratch: &mut [u8],
        mut report: impl FnMut(u64, Pending),
    ) -> Result<()> {
        let kept = self.partial.len();
        if kept >= scratch.len() {
            return Err(Failure::new("the server sent a frame beyond all measure"));
        }
        scratch[..kept].copy_from_slice(&self.partial);
        let read = match self.socket.read(&mut scratch[kept..]) {
            Ok(0) => return Err(Failure::new("the server closed the connection")),
            Ok(read) => read,
            Err(error)
                if error.kind() == ErrorKind::WouldBlock
                    || error.kind() == ErrorKind::Interrupted =>
            {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let now = clock::now();
        let bytes = &scratch[..kept + read];
        let mut at = 0;
        while let Some(frame) = wire::next_frame(&bytes[at..])? {
            at += 4 + frame.len();
            if let Some(answered) = self.answer(frame)? {
                report(now, answered);
            }
        }
        self.partial.clear();
        self.partial.extend_from_slice(&bytes[at..]);
        Ok(())
    }

    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    #[inline]
    fn expect(&mut self, operation: Operation, start: u64) -> i32 {
        let xid = self.next_xid;
        self.next_xid = if xid == i32::MAX { 1 } else { xid + 1 };
        self.pending.push_back(Pending {
            start,
            operation,
            xid,
        });
        xid
    }

    /// Finds what a frame answers and checks that it is the right answer. `None` for a ping's.
    #[inline]
    fn answer(&mut self, frame: &[u8]) -> Result<Option<Pending>> {
        if self
            .pending
            .front()
            .is_some_and(|pending| pending.operation == Operation::Connect)
        {
            if wire::granted_timeout(frame)? <= 0 {
                return Err(Failure::new("the server refused a new session"));
            }
            return Ok(self.pending.pop_front());
        }
        let reply = wire::Reply::decode(frame)?;
        match reply.xid {
            wire::XID_EVENT => {
                return Ok(Some(Pending {
                    start: 0,
                    operation: Operation::Event,
                    xid: reply.xid,
                }));
            }
            wire::XID_PING => return Ok(None),
            _ => {}
        }
        let Some(pending) = self.pending.pop_front() else {
            return Err(Failure::new(format!(
                "the server answered xid {}, which nobody asked",
                reply.xid
            )));
        };
        if pending.xid != reply.xid {
            let expected = pending.xid;
            return Err(Failure::new(format!(
                "the server answered xid {} when {expected} was due",
                reply.xid
            )));
        }
        let body = reply.body.len();
        let right = match pending.operation {
            Operation::Get => reply.err == 0 && body == 4 + DATA_BYTES + STAT_BYTES,
            Operation::Set => reply.err == 0 && body == STAT_BYTES,
            Operation::Multi => {
                let results = MULTI_SETS * (MULTI_HEADER_BYTES + STAT_BYTES);
                reply.err == 0 && body == results + MULTI_HEADER_BYTES
            }
            Operation::Fill => reply.err == 0 || reply.err == wire::ERR_NODE_EXISTS,
            _ => reply.err == 0,
        };
        if right {
            return Ok(Some(pending));
        }
        let (operation, err) = (pending.operation, reply.err);
        Err(Failure::new(format!(
            "{operation:?} was answered with error {err} and {body} bytes"
        )))
    }
}
