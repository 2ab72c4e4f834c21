//! Where clients connect, for how long, and to what.

use std::time::Duration;

use super::endpoint::{Listen, host_alone};
use super::keys;
use super::reader::Reader;

/// The client port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    /// Where to listen; none if `clientPort` is not set, as with a port for TLS alone.
    pub listen: Option<Listen>,
    /// How many connections may wait to be accepted.
    pub backlog: u32,
    /// How many connections one address may hold (`maxClientCnxns`).
    pub per_address_limit: Option<u32>,
    /// How many connections there may be in all (`maxCnxns`).
    pub total_limit: Option<u32>,
    /// Whether to use TCP keep-alive.
    pub keep_alive: bool,
    /// After how long a connection without a session is closed.
    pub sessionless_timeout: Duration,
}

/// The unit of time, and the bounds of a session's timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The length of a tick; not zero.
    pub tick: Duration,
    /// The shortest session timeout.
    pub min_session_timeout: Duration,
    /// The longest; not below the shortest.
    pub max_session_timeout: Duration,
}

/// Nodes of the newer types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeTypes {
    /// Whether TTL nodes may be created (`extendedTypesEnabled`).
    pub extended_types: bool,
    /// Whether TTL nodes are marked as ZooKeeper 3.5.3 did.
    pub emulate_353_ttl: bool,
    /// How often empty containers and expired TTL nodes are looked for.
    pub reaper_interval: Duration,
    /// How many of them are deleted a minute at most.
    pub reaper_max_per_minute: u32,
    /// After how long a container that never had a child is deleted.
    pub never_used_container_age: Option<Duration>,
}

impl Clients {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let host = reader.text("clientPortAddress").and_then(host_alone);
        let port = reader.port("clientPort");
        if port.is_none() && reader.is_set("clientPortAddress") {
            reader.error(
                "clientPortAddress",
                "is set, but clientPort is not set; add a line clientPort=2181",
            );
        }
        Clients {
            listen: port.map(|port| Listen { host, port }),
            backlog: reader
                .limit("clientPortListenBacklog")
                .unwrap_or_else(default_backlog),
            per_address_limit: reader.limit("maxClientCnxns"),
            total_limit: reader.limit("maxCnxns"),
            keep_alive: reader.flag("clientTcpKeepAlive"),
            sessionless_timeout: reader.duration("nio.sessionlessCnxnTimeout"),
        }
    }
}

/// What -1 stands for.
fn default_backlog() -> u32 {
    keys::find("clientPortListenBacklog")
        .and_then(|key| key.default.value()?.parse().ok())
        .unwrap_or(u32::MAX)
}

impl Timing {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let tick = reader.duration("tickTime");
        let min = reader.time("minSessionTimeout").unwrap_or(tick * 2);
        let max = reader.time("maxSessionTimeout").unwrap_or(tick * 20);
        if min > max {
            let at = ["minSessionTimeout", "maxSessionTimeout"];
            let at = if reader.is_set(at[0]) { at[0] } else { at[1] };
            reader.error(
                at,
                format!(
                    "minSessionTimeout ({} ms, by default 2 ticks) must not be larger than \
                     maxSessionTimeout ({} ms, by default 20 ticks); set both",
                    min.as_millis(),
                    max.as_millis()
                ),
            );
        }
        Timing {
            tick,
            min_session_timeout: min,
            max_session_timeout: max,
        }
    }
}

impl NodeTypes {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let never_used = reader.duration("znode.container.maxNeverUsedIntervalMs");
        NodeTypes {
            extended_types: reader.flag("extendedTypesEnabled"),
            emulate_353_ttl: reader.flag("emulate353TTLNodes"),
            reaper_interval: reader.duration("znode.container.checkIntervalMs"),
            reaper_max_per_minute: reader.count("znode.container.maxPerMinute"),
            never_used_container_age: Some(never_used).filter(|age| !age.is_zero()),
        }
    }
}
