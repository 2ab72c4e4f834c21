//! The `grevy` command.

mod ensemble;
mod pages;
mod purge;
mod server;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// A coordination service that is Apache ZooKeeper to its clients.
#[derive(Debug, Parser)]
#[command(name = "grevy", version, about, after_help = grevy_tools::exit::TABLE)]
struct Command {
    #[command(subcommand)]
    command: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a server (the default).
    Server(server::Arguments),
    /// Run a local ensemble of several servers, to try things with.
    Ensemble(ensemble::Arguments),
    /// Delete old snapshots and logs, as ZooKeeper's PurgeTxnLog does.
    Purge(purge::Arguments),
    /// A client with the commands of ZooKeeper's zkCli.sh.
    #[command(disable_help_flag = true)]
    Zkcli {
        /// -server host:port, -timeout ms, -r, and a command to run once.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    #[command(flatten)]
    Tool(grevy_tools::Tool),
    /// Write what makes a shell complete this command.
    Completions(pages::Completions),
    /// Write the manual page, or all of them to a directory.
    Man(pages::Man),
}

fn main() -> ExitCode {
    match Command::parse().command {
        None => server::run(&server::Arguments::default()),
        Some(Verb::Server(arguments)) => server::run(&arguments),
        Some(Verb::Ensemble(arguments)) => ensemble::run(&arguments),
        Some(Verb::Purge(arguments)) => purge::run(&arguments),
        Some(Verb::Zkcli { arguments }) => grevy_cli::run(arguments.into_iter()),
        Some(Verb::Tool(tool)) => grevy_tools::run(&tool),
        Some(Verb::Completions(arguments)) => pages::completions(&arguments, Command::command()),
        Some(Verb::Man(arguments)) => pages::man(&arguments, Command::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Command::command().debug_assert();
    }
}
