//! Reading the text.

use super::{Member, Membership, Role};
use crate::quorum::Quorum;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;
use grevy_proto::ServerId;

/// Why a text is no membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipError {
    /// A key that has no place here.
    UnknownKey(Box<str>),
    /// A key without a number where one must be.
    Key(Box<str>),
    /// A value that does not have the form that its key asks for.
    Value {
        /// The key.
        key: Box<str>,
        /// Its value.
        value: Box<str>,
    },
    /// A second line for the same server, group or weight.
    Twice(Box<str>),
    /// A server in several groups.
    InManyGroups(ServerId),
    /// A participant in no group, where there are groups.
    InNoGroup(ServerId),
    /// Nobody votes.
    NoParticipants,
}

impl fmt::Display for MembershipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(key) => write!(
                f,
                "{key:?} is not server.N, group.N, weight.N or version, which is all that \
                 belongs here"
            ),
            Self::Key(key) => write!(f, "{key:?} must end in a dot and a number"),
            Self::Value { key, value } => {
                let form = match key.as_ref() {
                    "version" => "a hexadecimal number",
                    key if key.starts_with("group") => "numbers of servers joined by colons",
                    key if key.starts_with("weight") => "a whole number, 0 or more",
                    _ => {
                        "host:quorumPort:electionPort[:role][;[clientHost:]clientPort], with \
                         two different ports and the role participant or observer"
                    }
                };
                write!(f, "{key}={value:?} is not {form}")
            }
            Self::Twice(key) => write!(f, "{key:?} says again what another line says; remove one"),
            Self::InManyGroups(ServerId(id)) => {
                write!(f, "server {id} is in several groups; it can be in one")
            }
            Self::InNoGroup(ServerId(id)) => {
                write!(f, "server {id} is in no group; name it in a group line")
            }
            Self::NoParticipants => f.write_str("there is no participant; name at least one"),
        }
    }
}

impl core::error::Error for MembershipError {}

impl Membership {
    /// Reads the text: a Java properties file without escapes, which no such text has. The
    /// later of two lines with the same key wins.
    pub fn parse(text: &str) -> Result<Self, MembershipError> {
        let lines: BTreeMap<&str, &str> = text.split(['\n', '\r']).filter_map(property).collect();
        let mut version = 0;
        let mut members = BTreeMap::new();
        let mut groups = BTreeMap::new();
        let mut weights = BTreeMap::new();
        let mut grouped = BTreeSet::new();
        for (key, value) in lines {
            let wrong = || MembershipError::Value {
                key: key.into(),
                value: value.into(),
            };
            let twice = || MembershipError::Twice(key.into());
            if key == "version" {
                let number = i64::from_str_radix(value, 16).ok();
                version = number.filter(|v| *v >= 0).ok_or_else(wrong)?;
            } else if let Some(id) = key.strip_prefix("server.") {
                let id = server_id(id).ok_or_else(|| MembershipError::Key(key.into()))?;
                let member = Member::parse(value).ok_or_else(wrong)?;
                if members.insert(id, member).is_some() {
                    return Err(twice());
                }
            } else if key.starts_with("group") {
                let mut group = BTreeSet::new();
                for id in value.split(':') {
                    let id = server_id(id.trim()).ok_or_else(wrong)?;
                    if !grouped.insert(id) {
                        return Err(MembershipError::InManyGroups(id));
                    }
                    group.insert(id);
                }
                if groups.insert(number_of(key)?, group).is_some() {
                    return Err(twice());
                }
            } else if key.starts_with("weight") {
                let id = ServerId(number_of(key)?);
                let weight: u32 = value.parse().map_err(|_| wrong())?;
                if weights.insert(id, weight).is_some() {
                    return Err(twice());
                }
            } else {
                return Err(MembershipError::UnknownKey(key.into()));
            }
        }
        let voters: BTreeSet<ServerId> = voters(&members).collect();
        if voters.is_empty() {
            return Err(MembershipError::NoParticipants);
        }
        let quorum = if groups.is_empty() && weights.is_empty() {
            Quorum::Majority { voters }
        } else {
            if let Some(alone) = voters.difference(&grouped).next() {
                return Err(MembershipError::InNoGroup(*alone));
            }
            for voter in &voters {
                weights.entry(*voter).or_insert(1);
            }
            Quorum::Hierarchical {
                voters,
                groups,
                weights,
            }
        };
        Ok(Self {
            version,
            members,
            quorum,
        })
    }
}

/// Which of `members` vote.
pub(super) fn voters(
    members: &BTreeMap<ServerId, Member>,
) -> impl Iterator<Item = ServerId> + use<'_> {
    members
        .iter()
        .filter(|(_, member)| member.role == Role::Participant)
        .map(|(id, _)| *id)
}

/// A server's number; none is negative.
pub(super) fn server_id(text: &str) -> Option<ServerId> {
    let id = text.parse().ok().filter(|id| *id >= 0)?;
    Some(ServerId(id))
}

/// The number after the dot.
fn number_of(key: &str) -> Result<i64, MembershipError> {
    key.split_once('.')
        .and_then(|(_, number)| number.parse().ok())
        .ok_or_else(|| MembershipError::Key(key.into()))
}

/// A key and its value; `None` for empty lines and comments.
fn property(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', '!']) {
        return None;
    }
    let is_separator = |c: char| c == '=' || c == ':' || c.is_ascii_whitespace();
    let end = line.find(is_separator).unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    Some((key, value.trim()))
}
