//! One connection to a server: opening it, and moving bytes.

use crate::address::HostPort;
use crate::security::Security;
use crate::transport::{Opening, Stream};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

/// How much is read at once.
const CHUNK: usize = 64 << 10;

/// How long a server may take to say whether it is read-only.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The present connection, if there is one.
pub(crate) struct Link {
    security: Security,
    phase: Phase,
    output: Vec<u8>,
    /// Everything before it has been written.
    written: usize,
    input: Box<[u8]>,
}

enum Phase {
    Closed,
    Opening(Opening),
    Open(Box<dyn Stream>),
}

/// What happened to the connection.
pub(crate) enum Event<'a> {
    Opened,
    Received(&'a [u8]),
    Lost(String),
}

impl Link {
    pub fn new(security: Security) -> Self {
        Self {
            security,
            phase: Phase::Closed,
            output: Vec::new(),
            written: 0,
            input: vec![0; CHUNK].into(),
        }
    }

    /// Starts to open a connection, instead of any other.
    pub fn open(&mut self, server: HostPort) {
        self.close();
        let security = self.security.clone();
        self.phase = Phase::Opening(Box::pin(async move { security.open(&server).await }));
    }

    /// Drops the connection.
    pub fn close(&mut self) {
        self.phase = Phase::Closed;
        self.output.clear();
        self.written = 0;
    }

    /// Bytes to send.
    pub fn send(&mut self, bytes: Vec<u8>) {
        match self.output.is_empty() {
            true => self.output = bytes,
            false => self.output.extend_from_slice(&bytes),
        }
    }

    /// Writes what there is to write, and waits for what happens next. Nothing is lost if the
    /// caller stops waiting.
    pub async fn event(&mut self) -> Event<'_> {
        let happened = std::future::poll_fn(|context| self.poll(context)).await;
        match happened {
            Ok(None) => Event::Opened,
            Ok(Some(len)) => Event::Received(self.input.get(..len).unwrap_or_default()),
            Err(error) => {
                self.close();
                Event::Lost(reason(&error))
            }
        }
    }

    /// `None`: the connection is open. Otherwise so many bytes came.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<usize>>> {
        let socket = match &mut self.phase {
            Phase::Closed => return Poll::Pending,
            Phase::Opening(opening) => {
                let socket = ready!(opening.as_mut().poll(context))?;
                self.phase = Phase::Open(socket);
                return Poll::Ready(Ok(None));
            }
            Phase::Open(socket) => socket,
        };
        while let Some(rest @ [_, ..]) = self.output.get(self.written..) {
            match Pin::new(&mut *socket).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => self.written += n,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => break,
            }
        }
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
        }
        // A stream with a buffer of its own, as TLS has, may hold some of it back.
        if let Poll::Ready(Err(error)) = Pin::new(&mut *socket).poll_flush(context) {
            return Poll::Ready(Err(error));
        }
        let mut buffer = ReadBuf::new(&mut self.input);
        ready!(Pin::new(socket).poll_read(context, &mut buffer))?;
        match buffer.filled().len() {
            0 => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            len => Poll::Ready(Ok(Some(len))),
        }
    }
}

/// Asks with the four-letter word `isro` whether a server takes writes; one that cannot be asked
/// does not.
pub(crate) async fn takes_writes(server: HostPort, security: Security) -> bool {
    let ask = async {
        let mut stream = security.open(&server).await?;
        stream.write_all(b"isro").await?;
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).await?;
        io::Result::Ok(&answer == b"rw")
    };
    matches!(timeout(PROBE_TIMEOUT, ask).await, Ok(Ok(true)))
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "the server closed the connection; it may have no quorum, or be stopping".to_owned()
        }
        _ => error.to_string(),
    }
}
