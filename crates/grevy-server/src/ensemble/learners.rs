//! A leader's learners: who is brought up to date and how, who came, who is gone.

use super::outlook::names;
use super::roles::Line;
use crate::metrics::{ServerMetrics, Sizes};
use grevy_node::{LinkId, Peer};
use grevy_proto::ServerId;
use grevy_proto::quorum::Packet;
use grevy_zab::who_heals;
use std::collections::BTreeMap;
use std::fmt;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Learners {
    /// Those that are being brought up to date.
    syncing: BTreeMap<LinkId, Manner>,
    /// Those that are up to date.
    synced: BTreeMap<LinkId, Learner>,
}

/// How a learner is brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Transactions,
    Snapshot,
}

#[derive(Debug, Clone, Copy)]
struct Learner {
    server: Option<ServerId>,
    observer: bool,
}

impl fmt::Display for Learner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(server) = self.server else {
            return f.write_str("a server whose storage is empty");
        };
        match (who_heals(server), self.observer) {
            (Some(ServerId(id)), _) => write!(f, "server {id} (which lacks data)"),
            (None, true) => write!(f, "observer {}", server.0),
            (None, false) => write!(f, "server {}", server.0),
        }
    }
}

impl Learner {
    /// Whether it only fetches the history, and comes back under its own name.
    fn heals(&self) -> bool {
        self.server.is_none_or(|server| who_heals(server).is_some())
    }
}

impl Learners {
    /// Something is sent to one.
    pub fn sent(
        &mut self,
        peer: &Peer,
        link: LinkId,
        packet: &Packet,
        metrics: &ServerMetrics,
    ) -> Option<Line> {
        let (manner, what) = match packet {
            Packet::Diff(zxid) => (
                Manner::Transactions,
                format!("the transactions that it misses, up to {zxid} (DIFF)"),
            ),
            Packet::Trunc(zxid) => (
                Manner::Transactions,
                format!("word to go back to {zxid} (TRUNC), and what follows"),
            ),
            Packet::Snap(zxid) => (Manner::Snapshot, format!("a snapshot of {zxid} (SNAP)")),
            Packet::UpToDate => return self.synchronised(peer, link, metrics),
            _ => return None,
        };
        match manner {
            Manner::Transactions => metrics.diffs.add(1),
            Manner::Snapshot => metrics.snaps.add(1),
        }
        self.syncing.insert(link, manner);
        self.count(manner, metrics);
        Some(Line::info(format!("sending {} {what}", find(peer, link))))
    }

    fn synchronised(&mut self, peer: &Peer, link: LinkId, metrics: &ServerMetrics) -> Option<Line> {
        if let Some(manner) = self.syncing.remove(&link) {
            self.count(manner, metrics);
        }
        let learner = find(peer, link);
        // It counts once it is back.
        if learner.heals() {
            return Some(Line::info(format!(
                "{learner} has the history, and may join"
            )));
        }
        self.synced.insert(link, learner);
        let support = self.support(peer);
        Some(Line::info(format!(
            "{learner} is up to date and follows{support}"
        )))
    }

    /// How many are brought up to date, as Java notes whenever that changes.
    fn count(&self, manner: Manner, metrics: &ServerMetrics) {
        let count = self.syncing.values().filter(|m| **m == manner).count();
        let metric: &Sizes = match manner {
            Manner::Transactions => &metrics.inflight_diffs,
            Manner::Snapshot => &metrics.inflight_snaps,
        };
        metric.add(count as u64);
    }

    /// A connection is ended. Who stops leading ends all of them, and says that once.
    pub fn hung_up(&mut self, peer: &Peer, link: LinkId, why: &str) -> Option<Line> {
        self.syncing.remove(&link);
        let learner = self.synced.remove(&link).filter(|_| peer.leads())?;
        Some(Line::warn(format!(
            "{learner} does not follow any more: {why}"
        )))
    }

    /// Somebody whose connection has ended of itself.
    pub fn gone(&mut self, peer: &Peer) -> Option<Line> {
        let known = self.synced.len() + self.syncing.len();
        if known <= peer.link_count() {
            return None;
        }
        let there: Vec<LinkId> = peer.learner_reports().iter().map(|l| l.link).collect();
        self.syncing.retain(|link, _| there.contains(link));
        let is_gone = |(link, _): &(&LinkId, &Learner)| !there.contains(link);
        let (link, learner) = self.synced.iter().find(is_gone)?;
        let (link, learner) = (*link, *learner);
        self.synced.remove(&link);
        let support = self.support(peer);
        Some(Line::warn(format!(
            "{learner} does not follow any more: its connection has ended{support}"
        )))
    }

    /// Who follows, and how many may be lost, as the end of a sentence. A follower that serves
    /// observers has nothing to say of that.
    fn support(&self, peer: &Peer) -> String {
        if !peer.leads() {
            return String::new();
        }
        let voters = self.synced.values().filter_map(|learner| learner.server);
        let mut voters: Vec<ServerId> = voters.filter(|id| peer.members().is_voter(*id)).collect();
        voters.sort_unstable();
        let (have, all) = (voters.len() + 1, peer.members().voters().len());
        let others = match voters.is_empty() {
            true => "only".to_owned(),
            false => format!("{} and", names(&voters)),
        };
        format!("; {have} of {all} voters are in sync ({others} this one)")
    }

    /// The server does not lead any more.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

fn find(peer: &Peer, link: LinkId) -> Learner {
    let reports = peer.learner_reports();
    let report = reports.iter().find(|report| report.link == link);
    Learner {
        server: report.and_then(|report| report.server),
        observer: report.is_some_and(|report| report.observer),
    }
}
