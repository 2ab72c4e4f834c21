//! Connection strings: `host:port[,host:port…][/chroot]`. Source: `ConnectStringParser`.

use super::path;
use grevy_proto::HostPort;
use grevy_proto::address::{NotServer, split_connect_string, split_server};

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectString {
    /// Servers to choose from; at least one. Names are resolved anew for every attempt.
    pub servers: Vec<HostPort>,
    /// What all paths are below of; empty for the root.
    pub chroot: String,
}

impl ConnectString {
    /// Reads a connection string; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (servers, chroot) = split_connect_string(text);
        if !chroot.is_empty() {
            path::check(chroot)?;
        }
        let servers: Vec<_> = servers.map(host_port).collect::<Result<_, _>>()?;
        if servers.is_empty() {
            return Err(format!("no server in \"{text}\"; expected host:port"));
        }
        Ok(Self {
            servers,
            chroot: chroot.to_owned(),
        })
    }
}

fn host_port(text: &str) -> Result<HostPort, String> {
    match split_server(text) {
        Ok((host, port)) => Ok(HostPort {
            host: host.into(),
            port,
        }),
        Err(NotServer::Bracket) => Err(format!("{text} starts with '[' but has no matching ']'")),
        Err(NotServer::Port(port)) => Err(format!("{port} is not a port, in {text}")),
        Err(NotServer::NoHost) => Err(format!("no host in {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings() {
        for (text, servers, chroot) in [
            ("a:1,b:2, c", "a:1 b:2 c:2181", ""),
            ("a:1,b:2/x/y", "a:1 b:2", "/x/y"),
            ("[::1]:5,[fe80::2]", "[::1]:5 [fe80::2]:2181", ""),
            ("::1:5", "[::1]:5", ""),
        ] {
            let parsed = ConnectString::parse(text).unwrap();
            let shown: Vec<_> = parsed.servers.iter().map(HostPort::to_string).collect();
            assert_eq!((&*shown.join(" "), &*parsed.chroot), (servers, chroot));
        }
        for bad in ["", "/x", "a:x", "[::1", "[::1]5", "a:1/x/", "a:1//x", ":1"] {
            assert!(ConnectString::parse(bad).is_err(), "{bad}");
        }
    }
}
