//! A member's place in its ensemble: who it is there, and its ports for the other servers.

use super::{StartError, random};
use crate::config::{Config, Membership};
use crate::peers::Settings;
use crate::peers::config_files::ConfigFiles;
use crate::peers::listening::Sockets;
use crate::peers::node::Peers;
use crate::peers::ports::{Command, Ports};
use crate::peers::roster::Roster;
use crate::setup;
use crate::shared::Shared;
use grevy_node::{Node, NodeConfig, Now};
use grevy_proto::HostPort;
use grevy_tree::{Tree, TreeConfig};
use grevy_zab::{Memberships, PeerConfig, Recovered};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A member's place in its ensemble.
pub struct Place {
    peer: PeerConfig,
    members: Memberships,
    settings: Settings,
    roster: Roster,
    sockets: Sockets,
    /// What is to be kept up to date; `None`: nothing (`reconfigEnabled=false`).
    pub files: Option<ConfigFiles>,
}

impl Place {
    /// Listens, so that nobody else can.
    pub fn take(config: &Config, membership: &Membership) -> Result<Self, StartError> {
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
    pub fn client_address(&self) -> Option<HostPort> {
        let me = self.members.committed().members.get(&self.settings.me)?;
        me.client.clone()
    }

    /// The machine of this member, whose storage holds what was `found`, and what tells the ports
    /// for other servers what the machine wants of them: its orders come out at the receiver.
    pub fn node(
        &self,
        config: NodeConfig,
        found: Recovered,
        tree: &Tree,
        now: Now,
    ) -> (Node, Peers, UnboundedReceiver<Command>) {
        let (peer, members) = (self.peer.clone(), self.members.clone());
        let node = Node::member(config, peer, members, found, tree, now);
        let (commands, orders) = unbounded_channel();
        (node, Peers::new(commands), orders)
    }

    /// Begins to talk with other servers.
    pub fn start(
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
