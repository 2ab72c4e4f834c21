//! Durations for each of several servers. Source: `AvgMinMaxPercentileCounterSet`.

use super::summary::{Distribution, Times};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// See the module's text. For what happens once a batch, not once a request.
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

#[cfg(test)]
mod tests {
    use super::*;

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
