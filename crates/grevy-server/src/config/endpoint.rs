//! Hosts and ports as they stand in a configuration.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A host, by name or address, and a TCP port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The host, by name or address; none for every address of this machine.
    pub host: Option<String>,
    /// The port; 0 lets the system choose one.
    pub port: u16,
}

impl Listen {
    /// Whether it is every address of this machine: no host, `0.0.0.0` or `::`, which are the same
    /// to ZooKeeper.
    pub fn is_every_address(&self) -> bool {
        match &self.host {
            None => true,
            Some(host) => host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_unspecified()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}",
            bracketed(self.host.as_deref().unwrap_or("0.0.0.0")),
            self.port
        )
    }
}

/// A host that stands in a setting of its own. Java takes an IPv6 address in brackets there, and
/// one with an interface behind it also where only link-local addresses need that, which systems
/// refuse.
pub(super) fn host_alone(text: String) -> Option<String> {
    let inside = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let host = inside.unwrap_or(&text);
    let (address, interface) = host.split_once('%').unwrap_or((host, ""));
    let host = match address.parse::<Ipv6Addr>() {
        Ok(known) if !interface.is_empty() && !known.is_unicast_link_local() => address,
        Ok(_) => host,
        Err(_) => &text,
    };
    (!host.is_empty()).then(|| host.to_owned())
}

/// A host as it stands before a port: an IPv6 address in brackets.
pub(super) fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// Splits `host:a:b…`, where an IPv6 host stands in brackets (`ConfigUtils.getHostAndPort`). As
/// Java's `split`, it drops empty parts at the end.
pub(super) fn split_host(text: &str) -> Result<Vec<&str>, String> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(inside) => {
            let Some((host, rest)) = inside.split_once(']') else {
                return Err(format!("{text} begins with [ but has no ]"));
            };
            (Some(host), rest)
        }
        None => (None, text),
    };
    let rest = match (host, rest) {
        (Some(_), "") => return Err(format!("{text} has no port; write [host]:port")),
        (Some(_), rest) => rest
            .strip_prefix(':')
            .ok_or_else(|| format!("{text} has no colon after the ]; write [host]:port"))?,
        (None, rest) => rest,
    };
    let mut parts: Vec<&str> = host.into_iter().chain(rest.split(':')).collect();
    while parts.len() > 1 && parts.last().is_some_and(|last| last.is_empty()) {
        parts.pop();
    }
    Ok(parts)
}

/// A port between servers or of a server line, 0 excluded where nothing could find it.
pub(super) fn port(text: &str, least: u16) -> Result<u16, String> {
    match text.trim().parse::<u16>() {
        Ok(port) if port >= least => Ok(port),
        _ => Err(format!(
            "{text:?} is not a port; write a number from {least} to 65535"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_split_from_ports() {
        let cases: &[(&str, Result<&[&str], &str>)] = &[
            ("a:1:2", Ok(&["a", "1", "2"])),
            ("a", Ok(&["a"])),
            ("a:1:", Ok(&["a", "1"])),
            ("[::1]:1:2", Ok(&["::1", "1", "2"])),
            ("[2001:db8::1]:2181", Ok(&["2001:db8::1", "2181"])),
            ("[::1", Err("[::1 begins with [ but has no ]")),
            ("[::1]", Err("[::1] has no port; write [host]:port")),
            (
                "[::1]2181",
                Err("[::1]2181 has no colon after the ]; write [host]:port"),
            ),
            ("", Ok(&[""])),
        ];
        for (text, expected) in cases {
            let split = split_host(text);
            assert_eq!(
                split.as_deref().map_err(String::as_str),
                expected.map_err(|text| text),
                "{text}"
            );
        }
    }

    #[test]
    fn hosts_that_stand_alone() {
        for (text, host) in [
            ("", None),
            ("a.example", Some("a.example")),
            ("127.0.0.1", Some("127.0.0.1")),
            ("::1", Some("::1")),
            ("[::1]", Some("::1")),
            ("::1%lo", Some("::1")),
            ("[2001:db8::1%eth0]", Some("2001:db8::1")),
            ("fe80::1%eth0", Some("fe80::1%eth0")),
            ("[fe80::1%eth0]", Some("fe80::1%eth0")),
            ("[a.example]", Some("[a.example]")),
            ("a%b", Some("a%b")),
        ] {
            assert_eq!(host_alone(text.to_owned()).as_deref(), host, "{text}");
        }
    }

    #[test]
    fn every_address_has_several_names() {
        for (host, every) in [
            (None, true),
            (Some("0.0.0.0"), true),
            (Some("::"), true),
            (Some("::1"), false),
            (Some("a"), false),
        ] {
            let listen = Listen {
                host: host.map(str::to_owned),
                port: 1,
            };
            assert_eq!(listen.is_every_address(), every, "{listen}");
        }
    }
}
