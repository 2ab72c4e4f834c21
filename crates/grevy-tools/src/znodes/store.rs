//! Writes znodes that were read elsewhere: in a file, in another place, in another cluster.

use super::walk::Found;
use super::window::{WINDOW, Window};
use crate::exit::{At, Failure, USUAL_MAX};
use crate::interrupt;
use clap::ValueEnum;
use grevy_cli::client::{Client, ClientError, Node, Pending};
use grevy_proto::request::CreateMode;
use grevy_proto::{Acl, ErrorCode};

/// For whoever interrupts it.
pub const KEEP: &str = "run it again with --existing keep to go on";

/// What becomes of znodes that exist already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Existing {
    /// They end the command.
    #[default]
    Fail,
    /// They stay as they are.
    Keep,
    /// They get the new data and access control list.
    Overwrite,
}

/// A znode to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its path.
    pub path: String,
    /// Its data.
    pub data: Option<Vec<u8>>,
    /// Its access control list.
    pub acl: Vec<Acl>,
}

impl Record {
    /// What was found, at another path.
    pub fn at(path: String, found: Found) -> Self {
        Self {
            path,
            data: found.data,
            acl: found.acl,
        }
    }

    fn bytes(&self) -> usize {
        self.data.as_ref().map_or(0, Vec::len)
    }
}

/// Writes records, parents before their children; returns how many were created or changed.
/// `no_parent` says what to do if the parent of one does not exist.
pub fn store(
    client: &Client,
    records: impl IntoIterator<Item = Result<Record, Failure>>,
    existing: Existing,
    no_parent: &str,
    step: &mut dyn FnMut(),
) -> Result<u64, Failure> {
    let mut records = records.into_iter();
    let mut written = 0;
    loop {
        // Batches keep the order and bound what is held in memory.
        let batch = interrupt::check()
            .and_then(|()| records.by_ref().take(WINDOW).collect::<Result<Vec<_>, _>>())
            .map_err(|failure| interrupt::with_count(failure, written, "written", KEEP))?;
        if batch.is_empty() {
            return Ok(written);
        }
        written += store_batch(client, &batch, existing, no_parent, step)?;
    }
}

/// As [`store`], but only looks: how many would be created or changed, or what exists already.
pub fn would_store(
    client: &Client,
    records: impl IntoIterator<Item = Result<Record, Failure>>,
    existing: Existing,
) -> Result<u64, Failure> {
    let mut records = records.into_iter();
    let mut count = 0;
    loop {
        interrupt::check()?;
        let batch: Vec<Record> = records.by_ref().take(WINDOW).collect::<Result<_, _>>()?;
        if batch.is_empty() {
            return Ok(count);
        }
        let asked = batch
            .iter()
            .map(|record| client.submit_get_acl(&record.path));
        let asked: Vec<_> = asked.collect();
        for (record, asked) in batch.iter().zip(asked) {
            let exists = match asked.wait() {
                Err(error) if error.is(ErrorCode::NoNode) => false,
                // It is there for those who may see it.
                Err(error) if error.is(ErrorCode::NoAuth) => true,
                asked => asked.at(&record.path).map(|_| true)?,
            };
            match existing {
                Existing::Fail if exists => {
                    let error = ClientError::Server(ErrorCode::NodeExists.wire());
                    return Err(Failure::request(&error, &record.path));
                }
                Existing::Keep if exists => {}
                _ => count += 1,
            }
        }
    }
}

/// Creating tells which ones exist; those are set next, if that is wanted.
fn store_batch(
    client: &Client,
    batch: &[Record],
    existing: Existing,
    no_parent: &str,
    step: &mut dyn FnMut(),
) -> Result<u64, Failure> {
    let created: Vec<_> = batch.iter().map(|record| create(client, record)).collect();
    let none = |_: &ClientError| false;
    let mut nothing = || {};
    let mut window = Window::new(&none, &mut nothing);
    let mut written = 0;
    for (record, created) in batch.iter().zip(created) {
        match (created.wait(), existing) {
            (Ok(()), _) => written += 1,
            (Err(error), Existing::Keep) if error.is(ErrorCode::NodeExists) => {}
            (Err(error), Existing::Overwrite) if error.is(ErrorCode::NodeExists) => {
                set(client, record, &mut window)?;
                written += 1;
            }
            (Err(error), _) if error.is(ErrorCode::NoNode) => {
                return Err(Failure::no_parent(&record.path, no_parent));
            }
            (Err(error), _) => {
                // One that is too large takes the connection of all others with it.
                let large = batch.iter().find(|record| record.bytes() > USUAL_MAX);
                let record = match error {
                    ClientError::OutcomeUnknown(_) => large.unwrap_or(record),
                    _ => record,
                };
                return Err(Failure::write(&error, &record.path, record.bytes()));
            }
        }
        step();
    }
    window.finish()?;
    Ok(written)
}

/// Gives a znode that exists the data and list of the record.
pub fn set(client: &Client, record: &Record, window: &mut Window<'_>) -> Result<(), Failure> {
    let data = client.submit_set_data(&record.path, record.data.as_deref());
    window.push(record.path.clone(), data)?;
    let acl = client.submit_set_acl(&record.path, &record.acl);
    window.push(record.path.clone(), acl)
}

/// Creates it as a persistent znode.
pub fn create(client: &Client, record: &Record) -> Pending<()> {
    let node = Node {
        data: record.data.clone(),
        acl: record.acl.clone(),
        mode: CreateMode::Persistent,
        ttl: 0,
    };
    client.submit_create(&record.path, &node)
}

/// The path below `from`, put below `to`; the error is for a path that is not below it.
pub fn moved(path: &str, from: &str, to: &str) -> Result<String, Failure> {
    let below = match from {
        "/" if path == "/" => Some(""),
        "/" => Some(path),
        from => path
            .strip_prefix(from)
            .filter(|rest| rest.is_empty() || rest.starts_with('/')),
    };
    let below = below.ok_or_else(|| Failure::usage(format!("{path} is not below {from}")))?;
    Ok(match (to, below) {
        ("/", "") => "/".to_owned(),
        ("/", below) => below.to_owned(),
        (to, below) => format!("{to}{below}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_move() {
        for (path, from, to, expected) in [
            ("/a/b", "/a", "/x", Some("/x/b")),
            ("/a", "/a", "/x/y", Some("/x/y")),
            ("/a/b", "/a", "/", Some("/b")),
            ("/", "/", "/x", Some("/x")),
            ("/a", "/", "/x", Some("/x/a")),
            ("/a", "/", "/", Some("/a")),
            ("/", "/", "/", Some("/")),
            ("/ab", "/a", "/x", None),
        ] {
            let got = moved(path, from, to).ok();
            assert_eq!(got.as_deref(), expected, "{path} {from} {to}");
        }
    }
}
