//! One-shot commands on znodes.

pub mod connection;
pub mod copy;
pub mod du;
pub mod export;
pub mod find;
pub mod glob;
pub mod import;
pub mod list;
pub mod mirror;
pub mod quota;
pub mod read;
pub mod remove;
pub mod rename;
pub mod session;
pub mod store;
pub mod tree;
pub mod walk;
pub mod window;
pub mod write;
