//! Counts of latencies in buckets whose width grows with the value.

/// A histogram of nanosecond values with a relative error below 1 % and a fixed size.
///
/// Values below 128 have a bucket each; every further power of two is divided into 64 buckets.
#[derive(Clone)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

const SUB_BITS: u32 = 6;
const SUB: u64 = 1 << SUB_BITS;
const LINEAR: u64 = 2 * SUB;
const BUCKETS: usize = (LINEAR + SUB * (64 - (SUB_BITS as u64 + 1))) as usize;

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            buckets: vec![0; BUCKETS],
            count: 0,
            max: 0,
        }
    }
}

impl Histogram {
    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.buckets[bucket_of(value)] += 1;
        self.count += 1;
        self.max = self.max.max(value);
    }

    /// Values counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The value that a share `quantile` (0 to 1) of all values do not exceed; `None` if nothing was counted.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let wanted = ((quantile * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Some(highest_in(bucket).min(self.max));
            }
        }
        None
    }
}

fn bucket_of(value: u64) -> usize {
    if value < LINEAR {
        return value as usize;
    }
    let exponent = 63 - value.leading_zeros();
    let shift = exponent - SUB_BITS;
    let group = u64::from(shift) - 1;
    (LINEAR + group * SUB + ((value >> shift) - SUB)) as usize
}

fn highest_in(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < LINEAR {
        return bucket;
    }
    let shift = (bucket - LINEAR) / SUB + 1;
    let sub = (bucket - LINEAR) % SUB + SUB;
    ((u128::from(sub + 1) << shift) - 1).min(u128::from(u64::MAX)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_a_bucket_at_most_two_percent_wide() {
        let mut value = 0u64;
        while value < u64::MAX / 2 {
            let high = highest_in(bucket_of(value));
            assert!(high >= value, "{value} above its bucket's end {high}");
            assert!(
                high - value <= value / 64 + 1,
                "{value} far below its bucket's end {high}"
            );
            value = value + value / 37 + 1;
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_of_a_known_series() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=100).for_each(|value| histogram.record(value));
        let cases = [(0.0, 1), (0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100)];
        for (quantile, expected) in cases {
            assert_eq!(
                histogram.quantile(quantile),
                Some(expected),
                "quantile {quantile}"
            );
        }
    }
}
