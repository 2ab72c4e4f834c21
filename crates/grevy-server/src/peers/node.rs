//! Between the node and the connections with other servers: what it wants done goes out, what
//! is heard comes in.

use super::ports::Command;
use super::quorum::{Dial, Link, Links, Received};
use super::{Door, Events};
use crate::log_queue::{LogItem, LogQueue};
use crate::shared::Shared;
use grevy_node::Output;
use grevy_proto::ServerId;
use grevy_proto::election::Notification;
use grevy_proto::quorum::Packet;
use grevy_zab::LinkId;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tracing::{error, info};

/// The node's way to other servers.
#[derive(Debug)]
pub struct Peers {
    links: Arc<Links>,
    commands: UnboundedSender<Command>,
    /// The number of the last order to connect to a leader.
    dialled: AtomicU64,
    /// The leader's snapshot that was received last, until it is installed.
    received: Mutex<Option<Received>>,
}

impl Peers {
    /// With nobody connected. `commands` is where the ports take their orders from.
    pub fn new(commands: UnboundedSender<Command>) -> Self {
        Self {
            links: Arc::default(),
            commands,
            dialled: AtomicU64::new(0),
            received: Mutex::default(),
        }
    }

    /// The connections of the quorum port.
    pub fn links(&self) -> &Arc<Links> {
        &self.links
    }

    /// Carries out what concerns other servers. Links with something to send are added to
    /// `touched`: that is done once the node is not locked any more. `is_told`: the log needs no
    /// line about it any more.
    pub fn carry_out(
        &self,
        output: Output,
        is_told: bool,
        log: &LogQueue,
        touched: &mut Vec<Arc<Link>>,
    ) {
        match output {
            Output::Notify { to, message } => self.command(Command::Notify { to, message }),
            Output::DialAll => self.command(Command::Hurry),
            Output::Dial { leader, timeout } => self.dial(leader, timeout, Door::Quorum),
            Output::DialMaster { master, timeout } => self.dial(master, timeout, Door::Observers),
            Output::Send { link, packet } => {
                self.with(link, touched, |link| link.push(&packet));
            }
            Output::SendSnapshot { link, zxid } => {
                self.with(link, touched, |link| link.push_snapshot(zxid));
            }
            Output::Hangup { link, why } => self.with(link, touched, |link| {
                if !is_told {
                    info!(
                        "closing the quorum connection with {}: {why}",
                        link.address()
                    );
                }
                link.hang_up();
            }),
            Output::LinkTimeout { link, timeout } => {
                if let Some(link) = self.links.get(link) {
                    link.set_patience(timeout);
                }
            }
            Output::SaveEpochs { accepted, current } => {
                log.push(LogItem::SaveEpochs { accepted, current });
            }
            Output::Truncate { to, rebuild } => log.push(LogItem::Truncate { to, rebuild }),
            Output::InstallSnapshot { zxid, kept } => match self.received.lock().take() {
                Some(received) if received.zxid == zxid => {
                    log.push(LogItem::Install(Box::new(received), kept));
                }
                _ => {
                    error!("stopping: the leader's snapshot {zxid} was not received");
                    std::process::exit(12);
                }
            },
            Output::ReadLog { link, after, until } => {
                log.push(LogItem::Read { link, after, until });
            }
            Output::Configured {
                committed,
                proposed,
            } => {
                // Ahead of the transaction that brings it: once that is acknowledged, this server
                // must not come back with the configuration before.
                log.push(LogItem::Configure {
                    committed: committed.clone(),
                    proposed: proposed.clone(),
                });
                self.command(Command::Configure {
                    committed,
                    proposed,
                });
            }
            // The rest does not concern other servers.
            _ => {}
        }
    }

    fn dial(&self, leader: ServerId, timeout: Duration, door: Door) {
        let number = self.dialled.fetch_add(1, Ordering::Relaxed) + 1;
        self.command(Command::Dial(Dial {
            number,
            leader,
            timeout,
            door,
        }));
    }

    /// Ends all connections.
    pub fn stop(&self) {
        self.command(Command::Stop);
    }

    fn command(&self, command: Command) {
        // The ports end only when the server does.
        let _ = self.commands.send(command);
    }

    fn with(&self, link: LinkId, touched: &mut Vec<Arc<Link>>, f: impl FnOnce(&Link)) {
        let last = touched.last().filter(|last| last.id() == link);
        let Some(link) = last.cloned().or_else(|| self.links.get(link)) else {
            return;
        };
        f(&link);
        if !touched.iter().any(|other| other.id() == link.id()) {
            touched.push(link);
        }
    }

    /// Takes the leader's snapshot that waits to be installed.
    pub fn take_received(&self) -> Option<Received> {
        self.received.lock().take()
    }

    fn is_current(&self, dial: Dial) -> bool {
        self.dialled.load(Ordering::Relaxed) == dial.number
    }
}

/// Removes a snapshot that nobody is going to install.
pub fn discard(received: Option<Received>) {
    if let Some(received) = received {
        // Best effort: the next start removes it, too.
        let _ = received.file.discard();
    }
}

impl Events for Shared {
    fn election_message(&self, from: ServerId, message: Notification) {
        let now = self.clock.now();
        self.with_node(|node, _| node.election_message(now, from, &message));
    }

    fn election_peer(&self, server: ServerId, connected: bool) {
        let now = self.clock.now();
        self.with_node(|node, _| node.election_peer(now, server, connected));
    }

    fn link_dialled(&self, dial: Dial, link: LinkId) {
        let now = self.clock.now();
        self.with_peers(|peers| {
            self.with_node(|node, _| match peers.is_current(dial) {
                true => node.link_dialled(now, link),
                // The node has given a later order meanwhile.
                false => peers.with(link, &mut Vec::new(), Link::hang_up),
            });
        });
    }

    fn dial_failed(&self, dial: Dial) {
        let now = self.clock.now();
        self.with_peers(|peers| {
            self.with_node(|node, _| {
                if peers.is_current(dial) {
                    node.dial_failed(now, dial.leader);
                }
            });
        });
    }

    fn link_packets(&self, link: LinkId, accepted: Option<Door>, packets: Vec<Packet>) {
        let now = self.clock.now();
        self.with_node(|node, port| {
            match accepted {
                Some(Door::Quorum) => node.link_accepted(now, link),
                Some(Door::Observers) => node.observer_accepted(now, link),
                None => {}
            }
            let tree = self.tree.read();
            for packet in packets {
                node.link_packet(now, &tree, port, link, packet);
            }
        });
    }

    fn snapshot_received(&self, link: LinkId, received: Received) {
        let now = self.clock.now();
        self.with_peers(|peers| {
            let zxid = received.zxid;
            let before = self.with_node(|node, _| {
                let before = peers.received.lock().replace(received);
                node.snapshot_received(now, link, zxid);
                before
            });
            discard(before);
        });
    }

    fn link_lost(&self, link: LinkId) {
        let now = self.clock.now();
        self.with_node(|node, _| node.link_lost(now, link));
    }
}
