//! `grevy cp`.

use super::connection::{Target, znode_path};
use super::store::{Existing, KEEP, Record, moved, store};
use super::walk::{Want, users_own, walk};
use super::write::create_parents;
use crate::exit::{ADD_PARENTS, Exit, Failure};
use crate::files::filter::is_at_or_below;
use crate::interrupt;
use crate::output;
use crate::progress::Progress;
use clap::Args;
use grevy_cli::client::Client;
use grevy_proto::SessionId;
use serde_json::json;
use std::io::Write;

/// What to copy, and where to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy cp /app/config /app/config.old
  grevy cp -r /app /backup/app --parents

Data and access control lists are copied. Ephemeral znodes are left out, since they belong to their
sessions. Containers and znodes with a time to live become ordinary ones: servers do not tell.")]
pub struct Arguments {
    /// What is copied.
    #[arg(value_parser = znode_path)]
    from: String,
    /// What it is called there.
    #[arg(value_parser = znode_path)]
    to: String,
    /// With all that is below it.
    #[arg(long, short)]
    recursive: bool,
    /// Create missing parents of TO.
    #[arg(long, short)]
    parents: bool,
    /// What becomes of znodes that exist already.
    #[arg(long, value_enum, default_value_t)]
    existing: Existing,
    #[command(flatten)]
    target: Target,
}

/// Copies.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let Arguments { from, to, .. } = arguments;
    if is_at_or_below(from, to) && arguments.recursive {
        return Err(Failure::usage(format!(
            "{to} is below {from}, and would be copied into itself"
        )));
    }
    let connection = arguments.target.connect()?;
    interrupt::listen_for(KEEP)?;
    let client = &connection.client;
    let records = read(client, from, to, arguments.recursive)?;
    if arguments.parents {
        create_parents(client, to)?;
    }
    let mut progress = Progress::new("copied", Some(records.len() as u64));
    let records = records.into_iter().map(Ok);
    let step = &mut || progress.step();
    let written = store(client, records, arguments.existing, ADD_PARENTS, step)?;
    drop(progress);
    if arguments.target.is_json() {
        output::line(out, &json!({"from": from, "to": to, "written": written}))?;
    }
    Ok(Exit::Done)
}

/// What is to be written below `to`. All of it is read first, so that nothing is half copied when
/// something cannot be read.
fn read(client: &Client, from: &str, to: &str, all: bool) -> Result<Vec<Record>, Failure> {
    let want = Want {
        depth: (!all).then_some(0),
        ..Want::ALL
    };
    let mut records = Vec::new();
    let mut progress = Progress::new("read", None);
    let walked = walk(client, from, want, &users_own, &mut |found| {
        if found.level == 0 || found.stat.ephemeral_owner == SessionId::NONE {
            let path = moved(&found.path, from, to)?;
            records.push(Record::at(path, found));
        }
        progress.step();
        Ok(())
    });
    walked.map_err(|failure| interrupt::with_count(failure, 0, "written", "nothing was copied"))?;
    Ok(records)
}
