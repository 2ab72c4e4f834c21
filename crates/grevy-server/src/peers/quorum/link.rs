//! One connection of the quorum port: packets both ways, and snapshots between them.
//!
//! Packets are encoded into the link's output by whoever the node's lock has let in, and sent by
//! that thread as far as the socket takes them; the link's task sends the rest. What comes in is
//! read by the task, and handed to the node as a batch for each read.

use super::snapshot_out;
use grevy_proto::quorum::Packet;
use grevy_proto::{Encode, Zxid};
use grevy_storage::Store;
use grevy_zab::LinkId;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What may wait to be sent before the other end is taken for lost, in bytes.
const MAX_QUEUED: usize = 256 << 20;
/// What may wait behind a snapshot: the other end is alive as long as it takes that, and if it was
/// cut off, it would have to begin anew.
const MAX_BEHIND_SNAPSHOT: usize = 1 << 30;
/// Output is held in pieces of about this many bytes, so that little has to be moved as it grows.
const PIECE: usize = 128 << 10;
/// Room behind a piece's end for most of the packet that exceeds it, in bytes.
const MARGIN: usize = 16 << 10;
/// So many empty pieces are kept for what is to be sent next.
const SPARE: usize = 4;
/// How long a link that was hung up has to send what is queued, and the other end to close.
const LINGER: Duration = Duration::from_secs(1);

/// A connection, as every thread may reach it.
#[derive(Debug)]
pub struct Link {
    id: LinkId,
    address: SocketAddr,
    /// Whether this server has dialled, as a learner does.
    dialled: bool,
    out: Mutex<Out>,
    socket: OwnedWriteHalf,
    /// The task has something to send or to end.
    woken: Notify,
    hung_up: Notify,
    ear: Mutex<Ear>,
    ear_changed: Notify,
}

/// What is to be sent.
#[derive(Debug)]
struct Out {
    pieces: VecDeque<Piece>,
    /// Empty pieces to be filled next.
    spare: Vec<Vec<u8>>,
    /// Bytes of the first piece that are sent.
    sent: usize,
    /// Bytes that wait, and how many may.
    queued: usize,
    limit: usize,
    /// The task sends a snapshot; nothing else may come between.
    is_streaming: bool,
    /// Nothing more is to be sent than what is queued.
    is_ending: bool,
    /// More waits than a server that is alive would let.
    is_over: bool,
}

#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    Snapshot(Zxid),
}

/// When the other end was heard last, and how long it may be silent.
#[derive(Debug)]
struct Ear {
    heard: Instant,
    patience: Duration,
}

/// How a try to send went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    All,
    /// The socket takes no more for now.
    Some,
    /// What comes next is a snapshot, which is up to the caller.
    UpTo(Zxid),
}

impl Default for Out {
    fn default() -> Self {
        Self {
            pieces: VecDeque::new(),
            spare: Vec::new(),
            sent: 0,
            queued: 0,
            limit: MAX_QUEUED,
            is_streaming: false,
            is_ending: false,
            is_over: false,
        }
    }
}

impl Out {
    /// Once a snapshot is gone, and as little waits as usual, it has to stay so.
    fn restore_limit(&mut self) {
        let is_snapshot = |piece: &Piece| matches!(piece, Piece::Snapshot(_));
        if self.limit != MAX_QUEUED
            && self.queued <= MAX_QUEUED
            && !self.pieces.iter().any(is_snapshot)
        {
            self.limit = MAX_QUEUED;
        }
    }

