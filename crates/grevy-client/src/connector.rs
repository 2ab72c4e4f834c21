//! How to connect.

use crate::address::{AddressError, ConnectString};
use crate::client::{Client, Spawn, Task};
use crate::driver::Driver;
use crate::error::Error;
use crate::machine::{Options, Ticket};
use crate::security::Security;
use crate::seeds::Seeds;
use crate::transport::Transport;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Settings of a client, before it connects.
///
/// ```
/// # grevy_testing::run_at(async |address| {
/// use grevy_client::Connector;
/// use std::time::Duration;
///
/// let servers = "a:2181,b:2181,c:2181/app";
/// # let servers = &format!("{address},{address},{address}/app");
/// let client = Connector::new(servers)?
///     .session_timeout(Duration::from_secs(10))
///     .can_be_read_only(true)
///     .connect()
///     .await?;
/// assert_eq!(client.session_timeout(), Duration::from_secs(10));
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct Connector {
    options: Options,
    chroot: String,
    identities: Vec<(String, Vec<u8>)>,
    connect_timeout: Option<Duration>,
    security: Security,
    seed: Option<u64>,
    spawn: Option<Spawn>,
}

impl Connector {
    /// For the servers of a connection string, `host:port[,host:port…][/chroot]`.
    ///
    /// # Errors
    ///
    /// If it is not a connection string.
    pub fn new(connect: &str) -> Result<Self, AddressError> {
        let ConnectString { servers, chroot } = connect.parse()?;
        Ok(Self {
            options: Options::new(servers),
            chroot,
            identities: Vec::new(),
            connect_timeout: None,
            security: Security::default(),
            seed: None,
            spawn: None,
        })
    }

