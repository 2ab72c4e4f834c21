//! What a run is like: drawn from its seed, printed, and nothing else decides.

use crate::ensemble::Ensemble;
use crate::planted::Bug;
use crate::random::Random;
use grevy_storage::Compression;
use std::time::Duration;

/// All choices of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What everything was drawn from.
    pub seed: u64,
    /// Simulated time after which no more faults and requests come.
    pub duration: Duration,
    /// How many clients there are.
    pub clients: usize,
    /// `tickTime`.
    pub tick: Duration,
    /// Timeouts that clients ask for, in ticks.
    pub timeout_ticks: u64,
    /// Mean time between a client's bursts of requests, in µs.
    pub think: u64,
    /// The most requests in a burst.
    pub depth: u64,
    /// Requests of all clients, after which they ask for nothing new.
    pub requests: u64,
    /// `snapCount`.
    pub snap_count: u64,
    /// The size at which a log is rolled.
    pub log_size: Option<u64>,
    /// Zeros written ahead in a log.
    pub preallocate: u32,
    /// Mean time of a sync, in µs.
    pub sync_time: u64,
    /// Znodes in a slice of a snapshot.
    pub slice: usize,
    /// TTL znodes are enabled.
    pub extended_types: bool,
    /// Digests are computed.
    pub digest: bool,
    /// The zxid that the data begin with.
    pub first_zxid: i64,
    /// Creates that the busiest parent has seen before the run.
    pub first_sequence: i32,
    /// Unanswered requests of a connection before it is not read from.
    pub max_pending: usize,
    /// Bytes that wait for a client before an event ends its connection.
    pub output_limit: usize,
    /// Mean time between faults, in ms of simulated time.
    pub fault_every: u64,
    /// Which faults.
    pub faults: Faults,
    /// The ensemble; `None`: one server that runs alone.
    pub ensemble: Option<Ensemble>,
    /// Whether zxids are believed; if not, answers are judged by a search alone.
    pub believes_zxids: bool,
    /// How snapshots are compressed.
    pub compression: Compression,
    /// What becomes of quotas.
    pub quotas: Quotas,
    /// A bug to be found.
    pub bug: Option<Bug>,
    /// Print the trace.
    pub print: bool,
}

/// What becomes of quotas in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotas {
    /// Nobody sets any.
    None,
    /// What they are of is counted.
    Counted,
    /// Hard limits are enforced, too.
    Enforced,
}

/// Which kinds of faults a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Power cuts, at any moment and at any disk operation.
    pub power: bool,
    /// `kill -9`.
    pub kill: bool,
    /// Failing writes and syncs, short writes, full disks.
    pub disk: bool,
    /// Damage at rest, tried on copies of the disk.
    pub rot: bool,
    /// Resets, half-open connections, clients that vanish, do not read, or come twice.
    pub network: bool,
    /// Jumps of the wall clock, late timers; in an ensemble also clocks that run fast or slow,
    /// or jump ahead.
    pub clock: bool,
    /// In an ensemble: servers that cannot reach each other, in one way or both.
    pub partition: bool,
    /// In an ensemble: servers that stand still for a while.
    pub pause: bool,
}

impl Faults {
    /// None at all.
    pub const NONE: Self = Self {
        power: false,
        kill: false,
        disk: false,
        rot: false,
        network: false,
        clock: false,
        partition: false,
        pause: false,
    };
}

impl Options {
    /// How many servers there are.
    pub fn servers(&self) -> usize {
        self.ensemble.as_ref().map_or(1, Ensemble::len)
    }

    /// The run of a seed: mostly an ensemble, sometimes one server alone.
    pub fn draw(seed: u64) -> Self {
        match seed % 4 {
            0 => Self::alone(seed),
            _ => Self::ensemble(seed),
        }
    }

    /// A run of an ensemble.
    pub fn ensemble(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xe25e);
        let r = &mut random;
        let alone = Self::alone(seed);
        let tick = *r.pick(&[100, 200, 500]);
        let quiet = alone.faults == Faults::NONE;
        Self {
            ensemble: Some(Ensemble::draw(r)),
            tick: Duration::from_millis(tick),
            duration: Duration::from_millis(r.between(15_000, 60_000)),
            timeout_ticks: *r.pick(&[4, 4, 10, 20]),
            think: alone.think * 3,
            sync_time: *r.pick(&[50, 500, 500, 5_000, 20_000]),
            // A new leader begins a new epoch: what brings the counter's end near is its limit.
            first_zxid: *r.pick(&[0, 0, (7 << 32) + 5]),
            fault_every: *r.pick(&[500, 1_000, 3_000, 10_000]),
            faults: Faults {
                partition: !quiet && r.percent(70),
                pause: !quiet && r.percent(40),
                ..alone.faults
            },
            ..alone
        }
    }

    /// A run of one server.
    pub fn alone(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let r = &mut random;
        let mut faults = Faults {
            power: r.percent(70),
            kill: r.percent(60),
            disk: r.percent(50),
            rot: r.percent(50),
            network: r.percent(80),
            clock: r.percent(50),
            ..Faults::NONE
        };
        if r.one_in(15) {
            faults = Faults::NONE;
        }
        let near_wrap = (1 << 32) - 1 - r.between(5, 300) as i64;
        let duration = r.between(4_000, 20_000);
        let clients = r.between(2, 8);
        let depth = *r.pick(&[1, 3, 3, 20]);
        let requests = *r.pick(&[300, 1_000, 1_000, 3_000]);
        // Spread over the run, or all early and then a long idle time.
        let hurry = *r.pick(&[1, 1, 2, 20]);
        let think = duration * 1000 * clients * (depth + 1) / 2 / requests / hurry;
        Self {
            seed,
            duration: Duration::from_millis(duration),
            clients: clients as usize,
            tick: Duration::from_millis(*r.pick(&[50, 200, 200, 1000])),
            timeout_ticks: *r.pick(&[2, 2, 4, 20]),
            think,
            depth,
            requests,
            snap_count: *r.pick(&[7, 7, 30, 500]),
            log_size: *r.pick(&[None, None, Some(300), Some(2_000)]),
            preallocate: *r.pick(&[0, 100, 4096, 16 << 10]),
            sync_time: *r.pick(&[50, 500, 500, 5_000, 50_000]),
            slice: *r.pick(&[1, 3, 20, 1000]),
            extended_types: r.percent(80),
            digest: r.percent(90),
            first_zxid: match r.weighted(&[6, 2, 2]) {
                0 => 0,
                1 => near_wrap,
                _ => near_wrap + (7 << 32),
            },
            first_sequence: match r.one_in(4) {
                true => i32::MAX - 1 - r.below(20) as i32,
                false => 0,
            },
            max_pending: *r.pick(&[1000, 1000, 4, 1]),
            // Above what any answer takes: a multiRead beyond it is refused.
            output_limit: *r.pick(&[16 << 20, 64 << 10]),
            fault_every: *r.pick(&[200, 700, 2_000]),
            faults,
            ensemble: None,
            believes_zxids: true,
            compression: *r.pick(&[
                Compression::None,
                Compression::None,
                Compression::Gzip,
                Compression::Snappy,
            ]),
            // Drawn apart, so that runs without them are what they were before.
            quotas: *Random::new(seed ^ 0x900a).pick(&[
                Quotas::None,
                Quotas::None,
                Quotas::Counted,
                Quotas::Enforced,
                Quotas::Enforced,
            ]),
            bug: None,
            print: false,
        }
    }
}