    /// The first piece is sent. Its room is kept for what comes next.
    fn take_sent(&mut self) {
        self.sent = 0;
        if let Some(Piece::Bytes(mut bytes)) = self.pieces.pop_front()
            && bytes.capacity() <= 2 * PIECE
            && self.spare.len() < SPARE
        {
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}

impl Link {
    pub(super) fn new(
        id: LinkId,
        socket: OwnedWriteHalf,
        address: SocketAddr,
        dialled: bool,
        patience: Duration,
    ) -> Self {
        Self {
            id,
            address,
            dialled,
            out: Mutex::default(),
            socket,
            woken: Notify::new(),
            hung_up: Notify::new(),
            ear: Mutex::new(Ear {
                heard: Instant::now(),
                patience,
            }),
            ear_changed: Notify::new(),
        }
    }

    /// Its name.
    pub fn id(&self) -> LinkId {
        self.id
    }

    /// Where the other end is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether this server has dialled, as a learner does.
    pub fn is_dialled(&self) -> bool {
        self.dialled
    }

    /// Bytes that wait to be sent.
    pub fn queued(&self) -> usize {
        self.out.lock().queued
    }

    /// Queues a packet.
    pub fn push(&self, packet: &Packet) {
        let mut out = self.out.lock();
        if out.is_ending || out.is_over {
            return;
        }
        match out.pieces.back() {
            Some(Piece::Bytes(bytes)) if bytes.len() < PIECE => {}
            before => {
                // Where much waits, more will.
                let more = before.map_or(0, |_| PIECE + MARGIN);
                let mut room = out.spare.pop().unwrap_or_default();
                room.reserve(more);
                out.pieces.push_back(Piece::Bytes(room));
            }
        }
        if let Some(Piece::Bytes(bytes)) = out.pieces.back_mut() {
            let before = bytes.len();
            packet.encode(bytes);
            out.queued += bytes.len() - before;
        }
        if out.queued > out.limit {
            *out = Out {
                is_over: true,
                ..Out::default()
            };
            self.woken.notify_one();
        }
    }

    /// Queues the body of a snapshot, with the signature behind it.
    pub fn push_snapshot(&self, zxid: Zxid) {
        let mut out = self.out.lock();
        if !out.is_ending && !out.is_over {
            out.pieces.push_back(Piece::Snapshot(zxid));
            out.limit = MAX_BEHIND_SNAPSHOT;
        }
    }

    /// Nothing more is queued; the link ends when what is queued is sent.
    pub fn hang_up(&self) {
        self.out.lock().is_ending = true;
        self.hung_up.notify_one();
        self.woken.notify_one();
    }

    /// Whether it was hung up.
    pub fn is_hung_up(&self) -> bool {
        self.out.lock().is_ending
    }

    /// How long the other end may be silent from now on.
    pub fn set_patience(&self, patience: Duration) {
        self.ear.lock().patience = patience;
        self.ear_changed.notify_one();
    }

    /// Sends what the socket takes, from whatever thread; the task does the rest.
    pub fn send_now(&self) {
        let mut out = self.out.lock();
        if out.is_streaming {
            return;
        }
        match self.send(&mut out) {
            Ok(Sent::All) if !out.is_ending => {}
            _ => self.woken.notify_one(),
        }
    }

    fn send(&self, out: &mut Out) -> io::Result<Sent> {
        loop {
            let bytes = match out.pieces.front() {
                None => return Ok(Sent::All),
                Some(Piece::Snapshot(zxid)) => return Ok(Sent::UpTo(*zxid)),
                Some(Piece::Bytes(bytes)) => bytes,
            };
            match self.socket.try_write(&bytes[out.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    out.sent += n;
                    out.queued -= n;
                    if out.sent == bytes.len() {
                        out.take_sent();
                    }
                    out.restore_limit();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Sent::Some),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends what others have left, until the connection breaks.
    pub(super) async fn keep_sending(&self, store: &Store, max_item: usize) -> io::Error {
        loop {
            if let Err(error) = self.send_all(store, max_item).await {
                return error;
            }
        }
    }

    async fn send_all(&self, store: &Store, max_item: usize) -> io::Result<()> {
        let (sent, is_ending) = {
            let mut out = self.out.lock();
            if out.is_over {
                return Err(io::Error::other(format!(
                    "the other end does not take what it is sent, and more than {} MiB wait",
                    MAX_QUEUED >> 20
                )));
            }
            let sent = self.send(&mut out)?;
            if let Sent::UpTo(_) = sent {
                out.pieces.pop_front();
                out.is_streaming = true;
            }
            (sent, out.is_ending)
        };
        match sent {
            Sent::All if is_ending => {
                let socket = socket2::SockRef::from(self.socket.as_ref());
                socket.shutdown(std::net::Shutdown::Write)?;
                // The other end closes, or the time is over.
                std::future::pending().await
            }
            Sent::All => self.woken.notified().await,
            Sent::Some => self.socket.writable().await?,
            Sent::UpTo(zxid) => {
                self.send_snapshot(store, zxid, max_item).await?;
                self.out.lock().is_streaming = false;
            }
        }
        Ok(())
    }

    async fn send_snapshot(&self, store: &Store, zxid: Zxid, max_item: usize) -> io::Result<()> {
        let mut chunks = snapshot_out::read(store.clone(), zxid, max_item)?;
        while let Some(chunk) = chunks.recv().await {
            let chunk = chunk?;
            let mut rest = chunk.as_slice();
            while !rest.is_empty() {
                self.socket.writable().await?;
                match self.socket.try_write(rest) {
                    Ok(n) => {
                        rest = &rest[n..];
                        // Whoever takes it is alive, if silent.
                        self.hear();
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Something came from the other end.
    pub(super) fn hear(&self) {
        self.ear.lock().heard = Instant::now();
    }

    /// Ends when the other end has been silent for too long.
    pub(super) async fn silence(&self) -> io::Error {
        loop {
            let (deadline, patience) = {
                let ear = self.ear.lock();
                (ear.heard + ear.patience, ear.patience)
            };
            if deadline <= Instant::now() {
                let text = format!("nothing was heard for {} ms", patience.as_millis());
                return io::Error::new(io::ErrorKind::TimedOut, text);
            }
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => {}
                () = self.ear_changed.notified() => {}
            }
        }
    }

    /// Ends the connection, whoever still holds the link.
    pub(super) fn close(&self) {
        let socket = socket2::SockRef::from(self.socket.as_ref());
        // An error means that it has ended.
        let _ = socket.shutdown(std::net::Shutdown::Both);
    }

    /// Ends some time after the link was hung up.
    pub(super) async fn linger(&self) {
        self.hung_up.notified().await;
        tokio::time::sleep(LINGER).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_a_snapshot_more_may_wait() {
        let mut out = Out::default();
        let snapshot = Piece::Snapshot(Zxid(1));
        out.pieces.push_back(snapshot);
        (out.queued, out.limit) = (5, MAX_BEHIND_SNAPSHOT);
        out.restore_limit();
        assert_eq!(out.limit, MAX_BEHIND_SNAPSHOT, "it is not sent yet");
        out.pieces.clear();
        out.queued = MAX_QUEUED + 1;
        out.restore_limit();
        assert_eq!(out.limit, MAX_BEHIND_SNAPSHOT, "nor is what came meanwhile");
        out.queued = MAX_QUEUED;
        out.restore_limit();
        assert_eq!(out.limit, MAX_QUEUED);
    }
}
