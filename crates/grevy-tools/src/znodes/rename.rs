//! `grevy mv`: as one transaction.

use super::connection::{Target, znode_path};
use super::store::moved;
use super::walk::{Found, Want, everything, walk};
use super::write::create_parents;
use crate::exit::{ADD_PARENTS, Exit, Failure};
use crate::files::filter::is_at_or_below;
use crate::output;
use clap::Args;
use grevy_cli::client::{Node, Write as Operation};
use grevy_proto::request::CreateMode;
use grevy_proto::{ErrorCode, SessionId};
use serde_json::json;
use std::io::Write;

/// A request with more than this does not pass a default server's limit of 1 MiB.
pub const MAX_BYTES: usize = 900 << 10;

/// What to move, and where to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy mv /app/confg /app/config

The znode and all below it get new paths in one transaction: others see it in one place or the other,
and if anything there is changed meanwhile, nothing is moved. What does not fit into one request (some
900 KiB) is refused: use cp -r, then rm -r. Versions and times begin anew. Ephemeral znodes cannot be
moved.")]
pub struct Arguments {
    /// What is moved, with all below it.
    #[arg(value_parser = znode_path)]
    from: String,
    /// What it is called then.
    #[arg(value_parser = znode_path)]
    to: String,
    /// Create missing parents of TO, before the transaction.
    #[arg(long, short)]
    parents: bool,
    #[command(flatten)]
    target: Target,
}

/// Moves.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let Arguments { from, to, .. } = arguments;
    if is_at_or_below(from, to) {
        return Err(Failure::usage(format!(
            "{to} is below {from}, and would be moved into itself"
        )));
    }
    let connection = arguments.target.connect()?;
    let client = &connection.client;
    let mut all = Vec::new();
    let mut bytes = 0;
    walk(client, from, Want::ALL, &everything, &mut |found| {
        if found.stat.ephemeral_owner != SessionId::NONE {
            return Err(Failure::new(
                Exit::Conflict,
                format!("{} is ephemeral and cannot be moved", found.path),
            ));
        }
        bytes += weight(&found, from, to);
        if bytes > MAX_BYTES {
            return Err(Failure::new(
                Exit::Conflict,
                format!("{from} is too large for one transaction; use cp -r, then rm -r"),
            ));
        }
        all.push((moved(&found.path, from, to)?, node_of(&found), found));
        Ok(())
    })?;
    if arguments.parents {
        create_parents(client, to)?;
    }
    let creations = all
        .iter()
        .map(|(path, node, _)| Operation::Create(path, node));
    let deletions = all
        .iter()
        .rev()
        .map(|(_, _, found)| Operation::Delete(&found.path, found.stat.version));
    let operations: Vec<_> = creations.chain(deletions).collect();
    client.multi(&operations).map_err(|(at, error)| {
        let path = operations.get(at).map_or(&**from, Operation::path);
        if at < all.len() && error.is(ErrorCode::NoNode) {
            return Failure::no_parent(path, ADD_PARENTS);
        }
        let failure = Failure::request(&error, path);
        match at >= all.len() && failure.exit == Exit::Conflict {
            true => Failure::new(
                Exit::Conflict,
                format!("{path} was changed meanwhile; nothing was moved, run it again"),
            ),
            false => failure,
        }
    })?;
    if arguments.target.is_json() {
        let znodes = all.len();
        output::line(out, &json!({"from": from, "to": to, "znodes": znodes}))?;
    }
    Ok(Exit::Done)
}

fn node_of(found: &Found) -> Node {
    Node {
        data: found.data.clone(),
        acl: found.acl.clone(),
        mode: CreateMode::Persistent,
        ttl: 0,
    }
}

/// What a znode takes in the request, about, and not less.
fn weight(found: &Found, from: &str, to: &str) -> usize {
    const FIXED: usize = 64;
    let data = found.data.as_ref().map_or(0, Vec::len);
    let acl: usize = found
        .acl
        .iter()
        .map(|acl| 12 + acl.id.scheme.len() + acl.id.id.len())
        .sum();
    let path = found.path.len();
    FIXED + data + acl + 2 * path + to.len().saturating_sub(from.len())
}
