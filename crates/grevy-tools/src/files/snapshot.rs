//! `grevy inspect snapshot`: what a snapshot holds. Source: `SnapshotFormatter`,
//! `SnapshotRecursiveSummary`.

use super::filter::Filter;
use super::sizes::Sizes;
use crate::exit::{Exit, Failure};
use crate::output::{self, Output};
use clap::Args;
use grevy_proto::{Acl, SessionId, StatPersisted};
use grevy_storage::snapshot::{self, BodyParser, DigestValue, Item, SnapshotError, SnapshotInfo};
use grevy_storage::{RealDisk, Rejected};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What to show.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy inspect snapshot data/version-2/snapshot.0
  grevy inspect snapshot snapshot.1f.gz --path /kafka --data
  grevy inspect snapshot snapshot.1f --sizes --depth 2
  grevy inspect snapshot snapshot.1f --output json | jq 'select(.type == \"znode\") | .path'

Znodes come in the order of the file, parents before their children. Files of any size are read
without being held in memory. If the file is damaged, what precedes the damage is shown, and the
exit code is 1.")]
pub struct Arguments {
    /// A snapshot; the end of its name, .gz or .snappy, tells how it is compressed.
    file: PathBuf,
    #[command(flatten)]
    filter: Filter,
    /// Show data too.
    #[arg(long)]
    data: bool,
    /// Show every field of each znode, and its access control list.
    #[arg(long)]
    long: bool,
    /// Show how many znodes and bytes are in each subtree instead.
    #[arg(long, conflicts_with_all = ["data", "long"])]
    sizes: bool,
    /// With --sizes: how far below the root, or below --path, subtrees are told apart.
    #[arg(long, value_name = "LEVELS", default_value_t = 1)]
    depth: usize,
    #[command(flatten)]
    output: Output,
}

/// Shows it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let filter = &arguments.filter;
    if arguments.sizes {
        let root = filter.path.as_deref().unwrap_or("/");
        let mut sizes = Sizes::new(root, arguments.depth);
        each_item(&arguments.file, &mut |item| {
            if let Item::Node {
                path, data, stat, ..
            } = item
            {
                let path = client_path(&path);
                if filter.takes_znode(path, stat.mzxid, stat.ephemeral_owner) {
                    sizes.add(path, data.map_or(0, |data| data.len() as u64));
                }
            }
            Ok(())
        })?;
        sizes.write(out, arguments.output.is_json())?;
        return Ok(Exit::Done);
    }
    let mut printer = Printer {
        arguments,
        out,
        acls: BTreeMap::new(),
        began: false,
        sessions: 0,
        znodes: 0,
        bytes: 0,
    };
    let info = each_item(&arguments.file, &mut |item| printer.item(item))?;
    printer.end(&info)?;
    Ok(Exit::Done)
}

/// Hands the items of a snapshot to `take`, whose error ends it.
pub fn each_item(
    path: &Path,
    take: &mut dyn FnMut(Item<'_>) -> io::Result<()>,
) -> Result<SnapshotInfo, Failure> {
    let mut parser = BodyParser::new(super::MAX_ITEM);
    let mut failed = None;
    let read = snapshot::read(
        &RealDisk,
        path,
        super::compression(path),
        &mut |chunk: &[u8]| {
            parser.feed(chunk, &mut |item| {
                take(item).map_err(|error| {
                    failed = Some(error);
                    Rejected("the output ended".to_owned())
                })
            })
        },
    );
    match (read, failed) {
        (_, Some(error)) => Err(error.into()),
        (Ok(info), None) => Ok(info),
        (Err(SnapshotError::Disk(error)), None) => Err(error.into()),
        (Err(error), None) => Err(Failure::new(
            Exit::Finding,
            format!(
                "{} is not a whole snapshot: {error}; use an older one, or one of another server",
                path.display()
            ),
        )),
    }
}

/// The root's path is empty in snapshots.
pub fn client_path(path: &str) -> &str {
    match path {
        "" => "/",
        path => path,
    }
}

struct Printer<'a> {
    arguments: &'a Arguments,
    out: &'a mut dyn Write,
    /// The file's table of lists, by their numbers there.
    acls: BTreeMap<i64, Vec<Acl>>,
    /// The heading of the znodes is written.
    began: bool,
    sessions: u64,
    znodes: u64,
    bytes: u64,
}

