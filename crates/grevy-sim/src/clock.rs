//! A machine's clocks: one that counts from the start and may run fast, slow or jump ahead, and
//! one on the wall that says anything.

use grevy_node::{Now, Time};

/// What the wall says at first, in ms since 1970.
const EPOCH_MS: i64 = 1_700_000_000_000;
/// Parts of a rate that make up one.
const WHOLE: u64 = 1000;

/// See the module's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// How many thousandths of a second go by in a millisecond of the world, as it were.
    rate: u64,
    /// A moment on the world's clock, in µs, and on this one.
    since: (u64, u64),
    /// What the wall clock is off by, in ms.
    pub wall_offset: i64,
    /// Where the wall clock stands still, in ms since 1970.
    pub stopped_at: Option<i64>,
}

impl Clock {
    /// A clock that goes right.
    pub fn new() -> Self {
        Self {
            rate: WHOLE,
            since: (0, 0),
            wall_offset: 0,
            stopped_at: None,
        }
    }

    /// What it shows at a moment of the world.
    pub fn local(&self, world: Time) -> Time {
        let (at, shown) = self.since;
        Time(shown + world.0.saturating_sub(at) * self.rate / WHOLE)
    }

    /// The first moment of the world at which it shows that time.
    pub fn world(&self, local: Time) -> Time {
        let (at, shown) = self.since;
        Time(at + (local.0.saturating_sub(shown) * WHOLE).div_ceil(self.rate))
    }

    /// Both clocks.
    pub fn now(&self, world: Time) -> Now {
        let running = EPOCH_MS + (world.0 / 1000) as i64 + self.wall_offset;
        Now {
            time: self.local(world),
            wall_ms: self.stopped_at.unwrap_or(running),
        }
    }

    /// From now on it runs so many thousandths as fast as the world's.
    pub fn set_rate(&mut self, world: Time, rate: u64) {
        self.since = (world.0, self.local(world).0);
        self.rate = rate;
    }

    /// It jumps ahead by so many µs.
    pub fn jump(&mut self, world: Time, micros: u64) {
        self.since = (world.0, self.local(world).0 + micros);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_at_its_rate_and_jumps() {
        let mut clock = Clock::new();
        clock.set_rate(Time(1000), 900);
        assert_eq!(clock.local(Time(2000)), Time(1900));
        clock.jump(Time(2000), 50);
        for shown in 1950..3000 {
            let at = clock.world(Time(shown));
            assert!(clock.local(at) >= Time(shown));
            assert!(at.0 <= 2000 || clock.local(Time(at.0 - 1)) < Time(shown));
        }
    }
}
