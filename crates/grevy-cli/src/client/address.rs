//! Connection strings: `host:port[,host:port…][/chroot]`. Source: `ConnectStringParser`.

use super::path;
use std::fmt;

/// The port where none is given.
const DEFAULT_PORT: u16 = 2181;

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectString {
    /// Servers to choose from; at least one.
    pub servers: Vec<HostPort>,
    /// What all paths are below of; empty for the root.
    pub chroot: String,
}

/// One server's address; names are resolved anew for every attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// A name, or an address without brackets.
    pub host: String,
    /// A TCP port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl ConnectString {
    /// Reads a connection string; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (hosts, chroot) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let chroot = match chroot {
            "" | "/" => String::new(),
            chroot => {
                path::check(chroot)?;
                chroot.to_owned()
            }
        };
        let servers = hosts
            .split(',')
            .map(str::trim)
            .filter(|host| !host.is_empty())
            .map(host_port)
            .collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(format!("no server in \"{text}\"; expected host:port"));
        }
        Ok(Self { servers, chroot })
    }
}

fn host_port(text: &str) -> Result<HostPort, String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest
                .rsplit_once(']')
                .ok_or_else(|| format!("{text} starts with '[' but has no matching ']'"))?;
            (host, rest.strip_prefix(':').unwrap_or(rest))
        }
        None => text.rsplit_once(':').unwrap_or((text, "")),
    };
    let port = match port {
        "" => DEFAULT_PORT,
        port => port
            .parse()
            .map_err(|_| format!("{port} is not a port, in {text}"))?,
    };
    match host {
        "" => Err(format!("no host in {text}")),
        host => Ok(HostPort {
            host: host.to_owned(),
            port,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings() {
        let good: &[(&str, &[&str], &str)] = &[
            ("localhost:2181", &["localhost:2181"], ""),
            ("a", &["a:2181"], ""),
            ("a:", &["a:2181"], ""),
            ("a:1,b:2, c", &["a:1", "b:2", "c:2181"], ""),
            ("a:1,b:2/x/y", &["a:1", "b:2"], "/x/y"),
            ("a:1/", &["a:1"], ""),
            ("[::1]:5,[fe80::2]", &["[::1]:5", "[fe80::2]:2181"], ""),
        ];
        for (text, servers, chroot) in good {
            let parsed = ConnectString::parse(text).unwrap();
            let shown: Vec<_> = parsed.servers.iter().map(HostPort::to_string).collect();
            assert_eq!(
                (&shown[..], parsed.chroot.as_str()),
                (&servers.map_str()[..], *chroot)
            );
        }
        for bad in ["", "/x", "a:99999", "a:x", "[::1", "a:1/x/", "a:1//x", ":1"] {
            assert!(ConnectString::parse(bad).is_err(), "{bad}");
        }
    }

    trait MapStr {
        fn map_str(&self) -> Vec<String>;
    }
    impl MapStr for &[&str] {
        fn map_str(&self) -> Vec<String> {
            self.iter().map(|text| (*text).to_owned()).collect()
        }
    }
}
