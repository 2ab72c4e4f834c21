//! What a metric is called, what kind it is and what it tells.

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// Its name in ZooKeeper, without the `zk_` that `mntr` puts in front.
    pub name: &'static str,
    /// What it consists of.
    pub kind: Kind,
    /// What it tells.
    pub about: &'static str,
}

/// What a metric consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number as it is now.
    Gauge,
    /// Such a number for each topmost znode.
    GaugeSet,
    /// A number that only grows, until `srst`.
    Counter,
    /// Such a number for each of several keys.
    CounterSet,
    /// Count, sum, least, greatest and average of values.
    Summary,
    /// The same with percentiles.
    AdvancedSummary,
    /// A summary for each of several keys.
    SummarySet,
}

impl Kind {
    /// What Prometheus calls it.
    pub fn prometheus(self) -> &'static str {
        match self {
            Self::Gauge | Self::GaugeSet => "gauge",
            Self::Counter | Self::CounterSet => "counter",
            Self::Summary | Self::AdvancedSummary | Self::SummarySet => "summary",
        }
    }

    /// What the documentation calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::GaugeSet => "gauges by topmost znode",
            Self::Counter => "counter",
            Self::CounterSet => "counters by topmost znode",
            Self::Summary => "summary",
            Self::AdvancedSummary => "summary with percentiles",
            Self::SummarySet => "summaries by key",
        }
    }
}
