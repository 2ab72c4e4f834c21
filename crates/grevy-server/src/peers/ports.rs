//! The thread that has the election port and the quorum port.

use super::election::Election;
use super::listening::{Listening, Port, Sockets};
use super::quorum::{Depot, Dial, Links, Quorum};
use super::roster::Roster;
use super::{Door, Events, Settings};
use crate::runtime;
use grevy_proto::ServerId;
use grevy_proto::election::Notification;
use grevy_zab::Membership;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::mpsc::UnboundedReceiver;

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
}

impl Ports {
    /// Starts the thread. It ends with [`Command::Stop`].
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn start(self, commands: UnboundedReceiver<Command>) -> io::Result<JoinHandle<()>> {
        let runtime = runtime::with_helpers()?;
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
        let accept = doors(election.clone(), quorum.clone());
        let mut listening = Listening::begin(self.sockets, accept);
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
                    if let Some(me) = roster.get(settings.me) {
                        listening.move_to(settings.places(me)).await;
                    }
                }
                Command::Stop => break,
            }
        }
        drop(listening);
        election.stop();
        // Those that were hung up get what is queued for them.
        links.are_gone().await;
    }
}

type Accepting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Lets others in through these ports.
fn doors(
    election: Election,
    quorum: Quorum,
) -> impl Fn(Port, TcpListener) -> Accepting + Clone + Send + 'static {
    move |port, socket| -> Accepting {
        let (election, quorum) = (election.clone(), quorum.clone());
        Box::pin(async move {
            match port {
                Port::Election => election.accept(socket).await,
                Port::Quorum => quorum.accept(socket, Door::Quorum).await,
                Port::Observers => quorum.accept(socket, Door::Observers).await,
            }
        })
    }
}
