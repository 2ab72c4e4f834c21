//! A print shop: a worked example of a highly available service. See the README beside it.

mod printer;
mod shop;
mod worker;

use grevy_client::{Client, Connector};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Everything that can go wrong, as far as the shop cares.
pub type AnyError = Box<dyn std::error::Error>;

/// Where the servers of the example listen for clients.
pub const SERVERS: &str = "127.0.0.1:21810,127.0.0.1:21811,127.0.0.1:21812";
/// The first server's port.
pub const PORT: &str = "21810";
/// Where everything is.
pub const FOLDER: &str = "./print-shop-data";
/// How long the others wait for a part that is silent, before they take over what it held.
const SESSION_TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        [] => shop::run().await,
        ["worker", name] => worker::run(name).await,
        _ => Err("usage: print-shop, or print-shop worker NAME".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("print-shop: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A session of its own for a part of the shop. Servers that are about to start are waited for.
pub async fn connect() -> Result<Client, AnyError> {
    let connector = Connector::new(SERVERS)?
        .session_timeout(SESSION_TIMEOUT)
        .connect_timeout(Duration::from_secs(60));
    Ok(connector.connect().await?)
}

/// Waits until this process is asked to end.
pub async fn asked_to_end() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
