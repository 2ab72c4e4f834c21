//! Something that this session holds as long as an ephemeral znode of it exists.

use crate::parents::parent;
use crate::patience::patient;
use grevy_client::{Client, Error, ErrorCode, EventType, Zxid};

/// What asks a holder to give up, as a znode's data. Source: Curator's `Revoker`.
const REVOKE: &[u8] = b"__REVOKE__";

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
    state: State,
}

/// Whether a hold was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Held,
    /// The answer to that is under way.
    Asked,
    Released,
}

/// Why something can no longer be taken for held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// No server serves the session now. It is still held if the session goes on, which
    /// [`Hold::verify`] finds out.
    Disconnected,
    /// Its znode was deleted by somebody. It is lost.
    Deleted,
    /// The session is over. It is lost.
    SessionOver,
}

impl Hold {
    pub(crate) fn new(client: &Client, path: String, token: Zxid) -> Self {
        Self {
            client: client.clone(),
            path,
            token,
            state: State::Held,
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
            if !state.is_connected() {
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
                    Err(_) => return Doubt::SessionOver,
                },
                _ = self.client.state_other_than(state) => {}
            }
        }
    }

    /// Whether it is still held, as far as the servers know at some moment of this call.
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
        is_there(&self.client, &self.path, self.token).await
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
        let answer = self.client.delete(&self.path, None);
        self.state = State::Asked;
        match answer.await {
            Err(error) if !error.is(ErrorCode::NoNode) => Err(error),
            _ => {
                self.state = State::Released;
                Ok(())
            }
        }
    }

    /// The path of the parent: of the lock, the lease pool, the office.
    pub(crate) fn parent(&self) -> &str {
        parent(&self.path).unwrap_or("/")
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Queued now, before whatever is asked for next.
        let first = match self.state {
            State::Held => Some(self.client.delete(&self.path, None)),
            State::Asked => None,
            State::Released => return,
        };
        let (client, path, token) = (self.client.clone(), self.path.clone(), self.token);
        self.client.spawn(async move {
            if let Some(first) = first
                && !is_lost(&first.await)
            {
                return;
            }
            // Whatever ends this, the znode is gone, or goes with the session.
            drop(delete(&client, &path, token).await);
        });
    }
}

/// Deletes the znode that `token` created, until that is certain. What is there by the same name
/// meanwhile is another holder's, perhaps of the same session.
async fn delete(client: &Client, path: &str, token: Zxid) -> Result<(), Error> {
    while is_there(client, path, token).await? {
        let answer = client.delete(path, None).await;
        if !is_lost(&answer) {
            return answer;
        }
    }
    Ok(())
}

/// Whether the znode that `token` created is there, after all that was sent before.
async fn is_there(client: &Client, path: &str, token: Zxid) -> Result<bool, Error> {
    let exists = || {
        let sync = client.sync(path);
        let exists = client.exists(path);
        async move {
            sync.await?;
            exists.await
        }
    };
    let stat = patient(client, exists).await?;
    Ok(stat.is_some_and(|stat| stat.czxid == token))
}

/// Whether nobody knows what came of a request, or nothing did.
fn is_lost(answer: &Result<(), Error>) -> bool {
    matches!(
        answer,
        Err(Error::ConnectionLoss { .. } | Error::OutcomeUnknown { .. })
    )
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
