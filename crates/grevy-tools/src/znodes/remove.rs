//! `grevy rm`.

use super::connection::{Target, znode_path};
use super::walk::{Want, users_own, walk};
use super::window::Window;
use crate::exit::{At, Exit, Failure};
use crate::interrupt;
use crate::output;
use crate::progress::Progress;
use clap::Args;
use grevy_cli::client::{Client, ClientError};
use grevy_proto::ErrorCode;
use serde_json::json;
use std::io::Write;

/// For whoever interrupts it.
pub const AGAIN: &str = "run it again to go on";

/// What to delete.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy rm /app/old
  grevy rm -r /app/old --dry-run
  grevy rm -r /app/old /app/older

With -r, children go before their parents. If others create znodes there meanwhile, their parents
stay, and the exit code is 4: run it again. What cannot be deleted is told and passed over; the exit code is
that of the first.")]
pub struct Arguments {
    /// The znodes.
    #[arg(required = true, value_name = "PATH", value_parser = znode_path)]
    paths: Vec<String>,
    /// With all that is below them.
    #[arg(long, short)]
    recursive: bool,
    /// Print what would be deleted, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Only if the data has this version.
    #[arg(long, short = 'v', default_value_t = -1, hide_default_value = true)]
    #[arg(conflicts_with = "recursive")]
    version: i32,
    /// It is no failure if a znode does not exist.
    #[arg(long, short)]
    force: bool,
    #[command(flatten)]
    target: Target,
}

/// Deletes.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    if arguments.paths.iter().any(|path| path == "/") {
        return Err(Failure::usage(
            "the root cannot be deleted; name the znodes below it",
        ));
    }
    let connection = arguments.target.connect()?;
    interrupt::listen_for(AGAIN)?;
    let client = &connection.client;
    let mut exit = Exit::Done;
    for path in &arguments.paths {
        let deleted = match arguments.recursive || arguments.dry_run {
            true => remove_all(arguments, client, path, out),
            false => {
                let deleted = client.delete(path, arguments.version);
                deleted.map(|()| 1).at(path)
            }
        };
        let deleted = match deleted {
            Err(failure) if failure.exit == Exit::NoNode && arguments.force => 0,
            // The others may be deleted all the same; nothing can be done without a server.
            Err(failure)
                if matches!(failure.exit, Exit::NoNode | Exit::Conflict | Exit::Denied) =>
            {
                eprintln!("grevy: {failure}");
                exit = match exit {
                    Exit::Done => failure.exit,
                    first => first,
                };
                continue;
            }
            deleted => deleted?,
        };
        if arguments.target.is_json() && !arguments.dry_run {
            output::line(out, &json!({"path": path, "deleted": deleted}))?;
        }
    }
    Ok(exit)
}

fn remove_all(
    arguments: &Arguments,
    client: &Client,
    path: &str,
    out: &mut dyn Write,
) -> Result<u64, Failure> {
    let mut paths = Vec::new();
    let mut counted = Progress::new("znodes found", None);
    let want = Want {
        depth: (!arguments.recursive).then_some(0),
        ..Want::default()
    };
    let found = walk(client, path, want, &users_own, &mut |found| {
        paths.push(found.path);
        counted.step();
        Ok(())
    });
    found.map_err(|failure| interrupt::with_count(failure, 0, "deleted", AGAIN))?;
    drop(counted);
    paths.reverse();
    if !arguments.dry_run {
        return delete_each(client, paths);
    }
    for path in &paths {
        match arguments.target.is_json() {
            true => output::line(out, &json!({"path": path, "deleted": 0, "dryRun": true}))?,
            false => writeln!(out, "{path}")?,
        }
    }
    Ok(0)
}

/// Deletes each, in this order; children have to come before their parents. Returns how many.
pub fn delete_each(client: &Client, paths: Vec<String>) -> Result<u64, Failure> {
    let mut progress = Progress::new("deleted", Some(paths.len() as u64));
    let gone = |error: &ClientError| error.is(ErrorCode::NoNode);
    let mut step = || progress.step();
    let mut window = Window::new(&gone, &mut step);
    for path in paths {
        if let Err(failure) = interrupt::check() {
            window.finish().map_err(again)?;
            return Err(interrupt::with_count(
                failure,
                progress.done(),
                "deleted",
                AGAIN,
            ));
        }
        let pending = client.submit_delete(&path);
        window.push(path, pending).map_err(again)?;
    }
    window.finish().map_err(again)?;
    Ok(progress.done())
}

fn again(failure: Failure) -> Failure {
    match failure.exit {
        Exit::Conflict => Failure::new(
            Exit::Conflict,
            "somebody created znodes there meanwhile; run it again",
        ),
        _ => failure,
    }
}
