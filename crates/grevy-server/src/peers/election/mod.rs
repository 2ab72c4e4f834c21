//! The election port: one connection with each other server, on which they tell each other whom
//! they believe to lead. Source: `QuorumCnxManager`.

mod flag;
mod hello;
mod outbox;
mod pauses;
mod peer;
mod rivals;
mod stream;
#[cfg(test)]
mod tests;

use super::complaints::Complaints;
use super::listen;
use super::roster::{Member, Roster};
use super::{Events, Settings};
use grevy_proto::HostPort;
use grevy_proto::ServerId;
use grevy_proto::election::{Hello, Notification};
use grevy_proto::quorum::Packet;
use parking_lot::{Mutex, RwLock};
use peer::Peer;
use socket2::TcpKeepalive;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use stream::Connection;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tracing::debug;

/// Connections with servers that no configuration names: those that are about to join. More are
/// refused.
const MAX_STRANGERS: usize = 16;
/// Numbers above this do not fit into session ids, and whoever joins should not have one.
const MAX_STRANGER: ServerId = ServerId(255);

/// How many of the system's probes may go unanswered.
const PROBES: u32 = 3;
/// The system's probes are whole seconds apart.
const SHORTEST_SILENCE: Duration = Duration::from_secs(6);

/// All connections of the election port.
#[derive(Clone)]
pub struct Election {
    context: Arc<Context>,
}

/// What all connections need.
struct Context {
    settings: Arc<Settings>,
    events: Arc<dyn Events>,
    complaints: Arc<Complaints>,
    roster: RwLock<Roster>,
    /// Where this server can be dialled back, also when no configuration names it any more.
    own_addresses: RwLock<Vec<HostPort>>,
    peers: Mutex<HashMap<ServerId, Entry>>,
}

struct Entry {
    peer: Arc<Peer>,
    task: AbortHandle,
}

impl Election {
    /// No connections yet.
    pub fn new(settings: Arc<Settings>, events: Arc<dyn Events>) -> Self {
        Self {
            context: Arc::new(Context {
                settings,
                events,
                complaints: Arc::default(),
                roster: RwLock::default(),
                own_addresses: RwLock::default(),
                peers: Mutex::default(),
            }),
        }
    }

    /// The servers of the ensemble are these from now on. Connections with the voters among them
    /// are made and kept; connections with others end when these end them.
    pub fn configure(&self, roster: &Roster) {
        *self.context.roster.write() = roster.clone();
        if let Some(me) = roster.get(self.context.settings.me) {
            *self.context.own_addresses.write() = me.election.clone();
        }
        for (server, member) in roster.iter() {
            if member.votes && server != self.context.settings.me {
                self.context.peer(server);
            }
        }
        let peers: Vec<_> = {
            let peers = self.context.peers.lock();
            let peers = peers.iter();
            peers.map(|(id, entry)| (*id, entry.peer.clone())).collect()
        };
        for (server, peer) in peers {
            self.context.place(server, &peer);
        }
    }

    /// Sends a message to a server, unless a newer one comes before it could be sent. One to a
    /// server with which there is no connection, nor is wanted, is dropped.
    pub fn notify(&self, to: ServerId, message: &Notification) {
        match self.context.peers.lock().get(&to) {
            Some(entry) => entry.peer.outbox.put(message.to_message()),
            None => debug!(
                "no election connection with server {} to notify it on",
                to.0
            ),
        }
    }

    /// Connects at once to every server with which there is no connection.
    pub fn hurry(&self) {
        for entry in self.context.peers.lock().values() {
            entry.peer.hurry();
        }
    }

    /// Accepts connections until the task is dropped.
    pub async fn accept(self, listener: TcpListener) {
        let complaints = self.context.complaints.clone();
        let serve = |stream, address| self.context.clone().admit(stream, address);
        listen::accept(listener, complaints, serve).await;
    }

    /// Ends all connections.
    pub fn stop(&self) {
        for (_, entry) in self.context.peers.lock().drain() {
            entry.task.abort();
        }
    }
}

