//! A semaphore: at most so many leases are held at a time. Source: Curator's
//! `InterProcessSemaphoreV2`.
//!
//! 1. Acquire the [`Lock`](crate::Lock) at `<path>/locks`, so that one waits for leases at a time
//!    and nobody overtakes.
//! 2. Create an ephemeral sequential znode below `<path>/leases`, protected.
//! 3. List the leases, with a watch. If there are no more than the limit, the lease is held:
//!    release the lock. Otherwise list them again when they change.
//! 4. To return a lease, delete its znode.
//!
//! All participants must go by the same limit.
//!
//! **Session loss.** When the session ends, the servers delete its leases and its place in the
//! queue. A paused holder may take its lease for held while somebody else has it already: for a
//! moment more than the limit may *act*, though never more are *granted*. Tokens are ordered by
//! when leases were granted.
//!
//! **Cost.** Four writes, two lists of children. Only the first in the queue watches the leases.

use crate::contest::Contest;
use crate::hold::Hold;
use crate::lock::Lock;
use crate::parents::{child, name};
use crate::patience::patient;
use grevy_client::{Client, Error};

/// A semaphore. Curator's `InterProcessSemaphoreV2` of the same path takes part.
///
/// ```
/// # grevy_testing::run(async |client| {
/// # async fn work() {}
/// use grevy_recipes::Semaphore;
///
/// let licenses = Semaphore::new(&client, "/licenses", 3);
/// let lease = licenses.acquire().await?;
/// tokio::select! {
///     () = work() => {}
///     asked = lease.revoked() => asked?,
/// }
/// lease.release().await?;
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Semaphore {
    lock: Lock,
    leases: Contest,
    limit: usize,
    data: Vec<u8>,
}

impl Semaphore {
    /// The semaphore at a path, whose znodes need not exist.
    pub fn new(client: &Client, path: &str, limit: usize) -> Self {
        let leases = Contest {
            client: client.clone(),
            path: child(path, "leases"),
            markers: &["-lease-"],
        };
        Self {
            lock: Lock::new(client, &child(path, "locks")),
            leases,
            limit,
            data: Vec::new(),
        }
    }

    /// Says who holds a lease, to whoever looks at the znodes.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Semaphore;
    ///
    /// let licenses = Semaphore::new(&client, "/licenses", 3).with_identifier("host-7");
    /// let lease = licenses.acquire().await?;
    /// assert_eq!(client.get_data(lease.path()).await?.0, b"host-7");
    /// # Ok(())
    /// # });
    /// ```
    pub fn with_identifier(mut self, identifier: &str) -> Self {
        self.data = identifier.as_bytes().to_vec();
        self
    }

    /// Waits for a lease. Dropping the future leaves the queue.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth` and the like.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Semaphore;
    ///
    /// let licenses = Semaphore::new(&client, "/licenses", 2);
    /// let (one, other) = (licenses.acquire().await?, licenses.acquire().await?);
    /// # let third = licenses.clone();
    /// # let third = tokio::spawn(async move { third.acquire().await });
    /// one.release().await?;
    /// // Whoever waited for a lease has one now.
    /// # third.await??;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn acquire(&self) -> Result<Hold, Error> {
        let turn = self.lock.acquire().await?;
        let lease = self.lease().await?;
        // The lease is held whatever becomes of the place in the queue, which goes in any case.
        drop(turn.release().await);
        Ok(lease)
    }

    /// Takes a lease if one is free and nobody waits for one. `None` also if somebody is just about
    /// to take one.
    ///
    /// # Errors
    ///
    /// As those of [`acquire`](Self::acquire).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Semaphore;
    ///
    /// match Semaphore::new(&client, "/licenses", 3).try_acquire().await? {
    ///     Some(lease) => lease.release().await?,
    ///     None => println!("all three are in use"),
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub async fn try_acquire(&self) -> Result<Option<Hold>, Error> {
        let Some(turn) = self.lock.try_acquire().await? else {
            return Ok(None);
        };
        let lease = self.leases.enter("lease-", &self.data).await?;
        let client = &self.leases.client;
        let (names, _) = patient(client, || client.get_children(lease.parent())).await?;
        let is_there = names.iter().any(|other| other == name(lease.path()));
        let lease = match is_there && names.len() <= self.limit {
            true => Some(lease),
            false => {
                lease.release().await?;
                None
            }
        };
        drop(turn.release().await);
        Ok(lease)
    }

    /// The paths of the leases that are held, and of the one that is waited for if any is.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Semaphore;
    ///
    /// let licenses = Semaphore::new(&client, "/licenses", 3);
    /// let lease = licenses.acquire().await?;
    /// assert_eq!(licenses.leases().await?, [lease.path()]);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn leases(&self) -> Result<Vec<String>, Error> {
        let leases = self.leases.contenders().await?;
        let path = |name: &str| child(&self.leases.path, name);
        Ok(leases.iter().map(|lease| path(&lease.name)).collect())
    }

    async fn lease(&self) -> Result<Hold, Error> {
        'enter: loop {
            let lease = self.leases.enter("lease-", &self.data).await?;
            loop {
                let client = &self.leases.client;
                let list = || client.get_children_and_watch(lease.parent());
                let (names, _, watch) = patient(client, list).await?;
                if !names.iter().any(|other| other == name(lease.path())) {
                    continue 'enter;
                }
                if names.len() <= self.limit {
                    return Ok(lease);
                }
                watch.changed().await?;
            }
        }
    }
}
