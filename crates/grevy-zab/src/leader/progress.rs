//! What a leader knows of one learner.

use crate::common::Timing;
use crate::peer::report::Traffic;
use crate::time::Time;
use alloc::collections::VecDeque;
use core::time::Duration;
use grevy_proto::quorum::LearnerInfo;
use grevy_proto::{ServerId, Zxid};

/// How far a learner has come. The order is the order of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Stage {
    /// It has not said who it is.
    Connected,
    /// It waits to hear the epoch.
    Introduced,
    /// LEADERINFO is sent.
    Informed,
    /// ACKEPOCH came, with the end of its history.
    Accepted { last: Zxid },
    /// It needs a snapshot, of the state at `least` or later.
    WaitsForSnapshot { least: Zxid },
    /// It needs transactions from behind `after`, which are in the log's files.
    WaitsForLog { after: Zxid },
    /// NEWLEADER is sent, and what follows it.
    Synchronising,
    /// It has acknowledged NEWLEADER.
    Synchronised,
    /// UPTODATE is sent.
    Serving,
}

/// What a learner is sent to be brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transfer {
    Snapshot,
    Diff,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Progress {
    /// `None`: it does not say, and takes no part in any vote.
    pub server: Option<ServerId>,
    /// It gets committed transactions only.
    pub observer: bool,
    pub stage: Stage,
    /// The end of the history that NEWLEADER stands behind.
    pub synced_to: Zxid,
    /// Up to where it says that its log is durable.
    pub acked: Zxid,
    /// What it is being sent to be brought up to date.
    pub transfer: Option<Transfer>,
    /// Until when it counts as living.
    pub deadline: Time,
    /// A transaction that it has not acknowledged, and since when that is so.
    pub oldest: Option<(Zxid, Time)>,
    /// The rounds of the pings that it has not answered. Only those after UPTODATE are answered
    /// by every learner.
    pings: VecDeque<u64>,
    /// The round of the last ping that it answered.
    pub answered: u64,
    /// For operators.
    pub traffic: Traffic,
}

impl Progress {
    pub fn new(now: Time, timing: Timing) -> Self {
        Self {
            server: None,
            observer: false,
            stage: Stage::Connected,
            synced_to: Zxid(-1),
            acked: Zxid(-1),
            transfer: None,
            deadline: now + timing.init + timing.sync,
            oldest: None,
            pings: VecDeque::new(),
            answered: 0,
            traffic: Traffic::since(now),
        }
    }

    pub fn introduce(&mut self, info: &LearnerInfo) {
        self.server = info.server;
        self.observer = info.observer;
        self.stage = Stage::Introduced;
    }

    /// Whether live traffic is sent to it.
    pub fn is_registered(&self) -> bool {
        self.stage >= Stage::Synchronising
    }

    /// It was heard; it may be silent for so long again.
    pub fn heard(&mut self, now: Time, silence: Duration) {
        self.traffic.received += 1;
        self.deadline = self.deadline.max(now + silence);
    }

    pub fn pinged(&mut self, round: u64) {
        if self.stage == Stage::Serving {
            self.pings.push_back(round);
        }
    }

    pub fn ping_answered(&mut self) {
        if let Some(round) = self.pings.pop_front() {
            self.answered = round;
        }
    }

    pub fn proposed(&mut self, zxid: Zxid, now: Time) {
        self.oldest.get_or_insert((zxid, now));
    }

    /// It says that its log is durable up to `zxid`; `last` is the newest proposal.
    pub fn acknowledged(&mut self, zxid: Zxid, last: Zxid, now: Time) {
        self.acked = self.acked.max(zxid);
        if self.oldest.is_some_and(|(oldest, _)| oldest <= zxid) {
            self.oldest = (zxid < last).then_some((last, now));
        }
    }
}
