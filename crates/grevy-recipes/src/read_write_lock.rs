//! A lock that many readers hold together, or one writer alone. Source: Curator's
//! `InterProcessReadWriteLock`, kazoo's `ReadLock` and `WriteLock`.
//!
//! 1. Readers and writers queue up as in a [`Lock`](crate::Lock), below one path, under different
//!    names.
//! 2. A writer waits until nobody is before it.
//! 3. A reader waits until no writer is before it.
//!
//! Nobody overtakes, so neither readers nor writers starve. Whoever holds it for reading and
//! wants to write must release it first: waiting for one's own read lock never ends.
//!
//! **Session loss.** As of a [`Lock`](crate::Lock). The token of a writer is greater than those
//! of all readers and writers that held it before. Readers that hold it together have different
//! tokens.
//!
//! **Cost.** That of a [`Lock`](crate::Lock). The release of a writer wakes all readers that wait
//! right behind it.

use crate::contest::Contest;
use crate::hold::Hold;
use crate::lock::last;
use crate::sequence::{Contender, Layout, number};
use grevy_client::{Client, Error};

const MARKERS: &[&str] = &["__READ__", "__WRIT__", "__rlock__", "__lock__"];
const WRITERS: &[&str] = &["__WRIT__", "__lock__"];

/// A lock for readers and writers. With [`Layout::Curator`], Curator's
/// `InterProcessReadWriteLock` takes part; with [`Layout::Kazoo`], kazoo's `ReadLock` and
/// `WriteLock`.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_recipes::ReadWriteLock;
///
/// let lock = ReadWriteLock::new(&client, "/locks/index");
/// let (one, other) = (lock.read().await?, lock.read().await?);
/// one.release().await?;
/// other.release().await?;
/// let alone = lock.write().await?;
/// # alone.release().await?;
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct ReadWriteLock {
    contest: Contest,
    layout: Layout,
}

impl ReadWriteLock {
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
        }
    }

    /// Calls this lock's znodes as others expect it.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::{Layout, ReadWriteLock};
    ///
    /// let lock = ReadWriteLock::new(&client, "/locks/index").with_layout(Layout::Kazoo);
    /// assert!(lock.read().await?.path().contains("__rlock__"));
    /// # Ok(())
    /// # });
    /// ```
    pub fn with_layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Waits until no writer holds it or came before. Dropping the future leaves the queue.
    ///
    /// # Errors
    ///
    /// If the session ends; `NoAuth` and the like.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::ReadWriteLock;
    ///
    /// let lock = ReadWriteLock::new(&client, "/locks/index");
    /// let reading = lock.read().await?;
    /// println!("nobody writes");
    /// reading.release().await?;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn read(&self) -> Result<Hold, Error> {
        self.contest.win(self.reader(), b"", last_writer).await
    }

    /// Takes it for reading if that needs no waiting.
    ///
    /// # Errors
    ///
    /// As those of [`read`](Self::read).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::ReadWriteLock;
    ///
    /// let lock = ReadWriteLock::new(&client, "/locks/index");
    /// let writing = lock.write().await?;
    /// assert!(lock.try_read().await?.is_none());
    /// writing.release().await?;
    /// assert!(lock.try_read().await?.is_some());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn try_read(&self) -> Result<Option<Hold>, Error> {
        self.contest.try_win(self.reader(), b"", last_writer).await
    }

    /// Waits until nobody holds it or came before. Dropping the future leaves the queue.
    ///
    /// # Errors
    ///
    /// As those of [`read`](Self::read).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::ReadWriteLock;
    ///
    /// let lock = ReadWriteLock::new(&client, "/locks/index");
    /// let writing = lock.write().await?;
    /// println!("nobody reads, and whoever wrote before had a smaller token than {}", writing.token());
    /// writing.release().await?;
    /// # Ok(())
    /// # });
    /// ```
    pub async fn write(&self) -> Result<Hold, Error> {
        self.contest.win(self.writer(), b"", last).await
    }

    /// Takes it for writing if that needs no waiting.
    ///
    /// # Errors
    ///
    /// As those of [`read`](Self::read).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_recipes::ReadWriteLock;
    ///
    /// let lock = ReadWriteLock::new(&client, "/locks/index");
    /// let reading = lock.read().await?;
    /// assert!(lock.try_write().await?.is_none());
    /// reading.release().await?;
    /// assert!(lock.try_write().await?.is_some());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn try_write(&self) -> Result<Option<Hold>, Error> {
        self.contest.try_win(self.writer(), b"", last).await
    }

    fn reader(&self) -> &'static str {
        match self.layout {
            Layout::Curator => "__READ__",
            Layout::Kazoo => "__rlock__",
        }
    }

    fn writer(&self) -> &'static str {
        match self.layout {
            Layout::Curator => "__WRIT__",
            Layout::Kazoo => "__lock__",
        }
    }
}

fn last_writer(before: &[Contender]) -> Option<&Contender> {
    let mut contenders = before.iter().rev();
    contenders.find(|contender| number(&contender.name, WRITERS).is_some())
}
