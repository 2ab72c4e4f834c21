//! Numbers that are looked up when somebody asks. Source: `ZooKeeperServer.registerMetrics`.

use super::info::{Info, Kind};
use super::process;
use super::reading::Value;
use crate::inspect::ensemble;
use crate::shared::Shared;
use grevy_node::Watches;
use grevy_tree::{Quota, QuotaLimits, QuotaUsage, Tree};
use std::collections::BTreeMap;

const fn gauge(name: &'static str, about: &'static str) -> Info {
    Info {
        name,
        kind: Kind::Gauge,
        about,
    }
}

const fn set(name: &'static str, about: &'static str) -> Info {
    Info {
        name,
        kind: Kind::GaugeSet,
        about,
    }
}

/// The gauges, in the order in which they are told.
pub const GAUGES: &[Info] = &[
    gauge(
        "avg_latency",
        "Average time that a request took, in ms, since the last `srst`.",
    ),
    gauge("max_latency", "Longest time that a request took, in ms."),
    gauge("min_latency", "Shortest time that a request took, in ms."),
    gauge("packets_received", "Frames received from clients."),
    gauge("packets_sent", "Frames sent to clients, events included."),
    gauge("num_alive_connections", "Open client connections."),
    gauge(
        "outstanding_requests",
        "Requests that were taken up and not answered.",
    ),
    gauge("uptime", "Time since the start, in ms."),
    gauge(
        "znode_count",
        "Znodes, the root counted twice as in ZooKeeper.",
    ),
    gauge(
        "watch_count",
        "Watches, those for data and those for children counted apart.",
    ),
    gauge("ephemerals_count", "Ephemeral znodes."),
    gauge("approximate_data_size", "Bytes of all paths and data."),
    gauge("global_sessions", "Sessions."),
    gauge(
        "local_sessions",
        "Sessions of this server alone (`localSessionsEnabled`).",
    ),
    gauge(
        "open_file_descriptor_count",
        "Files and sockets that the server has open; -1: unknown.",
    ),
    gauge(
        "max_file_descriptor_count",
        "Files and sockets that it may open; -1: unknown.",
    ),
    gauge(
        "connection_drop_probability",
        "Chance of a new connection to be dropped; always 0.",
    ),
    gauge("last_client_response_size", "Not measured; always -1."),
    gauge("max_client_response_size", "Not measured; always -1."),
    gauge("min_client_response_size", "Not measured; always -1."),
    gauge(
        "outstanding_tls_handshake",
        "TLS handshakes under way; always 0.",
    ),
    gauge(
        "auth_failed_count",
        "Connections that were ended since an auth packet was wrong.",
    ),
    gauge(
        "non_mtls_remote_conn_count",
        "Connections without TLS from elsewhere; always 0.",
    ),
    gauge(
        "non_mtls_local_conn_count",
        "Connections without TLS from this machine; always 0.",
    ),
];

/// The sets of gauges, likewise.
pub const GAUGE_SETS: &[Info] = &[
    set(
        "quota_count_limit_per_namespace",
        "How many znodes quotas allow.",
    ),
    set(
        "quota_bytes_limit_per_namespace",
        "How many bytes of data quotas allow.",
    ),
    set(
        "quota_count_usage_per_namespace",
        "How many znodes there are below quotas.",
    ),
    set(
        "quota_bytes_usage_per_namespace",
        "How many bytes of data there are below quotas.",
    ),
];

/// The gauges of a member of an ensemble, likewise; the second is a
/// leader's, and a follower's that serves observers; those behind it are a leader's alone.
/// Source: `QuorumZooKeeperServer.registerMetrics`, `LeaderZooKeeperServer.registerMetrics`.
pub const ENSEMBLE_GAUGES: &[Info] = &[
    gauge("quorum_size", "Voters in the ensemble."),
    gauge("synced_observers", "Observers that are up to date."),
    gauge("learners", "Servers that are connected to this leader."),
    gauge("synced_followers", "Followers that are up to date."),
    gauge(
        "synced_non_voting_followers",
        "Those of them that do not vote.",
    ),
    gauge(
        "pending_syncs",
        "Syncs that wait for a quorum to confirm the leader.",
    ),
    gauge("leader_uptime", "How long this server has led, in ms."),
    gauge(
        "last_proposal_size",
        "Size of this leader's last proposal, in bytes; -1: none yet.",
    ),
    gauge(
        "max_proposal_size",
        "Size of its greatest proposal, in bytes.",
    ),
    gauge(
        "min_proposal_size",
        "Size of its smallest proposal, in bytes.",
    ),
];

