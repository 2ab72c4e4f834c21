//! A lock that its owner may acquire again while holding it. Source: Curator's
//! `InterProcessMutex`, where a thread is the owner.
//!
//! 1. The first acquisition acquires a [`Lock`]; others through the same handle meanwhile wait
//!    for that.
//! 2. Further acquisitions count.
//! 3. When the last hold is released or dropped, the lock is released.
//!
//! **Session loss.** As of a [`Lock`]: all holds share its token and its doubts. Once it is known
//! to be lost, the next acquisition acquires it anew, with a greater token.
//!
//! **Cost.** That of a [`Lock`] for the first acquisition; one read for the others.

use crate::hold::Hold;
use crate::lock::Lock;
use grevy_client::{Client, Error};
use std::ops::Deref;
use std::sync::{Arc, Weak};
use tokio::sync::Mutex;

/// An owner of a lock. A task is nobody in particular in Rust, so the owner is this value and
/// its clones.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::ReentrantLock;
///
/// let owner = ReentrantLock::new(&client, "/locks/printer");
/// let outer = owner.acquire().await?;
/// let inner = owner.acquire().await?;
/// assert_eq!(outer.token(), inner.token());
/// inner.release().await?;
/// outer.release().await?;
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct ReentrantLock {
    lock: Lock,
    held: Arc<Mutex<Weak<Hold>>>,
}

/// One of the owner's acquisitions.
#[derive(Debug, Clone)]
#[must_use = "dropping the last one gives the lock up"]
pub struct ReentrantHold(Arc<Hold>);

impl ReentrantLock {
    /// A new owner of the lock at a path.
    pub fn new(client: &Client, path: &str) -> Self {
        Self::of(Lock::new(client, path))
    }

    /// A new owner of a lock.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Lock, ReentrantLock};
    ///
    /// let lock = Lock::new(&client, "/locks/printer").with_identifier("host-7");
    /// let held = ReentrantLock::of(lock).acquire().await?;
    /// # assert_eq!(client.get_data(held.path()).await?.0, b"host-7");
    /// # Ok(())
    /// # });
    /// ```
    pub fn of(lock: Lock) -> Self {
        Self {
            lock,
            held: Arc::default(),
        }
    }

    /// Waits for the lock, unless this owner holds it already.
    ///
    /// # Errors
    ///
    /// As those of [`Lock::acquire`].
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Lock, ReentrantLock};
    ///
    /// let lock = Lock::new(&client, "/locks/printer");
    /// let owner = ReentrantLock::of(lock.clone());
    /// let outer = owner.acquire().await?;
    /// drop(owner.acquire().await?);
    /// // The outer hold is left.
    /// assert_eq!(lock.contenders().await?, [outer.path()]);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn acquire(&self) -> Result<ReentrantHold, Error> {
        let mut held = self.held.lock().await;
        if let Some(hold) = held.upgrade()
            && hold.verify().await?
        {
            return Ok(ReentrantHold(hold));
        }
        let hold = Arc::new(self.lock.acquire().await?);
        *held = Arc::downgrade(&hold);
        Ok(ReentrantHold(hold))
    }
}

impl ReentrantHold {
    /// Gives this acquisition up, and if it is the owner's last one the lock, and waits for that.
    ///
    /// # Errors
    ///
    /// As those of [`Hold::release`].
    pub async fn release(self) -> Result<(), Error> {
        match Arc::into_inner(self.0) {
            Some(hold) => hold.release().await,
            None => Ok(()),
        }
    }
}

impl Deref for ReentrantHold {
    type Target = Hold;

    fn deref(&self) -> &Hold {
        &self.0
    }
}
