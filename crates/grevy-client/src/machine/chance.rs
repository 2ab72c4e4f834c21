//! Chance, repeatable: everything that a session leaves to chance is drawn from one seed.

use std::time::Duration;

/// A generator of pseudo-random numbers (splitmix64). Not for secrets.
///
/// ```
/// use grevy_client::machine::Chance;
///
/// let (mut one, mut other) = (Chance::new(7), Chance::new(7));
/// assert_eq!(one.any(), other.any());
/// assert!(one.below(10) < 10);
/// ```
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// A generator that `seed` determines.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        let product = u128::from(self.any()) * u128::from(n);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A duration below `limit`, by the microsecond.
    pub fn up_to(&mut self, limit: Duration) -> Duration {
        let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros))
    }

    /// Puts `items` in any order, each order being as likely as any other (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1);
            items.swap(last, usize::try_from(other).unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_as_likely() {
        let mut counts = [0; 3];
        for seed in 0..3000 {
            let mut items = [0, 1, 2];
            Chance::new(seed).shuffle(&mut items);
            counts[items[0]] += 1;
        }
        assert!(
            counts.iter().all(|count| (900..1100).contains(count)),
            "{counts:?}"
        );
    }
}
