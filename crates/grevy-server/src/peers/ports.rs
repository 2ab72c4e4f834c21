//! The thread that has the election port and the quorum port.

use super::config_files::ConfigFiles;
use super::election::Election;
use super::listen;
use super::quorum::{Depot, Dial, Links, Quorum};
use super::roster::{Member, Roster};
use super::{Door, Events, Settings};
use grevy_proto::election::Notification;
use grevy_proto::{HostPort, ServerId};
use grevy_zab::Membership;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tracing::{info, warn};

/// The pause between two tries to listen. Source: `QuorumCnxManager.Listener`.
const BIND_PAUSE: Duration = Duration::from_secs(1);

/// What the ports are to do.
#[derive(Debug)]
pub enum Command {
    /// Send this on the election port.
    Notify {
        /// To whom.
        to: ServerId,
        /// What.
        message: Notification,
    },
    /// Connect at once to every server with which there is no election connection.
    Hurry,
    /// Connect to the quorum port of a leader.
    Dial(Dial),
    /// The configuration is another one.
    Configure {
        /// The one in force.
        committed: Arc<Membership>,
        /// One that is proposed.
        proposed: Option<Arc<Membership>>,
    },
    /// End.
    Stop,
}

/// A port for other servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    Election,
    Quorum,
    Observers,
}

/// The ports, bound.
#[derive(Debug)]
pub struct Sockets {
    bound: Vec<(Port, TcpListener)>,
    /// What this server can do without for a while.
    missing: Vec<(Port, HostPort, io::Error)>,
    everywhere: bool,
}

impl Sockets {
    /// Listens on both ports, as `me` has them, and on that for `observers`. Tries again every
    /// second, `tries` times in all; for ever, if that is `None` (`electionPortBindRetry`). Of
    /// several addresses one is enough to begin with, and the port for observers can come later.
    ///
    /// # Errors
    /// Which address cannot be listened on, and why.
    pub fn bind(
        me: &Member,
        observers: Option<u16>,
        everywhere: bool,
        tries: Option<u32>,
    ) -> Result<Self, (HostPort, io::Error)> {
        let mut tried = 1;
        loop {
            match Self::try_bind(me, observers, everywhere) {
                Err((address, error)) if tries.is_none_or(|tries| tried < tries) => {
                    warn!("cannot listen on {address} for other servers yet: {error}");
                    std::thread::sleep(BIND_PAUSE);
                    tried += 1;
                }
                other => return other,
            }
        }
    }

    fn try_bind(
        me: &Member,
        observers: Option<u16>,
        everywhere: bool,
    ) -> Result<Self, (HostPort, io::Error)> {
        let mut sockets = Self {
            bound: Vec::new(),
            missing: Vec::new(),
            everywhere,
        };
        // Only voters ever follow.
        let observers = observers.filter(|_| me.votes);
        let observers = observers.map_or(Vec::new(), |port| me.at(port));
        for (port, addresses) in [
            (Port::Election, &me.election),
            (Port::Quorum, &me.quorum),
            (Port::Observers, &observers),
        ] {
            let mut here = listen::bind(addresses, everywhere);
            if here.sockets.is_empty()
                && port != Port::Observers
                && let Some(failed) = here.failed.pop()
            {
                return Err(failed);
            }
            let bound = here.sockets.into_iter().map(|socket| (port, socket));
            sockets.bound.extend(bound);
            let failed = here.failed.into_iter();
            let missing = failed.map(|(address, error)| (port, address, error));
            sockets.missing.extend(missing);
        }
        Ok(sockets)
    }
}

/// What the thread is started with.
pub struct Ports {
    /// How the ports are used.
    pub settings: Settings,
    /// Who is told what is heard.
    pub events: Arc<dyn Events>,
    /// The connections of the quorum port.
    pub links: Arc<Links>,
    /// Where snapshots of the leader go.
    pub depot: Depot,
    /// Whom to connect to.
    pub roster: Roster,
    /// The ports.
    pub sockets: Sockets,
    /// What is to be kept up to date; `None`: nothing (`reconfigEnabled=false`).
    pub files: Option<ConfigFiles>,
}

