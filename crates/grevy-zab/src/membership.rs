//! The members of an ensemble as a value, and as the text in which it travels: in
//! `/zookeeper/config`, in notifications and in NEWLEADER. Source: `QuorumMaj`,
//! `QuorumHierarchical`, `QuorumPeer.QuorumServer`, `QuorumPeerConfig.parseDynamicConfig`.
//!
//! Hosts are compared by name, letter for letter: whether two names are one machine is for a
//! resolver to say, and differs from server to server.

mod line;
mod pair;
mod parse;
mod reconfigure;

pub use pair::Memberships;
pub use parse::MembershipError;
pub use reconfigure::ReconfigError;

use crate::quorum::Quorum;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use grevy_proto::{HostPort, ServerId};

/// What a member is (`QuorumPeer.LearnerType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Votes.
    #[default]
    Participant,
    /// Follows without a vote.
    Observer,
}

/// One way to reach a member from other members.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerAddress {
    /// A name or an address; an IPv6 address without brackets.
    pub host: Box<str>,
    /// Where learners connect to the leader.
    pub quorum_port: u16,
    /// Where notifications are exchanged.
    pub election_port: u16,
}

/// One server of an ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What it is.
    pub role: Role,
    /// At least one, sorted.
    pub addresses: Vec<PeerAddress>,
    /// Where it listens for clients, if the configuration says so.
    pub client: Option<HostPort>,
    /// Where it listens for clients with TLS. Only 3.10 and later read it (ZOOKEEPER-4276).
    pub secure_client: Option<HostPort>,
}

/// Who belongs to the ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The zxid of the change that made it; 0 if it was never agreed upon.
    pub version: i64,
    /// By number.
    pub members: BTreeMap<ServerId, Member>,
    /// How the participants among them count.
    pub quorum: Quorum,
}

impl Membership {
    /// Whether there is nothing to change from the other to this one: the same version, or the
    /// same members that count in the same way (`QuorumMaj.equals`).
    pub fn same_as(&self, other: &Self) -> bool {
        self.version == other.version
            || (self.members == other.members && self.quorum == other.quorum)
    }

    /// The same with another version.
    #[must_use]
    pub fn with_version(self, version: i64) -> Self {
        Self { version, ..self }
    }

    /// A single server, which nobody else is to reach.
    pub fn alone(server: ServerId) -> Self {
        Self {
            version: 0,
            members: BTreeMap::new(),
            quorum: Quorum::majority([server]),
        }
    }

    /// Whether `server` votes here, and learners can reach it where they could before, so that it may
    /// go on to lead. Its election port has nothing to do with that (`Leader.getDesignatedLeader`).
    /// Names are compared, not what they resolve to (ZOOKEEPER-4708).
    pub fn keeps(&self, before: &Self, server: ServerId) -> bool {
        self.is_voter(server)
            && self
                .learners_reach(server)
                .eq(before.learners_reach(server))
    }

    /// Where learners connect to `server`.
    fn learners_reach(&self, server: ServerId) -> impl Iterator<Item = (&str, u16)> {
        let member = self.members.get(&server);
        let addresses = member.into_iter().flat_map(|member| &member.addresses);
        addresses.map(|address| (&*address.host, address.quorum_port))
    }

    /// Whether a server has several addresses (`multiAddress.enabled`).
    pub fn has_several_addresses(&self) -> bool {
        let mut members = self.members.values();
        members.any(|member| member.addresses.len() > 1)
    }

    /// Whether `server` votes.
    pub fn is_voter(&self, server: ServerId) -> bool {
        self.quorum.contains(server)
    }
}

/// The text, as `QuorumVerifier.toString` writes it.
impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (ServerId(id), member) in &self.members {
            writeln!(f, "server.{id}={member}")?;
        }
        if let Quorum::Hierarchical {
            groups, weights, ..
        } = &self.quorum
        {
            for (id, group) in groups {
                write!(f, "group.{id}=")?;
                for (i, ServerId(server)) in group.iter().enumerate() {
                    let colon = if i > 0 { ":" } else { "" };
                    write!(f, "{colon}{server}")?;
                }
                writeln!(f)?;
            }
            for (ServerId(id), weight) in weights {
                writeln!(f, "weight.{id}={weight}")?;
            }
        }
        write!(f, "version={:x}", self.version)
    }
}

#[cfg(test)]
mod tests;
