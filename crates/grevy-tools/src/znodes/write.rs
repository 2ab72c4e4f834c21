//! `grevy create`, `set` and `setAcl`.

use super::connection::{Target, znode_path};
use super::walk::{Want, everything, walk};
use super::window::Window;
use crate::exit::{ADD_PARENTS, At, Exit, Failure};
use crate::output;
use clap::Args;
use grevy_cli::acl;
use grevy_cli::client::{Client, ClientError, Node};
use grevy_proto::request::CreateMode;
use grevy_proto::{Acl, ErrorCode};
use serde_json::json;
use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// Where data comes from.
#[derive(Debug, Args)]
pub struct Data {
    /// The data as text.
    #[arg(value_name = "DATA", conflicts_with = "file")]
    text: Option<String>,
    /// A file with the data; - for standard input.
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Data {
    /// For what exists: nothing given is more likely forgotten than meant.
    fn require(&self) -> Result<(), Failure> {
        match self.text.is_some() || self.file.is_some() {
            true => Ok(()),
            false => Err(Failure::usage(
                "give DATA ('' empties the znode), or --file - to read standard input",
            )),
        }
    }

    fn read(&self) -> Result<Vec<u8>, Failure> {
        let Some(file) = &self.file else {
            return Ok(self.text.clone().unwrap_or_default().into_bytes());
        };
        let mut data = Vec::new();
        let read = match file.as_os_str() == "-" {
            true => io::stdin().read_to_end(&mut data).map(drop),
            false => fs::read(file).map(|content| data = content),
        };
        read.map_err(|error| Failure::file(file, "read", &error))?;
        Ok(data)
    }
}

/// What to create.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy create /app/config --file config.json --parents
  grevy create /queue/item- work --sequential
  grevy create /app/secret x --acl digest:bob:hash=:cdrwa

The path of the new znode is printed. Ephemeral znodes would end with this command: see lock, elect and
semaphore, or `grevy zkcli`.")]
pub struct Create {
    /// The znode; with --sequential a number is added.
    #[arg(value_parser = znode_path)]
    path: String,
    #[command(flatten)]
    data: Data,
    /// Add a number that grows.
    #[arg(long)]
    sequential: bool,
    /// Delete it some time after its last child.
    #[arg(long, conflicts_with_all = ["sequential", "ttl"])]
    container: bool,
    /// Delete it when it had no children and no new data for so long.
    #[arg(long, value_name = "MS")]
    ttl: Option<i64>,
    /// Who may do what; everybody everything if not given.
    #[arg(long, value_name = "SCHEME:ID:PERMS,…", value_parser = acl_list)]
    acl: Option<AclList>,
    /// Create missing parents too, without data.
    #[arg(long, short)]
    parents: bool,
    #[command(flatten)]
    target: Target,
}

/// Creates it.
pub fn create(arguments: &Create, out: &mut dyn Write) -> Result<Exit, Failure> {
    let path = &arguments.path;
    let mode = match (arguments.ttl, arguments.sequential, arguments.container) {
        (Some(_), true, _) => CreateMode::PersistentSequentialWithTtl,
        (Some(_), false, _) => CreateMode::PersistentWithTtl,
        (None, true, _) => CreateMode::PersistentSequential,
        (None, _, true) => CreateMode::Container,
        (None, false, false) => CreateMode::Persistent,
    };
    let node = Node {
        data: Some(arguments.data.read()?),
        acl: match &arguments.acl {
            Some(AclList(list)) => list.clone(),
            None => vec![Acl::OPEN],
        },
        mode,
        ttl: arguments.ttl.unwrap_or(0),
    };
    let connection = arguments.target.connect()?;
    if arguments.parents {
        create_parents(&connection.client, path)?;
    }
    let bytes = node.data.as_ref().map_or(0, Vec::len);
    let created = match connection.client.create(path, &node) {
        Err(error) if error.is(ErrorCode::NoNode) => {
            return Err(Failure::no_parent(path, ADD_PARENTS));
        }
        created => created.map_err(|error| Failure::write(&error, path, bytes))?,
    };
    match arguments.target.is_json() {
        true => output::line(out, &json!({"path": created}))?,
        false => writeln!(out, "{created}")?,
    }
    Ok(Exit::Done)
}

/// Creates what is missing above a path.
pub fn create_parents(client: &Client, path: &str) -> Result<(), Failure> {
    let node = Node {
        data: Some(Vec::new()),
        acl: vec![Acl::OPEN],
        mode: CreateMode::Persistent,
        ttl: 0,
    };
    for (at, _) in path.match_indices('/').skip(1) {
        let parent = &path[..at];
        match client.create(parent, &node) {
            Err(error) if error.is(ErrorCode::NodeExists) => {}
            // Whoever may not create it may still use it, if it is there.
            Err(error) if error.is(ErrorCode::NoAuth) => {
                client
                    .exists(parent, false)
                    .at(parent)?
                    .ok_or(error)
                    .at(parent)?;
            }
            created => drop(created.at(parent)?),
        }
    }
    Ok(())
}

/// What to set.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy set /app/config --file config.json
  grevy set /app/config new --version 7
  date | grevy set /app/now --file -
  grevy set /app/flag ''                       no data

Data is needed: without it nothing is changed, and the exit code is 2.")]
pub struct Set {
    /// The znode.
    #[arg(value_parser = znode_path)]
    path: String,
    #[command(flatten)]
    data: Data,
    /// Only if the data has this version.
    #[arg(long, short = 'v', default_value_t = -1, hide_default_value = true)]
    version: i32,
    /// Create it if it does not exist.
    #[arg(long, conflicts_with = "version")]
    create: bool,
    #[command(flatten)]
    target: Target,
}

/// Sets it.
pub fn set(arguments: &Set, out: &mut dyn Write) -> Result<Exit, Failure> {
    let path = &arguments.path;
    arguments.data.require()?;
    let data = arguments.data.read()?;
    let bytes = data.len();
    let connection = arguments.target.connect()?;
    let client = &connection.client;
    let failed = |error| Failure::write(&error, path, bytes);
    let version = match client.set_data(path, &data, arguments.version) {
        Err(error) if error.is(ErrorCode::NoNode) && arguments.create => {
            let node = Node {
                data: Some(data),
                acl: vec![Acl::OPEN],
                mode: CreateMode::Persistent,
                ttl: 0,
            };
            client.create(path, &node).map_err(failed)?;
            0
        }
        set => set.map_err(failed)?.version,
    };
    if arguments.target.is_json() {
        output::line(out, &json!({"path": path, "version": version}))?;
    }
    Ok(Exit::Done)
}

/// What to set.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy setAcl /app world:anyone:r,digest:bob:hash=:cdrwa
  grevy setAcl -R /app auth::cdrwa --auth digest:bob:secret")]
pub struct SetAcl {
    /// The znode.
    #[arg(value_parser = znode_path)]
    path: String,
    /// Who may do what, of c(reate), d(elete), r(ead), w(rite), a(dmin).
    #[arg(value_name = "SCHEME:ID:PERMS,…", value_parser = acl_list)]
    acl: AclList,
    /// Only if the list has this version.
    #[arg(long, short = 'v', default_value_t = -1, hide_default_value = true)]
    version: i32,
    /// Everything below it too.
    #[arg(long, short = 'R', conflicts_with = "version")]
    recursive: bool,
    #[command(flatten)]
    target: Target,
}

/// Sets it.
pub fn set_acl(arguments: &SetAcl, out: &mut dyn Write) -> Result<Exit, Failure> {
    let SetAcl {
        path,
        acl: AclList(acl),
        version,
        ..
    } = arguments;
    let connection = arguments.target.connect()?;
    let client = &connection.client;
    let mut changed = 1;
    if arguments.recursive {
        let mut paths = Vec::new();
        walk(client, path, Want::default(), &everything, &mut |found| {
            paths.push(found.path);
            Ok(())
        })?;
        changed = paths.len();
        let gone = |error: &ClientError| error.is(ErrorCode::NoNode);
        let mut done = || {};
        let mut window = Window::new(&gone, &mut done);
        for path in paths {
            let pending = client.submit_set_acl(&path, acl);
            window.push(path, pending)?;
        }
        window.finish()?;
    } else {
        client.set_acl(path, acl, *version).at(path)?;
    }
    if arguments.target.is_json() {
        output::line(out, &json!({"path": path, "znodes": changed}))?;
    }
    Ok(Exit::Done)
}

/// A list that was given as an argument.
#[derive(Debug, Clone)]
pub struct AclList(pub Vec<Acl>);

/// For arguments: `scheme:id:perms,…`, all of it right.
pub fn acl_list(text: &str) -> Result<AclList, String> {
    let (list, complaints) = acl::parse(text);
    match (complaints.first(), list.is_empty()) {
        (Some(complaint), _) => Err(complaint.clone()),
        (None, true) => Err("it must have an entry, such as world:anyone:r".to_owned()),
        (None, false) => Ok(AclList(list)),
    }
}
