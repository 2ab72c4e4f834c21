//! What commands tell, under ZooKeeper's keys. Source: the classes in `Commands`.

use super::reply::Facts;
use crate::config::Metrics;
use crate::inspect::config_text;
use crate::inspect::connections::{self, ConnectionReport};
use crate::inspect::ensemble::{self, LeaderReport};
use crate::inspect::server;
use crate::inspect::sessions::Tracked;
use crate::inspect::settings::Settings;
use crate::inspect::{directories, environment, sessions, watches};
use crate::metrics::{self, Number};
use crate::shared::Shared;
use crate::version;
use grevy_proto::SessionId;
use serde_json::{Value, json};
use std::sync::atomic::Ordering::Relaxed;

/// The version of the tree's digest (`DigestCalculator`).
const DIGEST_VERSION: u32 = 2;
/// What is told where a size was never measured.
const NO_SIZE: i64 = -1;

/// What stands behind the question mark of a request: names with values, taken as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let split = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        };
        Self(pairs.map(split).collect())
    }

    /// The first value under this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

pub(super) fn object(value: Value) -> Facts {
    match value {
        Value::Object(facts) => facts,
        _ => Facts::new(),
    }
}

pub(super) fn nothing(_: &Shared, _: &Query) -> Facts {
    Facts::new()
}

pub(super) fn configuration(shared: &Shared, _: &Query) -> Facts {
    let settings = Settings::of(&shared.config, shared.client_port.wanted().as_ref());
    object(json!({
        "client_port": settings.client_port,
        "data_dir": settings.data_dir.display().to_string(),
        "data_log_dir": settings.data_log_dir.display().to_string(),
        "tick_time": settings.tick_time,
        "max_client_cnxns": settings.max_client_cnxns,
        "min_session_timeout": settings.min_session_timeout,
        "max_session_timeout": settings.max_session_timeout,
        "server_id": settings.server_id,
        "client_port_listen_backlog": settings.backlog,
    }))
}

pub(super) fn connections(shared: &Shared, _: &Query) -> Facts {
    let connections: Vec<Value> = connections::all(shared).iter().map(detailed).collect();
    object(json!({ "connections": connections, "secure_connections": [] }))
}

fn detailed(connection: &ConnectionReport) -> Value {
    let mut facts = brief(connection);
    let stats = &connection.stats;
    let more = json!({
        "session_id": connection.session.unwrap_or(SessionId::NONE).0,
        "last_operation": connection.last_operation(),
        "established": connection.established_ms,
        "session_timeout": u64::try_from(connection.timeout.as_millis()).unwrap_or(u64::MAX),
        "last_cxid": connection.last_cxid(),
        "last_zxid": connection.last_zxid(),
        "last_response_time": stats.last_response.millis(),
        "last_latency": stats.last_latency / 1000,
        "min_latency": stats.min_latency / 1000,
        "avg_latency": connection.avg_latency_ms(),
        "max_latency": connection.max_latency_ms(),
    });
    facts.extend(object(more));
    Value::Object(facts)
}

fn brief(connection: &ConnectionReport) -> Facts {
    object(json!({
        "remote_socket_address": connection.address_text(),
        "interest_ops": connection.interest_ops(),
        "outstanding_requests": connection.queued,
        "packets_received": connection.stats.received,
        "packets_sent": connection.stats.sent,
    }))
}

pub(super) fn connection_stat_reset(shared: &Shared, _: &Query) -> Facts {
    connections::reset(shared);
    Facts::new()
}

pub(super) fn dirs(shared: &Shared, _: &Query) -> Facts {
    object(json!({
        "datadir_size": directories::size(&directories::snapshots(&shared.config)),
        "logdir_size": directories::size(&directories::log(&shared.config)),
    }))
}

pub(super) fn dump(shared: &Shared, _: &Query) -> Facts {
    let expiries = match sessions::tracked(shared) {
        Tracked::Expiring(expiries, _) => expiries,
        Tracked::Known(_) => Vec::new(),
    };
    let expiries: Facts = expiries
        .into_iter()
        .map(|expiry| {
            let sessions: Vec<i64> = expiry.sessions.iter().map(|session| session.0).collect();
            (expiry.at.millis().to_string(), sessions.into())
        })
        .collect();
    let ephemerals: Facts = by_session(sessions::ephemerals(shared));
    object(json!({
        "expiry_time_to_session_ids": expiries,
        "session_id_to_ephemeral_paths": ephemerals,
    }))
}

fn by_session(paths: Vec<(SessionId, Vec<String>)>) -> Facts {
    let entry = |(session, paths): (SessionId, Vec<String>)| (session.0.to_string(), paths.into());
    paths.into_iter().map(entry).collect()
}

pub(super) fn environment(_: &Shared, _: &Query) -> Facts {
    let entries = environment::entries().into_iter();
    entries
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect()
}

pub(super) fn get_trace_mask(shared: &Shared, _: &Query) -> Facts {
    object(json!({ "tracemask": shared.trace_mask.load(Relaxed) }))
}

pub(super) fn set_trace_mask(shared: &Shared, query: &Query) -> Facts {
    let wrong = "setTraceMask requires long traceMask argument";
    let Some(text) = query.get("traceMask") else {
        return object(json!({ "error": wrong }));
    };
    let Ok(mask) = text.parse::<i64>() else {
        return object(json!({ "error": format!("{wrong}, got {text}") }));
    };
    shared.trace_mask.store(mask, Relaxed);
    object(json!({ "tracemask": mask }))
}

