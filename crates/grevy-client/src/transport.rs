//! How a stream of bytes to a server is opened: over TCP, unless the caller has another way.

use crate::address::HostPort;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one of several addresses of a name may take before the next one is tried.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(3);

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

/// TCP to the first address of the server's name that answers.
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

/// Resolves a name and connects to the first of its addresses that answers.
async fn dial(server: &HostPort) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in tokio::net::lookup_host((server.host.as_str(), server.port)).await? {
        match timeout(ADDRESS_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}
