//! Client connections and what they have counted. Source: `ServerCnxn.getConnectionInfo`.

use crate::client::Client;
use crate::shared::Shared;
use grevy_node::Time;
use grevy_node::auth::ip_id;
use grevy_node::connection::ConnectionStats;
use grevy_proto::SessionId;
use std::net::SocketAddr;
use std::time::Duration;

/// A connection at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionReport {
    /// Where it comes from.
    pub address: SocketAddr,
    /// Its session, if it has one.
    pub session: Option<SessionId>,
    /// Its session's timeout.
    pub timeout: Duration,
    /// When it was accepted, in ms since 1970.
    pub established_ms: i64,
    /// When its last frame came.
    pub heard: Time,
    /// Requests that have not been answered.
    pub queued: usize,
    /// Whether something waits to be sent.
    pub has_output: bool,
    /// What it has counted.
    pub stats: ConnectionStats,
}

/// All connections, in the order of their arrival.
pub fn all(shared: &Shared) -> Vec<ConnectionReport> {
    let clients = shared.clients.all();
    clients.iter().map(|client| report(client)).collect()
}

/// Has every connection count anew (`crst`).
pub fn reset(shared: &Shared) {
    for client in shared.clients.all() {
        client.wire().conn.reset_stats();
    }
}

fn report(client: &Client) -> ConnectionReport {
    let mut wire = client.wire();
    let has_output = wire.has_output();
    let conn = &wire.conn;
    ConnectionReport {
        address: client.peer(),
        session: conn.session(),
        timeout: conn.timeout(),
        established_ms: client.established_ms(),
        heard: conn.heard(),
        queued: conn.outstanding(),
        has_output,
        stats: *conn.stats(),
    }
}

impl ConnectionReport {
    /// What the Java server waits for: 1 to read, 4 to write.
    pub fn interest_ops(&self) -> u32 {
        match self.has_output {
            true => 5,
            false => 1,
        }
    }

    /// The address as Java writes it, without the slash in front.
    pub fn address_text(&self) -> String {
        let (ip, port) = (self.address.ip().to_canonical(), self.address.port());
        let text = ip_id(ip).id;
        match ip.is_ipv6() {
            true => format!("[{text}]:{port}"),
            false => format!("{text}:{port}"),
        }
    }

    /// ZooKeeper's name of the last operation, `NA` before the first.
    pub fn last_operation(&self) -> &'static str {
        self.stats
            .last_op
            .map_or("NA", grevy_node::reads::short_name)
    }

    /// The last request's number; -1 before the first.
    pub fn last_cxid(&self) -> i64 {
        self.stats.last_cxid.map_or(-1, |xid| i64::from(xid.0))
    }

    /// The zxid of the last reply; -1 before the first.
    pub fn last_zxid(&self) -> i64 {
        match self.stats.replies {
            0 => -1,
            _ => self.stats.last_zxid.0,
        }
    }

    /// The longest time that a request took, in ms, rounded up as that of the server is.
    pub fn max_latency_ms(&self) -> u32 {
        self.stats.max_latency.div_ceil(1000)
    }

    /// The average time that a request took, in whole ms.
    pub fn avg_latency_ms(&self) -> u64 {
        let stats = &self.stats;
        stats.total_latency.checked_div(stats.replies).unwrap_or(0) / 1000
    }
}
