//! `grevy config apply` and `set`.

use super::diff::{Change, changes};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::prompt;
use crate::znodes::connection::{Target, znode_path};
use crate::znodes::rename::MAX_BYTES;
use crate::znodes::write::{AclList, acl_list, create_parents};
use clap::Args;
use grevy_cli::client::{Client, Node, Write as Operation};
use grevy_proto::Acl;
use grevy_proto::request::CreateMode;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

/// What to make like what.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy config apply /app app/ --dry-run
  grevy config apply /app app/ --delete --yes

Everything happens in one transaction, or nothing does: also if somebody else changes one of these
znodes meanwhile. What does not fit into one request (some 900 KiB) is refused. Access control lists
of existing znodes stay.")]
pub struct Arguments {
    /// The subtree.
    #[arg(value_parser = znode_path)]
    path: String,
    /// The file or folder.
    local: PathBuf,
    /// Delete znodes of which there is no file.
    #[arg(long)]
    delete: bool,
    /// Show what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// The access control list of new znodes.
    #[arg(long, value_name = "SCHEME:ID:PERMS,…", value_parser = acl_list)]
    acl: Option<AclList>,
    #[command(flatten)]
    target: Target,
}

/// What to set to what.
#[derive(Debug, Args)]
pub struct Set {
    /// The znode.
    #[arg(value_parser = znode_path)]
    path: String,
    /// The file.
    #[arg(value_name = "FILE")]
    local: PathBuf,
    #[command(flatten)]
    target: Target,
}

/// Shows what differs, asks if there is a terminal, and changes it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let connection = arguments.target.connect()?;
    let client = &connection.client;
    let mut changes = changes(client, &arguments.path, &arguments.local)?;
    if !arguments.delete {
        changes.retain(|_, change| !matches!(change, Change::Extra(_)));
    }
    for (path, change) in &changes {
        change.write(path, arguments.target.is_json(), out)?;
    }
    if changes.is_empty() || arguments.dry_run {
        return Ok(Exit::Done);
    }
    out.flush()?;
    let asks = !arguments.yes && io::stdin().is_terminal();
    if asks && !prompt::confirm("Apply this?")? {
        return Ok(Exit::Finding);
    }
    let acl = match &arguments.acl {
        Some(AclList(list)) => list.clone(),
        None => vec![Acl::OPEN],
    };
    apply(client, &arguments.path, &changes, &acl)?;
    Ok(Exit::Done)
}

/// Sets one znode.
pub fn set(arguments: &Set, out: &mut dyn Write) -> Result<Exit, Failure> {
    if arguments.local.is_dir() {
        let local = arguments.local.display();
        return Err(Failure::usage(format!(
            "{local} is a folder; use config apply"
        )));
    }
    let connection = arguments.target.connect()?;
    let client = &connection.client;
    let changes = changes(client, &arguments.path, &arguments.local)?;
    if !changes.is_empty() {
        apply(client, &arguments.path, &changes, &[Acl::OPEN])?;
    }
    if arguments.target.is_json() {
        let object = json!({"path": arguments.path, "changed": !changes.is_empty()});
        output::line(out, &object)?;
    }
    Ok(Exit::Done)
}

/// Makes the changes as one transaction.
fn apply(
    client: &Client,
    top: &str,
    changes: &BTreeMap<String, Change>,
    acl: &[Acl],
) -> Result<(), Failure> {
    let bytes: usize = changes
        .iter()
        .map(|(path, change)| weight(path, change))
        .sum();
    if bytes > MAX_BYTES {
        return Err(Failure::new(
            Exit::Conflict,
            "this is too much for one transaction; apply parts of the folder one after another",
        ));
    }
    if changes
        .get(top)
        .is_some_and(|change| matches!(change, Change::Create(_)))
    {
        create_parents(client, top)?;
    }
    let nodes: BTreeMap<&str, Node> = changes
        .iter()
        .filter_map(|(path, change)| match change {
            Change::Create(data) => Some((path.as_str(), node(data, acl))),
            Change::Set(..) | Change::Extra(_) => None,
        })
        .collect();
    // Deletions first, children before their parents: a folder may have become a file. Paths in
    // their order have parents before children.
    let deletions = changes
        .iter()
        .rev()
        .filter_map(|(path, change)| match change {
            Change::Extra(there) => Some(Operation::Delete(path, there.version)),
            Change::Create(_) | Change::Set(..) => None,
        });
    let creations = nodes
        .iter()
        .map(|(path, node)| Operation::Create(path, node));
    let settings = changes.iter().filter_map(|(path, change)| match change {
        Change::Set(there, data) => Some(Operation::SetData(path, data, there.version)),
        Change::Create(_) | Change::Extra(_) => None,
    });
    let operations: Vec<_> = deletions.chain(creations).chain(settings).collect();
    client.multi(&operations).map_err(|(at, error)| {
        let path = operations.get(at).map_or(top, Operation::path);
        let failure = Failure::request(&error, path);
        match failure.exit {
            Exit::Conflict => Failure::new(
                Exit::Conflict,
                format!("{path} was changed meanwhile, or an ephemeral znode is in the way; nothing was done"),
            ),
            _ => failure,
        }
    })
}

fn node(data: &[u8], acl: &[Acl]) -> Node {
    Node {
        data: Some(data.to_vec()),
        acl: acl.to_vec(),
        mode: CreateMode::Persistent,
        ttl: 0,
    }
}

/// What a change takes in the request, about, and not less but for long lists.
fn weight(path: &str, change: &Change) -> usize {
    const FIXED: usize = 128;
    let data = match change {
        Change::Create(data) | Change::Set(_, data) => data.len(),
        Change::Extra(_) => 0,
    };
    FIXED + path.len() + data
}
