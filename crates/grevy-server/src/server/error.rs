//! Why a server could not start.

use crate::config::Listen;
use crate::recovery::RecoverError;
use grevy_proto::HostPort;
use grevy_zab::membership::MembershipError;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// Why a server could not start.
#[derive(Debug)]
pub enum StartError {
    /// The members of the ensemble cannot be understood.
    Membership(MembershipError),
    /// An address that this server has in its ensemble cannot be listened on.
    PeerPort {
        /// The address.
        address: HostPort,
        /// Whether its port was wanted on every address of the machine.
        everywhere: bool,
        /// What the system said.
        error: io::Error,
    },
    /// An address to listen on has no meaning here.
    Address {
        /// What was to be listened on.
        listen: Listen,
        /// What the system said.
        error: io::Error,
    },
    /// An address cannot be listened on.
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The data cannot be used.
    Data(RecoverError),
    /// A thread or file could not be made.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Membership(error) => write!(f, "the ensemble's configuration: {error}"),
            Self::PeerPort {
                address,
                everywhere: true,
                error,
            } => write!(
                f,
                "cannot listen on port {} of every address for other servers: {error}; is the \
                 port of this server's server.N line free?",
                address.port
            ),
            Self::PeerPort { address, error, .. } => write!(
                f,
                "cannot listen on {address} for other servers: {error}; does the server.N line of \
                 this server's myid name this machine, and is the port free? \
                 quorumListenOnAllIPs=true listens whatever the name resolves to"
            ),
            Self::Address { listen, error } => write!(
                f,
                "cannot listen on {listen}: {error}; is clientPortAddress an address or name of \
                 this machine?"
            ),
            Self::Bind { address, error } if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "cannot listen on {address}: the port is taken; is a ZooKeeper or Grevy server \
                 running already? Stop it, or set another clientPort"
            ),
            Self::Bind { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::Data(error) => error.fmt(f),
            Self::System(error) => write!(f, "cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}
