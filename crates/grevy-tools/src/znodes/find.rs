//! `grevy find`.

use super::connection::{Target, znode_path};
use super::glob::fits;
use super::read::put_stat;
use super::walk::{Found, Want, survey};
use crate::exit::{Exit, Failure};
use crate::files::filter::session;
use crate::output;
use clap::Args;
use grevy_cli::acl;
use grevy_proto::SessionId;
use serde_json::{Map, Value};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where, and what.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy find /app --name 'lock-*' --ephemeral
  grevy find / --min-bytes 100000
  grevy find / --acl world:anyone
  grevy find /config --contains 10.0.0.7
  grevy find / --changed-within 3600 --output json

All that is given must fit. The exit code is 1 if nothing was found.")]
pub struct Arguments {
    /// The top.
    #[arg(default_value = "/", value_parser = znode_path)]
    path: String,
    /// The last name of the path; * stands for any characters, ? for one.
    #[arg(long, value_name = "PATTERN")]
    name: Option<String>,
    /// The data, as bytes in it.
    #[arg(long, value_name = "TEXT")]
    contains: Option<String>,
    /// At least so much data.
    #[arg(long, value_name = "N")]
    min_bytes: Option<i32>,
    /// At most so much data.
    #[arg(long, value_name = "N")]
    max_bytes: Option<i32>,
    /// No children.
    #[arg(long)]
    leaf: bool,
    /// Ephemeral.
    #[arg(long)]
    ephemeral: bool,
    /// Ephemeral, of this session.
    #[arg(long, value_name = "ID", value_parser = session)]
    session: Option<SessionId>,
    /// An entry of the access control list begins so.
    #[arg(long, value_name = "SCHEME:ID[:PERMS]")]
    acl: Option<String>,
    /// The data was set or the znode created in the last so many seconds, by the servers' clock.
    #[arg(long, value_name = "SECONDS")]
    changed_within: Option<i64>,
    #[command(flatten)]
    target: Target,
}

/// Prints the paths of what fits.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let connection = arguments.target.connect()?;
    let want = Want {
        data: arguments.contains.is_some(),
        acl: arguments.acl.is_some(),
        depth: None,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let mut exit = Exit::Finding;
    let client = &connection.client;
    let surveyed = survey(client, &arguments.path, want, &mut |found| {
        if !arguments.takes(&found, now) {
            return Ok(());
        }
        exit = Exit::Done;
        match arguments.target.is_json() {
            true => {
                let mut object = Map::new();
                object.insert("path".to_owned(), found.path.as_str().into());
                put_stat(&mut object, &found.stat);
                output::line(out, &Value::Object(object))?;
            }
            false => writeln!(out, "{}", found.path)?,
        }
        Ok(())
    })?;
    // What was not found may be where nothing could be read.
    Ok(match surveyed {
        Exit::Done => exit,
        denied => denied,
    })
}

impl Arguments {
    fn takes(&self, found: &Found, now: i64) -> bool {
        let stat = &found.stat;
        let name = found.path.rsplit('/').next().unwrap_or_default();
        let owner = stat.ephemeral_owner;
        let fits_name = |pattern: &String| fits(pattern, name);
        self.name.as_ref().is_none_or(fits_name)
            && self.min_bytes.is_none_or(|min| stat.data_length >= min)
            && self.max_bytes.is_none_or(|max| stat.data_length <= max)
            && (!self.leaf || stat.num_children == 0)
            && (!self.ephemeral || owner != SessionId::NONE)
            && self.session.is_none_or(|session| owner == session)
            && self.changed_within.is_none_or(|seconds| {
                stat.mtime >= now.saturating_sub(seconds.saturating_mul(1000))
            })
            && self.contains.as_ref().is_none_or(|text| {
                let data = found.data.as_deref().unwrap_or_default();
                holds(data, text.as_bytes())
            })
            && self.acl.as_ref().is_none_or(|head| {
                let mut entries = found.acl.iter().map(acl::entry);
                entries.any(|entry| entry.starts_with(head.as_str()))
            })
    }
}

fn holds(data: &[u8], part: &[u8]) -> bool {
    part.is_empty() || data.windows(part.len()).any(|window| window == part)
}
