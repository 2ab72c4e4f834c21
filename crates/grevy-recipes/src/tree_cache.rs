//! A subtree as it is, kept up to date. Source: Curator's `CuratorCache`, kazoo's `TreeCache`.
//!
//! 1. Watch the whole subtree with one persistent recursive watch.
//! 2. Read it, level by level.
//! 3. Read again each znode that an event tells of, and tell if it differs.
//! 4. After a reconnect events may be missing: read the whole subtree again, and tell the
//!    difference only.
//!
//! Of several changes of a znode in a row only the last may be seen. Changes of different znodes
//! are told in the order of their events, except after a reconnect.
//!
//! A znode that may not be read (`NoAuth`) is left out, and named by [`TreeCache::unreadable`];
//! what is below it is not, if its children may be listed. Servers tell of no change of such a
//! znode's rights: it is tried again when something else happens to it, and after a reconnect.
//!
//! **Session loss.** While there is no connection, nothing is seen. When the session ends, so
//! does the cache; what it holds is then what was last seen.
//!
//! **Cost.** Two reads a znode to start and after each reconnect, one read for each change. The
//! whole subtree is held in memory. Servers before 3.6 know no such watch (`Unimplemented`).

use crate::node_cache::{NodeData, is_same};
use crate::parents::child;
use crate::patience::patient;
use grevy_client::{AddWatchMode, Client, Error, ErrorCode, Notice, Stat, Watch};
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

/// A subtree, kept up to date by whoever calls [`next`](Self::next).
///
/// ```
/// # grevy_testing::run(async |client| {
/// # client.create("/app", b"", &grevy_client::CreateOptions::persistent()).await?;
/// use grevy_recipes::{Change, TreeCache};
///
/// let mut tree = TreeCache::start(&client, "/app").await?;
/// println!("{} znodes", tree.nodes().count());
/// # client.create("/app/new", b"", &grevy_client::CreateOptions::persistent()).await?;
/// loop {
///     match tree.next().await? {
///         Change::Added(path) | Change::Changed(path) => println!("{path}: {:?}", tree.get(&path)),
///         Change::Removed(path, last) => println!("{path} was {last:?}"),
///     }
///     # break;
/// }
/// # assert!(tree.get("/app/new").is_some());
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct TreeCache {
    client: Client,
    root: String,
    watch: Watch,
    nodes: BTreeMap<String, NodeData>,
    unreadable: BTreeSet<String>,
    /// Znodes to read again, in the order of their events.
    dirty: VecDeque<String>,
    /// The same, for looking up whether one is among them.
    is_dirty: HashSet<String>,
    /// Whether everything has to be read again.
    is_stale: bool,
    /// Found by reading everything again, and not told yet.
    changes: VecDeque<Change>,
}

/// What has changed in a [`TreeCache`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The znode at this path is new.
    Added(String),
    /// The data of the znode at this path is new.
    Changed(String),
    /// The znode at this path is gone, or may not be read any more; this was last seen of it.
    Removed(String, NodeData),
}

impl TreeCache {
    /// Reads the subtree at a path, which need not exist.
    ///
    /// # Errors
    ///
    /// If the session ends; `Unimplemented` before 3.6.
    pub async fn start(client: &Client, path: &str) -> Result<Self, Error> {
        let add = || client.add_watch(path, AddWatchMode::PersistentRecursive);
        let watch = patient(client, add).await?;
        let mut cache = Self {
            client: client.clone(),
            root: path.to_owned(),
            watch,
            nodes: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            dirty: VecDeque::new(),
            is_dirty: HashSet::new(),
            is_stale: false,
            changes: VecDeque::new(),
        };
        (cache.nodes, cache.unreadable) = cache.read_all().await?;
        Ok(cache)
    }

    /// A znode as it was last seen, by its whole path.
    pub fn get(&self, path: &str) -> Option<&NodeData> {
        self.nodes.get(path)
    }

    /// All znodes as they were last seen, in the order of their paths.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &NodeData)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// The paths of the znodes that this client may not read, or whose children it may not list.
    /// What of them was not told is not in the cache.
    pub fn unreadable(&self) -> impl Iterator<Item = &str> {
        self.unreadable.iter().map(String::as_str)
    }

