//! The tree against a naive one.

mod damaged_bytes;
mod fuzzy_replay;
mod model;
mod random_transactions;
