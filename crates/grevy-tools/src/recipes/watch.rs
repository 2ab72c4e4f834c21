//! `grevy watch`.

use super::child::{Child, FAILED, Ran};
use crate::events::{Event, Events};
use crate::exit::{At, Exit, Failure};
use crate::output;
use crate::znodes::connection::{Target, znode_path};
use clap::Args;
use grevy_cli::client::{EventKind, WatchMode, WatchedEvent};
use serde_json::json;
use std::collections::VecDeque;
use std::io::Write;
use std::time::{Duration, Instant};

/// What to watch, and what to run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy watch /app/config -- systemctl reload app
  grevy watch -r /services -- sh -c 'echo $GREVY_EVENT $GREVY_PATH'
  grevy watch -r /services --output json
  grevy watch /app/ready --once

The command runs once for each change, one after another, and finds in its environment GREVY_EVENT
(created, changed, deleted, children or reconnected), GREVY_PATH and GREVY_ZXID, the transaction, or -1
if the server does not tell. Without a command the changes are printed. If the session is lost, a new one
is opened and `reconnected` says that changes may have been missed. Ctrl-C ends it.

Exit codes: 0 with --once, the command's if that is not 0; 128 + the signal if one ended it.")]
pub struct Arguments {
    /// The znode; it need not exist.
    #[arg(value_parser = znode_path)]
    path: String,
    /// Everything below it too.
    #[arg(long, short)]
    recursive: bool,
    /// End after the first change.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    target: Target,
    /// The command, and its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Between attempts to open a new session.
const PAUSE: Duration = Duration::from_secs(1);

/// Something to tell.
struct Change {
    kind: &'static str,
    path: String,
    zxid: i64,
}

/// Watches until it is told to end.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Ran, Failure> {
    let events = Events::new()?;
    let mut first = true;
    loop {
        if let Some(ran) = watch(arguments, &events, first, out)? {
            return Ok(ran);
        }
        first = false;
    }
}

/// Watches with one session; `None` when that is lost.
fn watch(
    arguments: &Arguments,
    events: &Events,
    first: bool,
    out: &mut dyn Write,
) -> Result<Option<Ran>, Failure> {
    let Arguments { path, target, .. } = arguments;
    let sender = events.sender();
    let connection = loop {
        let sender = sender.clone();
        let connected = target.session.connect(move |event| {
            // Nobody waits any more if the process is about to end.
            let _ = sender.send(Event::Watched(event.clone()));
        });
        match connected {
            // Servers may need a while to be back.
            Err(failure) if failure.exit == Exit::NoServer && !first => {
                eprintln!("grevy: {failure}");
                let end = Instant::now() + PAUSE;
                if let Some(Event::Signal(number)) = events.next(Some(end)) {
                    return Ok(Some(signalled(number)));
                }
            }
            connected => break connected?,
        }
    };
    let mode = match arguments.recursive {
        true => WatchMode::PersistentRecursive,
        false => WatchMode::Persistent,
    };
    connection.client.add_watch(path, mode).at(path)?;
    let mut changes = VecDeque::new();
    if !first {
        changes.push_back(Change {
            kind: "reconnected",
            path: path.clone(),
            zxid: -1,
        });
    }
    loop {
        if let Some(change) = changes.pop_front() {
            let ran = tell(arguments, &change, events, &mut changes, out)?;
            if ran.is_some() {
                return Ok(ran);
            }
            continue;
        }
        // The event that tells so may have come while a command ran.
        if !connection.client.state().is_alive() {
            return Ok(None);
        }
        match events.next(None) {
            Some(Event::Signal(number)) => return Ok(Some(signalled(number))),
            Some(Event::Watched(event)) => changes.extend(change(event)),
            Some(Event::Ended | Event::Key(_)) | None => {}
        }
    }
}

/// Prints a change, or runs the command for it; what happens meanwhile is noted. Tells whether
/// that was all.
fn tell(
    arguments: &Arguments,
    change: &Change,
    events: &Events,
    changes: &mut VecDeque<Change>,
    out: &mut dyn Write,
) -> Result<Option<Ran>, Failure> {
    let Change { kind, path, zxid } = change;
    let once = |exit_code| {
        let message = None;
        arguments.once.then_some(Ran { exit_code, message })
    };
    if arguments.command.is_empty() {
        match arguments.target.is_json() {
            true => output::line(out, &json!({"event": kind, "path": path, "zxid": zxid}))?,
            false => writeln!(out, "{kind} {path}")?,
        }
        out.flush()?;
        return Ok(once(0));
    }
    let variables = [
        ("GREVY_EVENT", (*kind).to_owned()),
        ("GREVY_PATH", path.clone()),
        ("GREVY_ZXID", zxid.to_string()),
    ];
    let child = match Child::run(&arguments.command, &variables, events.sender()) {
        Ok(child) => child,
        Err(not_run) => return Ok(Some(not_run.into())),
    };
    let mut signal = None;
    loop {
        match events.next(None) {
            Some(Event::Ended) => {
                let ran = child.ended();
                if let Some(number) = signal {
                    return Ok(Some(signalled(number)));
                }
                return Ok(match ran.exit_code {
                    0 => once(0),
                    _ => Some(ran),
                });
            }
            Some(Event::Signal(number)) => {
                signal = Some(number);
                child.pass_on(number);
            }
            Some(Event::Watched(event)) => changes.extend(self::change(event)),
            Some(Event::Key(_)) | None => {}
        }
    }
}

fn change(event: WatchedEvent) -> Option<Change> {
    let kind = match event.kind {
        EventKind::NodeCreated => "created",
        EventKind::NodeDeleted => "deleted",
        EventKind::NodeDataChanged => "changed",
        EventKind::NodeChildrenChanged => "children",
        _ => return None,
    };
    Some(Change {
        kind,
        path: event.path?,
        zxid: event.zxid,
    })
}

fn signalled(number: i32) -> Ran {
    Ran {
        exit_code: u8::try_from(128 + number).unwrap_or(FAILED),
        message: None,
    }
}