    /// The path of the subtree.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Whether all that is known to have changed has been read and told. In between, what one
    /// transaction changed may be seen in parts.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::{CreateOptions, Transaction};
    /// use grevy_recipes::TreeCache;
    ///
    /// let mut tree = TreeCache::start(&client, "/app").await?;
    /// let options = CreateOptions::persistent();
    /// let mut transaction = Transaction::new();
    /// transaction.create("/app", b"", &options).create("/app/limit", b"5", &options);
    /// client.multi(transaction).await?;
    /// while !tree.is_settled() {
    ///     tree.next().await?;
    /// }
    /// assert_eq!(tree.nodes().count(), 2);
    /// # Ok(())
    /// # });
    /// ```
    pub fn is_settled(&mut self) -> bool {
        self.take_notices();
        !self.is_stale && self.dirty.is_empty() && self.changes.is_empty()
    }

    /// Waits for the next change, which is then to be seen here. May be cancelled without losing
    /// anything.
    ///
    /// # Errors
    ///
    /// If the session ends, or somebody removes the watch with
    /// [`Client::remove_watches`](grevy_client::Client::remove_watches) (`NoWatcher`).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::CreateOptions;
    /// use grevy_recipes::{Change, TreeCache};
    ///
    /// let mut tree = TreeCache::start(&client, "/app").await?;
    /// client.create("/app", b"", &CreateOptions::persistent()).await?;
    /// assert_eq!(tree.next().await?, Change::Added("/app".to_owned()));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn next(&mut self) -> Result<Change, Error> {
        loop {
            if let Some(change) = self.step().await? {
                return Ok(change);
            }
        }
    }

    /// Waits for whatever is next: a change, or something that turns out to change nothing. May
    /// be cancelled without losing anything.
    pub(crate) async fn step(&mut self) -> Result<Option<Change>, Error> {
        self.take_notices();
        if let Some(change) = self.changes.pop_front() {
            return Ok(Some(change));
        }
        if self.is_stale {
            let (all, unreadable) = self.read_all().await?;
            self.is_stale = false;
            // What events told of is in there, too.
            self.dirty.clear();
            self.is_dirty.clear();
            self.unreadable = unreadable;
            self.changes = difference(std::mem::replace(&mut self.nodes, all), &self.nodes);
        } else if let Some(path) = self.dirty.front() {
            let read = self.read(path).await?;
            if let Some(path) = self.dirty.pop_front() {
                self.is_dirty.remove(&path);
                match read {
                    Read::Unreadable => drop(self.unreadable.insert(path.clone())),
                    Read::Missing | Read::Node(_) => drop(self.unreadable.remove(&path)),
                }
                return Ok(self.apply(path, read.node()));
            }
        } else {
            let notice = self.watch.next().await?;
            self.note(notice);
        }
        Ok(None)
    }

    /// Takes what the watch has told already.
    fn take_notices(&mut self) {
        while let Some(notice) = self.watch.try_next() {
            self.note(notice);
        }
    }

    fn note(&mut self, notice: Notice) {
        match notice {
            Notice::Resumed => self.is_stale = true,
            Notice::Event(event) => {
                if self.is_dirty.insert(event.path.clone()) {
                    self.dirty.push_back(event.path);
                }
            }
        }
    }

    fn apply(&mut self, path: String, node: Option<NodeData>) -> Option<Change> {
        if is_same(self.nodes.get(&path), node.as_ref()) {
            return None;
        }
        match node {
            Some(node) => match self.nodes.insert(path.clone(), node) {
                Some(_) => Some(Change::Changed(path)),
                None => Some(Change::Added(path)),
            },
            None => {
                let last = self.nodes.remove(&path)?;
                Some(Change::Removed(path, last))
            }
        }
    }

    async fn read(&self, path: &str) -> Result<Read, Error> {
        Read::of(patient(&self.client, || self.client.get_data(path)).await)
    }

    /// The znodes, and the paths of those that may not be read.
    async fn read_all(&self) -> Result<(BTreeMap<String, NodeData>, BTreeSet<String>), Error> {
        let (mut all, mut unreadable) = (BTreeMap::new(), BTreeSet::new());
        let mut level = vec![self.root.clone()];
        while !level.is_empty() {
            // A whole level is under way at once.
            let reads: Vec<_> = level
                .into_iter()
                .map(|path| {
                    let data = self.client.get_data(&path);
                    let children = self.client.get_children(&path);
                    (path, data, children)
                })
                .collect();
            level = Vec::new();
            for (path, data, children) in reads {
                let read = match data.await {
                    Err(error) if error.is_safe_to_retry() => self.read(&path).await?,
                    data => Read::of(data)?,
                };
                let names = match children.await {
                    Err(error) if error.is_safe_to_retry() => {
                        patient(&self.client, || self.client.get_children(&path)).await
                    }
                    children => children,
                };
                let (names, is_listed) = match names {
                    Ok((names, _)) => (names, true),
                    Err(error) if error.is(ErrorCode::NoNode) => (Vec::new(), true),
                    Err(error) if error.is(ErrorCode::NoAuth) => (Vec::new(), false),
                    Err(error) => return Err(error),
                };
                level.extend(names.iter().map(|name| child(&path, name)));
                if !is_listed || matches!(read, Read::Unreadable) {
                    unreadable.insert(path.clone());
                }
                all.extend(read.node().map(|node| (path, node)));
            }
        }
        Ok((all, unreadable))
    }
}

