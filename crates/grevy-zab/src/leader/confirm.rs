//! Whether this server still leads: what a sync needs to know, so that a read behind it cannot
//! miss what another leader has committed meanwhile (P8; ZOOKEEPER-1675).
//!
//! A quorum confirms it by acknowledging something that was proposed after the sync came, or, if
//! nothing is, by answering a ping that was sent after it. One round of pings is under way at a
//! time, for all syncs that wait.

use super::progress::Stage;
use super::{Leader, Phase};
use crate::common::Common;
use crate::output::LinkId;
use alloc::collections::VecDeque;
use grevy_proto::Zxid;
use grevy_proto::quorum::Packet;

/// Syncs that wait, oldest first.
#[derive(Debug, Default)]
pub(super) struct Confirmations {
    waiting: VecDeque<Waiting>,
    /// The last round of pings that was begun.
    round: u64,
    /// The last round that a quorum answered.
    confirmed: u64,
    /// Everything up to here is committed.
    committed: Zxid,
    /// Something that was proposed after this was acknowledged by a quorum.
    acked_after: Zxid,
    /// How many syncs of this server's own clients are done.
    released: u64,
}

#[derive(Debug)]
struct Waiting {
    /// The newest proposal when it came.
    after: Zxid,
    /// The round that was the last one then: a later one has to be answered.
    round: u64,
    /// Whose it is; `None`: this server's own client's.
    link: Option<LinkId>,
}

impl Confirmations {
    pub fn committed(&mut self, zxid: Zxid) {
        self.committed = self.committed.max(zxid);
    }

    /// A quorum has acknowledged `zxid`, which is about to be committed.
    pub fn committed_before(&mut self, zxid: Zxid) {
        self.acked_after = self.acked_after.max(zxid);
    }

    fn take_released(&mut self) -> Option<Waiting> {
        let first = self.waiting.front()?;
        let is_confirmed = self.confirmed > first.round || self.acked_after > first.after;
        match is_confirmed && self.committed >= first.after {
            true => self.waiting.pop_front(),
            false => None,
        }
    }
}

impl Leader {
    /// A sync came, from a learner or (`None`) from a client of this server.
    pub fn sync(&mut self, common: &mut Common, link: Option<LinkId>) {
        self.confirmations.committed(common.history.committed());
        let waiting = Waiting {
            after: common.history.last(),
            round: self.confirmations.round,
            link,
        };
        self.confirmations.waiting.push_back(waiting);
        self.confirm(common);
        self.release_syncs(common);
    }

    /// How many syncs of this server's own clients are done.
    pub fn syncs_released(&self) -> u64 {
        self.confirmations.released
    }

    /// Syncs that wait.
    pub fn pending_syncs(&self) -> usize {
        self.confirmations.waiting.len()
    }

    /// A learner answered a ping.
    pub fn ping_answered(&mut self, common: &mut Common, link: LinkId) {
        if let Some(progress) = self.links.get_mut(&link) {
            progress.ping_answered();
            self.confirm(common);
            self.release_syncs(common);
        }
    }

    /// Counts the answers, and begins another round if somebody waits for it.
    fn confirm(&mut self, common: &mut Common) {
        let links = &self.links;
        let answered = |round: u64| {
            common.members.is_quorum(|server| {
                server == common.me
                    || links
                        .values()
                        .any(|p| p.server == Some(server) && p.answered >= round)
            })
        };
        let Confirmations {
            round, confirmed, ..
        } = self.confirmations;
        if round > confirmed && answered(round) {
            self.confirmations.confirmed = round;
        }
        let is_idle = self.confirmations.confirmed == self.confirmations.round;
        let is_needed = |waiting: &Waiting| waiting.round >= self.confirmations.round;
        if is_idle && self.confirmations.waiting.back().is_some_and(is_needed) {
            self.confirmations.round += 1;
            self.ping(common);
            // Alone, or with nobody to ask.
            if common.members.is_quorum(|server| server == common.me) {
                self.confirmations.confirmed = self.confirmations.round;
            }
        }
    }

    pub(super) fn release_syncs(&mut self, common: &mut Common) {
        while let Some(waiting) = self.confirmations.take_released() {
            match waiting.link {
                None => self.confirmations.released += 1,
                Some(link) if self.links.contains_key(&link) => common.send(link, Packet::Sync),
                Some(_) => {}
            }
        }
    }

    /// Pings every learner that has been told NEWLEADER.
    pub(super) fn ping(&mut self, common: &mut Common) {
        if self.phase < Phase::Synchronisation {
            return;
        }
        let (zxid, round) = (self.last_proposed, self.confirmations.round);
        for (link, progress) in &mut self.links {
            if progress.stage >= Stage::Synchronising {
                progress.pinged(round);
                common.send(*link, Packet::Ping { zxid, heard: None });
            }
        }
    }
}
