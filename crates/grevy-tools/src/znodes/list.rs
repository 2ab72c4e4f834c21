//! `grevy ls`.

use super::connection::{Target, join, znode_path};
use super::read::put_stat;
use super::walk::{Found, Want, survey};
use crate::exit::{At, Exit, Failure};
use crate::output;
use clap::Args;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

/// Of which znode.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy ls /brokers/ids
  grevy ls -R /app
  grevy ls --long / --output json")]
pub struct Arguments {
    /// The znode whose children are listed.
    #[arg(default_value = "/", value_parser = znode_path)]
    path: String,
    /// All below it, with their whole paths, itself first.
    #[arg(long, short = 'R')]
    recursive: bool,
    /// With versions, sizes and kinds.
    #[arg(long, short)]
    long: bool,
    #[command(flatten)]
    target: Target,
}

/// Lists the children.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let Arguments {
        path,
        recursive,
        long,
        target,
    } = arguments;
    let connection = target.connect()?;
    let client = &connection.client;
    let is_json = target.is_json();
    if !recursive && !long {
        let (mut children, _) = client.get_children(path, false).at(path)?;
        children.sort_unstable();
        for name in children {
            match is_json {
                true => {
                    let path = join(path, &name);
                    output::line(out, &json!({"path": path, "name": name}))?;
                }
                false => writeln!(out, "{name}")?,
            }
        }
        return Ok(Exit::Done);
    }
    let want = Want {
        depth: (!recursive).then_some(1),
        ..Want::default()
    };
    survey(client, path, want, &mut |found| {
        if *recursive || found.level > 0 {
            write(&found, *recursive, *long, is_json, out)?;
        }
        Ok(())
    })
}

fn write(
    found: &Found,
    whole_path: bool,
    long: bool,
    is_json: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = found.path.rsplit('/').next().unwrap_or_default();
    if is_json {
        let mut object = Map::new();
        object.insert("path".to_owned(), found.path.as_str().into());
        object.insert("name".to_owned(), name.into());
        if long {
            put_stat(&mut object, &found.stat);
        }
        return output::line(out, &Value::Object(object));
    }
    let name = if whole_path { &found.path } else { name };
    if !long {
        return writeln!(out, "{name}");
    }
    let stat = &found.stat;
    writeln!(
        out,
        "{} {:>6} {:>8} {:>7}  {:<28}  {name}",
        output::time(stat.mtime),
        stat.version,
        stat.data_length,
        stat.num_children,
        output::kind(stat.ephemeral_owner.0)
    )
}
