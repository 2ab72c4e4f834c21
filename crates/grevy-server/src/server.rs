//! A whole server: recovered, listening, and stopped again.

use crate::admin::Endpoints;
use crate::client::Client;
use crate::clock::Clock;
use crate::config::{Listen, Loaded};
use crate::listener;
use crate::log_thread;
use crate::recovery::{self, RecoverError};
use crate::setup;
use crate::shared::{Parts, Shared};
use crate::snapshot_thread::{self, Snapshotter};
use crate::timer;
use crate::workers::Workers;
use grevy_node::Node;
use grevy_storage::RealDisk;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use tracing::{info, warn};

/// The file in the data directory that holds the client port, for whoever started a server
/// with `clientPort=0`. It is there while the server listens.
pub const PORT_FILE: &str = "client.port";

/// A server that serves.
pub struct Server {
    shared: Arc<Shared>,
    address: Option<SocketAddr>,
    listeners: Vec<std::net::TcpListener>,
    workers: Workers,
    log_thread: JoinHandle<bool>,
    endpoints: Endpoints,
}

/// Why a server could not start.
#[derive(Debug)]
pub enum StartError {
    /// This configuration is for something that is not there yet.
    Unsupported(&'static str),
    /// An address to listen on has no meaning here.
    Address {
        /// What was to be listened on.
        listen: Listen,
        /// What the system said.
        error: io::Error,
    },
    /// An address cannot be listened on.
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The data cannot be used.
    Data(RecoverError),
    /// A thread or file could not be made.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(what) => f.write_str(what),
            Self::Address { listen, error } => write!(
                f,
                "cannot listen on {listen}: {error}; is clientPortAddress an address or name of \
                 this machine?"
            ),
            Self::Bind { address, error } if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "cannot listen on {address}: the port is taken; is a ZooKeeper or Grevy server \
                 running already? Stop it, or set another clientPort"
            ),
            Self::Bind { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::Data(error) => error.fmt(f),
            Self::System(error) => write!(f, "cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl Server {
    /// Recovers the data, listens, and serves from the moment this returns.
    pub fn start(loaded: Loaded) -> Result<Self, StartError> {
        let config = loaded.config;
        if config.membership.is_some() {
            return Err(StartError::Unsupported(
                "this configuration is for an ensemble of several servers, which this version of \
                 Grevy does not run yet; remove the server.N lines to run it standalone",
            ));
        }
        listener::raise_file_limit();
        // The port is taken before the data is touched, but nobody is let in until it is read.
        let sockets = match &config.clients.listen {
            Some(listen) => listener::bind(resolve(listen)?)
                .map_err(|(address, error)| StartError::Bind { address, error })?,
            None => Vec::new(),
        };
        let clock = Clock::new();
        let recovered =
            recovery::recover(&config, Arc::new(RealDisk), random()).map_err(StartError::Data)?;
        // The directory is this server's from here on. A killed one may have left its port there.
        let _ = std::fs::remove_file(config.storage.data_dir.join(PORT_FILE));
        let node_config = setup::node_config(&config, random());
        let node = Node::standalone(node_config.clone(), &recovered.tree, clock.now());
        let shared = Arc::new(Shared::from(Parts {
            config,
            node_config,
            clock,
            tree: recovered.tree,
            node,
            store: recovered.store,
            initial_text: loaded.initial_text,
        }));
        recovered.startup.report(&shared.metrics, &shared.snapshots);
        log_thread::announce(&shared);
        let snapshotter = Snapshotter::start_thread(shared.clone())?;
        let log_thread = {
            let shared = shared.clone();
            let files = recovered.files;
            std::thread::Builder::new()
                .name("log".to_owned())
                .spawn(move || {
                    let durable = log_thread::run(&shared, files, &snapshotter);
                    snapshotter.stop();
                    durable
                })?
        };
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = Workers::start(processors, &shared)?;
        let backlog = i32::try_from(shared.config.clients.backlog).unwrap_or(i32::MAX);
        let mut listeners = Vec::new();
        for socket in sockets {
            socket.listen(backlog)?;
            listeners.push(std::net::TcpListener::from(socket));
        }
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
        };
        server.write_port_file();
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

    /// Serves until `stop` ends, then makes everything durable. Returns whether it is.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<bool> {
        let mut tasks = tokio::task::JoinSet::new();
        let shared = &self.shared;
        for listener in self.listeners {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let workers = self.workers.queues().to_vec();
            tasks.spawn(listener::run(shared.clone(), listener, workers));
        }
        tasks.spawn(self.endpoints.serve(shared.clone()));
        tasks.spawn(timer::run(shared.clone()));
        tasks.spawn(timer::enforce_deadlines(shared.clone()));
        if let Some(every) = shared.config.storage.purge_interval {
            tasks.spawn(snapshot_thread::purge(shared.clone(), every));
        }
        stop.await;
        info!("stopping");
        shared.stop();
        let _ = std::fs::remove_file(shared.config.storage.data_dir.join(PORT_FILE));
        tasks.shutdown().await;
        shared.log.stop();
        let durable = self.log_thread.join().unwrap_or(false);
        shared
            .clients
            .all()
            .iter()
            .for_each(|client| Client::abort(client));
        self.workers.stop();
        Ok(durable)
    }

    fn write_port_file(&self) {
        let Some(address) = self.address else {
            return;
        };
        let path: PathBuf = self.shared.config.storage.data_dir.join(PORT_FILE);
        if let Err(error) = std::fs::write(&path, format!("{}\n", address.port())) {
            warn!(
                "cannot write the client port to {}: {error}",
                path.display()
            );
        }
    }
}

fn resolve(listen: &Listen) -> Result<SocketAddr, StartError> {
    let host = listen.host.as_deref().unwrap_or("0.0.0.0");
    let failed = |error| StartError::Address {
        listen: listen.clone(),
        error,
    };
    if listen.is_every_address() {
        return Ok(SocketAddr::from(([0, 0, 0, 0], listen.port)));
    }
    let mut addresses = (host, listen.port).to_socket_addrs().map_err(failed)?;
    let none = || failed(io::Error::other("the name has no address"));
    addresses.next().ok_or_else(none)
}

/// A number that strangers cannot guess, from the keys of the standard library's maps.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
