//! The value of one `server.N` line:
//! `host:quorumPort:electionPort[:role][|…][;[clientHost:]clientPort[;[host:]securePort]]`.

use super::{Member, PeerAddress, Role};
use alloc::vec::Vec;
use core::fmt;
use grevy_proto::HostPort;
use grevy_proto::address::{Bracketed, is_host, split_host};

impl Member {
    /// Reads the line's value; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (servers, client, secure) = match java_split(text, ';')[..] {
            [servers] => (servers, "", ""),
            [servers, client] => (servers, client, ""),
            [servers, client, secure] => (servers, client, secure),
            _ => return None,
        };
        let mut role = None;
        let mut addresses = Vec::new();
        for text in java_split(servers, '|') {
            let (address, its_role) = peer_address(text)?;
            if its_role.is_some() && role.is_some() && its_role != role {
                return None;
            }
            role = role.or(its_role);
            addresses.push(address);
        }
        addresses.sort_unstable();
        addresses.dedup();
        Some(Self {
            role: role.unwrap_or_default(),
            addresses,
            client: client_address(client)?,
            secure_client: client_address(secure)?,
        })
    }
}

fn peer_address(text: &str) -> Option<(PeerAddress, Option<Role>)> {
    let parts = split_host(text)?;
    let (&[host, quorum, election], role) = parts.split_first_chunk::<3>()?;
    let role = match *role {
        [] | [""] => None,
        [role] => Some(Role::parse(role)?),
        _ => return None,
    };
    let address = PeerAddress {
        host: is_host(host).then(|| host.into())?,
        quorum_port: quorum.parse().ok()?,
        election_port: election.parse().ok()?,
    };
    (address.quorum_port != address.election_port).then_some((address, role))
}

/// A port alone is one on every address of the machine. The outer `None`: not an address.
fn client_address(text: &str) -> Option<Option<HostPort>> {
    if text.is_empty() {
        return Some(None);
    }
    let address = match text.parse::<u16>() {
        Ok(port) => HostPort {
            host: "0.0.0.0".into(),
            port,
        },
        Err(_) => text.parse().ok()?,
    };
    Some(Some(address))
}

/// Splits as `String.split` does: without the empty parts at the end.
fn java_split(text: &str, separator: char) -> Vec<&str> {
    text.trim_end_matches(separator).split(separator).collect()
}

impl Role {
    fn parse(text: &str) -> Option<Self> {
        let is = |word: &str| text.trim().eq_ignore_ascii_case(word);
        match (is("participant"), is("observer")) {
            (true, _) => Some(Self::Participant),
            (_, true) => Some(Self::Observer),
            _ => None,
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, address) in self.addresses.iter().enumerate() {
            let bar = if i > 0 { "|" } else { "" };
            let host = Bracketed(&address.host);
            let (quorum, election) = (address.quorum_port, address.election_port);
            write!(f, "{bar}{host}:{quorum}:{election}")?;
        }
        f.write_str(match self.role {
            Role::Participant => ":participant",
            Role::Observer => ":observer",
        })?;
        if let Some(client) = &self.client {
            write!(f, ";{client}")?;
        }
        if let Some(secure) = &self.secure_client {
            let none = if self.client.is_none() { ";" } else { "" };
            write!(f, "{none};{secure}")?;
        }
        Ok(())
    }
}
