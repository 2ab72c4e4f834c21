//! Many connections behind one epoll, driven by one thread.

use super::connection::{Connection, Operation, Pending};
use crate::clock::{self, MILLISECOND, SECOND};
use crate::failure::{Failure, Result};
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Room for one read; the largest share of one connection in a turn.
const SCRATCH_BYTES: usize = 256 << 10;
/// Pause before a refused or broken connect is tried again.
const RETRY_PAUSE: u64 = 20 * MILLISECOND;

/// How often sessions that wait for others to open say that they live.
const PING_INTERVAL: u64 = 10 * SECOND;

/// Open connections, numbered from 0.
pub struct Pool {
    pub connections: Vec<Connection>,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    scratch: Vec<u8>,
    /// A lone connection reads blocking, which saves a system call for each request.
    blocking: bool,
}

/// How opening went.
pub struct Opened {
    pub pool: Pool,
    /// Nanoseconds from the first connect to the last session granted.
    pub elapsed: u64,
    /// Connects that failed and were made anew.
    pub retries: u64,
    /// Sessions that did not come in time; their connections have a request in flight, or are broken.
    pub missing: usize,
}

impl Pool {
    /// Opens `count` sessions, at most `window` handshakes at a time, until `patience` is at its end.
    pub fn open(
        server: SocketAddr,
        count: usize,
        window: usize,
        patience: Duration,
    ) -> Result<Opened> {
        let start = clock::now();
        let deadline = start + patience.as_nanos() as u64;
        let mut pool = Pool {
            connections: Vec::with_capacity(count),
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(1024),
            scratch: vec![0; SCRATCH_BYTES],
            blocking: false,
        };
        let (mut open, mut retries) = (0, 0);
        let mut again: VecDeque<(u64, usize)> = VecDeque::new();
        let mut ready = Vec::new();
        let mut next_ping = start + PING_INTERVAL;
        while open < count {
            let handshakes = pool.connections.len() - open - again.len();
            for _ in handshakes..window.min(count - pool.connections.len() + handshakes) {
                let connection = Connection::start(server)?;
                pool.register(&connection, pool.connections.len())?;
                pool.connections.push(connection);
            }
            let now = clock::now();
            if now > deadline {
                break;
            }
            if now > next_ping {
                next_ping = now + PING_INTERVAL;
                pool.ping_idle();
            }
            while let Some(&(due, index)) = again.front() {
                if due > now {
                    break;
                }
                again.pop_front();
                let connection = Connection::start(server)?;
                pool.register(&connection, index)?;
                pool.connections[index] = connection;
            }
            let mut broken = Vec::new();
            if let Err((index, _)) = pool.wait(Some(10 * MILLISECOND), &mut ready) {
                broken.push(index);
                ready.clear();
            }
            for &index in &ready {
                let granted = |_, pending: Pending| {
                    open += usize::from(pending.operation == Operation::Connect);
                };
                if pool.receive(index, granted).is_err() {
                    broken.push(index);
                }
            }
            for index in broken {
                // One that was open already, and was thrown out while others still waited, counts no more.
                open -= usize::from(pool.connections[index].in_flight() == 0);
                retries += 1;
                again.push_back((clock::now() + RETRY_PAUSE, index));
                pool.forget(index);
            }
        }
        Ok(Opened {
            pool,
            elapsed: clock::now() - start,
            retries,
            missing: count - open,
        })
    }

    /// Makes a lone connection block in [`wait`](Pool::wait)'s stead; nothing happens to more than one.
    pub fn prefer_blocking(&mut self) -> Result<()> {
        if let [only] = self.connections.as_slice() {
            only.socket().set_nonblocking(false)?;
            only.socket()
                .set_read_timeout(Some(Duration::from_secs(30)))?;
            self.blocking = true;
        }
        Ok(())
    }

    /// Waits until a connection can be read, for at most `timeout` nanoseconds; writes what had no room before.
    /// An error comes with the number of the connection that broke.
    #[inline]
    pub fn wait(
        &mut self,
        timeout: Option<u64>,
        ready: &mut Vec<usize>,
    ) -> std::result::Result<(), (usize, Failure)> {
        ready.clear();
        if self.blocking {
            ready.push(0);
            return Ok(());
        }
        let timeout = timeout.map(|ns| Timespec {
            tv_sec: (ns / SECOND) as i64,
            tv_nsec: (ns % SECOND) as _,
        });
        self.events.clear();
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut self.events),
            timeout.as_ref(),
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err((0, error.into())),
        }
        for at in 0..self.events.len() {
            let event = self.events[at];
            // Copied out, since the kernel's record is packed.
            let (index, flags) = (event.data.u64() as usize, event.flags);
            if flags.contains(EventFlags::OUT) {
                self.flush(index).map_err(|error| (index, error))?;
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                ready.push(index);
            }
        }
        Ok(())
    }

    /// See [`Connection::receive`].
    #[inline]
    pub fn receive(&mut self, index: usize, report: impl FnMut(u64, Pending)) -> Result<()> {
        self.connections[index].receive(&mut self.scratch, report)
    }

    /// Writes what is queued on a connection, now or as soon as there is room.
    #[inline]
    pub fn flush(&mut self, index: usize) -> Result<()> {
        let connection = &mut self.connections[index];
        let left = connection.flush()?;
        if left != connection.watches_room {
            connection.watches_room = left;
            let flags = if left {
                EventFlags::IN | EventFlags::OUT
            } else {
                EventFlags::IN
            };
            epoll::modify(
                &self.epoll,
                connection.socket(),
                EventData::new_u64(index as u64),
                flags,
            )?;
        }
        Ok(())
    }

    /// Waits until nothing is in flight, for at most `patience`.
    pub fn drain(&mut self, patience: Duration) -> Result<()> {
        let deadline = clock::now() + patience.as_nanos() as u64;
        let mut ready = Vec::new();
        while self
            .connections
            .iter()
            .any(|connection| connection.in_flight() > 0)
        {
            let now = clock::now();
            if now > deadline {
                return Err(Failure::new(format!(
                    "requests unanswered after {patience:?}"
                )));
            }
            self.wait(Some(deadline - now), &mut ready)
                .map_err(|(_, error)| error)?;
            for &index in &ready {
                self.receive(index, |_, _| {})?;
            }
        }
        Ok(())
    }

    /// Closes every session, without insisting.
    pub fn close(mut self) {
        for index in 0..self.connections.len() {
            self.connections[index].close();
            // A connection that fails now is closed as well.
            let _ = self.flush(index);
        }
        let _ = self.drain(Duration::from_secs(2));
    }

    /// Pings on every connection that waits for nothing.
    pub fn ping_idle(&mut self) {
        for index in 0..self.connections.len() {
            if self.connections[index].in_flight() == 0 {
                self.connections[index].ping();
                // If it broke, its next read says so.
                let _ = self.flush(index);
            }
        }
    }

    fn register(&self, connection: &Connection, index: usize) -> Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT;
        Ok(epoll::add(
            &self.epoll,
            connection.socket(),
            EventData::new_u64(index as u64),
            flags,
        )?)
    }

    fn forget(&self, index: usize) {
        // Fails only for a socket that epoll dropped by itself.
        let _ = epoll::delete(&self.epoll, self.connections[index].socket());
    }
}
