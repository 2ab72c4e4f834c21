//! The value of a `server.N` line (`QuorumPeer.QuorumServer`).

use std::fmt;

use super::endpoint::{Endpoint, bracketed, port, split_host};
use super::value::quoted;
use grevy_proto::address::is_host;

/// What a server is in its ensemble (`QuorumPeer.LearnerType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Votes.
    #[default]
    Participant,
    /// Follows without a vote.
    Observer,
}

impl Role {
    /// Reads the word, in any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "participant" => Some(Role::Participant),
            "observer" => Some(Role::Observer),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Participant => "participant",
            Role::Observer => "observer",
        })
    }
}

/// One way to reach a server from other servers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerAddress {
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    /// Where learners connect to the leader.
    pub quorum_port: u16,
    /// Where votes are exchanged.
    pub election_port: u16,
}

/// One server of an ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its number, the N of `server.N`.
    pub id: i64,
    /// At least one; in the order of the line.
    pub addresses: Vec<PeerAddress>,
    /// What it is.
    pub role: Role,
    /// Where it listens for clients, if the line says so.
    pub client: Option<Endpoint>,
}

impl Server {
    /// Reads `host:quorumPort:electionPort[:role][|…][;[clientHost:]clientPort]`. Several
    /// addresses are an error unless `multi_address`.
    pub fn parse(id: i64, line: &str, multi_address: bool) -> Result<Self, String> {
        let (servers, client) = match java_split(line, ';')[..] {
            [servers] => (servers, None),
            [servers, client] => (servers, Some(client_endpoint(client)?)),
            _ => {
                return Err(format!(
                    "{} has a second client part; ZooKeeper 3.10 takes a TLS port there, this \
                     version of Grevy does not",
                    quoted(line)
                ));
            }
        };
        let texts = java_split(servers, '|');
        if texts.len() > 1 && !multi_address {
            return Err(
                "has several addresses, but multiAddress.enabled is not true; set it, or name one \
                 address"
                    .to_owned(),
            );
        }
        let mut addresses = Vec::with_capacity(texts.len());
        let mut role = None;
        for text in texts {
            let (address, its_role) = peer_address(text)?;
            if let (Some(first), Some(its_role)) = (role, its_role)
                && first != its_role
            {
                return Err(format!(
                    "has addresses with different roles, {first} and {its_role}; a server has one"
                ));
            }
            role = role.or(its_role);
            addresses.push(address);
        }
        Ok(Server {
            id,
            addresses,
            role: role.unwrap_or_default(),
            client,
        })
    }
}

/// The line as ZooKeeper writes it: addresses sorted by host, always with the role.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut addresses: Vec<&PeerAddress> = self.addresses.iter().collect();
        addresses.sort_by(|left, right| left.host.cmp(&right.host));
        for (index, address) in addresses.into_iter().enumerate() {
            let separator = if index > 0 { "|" } else { "" };
            let PeerAddress {
                host,
                quorum_port,
                election_port,
            } = address;
            write!(
                f,
                "{separator}{}:{quorum_port}:{election_port}",
                bracketed(host)
            )?;
        }
        write!(f, ":{}", self.role)?;
        match &self.client {
            Some(client) => write!(f, ";{client}"),
            None => Ok(()),
        }
    }
}

fn peer_address(text: &str) -> Result<(PeerAddress, Option<Role>), String> {
    let parts = split_host(text.trim())?;
    let (host, quorum, election, role) = match parts[..] {
        [host, quorum, election] => (host, quorum, election, None),
        [host, quorum, election, role] => (host, quorum, election, Some(role)),
        _ => {
            return Err(format!(
                "{} is not host:quorumPort:electionPort[:role]",
                quoted(text)
            ));
        }
    };
    if host.is_empty() {
        return Err(format!("{} has no host", quoted(text)));
    }
    check_host(host)?;
    let role = match role {
        None => None,
        Some(word) => Some(Role::parse(word).ok_or_else(|| {
            format!("{} is no role; write participant or observer", quoted(word))
        })?),
    };
    let address = PeerAddress {
        host: host.to_owned(),
        quorum_port: port(quorum, 1)?,
        election_port: port(election, 1)?,
    };
    if address.quorum_port == address.election_port {
        return Err(format!(
            "has {} both as the quorum port and as the election port; they must differ",
            address.quorum_port
        ));
    }
    Ok((address, role))
}

