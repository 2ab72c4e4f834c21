//! One client's socket and the task that serves it.
//!
//! The task lives on one worker thread. Reads are answered within it: bytes come from the
//! socket into the worker's buffer, replies go from there into the socket, and nothing is
//! handed to another thread. Writes go to the node; whoever applies them appends the reply to
//! the connection and either sends it at once or has the connection's thread send it.

use crate::four_letter;
use crate::peers::quorum::outbox;
use crate::shared::Shared;
use crate::stats::Batch;
use bytes::Buf as _;
use grevy_node::connection::{CloseReason, Connect, Request};
use grevy_node::{Action, ClientId, Connection, Now, View};
use grevy_proto::{Id, SessionId};
use parking_lot::{Mutex, MutexGuard};
use socket2::SockRef;
use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tracing::{debug, info};

/// Bytes that one read from a socket may bring.
const READ_BUFFER: usize = 64 << 10;
/// A frame before the handshake is no longer than this.
const CONNECT_LIMIT: usize = 16 << 10;
/// A frame's length.
const PREFIX: usize = 4;

thread_local! {
    /// What a worker reads into and encodes replies into, so that idle connections hold no
    /// buffers.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BUFFER]);
    static REPLIES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A connection and its socket, as every thread may reach them.
pub struct Client {
    shared: Arc<Shared>,
    id: ClientId,
    peer: SocketAddr,
    /// When it was accepted, in ms since 1970.
    established_ms: i64,
    wire: Mutex<Wire>,
    socket: TcpStream,
    waker: atomic_waker::AtomicWaker,
    /// Ends the task, whatever the connection is about to do.
    aborted: AtomicBool,
    /// The number of the thread that it lives on.
    worker: u16,
}

/// A connection and how far its output has been sent.
#[derive(Debug)]
pub struct Wire {
    /// The connection.
    pub conn: Connection,
    /// Bytes of its output that have been sent.
    sent: usize,
    /// The task has something to handle and waits for the connection to become receptive.
    parked: bool,
}

impl Wire {
    /// Whether there is something to send.
    pub fn has_output(&mut self) -> bool {
        self.conn.output().len() > self.sent
    }
}

/// How a try to send went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    All,
    /// The socket takes no more for now.
    Some,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, peer, .. } = self;
        write!(f, "{id:?} from {peer}")
    }
}

impl Client {
    /// Its name.
    pub fn id(&self) -> ClientId {
        self.id
    }

    /// The number of the thread that it lives on.
    pub fn worker(&self) -> usize {
        self.worker.into()
    }

    /// Where it comes from.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// When it was accepted, in ms since 1970.
    pub fn established_ms(&self) -> i64 {
        self.established_ms
    }

    /// The connection. To be held shortly; see [`Shared`] for the order of locks.
    pub fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock()
    }

    /// Makes the task look at the connection again.
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Ends the connection without sending anything more.
    pub fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Sends what is to be sent, from whatever thread. What the socket does not take, and what
    /// comes after, is left to the task.
    pub fn send_now(&self) {
        let mut wire = self.wire.lock();
        let sent = self.send(&mut wire);
        if sent == Ok(Sent::All) {
            // A connection at rest holds no buffer.
            *wire.conn.output() = Vec::new();
        }
        if sent != Ok(Sent::All) || wire.parked || wire.conn.closing().is_some() {
            self.wake();
        }
    }

    fn send(&self, wire: &mut Wire) -> Result<Sent, io::ErrorKind> {
        while wire.has_output() {
            let sent = wire.sent;
            match self.socket.try_write(&wire.conn.output()[sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero),
                Ok(n) => wire.sent += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Sent::Some),
                Err(error) => return Err(error.kind()),
            }
        }
        wire.sent = 0;
        let output = wire.conn.output();
        output.clear();
        Ok(Sent::All)
    }

    /// Has the connection handle the whole frames at the start of `bytes`, for as long as it takes
    /// any.
    fn handle_frames<'b>(&self, bytes: &'b [u8], now: Now) -> Asked<'b> {
        let shared = &*self.shared;
        let mut asked = Asked {
            handled: 0,
            requests: Vec::new(),
            connect: None,
        };
        // The order of locks: node, tree, connection, watches.
        let tree = shared.tree.read();
        let mut wire = self.wire();
        lend(wire.conn.output());
        let before = *wire.conn.stats();
        let output_before = wire.conn.output().len();
        let view = View {
            now: now.time,
            tree: &tree,
            watches: &shared.watches,
            config: &shared.node_config,
        };
        while takes_frames(shared, &wire.conn) {
            let max_buffer = shared.config.limits.max_buffer as usize;
            let limit = match wire.conn.session() {
                Some(_) => max_buffer,
                None => max_buffer.min(CONNECT_LIMIT),
            };
            let frame = match first_frame(&bytes[asked.handled..], limit) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(len) => {
                    // What came before it still counts.
                    wire.conn.close(CloseReason::FrameLength { len, limit });
                    break;
                }
            };
            asked.handled += PREFIX + frame.len();
            match wire.conn.handle_frame(frame, view) {
                Action::None => {}
                Action::Submit(request) => asked.requests.push(request),
                Action::Connect(ask) => asked.connect = Some(ask),
                Action::Close(reason) => wire.conn.close(reason),
            }
        }
        let output = wire.conn.output().len().saturating_sub(output_before);
        let batch = Batch::Received {
            bytes: asked.handled,
        };
        shared
            .stats
            .count(batch, &before, wire.conn.stats(), output);
        asked
    }

    fn poll_receive(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            let mut received = None;
            let tried = self.socket.try_io(Interest::READABLE, || {
                let n = (&*SockRef::from(&self.socket)).read(buffer)?;
                received = Some(n);
                // One that did not fill the buffer is empty, and says when it is not any more.
                match n > 0 && n < buffer.len() {
                    true => Err(io::ErrorKind::WouldBlock.into()),
                    false => Ok(()),
                }
            });
            match (received, tried) {
                (Some(n), _) => return Poll::Ready(Ok(n)),
                (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error));
                }
                (None, _) => {}
            }
        }
    }
}

