//! The connections of a server, as the node reaches them.

use crate::connection::{ClientId, Connection};
use alloc::collections::BTreeMap;
use core::cell::RefCell;

/// Access to connections by name. The server puts a lock around each, the simulator a cell.
/// After `f` has run, the implementation sees to it that the connection's output is sent.
pub trait Clients {
    /// Calls `f` with the connection; `None` if it has ended.
    fn with<R>(&self, client: ClientId, f: impl FnOnce(&mut Connection) -> R) -> Option<R>;

    /// The connection's output is better sent at once: what comes before the end of this call of
    /// the node takes long.
    fn hurry(&self, _client: ClientId) {}
}

impl Clients for RefCell<BTreeMap<ClientId, Connection>> {
    fn with<R>(&self, client: ClientId, f: impl FnOnce(&mut Connection) -> R) -> Option<R> {
        self.borrow_mut().get_mut(&client).map(f)
    }
}
