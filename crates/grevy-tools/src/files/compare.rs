//! `grevy inspect compare`: where two snapshots differ. Source: `SnapshotComparer`.

use super::sizes::levels;
use super::snapshot::{client_path, each_item};
use crate::exit::{Exit, Failure};
use crate::output::{self, Output};
use clap::Args;
use grevy_proto::path;
use grevy_storage::snapshot::Item;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What to compare, and what to show.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy inspect compare snapshot.0 snapshot.1f
  grevy inspect compare a/snapshot.1f b/snapshot.1f --znodes
  grevy inspect compare monday.gz friday.gz --min-znodes 1000 --min-bytes 1000000

Subtrees are shown in which something was added, removed or changed, with how many znodes and bytes
of data the second snapshot has more or less there. Each znode's data and access control list count;
the order of things in the files does not. The exit code is 1 if anything is shown.")]
pub struct Arguments {
    /// The first snapshot.
    a: PathBuf,
    /// The second one.
    b: PathBuf,
    /// Show only subtrees whose number of znodes differs by at least N (and --min-bytes).
    #[arg(long, value_name = "N", default_value_t = 0)]
    min_znodes: u64,
    /// Show only subtrees whose bytes of data differ by at least N (and --min-znodes).
    #[arg(long, value_name = "N", default_value_t = 0)]
    min_bytes: u64,
    /// Show each znode that was added (+), removed (-) or changed (~) instead.
    #[arg(long, conflicts_with_all = ["min_znodes", "min_bytes", "depth"])]
    znodes: bool,
    /// How far below the root subtrees are told apart; all the way if not given.
    #[arg(long, value_name = "LEVELS")]
    depth: Option<usize>,
    #[command(flatten)]
    output: Output,
}

/// What is kept of each znode of the first snapshot.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Print {
    len: u64,
    /// Of the data, of the list and of the owner.
    sums: [u32; 2],
    owner: i64,
}

/// What became of a znode.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Removed,
    Changed,
}

/// What differs in a subtree: b less a.
#[derive(Debug, Clone, Copy, Default)]
struct Delta {
    znodes: i64,
    bytes: i64,
    /// How many znodes were added, removed or changed.
    differing: u64,
}

/// Compares, and shows.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut before: HashMap<Box<str>, Print> = HashMap::new();
    each_znode(&arguments.a, &mut |path, print| {
        before.insert(path.into(), print);
    })?;
    let mut changes: BTreeMap<Box<str>, (Change, i64)> = BTreeMap::new();
    each_znode(&arguments.b, &mut |path, print| {
        let len = print.len.cast_signed();
        match before.remove(path) {
            None => changes.insert(path.into(), (Change::Added, len)),
            Some(old) if old != print => {
                let grown = len - old.len.cast_signed();
                changes.insert(path.into(), (Change::Changed, grown))
            }
            Some(_) => None,
        };
    })?;
    for (path, print) in before {
        changes.insert(path, (Change::Removed, -print.len.cast_signed()));
    }
    let shown = match arguments.znodes {
        true => show_znodes(&changes, arguments.output.is_json(), out)?,
        false => show_subtrees(arguments, &changes, out)?,
    };
    Ok(match shown {
        true => Exit::Finding,
        false => Exit::Done,
    })
}

/// The sum of a znode's data and of its list; lists are told apart by what they say, since their
/// numbers differ between files.
fn each_znode(file: &Path, take: &mut dyn FnMut(&str, Print)) -> Result<(), Failure> {
    let mut lists = HashMap::new();
    each_item(file, &mut |item| {
        match item {
            Item::Session { .. } => {}
            Item::Acl { id, list } => {
                let sum = crc32fast::hash(output::acl_text(&list).as_bytes());
                lists.insert(id, sum);
            }
            Item::Node {
                path,
                data,
                acl,
                stat,
            } => {
                let data = data.unwrap_or_default();
                let print = Print {
                    len: data.len() as u64,
                    sums: [
                        crc32fast::hash(data),
                        lists.get(&acl).copied().unwrap_or_default(),
                    ],
                    owner: stat.ephemeral_owner,
                };
                take(client_path(&path), print);
            }
        }
        Ok(())
    })?;
    Ok(())
}

fn show_znodes(
    changes: &BTreeMap<Box<str>, (Change, i64)>,
    is_json: bool,
    out: &mut dyn Write,
) -> Result<bool, Failure> {
    for (path, (change, bytes)) in changes {
        let (sign, word) = match change {
            Change::Added => ('+', "added"),
            Change::Removed => ('-', "removed"),
            Change::Changed => ('~', "changed"),
        };
        match is_json {
            true => output::line(out, &json!({"path": path, "change": word, "bytes": bytes}))?,
            false => writeln!(out, "{sign} {path} {bytes:+} bytes")?,
        }
    }
    Ok(!changes.is_empty())
}

fn show_subtrees(
    arguments: &Arguments,
    changes: &BTreeMap<Box<str>, (Change, i64)>,
    out: &mut dyn Write,
) -> Result<bool, Failure> {
    let mut shown = false;
    for (path, delta) in deltas(changes, arguments.depth.unwrap_or(usize::MAX)) {
        if delta.znodes.unsigned_abs() < arguments.min_znodes
            || delta.bytes.unsigned_abs() < arguments.min_bytes
        {
            continue;
        }
        let Delta {
            znodes,
            bytes,
            differing,
        } = delta;
        if arguments.output.is_json() {
            let object = json!({
                "path": path, "znodes": znodes, "bytes": bytes, "differing": differing,
            });
            output::line(out, &object)?;
        } else {
            if !shown {
                writeln!(
                    out,
                    "{:>10} {:>12} {:>10}  PATH",
                    "ZNODES", "BYTES", "DIFFERING"
                )?;
            }
            writeln!(out, "{znodes:>+10} {bytes:>+12} {differing:>10}  {path}")?;
        }
        shown = true;
    }
    Ok(shown)
}

/// What differs in each subtree in which anything does.
fn deltas(changes: &BTreeMap<Box<str>, (Change, i64)>, depth: usize) -> BTreeMap<String, Delta> {
    let mut deltas: BTreeMap<String, Delta> = BTreeMap::new();
    for (path, (change, bytes)) in changes {
        let mut next = Some(&**path);
        while let Some(at) = next {
            next = path::split(at).map(|(parent, _)| parent);
            if levels(at) > depth {
                continue;
            }
            let delta = deltas.entry(at.to_owned()).or_default();
            delta.bytes += bytes;
            delta.differing += 1;
            delta.znodes += match change {
                Change::Added => 1,
                Change::Removed => -1,
                Change::Changed => 0,
            };
        }
    }
    deltas
}
