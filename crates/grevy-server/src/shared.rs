//! What the threads of a server share, and how they call the node.
//!
//! Locks are taken in this order, and none is held while waiting for the disk or a socket:
//! the node, the tree, one connection, the watches. Watches are touched only under the tree's
//! lock; so applying, which holds it exclusively, never meets a reader.

use crate::client::Client;
use crate::client_port::ClientPort;
use crate::clients::{ClientMap, Port};
use crate::clock::Clock;
use crate::config::Config;
use crate::deadlines::Deadlines;
use crate::ensemble::{EnsembleWatch, outlook};
use crate::log_queue::{LogItem, LogQueue};
use crate::metrics::{Counter, ServerMetrics};
use crate::peers::node::{Peers, discard};
use crate::peers::quorum::{Link, Received, outbox};
use crate::snapshot_board::SnapshotBoard;
use crate::stats::Stats;
use crate::timer::Alarm;
use grevy_node::noted::Noted;
use grevy_node::{CloseReason, Node, NodeConfig, Output, Part, Service, Status, Watches};
use grevy_storage::Store;
use grevy_tree::Tree;
use grevy_tree::watch::{WatchTable, WatcherId};
use parking_lot::{Mutex, MutexGuard, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tokio::sync::Notify;
use tracing::{error, info, warn};

/// See the module's text.
pub struct Shared {
    /// How the server is set up.
    pub config: Config,
    /// The same, as far as the node knows it.
    pub node_config: Arc<NodeConfig>,
    /// The clocks.
    pub clock: Clock,
    /// Counters of requests.
    pub stats: Stats,
    /// Counters of everything else.
    pub metrics: ServerMetrics,
    /// Connections that were ended since an auth packet was wrong; `srst` leaves it alone.
    pub auth_failures: Counter,
    /// Syncs of the log that took longer than `fsync.warningthresholdms`; likewise.
    pub slow_syncs: Counter,
    /// What the server goes through as a member of an ensemble.
    pub ensemble: EnsembleWatch,
    /// What became of snapshots.
    pub snapshots: SnapshotBoard,
    /// ZooKeeper's trace mask (`gtmk`, `stmk`), which nothing goes by here.
    pub trace_mask: AtomicI64,
    /// The state.
    pub tree: RwLock<Tree>,
    /// Who waits for which change.
    pub watches: WatchLock,
    /// The connections.
    pub clients: ClientMap,
    /// Where clients connect.
    pub client_port: ClientPort,
    /// What is to be written to the log.
    pub log: LogQueue,
    /// Connections without a session yet.
    pub newcomers: Deadlines,
    /// Connections that have been told everything.
    pub lingering: Deadlines,
    /// The directories.
    pub store: Store,
    /// The text of the configuration file.
    pub initial_text: String,
    /// Held while a snapshot is written: then the history is not rewritten.
    pub snapshot_lock: Mutex<()>,
    /// When the node wants to be woken.
    pub alarm: Alarm,
    /// The way to other servers; `None`: the server runs alone.
    peers: Option<Peers>,
    node: Mutex<Node>,
    /// Whether clients are served; only then their frames are handled.
    serving: AtomicBool,
    /// The node has said that the server may end.
    pub stopped: Notify,
    stopping: AtomicBool,
}

/// The table of watches behind a lock.
pub struct WatchLock(Mutex<WatchTable>);

impl Watches for WatchLock {
    fn with<R>(&self, f: impl FnOnce(&mut WatchTable) -> R) -> R {
        f(&mut self.0.lock())
    }
}

impl Shared {
    /// Calls the node, applies what has become committed, passes on its outputs, and sends what
    /// connections have to say.
    pub fn with_node<R>(&self, f: impl FnOnce(&mut Node, &Port<'_>) -> R) -> R {
        let port = Port::new(&self.clients, &self.stats);
        let mut node = self.node.lock();
        let before = *node.tally();
        let result = f(&mut node, &port);
        let now = self.clock.now();
        if node.has_committed() {
            let mut tree = self.tree.write();
            node.apply_committed(now, &mut tree, &self.watches, &port);
        }
        if *node.tally() != before {
            let leads = node.peer().leads();
            self.metrics
                .count(&before, node.tally(), leads, now.wall_ms);
        }
        let noted = node.take_noted();
        if noted != Noted::default() {
            self.metrics.note(&noted);
        }
        let mut after = After::default();
        while let Some(output) = node.poll() {
            let is_told = self.ensemble.output(&node, &output, now, &self.metrics);
            self.carry_out(output, is_told, &mut after);
        }
        if self.peers.is_some() {
            self.alarm.set(node.next_timeout());
            self.ensemble.settled(&node, now.time, &self.metrics);
        }
        drop(node);
        self.log.wake();
        port.deliver();
        self.follow_up(after);
        result
    }

    /// `is_told`: the log needs no line about it any more.
    fn carry_out(&self, output: Output, is_told: bool, after: &mut After) {
        match output {
            Output::Append { zxid, entry } => {
                self.metrics.log_entries.add(1);
                self.log.push(LogItem::Append { zxid, entry });
            }
            Output::Snapshot(info) => self.log.push(LogItem::Snapshot(info)),
            Output::Expired(session) => {
                self.metrics.sessions_expired.add(1);
                info!(%session, "session expired: it was not heard of for its whole timeout");
            }
            Output::Service(service) => {
                let open = matches!(service, Service::Open | Service::ReadOnly);
                self.serving.store(open, Ordering::SeqCst);
                after.wakes_clients |= open;
            }
            Output::DropClients => after.drops_clients = true,
            Output::Became(part) => {
                // What was received of the last leader is of no use. The log is told elsewhere.
                if let (Part::Looking { .. }, Some(peers)) = (&part, &self.peers) {
                    after.forgotten = peers.take_received();
                }
            }
            Output::Configured { ref committed, .. } => {
                self.client_port
                    .configure(self.node_config.server_id, committed);
                self.carry_out_as_member(output, is_told, after);
            }
            Output::Stopped => self.stopped.notify_one(),
            Output::Note(note) => info!("{note}"),
            Output::Warning(warning) => warn!("{warning}"),
            Output::Broken(broken) => {
                error!("stopping at once, since going on would spread the damage: {broken}");
                std::process::exit(12);
            }
            output => self.carry_out_as_member(output, is_told, after),
        }
    }

    fn carry_out_as_member(&self, output: Output, is_told: bool, after: &mut After) {
        if let Some(peers) = &self.peers {
            peers.carry_out(output, is_told, &self.log, &mut after.links);
        }
    }

    /// Does what must wait until the node is not locked any more.
    fn follow_up(&self, after: After) {
        discard(after.forgotten);
        outbox::send_soon(after.links);
        if after.drops_clients {
            for client in self.clients.all() {
                client.wire().conn.close(CloseReason::NotServing);
                client.send_now();
            }
        } else if after.wakes_clients {
            for client in self.clients.all() {
                client.wake();
            }
        }
    }

    /// Whether clients are served. If not now, they may be in a moment.
    pub fn is_serving(&self) -> bool {
        self.serving.load(Ordering::SeqCst)
    }

    /// Whether the server runs alone.
    pub fn is_alone(&self) -> bool {
        self.peers.is_none()
    }

    /// Calls `f` if the server is a member of an ensemble.
    pub fn with_peers(&self, f: impl FnOnce(&Peers)) {
        if let Some(peers) = &self.peers {
            f(peers);
        }
    }

    /// Puts another state in the place of the present one.
    pub fn replace_tree(&self, tree: Tree) {
        let before = std::mem::replace(&mut *self.tree.write(), tree);
        // Taking a large tree apart takes time, and nobody is to wait for it.
        drop(before);
    }

    /// Has a snapshot that is being written given up, and keeps others from being written until
    /// the guard is dropped.
    pub fn stop_snapshot(&self) -> MutexGuard<'_, ()> {
        self.tree.write().abandon_snapshot();
        self.snapshot_lock.lock()
    }

    /// Storage failed: nothing more is acknowledged, every client is sent away.
    pub fn storage_failed(&self, why: String) {
        error!(
            "the server does not serve any more: {why}. Nothing that was acknowledged is lost; \
             make room or replace the disk, then restart"
        );
        self.metrics.unrecoverable_errors.add(1);
        let now = self.clock.now();
        self.with_node(|node, _| node.storage_failed(now, why));
        for client in self.clients.all() {
            client.abort();
        }
    }

    /// Looks at the node without making it do anything.
    pub fn look_at_node<R>(&self, f: impl FnOnce(&Node) -> R) -> R {
        f(&self.node.lock())
    }

    /// Why the server does not serve, if it does not.
    pub fn not_serving(&self) -> Option<String> {
        let node = self.node.lock();
        match node.status() {
            Status::Serving | Status::ReadOnly => None,
            Status::Stopping => Some("it is about to end".to_owned()),
            Status::Joining => Some(outlook(node.peer())),
            Status::StorageFailed(why) => Some(why),
        }
    }

    /// Why the server cannot serve before it is restarted, if that is so.
    pub fn broken(&self) -> Option<String> {
        match self.node.lock().status() {
            Status::Serving | Status::ReadOnly | Status::Stopping | Status::Joining => None,
            Status::StorageFailed(why) => Some(why),
        }
    }

    /// A connection's task has ended.
    pub fn client_ended(&self, client: &Client) {
        self.clients.remove(client);
        let (session, heard) = {
            let wire = client.wire();
            (wire.conn.last_session(), wire.conn.heard())
        };
        {
            let _tree = self.tree.read();
            let watcher = WatcherId(client.id().0);
            self.watches.with(|table| table.remove_watcher(watcher));
        }
        self.with_node(|node, _| node.client_closed(client.id(), session, heard));
    }

    /// The server is about to end.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the server is about to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// What is left to do once the node is not locked any more.
#[derive(Default)]
struct After {
    /// Links with something to send.
    links: Vec<Arc<Link>>,
    /// Clients may have frames that waited.
    wakes_clients: bool,
    /// All clients are to be sent away.
    drops_clients: bool,
    /// A leader's snapshot that nobody is going to install.
    forgotten: Option<Received>,
}

/// The parts of [`Shared`] that differ from server to server.
pub struct Parts {
    /// Where clients connect.
    pub client_port: ClientPort,
    /// How the server is set up.
    pub config: Config,
    /// The same, as far as the node knows it.
    pub node_config: NodeConfig,
    /// The clocks.
    pub clock: Clock,
    /// The recovered state.
    pub tree: Tree,
    /// The machine.
    pub node: Node,
    /// The directories.
    pub store: Store,
    /// The text of the configuration file; empty if there was none.
    pub initial_text: String,
    /// The way to other servers; `None`: the server runs alone.
    pub peers: Option<Peers>,
}

/// ZooKeeper's trace mask at the start: client requests, server packets, sessions, warnings.
const TRACE_MASK: i64 = 306;

impl From<Parts> for Shared {
    fn from(parts: Parts) -> Self {
        let metrics = ServerMetrics::default();
        if parts.node.peer().is_member() {
            metrics.looking.add(1);
        }
        let newcomers = Deadlines::new(parts.config.clients.sessionless_timeout);
        Self {
            node_config: Arc::new(parts.node_config),
            clock: parts.clock,
            stats: Stats::default(),
            metrics,
            auth_failures: Counter::default(),
            slow_syncs: Counter::default(),
            ensemble: EnsembleWatch::new(parts.clock.time()),
            snapshots: SnapshotBoard::default(),
            trace_mask: AtomicI64::new(TRACE_MASK),
            watches: WatchLock(Mutex::new(WatchTable::new(parts.tree.config().hash_seed))),
            tree: RwLock::new(parts.tree),
            clients: ClientMap::default(),
            client_port: parts.client_port,
            log: LogQueue::default(),
            newcomers,
            lingering: Deadlines::new(std::time::Duration::from_secs(1)),
            store: parts.store,
            initial_text: parts.initial_text,
            snapshot_lock: Mutex::default(),
            alarm: Alarm::default(),
            serving: AtomicBool::new(parts.peers.is_none()),
            peers: parts.peers,
            node: Mutex::new(parts.node),
            stopped: Notify::new(),
            stopping: AtomicBool::new(false),
            config: parts.config,
        }
    }
}
