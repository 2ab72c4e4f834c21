//! The node's timeouts, and the time limits of connections.

use crate::shared::Shared;
use grevy_node::Time;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Wakes the node when it asked for it, until the server stops. Deadlines of sessions fall on
/// ticks, and so do the wake-ups: a deadline that arises meanwhile is never passed over.
pub async fn run(shared: Arc<Shared>) {
    let tick = u64::try_from(shared.node_config.tick.as_micros()).unwrap_or(u64::MAX);
    while !shared.is_stopping() {
        let next = Time((shared.clock.time().0 / tick + 1) * tick);
        tokio::time::sleep_until(shared.clock.instant(next).into()).await;
        let now = shared.clock.now();
        shared.with_node(|node, port| {
            if node.next_timeout().is_some_and(|at| at <= now.time) {
                node.handle_timeout(now, &shared.tree.read(), port);
            }
        });
    }
}

/// Ends connections that do not say who they are, and those that linger.
pub async fn enforce_deadlines(shared: Arc<Shared>) {
    while !shared.is_stopping() {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = Instant::now();
        let expired = shared
            .newcomers
            .enforce(now, |client| client.wire().conn.session().is_none());
        shared.metrics.sessionless_connections_expired.add(expired);
        shared.lingering.enforce(now, |_| true);
    }
}
