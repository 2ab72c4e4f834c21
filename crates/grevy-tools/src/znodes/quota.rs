//! `grevy quota`: limits of subtrees.

use super::connection::{Target, znode_path};
use crate::exit::{Exit, Failure};
use crate::output;
use clap::{Args, Subcommand};
use grevy_cli::CliError;
use grevy_cli::quota::{self, Limit, Track};
use serde_json::{Map, Value, json};
use std::io::Write;

/// What to do.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy quota set /app --znodes-hard 1000 --bytes-hard 10000000
  grevy quota list /app --output json
  grevy quota delete /app

A soft limit lets the servers warn in their logs; a hard one is enforced by servers that have
enforceQuota=true. A quota can be neither above nor below another.")]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show limits and use; the exit code is 3 if there is no quota.
    List(Of),
    /// Set limits; others stay as they are.
    Set(Set),
    /// Take all limits away.
    Delete(Of),
}

/// Of which subtree.
#[derive(Debug, Args)]
pub struct Of {
    /// The top of the subtree.
    #[arg(value_parser = znode_path)]
    path: String,
    #[command(flatten)]
    target: Target,
}

/// Of which subtree, and what.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    of: Of,
}

/// At least one.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Limits {
    /// So many znodes, with a warning beyond.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=i32::MAX as i64))]
    znodes: Option<i64>,
    /// So many bytes of data, with a warning beyond.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    bytes: Option<i64>,
    /// So many znodes and no more.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=i32::MAX as i64))]
    znodes_hard: Option<i64>,
    /// So many bytes of data and no more.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    bytes_hard: Option<i64>,
}

/// Does it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    match &arguments.what {
        What::List(of) => list(of, out),
        What::Set(set) => self::set(set, out),
        What::Delete(of) => delete(of, out),
    }
}

fn list(Of { path, target }: &Of, out: &mut dyn Write) -> Result<Exit, Failure> {
    let connection = target.connect()?;
    let (limits, used) = quota::of(&connection.client, path)
        .map_err(failed)?
        .ok_or_else(|| none(path))?;
    show(path, &limits, &used, target.is_json(), out)
}

fn set(Set { limits, of }: &Set, out: &mut dyn Write) -> Result<Exit, Failure> {
    let Of { path, target } = of;
    let connection = target.connect()?;
    let mut now = None;
    for (limit, value) in [
        (Limit::Count, limits.znodes),
        (Limit::Bytes, limits.bytes),
        (Limit::CountHard, limits.znodes_hard),
        (Limit::BytesHard, limits.bytes_hard),
    ] {
        if let Some(value) = value {
            now = Some(quota::limit_to(&connection.client, path, limit, value).map_err(failed)?);
        }
    }
    match now {
        Some((limits, used)) if target.is_json() => show(path, &limits, &used, true, out),
        _ => Ok(Exit::Done),
    }
}

fn delete(Of { path, target }: &Of, out: &mut dyn Write) -> Result<Exit, Failure> {
    let connection = target.connect()?;
    if !quota::remove(&connection.client, path, None).map_err(failed)? {
        return Err(none(path));
    }
    if target.is_json() {
        output::line(out, &json!({"path": path, "deleted": true}))?;
    }
    Ok(Exit::Done)
}

fn show(
    path: &str,
    limits: &Track,
    used: &Track,
    is_json: bool,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let limit = |limit| Some(limits.get(limit)).filter(|&value| value >= 0);
    let rows = [
        ("znodes", Limit::Count, Limit::CountHard),
        ("bytes", Limit::Bytes, Limit::BytesHard),
    ];
    if is_json {
        let mut object = Map::from_iter([("path".to_owned(), path.into())]);
        for (name, soft, hard) in rows {
            let value = json!({
                "used": used.get(soft), "limit": limit(soft), "hardLimit": limit(hard),
            });
            object.insert(name.to_owned(), value);
        }
        output::line(out, &Value::Object(object))?;
        return Ok(Exit::Done);
    }
    let shown = |value: Option<i64>| value.map_or("-".to_owned(), |value| value.to_string());
    writeln!(
        out,
        "{:<6}  {:>12}  {:>12}  {:>12}",
        "", "USED", "LIMIT", "HARD LIMIT"
    )?;
    for (name, soft, hard) in rows {
        let (now, soft, hard) = (used.get(soft), shown(limit(soft)), shown(limit(hard)));
        writeln!(out, "{name:<6}  {now:>12}  {soft:>12}  {hard:>12}")?;
    }
    Ok(Exit::Done)
}

fn none(path: &str) -> Failure {
    let text = format!("{path} has no quota; grevy quota set gives it one");
    Failure::new(Exit::NoNode, text)
}

fn failed(error: CliError) -> Failure {
    let exit = match error.exit_code {
        3 => Exit::NoNode,
        4 => Exit::Conflict,
        5 => Exit::Denied,
        6 => Exit::NoServer,
        7 => Exit::SessionLost,
        _ => Exit::Refused,
    };
    Failure::new(exit, error.message)
}
