//! How a stream of bytes to a server is opened: over TCP, unless the caller has another way.

use crate::address::HostPort;
use crate::machine::Chance;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one of several addresses of a name is tried before the next one is tried, too.
const HEAD_START: Duration = Duration::from_millis(100);

/// A stream of bytes to a server. Whatever reads and writes is one.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream that is being opened. It is dropped if that takes too long.
pub type Opening = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// A way to open streams to servers: through a proxy, over Unix sockets, in memory. TLS, if it
/// is asked for, is spoken over it.
///
/// Here names are looked up by other rules than the system's:
///
/// ```
/// use grevy_client::{Connector, Error, HostPort, Opening, Stream, Tcp, Transport};
/// use std::io;
///
/// /// Forwards `zk-1`, `zk-2` and so on to ports of this machine.
/// #[derive(Debug)]
/// struct Forwarded;
///
/// impl Transport for Forwarded {
///     fn open(&self, server: &HostPort) -> Opening {
///         let number = server.host.strip_prefix("zk-").and_then(|n| n.parse::<u16>().ok());
///         match number {
///             Some(number) => Tcp.open(&HostPort {
///                 host: "127.0.0.1".to_owned(),
///                 port: 40_000 + number,
///             }),
///             None => Box::pin(async { Err(io::Error::other("no such server")) }),
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let connector = Connector::new("elsewhere:2181")?
///     .transport(Forwarded)
///     .connect_timeout(std::time::Duration::from_millis(50));
/// let error = connector.connect().await.unwrap_err();
/// assert!(error.to_string().contains("elsewhere:2181: no such server"), "{error}");
/// # Ok(())
/// # }
/// ```
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Starts to open a stream to a server. An error is taken for the server's being away, and
    /// another one is tried.
    fn open(&self, server: &HostPort) -> Opening;
}

/// TCP to the first address of the server's name that answers. Each is
/// tried a moment after the one before: one that does not answer costs no more than that.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Transport for Tcp {
    fn open(&self, server: &HostPort) -> Opening {
        let server = server.clone();
        Box::pin(async move {
            let stream: Box<dyn Stream> = Box::new(dial(&server).await?);
            Ok(stream)
        })
    }
}

/// Resolves a name and connects to the first of its addresses that answers. Their order is left
/// to chance, as that of servers, so that none is always the first.
async fn dial(server: &HostPort) -> io::Result<TcpStream> {
    let addresses = tokio::net::lookup_host((server.host.as_str(), server.port)).await?;
    let mut addresses: Vec<_> = addresses.collect();
    Chance::new(RandomState::new().hash_one(0)).shuffle(&mut addresses);
    let attempts = addresses
        .into_iter()
        .map(|address| -> Attempt<TcpStream> { Box::pin(TcpStream::connect(address)) });
    let stream = first(attempts).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

type Attempt<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// The first success. The next attempt begins when one fails, or is not done after a head start;
/// then they go on side by side. Source: RFC 8305.
async fn first<T>(mut attempts: impl Iterator<Item = Attempt<T>>) -> io::Result<T> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut running = Vec::new();
    loop {
        running.extend(attempts.next());
        if running.is_empty() {
            return Err(failure);
        }
        let done = std::future::poll_fn(|context| poll_any(&mut running, context));
        match timeout(HEAD_START, done).await {
            Ok(Ok(success)) => return Ok(success),
            Ok(Err(error)) => failure = error,
            Err(_) => {}
        }
    }
}

/// Takes out an attempt that is done.
fn poll_any<T>(running: &mut Vec<Attempt<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
    let mut at = 0;
    while let Some(attempt) = running.get_mut(at) {
        if let Poll::Ready(result) = attempt.as_mut().poll(context) {
            drop(running.swap_remove(at));
            return Poll::Ready(result);
        }
        at += 1;
    }
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[tokio::test]
    async fn an_address_that_does_not_answer_does_not_hide_the_others() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let attempts: [Attempt<u32>; 3] = [
            Box::pin(pending()),
            Box::pin(ready(Err(refused()))),
            Box::pin(ready(Ok(3))),
        ];
        assert_eq!(first(attempts.into_iter()).await.expect("one answers"), 3);
        let attempts: [Attempt<u32>; 1] = [Box::pin(ready(Err(refused())))];
        let error = first(attempts.into_iter()).await.expect_err("none answers");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
