//! `grevy mirror`: makes a subtree of another cluster like one of this.

use super::connection::{Target, znode_path};
use super::remove::delete_each;
use super::store::{Record, create, moved, set};
use super::walk::{Found, Want, users_own, walk};
use super::window::Window;
use super::write::create_parents;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::progress::Progress;
use clap::Args;
use grevy_cli::client::{Client, ClientError};
use grevy_proto::{ErrorCode, SessionId};
use serde_json::json;
use std::collections::HashMap;
use std::io::Write;

/// What to mirror, and where to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy mirror / --server old:2181 --to-server new:2181
  grevy mirror /app /backup/app --to-server backup:2181 --delete

Data and access control lists are made the same; what is the same already is not written. So a run
that was interrupted is resumed by running it again. Ephemeral znodes are left out on both sides, and
so is /zookeeper. Identities given with --auth are used on both sides.")]
pub struct Arguments {
    /// The subtree to copy, on the servers that --server names.
    #[arg(value_name = "PATH", value_parser = znode_path)]
    from: String,
    /// Where it goes on the other servers; the same path if not given.
    #[arg(value_name = "TO", value_parser = znode_path)]
    to: Option<String>,
    /// The servers to copy to.
    #[arg(long, value_name = "HOST:PORT[,HOST:PORT…][/CHROOT]")]
    to_server: String,
    /// Delete what is there and not here.
    #[arg(long)]
    delete: bool,
    /// Count what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    target: Target,
}

/// What was written.
#[derive(Debug, Default)]
struct Counts {
    same: u64,
    created: u64,
    changed: u64,
    deleted: u64,
}

/// Mirrors.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let to = arguments.to.as_ref().unwrap_or(&arguments.from);
    let source = arguments.target.connect()?;
    let destination = arguments
        .target
        .common
        .connect(&arguments.to_server, |_| {})?;
    let counts = mirror(arguments, &source.client, &destination.client, to)?;
    let Counts {
        same,
        created,
        changed,
        deleted,
    } = counts;
    if arguments.target.is_json() {
        let object = json!({
            "same": same, "created": created, "changed": changed, "deleted": deleted,
            "dryRun": arguments.dry_run,
        });
        output::line(out, &object)?;
    } else {
        let would = if arguments.dry_run { "would be " } else { "" };
        writeln!(
            out,
            "{same} the same, {would}created {created}, {would}changed {changed}, \
             {would}deleted {deleted}"
        )?;
    }
    Ok(Exit::Done)
}

fn mirror(
    arguments: &Arguments,
    source: &Client,
    destination: &Client,
    to: &str,
) -> Result<Counts, Failure> {
    let from = &arguments.from;
    let mut there = read_there(destination, to)?;
    if !arguments.dry_run {
        create_parents(destination, to)?;
    }
    let mut counts = Counts::default();
    let mut progress = Progress::new("mirrored", None);
    let exists = |error: &ClientError| error.is(ErrorCode::NodeExists);
    let mut nothing = || {};
    let mut window = Window::new(&exists, &mut nothing);
    walk(source, from, Want::ALL, &users_own, &mut |found| {
        if found.stat.ephemeral_owner != SessionId::NONE {
            return Ok(());
        }
        progress.step();
        let record = Record::at(moved(&found.path, from, to)?, found);
        match there.remove(&record.path) {
            Some(old) if same(&old, &record) => counts.same += 1,
            Some(_) => {
                counts.changed += 1;
                if !arguments.dry_run {
                    set(destination, &record, &mut window)?;
                }
            }
            None => {
                counts.created += 1;
                if !arguments.dry_run {
                    let pending = create(destination, &record);
                    window.push(record.path, pending)?;
                }
            }
        }
        Ok(())
    })?;
    window.finish()?;
    drop(progress);
    if arguments.delete {
        let mut paths: Vec<String> = there
            .into_iter()
            .filter(|(_, old)| old.stat.ephemeral_owner == SessionId::NONE)
            .map(|(path, _)| path)
            .collect();
        counts.deleted = paths.len() as u64;
        if !arguments.dry_run {
            // Longer paths first: children before their parents.
            paths.sort_unstable_by(|a, b| b.cmp(a));
            counts.deleted = delete_each(destination, paths)?;
        }
    }
    Ok(counts)
}

/// What is there now; nothing, if even its top is not.
fn read_there(client: &Client, to: &str) -> Result<HashMap<String, Found>, Failure> {
    let mut there = HashMap::new();
    let mut progress = Progress::new("read at the destination", None);
    let read = walk(client, to, Want::ALL, &users_own, &mut |found| {
        there.insert(found.path.clone(), found);
        progress.step();
        Ok(())
    });
    match read {
        Err(failure) if failure.exit == Exit::NoNode && there.is_empty() => {}
        read => read?,
    }
    Ok(there)
}

fn same(old: &Found, new: &Record) -> bool {
    old.data == new.data && old.acl == new.acl
}
