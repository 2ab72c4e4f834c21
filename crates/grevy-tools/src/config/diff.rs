//! `grevy config diff`.

use super::get::{self, There};
use super::local;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::znodes::connection::{Target, znode_path};
use clap::Args;
use grevy_cli::client::Client;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What to compare.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The subtree.
    #[arg(value_parser = znode_path)]
    path: String,
    /// The file or folder.
    local: PathBuf,
    #[command(flatten)]
    target: Target,
}

/// Shows the differences.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let connection = arguments.target.connect()?;
    let changes = changes(&connection.client, &arguments.path, &arguments.local)?;
    for (path, change) in &changes {
        change.write(path, arguments.target.is_json(), out)?;
    }
    Ok(match changes.is_empty() {
        true => Exit::Done,
        false => Exit::Finding,
    })
}

/// What has to be done to a znode to make it like the local file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is to be created with this data.
    Create(Vec<u8>),
    /// Its data is to be replaced, if it still has that version. Old and new.
    Set(There, Vec<u8>),
    /// There is no file of its name.
    Extra(There),
}

impl Change {
    /// A line: `+`, `~` or `-`, and for text that changes the lines that go and come.
    pub fn write(&self, path: &str, is_json: bool, out: &mut dyn Write) -> io::Result<()> {
        let (sign, word) = match self {
            Self::Create(_) => ('+', "create"),
            Self::Set(..) => ('~', "set"),
            Self::Extra(_) => ('-', "extra"),
        };
        if is_json {
            return output::line(out, &json!({"path": path, "change": word}));
        }
        writeln!(out, "{sign} {path}")?;
        let Self::Set(old, new) = self else {
            return Ok(());
        };
        let (Ok(old), Ok(new)) = (std::str::from_utf8(&old.data), std::str::from_utf8(new)) else {
            return Ok(());
        };
        for line in changed_lines(old, new) {
            writeln!(out, "    {line}")?;
        }
        Ok(())
    }
}

/// What differs, by path. A znode that is not there at all differs in everything.
pub fn changes(
    client: &Client,
    path: &str,
    local: &Path,
) -> Result<BTreeMap<String, Change>, Failure> {
    let wanted = local::read(local, path)?;
    let mut there = match get::read(client, path) {
        Err(failure) if failure.exit == Exit::NoNode => BTreeMap::new(),
        there => there?,
    };
    // A file says nothing of what is below the znode.
    if !local.is_dir() {
        there.retain(|found, _| found == path);
    }
    let mut changes = BTreeMap::new();
    for (path, data) in wanted {
        match there.remove(&path) {
            None => changes.insert(path, Change::Create(data)),
            Some(old) if old.data != data => changes.insert(path, Change::Set(old, data)),
            Some(_) => None,
        };
    }
    let extra = there.into_iter();
    changes.extend(extra.map(|(path, there)| (path, Change::Extra(there))));
    Ok(changes)
}

/// The lines that go (`-`) and come (`+`), between what is the same at both ends.
fn changed_lines(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let same = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| {
        pairs.take_while(|(old, new)| old == new).count()
    };
    let head = same(&mut old.iter().zip(&new));
    let (old, new) = (&old[head..], &new[head..]);
    let tail = same(&mut old.iter().rev().zip(new.iter().rev()));
    let gone = old[..old.len() - tail]
        .iter()
        .map(|line| format!("- {line}"));
    let come = new[..new.len() - tail]
        .iter()
        .map(|line| format!("+ {line}"));
    gone.chain(come).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_go_and_come() {
        for (old, new, expected) in [
            ("a\nb\nc\n", "a\nx\nc\n", &["- b", "+ x"][..]),
            ("a\n", "a\nb\n", &["+ b"]),
            ("a\na\n", "a\n", &["- a"]),
            ("a", "a\n", &[]),
            ("", "x", &["+ x"]),
        ] {
            assert_eq!(changed_lines(old, new), expected, "{old:?} {new:?}");
        }
    }
}
