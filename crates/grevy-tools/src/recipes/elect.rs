//! `grevy elect`. Source: Curator's `LeaderLatch`.

use super::child::Ran;
use super::holder::{Holder, Terms};
use super::queue::{Names, acquire};
use crate::znodes::connection::znode_path;
use clap::Args;

/// How candidates' znodes are called.
const NAMES: Names = Names {
    own: "latch-",
    all: &["latch-"],
};

/// Which election, and what to run.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy elect /app/leader -- ./scheduler
  grevy elect /app/leader --id $(hostname) -- ./scheduler
  grevy tree /app/leader                                  who stands for election

The command runs while this process leads. The znodes are those of Curator's LeaderLatch,
_c_<uuid>-latch-NNNNNNNNNN, with the id as data. The command finds in its environment GREVY_ELECTION,
the path; GREVY_ID; GREVY_NODE, its own znode; and GREVY_FENCE, a number that grows from leader to
leader. If leadership is lost it gets SIGTERM; when it ends, leadership is given up.

Exit codes: the command's, or 128 + its signal; 123 the session was lost, 124 the wait was over, 125 grevy
failed, 126 and 127 the command was not run.")]
pub struct Arguments {
    /// The election's znode; it is created.
    #[arg(value_parser = znode_path)]
    path: String,
    /// How others call this candidate; host name and process id if not given.
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    terms: Terms,
}

/// Stands for election, and runs the command when elected.
pub fn run(arguments: &Arguments) -> Ran {
    let path = &arguments.path;
    let id = arguments.id.clone().unwrap_or_else(own_id);
    let holder = match Holder::open(&arguments.terms) {
        Ok(holder) => holder,
        Err(failure) => return failure.into(),
    };
    match acquire(&holder, path, NAMES, id.as_bytes()) {
        Ok(own) => holder.hold(&own, &[("GREVY_ELECTION", path.clone()), ("GREVY_ID", id)]),
        Err(stop) => stop.into(),
    }
}

fn own_id() -> String {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy().into_owned();
    format!("{host}/{}", std::process::id())
}
