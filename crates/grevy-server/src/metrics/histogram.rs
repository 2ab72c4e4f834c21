//! How often values of about the same size came, for percentiles.
//!
//! Values below 8 have a bucket each; above, each power of two is cut into 8 buckets, so that a
//! percentile is at most an eighth off. ZooKeeper keeps 4096 random values instead
//! (`AvgMinMaxPercentileCounter`), which forget rare slow ones.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Buckets in each power of two.
const PARTS: u64 = 8;
const PART_BITS: u32 = PARTS.trailing_zeros();
/// Values from 2^40 on (12 days in µs) are in the last bucket.
const LARGEST_POWER: u32 = 40;
/// How many buckets there are.
const BUCKETS: usize = ((LARGEST_POWER - PART_BITS + 1) as usize) * PARTS as usize;

/// Buckets that every thread may add to.
#[derive(Debug)]
pub struct Histogram(Box<[AtomicU64]>);

/// The counts of the buckets at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets(Vec<u64>);

impl Default for Histogram {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Histogram {
    /// Adds `value` as many times.
    pub fn add(&self, value: u64, times: u64) {
        if let Some(bucket) = self.0.get(index(value)) {
            bucket.fetch_add(times, Relaxed);
        }
    }

    /// The counts now.
    pub fn read(&self) -> Buckets {
        Buckets(self.0.iter().map(|bucket| bucket.load(Relaxed)).collect())
    }

    /// Counts anew.
    pub fn reset(&self) {
        for bucket in &self.0 {
            bucket.store(0, Relaxed);
        }
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self(vec![0; BUCKETS])
    }
}

impl Buckets {
    /// Adds another histogram's counts.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count += more;
        }
    }

    /// The value that the share `quantile` (0 to 1) of all values does not exceed, about; `None`
    /// without values.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let total: u64 = self.0.iter().sum();
        if total == 0 {
            return None;
        }
        let rank = ((total as f64 * quantile).ceil() as u64).clamp(1, total);
        let mut below = 0;
        let found = self.0.iter().position(|count| {
            below += count;
            below >= rank
        });
        found.map(middle)
    }
}

fn index(value: u64) -> usize {
    if value < PARTS {
        return value as usize;
    }
    let power = value.ilog2();
    if power >= LARGEST_POWER {
        return BUCKETS - 1;
    }
    let part = (value >> (power - PART_BITS)) & (PARTS - 1);
    ((power - PART_BITS + 1) as usize) * PARTS as usize + part as usize
}

/// The middle of the values in a bucket.
fn middle(index: usize) -> u64 {
    let (index, parts) = (index as u64, PARTS);
    if index < parts {
        return index;
    }
    let shift = (index / parts - 1) as u32;
    let lowest = (parts + index % parts) << shift;
    lowest + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_one_another_without_gaps() {
        let mut last = 0;
        for value in 0..100_000 {
            let index = index(value);
            assert!(index == last || index == last + 1, "{value}");
            last = index;
        }
        assert_eq!(index(u64::MAX), BUCKETS - 1);
        assert_eq!(index((1 << LARGEST_POWER) - 1), BUCKETS - 1);
    }

    #[test]
    fn a_bucket_stands_for_values_at_most_an_eighth_away() {
        for value in (0..100_000).chain([1 << 20, (1 << 39) + 12345]) {
            let middle = middle(index(value));
            assert!(middle.abs_diff(value) <= value / 8, "{value}: {middle}");
        }
    }

    #[test]
    fn quantiles() {
        let histogram = Histogram::default();
        assert_eq!(histogram.read().quantile(0.5), None);
        histogram.add(1, 90);
        histogram.add(5, 9);
        histogram.add(1000, 1);
        let buckets = histogram.read();
        for (quantile, expected) in [(0.0, 1), (0.5, 1), (0.9, 1), (0.95, 5), (0.99, 5)] {
            assert_eq!(buckets.quantile(quantile), Some(expected), "{quantile}");
        }
        assert!(
            buckets
                .quantile(0.999)
                .is_some_and(|v| v.abs_diff(1000) < 100)
        );
        let mut twice = buckets.clone();
        twice.merge(&buckets);
        assert_eq!(twice.quantile(0.95), Some(5));
        histogram.reset();
        assert_eq!(histogram.read(), Buckets::default());
    }
}
