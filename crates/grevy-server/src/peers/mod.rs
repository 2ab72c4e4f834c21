//! The connections with the other servers of an ensemble.

pub mod complaints;
pub mod config_files;
pub mod connect;
pub mod election;
pub mod listen;
pub mod listening;
pub mod node;
pub mod ports;
pub mod quorum;
pub mod roster;

use grevy_proto::ServerId;
use grevy_proto::election::Notification;
use grevy_proto::quorum::Packet;
use grevy_zab::LinkId;
use listening::Place;
use quorum::{Dial, Received};
use roster::Member;
use std::time::Duration;

/// Which port a connection came in through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The quorum port.
    Quorum,
    /// The port on which followers serve observers.
    Observers,
}

impl Door {
    /// What operators call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quorum => "quorum port",
            Self::Observers => "port for observers (observerMasterPort)",
        }
    }
}

/// How the ports are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// This server's number.
    pub me: ServerId,
    /// How long connecting to an election port may take (`cnxTimeout`).
    pub connect_timeout: Duration,
    /// How long the other end of a connection of the election port may take to say who it is
    /// (`quorumCnxnTimeoutMs`, or `syncLimit`).
    pub hello_timeout: Duration,
    /// Whether the ports are those of every address of the machine (`quorumListenOnAllIPs`).
    pub listen_everywhere: bool,
    /// After how long the machine at the other end of a connection of the election port counts as
    /// gone, if it does not answer the system's probes (`syncLimit`, `grevy.peerTimeoutMs`).
    pub silence: Duration,
    /// Whether servers may have several addresses (`multiAddress.enabled`).
    pub several_addresses: bool,
    /// How long the other end of a connection of the quorum port may be silent until the node
    /// says otherwise (`initLimit`).
    pub init_limit: Duration,
    /// The pause between two tries to connect to a leader
    /// (`leaderConnectDelayDuringRetryMs`).
    pub connect_pause: Duration,
    /// The port on which followers serve observers, if they do (`observerMasterPort`).
    pub observer_port: Option<u16>,
}

impl Settings {
    /// Where this server, known as `me`, is to listen for others.
    pub fn places(&self, me: &Member) -> Vec<Place> {
        Place::all(me, self.observer_port, self.listen_everywhere)
    }
}

/// What is heard of other servers.
pub trait Events: Send + Sync {
    /// A message came on the election port.
    fn election_message(&self, from: ServerId, message: Notification);
    /// The connection with a server is there, also in place of another one; or it is lost, or
    /// could not be made.
    fn election_peer(&self, server: ServerId, connected: bool);
    /// A leader was reached.
    fn link_dialled(&self, dial: Dial, link: LinkId);
    /// A leader could not be reached.
    fn dial_failed(&self, dial: Dial);
    /// Packets came. `accepted`: they are the first of a learner that has connected there.
    fn link_packets(&self, link: LinkId, accepted: Option<Door>, packets: Vec<Packet>);
    /// The snapshot behind a SNAP packet was read to its end.
    fn snapshot_received(&self, link: LinkId, received: Received);
    /// A link that was heard of before has ended, and was not hung up.
    fn link_lost(&self, link: LinkId);
}
