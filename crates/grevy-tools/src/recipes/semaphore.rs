//! `grevy semaphore`. Source: Curator's `InterProcessSemaphoreV2`.
//!
//! 1. Take the lock at `locks`, so that one at a time looks for room.
//! 2. Create an ephemeral sequential znode below `leases`.
//! 3. When there are no more than N of them, it is held. Else watch the children and look again.
//! 4. Release the lock.

use super::child::Ran;
use super::holder::{Holder, Stop, Terms};
use super::lock;
use super::queue::acquire;
use crate::exit::{Exit, Failure};
use crate::znodes::connection::{join, znode_path};
use clap::Args;

/// What names of leases begin with, behind whose they are.
const NAME: &str = "lease-";

/// Which semaphore, how large, and what to run.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  grevy semaphore /limits/encoders 4 -- ./encode.sh film.mkv

At most N commands run at a time, as long as all who use the semaphore give the same N. The znodes are
those of Curator's InterProcessSemaphoreV2: PATH/leases/_c_<uuid>-lease-NNNNNNNNNN, and a lock at
PATH/locks. The command finds in its environment GREVY_SEMAPHORE, the path; GREVY_NODE, its lease; and
GREVY_FENCE, a number that grows from lease to lease. If the session is lost it gets SIGTERM.

Exit codes: the command's, or 128 + its signal; 123 the session was lost, 124 the wait was over, 125 grevy
failed, 126 and 127 the command was not run.")]
pub struct Arguments {
    /// The semaphore's znode; it is created.
    #[arg(value_parser = znode_path)]
    path: String,
    /// How many may hold it.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    leases: u32,
    #[command(flatten)]
    terms: Terms,
}

/// Takes a lease and runs the command.
pub fn run(arguments: &Arguments) -> Ran {
    let path = &arguments.path;
    let holder = match Holder::open(&arguments.terms) {
        Ok(holder) => holder,
        Err(failure) => return failure.into(),
    };
    match lease(&holder, path, arguments.leases) {
        Ok(own) => holder.hold(&own, &[("GREVY_SEMAPHORE", path.clone())]),
        Err(stop) => stop.into(),
    }
}

fn lease(holder: &Holder<'_>, path: &str, max: u32) -> Result<String, Stop> {
    let lock = acquire(holder, &join(path, "locks"), lock::NAMES, b"")?;
    let leases = join(path, "leases");
    let leased = holder.create_protected(&leases, NAME, b"").and_then(|own| {
        let path = join(&leases, &own);
        match wait_for_room(holder, &leases, &own, max) {
            Ok(()) => Ok(path),
            Err(stop) => {
                holder.release(&path);
                Err(stop)
            }
        }
    });
    holder.release(&lock);
    leased
}

fn wait_for_room(holder: &Holder<'_>, leases: &str, own: &str, max: u32) -> Result<(), Stop> {
    loop {
        let (children, _) = holder.ask(leases, |client| client.get_children(leases, true))?;
        if !children.iter().any(|child| child == own) {
            let why = format!("somebody deleted {}", join(leases, own));
            return Err(Failure::new(Exit::Conflict, why).into());
        }
        if children.len() <= max as usize {
            return Ok(());
        }
        if holder.is_over() {
            return Err(Stop::TimedOut);
        }
        holder.wait_for_change()?;
    }
}