fn client_endpoint(text: &str) -> Result<Endpoint, String> {
    let parts = split_host(text.trim())?;
    let (host, number) = match parts[..] {
        [number] => ("0.0.0.0", number),
        [host, number] if !host.is_empty() => (host, number),
        _ => return Err(format!("{} is not [clientHost:]clientPort", quoted(text))),
    };
    check_host(host)?;
    Ok(Endpoint {
        host: host.to_owned(),
        port: port(number, 0)?,
    })
}

/// Other servers could not read the line, nor find the host.
fn check_host(host: &str) -> Result<(), String> {
    match is_host(host) {
        true => Ok(()),
        false if host.contains(char::is_whitespace) => Err(format!(
            "{} is no host; write no blanks around the colons",
            quoted(host)
        )),
        false => Err(format!("{} is no host", quoted(host))),
    }
}

/// Splits as `String.split`: empty parts at the end are dropped.
fn java_split(text: &str, separator: char) -> Vec<&str> {
    let mut parts: Vec<&str> = text.split(separator).collect();
    while parts.len() > 1 && parts.last().is_some_and(|last| last.is_empty()) {
        parts.pop();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_how_they_are_written_back() {
        let cases = [
            ("a:2888:3888", "a:2888:3888:participant"),
            ("a:2888:3888:PARTICIPANT", "a:2888:3888:participant"),
            ("a:2888:3888:observer", "a:2888:3888:observer"),
            ("a:2888:3888;2181", "a:2888:3888:participant;0.0.0.0:2181"),
            ("a:2888:3888:observer;b:2181", "a:2888:3888:observer;b:2181"),
            (
                "[::1]:2888:3888;[::1]:2181",
                "[::1]:2888:3888:participant;[::1]:2181",
            ),
            ("b:1:2|a:3:4;5", "a:3:4|b:1:2:participant;0.0.0.0:5"),
            ("a:1:2|b:3:4:observer", "a:1:2|b:3:4:observer"),
            ("a:1:2:observer|b:3:4", "a:1:2|b:3:4:observer"),
            ("a:1:2:", "a:1:2:participant"),
            ("a:1:2;", "a:1:2:participant"),
        ];
        for (line, written) in cases {
            let server = Server::parse(1, line, true).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!(server.to_string(), written, "{line}");
            assert_eq!(
                Server::parse(1, written, true).map(|s| s.to_string()),
                Ok(written.into())
            );
        }
    }

    #[test]
    fn what_is_no_server() {
        let cases = [
            ("", "\"\" is not host:quorumPort:electionPort[:role]"),
            ("a", "\"a\" is not host:quorumPort:electionPort[:role]"),
            (
                "a:2888",
                "\"a:2888\" is not host:quorumPort:electionPort[:role]",
            ),
            (
                "a:1:2:observer:x",
                "\"a:1:2:observer:x\" is not host:quorumPort:electionPort[:role]",
            ),
            (":1:2", "\":1:2\" has no host"),
            (
                "::1:1:2",
                "\"::1:1:2\" is not host:quorumPort:electionPort[:role]",
            ),
            (
                "127.0.0.1 : 2888 : 3888",
                "\"127.0.0.1 \" is no host; write no blanks around the colons",
            ),
            (
                "a:1:2;b : 2181",
                "\"b \" is no host; write no blanks around the colons",
            ),
            ("a,b:1:2", "\"a,b\" is no host"),
            (
                "a:x:2",
                "\"x\" is not a port; write a number from 1 to 65535",
            ),
            (
                "a:1:65536",
                "\"65536\" is not a port; write a number from 1 to 65535",
            ),
            (
                "a:7:7",
                "has 7 both as the quorum port and as the election port; they must differ",
            ),
            (
                "a:1:2:boss",
                "\"boss\" is no role; write participant or observer",
            ),
            ("a:1:2;b:c:3", "\"b:c:3\" is not [clientHost:]clientPort"),
            (
                "a:1:2;x",
                "\"x\" is not a port; write a number from 0 to 65535",
            ),
            (
                "a:1:2;;b:3",
                "\"a:1:2;;b:3\" has a second client part; ZooKeeper 3.10 takes a TLS port there, \
                 this version of Grevy does not",
            ),
            (
                "a:1:2:observer|b:3:4:participant",
                "has addresses with different roles, observer and participant; a server has one",
            ),
        ];
        for (line, error) in cases {
            assert_eq!(
                Server::parse(1, line, true),
                Err(error.to_owned()),
                "{line}"
            );
        }
        assert!(Server::parse(1, "a:1:2|b:3:4", false).is_err_and(|e| e.contains("multiAddress")));
    }
}
