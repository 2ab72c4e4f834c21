//! What a server counts over all its connections. Source: `ServerStats`.

use crate::metrics::{Counter, Distribution, PerThread, Times, Value};
use grevy_node::connection::ConnectionStats;

/// Counters that every thread adds to, once a batch; each thread has its own.
#[derive(Debug, Default)]
pub struct Stats {
    threads: PerThread<Counters>,
}

#[derive(Debug)]
struct Counters {
    received: Counter,
    sent: Counter,
    bytes_received: Counter,
    bytes_sent: Counter,
    event_bytes: Counter,
    reads: Times,
    updates: Times,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            received: Counter::default(),
            sent: Counter::default(),
            bytes_received: Counter::default(),
            bytes_sent: Counter::default(),
            event_bytes: Counter::default(),
            reads: Times::advanced(),
            updates: Times::advanced(),
        }
    }
}

/// What a batch of requests or replies was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    /// Requests that came in, and the replies to those that could be answered at once.
    Received {
        /// How long the requests were, in bytes.
        bytes: usize,
    },
    /// Replies to writes, to reads behind them, and events.
    Applied,
}

/// The counters at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Snapshot {
    /// Frames received.
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
    /// The shortest time that a request took, in ms.
    pub min_latency_ms: u64,
    /// The average, in ms.
    pub avg_latency_ms: f64,
    /// The longest, in ms.
    pub max_latency_ms: u64,
}

impl Stats {
    /// Adds what a connection has counted since `before`; `output`: how many bytes of replies
    /// and events that made.
    pub fn count(
        &self,
        batch: Batch,
        before: &ConnectionStats,
        after: &ConnectionStats,
        output: usize,
    ) {
        let counters = self.threads.local();
        if let Batch::Received { bytes } = batch {
            let received = after.received.saturating_sub(before.received);
            counters.received.add(received);
            counters.bytes_received.add(bytes as u64);
        }
        let sent = after.sent.saturating_sub(before.sent);
        if sent == 0 {
            return;
        }
        counters.sent.add(sent);
        counters.bytes_sent.add(output as u64);
        let events = after.event_bytes.saturating_sub(before.event_bytes);
        if events > 0 {
            counters.event_bytes.add(events);
        }
        let replies = after.replies.saturating_sub(before.replies);
        if replies == 0 {
            return;
        }
        let latency = after.total_latency.saturating_sub(before.total_latency);
        let times = match batch {
            Batch::Received { .. } => &counters.reads,
            Batch::Applied => &counters.updates,
        };
        times.add_batch(replies, latency, u64::from(after.last_latency));
    }

    /// The counters now.
    pub fn snapshot(&self) -> Snapshot {
        let mut latency = self.merge(|counters| &counters.reads);
        latency.merge(&self.merge(|counters| &counters.updates));
        Snapshot {
            received: self.sum(|counters| &counters.received),
            sent: self.sum(|counters| &counters.sent),
            min_latency_ms: latency.min(),
            avg_latency_ms: latency.avg(),
            max_latency_ms: latency.max(),
        }
    }

    /// The values of [`OF_REQUESTS`](crate::metrics::OF_REQUESTS).
    pub fn metrics(&self) -> [Value; 5] {
        let integer = |count: u64| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
        [
            integer(self.sum(|counters| &counters.bytes_received)),
            integer(self.sum(|counters| &counters.bytes_sent)),
            integer(self.sum(|counters| &counters.event_bytes)),
            Value::Distribution(self.merge(|counters| &counters.reads)),
            Value::Distribution(self.merge(|counters| &counters.updates)),
        ]
    }

    fn sum(&self, counter: impl Fn(&Counters) -> &Counter) -> u64 {
        self.threads.iter().map(|c| counter(c).get()).sum()
    }

    fn merge(&self, times: impl Fn(&Counters) -> &Times) -> Distribution {
        let mut all = Distribution::empty(true);
        for counters in self.threads.iter() {
            all.merge(&times(counters).read());
        }
        all
    }

    /// Counts anew.
    pub fn reset(&self) {
        for counters in self.threads.iter() {
            counters.received.reset();
            counters.sent.reset();
            counters.bytes_received.reset();
            counters.bytes_sent.reset();
            counters.event_bytes.reset();
            counters.reads.reset();
            counters.updates.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_updates_add_up() {
        let stats = Stats::default();
        let before = ConnectionStats::default();
        let read = ConnectionStats {
            received: 4,
            sent: 3,
            event_bytes: 10,
            replies: 3,
            total_latency: 6_000,
            last_latency: 2_000,
            ..before
        };
        stats.count(Batch::Received { bytes: 100 }, &before, &read, 60);
        let written = ConnectionStats {
            sent: 5,
            event_bytes: 30,
            replies: 4,
            total_latency: 16_000,
            last_latency: 10_000,
            ..read
        };
        std::thread::scope(|scope| {
            scope.spawn(|| stats.count(Batch::Applied, &read, &written, 40));
        });
        let expected = Snapshot {
            received: 4,
            sent: 5,
            min_latency_ms: 2,
            avg_latency_ms: 4.0,
            max_latency_ms: 10,
        };
        assert_eq!(stats.snapshot(), expected);
        let [received, sent, events, reads, updates] = stats.metrics();
        let expected = [100, 100, 30].map(Value::Integer);
        assert_eq!([received, sent, events], expected);
        for (value, count) in [(reads, 3), (updates, 1)] {
            assert!(matches!(value, Value::Distribution(d) if d.count() == count));
        }
        stats.reset();
        assert_eq!(stats.snapshot().avg_latency_ms, 0.0);
        assert_eq!(stats.snapshot().sent, 0);
    }
}
