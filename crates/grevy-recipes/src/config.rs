//! A configuration: the znodes below a path as a typed value that follows them. Source: the
//! usual pattern over Curator's caches and kazoo's watches.
//!
//! 1. Keep a [`TreeCache`] of the subtree.
//! 2. Whenever it has settled after a change, read it as a value.
//! 3. If that succeeds, the value is the present one. If not, the last good one stays, and the
//!    reason can be asked for.
//!
//! What one transaction changes is read as a whole, unless an event of it is late. A
//! configuration of several znodes should be changed by one transaction.
//!
//! **Session loss.** While there is no connection, the last value stays. When the session ends,
//! it stays too, [`Config::changed`] fails, and [`Config::ended`] says why.
//!
//! **Cost.** That of a [`TreeCache`].

use crate::tree_cache::TreeCache;
use grevy_client::{Client, Error};
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;

/// A live configuration.
///
/// ```
/// # grevy_testing::run(async |client| {
/// # client.create("/app", b"", &grevy_client::CreateOptions::persistent()).await?;
/// # client.create("/app/limit", b"5", &grevy_client::CreateOptions::persistent()).await?;
/// use grevy_recipes::{Config, TreeCache};
///
/// /// Fails for a limit that is none.
/// fn limit(tree: &TreeCache) -> Result<u32, String> {
///     let node = tree.get("/app/limit").ok_or("there is no limit")?;
///     let text = String::from_utf8_lossy(&node.data);
///     text.parse().map_err(|error| format!("limit {text}: {error}"))
/// }
///
/// let mut config = Config::start(&client, "/app", limit).await?;
/// println!("at first {}", config.get());
/// # client.set_data("/app/limit", b"6", None).await?;
/// loop {
///     println!("now {}", config.changed().await?);
///     # break;
/// }
/// # assert_eq!(*config.get(), 6);
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct Config<T> {
    state: watch::Receiver<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    value: Arc<T>,
    rejected: Option<Rejected>,
    end: Option<Error>,
}

/// A state of the znodes that is no good configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// What is wrong with it.
    pub reason: String,
}

/// Why there is no configuration to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// It cannot be read.
    Client(Error),
    /// It is not good.
    Rejected(Rejected),
}

impl<T: Send + Sync + 'static> Config<T> {
    /// Reads the subtree at a path as a value, and follows it. `read` validates: what it refuses
    /// never becomes the present value.
    ///
    /// # Errors
    ///
    /// If the first state cannot be read, or is refused.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Config, ConfigError};
    ///
    /// let config = Config::start(&client, "/app", |tree| match tree.get("/app/limit") {
    ///     Some(limit) => Ok(limit.data.clone()),
    ///     None => Err("there is no limit"),
    /// });
    /// // To begin with, a configuration has to be good.
    /// assert!(matches!(config.await, Err(ConfigError::Rejected(_))));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn start<E: fmt::Display>(
        client: &Client,
        path: &str,
        read: impl Fn(&TreeCache) -> Result<T, E> + Send + 'static,
    ) -> Result<Self, ConfigError> {
        let tree = TreeCache::start(client, path).await?;
        let read = move |tree: &TreeCache| {
            read(tree).map(Arc::new).map_err(|error| Rejected {
                reason: error.to_string(),
            })
        };
        let value = read(&tree).map_err(ConfigError::Rejected)?;
        let (sender, state) = watch::channel(State {
            value,
            rejected: None,
            end: None,
        });
        client.spawn(follow(tree, read, sender));
        Ok(Self { state })
    }

    /// The last good value. Whether it is still followed, [`ended`](Self::ended) tells.
    pub fn get(&self) -> Arc<T> {
        self.state.borrow().value.clone()
    }

    /// Why the present state of the znodes was refused; `None` if it is the value's.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// # client.create("/app", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// # client.create("/app/limit", b"5", &grevy_client::CreateOptions::persistent()).await?;
    /// use grevy_recipes::Config;
    ///
    /// let mut limit = Config::start(&client, "/app/limit", |tree| {
    ///     let node = tree.get(tree.root()).ok_or("there is no limit")?;
    ///     let text = String::from_utf8_lossy(&node.data);
    ///     text.parse::<u32>().map_err(|_| "the limit is no number")
    /// })
    /// .await?;
    /// client.set_data("/app/limit", b"many", None).await?;
    /// assert_eq!(*limit.changed().await?, 5);
    /// assert!(limit.rejected().is_some_and(|rejected| rejected.reason.contains("no number")));
    /// # Ok(())
    /// # });
    /// ```
    pub fn rejected(&self) -> Option<Rejected> {
        self.state.borrow().rejected.clone()
    }

    /// Why the configuration is not followed any more: the value then stays as it is. `None` while
    /// it is followed, also during a disconnection.
    pub fn ended(&self) -> Option<Error> {
        self.state.borrow().end.clone()
    }

    /// Waits for something new, and returns the value: another one, or the last good one if the
    /// new state was refused. Of several changes in a row only the last may be seen.
    ///
    /// # Errors
    ///
    /// That of [`ended`](Self::ended): if the session ends, or the watch was removed
    /// (`NoWatcher`).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::Config;
    ///
    /// let mut count = Config::start(&client, "/app", |tree| {
    ///     Ok::<_, String>(tree.nodes().count())
    /// })
    /// .await?;
    /// # client.create("/app", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// assert_eq!(*count.changed().await?, 1);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn changed(&mut self) -> Result<Arc<T>, Error> {
        // Once the task is gone, its last word is why.
        let _ = self.state.changed().await;
        let state = self.state.borrow();
        match &state.end {
            Some(end) => Err(end.clone()),
            None => Ok(state.value.clone()),
        }
    }
}

async fn follow<T>(
    mut tree: TreeCache,
    read: impl Fn(&TreeCache) -> Result<Arc<T>, Rejected>,
    sender: watch::Sender<State<T>>,
) {
    let mut has_changed = false;
    loop {
        // The last of several steps after a change may turn out to change nothing.
        let step = tokio::select! {
            biased;
            step = tree.step() => step,
            // Nobody has the configuration any more.
            () = sender.closed() => return,
        };
        match step {
            Ok(change) => has_changed |= change.is_some(),
            Err(end) => return sender.send_modify(|state| state.end = Some(end)),
        }
        if has_changed && tree.is_settled() {
            has_changed = false;
            let result = read(&tree);
            sender.send_modify(|state| match result {
                Ok(value) => {
                    state.value = value;
                    state.rejected = None;
                }
                Err(rejected) => state.rejected = Some(rejected),
            });
        }
    }
}

impl From<Error> for ConfigError {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a good configuration: {}", self.reason)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Rejected(rejected) => rejected.fmt(f),
        }
    }
}

impl std::error::Error for ConfigError {}
