//! Open loop: requests leave on a timetable, whether or not the server keeps up.
//!
//! A latency counts from the moment the request was due, so that a stall of the server shows in every request that
//! was due meanwhile, not only in the few that were in flight.

use super::keys;
use super::work::Work;
use crate::clock::{self, SECOND};
use crate::failure::{Failure, Result};
use crate::histogram::Histogram;
use crate::server::Target;
use std::num::NonZeroU64;

/// One kind of request at a steady rate over connections of its own.
pub struct Stream {
    pub work: Work,
    /// Requests a second.
    pub rate: u64,
    pub connections: usize,
}

/// One request that was answered.
#[derive(Clone, Copy)]
pub struct Sample {
    /// When it was due.
    pub due: u64,
    /// Nanoseconds from then to its answer.
    pub latency: u64,
}

/// What a timetable gave.
pub struct Ran {
    /// For each stream, every request after the warm-up.
    pub samples: Vec<Vec<Sample>>,
    /// How late the generator itself was in sending, in nanoseconds; part of the latencies.
    pub lag: Histogram,
}

/// Requests in flight at which the server is taken to be unable to keep up.
const HOPELESS: usize = 500_000;

/// Runs the streams until `done(now)`; what was due before `warm` (see [`clock::now`]) is not reported.
pub fn run(
    target: &Target,
    mut streams: Vec<Stream>,
    warm: u64,
    mut done: impl FnMut(u64) -> bool,
) -> Result<Ran> {
    // The kernel otherwise delays every timer by up to 50 µs to save power.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
    let total = streams.iter().map(|stream| stream.connections).sum();
    let mut pool = keys::open(target.address, total)?;
    let start = clock::now();
    let mut timetables: Vec<Timetable> = Vec::new();
    let mut stream_of = Vec::new();
    for (number, stream) in streams.iter().enumerate() {
        let first = stream_of.len();
        let interval = SECOND as f64 / stream.rate as f64;
        timetables.push(Timetable {
            start,
            interval,
            sent: 0,
            first,
            connections: stream.connections,
        });
        stream_of.resize(first + stream.connections, number);
    }
    let mut samples: Vec<Vec<Sample>> = streams.iter().map(|_| Vec::new()).collect();
    let mut lag = Histogram::default();
    let (mut ready, mut touched) = (Vec::new(), Vec::new());
    let mut in_flight = 0;
    loop {
        let now = clock::now();
        if done(now) {
            break;
        }
        for (stream, timetable) in streams.iter_mut().zip(&mut timetables) {
            while let Some((due, index)) = timetable.next_due(now) {
                stream.work.issue(&mut pool.connections[index], due);
                in_flight += 1;
                if due >= warm {
                    lag.record(now - due);
                }
                touched.push(index);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        for index in touched.drain(..) {
            pool.flush(index)?;
        }
        if in_flight > HOPELESS {
            return Err(Failure::new(format!(
                "the server cannot keep up: {in_flight} requests unanswered"
            )));
        }
        let next = timetables
            .iter()
            .map(Timetable::due)
            .min()
            .unwrap_or(u64::MAX);
        let pause = next.saturating_sub(clock::now()).min(SECOND / 100);
        pool.wait(Some(pause), &mut ready)
            .map_err(|(_, error)| error)?;
        for &index in &ready {
            pool.receive(index, |at, pending| {
                in_flight -= 1;
                if pending.start >= warm {
                    samples[stream_of[index]].push(Sample {
                        due: pending.start,
                        latency: at - pending.start,
                    });
                }
            })?;
        }
    }
    // What is still unanswered belongs to the samples, or the worst would be left out.
    let hopeless = clock::now() + 20 * SECOND;
    while in_flight > 0 {
        if clock::now() > hopeless {
            return Err(Failure::new(format!(
                "{in_flight} requests stayed unanswered"
            )));
        }
        pool.wait(Some(SECOND), &mut ready)
            .map_err(|(_, error)| error)?;
        for &index in &ready {
            pool.receive(index, |at, pending| {
                in_flight -= 1;
                if pending.start >= warm {
                    samples[stream_of[index]].push(Sample {
                        due: pending.start,
                        latency: at - pending.start,
                    });
                }
            })?;
        }
    }
    rustix::thread::set_current_timer_slack(None)?;
    pool.close();
    Ok(Ran { samples, lag })
}

/// The samples' latencies as a histogram.
pub fn histogram<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Histogram {
    let mut histogram = Histogram::default();
    samples
        .into_iter()
        .for_each(|sample| histogram.record(sample.latency));
    histogram
}

struct Timetable {
    start: u64,
    /// Nanoseconds.
    interval: f64,
    sent: u64,
    /// Number of its first connection in the pool.
    first: usize,
    connections: usize,
}

impl Timetable {
    fn due(&self) -> u64 {
        self.start + (self.sent as f64 * self.interval) as u64
    }

    /// When the next request was due and over which connection it goes, if that time has come.
    fn next_due(&mut self, now: u64) -> Option<(u64, usize)> {
        let due = self.due();
        (due <= now).then(|| {
            let index = self.first + (self.sent % self.connections as u64) as usize;
            self.sent += 1;
            (due, index)
        })
    }
}
