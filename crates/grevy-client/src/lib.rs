#![doc = include_str!("../README.md")]

pub mod machine;

mod address;
mod answer;
mod client;
mod connector;
mod driver;
mod error;
mod link;
mod protected;
mod retry;
mod security;
mod seeds;
#[cfg(feature = "tls")]
mod tls;
mod transaction;
mod transport;
mod watch;

pub use address::{AddressError, ConnectString, HostPort};
pub use answer::Answer;
pub use client::{Client, ConnectError, CreateOptions, Created, Identity, Task};
pub use connector::Connector;
pub use error::{Error, Operation};
pub use machine::{NodeEvent, SessionState, Ticket};
pub use retry::RetryPolicy;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};
pub use transaction::{OpResult, ReadResult, Reads, Transaction};
pub use transport::{Opening, Stream, Tcp, Transport};
pub use watch::{Notice, OneshotWatch, Watch};

pub use grevy_proto::acl::perms;
pub use grevy_proto::event::EventType;
pub use grevy_proto::path::PathError;
pub use grevy_proto::watch::{AddWatchMode, WatcherType};
pub use grevy_proto::{Acl, ErrorCode, Id, OpCode, SessionId, Stat, Zxid};
