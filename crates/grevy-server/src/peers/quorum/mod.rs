//! The quorum port: learners connect to it where a server leads, and this server to a leader's.
//! Source: `Leader.LearnerCnxAcceptor`, `LearnerHandler`, `Learner.connectToLeader`.

mod link;
mod links;
pub mod outbox;
mod snapshot_in;
mod snapshot_out;
mod task;
#[cfg(test)]
mod tests;

pub use link::Link;
pub use links::Links;
pub use snapshot_in::{Depot, ReceiveError, Received};

use super::complaints::Complaints;
use super::connect;
use super::listen;
use super::{Door, Events, Settings};
use grevy_proto::HostPort;
use grevy_proto::ServerId;
use grevy_proto::election::Hello;
use grevy_proto::quorum::Packet;
use parking_lot::Mutex;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use task::Task;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How often connecting to a leader is tried. A Java server listens for learners only when it knows
/// that it leads, which takes it some hundred ms longer than this server to know; and if it misses
/// the one that has elected it, it waits for `initLimit`. If it is gone, its election connection
/// tells.
const TRIES: u32 = 20;
/// A learner's first packet has no field longer than this, in bytes.
const FIRST_LIMIT: usize = 1024;
/// Bytes that a read of the first packet may bring.
const FIRST_READ: usize = 4096;
/// Connections of learners and of those who say that they are. More are refused.
const MAX_LINKS: usize = 512;

/// The quorum port of a server.
#[derive(Clone)]
pub struct Quorum {
    settings: Arc<Settings>,
    events: Arc<dyn Events>,
    links: Arc<Links>,
    depot: Depot,
    complaints: Arc<Complaints>,
    /// The last try to connect to a leader.
    dialling: Arc<Mutex<Option<AbortHandle>>>,
}

/// One order to connect to a leader; a later one ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dial {
    /// Counts the orders.
    pub number: u64,
    /// Whom to connect to: a leader, or a follower that serves observers.
    pub leader: ServerId,
    /// How long all tries may take together.
    pub timeout: Duration,
    /// Through which of its ports.
    pub door: Door,
}

impl Quorum {
    /// No connections yet.
    pub fn new(
        settings: Arc<Settings>,
        events: Arc<dyn Events>,
        links: Arc<Links>,
        depot: Depot,
    ) -> Self {
        Self {
            settings,
            events,
            links,
            depot,
            complaints: Arc::default(),
            dialling: Arc::default(),
        }
    }

    /// Accepts connections until the task is dropped.
    pub async fn accept(self, listener: TcpListener, door: Door) {
        let complaints = self.complaints.clone();
        let serve = |stream, address| self.clone().admit(stream, address, door);
        listen::accept(listener, complaints, serve).await;
    }

    /// Nobody hears of a connection before a learner has introduced itself on it.
    async fn admit(self, stream: TcpStream, address: SocketAddr, door: Door) {
        let first = self.settings.init_limit;
        let introduced = match tokio::time::timeout(first, introduction(stream)).await {
            Ok(introduced) => introduced,
            Err(_) => Err(io::Error::other(
                "it did not say in time who it is from (initLimit)",
            )),
        };
        match introduced {
            Ok(None) => {}
            Ok(Some(_)) if self.links.len() >= MAX_LINKS => {
                let why = format_args!("there are {MAX_LINKS}");
                self.complaints.refused(address, door.name(), why);
            }
            Ok(Some((stream, received))) => {
                let (link, reader) = self.links.add(stream, address, false, first);
                tokio::spawn(self.task(link, Some(door), received).run(reader));
            }
            Err(why) => self.complaints.refused(address, door.name(), why),
        }
    }

    /// Connects to a leader at one of these addresses, and tells how that went.
    pub fn dial(&self, dial: Dial, addresses: Vec<HostPort>) {
        let quorum = self.clone();
        let task = tokio::spawn(async move {
            match quorum.connect(dial, &addresses).await {
                Ok((stream, address)) => {
                    let patience = quorum.settings.init_limit;
                    let (link, reader) = quorum.links.add(stream, address, true, patience);
                    quorum.events.link_dialled(dial, link.id());
                    tokio::spawn(quorum.task(link, None, Vec::new()).run(reader));
                }
                Err(error) => {
                    tracing::warn!(
                        "cannot reach the {} of server {}: {error}",
                        dial.door.name(),
                        dial.leader.0
                    );
                    quorum.events.dial_failed(dial);
                }
            }
        });
        let before = self.dialling.lock().replace(task.abort_handle());
        if let Some(before) = before {
            before.abort();
        }
    }

    async fn connect(
        &self,
        dial: Dial,
        addresses: &[HostPort],
    ) -> io::Result<(TcpStream, SocketAddr)> {
        let deadline = Instant::now() + dial.timeout;
        let mut tries = 1;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match connect::connect(addresses, left).await {
                Ok(stream) => {
                    let address = stream.peer_addr()?;
                    return Ok((stream, address));
                }
                Err(error) if tries == TRIES || Instant::now() >= deadline => return Err(error),
                Err(_) => tokio::time::sleep(self.settings.connect_pause).await,
            }
            tries += 1;
        }
    }

    fn task(&self, link: Arc<Link>, accepted: Option<Door>, received: Vec<u8>) -> Task {
        Task {
            link,
            links: self.links.clone(),
            events: self.events.clone(),
            depot: self.depot.clone(),
            received,
            accepted,
        }
    }
}

/// Waits for the packet with which a learner introduces itself. Returns all that came. `None`:
/// the other end only wanted to see whether somebody listens.
async fn introduction(mut stream: TcpStream) -> io::Result<Option<(TcpStream, Vec<u8>)>> {
    stream.set_nodelay(true)?;
    let mut received = Vec::new();
    loop {
        if Hello::is_begun_by(&received) {
            return Err(io::Error::other(
                "it is an election connection; are the quorum port and the election port of a \
                 server.N line swapped?",
            ));
        }
        let first = Packet::parse(&received, FIRST_LIMIT)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        match first {
            Some((Packet::LearnerInfo(_), _)) => return Ok(Some((stream, received))),
            Some((packet, _)) => {
                return Err(io::Error::other(format!(
                    "it begins with {}, not with an introduction",
                    packet.name()
                )));
            }
            None => {}
        }
        received.reserve(FIRST_READ);
        if stream.read_buf(&mut received).await? == 0 {
            if received.is_empty() {
                return Ok(None);
            }
            return Err(io::Error::other("it ended before it said who it is from"));
        }
    }
}
