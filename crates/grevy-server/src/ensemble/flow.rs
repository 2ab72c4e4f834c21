//! How long proposals take: from when they were made until each voter has them, a quorum has
//! them, and until they reach a learner.
//!
//! The zxids of an epoch have no holes, so a queue of times is enough. A leader measures by its
//! own clock, in µs; a learner by the time in the transaction, so in whole ms and as well as the
//! servers' clocks agree (as `Request.logLatency`).

use crate::metrics::ServerMetrics;
use grevy_node::{Peer, Time};
use grevy_proto::{ServerId, Zxid};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Proposals that are remembered. Who lags further behind is not measured.
const REMEMBERED: usize = 1 << 14;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// The zxid of the first time in the queue.
    first: Zxid,
    /// When each proposal was made, in µs.
    made: VecDeque<u64>,
    /// Up to where each voter, and (under no name) a quorum, has been measured.
    measured: BTreeMap<Option<ServerId>, Zxid>,
    pub sizes: ProposalSizes,
}

/// Sizes of proposals, in bytes; -1 if there were none. Source: `BufferStats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProposalSizes {
    /// The last one's.
    pub last: i64,
    /// The smallest.
    pub min: i64,
    /// The greatest.
    pub max: i64,
}

impl Default for ProposalSizes {
    fn default() -> Self {
        Self {
            last: -1,
            min: -1,
            max: -1,
        }
    }
}

impl ProposalSizes {
    fn add(&mut self, size: usize) {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        self.last = size;
        self.max = self.max.max(size);
        self.min = match self.min {
            -1 => size,
            min => min.min(size),
        };
    }
}

impl Flow {
    /// This leader proposes.
    pub fn proposed(&mut self, zxid: Zxid, size: usize, now: Time) {
        self.sizes.add(size);
        self.push(zxid, now.0);
    }

    /// A proposal, made at `made_ms` since 1970, has come from the leader.
    pub fn received(&mut self, zxid: Zxid, made_ms: i64, now_ms: i64, metrics: &ServerMetrics) {
        let (made, now) = (micros(made_ms), micros(now_ms));
        self.push(zxid, made);
        if now >= made {
            metrics
                .proposal_latency
                .add(Duration::from_micros(now - made));
        }
    }

    fn push(&mut self, zxid: Zxid, made: u64) {
        let expected = Zxid(self.first.0 + self.made.len() as i64);
        if self.made.is_empty() || zxid != expected {
            self.made.clear();
            self.first = zxid;
        }
        if self.made.len() == REMEMBERED {
            self.forget(1);
        }
        self.made.push_back(made);
    }

    fn forget(&mut self, count: usize) {
        self.made.drain(..count);
        self.first = Zxid(self.first.0 + count as i64);
    }

    /// Whether there is anything to measure.
    pub fn is_under_way(&self) -> bool {
        !self.made.is_empty()
    }

    /// Voters may have acknowledged, and a quorum of them.
    pub fn advance(&mut self, peer: &Peer, now: Time, metrics: &ServerMetrics) {
        let committed = peer.committed();
        for (server, zxid) in peer.acked() {
            if let Some((count, total)) = self.measure(Some(server), zxid, now.0) {
                let key = server.0;
                metrics.ack_latency.add_batch(key, count, total);
                if server == peer.id() {
                    let latency = &metrics.ack_creation_latency;
                    latency.add_batch(count, total, total / count);
                }
            }
        }
        if let Some((count, total)) = self.measure(None, committed, now.0) {
            let latency = &metrics.quorum_ack_latency;
            latency.add_batch(count, total, total / count);
        }
        // Whoever is gone is not waited for.
        let everywhere = peer.acked().map(|(_, zxid)| zxid).min();
        self.drop_until(everywhere.unwrap_or(committed).min(committed));
    }

    /// This learner says that everything up to `zxid` is durable here.
    pub fn acknowledged(&mut self, zxid: Zxid, now_ms: i64, metrics: &ServerMetrics) {
        if let Some((count, total)) = self.measure(None, zxid, micros(now_ms)) {
            let latency = &metrics.ack_creation_latency;
            latency.add_batch(count, total, total / count);
        }
        self.drop_until(zxid);
    }

    fn drop_until(&mut self, zxid: Zxid) {
        if zxid >= self.first {
            let count = usize::try_from(zxid.0 - self.first.0 + 1).unwrap_or(usize::MAX);
            self.forget(count.min(self.made.len()));
        }
    }

    /// How many proposals somebody has got to since it was asked last, and how many µs they took
    /// together.
    fn measure(&mut self, who: Option<ServerId>, until: Zxid, now: u64) -> Option<(u64, u64)> {
        let before = self.measured.entry(who).or_insert(Zxid(-1));
        if until <= *before {
            return None;
        }
        let from = Zxid(before.0 + 1).max(self.first);
        *before = until;
        let index = |zxid: Zxid| usize::try_from(zxid.0 - self.first.0).ok();
        let start = index(from)?.min(self.made.len());
        let end = index(Zxid(until.0 + 1))?.min(self.made.len());
        let made = self.made.range(start..end.max(start));
        let count = made.len() as u64;
        let total = made.map(|made| now.saturating_sub(*made)).sum();
        (count > 0).then_some((count, total))
    }

    /// The server has another part to play.
    pub fn end(&mut self) {
        *self = Self::default();
    }
}

fn micros(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).saturating_mul(1000)
}
