//! A whole server over real sockets: what clients get away with, and what operators see.

mod admin;
mod client;
mod clients;
mod documentation;
mod ensemble;
mod every_address;
mod limits;
mod member;
mod moving;
mod place;
mod ports;
mod sessions;
mod stuck_disk;
mod template;
mod trust;
mod words;
