//! What the threads of a server count, by ZooKeeper's names. Source: `ServerMetrics`.

use super::counter::Counter;
use super::info::{Info, Kind};
use super::keyed::{CountsByZnode, TimesByServer};
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
    (type times_by_server) => {
        TimesByServer
    };
    (type counts_by_znode) => {
        CountsByZnode
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
    (new times_by_server) => {
        TimesByServer::default()
    };
    (new counts_by_znode) => {
        CountsByZnode::default()
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
    (kind times_by_server) => {
        Kind::SummarySet
    };
    (kind counts_by_znode) => {
        Kind::CounterSet
    };
    (kind sizes) => {
        Kind::Summary
    };
    (read counter $metric:expr) => {
        Value::Integer(i64::try_from($metric.get()).unwrap_or(i64::MAX))
    };
    (read counts_by_znode $metric:expr) => {
        Value::Set($metric.read())
    };
    (read times_by_server $metric:expr) => {
        Value::Distributions($metric.read())
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
    /// Transactions that this server proposed, alone or as a leader.
    counter proposals = "proposal_count";
    /// Transactions that this server committed, alone or as a leader.
    counter commits = "commit_count";
    /// How long ago the leader had made a transaction when it was applied here, in ms.
    advanced_times propagation_latency = "propagation_latency";
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
    /// Times that this server began to look for a leader.
    counter looking = "looking_count";
    /// How long it took until somebody was elected, in ms.
    times election_time = "election_time";
    /// How long clients were not served for want of a leader, in ms.
    times unavailable_time = "unavailable_time";
    /// The same, as far as this server was the next leader.
    times leader_unavailable_time = "leader_unavailable_time";
    /// How long this follower took to take over a leader's history, in ms.
    times follower_sync_time = "follower_sync_time";
    /// How long this observer took to take over a leader's history, in ms.
    times observer_sync_time = "observer_sync_time";
    /// Learners that this leader brought up to date with transactions.
    counter diffs = "diff_count";
    /// Learners that this leader brought up to date with a snapshot.
    counter snaps = "snap_count";
    /// How many learners were being sent transactions whenever one began or ended.
    sizes inflight_diffs = "inflight_diff_count";
    /// How many learners were being sent a snapshot whenever one began or ended.
    sizes inflight_snaps = "inflight_snap_count";
    /// Sessions of learners that this leader was asked about.
    counter revalidations = "revalidate_count";
    /// Clients that came back with a session.
    counter client_revalidations = "connection_revalidate_count";
    /// How long this leader's proposals took until a quorum had them, in ms.
    advanced_times quorum_ack_latency = "quorum_ack_latency";
    /// How long they took until each voter had them, by its number, in ms.
    times_by_server ack_latency = "ack_latency";
    /// How long a proposal took until it was durable here, in ms.
    advanced_times ack_creation_latency = "proposal_ack_creation_latency";
    /// How long proposals took to this learner, in ms, by the servers' clocks.
    advanced_times proposal_latency = "proposal_latency";
    /// How long it took until this learner knew that they were committed, likewise.
    advanced_times commit_propagation_latency = "commit_propagation_latency";
    /// Proposals that came to this follower.
    counter proposals_received = "learner_proposal_received_count";
    /// Commits that came to this learner.
    counter commits_received = "learner_commit_received_count";
    /// How many clients watched a znode that was created, if any did.
    sizes created_watchers = "node_created_watch_count";
    /// How many watched one that was deleted, likewise.
    sizes deleted_watchers = "node_deleted_watch_count";
    /// How many watched one whose data were set, likewise.
    sizes changed_watchers = "node_changed_watch_count";
    /// How many watched one whose children were created or deleted, likewise.
    sizes children_watchers = "node_children_watch_count";
    /// Requests that this server refused, alone or as a leader, for the hard limit of a quota.
    counts_by_znode over_quota = "quota_exceeded_error_per_namespace";
    /// Errors after which the server cannot serve until it is restarted.
    counter unrecoverable_errors = "unrecoverable_error_count";
}
