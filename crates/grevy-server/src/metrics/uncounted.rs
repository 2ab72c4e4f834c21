//! Metrics of ZooKeeper whose values are always zero here. Their names are kept, so that
//! dashboards and alerts find them.

use super::info::{Info, Kind};

/// Metrics that are always zero for the same reason.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// Why they are.
    pub reason: &'static str,
    /// Which they are.
    pub metrics: &'static [Info],
}

const fn info(name: &'static str, kind: Kind) -> Info {
    Info {
        name,
        kind,
        about: "",
    }
}
const fn counter(name: &'static str) -> Info {
    info(name, Kind::Counter)
}
const fn summary(name: &'static str) -> Info {
    info(name, Kind::Summary)
}
const fn advanced(name: &'static str) -> Info {
    info(name, Kind::AdvancedSummary)
}
const fn summary_set(name: &'static str) -> Info {
    info(name, Kind::SummarySet)
}

/// All of them.
pub const UNCOUNTED: &[Group] = &[
    Group {
        reason: "A follower that serves observers passes on at once what comes from the leader.",
        metrics: &[
            advanced("om_proposal_process_time_ms"),
            advanced("om_commit_process_time_ms"),
        ],
    },
    Group {
        reason: "What is for a learner is written to its socket at once, and what its clients ask \
                 for is sent to the leader at once; these queues do not exist.",
        metrics: &[
            summary_set("learner_handler_qp_size"),
            summary_set("learner_handler_qp_time_ms"),
            summary("learner_request_processor_queue_size"),
            counter("skip_learner_request_to_next_processor_count"),
        ],
    },
    Group {
        reason: "A leader of Grevy goes by what a quorum answers to its pings, never by what a \
                 single voter says.",
        metrics: &[counter("quit_leading_due_to_disloyal_voter")],
    },
    Group {
        reason: "Grevy answers reads on the thread that received them and decides writes at once; \
                 these queues do not exist.",
        metrics: &[
            advanced("prep_processor_queue_time_ms"),
            summary("prep_processor_queue_size"),
            counter("prep_processor_request_queued"),
            counter("outstanding_changes_queued"),
            counter("outstanding_changes_removed"),
            summary("prep_process_time"),
            summary("proposal_process_time"),
            advanced("close_session_prep_time"),
            summary("requests_in_session_queue"),
            summary("pending_session_queue_size"),
            summary("reads_after_write_in_session_queue"),
            summary("reads_issued_from_session_queue"),
            summary("session_queues_drained"),
            summary("time_waiting_empty_pool_in_commit_processor_read_ms"),
            summary("write_batch_time_in_commit_processor"),
            summary("concurrent_request_processing_in_commit_processor"),
            summary("read_commit_proc_req_queued"),
            summary("write_commit_proc_req_queued"),
            summary("commit_commit_proc_req_queued"),
            counter("request_commit_queued"),
            summary("read_commit_proc_issued"),
            summary("write_commit_proc_issued"),
            advanced("read_commitproc_time_ms"),
            advanced("write_commitproc_time_ms"),
            advanced("local_write_committed_time_ms"),
            advanced("server_write_committed_time_ms"),
            summary("commit_process_time"),
            advanced("read_final_proc_time_ms"),
            advanced("write_final_proc_time_ms"),
            advanced("sync_processor_queue_and_flush_time_ms"),
            summary("sync_processor_queue_size"),
            advanced("sync_processor_queue_time_ms"),
            advanced("sync_processor_queue_flush_time_ms"),
            summary("sync_process_time"),
            counter("requests_not_forwarded_to_commit_processor"),
            summary("socket_closing_time"),
            summary("netty_queued_buffer_capacity"),
            counter("dead_watchers_queued"),
            counter("dead_watchers_cleared"),
            counter("add_dead_watcher_stall_time"),
            advanced("dead_watchers_cleaner_latency"),
        ],
    },
    Group {
        reason: "Grevy has no cache of responses: encoding one is no dearer than finding it.",
        metrics: &[
            counter("response_packet_cache_hits"),
            counter("response_packet_cache_misses"),
            counter("response_packet_get_children_cache_hits"),
            counter("response_packet_get_children_cache_misses"),
        ],
    },
    Group {
        reason: "Grevy has no JVM, and does without these: TLS, throttling, restoring a running \
                 server.",
        metrics: &[
            advanced("jvm_pause_time_ms"),
            counter("unsuccessful_handshake"),
            counter("insecure_admin_count"),
            counter("tls_handshake_exceeded"),
            summary("connection_token_deficit"),
            counter("throttled_ops"),
            counter("stale_requests"),
            counter("stale_requests_dropped"),
            counter("stale_replies"),
            advanced("request_throttle_queue_time_ms"),
            counter("request_throttle_wait_count"),
            counter("large_requests_rejected"),
            summary("restore_time"),
            counter("restore_error_count"),
            counter("restore_rate_limited_count"),
        ],
    },
    Group {
        reason: "Not measured.",
        metrics: &[
            summary_set("write_per_namespace"),
            summary_set("read_per_namespace"),
            counter("ensemble_auth_success"),
            counter("ensemble_auth_skip"),
        ],
    },
];
