//! `grevy export`: a subtree as JSON, one znode a line.

use super::connection::{Target, znode_path};
use super::walk::{Found, Want, users_own, walk};
use crate::exit::{Exit, Failure};
use crate::interrupt;
use crate::output;
use crate::progress::Progress;
use crate::replace::Replacement;
use clap::Args;
use grevy_proto::SessionId;
use serde_json::{Map, Value};
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// What to export.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy export /app > app.jsonl
  grevy export / --file all.jsonl
  grevy export /app | grevy import --server other:2181 --to /app

Each line is an object: path, data (or dataBase64, if it is not text) and acl, a list of
scheme:id:perms. Parents come before their children. Ephemeral znodes and /zookeeper are left out.
What is written meanwhile may be in it or not. FILE is replaced when all of it has been read: if that fails,
or at Ctrl-C, it is as it was.")]
pub struct Arguments {
    /// The subtree.
    #[arg(default_value = "/", value_parser = znode_path)]
    path: String,
    /// Where to write it; standard output if not given.
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// Writes it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let connection = arguments.target.connect()?;
    let mut file = match &arguments.file {
        None => None,
        Some(path) => {
            let file =
                Replacement::of(path).map_err(|error| Failure::file(path, "create", &error))?;
            let temporary = file.temporary();
            interrupt::listen(move || {
                if let Some(temporary) = temporary {
                    // The process ends, and the old file is as it was.
                    let _ = fs::remove_file(temporary);
                }
            })?;
            Some((path, file))
        }
    };
    let mut progress = Progress::new("exported", None);
    walk(
        &connection.client,
        &arguments.path,
        Want::ALL,
        &users_own,
        &mut |found| {
            if found.stat.ephemeral_owner != SessionId::NONE {
                return Ok(());
            }
            progress.step();
            let line = Value::Object(object(&found));
            match &mut file {
                None => output::line(out, &line)?,
                Some((path, file)) => {
                    output::line(file, &line)
                        .map_err(|error| Failure::file(path, "write", &error))?;
                }
            }
            Ok(())
        },
    )?;
    if let Some((path, file)) = file {
        file.finish()
            .map_err(|error| Failure::file(path, "write", &error))?;
    }
    Ok(Exit::Done)
}

fn object(found: &Found) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("path".to_owned(), found.path.as_str().into());
    output::put_data(&mut object, found.data.as_deref());
    object.insert("acl".to_owned(), output::acl_json(&found.acl));
    object
}
