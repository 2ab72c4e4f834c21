//! The server as a whole. Source: `ServerStats`.

use super::ensemble;
use crate::shared::Shared;
use crate::stats::Snapshot;
use grevy_node::{Part, Status};
use grevy_proto::Zxid;

/// The server at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServerReport {
    /// What it is: `leader`, `follower`, `observer` or `standalone`; `read-only` or `looking`
    /// while it has no leader.
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

/// Whether the server has no leader, and serves those that are content with that.
pub fn is_read_only(shared: &Shared) -> bool {
    shared.look_at_node(|node| node.status() == Status::ReadOnly)
}

/// What `mntr` says of the server besides numbers, by ZooKeeper's names. Source:
/// `dumpMonitorValues`.
pub fn states(shared: &Shared) -> Vec<(&'static str, String)> {
    let role = shared.look_at_node(grevy_node::Node::role);
    let mut states = vec![("server_state", role.to_owned())];
    if let Some(report) = ensemble::report(shared) {
        states.push(("peer_state", report.peer_state()));
        if let (Part::Observing { .. }, Some(master)) = (&report.part, report.master) {
            states.push(("observer_master_id", master.0.to_string()));
        }
    }
    states
}
