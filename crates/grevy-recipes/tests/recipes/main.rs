//! Each recipe against a whole server, with holders that are killed and paused.

mod barriers;
mod caches;
mod elections;
mod locks;
mod members;
mod queues;
mod values;
mod victim;
