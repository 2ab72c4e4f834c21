//! How many values came, their sum, the least and the greatest. Source: `AvgMinMaxCounter`,
//! `AvgMinMaxPercentileCounter`.

use super::histogram::{Buckets, Histogram};
use grevy_node::noted::Spread;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Durations. Kept in µs, told in ms.
#[derive(Debug)]
pub struct Times(Values);

/// Sizes and counts.
#[derive(Debug)]
pub struct Sizes(Values);

impl Times {
    /// Without percentiles.
    pub fn basic() -> Self {
        Self(Values::new(false))
    }

    /// With percentiles.
    pub fn advanced() -> Self {
        Self(Values::new(true))
    }

    /// Adds one.
    pub fn add(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.add(1, micros, micros);
    }

    /// Adds `count` of them that took `total_micros` together; `sample` stands for each when it
    /// comes to the least, the greatest and percentiles.
    pub fn add_batch(&self, count: u64, total_micros: u64, sample: u64) {
        self.0.add(count, total_micros, sample);
    }

    /// What it has come to.
    pub fn read(&self) -> Distribution {
        self.0.read(1000)
    }

    /// Counts anew.
    pub fn reset(&self) {
        self.0.reset();
    }
}

impl Sizes {
    /// Without percentiles.
    pub fn basic() -> Self {
        Self(Values::new(false))
    }

    /// Adds one.
    pub fn add(&self, size: u64) {
        self.0.add(1, size, size);
    }

    /// Adds some.
    pub fn add_all(&self, sizes: Spread) {
        if sizes.count == 0 {
            return;
        }
        self.0.note_extremes(sizes.least, sizes.greatest);
        self.0.add(sizes.count, sizes.sum, sizes.least);
    }

    /// What it has come to.
    pub fn read(&self) -> Distribution {
        self.0.read(1)
    }

    /// Counts anew.
    pub fn reset(&self) {
        self.0.reset();
    }
}

#[derive(Debug)]
struct Values {
    count: AtomicU64,
    sum: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
    histogram: Option<Histogram>,
}

impl Values {
    fn new(percentiles: bool) -> Self {
        Self {
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
            histogram: percentiles.then(Histogram::default),
        }
    }

    fn add(&self, count: u64, sum: u64, sample: u64) {
        self.count.fetch_add(count, Relaxed);
        self.sum.fetch_add(sum, Relaxed);
        // Some value of a batch is at most its average, and some at least that.
        let values = count.max(1);
        let (least, greatest) = (sample.min(sum / values), sample.max(sum.div_ceil(values)));
        self.note_extremes(least, greatest);
        if let Some(histogram) = &self.histogram {
            histogram.add(sample, count);
        }
    }

    fn note_extremes(&self, least: u64, greatest: u64) {
        // Mostly nothing new, and then nothing is written.
        if least < self.min.load(Relaxed) {
            self.min.fetch_min(least, Relaxed);
        }
        if greatest > self.max.load(Relaxed) {
            self.max.fetch_max(greatest, Relaxed);
        }
    }

    fn read(&self, scale: u64) -> Distribution {
        Distribution {
            scale,
            count: self.count.load(Relaxed),
            sum: self.sum.load(Relaxed),
            min: self.min.load(Relaxed),
            max: self.max.load(Relaxed),
            buckets: self.histogram.as_ref().map(Histogram::read),
        }
    }

    fn reset(&self) {
        self.count.store(0, Relaxed);
        self.sum.store(0, Relaxed);
        self.min.store(u64::MAX, Relaxed);
        self.max.store(0, Relaxed);
        if let Some(histogram) = &self.histogram {
            histogram.reset();
        }
    }
}

/// Values at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// How many of the kept units make one that is told.
    scale: u64,
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
    buckets: Option<Buckets>,
}

impl Distribution {
    /// Of no values.
    pub fn empty(percentiles: bool) -> Self {
        Self {
            scale: 1,
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
            buckets: percentiles.then(Buckets::default),
        }
    }

    /// Adds another one of the same kind.
    pub fn merge(&mut self, other: &Self) {
        self.scale = other.scale;
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        if let (Some(buckets), Some(more)) = (&mut self.buckets, &other.buckets) {
            buckets.merge(more);
        }
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum, rounded down.
    pub fn sum(&self) -> u64 {
        self.sum / self.scale
    }

    /// Their sum.
    pub fn exact_sum(&self) -> f64 {
        self.sum as f64 / self.scale as f64
    }

    /// The average, to four places; 0 without values.
    pub fn avg(&self) -> f64 {
        match self.count {
            0 => 0.0,
            count => {
                let avg = self.exact_sum() / count as f64;
                (avg * 10_000.0).round() / 10_000.0
            }
        }
    }

    /// The least value, rounded down; 0 without values.
    pub fn min(&self) -> u64 {
        match self.count {
            0 => 0,
            _ => self.min / self.scale,
        }
    }

    /// The greatest value, rounded up, so that the average is never above it; 0 without values.
    pub fn max(&self) -> u64 {
        self.max.div_ceil(self.scale)
    }

    /// Whether percentiles are kept.
    pub fn has_percentiles(&self) -> bool {
        self.buckets.is_some()
    }

    /// The value that the share `quantile` (0 to 1) of all values does not exceed, about; `None`
    /// without values or without percentiles.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let value = self.buckets.as_ref()?.quantile(quantile)?;
        // The bucket's middle may be outside of what there was.
        let value = value.max(self.min).min(self.max);
        Some(value as f64 / self.scale as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_milliseconds() {
        let times = Times::advanced();
        for micros in [1500, 2500, 8900] {
            times.add(Duration::from_micros(micros));
        }
        let read = times.read();
        assert_eq!(
            (read.count(), read.sum(), read.min(), read.max()),
            (3, 12, 1, 9)
        );
        assert_eq!(read.avg(), 4.3);
        assert_eq!(read.quantile(1.0), Some(8.704));
        times.reset();
        assert_eq!(times.read().avg(), 0.0);
        assert_eq!(times.read().min(), 0);
        assert_eq!(times.read().quantile(0.5), None);
    }

    #[test]
    fn a_batch_counts_as_often_as_it_says() {
        let (reads, more) = (Times::advanced(), Times::advanced());
        reads.add_batch(10, 20_000, 3_000);
        more.add_batch(30, 30_000, 1_000);
        let mut both = Distribution::empty(true);
        both.merge(&reads.read());
        both.merge(&more.read());
        assert_eq!((both.count(), both.avg()), (40, 1.25));
        assert_eq!((both.min(), both.max()), (1, 3));
        assert_eq!(both.quantile(0.5), Some(1.0));
    }

    #[test]
    fn the_average_of_a_batch_is_between_the_least_and_the_greatest() {
        for (total, sample) in [(17_000, 2_000), (17_000, 9_000), (15_001, 5_000)] {
            let times = Times::basic();
            times.add_batch(3, total, sample);
            let read = times.read();
            assert!((read.min() as f64) <= read.avg() && read.avg() <= read.max() as f64);
        }
    }

    #[test]
    fn sizes_are_told_as_they_are() {
        let sizes = Sizes::basic();
        [4, 6].into_iter().for_each(|size| sizes.add(size));
        let read = sizes.read();
        assert_eq!(
            (read.count(), read.sum(), read.min(), read.max()),
            (2, 10, 4, 6)
        );
        assert_eq!((read.avg(), read.has_percentiles()), (5.0, false));
    }
}