/// Those of them that this server has.
fn of_ensemble(shared: &Shared) -> Vec<(&'static Info, Value)> {
    let Some(report) = ensemble::report(shared) else {
        return Vec::new();
    };
    let mut values = vec![integer(report.quorum_size)];
    if report.serves_observers {
        values.push(integer(report.synced_observers()));
    }
    if let Some(leader) = &report.leader {
        values.extend([
            integer(report.learners.len()),
            integer(report.synced_followers()),
            integer(report.synced_non_voting_followers()),
            integer(leader.pending_syncs),
            integer(leader.uptime_ms),
            Value::Integer(leader.proposals.last),
            Value::Integer(leader.proposals.max),
            Value::Integer(leader.proposals.min),
        ]);
    }
    ENSEMBLE_GAUGES.iter().zip(values).collect()
}

/// All gauges as they are now.
pub fn read(shared: &Shared) -> Vec<(&'static Info, Value)> {
    let stats = shared.stats.snapshot();
    let (outstanding, local) =
        shared.look_at_node(|node| (node.outstanding(), node.local_clock().len()));
    let (watches, znodes, ephemerals, size, sessions, quotas) = {
        let tree = shared.tree.read();
        (
            shared.watches.with(|table| table.count()),
            tree.znode_count(),
            tree.ephemerals_count(),
            tree.approximate_data_size(),
            tree.sessions().len(),
            quotas(&tree),
        )
    };
    let gauges = [
        Value::Float(stats.avg_latency_ms),
        integer(stats.max_latency_ms),
        integer(stats.min_latency_ms),
        integer(stats.received),
        integer(stats.sent),
        integer(shared.clients.len()),
        integer(outstanding),
        integer(shared.clock.time().millis()),
        integer(znodes),
        integer(watches),
        integer(ephemerals),
        Value::Integer(size),
        integer(sessions),
        integer(local),
        Value::Integer(process::open_files()),
        Value::Integer(process::max_open_files()),
        Value::Float(0.0),
        Value::Integer(-1),
        Value::Integer(-1),
        Value::Integer(-1),
        Value::Integer(0),
        integer(shared.auth_failures.get()),
        Value::Integer(0),
        Value::Integer(0),
    ];
    let sets = quotas.map(|set| Value::Set(set.into_iter().collect()));
    GAUGES
        .iter()
        .zip(gauges)
        .chain(of_ensemble(shared))
        .chain(GAUGE_SETS.iter().zip(sets))
        .collect()
}

fn integer(value: impl TryInto<i64>) -> Value {
    Value::Integer(value.try_into().unwrap_or(i64::MAX))
}

/// Sums over the quotas below each topmost znode, in the order of [`GAUGE_SETS`]. A limit that
/// is not set counts as -1. Source: `QuotaMetricsUtils`.
fn quotas(tree: &Tree) -> [BTreeMap<String, i64>; 4] {
    sum_up(tree.quotas())
}

fn sum_up<'a>(quotas: impl Iterator<Item = Quota<'a>>) -> [BTreeMap<String, i64>; 4] {
    let mut sums: [BTreeMap<String, i64>; 4] = Default::default();
    for Quota {
        path,
        limits,
        usage,
    } in quotas
    {
        let Some(topmost) = path.split('/').nth(1).filter(|name| !name.is_empty()) else {
            continue;
        };
        let QuotaLimits {
            count,
            bytes,
            count_hard,
            bytes_hard,
        } = limits;
        let limits = [count_hard.or(count), bytes_hard.or(bytes)];
        let usage = usage.map(|QuotaUsage { count, bytes }| [count, bytes]);
        let values = limits.map(|limit| Some(limit.unwrap_or(-1))).into_iter();
        let values = values.chain(usage.map_or([None; 2], |usage| usage.map(Some)));
        for (sum, value) in sums.iter_mut().zip(values) {
            if let Some(value) = value {
                let sum = sum.entry(topmost.to_owned()).or_default();
                *sum = sum.saturating_add(value);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_add_up_below_each_topmost_znode() {
        let quota = |path, count, count_hard, usage: Option<(i64, i64)>| Quota {
            path,
            limits: QuotaLimits {
                count,
                count_hard,
                ..QuotaLimits::default()
            },
            usage: usage.map(|(count, bytes)| QuotaUsage { count, bytes }),
        };
        let sums = sum_up(
            [
                quota("/a/b", Some(10), None, Some((1, 100))),
                quota("/a/c", Some(10), Some(7), Some((2, 50))),
                quota("/z", None, None, None),
                quota("/", Some(1), None, None),
            ]
            .into_iter(),
        );
        let expected: [&[(&str, i64)]; 4] = [
            &[("a", 17), ("z", -1)],
            &[("a", -2), ("z", -1)],
            &[("a", 3)],
            &[("a", 150)],
        ];
        for (sum, expected) in sums.iter().zip(expected) {
            let sum: Vec<(&str, i64)> = sum.iter().map(|(k, v)| (k.as_str(), *v)).collect();
            assert_eq!(sum, expected);
        }
    }
}
