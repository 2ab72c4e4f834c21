//! The client port, which a reconfiguration may move while the server runs. Source:
//! `QuorumPeer.processReconfig`, `NettyServerCnxnFactory.reconfigure`.

use crate::config::Listen;
use crate::listener;
use crate::shared::Shared;
use crate::workers::Accepted;
use grevy_node::CloseReason;
use grevy_proto::{HostPort, ServerId};
use grevy_zab::Membership;
use parking_lot::Mutex;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

/// The file in the data directory that holds the client port, for whoever started a server
/// with `clientPort=0`. It is there while the server listens.
pub const PORT_FILE: &str = "client.port";

/// Where clients are to connect.
#[derive(Debug)]
pub struct ClientPort {
    /// As the configuration of the ensemble has it; `None` if that does not say.
    configured: Mutex<Option<HostPort>>,
    /// Whether `clientPort` alone says it.
    is_static: bool,
    wanted: watch::Sender<Option<Listen>>,
}

impl ClientPort {
    /// Begins with `listen`; `configured` is what the configuration of the ensemble says.
    pub fn new(listen: Option<Listen>, configured: Option<HostPort>) -> Self {
        Self {
            is_static: listen.is_some() && configured.is_none(),
            configured: Mutex::new(configured),
            wanted: watch::Sender::new(listen),
        }
    }

    /// Where clients are to connect; `None`: nowhere.
    pub fn wanted(&self) -> Option<Listen> {
        self.wanted.borrow().clone()
    }

    /// Another configuration of the ensemble is in force, in which this server is `me`.
    pub fn configure(&self, me: ServerId, membership: &Membership) {
        let Some(member) = membership.members.get(&me) else {
            return;
        };
        let mut configured = self.configured.lock();
        if *configured == member.client {
            return;
        }
        configured.clone_from(&member.client);
        if member.client.is_none() && self.is_static {
            return;
        }
        let listen = member.client.as_ref().map(|address| Listen {
            host: Some(address.host.to_string()),
            port: address.port,
        });
        self.wanted.send_replace(listen);
    }
}

/// Where clients connect, with the tasks that let them in.
pub struct Door {
    shared: Arc<Shared>,
    workers: Vec<UnboundedSender<Accepted>>,
    here: Option<Listen>,
    accepting: JoinSet<()>,
}

impl Door {
    /// Lets in whoever connects to `sockets`.
    ///
    /// # Errors
    /// If they cannot be watched.
    pub fn open(
        shared: Arc<Shared>,
        sockets: Vec<TcpListener>,
        workers: Vec<UnboundedSender<Accepted>>,
    ) -> io::Result<Self> {
        let here = shared.config.clients.listen.clone();
        let mut door = Self {
            shared,
            workers,
            here,
            accepting: JoinSet::new(),
        };
        door.accepting = door.accept(sockets)?;
        Ok(door)
    }

    fn accept(&self, sockets: Vec<TcpListener>) -> io::Result<JoinSet<()>> {
        let mut accepting = JoinSet::new();
        for socket in sockets {
            let socket = tokio::net::TcpListener::from_std(socket)?;
            let workers = self.workers.clone();
            accepting.spawn(listener::run(self.shared.clone(), socket, workers));
        }
        Ok(accepting)
    }

    /// Moves to wherever clients are to connect, until the task is dropped.
    pub async fn run(mut self) {
        let shared = self.shared.clone();
        let mut wanted = shared.client_port.wanted.subscribe();
        loop {
            let listen = wanted.borrow_and_update().clone();
            self.follow(listen).await;
            if wanted.changed().await.is_err() {
                return;
            }
        }
    }

    async fn follow(&mut self, wanted: Option<Listen>) {
        match wanted {
            wanted if wanted == self.here => {}
            None => self.close().await,
            Some(wanted) => self.move_to(wanted).await,
        }
    }

    /// The configuration of the ensemble has no address for clients any more.
    async fn close(&mut self) {
        info!("no clients are served any more: the new configuration names no port for them");
        self.accepting.shutdown().await;
        self.here = None;
        remove_port_file(&self.shared);
        for client in self.shared.clients.all() {
            client.wire().conn.close(CloseReason::NotServing);
            client.send_now();
        }
    }

    /// Connections that are there stay.
    async fn move_to(&mut self, wanted: Listen) {
        let is_same = |here: &Listen| {
            here.port == wanted.port && here.is_every_address() && wanted.is_every_address()
        };
        if self.here.as_ref().is_some_and(is_same) {
            self.here = Some(wanted);
            return;
        }
        // Two sockets of one port may be in each other's way.
        let before = match self.here.take_if(|here| here.port == wanted.port) {
            Some(before) => {
                self.accepting.shutdown().await;
                Some(before)
            }
            None => None,
        };
        match self.listen(&wanted).await {
            Ok(address) => {
                info!("clients connect to {address} from now on");
                self.here = Some(wanted);
            }
            Err(why) => {
                error!(
                    "cannot listen on {wanted} for clients, as the new configuration says: {why}; \
                     another reconfiguration or a restart tries again"
                );
                if let Some(before) = before {
                    match self.listen(&before).await {
                        Ok(_) => self.here = Some(before),
                        Err(why) => error!("cannot listen on {before} again: {why}"),
                    }
                }
            }
        }
    }

    async fn listen(&mut self, listen: &Listen) -> io::Result<SocketAddr> {
        let (listen, backlog) = (listen.clone(), self.shared.config.clients.backlog);
        // The name may have to be looked up.
        let bound = tokio::task::spawn_blocking(move || bind(&listen, backlog)).await;
        let sockets = bound.map_err(io::Error::other)??;
        let address = sockets.first().map(TcpListener::local_addr);
        let address = address.unwrap_or_else(|| Err(io::Error::other("there is no socket")))?;
        self.accepting = self.accept(sockets)?;
        write_port_file(&self.shared, address);
        Ok(address)
    }
}

fn bind(listen: &Listen, backlog: u32) -> io::Result<Vec<TcpListener>> {
    let sockets = listener::bind(resolve(listen)?).map_err(|(_, error)| error)?;
    listener::listen(sockets, backlog)
}

/// The address that is meant.
///
/// # Errors
/// If there is none.
pub fn resolve(listen: &Listen) -> io::Result<SocketAddr> {
    if listen.is_every_address() {
        return Ok(SocketAddr::from(([0, 0, 0, 0], listen.port)));
    }
    let host = listen.host.as_deref().unwrap_or("0.0.0.0");
    let mut addresses = (host, listen.port).to_socket_addrs()?;
    let none = || io::Error::other("the name has no address");
    addresses.next().ok_or_else(none)
}

/// Tells in a file where clients connect.
pub fn write_port_file(shared: &Shared, address: SocketAddr) {
    let path = port_file(shared);
    if let Err(error) = std::fs::write(&path, format!("{}\n", address.port())) {
        warn!(
            "cannot write the client port to {}: {error}",
            path.display()
        );
    }
}

/// Nobody can connect any more.
pub fn remove_port_file(shared: &Shared) {
    // Best effort: the next start removes it, too.
    let _ = std::fs::remove_file(port_file(shared));
}

fn port_file(shared: &Shared) -> PathBuf {
    shared.config.storage.data_dir.join(PORT_FILE)
}
