//! The threads that serve connections. Each has a reactor of its own, so that a connection
//! lives on one thread from its first byte to its last.

use crate::client::Serve;
use crate::dispatch::send_all;
use crate::peers::quorum::outbox;
use crate::shared::Shared;
use grevy_proto::Id;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tracing::info;

/// A connection that has been let in.
#[derive(Debug)]
pub struct Accepted {
    /// Its socket.
    pub stream: TcpStream,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// The identity that its address gives it.
    pub ids: Arc<[Id]>,
}

/// One thread for each processor.
#[derive(Debug)]
pub struct Workers {
    queues: Vec<UnboundedSender<Accepted>>,
    threads: Vec<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Workers {
    /// Starts `count` threads.
    pub fn start(count: usize, shared: &Arc<Shared>) -> io::Result<Self> {
        let mut workers = Self {
            queues: Vec::new(),
            threads: Vec::new(),
        };
        let count = u16::try_from(count.max(1)).unwrap_or(u16::MAX);
        for number in 0..count {
            let runtime = Builder::new_current_thread().enable_io().build()?;
            let (queue, accepted) = unbounded_channel();
            let (stop, stopped) = oneshot::channel();
            let replies = shared.clients.replies.add_worker();
            let events = shared.clients.events.add_worker();
            let shared = shared.clone();
            let thread = std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || {
                    runtime.spawn(outbox::keep_sending());
                    runtime.spawn(take_over(shared, number, accepted));
                    runtime.spawn(send_all(replies));
                    runtime.spawn(send_all(events));
                    // An error means that nobody is left who could say so.
                    drop(runtime.block_on(stopped));
                })?;
            workers.queues.push(queue);
            workers.threads.push((stop, thread));
        }
        Ok(workers)
    }

    /// Where connections go.
    pub fn queues(&self) -> &[UnboundedSender<Accepted>] {
        &self.queues
    }

    /// Drops all connections and ends the threads.
    pub fn stop(self) {
        for (stop, thread) in self.threads {
            // A thread that has ended already needs no word.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

/// Begins to serve what the listener lets in. The reactor's part of that is done here, so that
/// the listener can go on to the next.
async fn take_over(shared: Arc<Shared>, worker: u16, mut accepted: UnboundedReceiver<Accepted>) {
    while let Some(Accepted { stream, peer, ids }) = accepted.recv().await {
        match tokio::net::TcpStream::from_std(stream) {
            Ok(stream) => {
                tokio::spawn(Serve::new(shared.clone(), worker, stream, peer, ids));
            }
            Err(error) => {
                shared.clients.depart(peer.ip());
                info!(%peer, "connection refused: {error}");
            }
        }
    }
}
