//! `grevy config get`.

use super::local;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::progress::Progress;
use crate::znodes::connection::{Target, znode_path};
use crate::znodes::walk::{Want, users_own, walk};
use clap::Args;
use grevy_cli::client::Client;
use grevy_proto::SessionId;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// What to write, and where to.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The subtree.
    #[arg(value_parser = znode_path)]
    path: String,
    /// The folder, or for a znode without children the file; with a / at the end a folder all the
    /// same. What is there besides is left alone.
    local: PathBuf,
    #[command(flatten)]
    target: Target,
}

/// Writes it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let Arguments {
        path,
        local,
        target,
    } = arguments;
    let connection = target.connect()?;
    let there = read(&connection.client, path)?;
    let znodes: BTreeMap<String, Vec<u8>> = there
        .into_iter()
        .map(|(path, there)| (path, there.data))
        .collect();
    let wants_folder = local.is_dir() || local.to_string_lossy().ends_with('/');
    match (znodes.get(path), znodes.len()) {
        (Some(data), 1) if !wants_folder => {
            fs::write(local, data).map_err(|error| Failure::file(local, "write", &error))?
        }
        _ => local::write(local, path, &znodes)?,
    }
    if target.is_json() {
        let local = local.display().to_string();
        output::line(
            out,
            &json!({"path": path, "local": local, "znodes": znodes.len()}),
        )?;
    }
    Ok(Exit::Done)
}

/// What the server has of a znode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct There {
    /// Its data; nothing for null.
    pub data: Vec<u8>,
    /// Its version.
    pub version: i32,
}

/// All that is persistent at `top` and below it, by path.
pub fn read(client: &Client, top: &str) -> Result<BTreeMap<String, There>, Failure> {
    let mut there = BTreeMap::new();
    let mut progress = Progress::new("read", None);
    let want = Want {
        data: true,
        ..Want::default()
    };
    walk(client, top, want, &users_own, &mut |found| {
        progress.step();
        if found.stat.ephemeral_owner == SessionId::NONE {
            let data = found.data.unwrap_or_default();
            let version = found.stat.version;
            there.insert(found.path, There { data, version });
        }
        Ok(())
    })?;
    Ok(there)
}
