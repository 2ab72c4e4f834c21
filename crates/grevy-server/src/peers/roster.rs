//! Where the servers of an ensemble are.

use grevy_proto::HostPort;
use grevy_proto::ServerId;
use grevy_zab::Membership;
use grevy_zab::membership::PeerAddress;
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
    /// The servers of these configurations. Those that are in both have both their addresses.
    pub fn of(committed: &Membership, proposed: Option<&Membership>) -> Self {
        let mut roster = Self::default();
        for membership in std::iter::once(committed).chain(proposed) {
            for (server, member) in &membership.members {
                let known = roster.servers.entry(*server).or_default();
                known.votes |= membership.is_voter(*server);
                for address in &member.addresses {
                    known.add(address);
                }
            }
        }
        roster
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
    /// Where another port of it is: at the hosts of its quorum port.
    pub fn at(&self, port: u16) -> Vec<HostPort> {
        let mut addresses: Vec<HostPort> = Vec::new();
        for quorum in &self.quorum {
            let host = quorum.host.clone();
            let address = HostPort { host, port };
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    fn add(&mut self, address: &PeerAddress) {
        let at = |port| HostPort {
            host: address.host.clone(),
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
