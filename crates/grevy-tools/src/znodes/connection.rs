//! Which servers, who asks, and the session with them.

use crate::exit::{At, Exit, Failure};
use crate::output::Output;
use clap::Args;
use grevy_cli::client::{Client, ClientError, Config, ConnectString, WatchedEvent, path};
use std::time::Duration;

/// Whom to ask, and how to answer.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// The servers, and the path that all others are below of.
    #[arg(
        long,
        short,
        env = "GREVY_SERVER",
        default_value = "localhost:2181",
        value_name = "HOST:PORT[,HOST:PORT…][/CHROOT]",
        display_order = 800
    )]
    pub server: String,
    /// Who asks, and how.
    #[command(flatten)]
    pub common: Common,
}

/// What goes for every session.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// An identity, such as digest:user:password; may be given again.
    #[arg(
        long,
        env = "GREVY_AUTH",
        hide_env_values = true,
        value_name = "SCHEME:ID",
        display_order = 801
    )]
    pub auth: Vec<String>,
    /// The session timeout to ask for.
    #[arg(
        long,
        default_value_t = 10_000,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(1..=i32::MAX as u64),
        display_order = 802
    )]
    pub timeout: u64,
    /// Let the server catch up with its leader before anything is read.
    #[arg(long, display_order = 803)]
    pub sync: bool,
    /// A server that is cut off from its ensemble will do, for reading.
    #[arg(long, display_order = 804)]
    pub read_only: bool,
    /// How results are written.
    #[command(flatten)]
    pub output: Output,
}

impl Target {
    /// Opens a session.
    pub fn connect(&self) -> Result<Connection, Failure> {
        self.common.connect(&self.server, |_| {})
    }

    /// Whether JSON is asked for.
    pub fn is_json(&self) -> bool {
        self.common.output.is_json()
    }
}

impl Common {
    /// Opens a session with `server`. `on_event` must not make requests.
    pub fn connect(
        &self,
        server: &str,
        on_event: impl Fn(&WatchedEvent) + Send + Sync + 'static,
    ) -> Result<Connection, Failure> {
        let connect = ConnectString::parse(server)
            .map_err(|why| Failure::usage(format!("--server {server}: {why}")))?;
        let identities = self
            .auth
            .iter()
            .map(|auth| {
                auth.split_once(':').ok_or_else(|| {
                    Failure::usage("--auth takes scheme:id, such as digest:user:password")
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let timeout = Duration::from_millis(self.timeout);
        let config = Config {
            connect,
            timeout,
            read_only: self.read_only,
        };
        let client = Client::start(config, on_event)
            .map_err(|error| Failure::usage(format!("cannot start a thread: {error}")))?;
        for (scheme, id) in identities {
            client.add_auth(scheme, Some(id.as_bytes()));
        }
        client.wait_settled(timeout);
        // Whoever refuses now will hardly answer in a moment; and if nobody answered, that was
        // the time that was given.
        if !client.state().is_connected() {
            let error = client.wait_connected(Duration::ZERO);
            return Err(match error {
                Err(ClientError::ConnectionLoss(why)) => Failure::new(
                    Exit::NoServer,
                    format!("{why} (--server or GREVY_SERVER says where)"),
                ),
                Err(error) => Failure::request(&error, ""),
                Ok(()) => return Ok(Connection { client }),
            });
        }
        let connection = Connection { client };
        if self.sync {
            connection.client.submit_sync("/").wait().at("")?;
        }
        Ok(connection)
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
