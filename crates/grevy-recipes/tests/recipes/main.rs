//! Each recipe against a whole server, with holders that are killed and paused.

#[path = "../../../grevy-client/tests/support/mod.rs"]
mod support;

mod barriers;
mod caches;
mod elections;
mod locks;
mod members;
mod queues;
mod values;
mod victim;
