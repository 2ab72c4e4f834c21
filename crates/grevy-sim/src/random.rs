//! Chance, repeatable: every decision of a run is drawn from its seed.

/// A generator of pseudo-random numbers (splitmix64).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random(u64);

impl Random {
    /// A generator that `seed` determines.
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed ^ 0x6772_6576_795f_7369);
        random.any();
        random
    }

    /// A generator of its own for one part of the world, so that what one part draws does not
    /// shift what another draws.
    pub fn fork(&mut self) -> Self {
        Self::new(self.any())
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
        match n {
            0 => 0,
            n => ((u128::from(self.any()) * u128::from(n)) >> 64) as u64,
        }
    }

    /// An index below `n`.
    pub fn index(&mut self, n: usize) -> usize {
        self.below(n as u64) as usize
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True once in `n` times; never if `n` is 0.
    pub fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.below(n) == 0
    }

    /// True `percent` times in a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// An index, with a chance in proportion to its weight.
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return index,
            }
        }
        0
    }

    /// A waiting time around `mean`, exponentially distributed, in the same unit.
    pub fn around(&mut self, mean: u64) -> u64 {
        let uniform = (self.any() >> 11) as f64 / (1u64 << 53) as f64;
        (-(1.0 - uniform).ln() * mean as f64) as u64
    }

    /// Bytes without meaning.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.any() as u8).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_everything() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            let mut fork = random.fork();
            (
                random.any(),
                fork.any(),
                random.around(1000),
                random.bytes(3),
            )
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn bounds_hold() {
        let mut random = Random::new(7);
        let mut seen = [0; 3];
        for _ in 0..3000 {
            assert!((5..=7).contains(&random.between(5, 7)));
            seen[random.weighted(&[1, 0, 2])] += 1;
        }
        assert!(seen[0] > 800 && seen[1] == 0 && seen[2] > 1700, "{seen:?}");
        assert_eq!(random.below(0), 0);
        assert!(!random.one_in(0));
    }
}
