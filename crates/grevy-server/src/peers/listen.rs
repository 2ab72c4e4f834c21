//! The ports of a server for other servers: binding them, and letting connections in.

use super::complaints::Complaints;
use crate::listener;
use grevy_proto::HostPort;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tracing::warn;

/// Connections that may be open before they have said who they are. One more ends the oldest:
/// whoever is a server has said it long before.
const MAX_NEWCOMERS: usize = 64;

/// What could be listened on, and what could not.
#[derive(Debug, Default)]
pub struct Bound {
    /// The sockets.
    pub sockets: Vec<TcpListener>,
    /// Which address cannot be listened on, and why.
    pub failed: Vec<(HostPort, io::Error)>,
}

/// Listens on these addresses of this server; on all addresses of the machine, if `everywhere`.
pub fn bind(addresses: &[HostPort], everywhere: bool) -> Bound {
    let mut bound = Bound::default();
    for (index, address) in addresses.iter().enumerate() {
        let same_port = |other: &HostPort| other.port == address.port;
        if everywhere && addresses[..index].iter().any(same_port) {
            continue;
        }
        match bind_one(address, everywhere) {
            Ok(socket) => bound.sockets.push(socket),
            Err(error) => bound.failed.push((address.clone(), error)),
        }
    }
    bound
}

/// The same for one address.
///
/// # Errors
/// If it cannot be listened on.
pub fn bind_one(address: &HostPort, everywhere: bool) -> io::Result<TcpListener> {
    match everywhere {
        true => listener::everywhere(address.port, listener::listen_at),
        false => resolve(address).and_then(listener::listen_at),
    }
}

fn resolve(address: &HostPort) -> io::Result<SocketAddr> {
    let mut found = (&*address.host, address.port).to_socket_addrs()?;
    let none = || io::Error::other("the name has no address");
    found.next().ok_or_else(none)
}

/// Accepts until the task is dropped. `serve` takes a connection until it is known who is at its
/// other end; such tasks end with this one.
pub async fn accept<F>(
    listener: TcpListener,
    complaints: Arc<Complaints>,
    serve: impl Fn(TcpStream, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            warn!("cannot accept connections of other servers: {error}");
            return;
        }
    };
    let mut serving = JoinSet::new();
    let mut newcomers: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let peer = listener::canonical(peer);
                    newcomers.retain(|newcomer| !newcomer.is_finished());
                    if newcomers.len() >= MAX_NEWCOMERS
                        && let Some(oldest) = newcomers.pop_front()
                    {
                        oldest.abort();
                        complaints.warn(format_args!(
                            "closing the oldest of {MAX_NEWCOMERS} connections that do not say \
                             which server they are from; the newest is from {peer}"
                        ));
                    }
                    newcomers.push_back(serving.spawn(serve(stream, peer)));
                }
                Err(error) if listener::is_about_one_connection(&error) => {}
                Err(error) => {
                    complaints.warn(format_args!(
                        "cannot accept connections of other servers: {error}; raise the limit of \
                         open files"
                    ));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = serving.join_next() => {}
        }
    }
}
