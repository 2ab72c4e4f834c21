//! What the node has counted, as metrics.

use super::catalog::ServerMetrics;
use grevy_node::Tally;
use grevy_node::noted::Noted;

impl ServerMetrics {
    /// Adds what the node has done from `before` to `after`. `leads`: it runs alone, or leads.
    pub fn count(&self, before: &Tally, after: &Tally, leads: bool, now_ms: i64) {
        if let Some((count, lag_ms)) = after.lag_since(before, now_ms) {
            let lag = lag_ms.saturating_mul(1000);
            let total = lag.saturating_mul(count);
            self.propagation_latency.add_batch(count, total, lag);
            if !leads {
                let latency = &self.commit_propagation_latency;
                latency.add_batch(count, total, lag);
            }
        }
        let numbers = |tally: &Tally| {
            [
                tally.proposed,
                tally.committed,
                tally.proposals_received,
                tally.commits_received,
                tally.revalidations,
                tally.digest_mismatches,
            ]
        };
        let counters = [
            &self.proposals,
            &self.commits,
            &self.proposals_received,
            &self.commits_received,
            &self.revalidations,
            &self.digest_mismatches,
        ];
        let (before, after) = (numbers(before), numbers(after));
        for ((counter, before), after) in counters.iter().zip(before).zip(after) {
            if after > before {
                counter.add(after - before);
            }
        }
    }

    /// Adds what the node has noted.
    pub fn note(&self, noted: &Noted) {
        self.created_watchers.add_all(noted.created);
        self.deleted_watchers.add_all(noted.deleted);
        self.changed_watchers.add_all(noted.changed);
        self.children_watchers.add_all(noted.children);
        for (topmost, count) in &noted.over_quota {
            self.over_quota.add(topmost, *count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grevy_node::noted::Spread;

    #[test]
    fn what_was_noted_is_added() {
        let metrics = ServerMetrics::default();
        let spread = |count, sum, least, greatest| Spread {
            count,
            sum,
            least,
            greatest,
        };
        for changed in [spread(2, 10, 1, 9), spread(0, 0, 0, 0), spread(1, 4, 4, 4)] {
            let noted = Noted {
                changed,
                over_quota: [("a".into(), 2)].into(),
                ..Noted::default()
            };
            metrics.note(&noted);
        }
        let read = metrics.changed_watchers.read();
        let told = (read.count(), read.sum(), read.min(), read.max());
        assert_eq!(told, (3, 14, 1, 9));
        assert_eq!(metrics.over_quota.read(), [("a".to_owned(), 6)]);
    }

    #[test]
    fn what_was_done_since_is_added() {
        let metrics = ServerMetrics::default();
        let before = Tally {
            applied: 1,
            applied_times: 500,
            committed: 1,
            ..Tally::default()
        };
        let after = Tally {
            applied: 3,
            applied_times: 500 + 2 * 990,
            committed: 3,
            proposed: 1,
            ..before
        };
        metrics.count(&before, &after, true, 1000);
        metrics.count(&after, &after, false, 1000);
        assert_eq!((metrics.commits.get(), metrics.proposals.get()), (2, 1));
        let lag = metrics.propagation_latency.read();
        assert_eq!((lag.count(), lag.sum()), (2, 20));
        assert_eq!(metrics.commit_propagation_latency.read().count(), 0);
    }
}
