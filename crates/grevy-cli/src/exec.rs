//! What the commands do. Source: the `exec` methods in `org.apache.zookeeper.cli`.

use crate::acl;
use crate::client::{Client, ClientError, Node, Reply, multi_outcome, path};
use crate::command::{Command, DataFormat};
use crate::console::Console;
use crate::error::{CliError, keeper_message};
use crate::format;
use crate::membership;
use crate::quota;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use grevy_proto::{Acl, ErrorCode, Stat};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

/// What `version` shows: the ZooKeeper release whose behaviour this is, and the program's own.
const VERSION: &str = concat!("3.9.5-grevy-", env!("CARGO_PKG_VERSION"));

/// How long `sync` waits.
const SYNC_TIMEOUT: Duration = Duration::from_secs(30);

/// How many batches `deleteall` has under way at a time.
const BATCHES_IN_FLIGHT: usize = 10;

/// Runs a command.
pub fn run(command: &Command, client: &Client, console: &dyn Console) -> Result<(), CliError> {
    let out = |text: &str| console.out(text);
    let show = |wanted: bool, stat: &Stat| {
        if wanted {
            out(&format::stat(stat));
        }
    };
    match command {
        Command::AddWatch { path, mode } => {
            check(path)?;
            client.add_watch(path, *mode).at(path)
        }
        Command::AddAuth { scheme, auth } => {
            client.add_auth(scheme, auth.as_deref().map(str::as_bytes));
            Ok(())
        }
        Command::Close => {
            client.close();
            Ok(())
        }
        Command::Config {
            client: as_client,
            watch,
            stat,
        } => {
            let (data, config_stat) = client.get_config(*watch).at("/zookeeper/config")?;
            let text = text_of(data);
            let text = match as_client {
                true => membership::client_string(&text),
                false => text,
            };
            out(&format!("{text}\n"));
            show(*stat, &config_stat);
            Ok(())
        }
        Command::Create {
            path,
            data,
            acl,
            mode,
            ttl,
        } => {
            let node = Node {
                data: data.as_ref().map(|data| data.clone().into_bytes()),
                acl: acl.clone(),
                mode: *mode,
                ttl: *ttl,
            };
            create(client, console, path, &node)
        }
        Command::Delete { path, version } => {
            check(path)?;
            client.delete(path, *version).at(path)
        }
        Command::DeleteAll { path, batch } => delete_all(client, path, *batch),
        Command::DelQuota { path, limit } => quota::delete(client, console, path, *limit),
        Command::Get {
            path,
            stat,
            watch,
            format,
        } => {
            check(path)?;
            let (data, node_stat) = client.get_data(path, *watch).at(path)?;
            out(&data_as(*format, &data.unwrap_or_else(|| b"null".to_vec())));
            show(*stat, &node_stat);
            Ok(())
        }
        Command::GetAcl { path, stat } => {
            check(path)?;
            let (list, node_stat) = client.get_acl(path).at(path)?;
            for entry in &list {
                out(&format!("{}\n", acl::show(entry)));
            }
            show(*stat, &node_stat);
            Ok(())
        }
        Command::GetAllChildrenNumber { path } => {
            check(path)?;
            let number = client.get_all_children_number(path).at(path)?;
            out(&format!("{number}\n"));
            Ok(())
        }
        Command::GetEphemerals { prefix } => {
            check(prefix)?;
            out(&format::list(&client.get_ephemerals(prefix).at("")?));
            Ok(())
        }
        Command::ListQuota { path } => quota::list(client, console, path),
        Command::Ls {
            path,
            stat,
            watch,
            recursive,
        } => {
            check(path)?;
            if *recursive {
                return list_below(client, console, path, *watch);
            }
            let (mut children, node_stat) = client.get_children(path, *watch).at(path)?;
            children.sort_unstable();
            out(&format::list(&children));
            show(*stat, &node_stat);
            Ok(())
        }
        Command::Reconfig {
            joining,
            leaving,
            members,
            version,
            stat,
        } => {
            let (joining, leaving) = (joining.as_deref(), leaving.as_deref());
            let (data, config_stat) = client
                .reconfig(joining, leaving, members.as_deref(), *version)
                .at("")?;
            out(&format!(
                "Committed new configuration:\n{}\n",
                text_of(data)
            ));
            show(*stat, &config_stat);
            Ok(())
        }
        Command::RemoveWatches { path, which, local } => {
            check(path)?;
            client.remove_watches(path, *which, *local).at(path)
        }
        Command::Set {
            path,
            data,
            version,
            stat,
        } => {
            check(path)?;
            let node_stat = client.set_data(path, data, *version).at(path)?;
            show(*stat, &node_stat);
            Ok(())
        }
        Command::SetAcl {
            path,
            acl,
            version,
            stat,
            recursive,
        } => {
            check(path)?;
            if *recursive {
                return set_acl_below(client, console, path, acl, *version);
            }
            let node_stat = set_acl(client, path, acl, *version)?;
            show(*stat, &node_stat);
            Ok(())
        }
        Command::SetQuota { path, limit, value } => {
            quota::set(client, console, path, *limit, value)
        }
        Command::Stat { path, watch } => {
            check(path)?;
            match client.exists(path, *watch).at(path)? {
                Some(stat) => {
                    out(&format::stat(&stat));
                    Ok(())
                }
                None => Err(ClientError::Server(ErrorCode::NoNode.wire())).at(path),
            }
        }
        Command::Sync { path } => sync(client, console, path),
        Command::Version => {
            out(&format!("ZooKeeper CLI version: {VERSION}\n"));
            Ok(())
        }
        Command::WhoAmI => {
            let users = client.who_am_i().at("")?;
            out("Auth scheme: User\n");
            for (scheme, user) in users {
                out(&format!("{scheme}: {user}\n"));
            }
            Ok(())
        }
    }
}

