//! Hosts and ports, as servers tell them to each other and as clients are told them. Source:
//! `ConfigUtils.getHostAndPort`, `ConnectStringParser`.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

/// A host, by name or address, and a TCP port: `zoo1:2181`, `[::1]:2181`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// A name or an address; an IPv6 address without brackets.
    pub host: Box<str>,
    /// The port.
    pub port: u16,
}

/// A text that is not `host:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotHostPort;

impl HostPort {
    /// Whether the host stands for every address of a machine (`0.0.0.0`, `::`), so that
    /// nobody else can reach it there.
    pub fn is_wildcard(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        address.is_ok_and(|address| address.is_unspecified())
    }
}

impl FromStr for HostPort {
    type Err = NotHostPort;

    fn from_str(text: &str) -> Result<Self, NotHostPort> {
        match split_host(text).as_deref() {
            Some(&[host, port]) if is_host(host) => Ok(Self {
                host: host.into(),
                port: port.parse().map_err(|_| NotHostPort)?,
            }),
            _ => Err(NotHostPort),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Bracketed(&self.host), self.port)
    }
}

/// A host as it stands before a port: an IPv6 address in brackets.
#[derive(Debug, Clone, Copy)]
pub struct Bracketed<'a>(pub &'a str);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.contains(':') {
            true => write!(f, "[{}]", self.0),
            false => f.write_str(self.0),
        }
    }
}

/// Splits at colons, those inside the brackets around a leading host excepted. `None` if the
/// brackets are not closed, or something stands between them and the next colon.
pub fn split_host(text: &str) -> Option<Vec<&str>> {
    let Some(bracketed) = text.strip_prefix('[') else {
        return Some(text.split(':').collect());
    };
    let (host, rest) = bracketed.split_once(']')?;
    match rest.strip_prefix(':') {
        Some(rest) => Some(core::iter::once(host).chain(rest.split(':')).collect()),
        None if rest.is_empty() => Some([host].into()),
        None => None,
    }
}

/// The port where a connection string has none.
const DEFAULT_PORT: u16 = 2181;

/// Why a text is no server of a connection string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotServer<'a> {
    /// A bracket is not closed.
    Bracket,
    /// This stands where the port should, and is none.
    Port(&'a str),
    /// There is no host before the port.
    NoHost,
}

/// Takes a connection string apart, `host[:port][,host[:port]…][/path]`: the texts of its servers,
/// for [`split_server`], and the path that everything is below of, empty for the root. The path is
/// not checked, and there may be no server.
pub fn split_connect_string(text: &str) -> (impl Iterator<Item = &str>, &str) {
    let (servers, chroot) = text.split_at(text.find('/').unwrap_or(text.len()));
    let servers = servers.split(',').map(str::trim);
    let chroot = match chroot {
        "/" => "",
        chroot => chroot,
    };
    (servers.filter(|server| !server.is_empty()), chroot)
}

/// The host, without its brackets, and the port of one server of a connection string: what stands
/// behind the last colon, or 2181.
pub fn split_server(text: &str) -> Result<(&str, u16), NotServer<'_>> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.rsplit_once(']').ok_or(NotServer::Bracket)?,
        None => text.split_at(text.rfind(':').unwrap_or(text.len())),
    };
    let port = match (rest, rest.strip_prefix(':')) {
        ("" | ":", _) => DEFAULT_PORT,
        (_, Some(port)) => port.parse().map_err(|_| NotServer::Port(port))?,
        (_, None) => return Err(NotServer::Port(rest)),
    };
    match host {
        "" => Err(NotServer::NoHost),
        host => Ok((host, port)),
    }
}

/// Whether `text` can be a host: neither empty, nor with a character that means something where
/// hosts are written.
pub fn is_host(text: &str) -> bool {
    let means_something = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, ';' | '|' | ',' | '=' | '\\' | '[' | ']')
    };
    !text.is_empty() && !text.contains(means_something)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn hosts_and_ports() {
        for (text, host, port) in [
            ("zoo1:2181", "zoo1", 2181),
            ("[::1]:0", "::1", 0),
            ("127.0.0.1:65535", "127.0.0.1", 65535),
        ] {
            let read: HostPort = text.parse().unwrap();
            assert_eq!((&*read.host, read.port), (host, port));
            assert_eq!(read.to_string(), text);
        }
        for text in [
            "", "a", "a:", ":1", "a:b", "a:1:2", "a:65536", "a:-1", "::1:1", "[::1:1", "[::1]1",
            "[::1]", "a b:1", "a|b:1", "[[]:1", "\\:1",
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(NotHostPort), "{text}");
        }
    }

    #[test]
    fn connection_strings() {
        for (text, servers, chroot) in [
            ("a", &["a"][..], ""),
            ("a:1/", &["a:1"], ""),
            (" a:1,,b, [::1]:2/x/y,z", &["a:1", "b", "[::1]:2"], "/x/y,z"),
            ("/x//", &[], "/x//"),
            ("", &[], ""),
        ] {
            let (found, below) = split_connect_string(text);
            assert_eq!((&found.collect::<Vec<_>>()[..], below), (servers, chroot));
        }
    }

    #[test]
    fn servers_of_connection_strings() {
        use NotServer::*;
        for (text, expected) in [
            ("a", Ok(("a", 2181))),
            ("a:", Ok(("a", 2181))),
            ("a:5", Ok(("a", 5))),
            ("[::1]", Ok(("::1", 2181))),
            ("[::1]:5", Ok(("::1", 5))),
            ("fe80::2:5", Ok(("fe80::2", 5))),
            ("a:x", Err(Port("x"))),
            ("a:65536", Err(Port("65536"))),
            ("[::1]5", Err(Port("5"))),
            ("[::1", Err(Bracket)),
            (":1", Err(NoHost)),
            ("[]:1", Err(NoHost)),
        ] {
            assert_eq!(split_server(text), expected, "{text}");
        }
    }

    #[test]
    fn wildcards() {
        for (text, expected) in [
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("[0:0::0]:1", true),
            ("10.0.0.0:1", false),
            ("zero:1", false),
        ] {
            let address: HostPort = text.parse().unwrap();
            assert_eq!(address.is_wildcard(), expected, "{text}");
        }
    }
}
