//! A znode as it is, kept up to date. Source: Curator's `NodeCache`, kazoo's `DataWatch`.
//!
//! 1. Read the znode, with a watch; if it is missing, watch for its creation.
//! 2. When the watch fires, go to 1, and tell if what was read differs.
//!
//! Of several changes in a row only the last may be seen: this is a view of a state, not a
//! history.
//!
//! **Session loss.** While there is no connection, nothing is seen; the watch is set again with
//! the next one and tells what was missed. When the session ends, so does the cache.
//!
//! **Cost.** One read and one watch for each change that is seen.

use crate::patience::patient;
use grevy_client::{Client, Error, ErrorCode, OneshotWatch, Stat};

/// A znode, kept up to date by whoever calls [`next`](Self::next).
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::NodeCache;
///
/// let mut motto = NodeCache::start(&client, "/motto").await?;
/// println!("{:?}", motto.get());
/// # client.create("/motto", b"", &grevy_client::CreateOptions::persistent()).await?;
/// loop {
///     println!("{:?}", motto.next().await?);
///     # break;
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct NodeCache {
    client: Client,
    path: String,
    current: Option<NodeData>,
    /// `None`: the znode has to be read again.
    watch: Option<OneshotWatch>,
}

/// What a znode holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeData {
    /// Its data.
    pub data: Vec<u8>,
    /// Its metadata, as of when its data was read: what concerns its children may be older.
    pub stat: Stat,
}

impl NodeCache {
    /// Reads the znode at a path, if it exists.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth`.
    pub async fn start(client: &Client, path: &str) -> Result<Self, Error> {
        let mut cache = Self {
            client: client.clone(),
            path: path.to_owned(),
            current: None,
            watch: None,
        };
        cache.read().await?;
        Ok(cache)
    }

    /// The znode as it was last seen; `None` if it was missing.
    pub fn get(&self) -> Option<&NodeData> {
        self.current.as_ref()
    }

    /// Waits until the znode is another one, and returns it. May be cancelled without losing
    /// anything.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth`.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// # client.create("/motto", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// use grevy_recipes::NodeCache;
    ///
    /// let mut motto = NodeCache::start(&client, "/motto").await?;
    /// client.set_data("/motto", b"onward", None).await?;
    /// let new = motto.next().await?.ok_or("it was deleted")?;
    /// assert_eq!(new.data, b"onward");
    /// # Ok(())
    /// # });
    /// ```
    pub async fn next(&mut self) -> Result<Option<&NodeData>, Error> {
        loop {
            if let Some(watch) = &mut self.watch {
                watch.wait().await?;
                self.watch = None;
            }
            if self.read().await? {
                return Ok(self.current.as_ref());
            }
        }
    }

    /// Returns whether something is new.
    async fn read(&mut self) -> Result<bool, Error> {
        let (new, watch) = loop {
            let read = || self.client.get_data_and_watch(&self.path);
            match patient(&self.client, read).await {
                Ok((data, stat, watch)) => break (Some(NodeData { data, stat }), watch),
                Err(error) if error.is(ErrorCode::NoNode) => {
                    let exists = || self.client.exists_and_watch(&self.path);
                    if let (None, watch) = patient(&self.client, exists).await? {
                        break (None, watch);
                    }
                }
                Err(error) => return Err(error),
            }
        };
        self.watch = Some(watch);
        let is_new = !is_same(self.current.as_ref(), new.as_ref());
        self.current = new;
        Ok(is_new)
    }
}

/// Whether two readings are of the same data of the same znode.
pub(crate) fn is_same(one: Option<&NodeData>, other: Option<&NodeData>) -> bool {
    let version = |node: &NodeData| (node.stat.czxid, node.stat.mzxid);
    one.map(version) == other.map(version)
}
