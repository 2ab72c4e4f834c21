//! `grevy status`.

use super::members;
use super::server::{Server, lag};
use super::table;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::znodes::connection::Target;
use clap::Args;
use std::io::Write;

/// Whom to ask.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy status --server zk1:2181
  grevy status --server zk1:2181,zk2:2181 --listed --output json

The servers are those that /zookeeper/config names, or if that cannot be read or is empty, those of
--server. They are asked with the four-letter words srvr and mntr; sessions and watches are known
only of servers that allow mntr (4lw.commands.whitelist). LAG is how many transactions a server is
behind the one that is furthest. A server that runs but does not serve, since it has no leader, says why.

The exit code is 1 if a server does not serve, and 6 if none does.")]
pub struct Arguments {
    /// Ask the servers of --server only.
    #[arg(long)]
    listed: bool,
    #[command(flatten)]
    target: Target,
}

/// Asks all, and prints a table.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let members = members::find(&arguments.target, arguments.listed)?;
    let timeout = arguments.target.session.patience();
    let servers = Server::ask_all(&members, timeout);
    if arguments.target.is_json() {
        for server in &servers {
            output::line(out, &server.json(lag(server, &servers)))?;
        }
    } else {
        for line in table::lines(&servers, None) {
            writeln!(out, "{line}")?;
        }
    }
    let serving = servers
        .iter()
        .filter(|server| server.report.is_ok())
        .count();
    match serving {
        0 => Err(Failure::new(
            Exit::NoServer,
            "no server serves; check --server, and whether they run and have a quorum",
        )),
        _ if serving < servers.len() => Ok(Exit::Finding),
        _ => Ok(Exit::Done),
    }
}