fn data_as(format: DataFormat, data: &[u8]) -> String {
    match format {
        DataFormat::Plain => format!("{}\n", String::from_utf8_lossy(data)),
        DataFormat::Base64 => format!("{}\n", BASE64.encode(data)),
        DataFormat::HexDump => format::hex_dump(data),
    }
}

fn list_below(
    client: &Client,
    console: &dyn Console,
    path: &str,
    watch: bool,
) -> Result<(), CliError> {
    visit(client, path, watch, &mut |path| {
        console.out(&format!("{path}\n"));
        ControlFlow::Continue(())
    })
}

fn create(client: &Client, console: &dyn Console, path: &str, node: &Node) -> Result<(), CliError> {
    // The number makes a path whole that ends with a slash.
    match node.mode.is_sequential() {
        true => check(&format!("{path}1"))?,
        false => check(path)?,
    }
    let invalid = ClientError::Server(ErrorCode::InvalidAcl.wire());
    if node.acl.is_empty() {
        console.err(&format!("{}\n", keeper_message(&invalid, "")));
        return Err(CliError::empty_acl());
    }
    match client.create(path, node) {
        Ok(created) => {
            console.err(&format!("Created {created}\n"));
            Ok(())
        }
        Err(error) => {
            if error == invalid {
                console.err(&format!("{}\n", keeper_message(&error, path)));
            }
            if error.is(ErrorCode::EphemeralOnLocalSession) {
                console.err("Unable to create ephemeral node on a local session\n");
            }
            Err(CliError::request(&error, path))
        }
    }
}

/// Children before their parents: the reverse of the order in which they are found.
fn delete_all(client: &Client, path: &str, batch: i32) -> Result<(), CliError> {
    check(path)?;
    let mut tree = vec![path.to_owned()];
    let mut listed = 0;
    while let Some(parent) = tree.get(listed).cloned() {
        let (children, _) = client.get_children(&parent, false).at(&parent)?;
        tree.extend(children.iter().map(|child| join(&parent, child)));
        listed += 1;
    }
    tree.reverse();
    let Some(batch) = usize::try_from(batch).ok().filter(|batch| *batch > 0) else {
        for path in &tree {
            client.delete(path, -1).at(path)?;
        }
        return Ok(());
    };
    let mut replies: VecDeque<Reply> = VecDeque::new();
    let is_done = |reply: Reply| {
        reply
            .wait()
            .and_then(|record| multi_outcome(&record))
            .is_ok()
    };
    let mut is_whole = true;
    for paths in tree.chunks(batch) {
        if replies.len() >= BATCHES_IN_FLIGHT {
            is_whole &= replies.pop_front().is_none_or(is_done);
        }
        if !is_whole {
            break;
        }
        replies.push_back(client.submit_deletes(paths));
    }
    for reply in replies {
        is_whole &= is_done(reply);
    }
    match is_whole {
        true => Ok(()),
        // Java's program says so, and ends with 0 all the same, which helps no script.
        false => Err(CliError::new(
            "Failed to delete some node(s) in the subtree!",
        )),
    }
}

