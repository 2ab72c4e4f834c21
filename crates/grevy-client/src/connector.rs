//! How to connect.

use crate::address::{AddressError, ConnectString};
use crate::client::Client;
use crate::driver::Driver;
use crate::error::Error;
use crate::machine::{Options, Ticket};
use crate::security::Security;
use std::hash::{BuildHasher, RandomState};
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
#[derive(Debug, Clone)]
pub struct Connector {
    options: Options,
    chroot: String,
    identities: Vec<(String, Vec<u8>)>,
    connect_timeout: Option<Duration>,
    security: Security,
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

    /// Opens a session, on the present tokio runtime, and waits until a server serves it.
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
        let runtime = tokio::runtime::Handle::current();
        // Keyed at random, once a process and differently for each call.
        let seed = RandomState::new().hash_one(0);
        let (driver, status) = Driver::new(self.options, self.security, seed);
        let client = Client::new(runtime, driver, status, self.chroot);
        for (scheme, secret) in self.identities {
            // A refusal shows as the end of the session.
            drop(client.add_auth(&scheme, &secret));
        }
        client
    }
}
