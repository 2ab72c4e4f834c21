//! A whole server: recovered, listening, and stopped again.

mod error;
mod place;

pub use error::StartError;

use crate::admin::Endpoints;
use crate::client::Client;
use crate::client_port::{self, ClientPort, Door};
use crate::clock::Clock;
use crate::config::{Config, Listen, Loaded};
use crate::listener;
use crate::log_queue::LogItem;
use crate::log_thread::{self, Files, Helpers};
use crate::peers::node::Peers;
use crate::recovery;
use crate::run_number;
use crate::setup;
use crate::shared::{Parts, Shared};
use crate::snapshot_thread::{self, Snapshotter};
use crate::timer;
use crate::workers::Workers;
use grevy_node::{Node, NodeConfig};
use grevy_storage::{Disk, RealDisk};
use grevy_zab::Recovered;
use place::Place;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

/// A server that serves.
pub struct Server {
    shared: Arc<Shared>,
    address: Option<SocketAddr>,
    listeners: Vec<std::net::TcpListener>,
    workers: Workers,
    log_thread: JoinHandle<bool>,
    /// The log's thread is about to end.
    log_ended: oneshot::Receiver<()>,
    /// The thread of the ports for other servers.
    ports: Option<JoinHandle<()>>,
    endpoints: Endpoints,
}

impl Server {
    /// Recovers the data, listens, and serves from the moment this returns.
    ///
    /// # Errors
    /// If a port or the data cannot be had.
    pub fn start(loaded: Loaded) -> Result<Self, StartError> {
        Self::start_on(loaded, Arc::new(RealDisk))
    }

    /// The same with the data on `disk`.
    ///
    /// # Errors
    /// Likewise.
    pub fn start_on(loaded: Loaded, disk: Arc<dyn Disk>) -> Result<Self, StartError> {
        let config = loaded.config;
        let mut place = match &config.membership {
            Some(membership) => Some(Place::take(&config, membership)?),
            None => None,
        };
        listener::raise_file_limit();
        // The port is taken before the data is touched, but nobody is let in until it is read.
        let sockets = match &config.clients.listen {
            Some(listen) => listener::bind(resolve(listen)?)
                .map_err(|(address, error)| StartError::Bind { address, error })?,
            None => Vec::new(),
        };
        let clock = Clock::new();
        let recovered = recovery::recover(&config, disk, random()).map_err(StartError::Data)?;
        // The directory is this server's from here on. A killed one may have left its port there.
        let _ = std::fs::remove_file(config.storage.data_dir.join(client_port::PORT_FILE));
        let node_config = node_config(&config, place.is_some())?;
        let tree_config = recovered.tree.config().clone();
        let files = recovered.files;
        let (node, peers, orders) = match &place {
            None => {
                let node = Node::standalone(node_config.clone(), &recovered.tree, clock.now());
                (node, None, None)
            }
            Some(place) => {
                let found = Recovered {
                    last: recovered.tree.last_zxid(),
                    epochs: grevy_zab::Epochs {
                        accepted: files.epochs.accepted(),
                        current: files.epochs.current(),
                    },
                    recent: recovered.recent,
                    standing: recovered.standing,
                };
                let config = node_config.clone();
                let (node, peers, orders) = place.node(config, found, &recovered.tree, clock.now());
                (node, Some(peers), Some(orders))
            }
        };
        let client_address = place.as_ref().and_then(Place::client_address);
        let client_port = ClientPort::new(config.clients.listen.clone(), client_address);
        let shared = Arc::new(Shared::from(Parts {
            client_port,
            config,
            node_config,
            clock,
            tree: recovered.tree,
            node,
            store: recovered.store,
            initial_text: loaded.initial_text,
            peers,
        }));
        recovered.startup.report(&shared.metrics, &shared.snapshots);
        log_thread::announce(&shared);
        let helpers = Helpers {
            snapshotter: Snapshotter::start_thread(shared.clone())?,
            config_files: place.as_mut().and_then(|place| place.files.take()),
        };
        let (log_thread, log_ended) = start_log_thread(&shared, files, helpers)?;
        let ports = match place.zip(orders) {
            Some((place, orders)) => Some(place.start(&shared, tree_config, orders)?),
            None => None,
        };
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = Workers::start(processors, &shared)?;
        let listeners = listener::listen(sockets, shared.config.clients.backlog)?;
        let address = match listeners.first() {
            Some(listener) => Some(listener.local_addr()?),
            None => None,
        };
        let endpoints = Endpoints::bind(&shared.config);
        let server = Self {
            shared,
            endpoints,
            address,
            listeners,
            workers,
            log_thread,
            log_ended,
            ports,
        };
        if let Some(address) = server.address {
            client_port::write_port_file(&server.shared, address);
        }
        Ok(server)
    }

