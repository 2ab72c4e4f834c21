//! Plain connections, or TLS around them.

use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A stream of bytes to a server.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// How connections are secured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Security {
    #[cfg(feature = "tls")]
    pub tls: Option<crate::tls::Tls>,
}

impl Security {
    /// Secures a connection to `host`, if that is wanted.
    #[cfg_attr(
        not(feature = "tls"),
        allow(
            clippy::unused_async,
            unused_variables,
            reason = "only TLS asks and waits"
        )
    )]
    pub async fn secure(&self, stream: TcpStream, host: &str) -> io::Result<Box<dyn Socket>> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Ok(Box::new(tls.connect(stream, host).await?));
        }
        Ok(Box::new(stream))
    }
}
