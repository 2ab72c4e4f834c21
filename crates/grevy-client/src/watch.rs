//! Watches as owned values: dropping one unregisters it.

use crate::driver::{Command, News};
use crate::error::{Error, Operation};
use crate::machine::{NodeEvent, WatcherId};
use futures_core::Stream;
use grevy_proto::ErrorCode;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use tokio::sync::mpsc::{UnboundedReceiver, WeakUnboundedSender};

/// A watch that tells of one change. It survives reconnects, whichever server they lead to.
///
/// ```
/// # grevy_testing::run(async |client| {
/// let (_, watch) = client.exists_and_watch("/leader").await?;
/// # client.create("/leader", b"", &grevy_client::CreateOptions::persistent()).await?;
/// println!("{:?}", watch.changed().await?.kind);
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
#[must_use = "dropping it unregisters the watch"]
pub struct OneshotWatch(Inbox);

/// A watch that stays, on a znode or a whole subtree; a [`Stream`] of what happens there.
///
/// It survives reconnects, but what happens while there is no connection stays untold:
/// [`Notice::Resumed`] says that this may be so. What is not taken queues up without limit.
#[derive(Debug)]
#[must_use = "dropping it unregisters the watch"]
pub struct Watch(Inbox);

/// What a [`Watch`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Something happened.
    Event(NodeEvent),
    /// The watch was set again on a new connection. Changes since the last notice may have gone
    /// untold; what is read from here on is as new as the watch.
    Resumed,
}

impl OneshotWatch {
    pub(crate) fn new(inbox: Inbox) -> Self {
        Self(inbox)
    }

    /// Waits for the change.
    ///
    /// # Errors
    ///
    /// If the session ends, or the watch was removed with
    /// [`Client::remove_watches`](crate::Client::remove_watches) (`NoWatcher`).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// # client.create("/config", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// let (data, stat, watch) = client.get_data_and_watch("/config").await?;
    /// # client.set_data("/config", b"new", None).await?;
    /// let event = watch.changed().await?;
    /// println!("{:?} of {}, which was {data:?}", event.kind, event.path);
    /// # Ok(())
    /// # });
    /// ```
    pub async fn changed(mut self) -> Result<NodeEvent, Error> {
        self.wait().await
    }

    /// As [`changed`](Self::changed). May be cancelled and called again without losing anything;
    /// after the change, it fails with `NoWatcher`.
    ///
    /// # Errors
    ///
    /// As those of [`changed`](Self::changed).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use std::time::Duration;
    ///
    /// let (_, mut watch) = client.exists_and_watch("/a").await?;
    /// # client.create("/a", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// while tokio::time::timeout(Duration::from_secs(10), watch.wait()).await.is_err() {
    ///     println!("still waiting");
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub async fn wait(&mut self) -> Result<NodeEvent, Error> {
        loop {
            match std::future::poll_fn(|context| self.0.poll(context)).await? {
                Notice::Event(event) => return Ok(event),
                Notice::Resumed => {}
            }
        }
    }
}

impl Watch {
    pub(crate) fn new(inbox: Inbox) -> Self {
        Self(inbox)
    }

    /// Waits for what happens next. May be cancelled without losing anything.
    ///
    /// # Errors
    ///
    /// If the session ends, or the watch was removed with
    /// [`Client::remove_watches`](crate::Client::remove_watches) (`NoWatcher`). Then every later
    /// call fails likewise.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::{AddWatchMode, Notice};
    ///
    /// let mut watch = client.add_watch("/app", AddWatchMode::PersistentRecursive).await?;
    /// # client.create("/app", b"", &grevy_client::CreateOptions::persistent()).await?;
    /// loop {
    ///     match watch.next().await? {
    ///         Notice::Event(event) => println!("{:?} {}", event.kind, event.path),
    ///         Notice::Resumed => println!("something may have been missed"),
    ///     }
    ///     # break;
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub async fn next(&mut self) -> Result<Notice, Error> {
        std::future::poll_fn(|context| self.0.poll(context)).await
    }
}

impl Watch {
    /// What has been told already, without waiting. An end shows in [`next`](Self::next).
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::{AddWatchMode, CreateOptions};
    ///
    /// let mut watch = client.add_watch("/app", AddWatchMode::Persistent).await?;
    /// assert_eq!(watch.try_next(), None);
    /// client.create("/app", b"", &CreateOptions::persistent()).await?;
    /// // Events come before the answers that show what they tell of.
    /// assert!(watch.try_next().is_some());
    /// # Ok(())
    /// # });
    /// ```
    pub fn try_next(&mut self) -> Option<Notice> {
        match self.0.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(notice)) => Some(notice),
            _ => None,
        }
    }
}

/// Ends after the first error.
impl Stream for Watch {
    type Item = Result<Notice, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.0.end.is_some() {
            return Poll::Ready(None);
        }
        self.0.poll(context).map(Some)
    }
}

/// Where a watcher's news arrive.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub id: WatcherId,
    pub news: UnboundedReceiver<News>,
    /// Weak, so that a watch does not keep the session of a dropped client alive.
    pub commands: WeakUnboundedSender<Command>,
    pub chroot: Arc<str>,
    pub operation: Operation,
    /// Why there are no more news.
    pub end: Option<Error>,
}

impl Inbox {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Notice, Error>> {
        if let Some(end) = &self.end {
            return Poll::Ready(Err(end.clone()));
        }
        let operation = || self.operation.clone();
        let end = match ready!(self.news.poll_recv(context)) {
            Some(News::Event(mut event)) => {
                event.path = strip(&self.chroot, &event.path).to_owned();
                return Poll::Ready(Ok(Notice::Event(event)));
            }
            Some(News::Resumed) => return Poll::Ready(Ok(Notice::Resumed)),
            Some(News::End(Some(failure))) => Error::from_failure(failure, operation()),
            Some(News::End(None)) => Error::Server {
                operation: operation(),
                code: ErrorCode::NoWatcher,
            },
            None => Error::Closed {
                operation: operation(),
            },
        };
        self.end = Some(end.clone());
        Poll::Ready(Err(end))
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        if let Some(commands) = self.commands.upgrade() {
            // Without a session's task there is no watch.
            drop(commands.send(Command::Unwatch(self.id)));
        }
    }
}

/// A server's path as a client below a chroot knows it. What is not below it, such as the
/// configuration, keeps its name.
pub(crate) fn strip<'a>(chroot: &str, path: &'a str) -> &'a str {
    match path.strip_prefix(chroot) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}
