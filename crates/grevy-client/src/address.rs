//! Connection strings: `host:port[,host:port…][/chroot]`. Source: `ConnectStringParser`.

use grevy_proto::address::{Bracketed, NotServer, split_connect_string, split_server};
use grevy_proto::path::{self, PathError};
use std::fmt;
use std::str::FromStr;

/// Where to connect, and below which znode.
///
/// ```
/// use grevy_client::ConnectString;
///
/// let connect: ConnectString = "a.example,[fd00::2]:2182/app".parse()?;
/// assert_eq!(connect.servers[0].to_string(), "a.example:2181");
/// assert_eq!(connect.servers[1].to_string(), "[fd00::2]:2182");
/// assert_eq!(connect.chroot, "/app");
/// # Ok::<(), grevy_client::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectString {
    /// Servers to choose from; at least one.
    pub servers: Vec<HostPort>,
    /// What all paths are below of; empty for the root.
    pub chroot: String,
}

/// One server's address. Names are resolved anew for every attempt.
///
/// ```
/// use grevy_client::HostPort;
///
/// let server: HostPort = "[::1]:2182".parse()?;
/// assert_eq!((&server.host[..], server.port), ("::1", 2182));
/// # Ok::<(), grevy_client::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name, or an address without brackets.
    pub host: String,
    /// A TCP port.
    pub port: u16,
}

/// What is wrong with a connection string.
///
/// ```
/// use grevy_client::{AddressError, ConnectString};
///
/// let bad = "localhost:nowhere".parse::<ConnectString>();
/// assert_eq!(bad, Err(AddressError::Port("localhost:nowhere".to_owned())));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressError {
    /// It names no server.
    NoServer(String),
    /// A server has no host before its port.
    NoHost(String),
    /// A bracket is not closed.
    Bracket(String),
    /// An IPv6 address without brackets, whose port could not be told from it.
    NoBrackets(String),
    /// What stands after the colon or bracket is no port.
    Port(String),
    /// The part from the first slash on is no path.
    Chroot(String, PathError),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer(text) => {
                write!(
                    f,
                    "no server in {text:?}; expected host:port[,host:port…][/path]"
                )
            }
            Self::NoHost(text) => write!(f, "no host in {text:?}"),
            Self::Bracket(text) => write!(f, "{text:?} starts with '[' but has no matching ']'"),
            Self::NoBrackets(text) => write!(
                f,
                "{text:?} has several colons; an IPv6 address stands in brackets: [address]:port"
            ),
            Self::Port(text) => write!(f, "{text:?} does not end in a port from 0 to 65535"),
            Self::Chroot(path, error) => write!(f, "{path:?} is no path to work below: {error}"),
        }
    }
}

impl std::error::Error for AddressError {}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Bracketed(&self.host), self.port)
    }
}

impl FromStr for ConnectString {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (servers, chroot) = split_connect_string(text);
        if !chroot.is_empty() {
            let bad = |error| AddressError::Chroot(chroot.to_owned(), error);
            path::validate(chroot).map_err(bad)?;
        }
        let servers: Vec<_> = servers.map(HostPort::from_str).collect::<Result<_, _>>()?;
        if servers.is_empty() {
            return Err(AddressError::NoServer(text.to_owned()));
        }
        Ok(Self {
            servers,
            chroot: chroot.to_owned(),
        })
    }
}

impl FromStr for HostPort {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.matches(':').count() > 1 && !text.starts_with('[') {
            return Err(AddressError::NoBrackets(text.to_owned()));
        }
        let (host, port) = split_server(text).map_err(|error| {
            let text = text.to_owned();
            match error {
                NotServer::Bracket => AddressError::Bracket(text),
                NotServer::Port(_) => AddressError::Port(text),
                NotServer::NoHost => AddressError::NoHost(text),
            }
        })?;
        Ok(Self {
            host: host.to_owned(),
            port,
        })
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
            let parsed: ConnectString = text.parse().expect(text);
            let shown: Vec<_> = parsed.servers.iter().map(HostPort::to_string).collect();
            assert_eq!(shown, *servers, "{text}");
            assert_eq!(parsed.chroot, *chroot, "{text}");
        }
        for bad in [
            "",
            "/x",
            "a:99999",
            "a:x",
            "[::1",
            "a:1/x/",
            "a:1//x",
            ":1",
            "::1",
            "fe80::2:5",
            "a:1:2",
            "[::1]5",
            "[::1]x",
        ] {
            assert!(ConnectString::from_str(bad).is_err(), "{bad}");
        }
    }
}
