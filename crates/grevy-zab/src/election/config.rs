//! How an election goes about it.

use core::time::Duration;

/// How an election goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElectionConfig {
    /// Until the vote is sent again (`fastleader.minNotificationInterval`, 200 ms); doubles.
    pub min_interval: Duration,
    /// The most that it doubles to (`fastleader.maxNotificationInterval`, 60 s).
    pub max_interval: Duration,
    /// For how long to wait for votes that may still come once there is a quorum (200 ms).
    pub finalize_wait: Duration,
    /// Whether configurations that others tell are taken up (`reconfigEnabled`).
    pub reconfig: bool,
}
