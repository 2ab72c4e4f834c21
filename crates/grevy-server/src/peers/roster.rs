//! Where the servers of an ensemble are.

use crate::config::{Ensemble, PeerAddress, Role};
use grevy_proto::ServerId;
use grevy_proto::address::HostPort;
use std::collections::BTreeMap;

/// The servers of the configuration in force and of the one that is proposed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    servers: BTreeMap<ServerId, Member>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    /// Where votes are exchanged.
    pub election: Vec<HostPort>,
    /// Where learners connect to it if it leads.
    pub quorum: Vec<HostPort>,
    /// Whether it has a vote.
    pub votes: bool,
}

impl Roster {
    /// Adds the servers of a configuration. A server that is known already keeps what is known,
    /// but may get further addresses and a vote.
    pub fn add(&mut self, ensemble: &Ensemble) {
        for server in ensemble.servers.values() {
            let member = self.servers.entry(ServerId(server.id)).or_default();
            member.votes |= server.role == Role::Participant;
            for address in &server.addresses {
                member.add(address);
            }
        }
    }

    /// A server.
    pub fn get(&self, server: ServerId) -> Option<&Member> {
        self.servers.get(&server)
    }

    /// All servers, by id.
    pub fn iter(&self) -> impl Iterator<Item = (ServerId, &Member)> {
        self.servers
            .iter()
            .map(|(server, member)| (*server, member))
    }
}

impl Member {
    fn add(&mut self, address: &PeerAddress) {
        let at = |port| HostPort {
            host: address.host.as_str().into(),
            port,
        };
        for (list, port) in [
            (&mut self.election, address.election_port),
            (&mut self.quorum, address.quorum_port),
        ] {
            let address = at(port);
            if !list.contains(&address) {
                list.push(address);
            }
        }
    }
}
