//! The handle of a session.

mod create;
mod ensemble;
mod read;
mod watches;
mod weak;
mod write;

pub use create::{CreateOptions, Created};
pub use ensemble::Identity;
pub(crate) use weak::WeakClient;

use crate::address::AddressError;
use crate::answer::{Answer, Outcome, finish};
use crate::connector::Connector;
use crate::driver::{Command, Driver, News, Status};
use crate::error::{Error, Operation};
use crate::machine::{Chance, Effect, Request, SessionState, Ticket, WatchKind, WatcherId};
use crate::seeds::Seeds;
use crate::watch::Inbox;
use grevy_proto::path;
use grevy_proto::{Decode, DecodeError, Encode, OpCode, Reader, SessionId};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{oneshot, watch};

/// A session, and a path below which it works. Clones share the session; when the last one is
/// dropped, the session is closed, and its ephemeral znodes go.
///
/// Each method queues its request when it is called, so the order of the calls is the order in
/// which the servers execute them. No call waits for another.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_client::CreateOptions;
///
/// let clone = client.clone();
/// clone.create("/here", b"", &CreateOptions::ephemeral()).await?;
/// drop(clone);
/// // The session goes on with the other clone, and the znode with the session.
/// assert!(client.exists("/here").await?.is_some());
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    /// Empty for the root.
    chroot: Arc<str>,
}

struct Shared {
    commands: UnboundedSender<Command>,
    status: watch::Receiver<Status>,
    next_watcher: AtomicU64,
    spawn: Spawn,
    seeds: Seeds,
}

/// A task of a client, see [`Connector::spawner`].
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What runs a client's tasks.
pub(crate) type Spawn = Arc<dyn Fn(Task) + Send + Sync>;

impl Client {
    /// Opens a session with the usual settings; see [`Connector`] for others.
    ///
    /// # Errors
    ///
    /// As [`Connector::connect`], and if `connect` is no connection string.
    ///
    /// ```
    /// # grevy_testing::run_at(async |address| {
    /// use grevy_client::{Client, CreateOptions};
    ///
    /// let servers = "127.0.0.1:2181";
    /// # let servers = &address;
    /// let client = Client::connect(servers).await?;
    /// client.create("/greeting", b"hello", &CreateOptions::ephemeral()).await?;
    /// let (data, stat) = client.get_data("/greeting").await?;
    /// assert_eq!((&data[..], stat.version), (&b"hello"[..], 0));
    /// # Ok(())
    /// # });
    /// ```
    pub async fn connect(connect: &str) -> Result<Self, ConnectError> {
        let connector = Connector::new(connect).map_err(ConnectError::Address)?;
        connector.connect().await.map_err(ConnectError::Session)
    }

    pub(crate) fn new(
        spawn: Spawn,
        seeds: Seeds,
        driver: Driver,
        status: watch::Receiver<Status>,
        chroot: String,
    ) -> Self {
        let (commands, receiver) = unbounded_channel();
        spawn(Box::pin(driver.run(receiver)));
        let shared = Shared {
            commands,
            status,
            next_watcher: AtomicU64::new(0),
            spawn,
            seeds,
        };
        Self {
            shared: Arc::new(shared),
            chroot: chroot.into(),
        }
    }

    /// The same session, working below `path` (of this client's paths). The znode need not
    /// exist.
    ///
    /// # Errors
    ///
    /// If `path` cannot be a path.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::CreateOptions;
    ///
    /// let app = client.chroot("/app")?;
    /// client.create("/app", b"", &CreateOptions::persistent()).await?;
    /// app.create("/x", b"", &CreateOptions::persistent()).await?;
    /// assert_eq!(app.exists("/x").await?, client.exists("/app/x").await?);
    /// # Ok(())
    /// # });
    /// ```
    pub fn chroot(&self, path: &str) -> Result<Self, Error> {
        let chroot = match self.server_path(path)? {
            root if root == "/" => String::new(),
            below => below,
        };
        Ok(Self {
            shared: self.shared.clone(),
            chroot: chroot.into(),
        })
    }