pub(super) fn hash(shared: &Shared, _: &Query) -> Facts {
    let digests = shared.look_at_node(|node| node.digests().to_vec());
    let digests: Vec<Value> = digests
        .into_iter()
        .map(|(zxid, digest)| {
            json!({ "zxid": zxid.0, "digest_version": DIGEST_VERSION, "digest": digest })
        })
        .collect();
    object(json!({ "digests": digests }))
}

pub(super) fn initial_configuration(shared: &Shared, _: &Query) -> Facts {
    object(json!({ "initial_configuration": config_text::masked(&shared.initial_text) }))
}

pub(super) fn is_read_only(shared: &Shared, _: &Query) -> Facts {
    object(json!({ "read_only": server::is_read_only(shared) }))
}

pub(super) fn last_snapshot(shared: &Shared, _: &Query) -> Facts {
    let newest = shared.snapshots.outcome().newest;
    let (zxid, timestamp) = newest.map_or((-1, -1), |s| (s.zxid.0, s.wall_ms / 1000));
    object(json!({ "zxid": format!("{zxid:x}"), "timestamp": timestamp }))
}

pub(super) fn monitor(shared: &Shared, _: &Query) -> Facts {
    let mut facts = object(json!({ "version": version::full() }));
    for (name, value) in server::states(shared) {
        // Java writes this one as a number.
        let number = value.parse::<i64>().map(Value::from);
        facts.insert(name.to_owned(), number.unwrap_or(value.into()));
    }
    if shared.config.administration.metrics == Metrics::Null {
        return facts;
    }
    for (info, value) in metrics::read(shared) {
        for (name, number) in metrics::numbers(info, &value) {
            let value = match number {
                Number::Integer(number) => number.into(),
                Number::Float(number) => number.into(),
            };
            facts.insert(name, value);
        }
    }
    facts
}

pub(super) fn server_stats(shared: &Shared, _: &Query) -> Facts {
    let server = server::report(shared);
    let stats = server.stats;
    let sizes = json!({
        "last_buffer_size": NO_SIZE,
        "min_buffer_size": NO_SIZE,
        "max_buffer_size": NO_SIZE,
    });
    let mut facts = object(json!({
        "version": version::full(),
        "read_only": server::is_read_only(shared),
        "server_stats": {
            "packets_sent": stats.sent,
            "packets_received": stats.received,
            "fsync_threshold_exceed_count": shared.slow_syncs.get(),
            "client_response_stats": sizes,
            "data_dir_size": directories::size(&directories::snapshots(&shared.config)),
            "log_dir_size": directories::size(&directories::log(&shared.config)),
            "provider_null": false,
            "last_processed_zxid": server.zxid.0,
            "outstanding_requests": server.outstanding,
            "server_state": server.mode,
            "avg_latency": stats.avg_latency_ms,
            "max_latency": stats.max_latency_ms,
            "min_latency": stats.min_latency_ms,
            "num_alive_client_connections": server.connections,
            "uptime": server.uptime_ms,
            "auth_failed_count": shared.auth_failures.get(),
            "non_mtlsremote_conn_count": 0,
            "non_mtlslocal_conn_count": 0,
        },
        "client_response": sizes,
    }));
    let leader = ensemble::report(shared).and_then(|report| report.leader);
    if let Some(LeaderReport { proposals, .. }) = leader {
        let sizes = json!({
            "last_buffer_size": proposals.last,
            "min_buffer_size": proposals.min,
            "max_buffer_size": proposals.max,
        });
        facts.insert("proposal_stats".to_owned(), sizes);
    }
    facts.insert("node_count".to_owned(), server.znodes.into());
    facts
}

pub(super) fn stats(shared: &Shared, query: &Query) -> Facts {
    let mut facts = server_stats(shared, query);
    let connections = connections::all(shared);
    let connections: Vec<Value> = connections.iter().map(|c| brief(c).into()).collect();
    facts.extend(object(
        json!({ "connections": connections, "secure_connections": [] }),
    ));
    facts
}

pub(super) fn stat_reset(shared: &Shared, _: &Query) -> Facts {
    server::reset(shared);
    Facts::new()
}

pub(super) fn system_properties(shared: &Shared, _: &Query) -> Facts {
    let all = config_text::system_properties(&shared.initial_text).into_iter();
    all.map(|(name, value)| (name, value.into())).collect()
}

pub(super) fn watch_summary(shared: &Shared, _: &Query) -> Facts {
    let summary = watches::summary(shared);
    object(json!({
        "num_connections": summary.watchers,
        "num_paths": summary.paths,
        "num_total_watches": summary.watches,
    }))
}

pub(super) fn watches(shared: &Shared, _: &Query) -> Facts {
    let sessions = by_session(watches::by_session(shared));
    object(json!({ "session_id_to_watched_paths": sessions }))
}

pub(super) fn watches_by_path(shared: &Shared, _: &Query) -> Facts {
    let paths: Facts = watches::by_path(shared)
        .into_iter()
        .map(|(path, sessions)| {
            let sessions: Vec<i64> = sessions.iter().map(|session| session.0).collect();
            (path, sessions.into())
        })
        .collect();
    object(json!({ "path_to_session_ids": paths }))
}
