//! All connections of a server, and the node's way to them.

use crate::client::Client;
use crate::dispatch::Dispatch;
use crate::stats::{Batch, Stats};
use grevy_node::auth::ip_id;
use grevy_node::{ClientId, Clients, Connection};
use grevy_proto::Id;
use hashbrown::HashMap;
use parking_lot::{RwLock, RwLockReadGuard};
use std::cell::{OnceCell, RefCell};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Up to this many connections are answered by the thread that applied their writes; more are
/// left to their own threads, so that the next batch of writes need not wait.
const DIRECT_SENDS: usize = 4;
/// So many with events are not kept until the call is over.
const EARLY_EVENTS: usize = 256;

/// The connections by name.
#[derive(Debug, Default)]
pub struct ClientMap {
    /// To those with replies.
    pub replies: Dispatch,
    /// To those with nothing but events, which may be thousands: replies need not wait for them.
    pub events: Dispatch,
    map: RwLock<HashMap<ClientId, Arc<Client>>>,
    per_address: RwLock<HashMap<IpAddr, Origin>>,
    /// Those let in, of which the newest may not be in the map yet.
    present: AtomicUsize,
    next: AtomicU32,
}

/// What the connections from one address have in common.
#[derive(Debug)]
struct Origin {
    connections: usize,
    ids: Arc<[Id]>,
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

    /// Counts a connection from `address`; returns the identity that all of these share.
    pub fn arrive(&self, address: IpAddr) -> Arc<[Id]> {
        let mut per_address = self.per_address.write();
        let origin = per_address.entry(address).or_insert_with(|| Origin {
            connections: 0,
            ids: [ip_id(address)].into(),
        });
        origin.connections += 1;
        self.present.fetch_add(1, Ordering::Relaxed);
        origin.ids.clone()
    }

    /// Adds a connection that has been counted.
    pub fn insert(&self, client: Arc<Client>) {
        self.map.write().insert(client.id(), client);
    }

    /// Removes a connection.
    pub fn remove(&self, client: &Client) {
        if self.map.write().remove(&client.id()).is_some() {
            self.depart(client.peer().ip());
        }
    }

    /// A connection that was counted is gone.
    pub fn depart(&self, address: IpAddr) {
        self.present.fetch_sub(1, Ordering::Relaxed);
        let mut per_address = self.per_address.write();
        if let Some(origin) = per_address.get_mut(&address) {
            origin.connections -= 1;
            if origin.connections == 0 {
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

    /// How many have been let in and are not gone.
    pub fn present(&self) -> usize {
        self.present.load(Ordering::Relaxed)
    }

    /// How many come from `address`.
    pub fn from_address(&self, address: IpAddr) -> usize {
        let per_address = self.per_address.read();
        per_address.get(&address).map_or(0, |o| o.connections)
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
    /// Locked from the first use on: a change that many watch would lock it that many times.
    map: OnceCell<RwLockReadGuard<'a, HashMap<ClientId, Arc<Client>>>>,
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
            map: OnceCell::new(),
            stats,
            replied: RefCell::default(),
            notified: RefCell::default(),
        }
    }

    /// Sends what the call has left, or has it sent: replies before events of others.
    pub fn deliver(self) {
        drop(self.map);
        let replied = self.replied.into_inner();
        match replied.len() <= DIRECT_SENDS {
            true => replied.iter().for_each(|client| client.send_now()),
            false => self.clients.replies.hand_over(replied),
        }
        self.clients.events.hand_over(self.notified.into_inner());
    }
}

impl Clients for Port<'_> {
    fn with<R>(&self, id: ClientId, f: impl FnOnce(&mut Connection) -> R) -> Option<R> {
        let map = self.map.get_or_init(|| self.clients.map.read());
        let client = map.get(&id)?;
        let mut wire = client.wire();
        let was_open = wire.conn.closing().is_none();
        let was_idle = !wire.has_output() && was_open;
        let before = *wire.conn.stats();
        let output_before = wire.conn.output().len();
        let result = f(&mut wire.conn);
        let output = wire.conn.output().len().saturating_sub(output_before);
        let is_open = wire.conn.closing().is_none();
        let is_idle = !wire.has_output() && is_open;
        let has_replies = wire.conn.stats().replies > before.replies;
        self.stats
            .count(Batch::Applied, &before, wire.conn.stats(), output);
        drop(wire);
        // One that is busy sending must still learn that it is to end: its client may never read.
        if was_idle && !is_idle || was_open && !is_open {
            let list = match has_replies {
                true => &self.replied,
                false => &self.notified,
            };
            list.borrow_mut().push(client.clone());
        }
        if self.notified.borrow().len() >= EARLY_EVENTS {
            self.clients.events.hand_over(self.notified.take());
        }
        Some(result)
    }

    fn hurry(&self, id: ClientId) {
        let map = self.map.get_or_init(|| self.clients.map.read());
        if let Some(client) = map.get(&id) {
            client.send_now();
        }
    }
}