/// What frames asked of the node.
struct Asked<'b> {
    /// How many bytes they were, with their lengths.
    handled: usize,
    requests: Vec<Request<'b>>,
    /// The handshake.
    connect: Option<Connect>,
}

/// The task of one connection. Ends when the connection does.
pub struct Serve {
    client: Arc<Client>,
    /// Received and not handled: a part of a frame, or frames that have to wait. Seldom anything.
    #[expect(
        clippy::box_collection,
        reason = "the task just fits into two cache lines"
    )]
    unhandled: Option<Box<Vec<u8>>>,
    state: State,
    /// The time for sending what is left runs.
    is_ending: bool,
}

/// With what the reactor keeps of each task this is just 128 bytes, and would be rounded up to twice
/// as many.
const _: () = assert!(size_of::<Serve>() <= 24);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing received: a four-letter word may come.
    Fresh,
    Serving,
    /// A four-letter word is answered: once that is sent, nothing more will be.
    Answered,
    /// Everything is sent and said so; what still comes in is dropped, so that the client reads
    /// the last reply before it learns of the end.
    Draining,
}

impl Serve {
    /// Takes over an accepted socket, of an address with the identity `ids`, on the thread
    /// `worker`.
    pub fn new(
        shared: Arc<Shared>,
        worker: u16,
        stream: TcpStream,
        peer: SocketAddr,
        ids: Arc<[Id]>,
    ) -> Self {
        let now = shared.clock.now();
        let id = shared.clients.next_id();
        let client = Arc::new(Client {
            shared,
            id,
            peer,
            established_ms: now.wall_ms,
            wire: Mutex::new(Wire {
                conn: Connection::with_ids(id, ids, now.time),
                sent: 0,
                parked: false,
            }),
            socket: stream,
            waker: atomic_waker::AtomicWaker::new(),
            aborted: AtomicBool::new(false),
            worker,
        });
        client.shared.clients.insert(client.clone());
        client.shared.newcomers.push(&client);
        Self {
            client,
            unhandled: None,
            state: State::Fresh,
            is_ending: false,
        }
    }

