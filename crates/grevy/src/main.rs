//! The `grevy` command.

mod server;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A coordination service that is Apache ZooKeeper to its clients.
#[derive(Debug, Parser)]
#[command(name = "grevy", version, about)]
struct Command {
    #[command(subcommand)]
    command: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a server (the default).
    Server(server::Arguments),
}

fn main() -> ExitCode {
    match Command::parse().command {
        None => server::run(&server::Arguments::default()),
        Some(Verb::Server(arguments)) => server::run(&arguments),
    }
}
