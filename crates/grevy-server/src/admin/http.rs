//! HTTP/1 connections, bounded in number, in the size of requests and in patience.

use super::write_timeout::WriteTimeout;
use crate::listener::canonical;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{debug, warn};

/// Connections at a time; more wait until one ends.
const CONNECTIONS: usize = 64;
/// A request's line and headers are no longer than this, in bytes.
const HEAD_LIMIT: usize = 16 << 10;

/// Who asks, as handlers find it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub SocketAddr);

/// Serves until the task is dropped, and its connections with it; not at all without a listener.
pub(super) async fn run(listener: Option<std::net::TcpListener>, router: Router, idle: Duration) {
    let listener = match listener.map(TcpListener::from_std) {
        Some(Ok(listener)) => listener,
        Some(Err(error)) => return warn!("the admin server cannot run: {error}"),
        None => return,
    };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                let router = router.clone().layer(Extension(Peer(canonical(peer))));
                connections.spawn(async move {
                    serve(stream, peer, router, idle).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!("cannot accept connections of the admin server: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, idle: Duration) {
    let io = TokioIo::new(WriteTimeout::new(stream, idle));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // Counts from the end of the request before, too.
        .header_read_timeout(idle)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(io, TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        debug!(%peer, "connection of the admin server ended: {error}");
    }
}
