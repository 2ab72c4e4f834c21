//! What a server has whatever its role: its promises, its history, its view of the ensemble.

use crate::history::History;
use crate::leader::Evidence;
use crate::limits::Limits;
use crate::membership::{Membership, Memberships};
use crate::output::{LinkId, Output};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;
use grevy_proto::quorum::Packet;
use grevy_proto::{Epoch, ServerId, Zxid};

/// The time limits of an ensemble; ZooKeeper's settings have the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// `tickTime`. Learners are pinged twice as often.
    pub tick: Duration,
    /// `initLimit` × `tickTime`: for connecting, agreeing on an epoch, catching up.
    pub init: Duration,
    /// `syncLimit` × `tickTime`: for an answer, or a transaction's acknowledgement.
    pub sync: Duration,
    /// `connectToLearnerMasterLimit` × `tickTime`: for connecting to the leader.
    pub connect: Duration,
}

/// Promises about epochs. Both only grow, across restarts too (P25).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epochs {
    /// No leader of an earlier epoch is accepted any more.
    pub accepted: Epoch,
    /// The epoch of the last leader whose history this server took over.
    pub current: Epoch,
}

/// Why a role ends. The server then looks for a leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fall(pub String);

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Common {
    pub me: ServerId,
    pub timing: Timing,
    pub limits: Limits,
    /// For what is drawn.
    pub random: u64,
    pub members: Memberships,
    /// No configuration that was agreed upon has named this server, as far as this process knows.
    pub never_named: bool,
    /// As they are on the disk.
    pub epochs: Epochs,
    /// As they will be once everything ordered is done.
    pub ordered: Epochs,
    pub history: History,
    /// Up to where the history is on the disk.
    pub durable: Zxid,
    /// The state does not match the history, or the history cannot be made the leader's: a
    /// snapshot of the leader's is to replace both.
    pub distrusted: bool,
    /// What others had accepted when this server first claimed to lead.
    pub evidence: Evidence,
    /// A truncation or installation that is not done yet.
    pub rewriting: bool,
    /// The newest transaction that this process knows to be committed. None is taken back, by
    /// whatever leader (P26).
    pub witnessed: Zxid,
    /// Whether learners are always sent a snapshot (`forceSnapshotSync`).
    pub always_snapshot: bool,
    /// Whether what is missing in memory is looked for in the log's files
    /// (`snapshotSizeFactor`).
    pub read_log: bool,
    /// Whether the ensemble can be changed while it runs (`reconfigEnabled`).
    pub reconfig: bool,
    pub outputs: VecDeque<Output>,
}

impl Common {
    pub fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub fn send(&mut self, link: LinkId, packet: Packet) {
        self.output(Output::Send { link, packet });
    }

    pub fn hang_up(&mut self, link: LinkId, why: impl Into<String>) {
        let why = why.into();
        self.output(Output::Hangup { link, why });
    }

    pub fn note(&mut self, text: impl Into<String>) {
        self.output(Output::Note(text.into()));
    }

    pub fn warn(&mut self, text: impl Into<String>) {
        self.output(Output::Warning(text.into()));
    }

    /// How long another server may be silent.
    pub fn silence(&self) -> Duration {
        let sync = self.timing.sync;
        self.limits
            .silence
            .map_or(sync, |silence| silence.min(sync))
    }

    /// How often learners are pinged: so often that one lost answer does no harm.
    pub fn ping_interval(&self) -> Duration {
        (self.timing.tick / 2).min(self.silence() / 3)
    }

    /// A time up to `limit`.
    pub fn draw(&mut self, limit: Duration) -> Duration {
        let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.random() % micros.saturating_add(1))
    }

    /// A number below `count`, which is not 0.
    pub fn below(&mut self, count: usize) -> usize {
        // What remains is smaller than `count`.
        (self.random() % count as u64) as usize
    }

    /// The next number (xorshift).
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Orders the promises to be made durable.
    pub fn save(&mut self, epochs: Epochs) {
        let Epochs { accepted, current } = epochs;
        self.ordered = epochs;
        self.output(Output::SaveEpochs { accepted, current });
    }

    /// Whether everything that was ordered is on the disk.
    pub fn is_settled(&self) -> bool {
        !self.rewriting && self.epochs == self.ordered && self.durable == self.history.last()
    }

    /// Everything up to `zxid` is committed, beyond doubt.
    pub fn commit(&mut self, zxid: Zxid) {
        self.history.commit(zxid);
        self.witnessed = self.witnessed.max(zxid);
    }

    /// Whether `server` votes, now or in the configuration that is proposed.
    pub fn is_voter(&self, server: ServerId) -> bool {
        self.members.is_voter(server)
    }

    /// Whether this server is a follower of whoever leads: it votes, or waits for a vote.
    pub fn follows(&self) -> bool {
        self.is_voter(self.me) || self.waits()
    }

    /// Whether this server waits for a configuration that names it: only its own file does so far.
    pub fn waits(&self) -> bool {
        let is_agreed = self.members.committed().version > 0;
        self.never_named && is_agreed && !self.members.names(self.me)
    }

    /// A configuration is proposed: from here on quorums of both are needed.
    pub fn propose_configuration(&mut self, membership: Arc<Membership>) {
        if self.reconfig && self.members.propose(membership) {
            self.output_configuration();
        }
    }

    /// A configuration is committed.
    pub fn activate(&mut self, membership: Option<Arc<Membership>>) {
        if let Some(membership) = membership
            && self.reconfig
            && self.members.adopt(membership)
        {
            self.never_named &= !self.members.committed().members.contains_key(&self.me);
            self.output_configuration();
        }
    }

    /// The history ends at `last` from now on, and what was proposed behind that is gone.
    pub fn take_back_configuration(&mut self, last: Zxid) {
        if self.members.take_back(last) {
            self.output_configuration();
        }
    }

    /// The history is that of a leader from now on, and so is what is proposed: what this server's
    /// own had is part of the leader's as something committed, or not at all.
    pub fn replace_configuration(&mut self, theirs: Option<Arc<Membership>>) {
        let theirs = theirs.filter(|_| self.reconfig);
        if self.members.replace_proposed(theirs) {
            self.output_configuration();
        }
    }

    /// A configuration that never had a version gets that of the epoch, so that NEWLEADER
    /// establishes it (ZOOKEEPER-1783).
    pub fn establish_configuration(&mut self, epoch: Epoch) {
        if self.reconfig && self.members.last_seen().version == 0 {
            let membership = Membership::clone(self.members.committed());
            let version = Zxid::new(epoch, 0).0;
            self.propose_configuration(Arc::new(membership.with_version(version)));
        }
    }

    fn output_configuration(&mut self) {
        self.output(Output::Configured {
            committed: self.members.committed().clone(),
            proposed: self.members.proposed().cloned(),
        });
    }
}
