//! All metrics at one time, and how `mntr` and the admin server name their numbers.

use super::catalog::COUNTED;
use super::gauges::{self, ENSEMBLE_GAUGES, GAUGE_SETS, GAUGES};
use super::info::{Info, Kind};
use super::summary::Distribution;
use super::uncounted::UNCOUNTED;
use crate::shared::Shared;

/// What a metric has come to.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number of things.
    Integer(i64),
    /// An average or a share.
    Float(f64),
    /// A number for each key.
    Set(Vec<(String, i64)>),
    /// Many values in few.
    Distribution(Distribution),
    /// The same for each key.
    Distributions(Vec<(String, Distribution)>),
}

/// A single number under a name of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A number of things.
    Integer(i64),
    /// An average or a share.
    Float(f64),
}

impl std::fmt::Display for Number {
    /// As Java writes it: a fraction always has a point.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
        }
    }
}

/// What is counted in [`Stats`](crate::stats::Stats), once for all requests that came together.
pub const OF_REQUESTS: &[Info] = &[
    Info {
        name: "bytes_received_count",
        kind: Kind::Counter,
        about: "Bytes of requests received from clients.",
    },
    Info {
        name: "response_bytes",
        kind: Kind::Counter,
        about: "Bytes of replies and events for clients.",
    },
    Info {
        name: "watch_bytes",
        kind: Kind::Counter,
        about: "Bytes of events for clients.",
    },
    Info {
        name: "readlatency",
        kind: Kind::AdvancedSummary,
        about: "How long answering a read or a ping took, in ms.",
    },
    Info {
        name: "updatelatency",
        kind: Kind::AdvancedSummary,
        about: "How long a write took, reads that waited for it included, in ms.",
    },
];

/// Every metric there is.
pub fn catalog() -> impl Iterator<Item = &'static Info> {
    let uncounted = UNCOUNTED.iter().flat_map(|group| group.metrics);
    let gauges = GAUGES.iter().chain(ENSEMBLE_GAUGES).chain(GAUGE_SETS);
    gauges.chain(OF_REQUESTS).chain(COUNTED).chain(uncounted)
}

/// Every metric that this server has now, and what it has come to, in the order of [`catalog`].
pub fn read(shared: &Shared) -> Vec<(&'static Info, Value)> {
    let mut readings = gauges::read(shared);
    readings.extend(OF_REQUESTS.iter().zip(shared.stats.metrics()));
    readings.extend(shared.metrics.read());
    let uncounted = UNCOUNTED.iter().flat_map(|group| group.metrics);
    readings.extend(uncounted.map(|info| (info, nothing(info.kind))));
    readings
}

/// What a metric that nothing is counted for comes to.
fn nothing(kind: Kind) -> Value {
    match kind {
        Kind::Gauge | Kind::Counter => Value::Integer(0),
        Kind::GaugeSet | Kind::CounterSet => Value::Set(Vec::new()),
        Kind::SummarySet => Value::Distributions(Vec::new()),
        Kind::Summary => Value::Distribution(Distribution::empty(false)),
        Kind::AdvancedSummary => Value::Distribution(Distribution::empty(true)),
    }
}

/// The numbers of a metric, named as ZooKeeper's `DefaultMetricsProvider` names them.
pub fn numbers(info: &Info, value: &Value) -> Vec<(String, Number)> {
    let name = info.name;
    match value {
        Value::Integer(value) => vec![(name.to_owned(), Number::Integer(*value))],
        Value::Float(value) => vec![(name.to_owned(), Number::Float(*value))],
        Value::Set(set) => set
            .iter()
            .map(|(key, value)| (format!("{key}_{name}"), Number::Integer(*value)))
            .collect(),
        Value::Distribution(values) => summary(name, values),
        Value::Distributions(set) => set
            .iter()
            .flat_map(|(key, values)| summary(&format!("{key}_{name}"), values))
            .collect(),
    }
}

fn summary(name: &str, values: &Distribution) -> Vec<(String, Number)> {
    let integer = |value: u64| Number::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    let mut numbers = vec![
        (format!("avg_{name}"), Number::Float(values.avg())),
        (format!("min_{name}"), integer(values.min())),
        (format!("max_{name}"), integer(values.max())),
        (format!("cnt_{name}"), integer(values.count())),
        (format!("sum_{name}"), integer(values.sum())),
    ];
    if values.has_percentiles() {
        let quantiles = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];
        numbers.extend(quantiles.map(|(prefix, quantile)| {
            // Rounded down, so that it is not above the greatest.
            let value = values.quantile(quantile).unwrap_or(0.0);
            (format!("{prefix}_{name}"), Number::Integer(value as i64))
        }));
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// `ServerMetrics` names these, and `ZooKeeperServer.registerMetrics` the gauges.
    const COUNTERS_AND_SUMMARIES: usize = 122;
    const GAUGES_AND_SETS: usize = 38;

    #[test]
    fn every_name_is_there_once() {
        let names: BTreeSet<_> = catalog().map(|info| info.name).collect();
        assert_eq!(names.len(), catalog().count());
        let gauges = GAUGES.len() + ENSEMBLE_GAUGES.len() + GAUGE_SETS.len();
        assert_eq!(gauges, GAUGES_AND_SETS);
        assert_eq!(names.len(), COUNTERS_AND_SUMMARIES + GAUGES_AND_SETS);
    }

    #[test]
    fn the_numbers_of_a_metric_have_names_of_their_own() {
        let info = |kind| Info {
            name: "x",
            kind,
            about: "",
        };
        let written = |kind, value: &Value| -> Vec<String> {
            numbers(&info(kind), value)
                .iter()
                .map(|(name, number)| format!("{name} {number}"))
                .collect()
        };
        let set = Value::Set(vec![("a".to_owned(), 3)]);
        let by_server = Value::Distributions(vec![("2".to_owned(), Distribution::empty(false))]);
        assert_eq!(written(Kind::SummarySet, &by_server)[0], "avg_2_x 0.0");
        assert_eq!(written(Kind::GaugeSet, &set), ["a_x 3"]);
        assert_eq!(written(Kind::Gauge, &Value::Float(0.0)), ["x 0.0"]);
        assert_eq!(
            written(Kind::Summary, &nothing(Kind::Summary)),
            ["avg_x 0.0", "min_x 0", "max_x 0", "cnt_x 0", "sum_x 0"]
        );
        let advanced = written(Kind::AdvancedSummary, &nothing(Kind::AdvancedSummary));
        assert_eq!(advanced[5..], ["p50_x 0", "p95_x 0", "p99_x 0", "p999_x 0"]);
    }
}
