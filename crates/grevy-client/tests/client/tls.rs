//! TLS, with a server that ends it in front of one that does without.

use grevy_client::{Connector, Error, Tls, TlsError};
use grevy_testing::Place;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key.
fn issue(authority: &Authority, host: &str) -> (rcgen::Certificate, KeyPair) {
    let params = CertificateParams::new([host.to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, authority).unwrap(), key)
}

/// Ends TLS for clients with a certificate of the authority, and passes their bytes on.
async fn terminate(authority: &Authority, server: SocketAddr) -> SocketAddr {
    let (certificate, key) = issue(authority, "localhost");
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut client = acceptor.accept(stream).await?;
                let mut server = TcpStream::connect(server).await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    address
}

#[tokio::test]
async fn servers_and_clients_prove_who_they_are() {
    let place = Place::new("tls");
    let (ours, foreign) = (authority(), authority());
    let port = terminate(&ours, place.address).await.port();
    let (certificate, key) = issue(&ours, "client");
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let identity = |roots: &Authority| {
        Tls::with_identity(
            roots.pem().as_bytes(),
            certificate.as_bytes(),
            key.as_bytes(),
        )
        .unwrap()
    };
    let connect = async |host: &str, tls: Tls| {
        let connector = Connector::new(&format!("{host}:{port}")).unwrap();
        let patience = Duration::from_secs(1);
        connector.connect_timeout(patience).tls(tls).connect().await
    };
    let client = connect("localhost", identity(&ours)).await.unwrap();
    assert!(client.exists("/").await.unwrap().is_some());
    for (host, tls) in [
        // A server that somebody else vouches for.
        ("localhost", identity(&foreign)),
        // A server of another name.
        ("127.0.0.1", identity(&ours)),
        // A client that shows nothing.
        ("localhost", Tls::new(ours.pem().as_bytes()).unwrap()),
    ] {
        let error = connect(host, tls).await.unwrap_err();
        assert!(matches!(error, Error::ConnectionLoss { .. }), "{error}");
    }
}

#[test]
fn what_is_no_certificate_is_refused() {
    let roots = authority().pem();
    assert!(matches!(Tls::new(b"nonsense"), Err(TlsError::NoRoots)));
    let broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    assert!(matches!(Tls::new(broken), Err(TlsError::Pem { .. })));
    let no_key = Tls::with_identity(roots.as_bytes(), roots.as_bytes(), b"");
    assert!(matches!(no_key, Err(TlsError::Pem { .. })));
}
