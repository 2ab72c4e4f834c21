//! A whole server: recovered, listening, and stopped again.

use crate::admin::Endpoints;
use crate::client::Client;
use crate::client_port::{self, ClientPort, Door};
use crate::clock::Clock;
use crate::config::{Config, Listen, Loaded, Membership};
use crate::listener;
use crate::log_queue::LogItem;
use crate::log_thread::{self, Helpers};
use crate::peers::Settings;
use crate::peers::config_files::ConfigFiles;
use crate::peers::listening::Sockets;
use crate::peers::node::Peers;
use crate::peers::ports::{Command, Ports};
use crate::peers::roster::Roster;
use crate::recovery::{self, RecoverError};
use crate::run_number;
use crate::setup;
use crate::shared::{Parts, Shared};
use crate::snapshot_thread::{self, Snapshotter};
use crate::timer;
use crate::workers::Workers;
use grevy_node::Node;
use grevy_proto::HostPort;
use grevy_storage::{Disk, RealDisk};
use grevy_tree::TreeConfig;
use grevy_zab::membership::MembershipError;
use grevy_zab::{Memberships, PeerConfig, Recovered};
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
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

/// A member's place in its ensemble.
struct Place {
    peer: PeerConfig,
    members: Memberships,
    settings: Settings,
    roster: Roster,
    sockets: Sockets,
    /// What is to be kept up to date; `None`: nothing (`reconfigEnabled=false`).
    files: Option<ConfigFiles>,
}

impl Place {
    /// Listens, so that nobody else can.
    fn take(config: &Config, membership: &Membership) -> Result<Self, StartError> {
        let members = setup::memberships(membership).map_err(StartError::Membership)?;
        let proposed = members.proposed().map(|proposed| &**proposed);
        let roster = Roster::of(members.committed(), proposed);
        let settings = setup::peer_settings(config, membership);
        let me = roster.get(settings.me).cloned().unwrap_or_default();
        let tries = config.quorum.election_bind_tries;
        let sockets = Sockets::bind(&settings.places(&me), tries).map_err(|(address, error)| {
            StartError::PeerPort {
                address,
                everywhere: settings.listen_everywhere,
                error,
            }
        })?;
        let files = match config.quorum.reconfig {
            true => ConfigFiles::new(membership),
            false => None,
        };
        if let Some(files) = &files {
            files.back_up(membership);
        }
        Ok(Self {
            files,
            peer: setup::peer_config(config, membership, random()),
            members,
            settings,
            roster,
            sockets,
        })
    }

    /// Where the configuration of the ensemble says that clients connect.
    fn client_address(&self) -> Option<HostPort> {
        let me = self.members.committed().members.get(&self.settings.me)?;
        me.client.clone()
    }

    /// Begins to talk with other servers.
    fn start(
        self,
        shared: &Arc<Shared>,
        tree: TreeConfig,
        orders: UnboundedReceiver<Command>,
    ) -> io::Result<JoinHandle<()>> {
        let mut links = Arc::default();
        shared.with_peers(|peers| links = peers.links().clone());
        let ports = Ports {
            settings: self.settings,
            events: shared.clone(),
            links,
            depot: setup::depot(&shared.config, &shared.store, tree),
            roster: self.roster,
            sockets: self.sockets,
        };
        let thread = ports.start(orders)?;
        // What the node has wanted since it was made.
        shared.with_node(|_, _| ());
        Ok(thread)
    }
}

/// Why a server could not start.
#[derive(Debug)]
pub enum StartError {
    /// The members of the ensemble cannot be understood.
    Membership(MembershipError),
    /// An address that this server has in its ensemble cannot be listened on.
    PeerPort {
        /// The address.
        address: HostPort,
        /// Whether its port was wanted on every address of the machine.
        everywhere: bool,
        /// What the system said.
        error: io::Error,
    },
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
            Self::Membership(error) => write!(f, "the ensemble's configuration: {error}"),
            Self::PeerPort {
                address,
                everywhere: true,
                error,
            } => write!(
                f,
                "cannot listen on port {} of every address for other servers: {error}; is the \
                 port of this server's server.N line free?",
                address.port
            ),
            Self::PeerPort { address, error, .. } => write!(
                f,
                "cannot listen on {address} for other servers: {error}; does the server.N line of \
                 this server's myid name this machine, and is the port free? \
                 quorumListenOnAllIPs=true listens whatever the name resolves to"
            ),
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
        let mut node_config = setup::node_config(&config, random());
        let quorum = &config.quorum;
        if place.is_some() && (quorum.local_sessions || quorum.read_only_mode) {
            let dir = &config.storage.data_dir;
            node_config.run = run_number::take(dir, SystemTime::now())?;
        }
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
                let node = Node::member(
                    node_config.clone(),
                    place.peer.clone(),
                    place.members.clone(),
                    found,
                    &recovered.tree,
                    clock.now(),
                );
                let (commands, orders) = unbounded_channel();
                (node, Some(Peers::new(commands)), Some(orders))
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
        let mut helpers = Helpers {
            snapshotter: Snapshotter::start_thread(shared.clone())?,
            config_files: place.as_mut().and_then(|place| place.files.take()),
        };
        let (ended, log_ended) = oneshot::channel();
        let log_thread = {
            let shared = shared.clone();
            std::thread::Builder::new()
                .name("log".to_owned())
                .spawn(move || {
                    let durable = log_thread::run(&shared, files, &mut helpers);
                    helpers.snapshotter.stop();
                    // An error means that nobody waits for it any more.
                    let _ = ended.send(());
                    durable
                })?
        };
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
