//! Quotas: limits and usage of subtrees, kept in znodes below `/zookeeper/quota`.

use alloc::collections::BTreeMap;
use alloc::string::String;

/// The numbers in a limits or usage znode's data. Source: `StatsTrack`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatsTrack {
    values: BTreeMap<String, i64>,
}

/// Limits of a subtree; `None`: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuotaLimits {
    /// Znodes, the topmost included; going over is only logged.
    pub count: Option<i64>,
    /// Bytes of data; going over is only logged.
    pub bytes: Option<i64>,
    /// Znodes; going over is refused, if quotas are enforced. Stands before `count`.
    pub count_hard: Option<i64>,
    /// Bytes of data; likewise.
    pub bytes_hard: Option<i64>,
}

/// What a subtree holds, as its usage znode says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuotaUsage {
    /// Znodes, the topmost included.
    pub count: i64,
    /// Bytes of data.
    pub bytes: i64,
}

/// A subtree's quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota<'a> {
    /// The topmost znode's path.
    pub path: &'a str,
    /// What is allowed.
    pub limits: QuotaLimits,
    /// What is there; `None` if the usage znode is missing, and then nothing can be checked.
    pub usage: Option<QuotaUsage>,
}
