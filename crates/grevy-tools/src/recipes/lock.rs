//! `grevy lock`. Source: Curator's `InterProcessMutex`.

use super::child::Ran;
use super::holder::{Holder, Terms};
use super::queue::{Names, acquire};
use crate::znodes::connection::znode_path;
use clap::Args;

/// How locks' znodes are called by Curator, and by kazoo.
pub const NAMES: Names = Names {
    own: "lock-",
    all: &["lock-", "__lock__"],
};

/// Which lock, and what to run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy lock /locks/backup -- ./backup.sh
  grevy lock /locks/backup --wait 0 -- ./backup.sh      give up if somebody else has it

The znodes are those of Curator's InterProcessMutex, _c_<uuid>-lock-NNNNNNNNNN; kazoo's stand in the same
line, and kazoo heeds these with Lock(..., extra_lock_patterns=['-lock-']). The command finds in its
environment GREVY_LOCK, the path; GREVY_NODE, its own znode; and GREVY_FENCE, a number that grows from
holder to holder. If the session is lost, or another process may have the lock soon, the command gets
SIGTERM. Signals are handed on to it. When it has ended, the lock is released.

Exit codes: the command's, or 128 + its signal; 123 the session was lost, 124 the wait was over, 125 grevy
failed, 126 and 127 the command was not run.")]
pub struct Arguments {
    /// The lock's znode; it is created.
    #[arg(value_parser = znode_path)]
    path: String,
    #[command(flatten)]
    terms: Terms,
}

/// Takes the lock and runs the command.
pub fn run(arguments: &Arguments) -> Ran {
    let path = &arguments.path;
    let holder = match Holder::open(&arguments.terms) {
        Ok(holder) => holder,
        Err(failure) => return failure.into(),
    };
    match acquire(&holder, path, NAMES, b"") {
        Ok(own) => holder.hold(&own, &[("GREVY_LOCK", path.clone())]),
        Err(stop) => stop.into(),
    }
}
