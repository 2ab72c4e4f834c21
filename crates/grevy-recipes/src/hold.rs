//! Something that this session holds as long as an ephemeral znode of it exists.

use crate::parents::{child, ensure, parent};
use crate::patience::{endless, patient};
use grevy_client::{Client, CreateOptions, Error, ErrorCode, EventType, SessionState, Stat, Zxid};

/// What asks a holder to give up, as a znode's data. Source: Curator's `Revoker`.
pub(crate) const REVOKE: &[u8] = b"__REVOKE__";

/// A lock, a lease or an office that this session holds. Dropping it gives it up in the
/// background.
///
/// It may be lost while it is held: see [`doubtful`](Self::doubtful). Nobody can be certain to
/// hold anything at the very moment of acting, since any process may be paused for any time. What
/// must not be written by two holders has to be guarded by the [`token`](Self::token) where it
/// is written.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::Lock;
///
/// let lock = Lock::new(&client, "/locks/printer");
/// let held = lock.acquire().await?;
/// println!("held with token {}", held.token());
/// held.release().await?;
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
#[must_use = "dropping it gives it up"]
pub struct Hold {
    client: Client,
    path: String,
    token: Zxid,
    is_released: bool,
}

/// Why something can no longer be taken for held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// No server serves the session now, or only one that is cut off from its ensemble. It is
    /// still held if the session goes on, which [`Hold::verify`] finds out.
    Disconnected,
    /// Its znode was deleted by somebody. It is lost.
    Deleted,
    /// The session is over. It is lost.
    SessionOver,
}

