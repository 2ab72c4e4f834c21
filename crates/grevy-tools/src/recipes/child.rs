//! The command that is run.

use super::bound::bound;
use crate::events::Event;
use crate::exit::Failure;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, kill_process, waitid};
use rustix::termios::tcgetpgrp;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, ExitStatus};
use std::sync::mpsc::Sender;

/// The session was lost, or what is held by it; the command has been told to end.
pub const LOST: u8 = 123;
/// The time to wait was over.
pub const TIMED_OUT: u8 = 124;
/// Grevy itself failed.
pub const FAILED: u8 = 125;
/// The command cannot be run.
const NOT_RUNNABLE: u8 = 126;
/// There is no such command.
const NOT_FOUND: u8 = 127;

/// A running command. Its end comes as an event, and then [`ended`](Self::ended) tells how; until
/// that is called its process id is not given to another process, so signals reach none but it.
pub struct Child {
    process: process::Child,
    pid: Pid,
}

/// Why a command was not run: a line, and an exit code.
#[derive(Debug)]
pub struct NotRun {
    /// For people.
    pub message: String,
    /// What shells end with.
    pub exit_code: u8,
}

impl NotRun {
    /// `words` cannot be run.
    pub fn because(words: &[String], error: &io::Error) -> Self {
        Self {
            message: format!("cannot run {}: {error}", words.join(" ")),
            exit_code: match error.kind() {
                io::ErrorKind::NotFound => NOT_FOUND,
                _ => NOT_RUNNABLE,
            },
        }
    }
}

impl Child {
    /// Runs `words` with these variables in its environment.
    pub fn run(
        words: &[String],
        variables: &[(&str, String)],
        ended: Sender<Event>,
    ) -> Result<Self, NotRun> {
        let not_run = |error: &io::Error| NotRun::because(words, error);
        let (program, arguments) = words.split_first().ok_or_else(|| NotRun {
            message: "there is no command to run".to_owned(),
            exit_code: NOT_FOUND,
        })?;
        let process = bound(program)
            .args(arguments)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .spawn()
            .map_err(|error| not_run(&error))?;
        let pid = Pid::from_child(&process);
        std::thread::Builder::new()
            .name("child".to_owned())
            .spawn(move || {
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
                while matches!(waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
                // Nobody waits any more if the process is about to end.
                let _ = ended.send(Event::Ended);
            })
            .map_err(|error| not_run(&error))?;
        Ok(Self { process, pid })
    }

    /// How it ended; to be called when it has.
    pub fn ended(mut self) -> Ran {
        match self.process.wait() {
            Ok(status) => status.into(),
            Err(error) => Ran::because(FAILED, format!("cannot tell how it ended: {error}")),
        }
    }

    /// Hands on a signal that this process got. A terminal sends what its keys stand for to all
    /// in its foreground, so to the command already.
    pub fn pass_on(&self, signal: i32) {
        match Signal::from_named_raw(signal) {
            Some(Signal::INT | Signal::QUIT) if is_in_foreground() => {}
            Some(signal) => self.send(signal),
            None => {}
        }
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.send(Signal::TERM);
    }

    /// Ends it.
    pub fn kill(&self) {
        self.send(Signal::KILL);
    }

    fn send(&self, signal: Signal) {
        // It may have ended by itself.
        let _ = kill_process(self.pid, signal);
    }
}

/// Whether a terminal's keys send signals to this process.
fn is_in_foreground() -> bool {
    let group = getpgrp();
    [tcgetpgrp(io::stdin()), tcgetpgrp(io::stderr())]
        .into_iter()
        .any(|foreground| foreground.is_ok_and(|foreground| foreground == group))
}

/// As shells tell it: the command's code, or 128 and its signal's number.
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(FAILED)
}

/// How a command that runs another one ended, if it did not fail before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// What the process ends with.
    pub exit_code: u8,
    /// What there is to say.
    pub message: Option<String>,
}

impl Ran {
    /// With a line for people.
    pub fn because(exit_code: u8, message: impl Into<String>) -> Self {
        let message = Some(message.into());
        Self { exit_code, message }
    }
}

impl From<ExitStatus> for Ran {
    fn from(status: ExitStatus) -> Self {
        Self {
            exit_code: exit_code(status),
            message: None,
        }
    }
}

impl From<NotRun> for Ran {
    fn from(not_run: NotRun) -> Self {
        Self::because(not_run.exit_code, not_run.message)
    }
}

impl From<Failure> for Ran {
    fn from(failure: Failure) -> Self {
        let exit_code = match failure.exit {
            crate::exit::Exit::SessionLost => LOST,
            _ => FAILED,
        };
        Self::because(exit_code, failure.message)
    }
}