    fn poll_serve(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.client.aborted.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
            if self.state != State::Draining {
                ready!(self.poll_send(cx))?;
            }
            if self.state == State::Answered {
                self.half_close()?;
            }
            if self.unhandled.is_some()
                && self.is_receptive()
                && let Some(mut bytes) = self.unhandled.take()
            {
                let handled = self.handle(&bytes)?;
                bytes.drain(..handled);
                if !bytes.is_empty() {
                    self.unhandled = Some(bytes);
                }
                if handled > 0 {
                    continue;
                }
            }
            if self.state != State::Draining && !self.is_receptive() {
                return Poll::Pending;
            }
            ready!(self.poll_receive(cx))?;
        }
    }

    /// Whether the connection takes more frames; if not, whoever changes that wakes this task.
    fn is_receptive(&self) -> bool {
        let mut wire = self.client.wire();
        wire.parked = !takes_frames(&self.client.shared, &wire.conn);
        !wire.parked
    }

    /// Sends all output; once a closing connection's output is out, says so to the client.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut wire = self.client.wire();
            let sent = self.client.send(&mut wire)?;
            let reason = wire.conn.closing().cloned();
            if sent == Sent::Some {
                drop(wire);
                if reason.is_some() && !self.is_ending {
                    // Without a session it has the time of those who have none yet.
                    self.is_ending = true;
                    self.client.shared.newcomers.push(&self.client);
                }
                ready!(self.client.socket.poll_write_ready(cx))?;
                continue;
            }
            give_back(wire.conn.output());
            drop(wire);
            if let Some(reason) = reason {
                self.finish(&reason)?;
            }
            return Poll::Ready(Ok(()));
        }
    }

    fn finish(&mut self, reason: &CloseReason) -> io::Result<()> {
        let peer = self.client.peer;
        let shared = &self.client.shared;
        match reason {
            CloseReason::AuthFailed | CloseReason::AuthRequired => shared.auth_failures.add(1),
            CloseReason::WrongEnsemble => shared.metrics.ensemble_auth_failures.add(1),
            CloseReason::NotServing => shared.metrics.connections_not_served.add(1),
            _ => {}
        }
        match reason {
            CloseReason::SessionClosed(_) => debug!(%peer, "closing connection: {reason}"),
            _ => info!(%peer, "closing connection: {reason}"),
        }
        self.half_close()
    }

    fn half_close(&mut self) -> io::Result<()> {
        self.state = State::Draining;
        self.unhandled = None;
        self.client.shared.lingering.push(&self.client);
        SockRef::from(&self.client.socket).shutdown(std::net::Shutdown::Write)
    }

    /// Receives once, and handles what came.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        READ.with_borrow_mut(|buffer| {
            let received = ready!(self.client.poll_receive(cx, buffer))?;
            let bytes = &buffer[..received];
            if bytes.is_empty() {
                if self.state != State::Draining {
                    self.client.shared.metrics.connections_dropped.add(1);
                }
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            if self.state == State::Draining {
                return Poll::Ready(Ok(()));
            }
            let handled = match self.unhandled {
                None => self.handle(bytes)?,
                Some(_) => 0,
            };
            if handled < bytes.len() {
                let unhandled = self.unhandled.get_or_insert_default();
                unhandled.extend_from_slice(&bytes[handled..]);
            }
            Poll::Ready(Ok(()))
        })
    }

    /// Handles the whole frames at the start of `bytes`; returns how many bytes that were.
    fn handle(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.state == State::Fresh {
            let words = &self.client.shared.config.administration.words;
            match four_letter::Word::parse(bytes, |word| words.allows(word)) {
                four_letter::Parsed::NotYet => return Ok(0),
                four_letter::Parsed::Word(word) => {
                    self.answer(word);
                    return Ok(bytes.len());
                }
                four_letter::Parsed::None => self.state = State::Serving,
            }
        }
        outbox::pass();
        let client = &*self.client;
        let shared = &*client.shared;
        let now = shared.clock.now();
        let Asked {
            handled,
            requests,
            connect,
        } = client.handle_frames(bytes, now);
        if let Some(ask) = connect {
            shared.metrics.connection_requests.add(1);
            if ask.session != SessionId::NONE {
                shared.metrics.client_revalidations.add(1);
            }
            shared.with_node(|node, port| {
                node.open_session(now, &shared.tree.read(), port, ask);
            });
        }
        if !requests.is_empty() {
            shared.with_node(|node, _| {
                node.submit_all(now, &shared.tree.read(), requests);
            });
        }
        Ok(handled)
    }

    fn answer(&mut self, word: four_letter::Word) {
        let text = four_letter::answer(&self.client.shared, word, self.client.peer);
        let mut wire = self.client.wire();
        wire.conn.output().extend_from_slice(text.as_bytes());
        drop(wire);
        self.state = State::Answered;
    }
}

/// Whether the connection's next frame may be handled. While there is no leader, sessions wait.
fn takes_frames(shared: &Shared, conn: &Connection) -> bool {
    conn.is_receptive(&shared.node_config) && (conn.session().is_none() || shared.is_serving())
}

/// The first frame, without its length, if all of it is there.
///
/// # Errors
/// Its length, if that is negative or above `limit`.
fn first_frame(bytes: &[u8], limit: usize) -> Result<Option<&[u8]>, i32> {
    let Some((mut prefix, rest)) = bytes.split_at_checked(PREFIX) else {
        return Ok(None);
    };
    let len = prefix.get_i32();
    match usize::try_from(len) {
        Ok(length) if length <= limit => Ok(rest.get(..length)),
        _ => Err(len),
    }
}

/// Gives a connection the worker's reply buffer to write into.
fn lend(output: &mut Vec<u8>) {
    if output.capacity() == 0 {
        *output = REPLIES.take();
    }
}

/// Takes the buffer back, so that a connection at rest has none.
fn give_back(output: &mut Vec<u8>) {
    let buffer = std::mem::take(output);
    REPLIES.with_borrow_mut(|kept| {
        if buffer.capacity() > kept.capacity() {
            *kept = buffer;
        }
    });
}

impl Future for Serve {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.client.waker.register(cx.waker());
        match self.poll_serve(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(result) => {
                if let Err(error) = result {
                    debug!(peer = %self.client.peer, "connection ended: {error}");
                }
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.client.shared.client_ended(&self.client);
    }
}
