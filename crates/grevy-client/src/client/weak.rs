//! A handle that does not keep the session open.

use super::{Client, Shared};
use crate::driver::Status;
use crate::machine::SessionState;
use std::sync::{Arc, Weak};
use tokio::sync::watch;

/// For tasks that nobody waits for: between their requests they hold this, so that the session
/// ends with its last [`Client`].
#[derive(Clone)]
pub(crate) struct WeakClient {
    shared: Weak<Shared>,
    status: watch::Receiver<Status>,
    chroot: Arc<str>,
}

impl Client {
    pub(crate) fn downgrade(&self) -> WeakClient {
        WeakClient {
            shared: Arc::downgrade(&self.shared),
            status: self.shared.status.clone(),
            chroot: self.chroot.clone(),
        }
    }
}

impl WeakClient {
    /// `None` if nobody else has a handle.
    pub fn upgrade(&self) -> Option<Client> {
        Some(Client {
            shared: self.shared.upgrade()?,
            chroot: self.chroot.clone(),
        })
    }

    /// Waits for a server that takes writes; `None` if the session is over.
    pub async fn writable(&mut self) -> Option<()> {
        let is_known =
            |status: &Status| status.state == SessionState::Connected || status.state.is_over();
        // The task that tells the state ends only when the session is over.
        let status = self.status.wait_for(is_known).await.ok()?;
        (status.state == SessionState::Connected).then_some(())
    }
}
