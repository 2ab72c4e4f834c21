//! Which servers, who asks, and the session with them.

use crate::exit::{At, Exit, Failure};
use crate::output::Output;
use clap::Args;
use grevy_cli::client::{Client, ClientError, Config, ConnectString, WatchedEvent, path};
use std::time::Duration;

/// What heads the options that most verbs have.
pub const COMMON: &str = "Common options";

/// What says where the servers are.
const SERVER: &str = "--server or GREVY_SERVER";

/// Whom to ask, and how to answer.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// With whom.
    #[command(flatten)]
    pub session: Session,
    /// Let the server catch up with its leader before anything is read.
    #[arg(long, help_heading = COMMON,
        display_order = 803)]
    sync: bool,
    /// A server that is cut off from its ensemble will do, for reading.
    #[arg(long, help_heading = COMMON,
        display_order = 804)]
    read_only: bool,
    /// How results are written.
    #[command(flatten)]
    output: Output,
}

/// Which servers, and who asks.
#[derive(Debug, Clone, Args)]
pub struct Session {
    /// The servers, and the path that all others are below of.
    #[arg(
        long,
        short,
        env = "GREVY_SERVER",
        default_value = "localhost:2181",
        value_name = "HOST:PORT[,HOST:PORT…][/CHROOT]",
        help_heading = COMMON,
        display_order = 800
    )]
    pub server: String,
    /// An identity, such as digest:user:password; may be given again.
    #[arg(
        long,
        env = "GREVY_AUTH",
        hide_env_values = true,
        value_name = "SCHEME:ID",
        help_heading = COMMON,
        display_order = 801
    )]
    auth: Vec<String>,
    /// The session timeout to ask for, and how long to wait for a server.
    #[arg(
        long,
        default_value_t = 10_000,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(1..=i32::MAX as u64),
        help_heading = COMMON,
        display_order = 802
    )]
    timeout: u64,
}

impl Target {
    /// Opens a session.
    pub fn connect(&self) -> Result<Connection, Failure> {
        let session = &self.session;
        let connection = session.open(&session.server, SERVER, self.read_only, |_| {})?;
        if self.sync {
            connection.client.submit_sync("/").wait().at("")?;
        }
        Ok(connection)
    }

    /// Whether JSON is asked for.
    pub fn is_json(&self) -> bool {
        self.output.is_json()
    }
}

impl Session {
    /// How long to wait for a server.
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.timeout)
    }

    /// Opens a session. `on_event` must not make requests.
    pub fn connect(
        &self,
        on_event: impl Fn(&WatchedEvent) + Send + Sync + 'static,
    ) -> Result<Connection, Failure> {
        self.open(&self.server, SERVER, false, on_event)
    }

    /// Opens a session with other servers, which `option` names.
    pub fn connect_to(&self, server: &str, option: &str) -> Result<Connection, Failure> {
        self.open(server, option, false, |_| {})
    }

    fn open(
        &self,
        server: &str,
        option: &str,
        read_only: bool,
        on_event: impl Fn(&WatchedEvent) + Send + Sync + 'static,
    ) -> Result<Connection, Failure> {
        let connect = ConnectString::parse(server)
            .map_err(|why| Failure::usage(format!("{option}: {server}: {why}")))?;
        let identity = |auth: &String| {
            let (scheme, id) = auth.split_once(':').ok_or_else(|| {
                Failure::usage("--auth takes scheme:id, such as digest:user:password")
            })?;
            Ok((scheme.to_owned(), id.to_owned()))
        };
        let identities: Vec<(String, String)> = self
            .auth
            .iter()
            // A variable that is set to nothing is as good as not set.
            .filter(|auth| !auth.is_empty())
            .map(identity)
            .collect::<Result<_, Failure>>()?;
        let timeout = self.patience();
        let config = Config {
            connect,
            timeout,
            read_only,
        };
        let client = Client::start(config, on_event)
            .map_err(|error| Failure::usage(format!("cannot start a thread: {error}")))?;
        let connection = Connection { client };
        let client = &connection.client;
        for (scheme, id) in identities {
            client.add_auth(&scheme, Some(id.as_bytes()));
        }
        // Whoever refuses now will hardly answer in a moment; and if nobody answered, that was
        // the time that was given.
        client.wait_settled(timeout);
        match client.wait_connected(Duration::ZERO) {
            Ok(()) => Ok(connection),
            Err(ClientError::ConnectionLoss(why)) => Err(Failure::new(
                Exit::NoServer,
                format!("{why} ({option} says where)"),
            )),
            Err(error) => Err(Failure::request(&error, "")),
        }
    }
}

/// A session that ends with this.
pub struct Connection {
    /// What makes requests.
    pub client: Client,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.client.close();
    }
}

/// For arguments: a valid path.
pub fn znode_path(text: &str) -> Result<String, String> {
    path::check(text)?;
    Ok(text.to_owned())
}

/// The path of a child.
pub fn join(parent: &str, child: &str) -> String {
    match parent {
        "/" => format!("/{child}"),
        _ => format!("{parent}/{child}"),
    }
}