impl Hold {
    /// Creates an ephemeral znode named `name`, with what `options` add to that, below `parent`,
    /// which is created if it is missing. A lost answer never leaves a second znode behind.
    pub(crate) async fn create(
        client: &Client,
        parent: &str,
        name: &str,
        data: &[u8],
        options: &CreateOptions,
    ) -> Result<Self, Error> {
        let path = child(parent, name);
        let policy = endless();
        loop {
            match client.create_protected(&path, data, options, &policy).await {
                Ok(created) => return Ok(Self::new(client, created.path, created.stat.czxid)),
                // Also if the servers have just removed the container.
                Err(error) if error.is(ErrorCode::NoNode) => ensure(client, parent).await?,
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn new(client: &Client, path: String, token: Zxid) -> Self {
        Self {
            client: client.clone(),
            path,
            token,
            is_released: false,
        }
    }

    /// The fencing token: greater than the tokens of everybody who held it before. A store that
    /// remembers the greatest token it saw, and refuses smaller ones, is safe from holders that
    /// were paused and do not know yet that they have lost it. It is the `czxid` of the znode.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Lock;
    ///
    /// let lock = Lock::new(&client, "/locks/printer");
    /// let held = lock.acquire().await?;
    /// let earlier = held.token();
    /// held.release().await?;
    /// assert!(lock.acquire().await?.token() > earlier);
    /// # Ok(())
    /// # });
    /// ```
    pub fn token(&self) -> Zxid {
        self.token
    }

    /// The path of the znode.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Waits until it can no longer be taken for held.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Doubt, Lock};
    ///
    /// let held = Lock::new(&client, "/locks/printer").acquire().await?;
    /// # client.delete(held.path(), None).await?;
    /// match held.doubtful().await {
    ///     Doubt::Disconnected if held.verify().await? => println!("still held after all"),
    ///     Doubt::Disconnected | Doubt::Deleted | Doubt::SessionOver => println!("lost"),
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub async fn doubtful(&self) -> Doubt {
        loop {
            let state = self.client.state();
            if state.is_over() {
                return Doubt::SessionOver;
            }
            // A server that is cut off knows no more than the client.
            if state != SessionState::Connected {
                return Doubt::Disconnected;
            }
            let watched = tokio::select! {
                biased;
                watched = self.client.exists_and_watch(&self.path) => watched,
                // Without a connection the question would wait for the next one.
                _ = self.client.state_other_than(state) => continue,
            };
            let watch = match watched {
                Ok((Some(stat), watch)) if stat.czxid == self.token => watch,
                Ok(_) => return Doubt::Deleted,
                Err(error) if error.ends_session() => return Doubt::SessionOver,
                Err(_) => return Doubt::Disconnected,
            };
            tokio::select! {
                biased;
                event = watch.changed() => match event {
                    Ok(event) if event.kind == EventType::NodeDeleted => return Doubt::Deleted,
                    Ok(_) => {}
                    Err(error) if error.ends_session() => return Doubt::SessionOver,
                    // Somebody removed the watch: look again, with another.
                    Err(_) => {}
                },
                _ = self.client.state_other_than(state) => {}
            }
        }
    }

    /// Whether it is still held, as far as the servers know at some moment of this call. A server
    /// that is cut off from its ensemble is not asked: waits for another one.
    ///
    /// # Errors
    ///
    /// If the session is over, and it with the session.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Lock;
    ///
    /// let lock = Lock::new(&client, "/locks/printer");
    /// let held = lock.acquire().await?;
    /// assert!(held.verify().await?);
    /// client.delete(held.path(), None).await?;
    /// assert!(!held.verify().await?);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn verify(&self) -> Result<bool, Error> {
        let stat = loop {
            match patient(&self.client, || self.look()).await {
                // It has just become one that is cut off.
                Err(error) if error.is(ErrorCode::NotReadOnly) => {}
                result => break result?,
            }
        };
        Ok(stat.is_some_and(|stat| stat.czxid == self.token))
    }

    async fn look(&self) -> Result<Option<Stat>, Error> {
        let mut state = self.client.state();
        while state == SessionState::ConnectedReadOnly {
            state = self.client.state_other_than(state).await;
        }
        let sync = self.client.sync(&self.path);
        let exists = self.client.exists(&self.path);
        sync.await?;
        exists.await
    }

    /// Waits until somebody asks to give it up, with [`revoke`]. Whether to do so is up to the
    /// holder.
    ///
    /// # Errors
    ///
    /// If the session is over, or the znode is gone (`NoNode`).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Lock;
    ///
    /// let lock = Lock::new(&client, "/locks/printer");
    /// let held = lock.acquire().await?;
    /// # grevy_recipes::revoke(&client, held.path()).await?;
    /// held.revoked().await?;
    /// held.release().await?;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn revoked(&self) -> Result<(), Error> {
        loop {
            let read = || self.client.get_data_and_watch(&self.path);
            let (data, _, watch) = patient(&self.client, read).await?;
            if data == REVOKE {
                return Ok(());
            }
            watch.changed().await?;
        }
    }

    /// Gives it up, and waits for that. If the future is dropped, that goes on in the background.
    ///
    /// # Errors
    ///
    /// If the answer is lost; the deletion goes on in the background.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Lock;
    ///
    /// let lock = Lock::new(&client, "/locks/printer");
    /// lock.acquire().await?.release().await?;
    /// assert!(lock.contenders().await?.is_empty());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn release(mut self) -> Result<(), Error> {
        self.is_released = true;
        let deletion = self.client.delete_in_background(&self.path, self.token);
        match deletion.await {
            Err(error) if error.is(ErrorCode::NoNode) => Ok(()),
            result => result,
        }
    }

    /// The path of the parent: of the lock, the lease pool, the office.
    pub(crate) fn parent(&self) -> &str {
        parent(&self.path).unwrap_or("/")
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.is_released {
            drop(self.client.delete_in_background(&self.path, self.token));
        }
    }
}

/// Asks the holder of a lock or lease to give it up. It does so if it listens, with
/// [`Hold::revoked`] or Curator's `makeRevocable`, and if it wants to.
///
/// # Errors
///
/// `NoNode` if it was given up already.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::{Lock, revoke};
///
/// let lock = Lock::new(&client, "/locks/printer");
/// # let held = lock.acquire().await?;
/// if let Some(holder) = lock.contenders().await?.first() {
///     revoke(&client, holder).await?;
/// }
/// # held.revoked().await?;
/// # Ok(())
/// # });
/// ```
pub async fn revoke(client: &Client, path: &str) -> Result<(), Error> {
    client.set_data(path, REVOKE, None).await.map(drop)
}