/// What comes of reading a znode.
enum Read {
    Node(NodeData),
    Missing,
    Unreadable,
}

impl Read {
    fn of(result: Result<(Vec<u8>, Stat), Error>) -> Result<Self, Error> {
        match result {
            Ok((data, stat)) => Ok(Self::Node(NodeData { data, stat })),
            Err(error) if error.is(ErrorCode::NoNode) => Ok(Self::Missing),
            Err(error) if error.is(ErrorCode::NoAuth) => Ok(Self::Unreadable),
            Err(error) => Err(error),
        }
    }

    fn node(self) -> Option<NodeData> {
        match self {
            Self::Node(node) => Some(node),
            Self::Missing | Self::Unreadable => None,
        }
    }
}

/// What leads from one state to another: first what is gone, children before their parents; then
/// what is there, parents first.
fn difference(
    old: BTreeMap<String, NodeData>,
    new: &BTreeMap<String, NodeData>,
) -> VecDeque<Change> {
    let mut changes = VecDeque::new();
    for (path, node) in new {
        match old.get(path) {
            None => changes.push_back(Change::Added(path.clone())),
            Some(before) if !is_same(Some(before), Some(node)) => {
                changes.push_back(Change::Changed(path.clone()));
            }
            Some(_) => {}
        }
    }
    for (path, node) in old {
        if !new.contains_key(&path) {
            changes.push_front(Change::Removed(path, node));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use grevy_client::Zxid;

    fn tree(nodes: &[(&str, i64)]) -> BTreeMap<String, NodeData> {
        let node = |mzxid: i64| NodeData {
            data: Vec::new(),
            stat: Stat {
                mzxid: Zxid(mzxid),
                ..Stat::default()
            },
        };
        nodes
            .iter()
            .map(|(path, mzxid)| ((*path).to_owned(), node(*mzxid)))
            .collect()
    }

    #[test]
    fn a_difference_is_told_in_an_order_that_could_have_happened() {
        let old = tree(&[("/a", 1), ("/a/x", 1), ("/a/x/y", 1), ("/b", 1)]);
        let new = tree(&[("/a", 2), ("/b", 1), ("/c", 3), ("/c/d", 3)]);
        let told: Vec<_> = difference(old, &new)
            .into_iter()
            .map(|change| match change {
                Change::Added(path) => format!("+{path}"),
                Change::Changed(path) => format!("={path}"),
                Change::Removed(path, _) => format!("-{path}"),
            })
            .collect();
        assert_eq!(told, ["-/a/x/y", "-/a/x", "=/a", "+/c", "+/c/d"]);
    }
}
