//! The node's timeouts, and the time limits of connections.

use crate::shared::Shared;
use grevy_node::Time;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// When the node of a member wants to be woken, as far as is known.
#[derive(Debug, Default)]
pub struct Alarm {
    at: Mutex<Option<Time>>,
    changed: Notify,
}

impl Alarm {
    /// To be called with what the node says, while the node is locked.
    pub fn set(&self, at: Option<Time>) {
        let mut current = self.at.lock();
        // Whoever is woken too early asks again.
        let is_earlier = at.is_some_and(|at| current.is_none_or(|current| at < current));
        *current = at;
        if is_earlier {
            self.changed.notify_one();
        }
    }
}

/// Wakes the node when it asked for it, until the server stops.
pub async fn run(shared: Arc<Shared>) {
    while !shared.is_stopping() {
        match shared.is_alone() {
            true => tokio::time::sleep_until(next_wake(&shared)).await,
            false => ring(&shared).await,
        }
        let now = shared.clock.now();
        shared.with_node(|node, port| {
            if node.next_timeout().is_some_and(|at| at <= now.time) {
                node.handle_timeout(now, &shared.tree.read(), port);
            }
        });
    }
}

/// The node of a server that runs alone does not tell of each deadline. Those of sessions fall on
/// ticks, and so do wake-ups: one that arises meanwhile is never passed over. When znodes are looked
/// for whose time is over is known beforehand.
fn next_wake(shared: &Shared) -> Instant {
    let tick = u64::try_from(shared.node_config.tick.as_micros()).unwrap_or(u64::MAX);
    let next = Time((shared.clock.time().0 / tick + 1) * tick);
    let known = shared.with_node(|node, _| node.next_timeout());
    let at = known.map_or(next, |known| known.min(next));
    shared.clock.instant(at).into()
}

/// Waits for the node's next deadline, whatever it is meanwhile.
async fn ring(shared: &Shared) {
    loop {
        let at = *shared.alarm.at.lock();
        let changed = shared.alarm.changed.notified();
        match at {
            None => changed.await,
            Some(at) => tokio::select! {
                () = tokio::time::sleep_until(shared.clock.instant(at).into()) => return,
                () = changed => {}
            },
        }
    }
}

/// Ends connections that do not say who they are, and those that linger.
pub async fn enforce_deadlines(shared: Arc<Shared>) {
    while !shared.is_stopping() {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = Instant::now().into_std();
        let expired = shared
            .newcomers
            .enforce(now, |client| client.wire().conn.session().is_none());
        shared.metrics.sessionless_connections_expired.add(expired);
        shared.lingering.enforce(now, |_| true);
    }
}
