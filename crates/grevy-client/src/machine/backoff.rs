//! Pauses that grow, with jitter, so that clients that lost their server together do not come
//! back together.

use super::chance::Chance;
use std::time::Duration;

/// Doubling pauses: each is between half the present step and the whole of it.
///
/// ```
/// use grevy_client::machine::{Backoff, Chance};
/// use std::time::Duration;
///
/// let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
/// let mut chance = Chance::new(7);
/// assert!(backoff.pause(&mut chance) <= Duration::from_secs(1));
/// assert!(backoff.pause(&mut chance) <= Duration::from_secs(2));
/// ```
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    step: Duration,
}

impl Backoff {
    /// Starts with `first`, and never exceeds `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            step: first.min(longest),
        }
    }

    /// The next pause.
    pub fn pause(&mut self, chance: &mut Chance) -> Duration {
        let half = self.step / 2;
        let pause = half + chance.up_to(self.step - half);
        self.step = self.step.saturating_mul(2).min(self.longest);
        pause
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        self.step = self.first.min(self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let ms = Duration::from_millis;
        let mut chance = Chance::new(1);
        let mut backoff = Backoff::new(ms(100), ms(350));
        for step in [100, 200, 350, 350] {
            let pause = backoff.pause(&mut chance);
            assert!(pause >= ms(step) / 2 && pause <= ms(step), "{pause:?}");
        }
        backoff.reset();
        assert!(backoff.pause(&mut chance) <= ms(100));
    }
}
