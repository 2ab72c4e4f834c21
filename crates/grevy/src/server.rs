//! `grevy server`: from arguments to a server that runs until it is told to stop.

use clap::Args;
use grevy_server::config::{self, Loaded, OnDisk};
use grevy_server::recovery::RecoverError;
use grevy_server::server::{Server, StartError};
use grevy_storage::RecoveryError;
use std::fmt::Display;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;
use tracing_subscriber::EnvFilter;

/// What a server without a configuration uses.
const DEFAULT_PORT: &str = "2181";
const DEFAULT_DATA_DIR: &str = "./grevy-data";

#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  grevy server                          on 127.0.0.1:2181, data in ./grevy-data
  grevy server zoo.cfg                  as zoo.cfg says
  grevy server zoo.cfg -DsnapCount=5000 with one of its keys, or a zookeeper.* property, set
  grevy server 2181 /var/lib/zookeeper  port, data directory, [tickTime, [maxClientCnxns]]

Logs go to standard error. GREVY_LOG sets what is logged (error, warn, info, debug, trace), and
GREVY_LOG_FORMAT=json makes each line a JSON object.")]
pub struct Arguments {
    /// A zoo.cfg, or a port and a data directory; -Dname=value sets a key of zoo.cfg or a
    /// zookeeper.* property. Arguments meant for a JVM are ignored with a warning.
    #[arg(
        value_name = "ZOO.CFG | PORT DATADIR | -Dname=value",
        trailing_var_arg = true
    )]
    #[arg(allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Exit codes, as the Java server uses them (`ExitCode`).
const UNEXPECTED: u8 = 1;
const INVALID_INVOCATION: u8 = 2;
const NO_ACCESS_TO_DATA_DIR: u8 = 3;
const NO_QUORUM_PORT: u8 = 14;

/// Runs a server until SIGTERM or Ctrl-C.
pub fn run(arguments: &Arguments) -> ExitCode {
    let start = Instant::now();
    start_logging();
    let loaded = match load(arguments) {
        Ok(loaded) => loaded,
        Err(error) => {
            // What is unknown may be what is missing, misspelt.
            for warning in &error.warnings {
                warn!("{warning}");
            }
            for error in &error.errors {
                eprintln!("grevy: {error}");
            }
            return ExitCode::from(INVALID_INVOCATION);
        }
    };
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    let data_dir = loaded.config.storage.data_dir.clone();
    let server = match Server::start(loaded) {
        Ok(server) => server,
        Err(error) => return fail(code_of(&error), &error),
    };
    let runtime = match grevy_server::runtime::with_helpers() {
        Ok(runtime) => runtime,
        Err(error) => return fail(UNEXPECTED, &error),
    };
    let durable = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        greet(&server, &data_dir, start);
        server
            .run(async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            })
            .await
    });
    // Nobody waits for a disk that does not answer.
    runtime.shutdown_background();
    match durable {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(UNEXPECTED),
        Err(error) => fail(UNEXPECTED, &error),
    }
}

fn load(arguments: &Arguments) -> Result<Loaded, config::ConfigError> {
    let mut arguments = config::Arguments::parse(arguments.arguments.iter().cloned());
    if arguments.rest.is_empty() {
        arguments.rest = vec![DEFAULT_PORT.to_owned(), DEFAULT_DATA_DIR.to_owned()];
        let address = ("clientPortAddress".to_owned(), "127.0.0.1".to_owned());
        let admin = ("admin.serverAddress".to_owned(), "127.0.0.1".to_owned());
        let tick = ("tickTime".to_owned(), "2000".to_owned());
        arguments.properties.splice(0..0, [address, admin, tick]);
    }
    config::load(&arguments, &OnDisk)
}

/// Says what is served, where the data lies and how to connect.
fn greet(server: &Server, data_dir: &Path, start: Instant) {
    let data_dir = data_dir.canonicalize().unwrap_or(data_dir.to_owned());
    let millis = start.elapsed().as_millis();
    let state = match server.shared().config.membership {
        None => format!("ready in {millis} ms"),
        // The log tells when it serves.
        Some(_) => format!("started in {millis} ms, looking for a leader"),
    };
    println!("Grevy {} {state}", env!("CARGO_PKG_VERSION"));
    if let Some(address) = server.address() {
        let host = match address.ip().is_unspecified() {
            true => "127.0.0.1".to_owned(),
            false => address.ip().to_string(),
        };
        let place = match server.shared().config.membership.as_ref() {
            None => "standalone".to_owned(),
            Some(membership) => format!("server {} of an ensemble", membership.my_id),
        };
        println!("  clients  {address} ({place})");
        println!("  connect  grevy zkcli -server {host}:{}", address.port());
        println!("           or any ZooKeeper client");
    }
    println!("  data     {}", data_dir.display());
    println!("  stop     Ctrl-C");
}

fn start_logging() {
    let filter = EnvFilter::try_from_env("GREVY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match std::env::var("GREVY_LOG_FORMAT").as_deref() {
        Ok("json") => builder.json().init(),
        _ => builder.init(),
    }
}

fn code_of(error: &StartError) -> u8 {
    match error {
        StartError::Data(RecoverError::Storage(RecoveryError::Disk(_))) => NO_ACCESS_TO_DATA_DIR,
        StartError::PeerPort { .. } => NO_QUORUM_PORT,
        _ => UNEXPECTED,
    }
}

fn fail(code: u8, error: &dyn Display) -> ExitCode {
    eprintln!("grevy: {error}");
    ExitCode::from(code)
}
