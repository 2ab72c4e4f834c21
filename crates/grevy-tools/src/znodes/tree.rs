//! `grevy tree`.

use super::connection::{Target, znode_path};
use super::read::put_stat;
use super::walk::{Want, survey};
use crate::exit::{Exit, Failure};
use crate::output;
use clap::Args;
use grevy_proto::Stat;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Of which znode.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy tree /app
  grevy tree / --depth 2 --long")]
pub struct Arguments {
    /// The top.
    #[arg(default_value = "/", value_parser = znode_path)]
    path: String,
    /// How many levels below it to show.
    #[arg(long, short, value_name = "LEVELS")]
    depth: Option<usize>,
    /// With sizes and kinds.
    #[arg(long, short)]
    long: bool,
    #[command(flatten)]
    target: Target,
}

/// A znode with what is below it.
#[derive(Default)]
struct Branch {
    stat: Stat,
    children: BTreeMap<String, Branch>,
}

/// Draws it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let Arguments {
        path,
        depth,
        long,
        target,
    } = arguments;
    let connection = target.connect()?;
    let want = Want {
        depth: *depth,
        ..Want::default()
    };
    let mut top = Branch::default();
    let mut znodes = 0;
    let exit = survey(&connection.client, path, want, &mut |found| {
        znodes += 1;
        if target.is_json() {
            let mut object = Map::new();
            object.insert("path".to_owned(), found.path.as_str().into());
            object.insert("level".to_owned(), found.level.into());
            put_stat(&mut object, &found.stat);
            output::line(out, &Value::Object(object))?;
            return Ok(());
        }
        let below = found.path.strip_prefix(path.trim_end_matches('/'));
        let names = below
            .unwrap_or_default()
            .split('/')
            .filter(|name| !name.is_empty());
        let mut branch = &mut top;
        for name in names {
            branch = branch.children.entry(name.to_owned()).or_default();
        }
        branch.stat = found.stat;
        Ok(())
    })?;
    if !target.is_json() {
        writeln!(out, "{path}{}", label(&top.stat, *long))?;
        draw(&top, "", *long, out)?;
        writeln!(out, "\n{znodes} znodes")?;
    }
    Ok(exit)
}

/// As deep as the tree, which a path of at most 1 MiB bounds; branches are drawn from a stack all
/// the same.
fn draw(top: &Branch, prefix: &str, long: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut stack = vec![(prefix.to_owned(), top.children.iter().peekable())];
    while let Some((prefix, children)) = stack.last_mut() {
        let Some((name, branch)) = children.next() else {
            stack.pop();
            continue;
        };
        let (turn, line) = match children.peek() {
            Some(_) => ("├── ", "│   "),
            None => ("└── ", "    "),
        };
        writeln!(out, "{prefix}{turn}{name}{}", label(&branch.stat, long))?;
        let below = format!("{prefix}{line}");
        stack.push((below, branch.children.iter().peekable()));
    }
    Ok(())
}

fn label(stat: &Stat, long: bool) -> String {
    if !long {
        return String::new();
    }
    match output::kind(stat.ephemeral_owner.0).as_str() {
        "-" => format!("  ({} bytes)", stat.data_length),
        kind => format!("  ({} bytes, {kind})", stat.data_length),
    }
}
