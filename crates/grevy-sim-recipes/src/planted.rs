//! Recipes with bugs, written as one might, to see that the rules show them.

use grevy_client::{
    AddWatchMode, Client, CreateOptions, Error, ErrorCode, Notice, RetryPolicy, Watch, Zxid,
};
use grevy_recipes::{Doubt, NodeData, Queue, TreeCache};
use std::collections::BTreeMap;
use std::time::Duration;

/// Does a read until it is answered, or the session is over.
async fn persistent<T, F>(client: &Client, mut read: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    loop {
        match read().await {
            Err(error) if error.is_safe_to_retry() => {
                client.connected().await?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            result => return result,
        }
    }
}

/// What one of these recipes holds.
pub struct Hold {
    client: Client,
    path: String,
    /// Its fencing token.
    pub token: i64,
}

impl Hold {
    /// As the shipped hold's.
    pub async fn doubtful(&self) -> Doubt {
        loop {
            let state = self.client.state();
            match self.client.exists_and_watch(&self.path).await {
                Ok((Some(stat), watch)) if stat.czxid.0 == self.token => tokio::select! {
                    biased;
                    _ = watch.changed() => {}
                    _ = self.client.state_other_than(state) => return Doubt::Disconnected,
                },
                Ok(_) => return Doubt::Deleted,
                Err(error) if error.ends_session() => return Doubt::SessionOver,
                Err(_) => return Doubt::Disconnected,
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let token = Zxid(self.token);
        drop(self.client.delete_in_background(&self.path, token));
    }
}

async fn enter(client: &Client, path: &str) -> Result<Hold, Error> {
    let options = CreateOptions::ephemeral().sequential();
    let policy = RetryPolicy {
        attempts: u32::MAX,
        ..RetryPolicy::default()
    };
    let first = format!("{path}/lock-");
    loop {
        let created = client.create_protected(&first, b"", &options, &policy);
        match created.await {
            Ok(created) => {
                return Ok(Hold {
                    client: client.clone(),
                    path: created.path,
                    token: created.stat.czxid.0,
                });
            }
            Err(error) if error.is(ErrorCode::NoNode) => {
                for (at, _) in path.match_indices('/').skip(1).chain([(path.len(), "")]) {
                    let options = CreateOptions::persistent();
                    drop(client.create(&path[..at], b"", &options).await);
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn number(name: &str) -> &str {
    name.get(name.len().saturating_sub(10)..).unwrap_or(name)
}

/// A lock whose waiters believe that their turn has come once the one before is gone, though it
/// may have given up waiting.
pub struct HastyLock {
    client: Client,
    path: String,
}

impl HastyLock {
    /// The lock at a path.
    pub fn new(client: &Client, path: &str) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
        }
    }

    /// Waits for the lock, as it believes.
    pub async fn acquire(&self) -> Result<Hold, Error> {
        let hold = enter(&self.client, &self.path).await?;
        let list = || self.client.get_children(&self.path);
        let (names, _) = persistent(&self.client, list).await?;
        let own = number(&hold.path);
        let before = names.iter().filter(|name| number(name) < own);
        if let Some(name) = before.max_by_key(|name| number(name)) {
            let path = format!("{}/{name}", self.path);
            let watch = || self.client.get_data_and_watch(&path);
            match persistent(&self.client, watch).await {
                Ok((_, _, watch)) => drop(watch.changed().await?),
                Err(error) if error.is(ErrorCode::NoNode) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(hold)
    }
}

/// A semaphore that counts the leases, and then takes one more.
pub struct CarelessSemaphore {
    client: Client,
    path: String,
    limit: usize,
}

impl CarelessSemaphore {
    /// Leases below a path.
    pub fn new(client: &Client, path: &str, limit: usize) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
            limit,
        }
    }

    /// Waits for a lease, as it believes.
    pub async fn acquire(&self) -> Result<Hold, Error> {
        loop {
            let list = || self.client.get_children_and_watch(&self.path);
            match persistent(&self.client, list).await {
                Ok((names, _, watch)) if names.len() >= self.limit => drop(watch.changed().await?),
                Err(error) if !error.is(ErrorCode::NoNode) => return Err(error),
                _ => return enter(&self.client, &self.path).await,
            }
        }
    }
}

/// A queue whose takers do not mind that somebody else was faster.
pub struct CarelessQueue {
    client: Client,
    path: String,
    queue: Queue,
}

impl CarelessQueue {
    /// The queue at a path.
    pub fn new(client: &Client, path: &str) -> Self {
        Self {
            client: client.clone(),
            path: path.to_owned(),
            queue: Queue::new(client, path),
        }
    }

    /// As it should be.
    pub async fn put(&self, data: &[u8]) -> Result<(), Error> {
        self.queue.put(data).await
    }

    /// Takes the first element, as it believes.
    pub async fn try_take(&self) -> Result<Option<Vec<u8>>, Error> {
        let names = match self.client.get_children(&self.path).await {
            Ok((names, _)) => names,
            Err(error) if error.is(ErrorCode::NoNode) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(name) = names.iter().min() else {
            return Ok(None);
        };
        let path = format!("{}/{name}", self.path);
        let data = match self.client.get_data(&path).await {
            Ok((data, _)) => data,
            Err(error) if error.is(ErrorCode::NoNode) => return Ok(None),
            Err(error) => return Err(error),
        };
        match self.client.delete(&path, None).await {
            Err(error) if !error.is(ErrorCode::NoNode) => Err(error),
            _ => Ok(Some(data)),
        }
    }
}

/// Waits at a barrier until something happens to it.
pub async fn wait_for_any_event(client: &Client, path: &str) -> Result<(), Error> {
    match persistent(client, || client.get_data_and_watch(path)).await {
        Ok((_, _, watch)) => watch.changed().await.map(drop),
        Err(error) if error.is(ErrorCode::NoNode) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Takes a name, whoever has it. Returns its token.
pub async fn take_name(client: &Client, path: &str) -> Result<i64, Error> {
    loop {
        let options = CreateOptions::ephemeral();
        match client.create(path, b"", &options).await {
            Ok(created) => return Ok(created.stat.czxid.0),
            Err(error) if error.ends_session() => return Err(error),
            Err(error) if error.is(ErrorCode::NoNode) => {
                for path in ["/r", "/r/group"] {
                    let options = CreateOptions::persistent();
                    drop(client.create(path, b"", &options).await);
                }
            }
            Err(_) => {
                if let Some(stat) = persistent(client, || client.exists(path)).await? {
                    return Ok(stat.czxid.0);
                }
            }
        }
    }
}

/// A cache that trusts its watch to tell of everything.
pub struct CarelessCache {
    client: Client,
    watch: Watch,
    nodes: BTreeMap<String, NodeData>,
}

impl CarelessCache {
    /// Reads a subtree.
    pub async fn start(client: &Client, path: &str) -> Result<Self, Error> {
        let add = || client.add_watch(path, AddWatchMode::PersistentRecursive);
        let watch = persistent(client, add).await?;
        let tree = TreeCache::start(client, path).await?;
        let nodes = tree.nodes();
        Ok(Self {
            watch,
            client: client.clone(),
            nodes: nodes
                .map(|(path, node)| (path.to_owned(), node.clone()))
                .collect(),
        })
    }

    /// What it holds.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &NodeData)> {
        self.nodes.iter().map(|(path, node)| (&**path, node))
    }

    /// Waits for the next change.
    pub async fn next(&mut self) -> Result<(), Error> {
        if let Notice::Event(event) = self.watch.next().await? {
            let path = event.path;
            match persistent(&self.client, || self.client.get_data(&path)).await {
                Ok((data, stat)) => drop(self.nodes.insert(path, NodeData { data, stat })),
                Err(error) if error.is(ErrorCode::NoNode) => drop(self.nodes.remove(&path)),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