    /// The session timeout to ask for, 30 s if not set: how long the session survives without a
    /// server hearing from it. The server grants what its limits allow.
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.options.session_timeout = timeout;
        self
    }

    /// How long to try to open a session before connecting fails; the session timeout if not
    /// set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// Whether a server that is cut off from its ensemble will do while no other can be reached.
    /// It serves reads only, which may be stale; the client goes on looking for a better one.
    pub fn can_be_read_only(mut self, yes: bool) -> Self {
        self.options.can_be_read_only = yes;
        self
    }

    /// An identity, told to every server before any request: for the scheme `digest`, the secret
    /// is `user:password`.
    ///
    /// ```
    /// # grevy_testing::run_at(async |address| {
    /// use grevy_client::Connector;
    ///
    /// let servers = "127.0.0.1:2181";
    /// # let servers = &address;
    /// let client = Connector::new(servers)?
    ///     .auth("digest", b"alice:secret")
    ///     .connect()
    ///     .await?;
    /// assert!(client.who_am_i().await?.iter().any(|identity| identity.user == "alice"));
    /// # Ok(())
    /// # });
    /// ```
    pub fn auth(mut self, scheme: &str, secret: &[u8]) -> Self {
        self.identities.push((scheme.to_owned(), secret.to_vec()));
        self
    }

    /// Speaks TLS with the servers, whose ports must be such as expect it (`secureClientPort`).
    ///
    /// ```no_run
    /// # fn example(roots: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    /// use grevy_client::{Connector, Tls};
    ///
    /// // Needs a server with a `secureClientPort`, and who has signed its certificate.
    /// let connector = Connector::new("zk.example:2281")?.tls(Tls::new(roots)?);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::tls::Tls) -> Self {
        self.security.tls = Some(tls);
        self
    }

    /// Reaches servers another way than by TCP.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.security.transport = Arc::new(transport);
        self
    }

    /// Decides all that the client leaves to chance: the order of servers, pauses, the names of
    /// protected znodes. For tests and simulations only: of two clients with the same seed, one
    /// may take the other's znodes for its own.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Has the client's tasks run by `spawn`, instead of the present tokio runtime: that of its
    /// session, and what goes on after a future or a hold was dropped. They need tokio's timers.
    ///
    /// ```
    /// # grevy_testing::run_at(async |address| {
    /// use grevy_client::Connector;
    ///
    /// let servers = "127.0.0.1:2181";
    /// # let servers = &address;
    /// // Apart from the tasks that may keep this runtime busy.
    /// let apart = tokio::runtime::Handle::current();
    /// let client = Connector::new(servers)?
    ///     .spawner(move |task| drop(apart.spawn(task)))
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn spawner(mut self, spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        self.spawn = Some(Arc::new(spawn));
        self
    }

    /// Resumes a session instead of opening a new one, see [`Client::ticket`].
    ///
    /// ```
    /// # grevy_testing::run_at(async |address| {
    /// use grevy_client::{Connector, Error, SessionId, Ticket};
    ///
    /// let servers = "127.0.0.1:2181";
    /// # let servers = &address;
    /// // Such as another process wrote down.
    /// let ticket = Ticket { id: SessionId(7), password: vec![0; 16] };
    /// let gone = Connector::new(servers)?.resume(ticket).connect().await;
    /// assert!(matches!(gone, Err(Error::SessionExpired { .. })));
    /// # Ok(())
    /// # });
    /// ```
    pub fn resume(mut self, ticket: Ticket) -> Self {
        self.options.resume = Some(ticket);
        self
    }

    /// The first and the longest pause between rounds of attempts, while no server can be
    /// reached; 100 ms and 10 s if not set. Pauses double and have jitter.
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.options.first_pause = first;
        self.options.longest_pause = longest;
        self
    }

    /// Opens a session, on the present tokio runtime unless it was given a
    /// [`spawner`](Self::spawner), and waits until a server serves it.
    ///
    /// # Errors
    ///
    /// [`ConnectionLoss`](Error::ConnectionLoss), saying what happened at each server, if none
    /// takes the session in time; [`SessionExpired`](Error::SessionExpired) if the session to
    /// resume is gone; [`AuthFailed`](Error::AuthFailed).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// # grevy_testing::run_at(async |address| {
    /// use grevy_client::{Connector, Error};
    /// use std::time::Duration;
    ///
    /// let servers = "127.0.0.1:2181";
    /// # let servers = &address;
    /// let connector = Connector::new(servers)?.connect_timeout(Duration::from_secs(20));
    /// match connector.connect().await {
    ///     Ok(client) => println!("session {}", client.session_id()),
    ///     Err(Error::ConnectionLoss { reason, .. }) => println!("no server is there: {reason}"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub async fn connect(self) -> Result<Client, Error> {
        let patience = self.connect_timeout.unwrap_or(self.options.session_timeout);
        let client = self.start();
        match tokio::time::timeout(patience, client.connected()).await {
            Ok(result) => result.map(|()| client),
            Err(_) => Err(client.unreachable()),
        }
    }

    /// As [`connect`](Self::connect), without waiting for a server: requests wait for the first
    /// round of attempts.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// # grevy_testing::run_at(async |address| {
    /// use grevy_client::Connector;
    ///
    /// let servers = "127.0.0.1:2181";
    /// # let servers = &address;
    /// let client = Connector::new(servers)?.start();
    /// println!("{}", client.state());
    /// // Waits for a server.
    /// assert!(client.exists("/").await?.is_some());
    /// # Ok(())
    /// # });
    /// ```
    pub fn start(self) -> Client {
        let spawn = self.spawn.unwrap_or_else(|| {
            let runtime = tokio::runtime::Handle::current();
            Arc::new(move |task| drop(runtime.spawn(task)))
        });
        let seeds = Seeds::new(self.seed);
        let (driver, status) = Driver::new(self.options, self.security, seeds.next());
        let client = Client::new(spawn, seeds, driver, status, self.chroot);
        for (scheme, secret) in self.identities {
            // A refusal shows as the end of the session.
            drop(client.add_auth(&scheme, &secret));
        }
        client
    }
}

/// Secrets stay out of logs.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("options", &self.options)
            .field("chroot", &self.chroot)
            .field("transport", &self.security.transport)
            .finish_non_exhaustive()
    }
}
