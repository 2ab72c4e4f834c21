//! The membership that a reconfig request asks for. Source: `PrepRequestProcessor`, case
//! reconfig.

use super::parse::{server_id, voters};
use super::{Member, Membership, MembershipError};
use crate::quorum::Quorum;
use alloc::boxed::Box;
use core::fmt;
use core::net::IpAddr;
use grevy_proto::{ErrorCode, HostPort, ServerId};

/// Why a reconfiguration asks for something that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReconfigError {
    /// Servers that join or leave, where voters are in groups: only a whole new membership can
    /// say into which.
    NotMajority,
    /// A new membership that cannot be read.
    Members(MembershipError),
    /// A server that leaves is not named by a number.
    Leaving(Box<str>),
    /// A server that joins is not of the form `server.N=…` with a client address.
    Joining(Box<str>),
    /// A server that joins has an address of another one.
    AddressInUse {
        /// Who joins.
        server: ServerId,
        /// The address.
        address: HostPort,
        /// Who has it already.
        by: ServerId,
    },
    /// Fewer would vote than may be.
    TooFewParticipants {
        /// How many would be left.
        left: usize,
        /// How many there must be.
        least: usize,
    },
}

impl ReconfigError {
    /// What the client is told.
    pub fn code(&self) -> ErrorCode {
        ErrorCode::BadArguments
    }
}

impl fmt::Display for ReconfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMajority => f.write_str(
                "servers cannot join or leave one by one where voters are in groups; name all \
                 members",
            ),
            Self::Members(error) => write!(f, "{error}"),
            Self::Leaving(text) => write!(f, "{text:?} is not the number of a server to leave"),
            Self::Joining(text) => write!(
                f,
                "{text:?} is not server.N=host:quorumPort:electionPort[:role];[clientHost:]\
                 clientPort"
            ),
            Self::AddressInUse {
                server,
                address,
                by,
            } => write!(
                f,
                "server {} cannot have {address}, which server {} has",
                server.0, by.0
            ),
            Self::TooFewParticipants { left, least } => write!(
                f,
                "{left} participants would be left; there must be at least {least}"
            ),
        }
    }
}

impl core::error::Error for ReconfigError {}

impl Membership {
    /// The membership after a reconfiguration, still with this one's version: `new_members` as
    /// a whole (lines, or joined by commas), or else this one without `leaving` (numbers joined
    /// by commas) and with `joining` (`server.N=…` joined by commas). Who leaves but is no
    /// member is passed over. Ids in both lists leave and join again.
    ///
    /// `least_participants` is 2, or 1 with `standaloneEnabled=false`.
    ///
    /// What is not checked here: whether reconfiguration is enabled, none is pending, the
    /// expected version, permission, and whether a quorum of the new members is in sync.
    pub fn reconfigure(
        &self,
        joining: Option<&str>,
        leaving: Option<&str>,
        new_members: Option<&str>,
        least_participants: usize,
    ) -> Result<Self, ReconfigError> {
        let next = match new_members {
            Some(text) => {
                let text = text.replace(',', "\n");
                Self::parse(&text).map_err(ReconfigError::Members)?
            }
            None => self.incremental(joining.unwrap_or(""), leaving.unwrap_or(""))?,
        };
        let left = next.quorum.voters().len();
        if left < least_participants {
            return Err(ReconfigError::TooFewParticipants {
                left,
                least: least_participants,
            });
        }
        Ok(next.with_version(self.version))
    }

    fn incremental(&self, joining: &str, leaving: &str) -> Result<Self, ReconfigError> {
        if !matches!(self.quorum, Quorum::Majority { .. }) {
            return Err(ReconfigError::NotMajority);
        }
        let mut members = self.members.clone();
        for text in list(leaving) {
            let id = server_id(text).ok_or_else(|| ReconfigError::Leaving(text.into()))?;
            members.remove(&id);
        }
        for text in list(joining) {
            let (id, member) = joiner(text).ok_or_else(|| ReconfigError::Joining(text.into()))?;
            for (&by, other) in members.iter().filter(|(other, _)| **other != id) {
                let mut own = member.own_addresses();
                if let Some(address) = own.find(|own| other.own_addresses().any(|a| a == *own)) {
                    return Err(ReconfigError::AddressInUse {
                        server: id,
                        address,
                        by,
                    });
                }
            }
            members.insert(id, member);
        }
        Ok(Self {
            version: self.version,
            quorum: Quorum::majority(voters(&members)),
            members,
        })
    }
}

/// The parts between commas, without blanks around them, and without empty ones.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

fn joiner(text: &str) -> Option<(ServerId, Member)> {
    let (key, value) = text.split_once('=')?;
    // Java looks at what follows the last dot, so that a number alone will do.
    let id = server_id(key.trim().rsplit('.').next()?)?;
    let member = Member::parse(value.trim())?;
    let serves = member.client.is_some() || member.secure_client.is_some();
    serves.then_some((id, member))
}

impl Member {
    /// The addresses that no other server can have. Loopback and wildcards every machine has.
    fn own_addresses(&self) -> impl Iterator<Item = HostPort> {
        let peers = self.addresses.iter().flat_map(|address| {
            [address.quorum_port, address.election_port].map(|port| HostPort {
                host: address.host.clone(),
                port,
            })
        });
        let clients = [&self.client, &self.secure_client].into_iter().flatten();
        peers
            .chain(clients.cloned())
            .filter(|address| !is_everywhere(&address.host))
    }
}

fn is_everywhere(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}
