//! All connections of a server, and the node's way to them.

use crate::client::Client;
use crate::stats::Stats;
use grevy_node::{ClientId, Clients, Connection};
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Up to this many connections are answered by the thread that applied their writes; more are
/// left to their own threads, so that the next batch of writes need not wait.
const DIRECT_SENDS: usize = 4;

/// The connections by name.
#[derive(Debug, Default)]
pub struct ClientMap {
    map: RwLock<HashMap<ClientId, Arc<Client>>>,
    per_address: RwLock<HashMap<IpAddr, usize>>,
    next: AtomicU32,
}

impl ClientMap {
    /// A name that no connection has.
    pub fn next_id(&self) -> ClientId {
        loop {
            let id = ClientId(self.next.fetch_add(1, Ordering::Relaxed));
            if !self.map.read().contains_key(&id) {
                return id;
            }
        }
    }

    /// Adds a connection.
    pub fn insert(&self, client: Arc<Client>) {
        let address = client.peer().ip();
        *self.per_address.write().entry(address).or_default() += 1;
        self.map.write().insert(client.id(), client);
    }

    /// Removes a connection.
    pub fn remove(&self, client: &Client) {
        if self.map.write().remove(&client.id()).is_none() {
            return;
        }
        let mut per_address = self.per_address.write();
        let address = client.peer().ip();
        if let Some(count) = per_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                per_address.remove(&address);
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.map.read().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.map.read().is_empty()
    }

    /// How many come from `address`.
    pub fn from_address(&self, address: IpAddr) -> usize {
        let per_address = self.per_address.read();
        per_address.get(&address).copied().unwrap_or(0)
    }

    /// All of them, in the order of their arrival.
    pub fn all(&self) -> Vec<Arc<Client>> {
        let mut all: Vec<_> = self.map.read().values().cloned().collect();
        all.sort_by_key(|client| client.id());
        all
    }
}

/// The node's access to the connections during one call, and what has to be sent after it.
#[derive(Debug)]
pub struct Port<'a> {
    clients: &'a ClientMap,
    stats: &'a Stats,
    /// Connections with replies, which somebody waits for.
    replied: RefCell<Vec<Arc<Client>>>,
    /// Connections with nothing but events.
    notified: RefCell<Vec<Arc<Client>>>,
}

impl<'a> Port<'a> {
    /// For one call of the node.
    pub fn new(clients: &'a ClientMap, stats: &'a Stats) -> Self {
        Self {
            clients,
            stats,
            replied: RefCell::default(),
            notified: RefCell::default(),
        }
    }

    /// Sends what the call has left, or has it sent: replies before events of others.
    pub fn deliver(self) {
        let replied = self.replied.into_inner();
        match replied.len() <= DIRECT_SENDS {
            true => replied.iter().for_each(|client| client.send_now()),
            false => replied.iter().for_each(|client| client.wake()),
        }
        for client in self.notified.into_inner() {
            client.wake();
        }
    }
}

impl Clients for Port<'_> {
    fn with<R>(&self, id: ClientId, f: impl FnOnce(&mut Connection) -> R) -> Option<R> {
        let map = self.clients.map.read();
        let client = map.get(&id)?;
        let mut wire = client.wire();
        let was_idle = !wire.has_output() && wire.conn.closing().is_none();
        let before = *wire.conn.stats();
        let result = f(&mut wire.conn);
        let is_idle = !wire.has_output() && wire.conn.closing().is_none();
        self.stats.count(&before, wire.conn.stats());
        if was_idle && !is_idle {
            match wire.conn.stats().replies > before.replies {
                true => self.replied.borrow_mut().push(client.clone()),
                false => self.notified.borrow_mut().push(client.clone()),
            }
        }
        Some(result)
    }
}
