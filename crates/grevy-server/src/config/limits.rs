//! What bounds the load.

use std::time::Duration;

use super::reader::Reader;

/// The extra room for records is at least this much (`BinaryInputArchive`).
const LEAST_EXTRA_BYTES: u32 = 1024;

/// Limits on requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The largest request, in bytes (`jute.maxbuffer`).
    pub max_buffer: u32,
    /// How many bytes more a record on disk or between servers may have; at least 1024.
    pub max_buffer_extra: u32,
    /// How many requests may be unanswered before busy connections are not read from.
    pub outstanding: u32,
    /// Whether a write beyond a hard quota fails.
    pub enforce_quota: bool,
    /// How many requests are processed at a time, and what becomes of the others.
    pub throttle: Throttle,
    /// How much memory large requests may take; none for no limit.
    pub large_requests: Option<LargeRequests>,
}

/// The request throttler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttle {
    /// How many requests are processed at a time; none for no limit.
    pub max_requests: Option<u32>,
    /// How long a request waits before it is looked at again.
    pub stall: Duration,
    /// Whether stale requests are dropped while they wait.
    pub drop_stale: bool,
    /// Whether a request of a closed connection is stale.
    pub stale_connection: bool,
    /// Whether a request older than its session's timeout is stale.
    pub stale_latency: bool,
    /// How long a stopping server waits for the waiting requests.
    pub shutdown_timeout: Duration,
    /// After how long a waiting request is answered with ThrottledOp; none for never.
    pub op_wait: Option<Duration>,
}

/// The bound on large requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LargeRequests {
    /// Requests of more bytes than this are large.
    pub threshold_bytes: u32,
    /// How many bytes of them may be in work at a time.
    pub max_bytes: u32,
}

impl Limits {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let max_buffer = reader.count("jute.maxbuffer");
        let max_buffer_extra = match reader.int("jute.maxbuffer.extrasize") {
            Some(_) => reader.count_at_least("jute.maxbuffer.extrasize", LEAST_EXTRA_BYTES),
            None => max_buffer.max(LEAST_EXTRA_BYTES),
        };
        Limits {
            max_buffer,
            max_buffer_extra,
            outstanding: reader.count("globalOutstandingLimit"),
            enforce_quota: reader.flag("enforceQuota"),
            throttle: Throttle::read(reader),
            large_requests: LargeRequests::read(reader),
        }
    }
}

impl Throttle {
    fn read(reader: &mut Reader<'_>) -> Self {
        let op_wait = reader.duration("throttled_op_wait_time");
        Throttle {
            max_requests: reader.limit("request_throttle_max_requests"),
            stall: reader.duration("request_throttle_stall_time"),
            drop_stale: reader.flag("request_throttle_drop_stale"),
            stale_connection: reader.flag("request_stale_connection_check"),
            stale_latency: reader.flag("request_stale_latency_check"),
            shutdown_timeout: reader.duration("request_throttler.shutdownTimeout"),
            op_wait: Some(op_wait).filter(|wait| !wait.is_zero()),
        }
    }
}

impl LargeRequests {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let max_bytes = reader.count("largeRequestMaxBytes");
        let threshold_bytes = reader.limit("largeRequestThreshold")?;
        Some(LargeRequests {
            threshold_bytes,
            max_bytes,
        })
    }
}
