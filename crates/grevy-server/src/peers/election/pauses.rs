//! How long to wait before connecting again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
/// The longest pause. A connection that lasts less long is no sign that all is well.
pub(super) const LONGEST: Duration = Duration::from_secs(3);

/// Pauses that double: an ensemble must find together fast when a server comes back, and must
/// not be kept busy by one that does not.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    last: Duration,
    taken: u32,
}

impl Pauses {
    /// The next pause.
    pub(super) fn next(&mut self) -> Duration {
        self.last = (self.last * 2).clamp(FIRST, LONGEST);
        self.taken += 1;
        self.last
    }

    /// How many there have been since the connection was good.
    pub(super) fn taken(&self) -> u32 {
        self.taken
    }

    /// The connection was good: the next pause is the shortest again.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_double() {
        let mut pauses = Pauses::default();
        let millis: Vec<u128> = (0..8).map(|_| pauses.next().as_millis()).collect();
        assert_eq!(pauses.taken(), 8);
        assert_eq!(millis, [50, 100, 200, 400, 800, 1600, 3000, 3000]);
        pauses.reset();
        assert_eq!(pauses.next(), FIRST);
    }
}
