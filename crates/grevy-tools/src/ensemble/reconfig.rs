//! `grevy reconfig`: changes who is in an ensemble.

use super::configuration::show;
use crate::exit::{At, Exit, Failure};
use crate::files::filter::zxid;
use crate::znodes::connection::Target;
use clap::Args;
use grevy_cli::membership;
use grevy_proto::Zxid;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What to change.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy reconfig --add 'server.4=zk4:2888:3888:observer;2181'
  grevy reconfig --remove 2,3
  grevy reconfig --file members.cfg --if-version 0x100000000

The servers need reconfigEnabled=true, and whoever asks the permission to write /zookeeper/config. A server that
is added runs already. The new configuration is printed, as by `grevy members`.")]
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
        .at("/zookeeper/config")?;
    show(&data.unwrap_or_default(), arguments.target.is_json(), out)
}

fn read(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file).map_err(|error| Failure::file(file, "read", &error))?;
    membership::normalize(&text).map_err(|why| Failure::usage(format!("{}: {why}", file.display())))
}
