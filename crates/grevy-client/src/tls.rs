//! TLS to servers that have a `secureClientPort`. Needs the feature `tls`.

use crate::transport::Stream;
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// How to speak TLS with servers, which must prove to be the host that was asked for.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use grevy_client::{Connector, Tls};
///
/// // Needs a server with a `secureClientPort`, and certificates.
/// let roots = std::fs::read("ca.pem")?;
/// // ZooKeeper asks for clients' certificates unless it is told otherwise.
/// let tls = Tls::with_identity(&roots, &std::fs::read("me.pem")?, &std::fs::read("me.key")?)?;
/// let client = Connector::new("zk.example:2281")?.tls(tls).connect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tls(TlsConnector);

/// Why there can be no TLS.
///
/// ```
/// use grevy_client::{Tls, TlsError};
///
/// assert!(matches!(Tls::new(b"no certificate"), Err(TlsError::NoRoots)));
/// ```
#[derive(Debug)]
pub enum TlsError {
    /// What should be PEM is not.
    Pem {
        /// What it should hold.
        what: &'static str,
        /// What is wrong with it.
        reason: pem::Error,
    },
    /// There is no certificate among the roots.
    NoRoots,
    /// The certificates or the key cannot be used.
    Unusable(rustls::Error),
}

impl Tls {
    /// Trusts what these certificates (PEM) have signed; shows none of its own.
    ///
    /// # Errors
    ///
    /// If they are none.
    pub fn new(roots: &[u8]) -> Result<Self, TlsError> {
        let config = builder(roots)?.with_no_client_auth();
        Ok(Self::from_config(Arc::new(config)))
    }

    /// As [`new`](Self::new), and shows a certificate of its own (PEM, with those up to a root)
    /// with its private key (PEM).
    ///
    /// # Errors
    ///
    /// If they are none, or do not belong together.
    pub fn with_identity(roots: &[u8], chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = certificates(chain, "the own certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|reason| TlsError::Pem {
            what: "the own private key",
            reason,
        })?;
        let config = builder(roots)?
            .with_client_auth_cert(chain, key)
            .map_err(TlsError::Unusable)?;
        Ok(Self::from_config(Arc::new(config)))
    }

    /// Whatever else rustls can do.
    pub fn from_config(config: Arc<ClientConfig>) -> Self {
        Self(TlsConnector::from(config))
    }

    pub(crate) async fn connect(
        &self,
        stream: Box<dyn Stream>,
        host: &str,
    ) -> io::Result<TlsStream<Box<dyn Stream>>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        self.0.connect(name, stream).await
    }
}

/// The provider is named, since a process may have several.
fn builder(
    roots: &[u8],
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, TlsError> {
    let mut store = RootCertStore::empty();
    for root in certificates(roots, "the roots")? {
        store.add(root).map_err(TlsError::Unusable)?;
    }
    if store.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?;
    Ok(builder.with_root_certificates(store))
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|reason| TlsError::Pem { what, reason })
}

/// Keys stay out of logs.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem { what, reason } => write!(f, "{what}: not PEM as expected: {reason}"),
            Self::NoRoots => f.write_str("the roots hold no certificate"),
            Self::Unusable(reason) => write!(f, "certificates or key cannot be used: {reason}"),
        }
    }
}

impl std::error::Error for TlsError {}
