//! The table of watches as connections reach it: many at a time, each for a moment.

use core::cell::RefCell;
use grevy_tree::watch::WatchTable;

/// Access to the one table. The server puts a lock around it, the simulator a cell. It is
/// touched only by who holds the tree's lock, shared or exclusive.
pub trait Watches {
    /// Calls `f` with the table.
    fn with<R>(&self, f: impl FnOnce(&mut WatchTable) -> R) -> R;
}

impl Watches for RefCell<WatchTable> {
    fn with<R>(&self, f: impl FnOnce(&mut WatchTable) -> R) -> R {
        f(&mut self.borrow_mut())
    }
}
