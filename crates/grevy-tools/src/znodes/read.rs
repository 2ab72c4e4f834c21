//! `grevy get`, `stat` and `getAcl`.

use super::connection::{Target, znode_path};
use crate::exit::{At, Exit, Failure};
use crate::output;
use clap::Args;
use grevy_cli::acl;
use grevy_cli::client::ClientError;
use grevy_cli::format;
use grevy_proto::{ErrorCode, Stat};
use serde_json::{Map, Value, json};
use std::io::{self, IsTerminal, Write};

/// Of which znode.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy get /app/config > config.json
  grevy get /app/config --output json | jq .version

The data is written as it is; only on a terminal a line break is added. JSON has it as data if it is
text, else as dataBase64.")]
pub struct Get {
    /// The znode.
    #[arg(value_parser = znode_path)]
    path: String,
    #[command(flatten)]
    target: Target,
}

/// Writes its data.
pub fn get(arguments: &Get, out: &mut dyn Write) -> Result<Exit, Failure> {
    let Get { path, target } = arguments;
    let connection = target.connect()?;
    let (data, stat) = connection.client.get_data(path, false).at(path)?;
    if target.is_json() {
        let mut object = Map::new();
        object.insert("path".to_owned(), path.as_str().into());
        output::put_data(&mut object, data.as_deref());
        put_stat(&mut object, &stat);
        output::line(out, &Value::Object(object))?;
        return Ok(Exit::Done);
    }
    let data = data.unwrap_or_default();
    out.write_all(&data)?;
    if io::stdout().is_terminal() && !data.ends_with(b"\n") {
        writeln!(out)?;
    }
    Ok(Exit::Done)
}

/// Of which znode.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy stat /app/config
  grevy stat /app/leader >/dev/null || echo nobody leads

The exit code is 3 if the znode does not exist.")]
pub struct StatOf {
    /// The znode.
    #[arg(value_parser = znode_path)]
    path: String,
    #[command(flatten)]
    target: Target,
}

/// Writes its metadata.
pub fn stat(arguments: &StatOf, out: &mut dyn Write) -> Result<Exit, Failure> {
    let StatOf { path, target } = arguments;
    let connection = target.connect()?;
    let stat = connection.client.exists(path, false).at(path)?;
    let missing = ClientError::Server(ErrorCode::NoNode.wire());
    let stat = stat.ok_or(missing).at(path)?;
    match target.is_json() {
        true => {
            let mut object = Map::new();
            object.insert("path".to_owned(), path.as_str().into());
            put_stat(&mut object, &stat);
            output::line(out, &Value::Object(object))?;
        }
        false => out.write_all(format::stat(&stat).as_bytes())?,
    }
    Ok(Exit::Done)
}

/// Of which znode.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  grevy getAcl /app/secret

Each line can be given to setAcl again. The version of the list is `aclVersion` in `stat`.")]
pub struct GetAcl {
    /// The znode.
    #[arg(value_parser = znode_path)]
    path: String,
    #[command(flatten)]
    target: Target,
}

/// Writes its access control list.
pub fn get_acl(arguments: &GetAcl, out: &mut dyn Write) -> Result<Exit, Failure> {
    let GetAcl { path, target } = arguments;
    let connection = target.connect()?;
    let (list, stat) = connection.client.get_acl(path).at(path)?;
    if target.is_json() {
        let acl = output::acl_json(&list);
        let object = json!({"path": path, "acl": acl, "aversion": stat.aversion});
        output::line(out, &object)?;
        return Ok(Exit::Done);
    }
    for entry in &list {
        writeln!(out, "{}", acl::entry(entry))?;
    }
    Ok(Exit::Done)
}

/// The fields of a Stat, in JSON.
pub fn put_stat(object: &mut Map<String, Value>, stat: &Stat) {
    let fields = [
        ("czxid", json!(stat.czxid.to_string())),
        ("mzxid", json!(stat.mzxid.to_string())),
        ("pzxid", json!(stat.pzxid.to_string())),
        ("ctime", json!(stat.ctime)),
        ("mtime", json!(stat.mtime)),
        ("version", json!(stat.version)),
        ("cversion", json!(stat.cversion)),
        ("aversion", json!(stat.aversion)),
        ("ephemeralOwner", json!(stat.ephemeral_owner.to_string())),
        ("dataLength", json!(stat.data_length)),
        ("numChildren", json!(stat.num_children)),
    ];
    object.extend(fields.map(|(name, value)| (name.to_owned(), value)));
}
