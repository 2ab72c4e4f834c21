//! The clients' ends of links, as sockets: what a process has written waits here for the
//! network, and what has come waits for the process.

use grevy_client::{HostPort, Opening, Stream, Transport};
use grevy_sim::net::LinkId;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What the system holds of what a process has written, in bytes.
const SEND_BUFFER: usize = 4 << 10;

/// The sockets of one process.
#[derive(Debug, Default)]
pub struct Sockets {
    /// By number.
    pub all: BTreeMap<u64, Socket>,
    made: u64,
}

/// One socket.
#[derive(Debug)]
pub struct Socket {
    /// The server that it was opened to.
    pub server: usize,
    /// What has become of that.
    pub state: State,
    /// The link, once there is one.
    pub link: Option<LinkId>,
    /// Written by the process, and not taken by the network.
    pub outgoing: VecDeque<u8>,
    /// Come, and not read by the process.
    pub incoming: VecDeque<u8>,
    /// Whether the process has let go of it.
    pub is_dropped: bool,
    waker: Option<Waker>,
}

/// What has become of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was asked for.
    Asked,
    /// Nobody answers.
    Unanswered,
    /// It can be written, and read.
    Open,
    /// The other end has said all it had to say.
    Ended,
    /// It failed.
    Failed(io::ErrorKind),
}

impl Socket {
    /// The process looks at it again.
    pub fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// It is in another state now.
    pub fn becomes(&mut self, state: State) {
        self.state = state;
        self.wake();
    }

    fn wait<T>(&mut self, context: &Context<'_>) -> Poll<T> {
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// The network, as a process's client reaches it. Servers are called `s1`, `s2` and so on.
#[derive(Clone)]
pub struct Wire(pub Arc<Mutex<Sockets>>);

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Transport for Wire {
    fn open(&self, server: &HostPort) -> Opening {
        let number = server.host.strip_prefix('s').and_then(|n| n.parse().ok());
        let Some(number) = number else {
            return Box::pin(async { Err(io::ErrorKind::NotFound.into()) });
        };
        let mut sockets = self.0.lock();
        let id = sockets.made;
        sockets.made += 1;
        let socket = Socket {
            server: number,
            state: State::Asked,
            link: None,
            outgoing: VecDeque::new(),
            incoming: VecDeque::new(),
            is_dropped: false,
            waker: None,
        };
        sockets.all.insert(id, socket);
        let mut end = Some(SocketEnd {
            sockets: self.0.clone(),
            id,
        });
        Box::pin(std::future::poll_fn(move |context| {
            let opened = end.as_ref().map_or(Poll::Pending, |end| {
                end.with(|socket| match socket.state {
                    State::Asked | State::Unanswered => socket.wait(context),
                    State::Open | State::Ended => Poll::Ready(Ok(())),
                    State::Failed(kind) => Poll::Ready(Err(io::Error::from(kind))),
                })
            });
            opened.map(|result| {
                result?;
                let end = end.take().ok_or(io::ErrorKind::NotConnected)?;
                Ok(Box::new(end) as Box<dyn Stream>)
            })
        }))
    }
}

/// A process's hold of a socket.
struct SocketEnd {
    sockets: Arc<Mutex<Sockets>>,
    id: u64,
}

impl SocketEnd {
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Socket) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match self.sockets.lock().all.get_mut(&self.id) {
            Some(socket) => work(socket),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Drop for SocketEnd {
    fn drop(&mut self) {
        if let Some(socket) = self.sockets.lock().all.get_mut(&self.id) {
            socket.is_dropped = true;
        }
    }
}

impl AsyncRead for SocketEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|socket| {
            if !socket.incoming.is_empty() {
                let len = socket.incoming.len().min(buffer.remaining());
                let bytes: Vec<u8> = socket.incoming.drain(..len).collect();
                buffer.put_slice(&bytes);
                return Poll::Ready(Ok(()));
            }
            match socket.state {
                State::Ended => Poll::Ready(Ok(())),
                State::Failed(kind) => Poll::Ready(Err(kind.into())),
                _ => socket.wait(context),
            }
        })
    }
}

impl AsyncWrite for SocketEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|socket| {
            if let State::Failed(kind) = socket.state {
                return Poll::Ready(Err(kind.into()));
            }
            match SEND_BUFFER.saturating_sub(socket.outgoing.len()) {
                0 => socket.wait(context),
                room => {
                    let len = bytes.len().min(room);
                    socket.outgoing.extend(&bytes[..len]);
                    Poll::Ready(Ok(len))
                }
            }
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
