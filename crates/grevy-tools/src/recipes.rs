//! Commands that run another command while something is held, or when something changes.
//!
//! The znodes are laid out as Curator lays them out, so that programs which use its recipes can
//! take part.

pub mod bound;
pub mod child;
pub mod elect;
pub mod holder;
pub mod lock;
pub mod queue;
pub mod semaphore;
pub mod watch;
