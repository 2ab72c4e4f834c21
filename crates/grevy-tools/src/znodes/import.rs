//! `grevy import`: writes what `grevy export` wrote.

use super::connection::{Target, znode_path};
use super::store::{Existing, KEEP, Record, moved, store, would_store};
use super::write::create_parents;
use crate::exit::{Exit, Failure};
use crate::interrupt;
use crate::output;
use crate::progress::Progress;
use clap::Args;
use grevy_cli::acl;
use grevy_cli::client::path;
use grevy_proto::Acl;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;

/// A line holds one znode; a server takes no more than some MiB in one.
const MAX_LINE: u64 = 64 << 20;

/// What to import, and where to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy import app.jsonl
  grevy import app.jsonl --to /copy/of/app --existing overwrite

The first line's path is the top of what was exported, and what --to replaces. Missing parents of the
top are created.")]
pub struct Arguments {
    /// What `grevy export` wrote; standard input if not given, or -.
    file: Option<PathBuf>,
    /// Where the top of the export goes; where it was if not given.
    #[arg(long, value_name = "PATH", value_parser = znode_path)]
    to: Option<String>,
    /// What becomes of znodes that exist already.
    #[arg(long, value_enum, default_value_t)]
    existing: Existing,
    /// Read everything, check it and what exists already, and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    target: Target,
}

/// Imports it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    interrupt::listen_for(KEEP)?;
    let mut lines = Lines::open(arguments)?;
    let Some(first) = lines.next().transpose()? else {
        return Err(Failure::usage("there is nothing to import"));
    };
    let top = first.path.clone();
    let to = arguments.to.as_ref().unwrap_or(&top);
    let records = std::iter::once(Ok(first)).chain(lines).map(|record| {
        let record = record?;
        let path = moved(&record.path, &top, to)?;
        Ok(Record { path, ..record })
    });
    // The root and what is at the top of a chroot are always there.
    let records = records.filter(|record| !matches!(record, Ok(record) if record.path == "/"));
    let written = match arguments.dry_run {
        true => {
            let connection = arguments.target.connect()?;
            would_store(&connection.client, records, arguments.existing)?
        }
        false => {
            let connection = arguments.target.connect()?;
            create_parents(&connection.client, to)?;
            let mut progress = Progress::new("imported", None);
            let step = &mut || progress.step();
            let hint = "its line has to come before";
            store(&connection.client, records, arguments.existing, hint, step)?
        }
    };
    let dry_run = arguments.dry_run;
    match arguments.target.is_json() {
        true => output::line(out, &json!({"written": written, "dryRun": dry_run}))?,
        false if dry_run => writeln!(out, "{written} znodes are in order")?,
        false => writeln!(out, "{written} znodes written")?,
    }
    Ok(Exit::Done)
}

/// The znodes of an export.
struct Lines {
    name: String,
    reader: Box<dyn BufRead>,
    number: u64,
}

impl Lines {
    fn open(arguments: &Arguments) -> Result<Self, Failure> {
        let file = arguments
            .file
            .as_ref()
            .filter(|file| file.as_os_str() != "-");
        let (name, reader): (_, Box<dyn BufRead>) = match file {
            None => (
                "standard input".to_owned(),
                Box::new(BufReader::new(io::stdin())),
            ),
            Some(path) => {
                let file = File::open(path).map_err(|error| Failure::file(path, "open", &error))?;
                (path.display().to_string(), Box::new(BufReader::new(file)))
            }
        };
        let number = 0;
        Ok(Self {
            name,
            reader,
            number,
        })
    }

    fn read(&mut self) -> Result<Option<Record>, String> {
        let mut line = Vec::new();
        let mut bounded = io::Read::take(&mut self.reader, MAX_LINE);
        let read = bounded.read_until(b'\n', &mut line);
        match read.map_err(|error| error.to_string())? {
            0 => Ok(None),
            n if n as u64 == MAX_LINE => Err(format!("it is longer than {MAX_LINE} bytes")),
            _ => parse(&line).map(Some),
        }
    }
}

impl Iterator for Lines {
    type Item = Result<Record, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.number += 1;
        let (name, number) = (&self.name, self.number);
        let place = format!("{name}, line {number}");
        let wrong =
            |why| Failure::usage(format!("{place}: {why}; nothing from here on was written"));
        let read = self.read().map_err(wrong);
        // The end of the input may be what Ctrl-C made of it.
        interrupt::check().and(read).transpose()
    }
}

fn parse(line: &[u8]) -> Result<Record, String> {
    let value: Value =
        serde_json::from_slice(line).map_err(|error| format!("not JSON: {error}"))?;
    let object = value.as_object().ok_or("not an object")?;
    let znode = object
        .get("path")
        .and_then(Value::as_str)
        .ok_or("there is no path, or it is not a string")?;
    path::check(znode)?;
    Ok(Record {
        path: znode.to_owned(),
        data: output::take_data(object)?,
        acl: list(object.get("acl"))?,
    })
}

fn list(value: Option<&Value>) -> Result<Vec<Acl>, String> {
    let Some(value) = value else {
        return Ok(vec![Acl::OPEN]);
    };
    let entries = value.as_array().ok_or("acl is not a list")?;
    let mut all = Vec::new();
    for entry in entries {
        let text = entry.as_str().ok_or("an entry of acl is not a string")?;
        let (entry, complaints) = acl::parse_entry(text);
        match (entry, complaints.into_iter().next()) {
            (Some(entry), None) => all.push(entry),
            (_, complaint) => return Err(complaint.unwrap_or_default()),
        }
    }
    match all.is_empty() {
        true => Err("acl has no entry".to_owned()),
        false => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let record = |data: Option<&[u8]>| Record {
            path: "/a".to_owned(),
            data: data.map(<[u8]>::to_vec),
            acl: vec![Acl::OPEN],
        };
        for (line, expected) in [
            (r#"{"path":"/a","data":"x"}"#, Ok(record(Some(b"x")))),
            (
                r#"{"path":"/a","dataBase64":"/w==","acl":["world:anyone:cdrwa"]}"#,
                Ok(record(Some(b"\xff"))),
            ),
            (r#"{"path":"/a","data":null}"#, Ok(record(None))),
            (r#"{"path":"a"}"#, Err("Path must start with / character")),
            ("[]", Err("not an object")),
            (
                r#"{"data":""}"#,
                Err("there is no path, or it is not a string"),
            ),
            (r#"{"path":"/a","acl":[]}"#, Err("acl has no entry")),
            (
                r#"{"path":"/a","acl":["x"]}"#,
                Err("x does not have the form scheme:id:perm"),
            ),
            (
                r#"{"path":"/a","data":"x","dataBase64":""}"#,
                Err("there must be one of data and dataBase64, a string"),
            ),
        ] {
            let got = parse(line.as_bytes());
            assert_eq!(got, expected.map_err(str::to_owned), "{line}");
        }
        assert!(parse(b"{").unwrap_err().starts_with("not JSON: "));
    }
}
