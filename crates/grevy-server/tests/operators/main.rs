//! What operators see of a running server: words, commands, metrics, probes.

mod admin;
mod client;
mod documentation;
mod place;
mod template;
mod words;
