//! Connections that must be done with something in time, or are ended.

use crate::client::Client;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Connections with one time limit for all.
#[derive(Debug)]
pub struct Deadlines {
    limit: Duration,
    start: Instant,
    /// When their time is over, in µs after `start`.
    queue: Mutex<VecDeque<(u64, Weak<Client>)>>,
}

impl Deadlines {
    /// Each connection has `limit`, counted from [`Deadlines::push`].
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            start: Instant::now(),
            queue: Mutex::default(),
        }
    }

    /// Starts the connection's time.
    pub fn push(&self, client: &Arc<Client>) {
        let at = self.micros(Instant::now() + self.limit);
        self.queue.lock().push_back((at, Arc::downgrade(client)));
    }

    /// Ends the connections whose time is over and for which `is_late` still holds. Returns how
    /// many those were.
    pub fn enforce(&self, now: Instant, is_late: impl Fn(&Client) -> bool) -> u64 {
        let mut ended = 0;
        let now = self.micros(now);
        let mut queue = self.queue.lock();
        while queue.front().is_some_and(|(at, _)| *at <= now) {
            let client = queue.pop_front().and_then(|(_, client)| client.upgrade());
            if let Some(client) = client.filter(|client| is_late(client)) {
                client.abort();
                ended += 1;
            }
        }
        // What a burst of connections took is given back.
        if queue.capacity() > 64 && queue.len() < queue.capacity() / 4 {
            let room = queue.len() * 2;
            queue.shrink_to(room);
        }
        ended
    }

    fn micros(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}
