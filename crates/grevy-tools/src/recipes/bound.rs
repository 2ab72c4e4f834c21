//! Commands that do not outlive this process, whatever ends it.
//!
//! The kernel sends a signal to a process whose parent has ended, if the process asks for it
//! (`PR_SET_PDEATHSIG`); the wish outlives `execve`. So the command is not run at once: this program
//! is, asks for it, and becomes the command. Without Linux's `/proc` the command is run as it is.

use super::child::{NotRun, Ran};
use rustix::process::getppid;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// What this program is called with to become a command; no verb, since it is for nobody else.
const VERB: &str = "__become";
/// This program, also after its file was replaced.
const SELF: &str = "/proc/self/exe";

/// Something that runs `program`, and gets SIGTERM when this process ends.
pub fn bound(program: &str) -> Command {
    if !Path::new(SELF).exists() {
        return Command::new(program);
    }
    let mut command = Command::new(SELF);
    command
        .arg0("grevy")
        .arg(VERB)
        .arg(std::process::id().to_string())
        .arg(program);
    command
}

/// Becomes the command, if `arguments` (the program's own, without its name) are those of
/// [`bound`]. Returns `None` if they are not, or why that cannot be.
pub fn become_command(mut arguments: impl Iterator<Item = OsString>) -> Option<Ran> {
    if arguments.next()? != VERB {
        return None;
    }
    let parent: Option<i32> = arguments.next()?.to_str()?.parse().ok();
    let program = arguments.next()?;
    let rest: Vec<OsString> = arguments.collect();
    // Without it the command would only live longer than it should.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
    // It may have ended before it was asked for.
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != parent {
        return Some(Ran::because(
            128 + 15,
            "what ran this has ended, and so does this",
        ));
    }
    let error = Command::new(&program).args(&rest).exec();
    let words = [&program].into_iter().chain(&rest);
    let words: Vec<String> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    Some(NotRun::because(&words, &error).into())
}
