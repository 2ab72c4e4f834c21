//! Watches that stay, and what the server knows of watches.

use super::Client;
use crate::answer::{Answer, finish};
use crate::error::Operation;
use crate::machine::{Effect, Request};
use crate::watch::Watch;
use grevy_proto::request::WatchOf;
use grevy_proto::watch::{AddWatchMode, WatcherType};
use grevy_proto::{Encode, OpCode};

impl Client {
    /// Watches a znode, which need not exist, until the watch is dropped.
    ///
    /// Servers before 3.9 keep one kind of watch for each session and path, the newest: below
    /// that, do not mix kinds on one path (ZOOKEEPER-4466).
    ///
    /// # Errors
    ///
    /// `Unimplemented` before 3.6.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::{AddWatchMode, CreateOptions, EventType, Notice};
    ///
    /// let persistent = CreateOptions::persistent();
    /// client.create("/app", b"", &persistent).await?;
    /// let mut node = client.add_watch("/app", AddWatchMode::Persistent).await?;
    /// let mut tree = client.add_watch("/app", AddWatchMode::PersistentRecursive).await?;
    /// client.create("/app/x", b"", &persistent).await?;
    /// let Notice::Event(event) = node.next().await? else { panic!("there was no reconnect") };
    /// assert_eq!((event.kind, &event.path[..]), (EventType::NodeChildrenChanged, "/app"));
    /// let Notice::Event(event) = tree.next().await? else { panic!("there was no reconnect") };
    /// assert_eq!((event.kind, &event.path[..]), (EventType::NodeCreated, "/app/x"));
    /// # Ok(())
    /// # });
    /// ```
    pub fn add_watch(&self, path: &str, mode: AddWatchMode) -> Answer<Watch> {
        let operation = Operation::new(OpCode::AddWatch, path);
        match self.server_path(path) {
            Ok(path) => {
                let record = WatchOf {
                    path: path.as_str().into(),
                    kind: mode as i32,
                };
                let body = record.to_bytes();
                let (receiver, inbox) = self.ask_and_watch(&operation, body, mode.kind(), path);
                Answer::new(receiver, finish(operation, |_| Ok(Watch::new(inbox))))
            }
            Err(error) => Answer::refused(error),
        }
    }

    /// Whether the server has a watch of this session on exactly this path.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::WatcherType;
    ///
    /// let (_, watch) = client.exists_and_watch("/a").await?;
    /// assert!(client.check_watches("/a", WatcherType::Any).await?);
    /// drop(watch);
    /// assert!(!client.check_watches("/a", WatcherType::Any).await?);
    /// # Ok(())
    /// # });
    /// ```
    pub fn check_watches(&self, path: &str, which: WatcherType) -> Answer<bool> {
        let operation = Operation::new(OpCode::CheckWatches, path);
        match self.server_path(path) {
            Ok(path) => {
                let record = watch_of(&path, which);
                let request = Request {
                    op: operation.op,
                    body: record.to_bytes(),
                    effect: Effect::None,
                };
                let receiver = self.submit(request, None);
                Answer::new(receiver, move |outcome| {
                    match finish(operation, |_| Ok(()))(outcome) {
                        Ok(()) => Ok(true),
                        Err(error) if error.is(grevy_proto::ErrorCode::NoWatcher) => Ok(false),
                        Err(error) => Err(error),
                    }
                })
            }
            Err(error) => Answer::refused(error),
        }
    }

    /// Removes all watches of this session on a path, whoever holds them; those end with
    /// `NoWatcher`. Dropping a watch removes just that one.
    ///
    /// # Errors
    ///
    /// `NoWatcher` if there is none; `MarshallingError` for
    /// [`Persistent`](WatcherType::Persistent) and
    /// [`PersistentRecursive`](WatcherType::PersistentRecursive) from servers before 3.9.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::{ErrorCode, WatcherType};
    ///
    /// let (_, watch) = client.exists_and_watch("/a").await?;
    /// client.remove_watches("/a", WatcherType::Any).await?;
    /// let end = watch.changed().await;
    /// assert!(end.is_err_and(|error| error.is(ErrorCode::NoWatcher)));
    /// # Ok(())
    /// # });
    /// ```
    pub fn remove_watches(&self, path: &str, which: WatcherType) -> Answer<()> {
        let operation = Operation::new(OpCode::RemoveWatches, path);
        match self.server_path(path) {
            Ok(path) => {
                let request = Request {
                    op: operation.op,
                    body: watch_of(&path, which).to_bytes(),
                    effect: Effect::Unwatch { which, path },
                };
                let receiver = self.submit(request, None);
                Answer::new(receiver, finish(operation, |_| Ok(())))
            }
            Err(error) => Answer::refused(error),
        }
    }
}

fn watch_of(path: &str, which: WatcherType) -> WatchOf<'_> {
    WatchOf {
        path: path.into(),
        kind: which as i32,
    }
}
