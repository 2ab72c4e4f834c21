//! What the threads of a server count, by ZooKeeper's names. Source: `ServerMetrics`.

use super::counter::Counter;
use super::info::{Info, Kind};
use super::reading::Value;
use super::summary::{Sizes, Times};

macro_rules! metric {
    (type counter) => {
        Counter
    };
    (type times) => {
        Times
    };
    (type advanced_times) => {
        Times
    };
    (type sizes) => {
        Sizes
    };
    (new counter) => {
        Counter::default()
    };
    (new times) => {
        Times::basic()
    };
    (new advanced_times) => {
        Times::advanced()
    };
    (new sizes) => {
        Sizes::basic()
    };
    (kind counter) => {
        Kind::Counter
    };
    (kind times) => {
        Kind::Summary
    };
    (kind advanced_times) => {
        Kind::AdvancedSummary
    };
    (kind sizes) => {
        Kind::Summary
    };
    (read counter $metric:expr) => {
        Value::Integer(i64::try_from($metric.get()).unwrap_or(i64::MAX))
    };
    (read $kind:ident $metric:expr) => {
        Value::Distribution($metric.read())
    };
}

macro_rules! catalog {
    ($($(#[doc = $about:literal])+ $kind:ident $field:ident = $name:literal;)*) => {
        /// Counters that whoever does the counted thing adds to. Each is an atomic or a few of
        /// them; where many requests are handled together, they are counted together.
        #[derive(Debug)]
        pub struct ServerMetrics {
            $($(#[doc = $about])+ pub $field: metric!(type $kind),)*
        }

        impl Default for ServerMetrics {
            fn default() -> Self {
                Self { $($field: metric!(new $kind),)* }
            }
        }

        impl ServerMetrics {
            /// What all of them have come to, in the order of [`COUNTED`].
            pub fn read(&self) -> Vec<(&'static Info, Value)> {
                let values = [$(metric!(read $kind self.$field),)*];
                COUNTED.iter().zip(values).collect()
            }

            /// Counts anew (`srst`).
            pub fn reset(&self) {
                $(self.$field.reset();)*
            }
        }

        /// The metrics of [`ServerMetrics`].
        pub const COUNTED: &[Info] = &[
            $(Info { name: $name, kind: metric!(kind $kind), about: concat!($($about),+) },)*
        ];
    };
}

catalog! {
    /// Connections that were turned away since there were as many as allowed.
    counter connections_rejected = "connection_rejected";
    /// Requests to open or resume a session.
    counter connection_requests = "connection_request_count";
    /// Connections that the client ended without closing its session.
    counter connections_dropped = "connection_drop_count";
    /// Connections that were ended since no session was asked for in time.
    counter sessionless_connections_expired = "sessionless_connections_expired";
    /// Connections that were ended since the server does not serve.
    counter connections_not_served = "cnxn_closed_without_zk_server_running";
    /// Connections that were ended since the client expected an ensemble of another name.
    counter ensemble_auth_failures = "ensemble_auth_fail";
    /// Sessions that expired.
    counter sessions_expired = "stale_sessions_expired";
    /// Transactions that this server proposed.
    counter proposals = "proposal_count";
    /// Transactions that were committed and applied.
    counter commits = "commit_count";
    /// Transactions that were handed to the log.
    counter log_entries = "sync_processor_request_queued";
    /// How long writing and syncing a batch of log entries took, in ms.
    times fsync_time = "fsynctime";
    /// How many log entries were made durable together.
    sizes batch_size = "sync_processor_batch_size";
    /// How long writing a snapshot took, in ms.
    times snapshot_time = "snapshottime";
    /// Snapshots that could not be written.
    counter snapshot_errors = "snapshot_error_count";
    /// Times that the admin server refused a snapshot since the last one was too recent.
    counter snapshots_rate_limited = "snapshot_rate_limited_count";
    /// How long reading the data at the start took, in ms.
    times startup_load_time = "dbinittime";
    /// How long reading the snapshot at the start took, in ms.
    times startup_snapshot_load_time = "startup_snap_load_time";
    /// How long replaying the log at the start took, in ms.
    times startup_log_load_time = "startup_txns_load_time";
    /// How many transactions were replayed at the start.
    sizes startup_log_entries = "startup_txns_loaded";
    /// Times that the tree's digest was not the one written with a transaction or snapshot.
    counter digest_mismatches = "digest_mismatches_count";
    /// Errors after which the server cannot serve until it is restarted.
    counter unrecoverable_errors = "unrecoverable_error_count";
}
