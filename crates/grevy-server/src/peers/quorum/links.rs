//! All connections of the quorum port.

use super::link::Link;
use grevy_zab::LinkId;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::Notify;

/// The connections by name.
#[derive(Debug, Default)]
pub struct Links {
    map: RwLock<HashMap<LinkId, Arc<Link>>>,
    next: AtomicU32,
    removed: Notify,
}

impl Links {
    /// Adds a connection, of which the other end may be silent for as long as `patience`.
    pub(super) fn add(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        dialled: bool,
        patience: Duration,
    ) -> (Arc<Link>, OwnedReadHalf) {
        let (reader, writer) = stream.into_split();
        let mut map = self.map.write();
        let id = loop {
            let id = LinkId(self.next.fetch_add(1, Ordering::Relaxed));
            if !map.contains_key(&id) {
                break id;
            }
        };
        let link = Arc::new(Link::new(id, writer, address, dialled, patience));
        map.insert(id, link.clone());
        (link, reader)
    }

    pub(super) fn remove(&self, id: LinkId) {
        self.map.write().remove(&id);
        self.removed.notify_one();
    }

    /// Hangs up on everybody, and waits until that is done, which takes a limited time.
    pub(crate) async fn are_gone(&self) {
        for link in self.map.read().values() {
            link.hang_up();
        }
        while !self.is_empty() {
            self.removed.notified().await;
        }
    }

    /// A connection, unless it has ended.
    pub fn get(&self, id: LinkId) -> Option<Arc<Link>> {
        self.map.read().get(&id).cloned()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.map.read().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
