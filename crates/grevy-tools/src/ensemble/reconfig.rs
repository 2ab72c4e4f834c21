//! `grevy reconfig`: changes who is in an ensemble.

use super::configuration::show;
use crate::exit::{Exit, Failure};
use crate::files::filter::zxid;
use crate::znodes::connection::Target;
use clap::Args;
use grevy_cli::client::ClientError;
use grevy_cli::membership;
use grevy_proto::{ErrorCode, Zxid};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The znode that has the configuration.
const CONFIG: &str = "/zookeeper/config";

/// What to change.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy reconfig --add 'server.4=zk4:2888:3888:observer;2181'
  grevy reconfig --remove 2,3
  grevy reconfig --file members.cfg --if-version 0x100000000

The servers need reconfigEnabled=true, and whoever asks the permission to write /zookeeper/config, which by
default only the super user has (DigestAuthenticationProvider.superDigest). A server that is added runs already.
The new configuration is printed, as by `grevy members`.")]
#[group(id = "change", required = true, multiple = true, args = ["add", "remove", "members", "file"])]
pub struct Arguments {
    /// Servers to add or change: server.N=host:port:port[:role][;[host:]port],…
    #[arg(long, value_name = "SERVER,…", conflicts_with_all = ["members", "file"])]
    add: Option<String>,
    /// Numbers of servers to take out.
    #[arg(long, value_name = "N,…", conflicts_with_all = ["members", "file"])]
    remove: Option<String>,
    /// All servers, in place of those that are there.
    #[arg(long, value_name = "SERVER,…", conflicts_with = "file")]
    members: Option<String>,
    /// A file with all servers, one a line.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only if the configuration has this version.
    #[arg(long, value_name = "ZXID", value_parser = zxid)]
    if_version: Option<Zxid>,
    #[command(flatten)]
    target: Target,
}

/// Changes it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let members = match &arguments.file {
        Some(file) => Some(read(file)?),
        None => arguments.members.clone(),
    };
    let (add, remove) = (arguments.add.as_deref(), arguments.remove.as_deref());
    let version = arguments.if_version.map_or(-1, |version| version.0);
    let connection = arguments.target.connect()?;
    let client = &connection.client;
    let (data, _) = client
        .reconfig(add, remove, members.as_deref(), version)
        .map_err(|error| failure(&error))?;
    show(&data.unwrap_or_default(), arguments.target.is_json(), out)
}

/// What would allow a change that was refused.
fn failure(error: &ClientError) -> Failure {
    let (exit, text) = match ErrorCode::from_wire(error.code()) {
        Some(ErrorCode::ReconfigDisabled) => (
            Exit::Refused,
            "the ensemble cannot be changed while it runs; set reconfigEnabled=true in the zoo.cfg \
             of all servers, and restart them one after the other",
        ),
        Some(ErrorCode::NoAuth) => (
            Exit::Denied,
            "not permitted; by default only the super user may, whom \
             DigestAuthenticationProvider.superDigest names in the zoo.cfg of all servers: \
             --auth digest:super:password",
        ),
        Some(ErrorCode::BadArguments) => (
            Exit::Refused,
            "not a configuration that this ensemble can have; servers are named as \
             server.N=host:port:port[:role];[host:]port, each with addresses of its own, and two \
             voters must be left (standaloneEnabled=false: one)",
        ),
        Some(ErrorCode::NewConfigNoQuorum) => (
            Exit::Refused,
            "too few of the new voters are up to date for a quorum; start those that are added \
             first; one that observes, or was removed, must be removed and begin anew, with an empty \
             data directory but for myid, and a file of servers without version=",
        ),
        Some(ErrorCode::ReconfigInProgress) => {
            (Exit::Conflict, "another change is under way; try again")
        }
        _ => return Failure::request(error, CONFIG),
    };
    Failure::new(exit, format!("{CONFIG}: {text}"))
}

fn read(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file).map_err(|error| Failure::file(file, "read", &error))?;
    membership::normalize(&text).map_err(|why| Failure::usage(format!("{}: {why}", file.display())))
}
