//! Durations for each of several servers, and counts for each of several znodes. Source:
//! `AvgMinMaxPercentileCounterSet`, `SimpleCounterSet`.

use super::summary::{Distribution, Times};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Durations by server. For what happens once a batch, not once a request.
#[derive(Debug, Default)]
pub struct TimesByServer(Mutex<BTreeMap<i64, Times>>);

impl TimesByServer {
    /// Adds `count` of them that took `total_micros` together.
    pub fn add_batch(&self, server: i64, count: u64, total_micros: u64) {
        let mut all = self.0.lock();
        let times = all.entry(server).or_insert_with(Times::advanced);
        times.add_batch(count, total_micros, total_micros / count.max(1));
    }

    /// What they have come to.
    pub fn read(&self) -> Vec<(String, Distribution)> {
        let all = self.0.lock();
        let each = all.iter();
        each.map(|(server, times)| (server.to_string(), times.read()))
            .collect()
    }

    /// Counts anew.
    pub fn reset(&self) {
        self.0.lock().clear();
    }
}

/// Counts by topmost znode. For what is rare.
#[derive(Debug, Default)]
pub struct CountsByZnode(Mutex<BTreeMap<String, u64>>);

impl CountsByZnode {
    /// Adds to that of a znode.
    pub fn add(&self, topmost: &str, count: u64) {
        *self.0.lock().entry(topmost.to_owned()).or_default() += count;
    }

    /// What they have come to.
    pub fn read(&self) -> Vec<(String, i64)> {
        let all = self.0.lock();
        let each = all.iter();
        each.map(|(key, count)| (key.clone(), i64::try_from(*count).unwrap_or(i64::MAX)))
            .collect()
    }

    /// Counts anew.
    pub fn reset(&self) {
        self.0.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_znode_has_its_own() {
        let counts = CountsByZnode::default();
        for (topmost, count) in [("b", 1), ("a", 2), ("b", 3)] {
            counts.add(topmost, count);
        }
        let expected = [("a".to_owned(), 2), ("b".to_owned(), 4)];
        assert_eq!(counts.read(), expected);
        counts.reset();
        assert!(counts.read().is_empty());
    }

    #[test]
    fn each_server_has_its_own() {
        let times = TimesByServer::default();
        times.add_batch(2, 3, 9000);
        times.add_batch(1, 1, 1000);
        times.add_batch(2, 1, 3000);
        let read = times.read();
        let told: Vec<_> = read
            .iter()
            .map(|(key, d)| (key.as_str(), d.count(), d.avg()))
            .collect();
        assert_eq!(told, [("1", 1, 1.0), ("2", 4, 3.0)]);
        times.reset();
        assert!(times.read().is_empty());
    }
}
