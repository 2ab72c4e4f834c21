//! Ctrl-C while something is under way that should not end in the middle.
//!
//! Signals are the whole process's, so what came is too.

use crate::events::{Event, Events};
use crate::exit::{Exit, Failure};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Whether somebody wants this process to end.
static IS_WANTED: AtomicBool = AtomicBool::new(false);

/// How long work may take to come to an end by itself: it may wait for a server, or for input.
const GRACE: Duration = Duration::from_secs(2);

/// From now on signals let [`check`] fail. If the process is still there some
/// time later, or at a second signal, `give_up` is called and the process ends.
pub fn listen(give_up: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let events = Events::new()?;
    let wait = move || {
        while !matches!(events.next(None), Some(Event::Signal(_))) {}
        IS_WANTED.store(true, Ordering::Relaxed);
        let _ = events.next(Some(Instant::now() + GRACE));
        give_up();
        std::process::exit(i32::from(Exit::Interrupted as u8));
    };
    std::thread::Builder::new()
        .name("interrupt".to_owned())
        .spawn(wait)
        .map_err(|error| Failure::usage(format!("cannot start a thread: {error}")))?;
    Ok(())
}

/// Fails if somebody wants this process to end.
pub fn check() -> Result<(), Failure> {
    match IS_WANTED.load(Ordering::Relaxed) {
        true => Err(Failure::new(Exit::Interrupted, "interrupted")),
        false => Ok(()),
    }
}

/// For work that can be done in parts: as [`listen`], and says what to do next.
pub fn listen_for(hint: &'static str) -> Result<(), Failure> {
    listen(move || eprintln!("grevy: interrupted; {hint}"))
}

/// For work that can be done in parts: says how far it came, and what to do next.
pub fn with_count(failure: Failure, done: u64, what: &str, hint: &str) -> Failure {
    match failure.exit {
        Exit::Interrupted => Failure::new(
            Exit::Interrupted,
            format!("interrupted; {done} {what}, {hint}"),
        ),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_interruption_tells_how_far_it_came() {
        for (exit, expected) in [
            (Exit::Interrupted, "interrupted; 7 deleted, run it again"),
            (Exit::Denied, "why"),
        ] {
            let failure = Failure::new(exit, "why");
            let told = with_count(failure, 7, "deleted", "run it again");
            assert_eq!((told.exit, told.message.as_str()), (exit, expected));
        }
    }
}
