//! `grevy watch`.

use super::child::{Child, FAILED, Ran};
use crate::events::{Event, Events};
use crate::exit::{At, Exit, Failure};
use crate::output;
use crate::znodes::connection::{Target, znode_path};
use clap::Args;
use grevy_cli::client::{EventKind, KeeperState, WatchedEvent};
use grevy_proto::Zxid;
use grevy_proto::watch::AddWatchMode;
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
if the server does not tell. Without a command the changes are printed. `reconnected` says that no server was
heard of for a while and changes may have been missed, since servers do not tell them afterwards: look again.
If the session is lost, a new one is opened. If the command fails, a line says so, and the next change runs it
again. Ctrl-C ends it.

Exit codes: with --once the command's, or 0 without one; 128 + the signal if one ended it.")]
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

/// Changes may have been missed.
const RECONNECTED: &str = "reconnected";

/// Something to tell.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    kind: &'static str,
    path: String,
    zxid: i64,
}

/// What is to be told yet.
struct Changes<'a> {
    /// The znode that is watched.
    path: &'a str,
    queue: VecDeque<Change>,
    /// Whether there is no connection, so that changes may be missed.
    is_away: bool,
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
    // What is left of the session before, which is over.
    if let Some(number) = signal_until(events, Instant::now()) {
        return Ok(Some(signalled(number)));
    }
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
                if let Some(number) = signal_until(events, Instant::now() + PAUSE) {
                    return Ok(Some(signalled(number)));
                }
            }
            connected => break connected?,
        }
    };
    let mode = match arguments.recursive {
        true => AddWatchMode::PersistentRecursive,
        false => AddWatchMode::Persistent,
    };
    connection.client.add_watch(path, mode).at(path)?;
    let mut changes = Changes::new(path);
    if !first {
        changes.reconnected();
    }
    loop {
        if let Some(change) = changes.queue.pop_front() {
            if change.kind == RECONNECTED {
                // Answered after the watch is set again, so that nothing happens between what the
                // command sees and the next change. If this fails, `reconnected` comes once more.
                drop(connection.client.exists(path, false));
            }
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
            Some(Event::Watched(event)) => changes.note(event),
            Some(Event::Ended | Event::Key(_)) | None => {}
        }
    }
}

/// Waits for a signal; `None` at `end`. Whatever else happens is passed over: also what sessions
/// that could not be opened tell, which must not end the wait.
fn signal_until(events: &Events, end: Instant) -> Option<i32> {
    while let Some(event) = events.next(Some(end)) {
        if let Event::Signal(number) = event {
            return Some(number);
        }
    }
    None
}

/// Prints a change, or runs the command for it; what happens meanwhile is noted. Tells whether
/// that was all.
fn tell(
    arguments: &Arguments,
    change: &Change,
    events: &Events,
    changes: &mut Changes<'_>,
    out: &mut dyn Write,
) -> Result<Option<Ran>, Failure> {
    let Change { kind, path, zxid } = change;
    let once = |exit_code| {
        let message = None;
        arguments.once.then_some(Ran { exit_code, message })
    };
    if arguments.command.is_empty() {
        match arguments.target.is_json() {
            true => {
                let zxid = (*zxid >= 0).then(|| Zxid(*zxid).to_string());
                output::line(out, &json!({"event": kind, "path": path, "zxid": zxid}))?;
            }
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
        Err(not_run) if arguments.once => return Ok(Some(not_run.into())),
        Err(not_run) => {
            eprintln!("grevy: {}", not_run.message);
            return Ok(None);
        }
    };
    let mut signal = None;
    loop {
        match events.next(None) {
            Some(Event::Ended) => {
                let ran = child.ended();
                if let Some(number) = signal {
                    return Ok(Some(signalled(number)));
                }
                if ran.exit_code != 0 && !arguments.once {
                    let command = &arguments.command[0];
                    eprintln!(
                        "grevy: {command} ended with {} for {kind} {path}",
                        ran.exit_code
                    );
                }
                return Ok(arguments.once.then_some(ran));
            }
            Some(Event::Signal(number)) => {
                signal = Some(number);
                child.pass_on(number);
            }
            Some(Event::Watched(event)) => changes.note(event),
            Some(Event::Key(_)) | None => {}
        }
    }
}

impl<'a> Changes<'a> {
    /// None yet.
    fn new(path: &'a str) -> Self {
        Self {
            path,
            queue: VecDeque::new(),
            is_away: false,
        }
    }

    /// Changes may have been missed.
    fn reconnected(&mut self) {
        self.queue.push_back(Change {
            kind: RECONNECTED,
            path: self.path.to_owned(),
            zxid: -1,
        });
    }

    /// Takes what a session tells. Servers set persistent watches again after a connection was
    /// lost, but do not tell what happened meanwhile (`DataTree.setWatches`).
    fn note(&mut self, event: WatchedEvent) {
        let kind = match (event.kind, event.state) {
            (EventKind::NodeCreated, _) => "created",
            (EventKind::NodeDeleted, _) => "deleted",
            (EventKind::NodeDataChanged, _) => "changed",
            (EventKind::NodeChildrenChanged, _) => "children",
            (EventKind::None, KeeperState::Disconnected) => {
                self.is_away = true;
                return;
            }
            (EventKind::None, KeeperState::SyncConnected) if self.is_away => {
                self.is_away = false;
                return self.reconnected();
            }
            _ => return,
        };
        let zxid = event.zxid;
        let change = event.path.map(|path| Change { kind, path, zxid });
        self.queue.extend(change);
    }
}

fn signalled(number: i32) -> Ran {
    Ran {
        exit_code: u8::try_from(128 + number).unwrap_or(FAILED),
        message: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_comes_back_is_told_and_the_first_is_not() {
        let mut changes = Changes::new("/w");
        let created = WatchedEvent {
            state: KeeperState::SyncConnected,
            kind: EventKind::NodeCreated,
            path: Some("/w".to_owned()),
            zxid: 7,
        };
        for event in [
            WatchedEvent::state(KeeperState::SyncConnected),
            created,
            WatchedEvent::state(KeeperState::Disconnected),
            WatchedEvent::state(KeeperState::SyncConnected),
        ] {
            changes.note(event);
        }
        let told: Vec<_> = changes.queue.iter().map(|c| (c.kind, c.zxid)).collect();
        assert_eq!(told, [("created", 7), ("reconnected", -1)]);
    }
}
