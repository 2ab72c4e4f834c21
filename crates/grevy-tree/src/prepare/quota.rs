//! Whether a change stays within hard limits. Source: `ZooKeeperServer.checkQuota`.
//!
//! Usage that is proposed counts as usage: what the tree will note in a quota's usage znode when
//! a transaction is applied is noted in [`Pending`](super::Pending) at once.

use super::pending::{Hashed, View};
use super::{Pending, Preparer};
use crate::quota::StatsTrack;
use crate::tree::Tree;
use alloc::format;
use alloc::string::String;
use grevy_proto::ErrorCode;

/// A quota, as it will be.
struct Quota<'a> {
    limits: View<'a>,
    usage_path: String,
    usage: View<'a>,
}

impl Preparer<'_> {
    /// Whether `bytes` more bytes and `count` more znodes at `path` are allowed.
    pub(super) fn check_quota(&self, path: &str, bytes: i64, count: i64) -> Result<(), ErrorCode> {
        if !self.context.config.enforce_quota {
            return Ok(());
        }
        let Some(quota) = quota(self.pending, self.tree, path) else {
            return Ok(());
        };
        let (Some(limits), Some(usage)) = (quota.limits.quota_data(), quota.usage.quota_data())
        else {
            return Ok(());
        };
        let limits = StatsTrack::parse(Some(limits));
        let usage = StatsTrack::parse(Some(usage));
        let exceeds = |more: i64, used: &str, limit: &str| {
            let limit = limits.get(limit);
            more != 0 && limit > -1 && usage.get(used).saturating_add(more) > limit
        };
        let exceeded = exceeds(count, StatsTrack::COUNT, StatsTrack::COUNT_HARD)
            || exceeds(bytes, StatsTrack::BYTES, StatsTrack::BYTES_HARD);
        match exceeded {
            true => Err(ErrorCode::QuotaExceeded),
            false => Ok(()),
        }
    }

    /// Notes that there will be `bytes` more bytes and `count` more znodes at `path`.
    pub(super) fn add_usage(&mut self, path: &str, bytes: i64, count: i64) {
        if !self.context.config.enforce_quota || (bytes, count) == (0, 0) {
            return;
        }
        let Some(quota) = quota(self.pending, self.tree, path) else {
            return;
        };
        let Some(data) = quota.usage.quota_data() else {
            return;
        };
        let mut usage = StatsTrack::parse(Some(data));
        for (key, more) in [(StatsTrack::COUNT, count), (StatsTrack::BYTES, bytes)] {
            usage.set(key, usage.get(key).wrapping_add(more));
        }
        let mut znode = quota.usage.edit(&quota.usage_path);
        let data = format!("{usage}").into_bytes();
        znode.data_len = data.len();
        znode.data = Some(data.into());
        // The tree's digest leaves these znodes out.
        self.write(self.at(&quota.usage_path), 0, Some(znode));
    }
}

/// The quota that holds at `path`: that of the nearest ancestor with limits, or its own. The root
/// has none. `None` also if it has no usage znode.
fn quota<'a>(pending: &'a Pending, tree: &'a Tree, path: &str) -> Option<Quota<'a>> {
    if pending.quota_records == 0 && tree.quota(path).is_none() {
        return None;
    }
    let mut subject = path;
    while !matches!(subject, "" | "/") {
        let limits = format!("/zookeeper/quota{subject}/zookeeper_limits");
        if let Some(limits) = pending.look(tree, Hashed::new(tree, &limits)) {
            let usage_path = format!("/zookeeper/quota{subject}/zookeeper_stats");
            let usage = pending.look(tree, Hashed::new(tree, &usage_path))?;
            return Some(Quota {
                limits,
                usage_path,
                usage,
            });
        }
        subject = subject.rsplit_once('/')?.0;
    }
    None
}
