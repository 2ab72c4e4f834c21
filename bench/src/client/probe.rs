//! Finds the moment at which a starting server answers its first read.

use super::connection::{Connection, Operation};
use crate::clock::{self, MILLISECOND};
use crate::failure::{Failure, Result};
use std::net::SocketAddr;
use std::time::Duration;

/// How long an attempt stays alone before another one is made beside it.
///
/// The Java server may take a connection while it starts and never answer on it; one that is merely slow must not be
/// given up either.
const ALONE: u64 = 50 * MILLISECOND;
const MOST_ATTEMPTS: usize = 200;

/// Connects over and over until a read of `path` is answered; returns when that was, see [`clock::now`].
/// Looks every `pause`; `check` says whether waiting still makes sense.
pub fn first_read(
    server: SocketAddr,
    path: &str,
    pause: Duration,
    patience: Duration,
    mut check: impl FnMut() -> Result<()>,
) -> Result<u64> {
    let deadline = clock::now() + patience.as_nanos() as u64;
    let mut attempts: Vec<Connection> = Vec::new();
    let mut latest = 0;
    let mut scratch = vec![0; 4096];
    let mut refusal = None;
    loop {
        let now = clock::now();
        if now > deadline {
            let why = refusal.unwrap_or_else(|| Failure::new("no answer"));
            return Err(why.during(format!("no read within {patience:?}")));
        }
        if attempts.is_empty() || (now - latest > ALONE && attempts.len() < MOST_ATTEMPTS) {
            check()?;
            attempts.push(Connection::start(server)?);
            latest = now;
        }
        let mut answered = None;
        attempts.retain_mut(|attempt| {
            let outcome = advance(attempt, path, &mut scratch);
            match outcome {
                Ok(at) => {
                    answered = answered.or(at);
                    true
                }
                Err(error) => {
                    refusal = Some(error);
                    false
                }
            }
        });
        if let Some(at) = answered {
            return Ok(at);
        }
        std::thread::sleep(pause);
    }
}

/// Moves one attempt on; returns when its read was answered.
fn advance(attempt: &mut Connection, path: &str, scratch: &mut [u8]) -> Result<Option<u64>> {
    let (mut open, mut answered) = (false, None);
    attempt.flush()?;
    attempt.receive(scratch, |at, pending| match pending.operation {
        Operation::Connect => open = true,
        _ => answered = Some(at),
    })?;
    if open {
        attempt.probe(path.as_bytes());
        attempt.flush()?;
    }
    Ok(answered)
}
