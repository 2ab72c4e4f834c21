//! The server as a whole. Source: `ServerStats`.

use crate::shared::Shared;
use crate::stats::Snapshot;
use grevy_node::Node;
use grevy_proto::Zxid;

/// The server at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServerReport {
    /// What it is in its ensemble.
    pub mode: &'static str,
    /// Frames and latency.
    pub stats: Snapshot,
    /// Open client connections.
    pub connections: usize,
    /// Requests that were taken up and not answered.
    pub outstanding: usize,
    /// The last transaction that was applied.
    pub zxid: Zxid,
    /// How many znodes there are, as the Java server counts.
    pub znodes: usize,
    /// How long it has run, in ms.
    pub uptime_ms: u64,
}

/// What the server is in its ensemble, as ZooKeeper calls it.
pub fn mode(shared: &Shared) -> &'static str {
    shared.look_at_node(Node::role)
}

/// The server now.
pub fn report(shared: &Shared) -> ServerReport {
    let (mode, outstanding) = shared.look_at_node(|node| (node.role(), node.outstanding()));
    let (zxid, znodes) = {
        let tree = shared.tree.read();
        (tree.last_zxid(), tree.znode_count())
    };
    ServerReport {
        mode,
        stats: shared.stats.snapshot(),
        connections: shared.clients.len(),
        outstanding,
        zxid,
        znodes,
        uptime_ms: shared.clock.time().millis(),
    }
}

/// Has the server count anew (`srst`).
pub fn reset(shared: &Shared) {
    shared.stats.reset();
    shared.metrics.reset();
}
