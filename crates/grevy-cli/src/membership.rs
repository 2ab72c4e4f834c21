//! Ensemble configurations: `server.N=host:port:port[:role][;[host:]port]` lines. Source:
//! `QuorumPeer.QuorumServer`, `ConfigUtils.getClientConfigStr`.

use crate::properties;
use std::collections::BTreeMap;
use std::fmt::Write;

/// One server's line.
#[derive(Debug, PartialEq, Eq)]
struct Server {
    /// `host:port:port`, several joined by `|`.
    addresses: String,
    is_observer: bool,
    /// `host:port` for clients.
    client: Option<String>,
}

/// The text of a membership file in the form that a reconfiguration sends.
pub fn normalize(text: &str) -> Result<String, String> {
    let mut servers = BTreeMap::new();
    let mut others = BTreeMap::new();
    let mut version = "0".to_owned();
    for (key, value) in properties::parse(text) {
        if let Some(id) = key.strip_prefix("server.") {
            let id: i64 = id.parse().map_err(|_| format!("{key} names no server"))?;
            servers.insert(id, parse_server(&value)?);
        } else if key.starts_with("group") || key.starts_with("weight") {
            others.insert(key, value);
        } else if key == "version" {
            version = value;
        } else {
            return Err(format!("Unrecognised parameter: {key}"));
        }
    }
    let mut out = String::new();
    // Writing to a string cannot fail.
    for (id, server) in &servers {
        let role = match server.is_observer {
            true => "observer",
            false => "participant",
        };
        let _ = write!(out, "server.{id}={}:{role}", server.addresses);
        if let Some(client) = &server.client {
            let _ = write!(out, ";{client}");
        }
        out.push('\n');
    }
    for (key, value) in &others {
        let _ = writeln!(out, "{key}={value}");
    }
    let _ = write!(out, "version={version}");
    Ok(out)
}

/// The configuration's version, and a connection string of its servers for clients.
pub fn client_string(config: &str) -> String {
    let pairs = properties::parse(config);
    let version = pairs.iter().rfind(|(key, _)| key == "version");
    let clients: Vec<_> = pairs
        .iter()
        .filter(|(key, _)| key.starts_with("server."))
        .filter_map(|(_, value)| parse_server(value).ok())
        .map(|server| server.client.unwrap_or_default())
        .collect();
    let version = version.map_or("", |(_, version)| version);
    format!("{version} {}", clients.join(","))
}

/// Each server's number, and where clients connect to it. Instead of an address that stands for all
/// of a machine's, that of the server itself is given. Servers without a client port are left out.
pub fn client_addresses(config: &str) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    for (key, value) in properties::parse(config) {
        let id = key.strip_prefix("server.").and_then(|id| id.parse().ok());
        let (Some(id), Ok(server)) = (id, parse_server(&value)) else {
            continue;
        };
        let Some((host, port)) = server.client.as_deref().and_then(|c| c.rsplit_once(':')) else {
            continue;
        };
        let own = || server.addresses.split('|').find_map(host_and_rest);
        let host = match host {
            "0.0.0.0" | "[::]" | "[0:0:0:0:0:0:0:0]" => own().map_or(host, |(host, _)| host),
            host => host,
        };
        found.push((id, format!("{host}:{port}")));
    }
    found
}

fn parse_server(text: &str) -> Result<Server, String> {
    let wrong = || {
        format!(
            "{text} does not have the form server_config or server_config;client_config where \
             server_config is the pipe separated list of host:port:port or host:port:port:type \
             and client_config is port or host:port"
        )
    };
    let (servers, client) = match text.split_once(';') {
        Some((servers, client)) => (servers, Some(client)),
        None => (text, None),
    };
    let mut is_observer = false;
    let mut addresses = Vec::new();
    for address in servers.split('|') {
        let (host, rest) = host_and_rest(address).ok_or_else(wrong)?;
        let mut parts = rest.split(':');
        let mut port = || parts.next().filter(|port| port.parse::<u16>().is_ok());
        let (Some(quorum), Some(election)) = (port(), port()) else {
            return Err(wrong());
        };
        match parts
            .next()
            .map(|role| role.trim().to_lowercase())
            .as_deref()
        {
            None | Some("participant") => {}
            Some("observer") => is_observer = true,
            Some(role) => return Err(format!("Unrecognised peertype: {role}")),
        }
        if parts.next().is_some() {
            return Err(wrong());
        }
        addresses.push(format!("{host}:{quorum}:{election}"));
    }
    let client = client
        .map(|client| {
            let (host, port) = host_and_rest(client).unwrap_or(("0.0.0.0", client));
            match port.parse::<u16>() {
                Ok(port) => Ok(format!("{host}:{port}")),
                Err(_) => Err(wrong()),
            }
        })
        .transpose()?;
    Ok(Server {
        addresses: addresses.join("|"),
        is_observer,
        client,
    })
}

/// Splits at the colon after the host, which may be an address in brackets.
fn host_and_rest(text: &str) -> Option<(&str, &str)> {
    match text.starts_with('[') {
        true => {
            let (host, rest) = text.split_at(text.find(']')? + 1);
            Some((host, rest.strip_prefix(':')?))
        }
        false => text.split_once(':'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_become_memberships() {
        let text = "# three\nserver.2=b:1:2:observer;b:5\nserver.1=a:1:2;2181\n\
                    server.3=[::1]:1:2:participant\n";
        assert_eq!(
            normalize(text).unwrap(),
            "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2:observer;b:5\n\
             server.3=[::1]:1:2:participant\nversion=0"
        );
        for bad in [
            "server.x=a:1:2",
            "server.1=a",
            "server.1=a:1",
            "server.1=a:1:x",
            "server.1=a:1:2:king",
            "server.1=a:1:2:observer:x",
            "server.1=a:1:2;x",
            "tickTime=5",
        ] {
            assert!(normalize(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_for_clients() {
        let config = "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2;x:5\n\
                      server.3=[::1]:1:2;2181\nserver.4=d:1:2\nversion=0";
        let expected = [(1, "a:2181"), (2, "x:5"), (3, "[::1]:2181")];
        let expected = expected.map(|(id, address)| (id, address.to_owned()));
        assert_eq!(client_addresses(config), expected);
        assert_eq!(client_addresses(""), []);
    }

    #[test]
    fn client_strings() {
        for (config, expected) in [
            ("", " "),
            (
                "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2:participant;c:5\n\
                 version=100000000",
                "100000000 0.0.0.0:2181,c:5",
            ),
            (
                "server.1=a:1:2\nserver.2=b:1:2;5\nversion=0",
                "0 ,0.0.0.0:5",
            ),
        ] {
            assert_eq!(client_string(config), expected);
        }
    }
}
