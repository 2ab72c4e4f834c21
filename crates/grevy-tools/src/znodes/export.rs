//! `grevy export`: a subtree as JSON, one znode a line.

use super::connection::{Target, znode_path};
use super::walk::{Found, Want, users_own, walk};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::progress::Progress;
use clap::Args;
use grevy_proto::SessionId;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, BufWriter, Write};
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
What is written meanwhile may be in it or not.")]
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
            let file = File::create(path).map_err(|error| Failure::file(path, "create", &error))?;
            Some((path, BufWriter::new(file)))
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
        finish(file).map_err(|error| Failure::file(path, "write", &error))?;
    }
    Ok(Exit::Done)
}

fn finish(file: BufWriter<File>) -> io::Result<()> {
    file.into_inner()?.sync_all()
}

fn object(found: &Found) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("path".to_owned(), found.path.as_str().into());
    output::put_data(&mut object, found.data.as_deref());
    object.insert("acl".to_owned(), output::acl_json(&found.acl));
    object
}
