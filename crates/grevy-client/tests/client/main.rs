//! A client against a whole server.

#[path = "../support/mod.rs"]
mod support;

mod operations;
mod reconnecting;
mod watching;
