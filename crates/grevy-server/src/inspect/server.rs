//! The server as a whole. Source: `ServerStats`.

use crate::shared::Shared;
use crate::stats::Snapshot;
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

/// What ZooKeeper calls a server that runs alone.
pub const STANDALONE: &str = "standalone";

/// The server now.
pub fn report(shared: &Shared) -> ServerReport {
    let outstanding = shared.look_at_node(|node| node.outstanding());
    let (zxid, znodes) = {
        let tree = shared.tree.read();
        (tree.last_zxid(), tree.znode_count())
    };
    ServerReport {
        mode: STANDALONE,
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
