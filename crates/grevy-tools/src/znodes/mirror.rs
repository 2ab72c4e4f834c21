//! `grevy mirror`: makes a subtree of another cluster like one of this.

use super::connection::{Target, znode_path};
use super::remove::{AGAIN, delete_each};
use super::store::{Record, create, moved, set};
use super::walk::{Want, users_own, walk};
use super::window::{WINDOW, Window};
use super::write::create_parents;
use crate::exit::{At, Exit, Failure};
use crate::interrupt;
use crate::output;
use crate::progress::Progress;
use clap::Args;
use grevy_cli::client::{Client, ClientError, Pending};
use grevy_proto::{Acl, ErrorCode, SessionId, Stat};
use serde_json::json;
use std::collections::{BTreeSet, VecDeque};
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
        .session
        .connect_to(&arguments.to_server, "--to-server")?;
    interrupt::listen_for(AGAIN)?;
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
    let mut there = names_there(destination, to)?;
    if !arguments.dry_run {
        create_parents(destination, to)?;
    }
    let mut progress = Progress::new("mirrored", None);
    let exists = |error: &ClientError| error.is(ErrorCode::NodeExists);
    let mut nothing = || {};
    let mut writer = Writer {
        client: destination,
        dry_run: arguments.dry_run,
        asked: VecDeque::new(),
        window: Window::new(&exists, &mut nothing),
        counts: Counts::default(),
    };
    let walked = walk(source, from, Want::ALL, &users_own, &mut |found| {
        progress.step();
        if found.stat.ephemeral_owner != SessionId::NONE {
            return Ok(());
        }
        let record = Record::at(moved(&found.path, from, to)?, found);
        match there.remove(&record.path) {
            true => writer.compare(record),
            false => writer.create(record),
        }
    });
    walked.map_err(|failure| interrupt::with_count(failure, progress.done(), "mirrored", AGAIN))?;
    let mut counts = writer.finish()?;
    drop(progress);
    if arguments.delete {
        counts.deleted = there.len() as u64;
        if !arguments.dry_run {
            // Children before their parents.
            let paths = there.into_iter().rev().collect();
            counts.deleted = delete_each(destination, paths)?;
        }
    }
    Ok(counts)
}

/// The paths of all that is persistent there now; none, if even its top is not there.
fn names_there(client: &Client, to: &str) -> Result<BTreeSet<String>, Failure> {
    let mut there = BTreeSet::new();
    let mut progress = Progress::new("found at the destination", None);
    let read = walk(client, to, Want::default(), &users_own, &mut |found| {
        progress.step();
        if found.stat.ephemeral_owner == SessionId::NONE {
            there.insert(found.path);
        }
        Ok(())
    });
    match read {
        Err(failure) if failure.exit == Exit::NoNode && there.is_empty() => {}
        read => read?,
    }
    Ok(there)
}

/// Makes znodes at the destination what they should be.
struct Writer<'a> {
    client: &'a Client,
    dry_run: bool,
    /// Znodes that are there, and the questions what they are like.
    asked: VecDeque<Asked>,
    window: Window<'a>,
    counts: Counts,
}

struct Asked {
    record: Record,
    data: Pending<(Option<Vec<u8>>, Stat)>,
    acl: Pending<Vec<Acl>>,
}

impl Writer<'_> {
    fn create(&mut self, record: Record) -> Result<(), Failure> {
        self.counts.created += 1;
        if self.dry_run {
            return Ok(());
        }
        let pending = create(self.client, &record);
        self.window.push(record.path, pending)
    }

    /// Asks what it is like there; the answer is looked at while others are asked for.
    fn compare(&mut self, record: Record) -> Result<(), Failure> {
        self.asked.push_back(Asked {
            data: self.client.submit_get_data(&record.path),
            acl: self.client.submit_get_acl(&record.path),
            record,
        });
        match self.asked.len() > WINDOW {
            true => self.settle_one(),
            false => Ok(()),
        }
    }

    fn settle_one(&mut self) -> Result<(), Failure> {
        let Some(Asked { record, data, acl }) = self.asked.pop_front() else {
            return Ok(());
        };
        match (data.wait(), acl.wait()) {
            // It went meanwhile.
            (Err(error), _) | (_, Err(error)) if error.is(ErrorCode::NoNode) => self.create(record),
            (data, acl) => {
                let same =
                    data.at(&record.path)?.0 == record.data && acl.at(&record.path)? == record.acl;
                if same {
                    self.counts.same += 1;
                    return Ok(());
                }
                self.counts.changed += 1;
                match self.dry_run {
                    true => Ok(()),
                    false => set(self.client, &record, &mut self.window),
                }
            }
        }
    }

    fn finish(mut self) -> Result<Counts, Failure> {
        while !self.asked.is_empty() {
            self.settle_one()?;
        }
        self.window.finish()?;
        Ok(self.counts)
    }
}
