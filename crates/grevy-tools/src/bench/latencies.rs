//! How long requests took, in little memory.

use std::time::Duration;

/// Buckets for each power of two: what is told is exact within 1/32.
const STEPS: usize = 32;
/// Powers of two of a nanosecond.
const POWERS: usize = 64;

/// Counts by bucket.
#[derive(Debug, Clone)]
pub struct Latencies {
    buckets: Vec<u64>,
    count: u64,
    max: Duration,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            buckets: vec![0; STEPS * POWERS],
            count: 0,
            max: Duration::ZERO,
        }
    }
}

impl Latencies {
    /// Adds one.
    pub fn note(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos)] += 1;
        self.count += 1;
        self.max = self.max.max(latency);
    }

    /// Adds those of another connection.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// What the share `quantile` of all is not above.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let wanted = (self.count as f64 * quantile).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return Duration::from_nanos(upper(bucket)).min(self.max);
            }
        }
        self.max
    }
}

fn bucket(nanos: u64) -> usize {
    let nanos = nanos.max(1);
    let power = nanos.ilog2();
    let step = match power >= STEPS.ilog2() {
        true => (nanos >> (power - STEPS.ilog2())) as usize - STEPS,
        false => (nanos as usize) << (STEPS.ilog2() - power) & (STEPS - 1),
    };
    power as usize * STEPS + step
}

/// The upper end of a bucket, in ns.
fn upper(bucket: usize) -> u64 {
    let (power, step) = (bucket / STEPS, (bucket % STEPS) as u64);
    let base = 1_u64 << power;
    base.saturating_add(((step + 1) as u128 * base as u128 / STEPS as u128) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearly_exact() {
        let mut latencies = Latencies::default();
        for micros in 1..=1000 {
            latencies.note(Duration::from_micros(micros));
        }
        for (quantile, expected) in [(0.001, 1.0), (0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let micros = latencies.quantile(quantile).as_secs_f64() * 1e6;
            let off = (micros - expected).abs() / expected;
            assert!(off < 0.04, "{quantile}: {micros} for {expected}");
        }
        assert_eq!(latencies.max(), Duration::from_millis(1));
        let mut both = latencies.clone();
        both.add(&latencies);
        assert_eq!(both.count(), 2000);
    }

    #[test]
    fn every_duration_has_a_bucket() {
        let mut latencies = Latencies::default();
        for nanos in [0, 1, 31, 32, 33, u64::MAX] {
            latencies.note(Duration::from_nanos(nanos));
        }
        assert_eq!(latencies.count(), 6);
    }
}
