//! What bounds the load.

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
        }
    }
}
