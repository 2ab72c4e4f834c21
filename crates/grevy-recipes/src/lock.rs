//! A lock: at most one session holds it, and waiting sessions get it in the order in which they
//! came. Source: Curator's `InterProcessMutex`, kazoo's `Lock`.
//!
//! 1. Create an ephemeral sequential znode below the lock's path, protected so that a lost answer
//!    neither loses nor doubles it.
//! 2. List the children. If none has a smaller number, the lock is held.
//! 3. Otherwise watch the child with the next smaller number, and go to 2 when it changes.
//! 4. To release, delete the znode.
//!
//! **Session loss.** When the session ends, the servers delete the znode, and the next one holds
//! the lock. The former holder may not know that yet: [`Hold::doubtful`] tells it as soon as it
//! can be known, and [`Hold::token`] protects what it writes. While waiting, session loss is an
//! error, and nothing is left behind.
//!
//! **Cost.** Two writes and one list of children for a lock that is free; one more list and one
//! watch for each one that is waited for. A release wakes one session.

use crate::contest::Contest;
use crate::hold::Hold;
use crate::sequence::{Contender, Layout};
use grevy_client::{Client, Error};

const MARKERS: &[&str] = &["-lock-", "__lock__"];

/// A lock. Handles with the same path, in any process, are one lock; each acquisition is on its
/// own, also those through one handle.
///
/// ```
/// # grevy_testing::run(async |client| {
/// # async fn print(token: grevy_client::Zxid) {}
/// use grevy_recipes::Lock;
///
/// let lock = Lock::new(&client, "/locks/printer");
/// let held = lock.acquire().await?;
/// tokio::select! {
///     () = print(held.token()) => held.release().await?,
///     doubt = held.doubtful() => println!("stopped, the lock may be lost: {doubt:?}"),
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Lock {
    contest: Contest,
    layout: Layout,
    data: Vec<u8>,
}

impl Lock {
    /// The lock at a path, whose znodes need not exist.
    pub fn new(client: &Client, path: &str) -> Self {
        let contest = Contest {
            client: client.clone(),
            path: path.to_owned(),
            markers: MARKERS,
        };
        Self {
            contest,
            layout: Layout::default(),
            data: Vec::new(),
        }
    }

    /// Calls this lock's znodes as others expect it.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Layout, Lock};
    ///
    /// let lock = Lock::new(&client, "/locks/printer").with_layout(Layout::Kazoo);
    /// let held = lock.acquire().await?;
    /// assert!(held.path().contains("__lock__"));
    /// # Ok(())
    /// # });
    /// ```
    pub fn with_layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Says who contends, to whoever looks at the znodes.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Lock;
    ///
    /// let lock = Lock::new(&client, "/locks/printer").with_identifier("host-7");
    /// let held = lock.acquire().await?;
    /// let (holder, _) = client.get_data(held.path()).await?;
    /// assert_eq!(holder, b"host-7");
    /// # Ok(())
    /// # });
    /// ```
    pub fn with_identifier(mut self, identifier: &str) -> Self {
        self.data = identifier.as_bytes().to_vec();
        self
    }

    /// Waits for the lock. Dropping the future leaves the queue, so a time limit
    /// (`tokio::time::timeout`) leaves nothing behind.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth` and the like.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Lock;
    /// use std::time::Duration;
    ///
    /// let lock = Lock::new(&client, "/locks/printer");
    /// match tokio::time::timeout(Duration::from_secs(10), lock.acquire()).await {
    ///     Ok(held) => held?.release().await?,
    ///     Err(_) => println!("somebody else has it"),
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub async fn acquire(&self) -> Result<Hold, Error> {
        self.contest.win(self.name(), &self.data, last).await
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    ///
    /// As those of [`acquire`](Self::acquire).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Lock;
    ///
    /// let lock = Lock::new(&client, "/locks/printer");
    /// let held = lock.try_acquire().await?;
    /// assert!(held.is_some());
    /// assert!(lock.try_acquire().await?.is_none());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn try_acquire(&self) -> Result<Option<Hold>, Error> {
        self.contest.try_win(self.name(), &self.data, last).await
    }

    /// The paths of all contenders' znodes, the holder's first.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Lock;
    ///
    /// let lock = Lock::new(&client, "/locks/printer");
    /// let held = lock.acquire().await?;
    /// assert_eq!(lock.contenders().await?, [held.path()]);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn contenders(&self) -> Result<Vec<String>, Error> {
        let contenders = self.contest.contenders().await?;
        let path =
            |contender: Contender| crate::parents::child(&self.contest.path, &contender.name);
        Ok(contenders.into_iter().map(path).collect())
    }

    fn name(&self) -> &'static str {
        match self.layout {
            Layout::Curator => "lock-",
            Layout::Kazoo => "__lock__",
        }
    }
}

/// Everybody who came before blocks.
pub(crate) fn last(before: &[Contender]) -> Option<&Contender> {
    before.last()
}
