//! Having connections send, each on the thread that it lives on. Waking a thread costs as much as
//! sending, so that they are handed over in batches, and no task of theirs need run.

use crate::client::Client;
use parking_lot::RwLock;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// After so many the thread looks after its other connections.
const TURN: usize = 16;

/// Connections with something to send.
pub type Batch = Vec<Arc<Client>>;

/// The way to the threads.
#[derive(Debug, Default)]
pub struct Dispatch {
    workers: RwLock<Vec<UnboundedSender<Batch>>>,
}

impl Dispatch {
    /// Adds a thread, by its number the next; its batches are for [`send_all`].
    pub fn add_worker(&self) -> UnboundedReceiver<Batch> {
        let (worker, batches) = unbounded_channel();
        self.workers.write().push(worker);
        batches
    }

    /// Has connections send.
    pub fn hand_over(&self, clients: Batch) {
        if clients.is_empty() {
            return;
        }
        let workers = self.workers.read();
        let mut shares = vec![Batch::new(); workers.len()];
        for client in clients {
            shares[client.worker()].push(client);
        }
        for (worker, share) in workers.iter().zip(shares) {
            if !share.is_empty() {
                // A thread that has ended has no connections any more.
                let _ = worker.send(share);
            }
        }
    }
}

/// Sends for the connections of one thread, until there are no more batches.
pub async fn send_all(mut batches: UnboundedReceiver<Batch>) {
    let mut turn = 0;
    while let Some(batch) = batches.recv().await {
        for client in batch {
            client.send_now();
            turn += 1;
            if turn % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }
}
