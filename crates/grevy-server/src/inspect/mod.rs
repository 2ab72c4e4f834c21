//! What operators may ask of a running server, as data. The four-letter words and the admin
//! server write the same facts down, each in its own way.
//!
//! Nothing here holds a lock for longer than it takes to copy, nor more of them than
//! [`Shared`](crate::shared::Shared) says.

pub mod config_text;
pub mod connections;
pub mod directories;
pub mod ensemble;
pub mod environment;
pub mod server;
pub mod sessions;
pub mod settings;
pub mod watches;
