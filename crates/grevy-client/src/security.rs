//! Plain connections, or TLS around them, over whichever transport.

use crate::address::HostPort;
use crate::transport::{Stream, Tcp, Transport};
use std::io;
use std::sync::Arc;

/// How servers are reached, and how that is secured.
#[derive(Debug, Clone)]
pub(crate) struct Security {
    pub transport: Arc<dyn Transport>,
    #[cfg(feature = "tls")]
    pub tls: Option<crate::tls::Tls>,
}

impl Default for Security {
    fn default() -> Self {
        Self {
            transport: Arc::new(Tcp),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl Security {
    /// Opens a connection to a server, and secures it, if that is wanted.
    pub async fn open(&self, server: &HostPort) -> io::Result<Box<dyn Stream>> {
        let stream = self.transport.open(server).await?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Ok(Box::new(tls.connect(stream, &server.host).await?));
        }
        Ok(stream)
    }
}