fn set_acl(client: &Client, path: &str, acl: &[Acl], version: i32) -> Result<Stat, CliError> {
    match acl {
        [] => Err(CliError::empty_acl()),
        acl => client.set_acl(path, acl, version).at(path),
    }
}

/// What fails is told and passed over, and makes the whole a failure, which it is not in Java's
/// program.
fn set_acl_below(
    client: &Client,
    console: &dyn Console,
    path: &str,
    acl: &[Acl],
    version: i32,
) -> Result<(), CliError> {
    let mut is_whole = true;
    visit(client, path, false, &mut |path| {
        let result = match acl {
            [] => Err((ClientError::Server(ErrorCode::InvalidAcl.wire()), "")),
            acl => client
                .set_acl(path, acl, version)
                .map_err(|error| (error, path)),
        };
        if let Err((error, path)) = result {
            // Java's program prints no line end here.
            console.out(&keeper_message(&error, path));
            is_whole = false;
        }
        ControlFlow::Continue(())
    })?;
    match is_whole {
        true => Ok(()),
        false => Err(CliError::new(
            "Failed to set the ACL of some node(s) in the subtree!",
        )),
    }
}

fn sync(client: &Client, console: &dyn Console, path: &str) -> Result<(), CliError> {
    check(path)?;
    match client.submit_sync(path).wait_for(SYNC_TIMEOUT) {
        Some(Ok(_)) => console.out("Sync is OK\n"),
        Some(Err(error)) => {
            console.out(&format!("Sync has failed. rc={}\n", error.code()));
            if let Some(detail) = error.detail() {
                console.err(&format!("{detail}\n"));
            }
        }
        None => {
            return Err(CliError::new(format!(
                "no answer within {} s; is the server cut off from its ensemble?",
                SYNC_TIMEOUT.as_secs()
            )));
        }
    }
    Ok(())
}

/// Visits a znode and all below it: each before its children, all children before their own.
/// What is deleted meanwhile is passed over, but for the first.
pub fn visit(
    client: &Client,
    path: &str,
    watch: bool,
    see: &mut dyn FnMut(&str) -> ControlFlow<()>,
) -> Result<(), CliError> {
    client.get_data(path, watch).at(path)?;
    if see(path).is_break() {
        return Ok(());
    }
    let mut stack = vec![path.to_owned()];
    while let Some(parent) = stack.pop() {
        let mut children = match client.get_children(&parent, watch) {
            Err(error) if error.is(ErrorCode::NoNode) => continue,
            children => children.at(&parent)?.0,
        };
        children.sort_unstable();
        let children: Vec<_> = children.iter().map(|child| join(&parent, child)).collect();
        for child in &children {
            if see(child).is_break() {
                return Ok(());
            }
        }
        stack.extend(children.into_iter().rev());
    }
    Ok(())
}

/// Refuses a bad path before it is sent.
pub fn check(path: &str) -> Result<(), CliError> {
    path::check(path).map_err(CliError::new)
}

/// Names the path that a request was about.
pub trait At<T> {
    /// An empty path for requests that are about none.
    fn at(self, path: &str) -> Result<T, CliError>;
}

impl<T> At<T> for Result<T, ClientError> {
    fn at(self, path: &str) -> Result<T, CliError> {
        self.map_err(|error| CliError::request(&error, path))
    }
}

fn join(parent: &str, child: &str) -> String {
    match parent {
        "/" => format!("/{child}"),
        _ => format!("{parent}/{child}"),
    }
}

fn text_of(data: Option<Vec<u8>>) -> String {
    match data {
        Some(data) => String::from_utf8_lossy(&data).into_owned(),
        None => "null".to_owned(),
    }
}

#[cfg(test)]
mod tests;