impl Context {
    /// Finds out who calls, and what to do with the connection.
    async fn admit(self: Arc<Self>, stream: TcpStream, address: SocketAddr) {
        let read = match self.set_options(&stream) {
            Ok(()) => hello::read(stream, self.settings.hello_timeout).await,
            Err(error) => Err(error),
        };
        let refused = match read {
            Ok(Some((hello, connection))) => self.keep_or_call_back(hello, connection, address),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(why) = refused {
            self.complaints.refused(address, "election port", why);
        }
    }

    fn keep_or_call_back(
        self: &Arc<Self>,
        hello: Hello,
        connection: Connection,
        address: SocketAddr,
    ) -> io::Result<()> {
        let Hello { server, addresses } = hello;
        let me = self.settings.me;
        if server == me {
            return Err(io::Error::other(self.why_not_from_me()));
        }
        if server == Hello::ANONYMOUS {
            return Err(io::Error::other("it is from an observer without a number"));
        }
        // What is no hello at all reads as a very large number, mostly.
        if server > MAX_STRANGER && self.roster.read().get(server).is_none() {
            if Packet::begins_introduction(server.0) {
                return Err(io::Error::other(
                    "it is a learner's; are the quorum port and the election port of a server.N \
                     line swapped?",
                ));
            }
            return Err(io::Error::other(format!(
                "it is from a server {} that is in no configuration",
                server.0
            )));
        }
        let Some(peer) = self.peer(server) else {
            return Err(io::Error::other(format!(
                "server {} is in no configuration, and there are {MAX_STRANGERS} such already",
                server.0
            )));
        };
        match server > me {
            true => peer.arrive(connection),
            false => {
                debug!("server {} at {address} wants to be called", server.0);
                peer.knock(address, addresses);
            }
        }
        Ok(())
    }

    /// What is wrong where somebody calls who has this server's number.
    fn why_not_from_me(&self) -> String {
        let me = self.settings.me;
        let roster = self.roster.read();
        let mine = roster.get(me).map_or(&[][..], |member| &member.election);
        let shares = |member: &Member| member.election.iter().any(|one| mine.contains(one));
        let mut others = roster.iter().filter(|(server, _)| *server != me);
        match others.find(|(_, member)| shares(member)) {
            Some((other, _)) => format!(
                "it is from this very server, which looked for server {}: both have the same \
                 election address in the configuration; give each its own",
                other.0
            ),
            None => format!(
                "it is from a server that is number {} as well; each needs a myid of its own",
                me.0
            ),
        }
    }

    /// The peer of that number; `None` if there are too many that are in no configuration.
    fn peer(self: &Arc<Self>, server: ServerId) -> Option<Arc<Peer>> {
        let mut peers = self.peers.lock();
        if let Some(entry) = peers.get(&server) {
            return Some(entry.peer.clone());
        }
        let is_member = self.roster.read().get(server).is_some();
        let strangers = peers.values().filter(|entry| !entry.peer.is_member());
        if !is_member && strangers.count() >= MAX_STRANGERS {
            return None;
        }
        let peer = Arc::new(Peer::new(server));
        self.place(server, &peer);
        let context = self.clone();
        let running = peer.clone();
        let task = tokio::spawn(async move {
            running.run(&context).await;
            context.peers.lock().remove(&server);
        });
        let task = task.abort_handle();
        peers.insert(
            server,
            Entry {
                peer: peer.clone(),
                task,
            },
        );
        Some(peer)
    }

    fn place(&self, server: ServerId, peer: &Peer) {
        let roster = self.roster.read();
        let member = roster.get(server);
        let wanted = member.is_some_and(|member| member.votes);
        peer.configure(member.map(|member| member.election.clone()), wanted);
    }

    /// Nothing may be said on these connections for days. That the machine at the other end is
    /// gone is noticed by the system's probes, or by what it does not acknowledge.
    fn set_options(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let silence = self.settings.silence.max(SHORTEST_SILENCE);
        let socket = socket2::SockRef::from(stream);
        let probes = TcpKeepalive::new()
            .with_time(silence / 2)
            .with_interval(silence / 2 / PROBES)
            .with_retries(PROBES);
        socket.set_tcp_keepalive(&probes)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(silence))?;
        Ok(())
    }
}
