//! Where a client's randomness comes from: the system, or one number.

use crate::machine::Chance;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Draws the seed of each thing that is left to chance.
#[derive(Debug)]
pub(crate) struct Seeds {
    /// What decides all of them, if the caller has given it.
    given: Option<u64>,
    drawn: AtomicU64,
}

impl Seeds {
    pub fn new(given: Option<u64>) -> Self {
        Self {
            given,
            drawn: AtomicU64::new(0),
        }
    }

    pub fn next(&self) -> u64 {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        match self.given {
            Some(given) => Chance::new(given ^ Chance::new(number).any()).any(),
            // Keyed at random, once a process and differently for each call.
            None => RandomState::new().hash_one(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_all_others() {
        let draw = |given| {
            let seeds = Seeds::new(given);
            [seeds.next(), seeds.next()]
        };
        assert_eq!(draw(Some(7)), draw(Some(7)));
        assert_ne!(draw(Some(7)), draw(Some(8)));
        assert_ne!(draw(None), draw(None));
        let [one, other] = draw(Some(7));
        assert_ne!(one, other);
    }
}