    /// What the session is doing.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::SessionState;
    ///
    /// assert_eq!(client.state(), SessionState::Connected);
    /// # Ok(())
    /// # });
    /// ```
    pub fn state(&self) -> SessionState {
        self.shared.status.borrow().state
    }

    /// Waits until the state is another than `state`; returns it. Between two calls the state may
    /// have changed and changed back, which [`Notice::Resumed`](crate::Notice::Resumed) tells of.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// # let other = client.clone();
    /// # tokio::spawn(async move { other.close().await });
    /// let mut state = client.state();
    /// while !state.is_over() {
    ///     state = client.state_other_than(state).await;
    ///     println!("now {state}");
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub async fn state_other_than(&self, state: SessionState) -> SessionState {
        let mut status = self.shared.status.clone();
        let changed = status.wait_for(|status| status.state != state).await;
        // The task ends only when the session is over.
        changed.map_or(SessionState::Closed, |status| status.state)
    }

    /// Waits until a server serves the session.
    ///
    /// # Errors
    ///
    /// If the session is over.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// client.connected().await?;
    /// assert!(client.state().is_connected());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn connected(&self) -> Result<(), Error> {
        let mut state = self.state();
        while !state.is_connected() {
            if state.is_over() {
                let operation = Operation::new(OpCode::CreateSession, "");
                return Err(Error::over(state, operation));
            }
            state = self.state_other_than(state).await;
        }
        Ok(())
    }

    /// The session's number; 0 before a server has opened it.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// println!("session {}", client.session_id());
    /// # assert_ne!(client.session_id(), grevy_client::SessionId::NONE);
    /// # Ok(())
    /// # });
    /// ```
    pub fn session_id(&self) -> SessionId {
        let status = self.shared.status.borrow();
        status
            .ticket
            .as_ref()
            .map_or(SessionId::NONE, |ticket| ticket.id)
    }

    /// What resumes the session, in this process or another; `None` before a server has opened
    /// it.
    ///
    /// ```
    /// # grevy_testing::run_at(async |address| {
    /// use grevy_client::{Client, Connector};
    ///
    /// let servers = "127.0.0.1:2181";
    /// # let servers = &address;
    /// let client = Client::connect(servers).await?;
    /// if let Some(ticket) = client.ticket() {
    ///     let resumed = Connector::new(servers)?.resume(ticket).connect().await?;
    ///     assert_eq!(resumed.session_id(), client.session_id());
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub fn ticket(&self) -> Option<Ticket> {
        self.shared.status.borrow().ticket.clone()
    }

    /// The negotiated session timeout; before that, the one that was asked for.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// println!("{:?} without a word end the session", client.session_timeout());
    /// # Ok(())
    /// # });
    /// ```
    pub fn session_timeout(&self) -> Duration {
        self.shared.status.borrow().timeout
    }

    /// Ends the session after the requests made before, and waits for that. Its ephemeral znodes
    /// go, unless no server can be reached: then the session is left to its timeout.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// client.close().await;
    /// assert!(client.state().is_over());
    /// # Ok(())
    /// # });
    /// ```
    pub async fn close(&self) {
        // Without a session's task the session is over.
        drop(self.shared.commands.send(Command::Close));
        let mut state = self.state();
        while !state.is_over() {
            state = self.state_other_than(state).await;
        }
    }

    /// Why no server serves the session.
    pub(crate) fn unreachable(&self) -> Error {
        let status = self.shared.status.borrow();
        let reason = status.unreachable.clone();
        Error::ConnectionLoss {
            operation: Operation::new(OpCode::CreateSession, ""),
            reason: reason.unwrap_or_else(|| Arc::from("no server answered in time")),
        }
    }

    /// Lets something go on though nobody waits for it, where the client's own tasks run. A
    /// clone of the client in it keeps the session open.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// let own = client.clone();
    /// # let (done, is_done) = tokio::sync::oneshot::channel();
    /// client.spawn(async move {
    ///     if own.connected().await.is_ok() {
    ///         println!("session {}", own.session_id());
    ///     }
    ///     # drop(done.send(()));
    /// });
    /// # is_done.await?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        (self.shared.spawn)(Box::pin(task));
    }

    /// Something to leave to chance.
    pub(crate) fn chance(&self) -> Chance {
        Chance::new(self.shared.seeds.next())
    }

    /// A path as the server knows it.
    pub(crate) fn server_path(&self, path: &str) -> Result<String, Error> {
        path::validate(path).map_err(|reason| Error::BadPath {
            path: path.to_owned(),
            reason,
        })?;
        Ok(match (&*self.chroot, path) {
            ("", _) => path.to_owned(),
            (chroot, "/") => chroot.to_owned(),
            (chroot, _) => format!("{chroot}{path}"),
        })
    }

    pub(crate) fn chroot_path(&self) -> Arc<str> {
        self.chroot.clone()
    }

    /// Queues a request without a watch.
    pub(crate) fn ask<T: 'static>(
        &self,
        operation: Operation,
        record: &dyn Encode,
        decode: impl FnOnce(&[u8]) -> Result<T, DecodeError> + Send + 'static,
    ) -> Answer<T> {
        let request = Request {
            op: operation.op,
            body: record.to_bytes(),
            effect: Effect::None,
        };
        let receiver = self.submit(request, None);
        Answer::new(receiver, finish(operation, decode))
    }

    /// Queues a request that leaves a watch, whose news go to the inbox.
    pub(crate) fn ask_and_watch(
        &self,
        operation: &Operation,
        body: Vec<u8>,
        kind: WatchKind,
        path: String,
    ) -> (oneshot::Receiver<Outcome>, Inbox) {
        let watcher = WatcherId(self.shared.next_watcher.fetch_add(1, Ordering::Relaxed));
        let (events, news) = unbounded_channel();
        let request = Request {
            op: operation.op,
            body,
            effect: Effect::Watch {
                kind,
                path,
                watcher,
            },
        };
        let inbox = Inbox {
            id: watcher,
            news,
            commands: self.shared.commands.downgrade(),
            chroot: self.chroot_path(),
            operation: operation.clone(),
            end: None,
        };
        (self.submit(request, Some((watcher, events))), inbox)
    }

    pub(crate) fn submit(
        &self,
        request: Request,
        events: Option<(WatcherId, UnboundedSender<News>)>,
    ) -> oneshot::Receiver<Outcome> {
        let (reply, receiver) = oneshot::channel();
        // If the session's task is gone, so is the other end of `reply`, which says the same.
        drop(self.shared.commands.send(Command::Request {
            request,
            events,
            reply,
        }));
        receiver
    }

    pub(crate) fn submit_auth(&self, scheme: &str, secret: &[u8]) -> oneshot::Receiver<Outcome> {
        let (reply, receiver) = oneshot::channel();
        drop(self.shared.commands.send(Command::Auth {
            scheme: scheme.to_owned(),
            secret: secret.to_vec(),
            reply,
        }));
        receiver
    }
}

/// The secrets behind it stay out of logs.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("session", &format_args!("{}", self.session_id()))
            .field("state", &self.state())
            .field("chroot", &self.chroot)
            .finish()
    }
}

/// Why [`Client::connect`] failed.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_client::{Client, ConnectError};
///
/// let bad = Client::connect("localhost:nowhere").await;
/// assert!(matches!(bad, Err(ConnectError::Address(_))));
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectError {
    /// The connection string is none.
    Address(AddressError),
    /// There is no session.
    Session(Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(error) => error.fmt(f),
            Self::Session(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ConnectError {}

/// Reads a record; what follows it is left alone, as newer servers may say more.
fn decode<T: for<'a> Decode<'a>>(record: &[u8]) -> Result<T, DecodeError> {
    T::decode(&mut Reader::new(record))
}