impl Printer<'_> {
    fn item(&mut self, item: Item<'_>) -> io::Result<()> {
        let is_json = self.arguments.output.is_json();
        match item {
            Item::Session { id, timeout } => {
                self.sessions += 1;
                let wanted = self.arguments.filter.session;
                match wanted.is_none_or(|wanted| wanted == id) {
                    true if is_json => output::line(
                        self.out,
                        &json!({"type": "session", "id": id.to_string(), "timeout": timeout}),
                    ),
                    true => writeln!(self.out, "session {id} timeout {timeout} ms"),
                    false => Ok(()),
                }
            }
            Item::Acl { id, list } => {
                self.acls.insert(id, list);
                Ok(())
            }
            Item::Node {
                path,
                data,
                acl,
                stat,
            } => {
                let path = client_path(&path);
                let filter = &self.arguments.filter;
                if !filter.takes_znode(path, stat.mzxid, stat.ephemeral_owner) {
                    return Ok(());
                }
                self.znodes += 1;
                self.bytes += data.map_or(0, |data| data.len() as u64);
                match is_json {
                    true => self.json(path, data, acl, &stat),
                    false => self.text(path, data, acl, &stat),
                }
            }
        }
    }

    fn json(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: i64,
        stat: &StatPersisted,
    ) -> io::Result<()> {
        let mut object = Map::new();
        object.insert("type".to_owned(), "znode".into());
        object.insert("path".to_owned(), path.into());
        let len = data.map_or(0, <[u8]>::len);
        object.insert("dataLength".to_owned(), len.into());
        output::put_stat(&mut object, stat);
        object.insert("acl".to_owned(), output::acl_json(&self.acl(acl)));
        if self.arguments.data {
            output::put_data(&mut object, data);
        }
        output::line(self.out, &Value::Object(object))
    }

    fn text(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: i64,
        stat: &StatPersisted,
    ) -> io::Result<()> {
        let len = data.map_or(0, <[u8]>::len);
        if self.arguments.long {
            let list = output::acl_text(&self.acl(acl));
            writeln!(self.out, "{path}\n{}  acl {list}", long(stat, len))?;
        } else {
            if !self.began {
                self.began = true;
                writeln!(
                    self.out,
                    "{:>18} {:>9} {:>9}  {:<28}  PATH",
                    "MZXID", "VERSION", "BYTES", "KIND"
                )?;
            }
            writeln!(
                self.out,
                "{:>18} {:>9} {len:>9}  {:<28}  {path}",
                stat.mzxid.to_string(),
                stat.version,
                output::kind(stat.ephemeral_owner)
            )?;
        }
        match self.arguments.data {
            true => writeln!(self.out, "  data {}", output::data_text(data)),
            false => Ok(()),
        }
    }

    fn acl(&self, id: i64) -> Cow<'_, [Acl]> {
        match self.acls.get(&id) {
            Some(list) => Cow::Borrowed(list),
            None if id == -1 => Cow::Owned(vec![Acl::OPEN]),
            None => Cow::Borrowed(&[]),
        }
    }

    fn end(&mut self, info: &SnapshotInfo) -> io::Result<()> {
        let digest = info.digest.as_ref().map(|digest| match &digest.value {
            DigestValue::Number(number) => (digest.zxid, number.to_string()),
            DigestValue::Text(text) => (digest.zxid, text.clone()),
        });
        let last = info.last_zxid.map(|zxid| zxid.to_string());
        if self.arguments.output.is_json() {
            let digest =
                digest.map(|(zxid, value)| json!({"zxid": zxid.to_string(), "value": value}));
            let object = json!({
                "type": "end", "znodes": self.znodes, "bytes": self.bytes,
                "sessions": self.sessions, "digest": digest, "lastZxid": last,
            });
            return output::line(self.out, &object);
        }
        write!(
            self.out,
            "{} znodes with {} bytes of data, {} sessions",
            self.znodes, self.bytes, self.sessions
        )?;
        if let Some((zxid, value)) = digest {
            write!(self.out, ", digest {value} at {zxid}")?;
        }
        if let Some(last) = last {
            write!(self.out, ", last zxid {last}")?;
        }
        writeln!(self.out)
    }
}

fn long(stat: &StatPersisted, len: usize) -> String {
    format!(
        "  cZxid {}  mZxid {}  pZxid {}\n  ctime {}  mtime {}\n  version {}  cversion {}  \
         aversion {}\n  ephemeralOwner {} ({})  dataLength {len}\n",
        stat.czxid,
        stat.mzxid,
        stat.pzxid,
        output::time(stat.ctime),
        output::time(stat.mtime),
        stat.version,
        stat.cversion,
        stat.aversion,
        SessionId(stat.ephemeral_owner),
        output::kind(stat.ephemeral_owner),
    )
}