    /// Where clients connect.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Where the admin server is, if it runs.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.endpoints.admin_address()
    }

    /// What the threads share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Serves until `stop` ends, then makes everything durable. Returns whether it is: a disk that
    /// does not answer is waited for as long as four ticks and a second, and not longer. What it
    /// has not answered for was not acknowledged to anybody.
    ///
    /// # Errors
    /// If the system refuses to go on.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<bool> {
        let mut tasks = tokio::task::JoinSet::new();
        let shared = &self.shared;
        let workers = self.workers.queues().to_vec();
        let door = Door::open(shared.clone(), self.listeners, workers)?;
        tasks.spawn(door.run());
        tasks.spawn(self.endpoints.serve(shared.clone()));
        tasks.spawn(timer::run(shared.clone()));
        tasks.spawn(timer::enforce_deadlines(shared.clone()));
        if let Some(every) = shared.config.storage.purge_interval {
            tasks.spawn(snapshot_thread::purge(shared.clone(), every));
        }
        stop.await;
        info!("stopping");
        client_port::remove_port_file(shared);
        let now = shared.clock.now();
        shared.with_node(|node, _| node.begin_stop(now));
        // The node has a time limit of its own; this is for a log that hangs.
        let patience = shared.node_config.tick * 4 + Duration::from_secs(1);
        if tokio::time::timeout(patience, shared.stopped.notified())
            .await
            .is_err()
        {
            warn!("ending with requests that are not answered");
        }
        shared.stop();
        tasks.shutdown().await;
        shared.with_peers(Peers::stop);
        if let Some(ports) = self.ports {
            // It has nothing to return.
            let _ = ports.join();
        }
        shared.log.push(LogItem::Stop);
        shared.log.wake();
        let durable = match tokio::time::timeout(patience, self.log_ended).await {
            // It says nothing if it has panicked.
            Ok(_) => self.log_thread.join().unwrap_or(false),
            Err(_) => {
                error!(
                    "ending while {} does not answer: nothing that was acknowledged is lost, and \
                     what waits to be written was not",
                    shared.config.storage.data_log_dir.display()
                );
                false
            }
        };
        shared
            .clients
            .all()
            .iter()
            .for_each(|client| Client::abort(client));
        self.workers.stop();
        Ok(durable)
    }
}

/// What the machine is to know. A number for the run is taken only where something is made of it.
fn node_config(config: &Config, is_member: bool) -> io::Result<NodeConfig> {
    let mut node = setup::node_config(config, random());
    let quorum = &config.quorum;
    if is_member && (quorum.local_sessions || quorum.read_only_mode) {
        node.run = run_number::take(&config.storage.data_dir, SystemTime::now())?;
    }
    Ok(node)
}

/// The thread returns whether everything is durable; the receiver tells when it is about to.
fn start_log_thread(
    shared: &Arc<Shared>,
    files: Files,
    mut helpers: Helpers,
) -> io::Result<(JoinHandle<bool>, oneshot::Receiver<()>)> {
    let (ended, log_ended) = oneshot::channel();
    let shared = shared.clone();
    let thread = std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || {
            let durable = log_thread::run(&shared, files, &mut helpers);
            helpers.snapshotter.stop();
            // An error means that nobody waits for it any more.
            let _ = ended.send(());
            durable
        })?;
    Ok((thread, log_ended))
}

fn resolve(listen: &Listen) -> Result<SocketAddr, StartError> {
    client_port::resolve(listen).map_err(|error| StartError::Address {
        listen: listen.clone(),
        error,
    })
}

/// A number that strangers cannot guess, from the keys of the standard library's maps.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