impl Ports {
    /// Starts the thread. It ends with [`Command::Stop`].
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn start(self, commands: UnboundedReceiver<Command>) -> io::Result<JoinHandle<()>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("peers".to_owned())
            .spawn(move || {
                runtime.block_on(self.run(commands));
                // A name that is being looked up is not waited for.
                runtime.shutdown_background();
            })
    }

    async fn run(self, mut commands: UnboundedReceiver<Command>) {
        let settings = Arc::new(self.settings);
        let election = Election::new(settings.clone(), self.events.clone());
        let links = self.links.clone();
        let quorum = Quorum::new(settings.clone(), self.events, self.links, self.depot);
        election.configure(&self.roster);
        let mut own = self.roster.get(settings.me).cloned();
        let first = listen(election.clone(), quorum.clone(), self.sockets);
        let mut listening = tokio::spawn(first);
        let (changes, changed) = unbounded_channel();
        if let Some(files) = self.files {
            tokio::task::spawn_blocking(move || keep(files, changed));
        }
        let mut roster = self.roster;
        while let Some(command) = commands.recv().await {
            match command {
                Command::Notify { to, message } => election.notify(to, &message),
                Command::Hurry => election.hurry(),
                Command::Dial(dial) => {
                    let leader = roster.get(dial.leader);
                    let addresses = leader.map(|leader| match dial.door {
                        Door::Quorum => leader.quorum.clone(),
                        Door::Observers => leader.at(settings.observer_port.unwrap_or(0)),
                    });
                    quorum.dial(dial, addresses.unwrap_or_default());
                }
                Command::Configure {
                    committed,
                    proposed,
                } => {
                    roster = Roster::of(&committed, proposed.as_deref());
                    election.configure(&roster);
                    // An error means that no files are kept.
                    let _ = changes.send((committed, proposed));
                    let here = roster.get(settings.me).cloned();
                    if here.is_some() && here != own {
                        // The addresses may be in use until the present sockets are closed.
                        listening.abort();
                        own.clone_from(&here);
                        let settings = settings.clone();
                        let again = listen_again(election.clone(), quorum.clone(), here, settings);
                        listening = tokio::spawn(again);
                    }
                }
                Command::Stop => break,
            }
        }
        listening.abort();
        election.stop();
        // Those that were hung up get what is queued for them.
        links.are_gone().await;
    }
}

/// A configuration in force, and one that is proposed.
type Change = (Arc<Membership>, Option<Arc<Membership>>);

/// Keeps the configuration files up to date, one change after the other.
fn keep(mut files: ConfigFiles, mut changed: UnboundedReceiver<Change>) {
    while let Some((committed, proposed)) = changed.blocking_recv() {
        files.configured(&committed, proposed.as_deref());
    }
}

/// Accepts connections on all sockets, until the task is dropped.
async fn listen(election: Election, quorum: Quorum, sockets: Sockets) {
    let mut accepting = JoinSet::new();
    for (port, socket) in sockets.bound {
        accepting.spawn(accept(election.clone(), quorum.clone(), port, socket));
    }
    for (port, address, error) in sockets.missing {
        warn!("cannot listen on {address} for other servers: {error}; trying again every second");
        let (election, quorum) = (election.clone(), quorum.clone());
        let later = accept_later(election, quorum, port, address, sockets.everywhere);
        accepting.spawn(later);
    }
    while accepting.join_next().await.is_some() {}
}

async fn accept(election: Election, quorum: Quorum, port: Port, socket: TcpListener) {
    match port {
        Port::Election => election.accept(socket).await,
        Port::Quorum => quorum.accept(socket, Door::Quorum).await,
        Port::Observers => quorum.accept(socket, Door::Observers).await,
    }
}

/// The same on an address that cannot be had yet.
async fn accept_later(
    election: Election,
    quorum: Quorum,
    port: Port,
    address: HostPort,
    everywhere: bool,
) {
    loop {
        tokio::time::sleep(BIND_PAUSE).await;
        let here = address.clone();
        let bound = tokio::task::spawn_blocking(move || listen::bind_one(&here, everywhere));
        match bound.await {
            Ok(Ok(socket)) => {
                info!("listening on {address} for other servers, too");
                return accept(election, quorum, port, socket).await;
            }
            Ok(Err(_)) => {}
            Err(_) => return,
        }
    }
}

/// The same where the configuration has this server now.
async fn listen_again(
    election: Election,
    quorum: Quorum,
    own: Option<Member>,
    settings: Arc<Settings>,
) {
    let own = own.unwrap_or_default();
    let (observers, everywhere) = (settings.observer_port, settings.listen_everywhere);
    loop {
        let here = own.clone();
        let bound =
            tokio::task::spawn_blocking(move || Sockets::try_bind(&here, observers, everywhere));
        match bound.await {
            Ok(Ok(sockets)) => {
                info!("listening for other servers at new addresses");
                return listen(election, quorum, sockets).await;
            }
            Ok(Err((address, error))) => {
                warn!("cannot listen on {address} for other servers: {error}; trying again");
            }
            Err(_) => return,
        }
        tokio::time::sleep(BIND_PAUSE).await;
    }
}
