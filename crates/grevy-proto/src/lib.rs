#![no_std]
#![doc = include_str!("../README.md")]

extern crate alloc;

#[macro_use]
pub mod jute;

pub mod acl;
pub mod address;
pub mod code;
pub mod connect;
pub mod election;
pub mod event;
pub mod frames;
pub mod ids;
pub mod multi;
pub mod op;
pub mod path;
pub mod quorum;
pub mod reply;
pub mod request;
pub mod stat;
pub mod txn;
pub mod watch;

pub use acl::{Acl, Id};
pub use address::HostPort;
pub use code::ErrorCode;
pub use ids::{Epoch, ServerId, SessionId, Xid, Zxid};
pub use jute::{Decode, DecodeError, Encode, Reader};
pub use op::OpCode;
pub use stat::{Stat, StatPersisted};
