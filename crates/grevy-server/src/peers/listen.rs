//! Letting connections of other servers in.

use super::complaints::Complaints;
use crate::listener;
use std::collections::VecDeque;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tracing::warn;

/// Connections that may be open before they have said who they are. One more ends the oldest:
/// whoever is a server has said it long before.
const MAX_NEWCOMERS: usize = 64;

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
