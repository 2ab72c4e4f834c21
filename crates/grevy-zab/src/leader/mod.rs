//! The leader: it agrees on an epoch with a quorum, brings learners up to date, and then has a
//! quorum agree on each transaction, in the order of their zxids. Source: `Leader`,
//! `LearnerHandler`; Junqueira, Reed, Serafini: Zab (DSN 2011).
//!
//! The leader counts itself like any voter: by what its own log has reported as durable, never
//! by what it has merely written.

mod broadcast;
mod claim;
mod confirm;
mod introduce;
mod plan;
mod progress;
mod relay;
mod report;
mod synchronise;

use crate::common::{Common, Epochs, Fall};
use crate::membership::Membership;
use crate::output::{LinkId, Output, Part};
use crate::time::Time;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use claim::{Claim, Verdict};
use confirm::Confirmations;
use grevy_proto::election::{Notification, PeerState};
use grevy_proto::quorum::Packet;
use grevy_proto::{Epoch, ServerId, Zxid};
use introduce::Doorkeeper;
use progress::{Progress, Stage};

pub use broadcast::ProposeError;
pub(crate) use claim::Evidence;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Leader {
    phase: Phase,
    /// When the phase before broadcast has to be over.
    deadline: Time,
    /// When it began to lead.
    began: Time,
    /// Who has voted for it, or said that it follows.
    electors: BTreeSet<ServerId>,
    /// The epoch, or the smallest that it may become.
    epoch: Epoch,
    /// What this server had when it began to lead: nobody who counts may have more.
    began_with: (Epoch, Zxid),
    /// Whether it may lead with that.
    claim: Claim,
    /// Who has done what the phase waits for.
    support: BTreeSet<ServerId>,
    /// Voters that have another leader, or look for one in a later round, as they said last.
    elsewhere: BTreeSet<ServerId>,
    links: BTreeMap<LinkId, Progress>,
    doorkeeper: Doorkeeper,
    /// Up to where each voter's log is durable, in this epoch.
    acked: BTreeMap<ServerId, Zxid>,
    last_proposed: Zxid,
    /// A reconfiguration that is proposed: from its zxid on, both quorums are needed.
    reconfiguration: Option<(Zxid, Arc<Membership>)>,
    confirmations: Confirmations,
    next_ping: Time,
    /// Whether the quorum is looked at with the next ping: that is so every second time.
    checks_next: bool,
    /// A snapshot for learners is ordered or being written.
    snapshot: Snapshotting,
    /// The last reconfiguration that was committed.
    activates: Option<Zxid>,
    /// It is no leader, but a follower that serves observers.
    relays: bool,
    /// Who leads from here on, if a reconfiguration says so.
    pub successor: Option<ServerId>,
}

/// What happens to the snapshot for learners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Snapshotting {
    No,
    Ordered,
    /// It is of this state.
    Started(Zxid),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    /// Waits for a quorum of FOLLOWERINFO.
    Discovery,
    /// The new epoch is being made durable as `acceptedEpoch`.
    Promising,
    /// Waits for a quorum of ACKEPOCH.
    Accepting,
    /// The new epoch is being made durable as `currentEpoch`.
    Entering,
    /// Waits for a quorum to acknowledge NEWLEADER.
    Synchronisation,
    /// Established.
    Broadcast,
}

impl Leader {
    /// Begins to lead; `electors` have voted for it.
    pub fn new(common: &mut Common, now: Time, electors: BTreeSet<ServerId>) -> Self {
        common.output(Output::Became(Part::PreparingToLead));
        let mut leader = Self {
            phase: Phase::Discovery,
            deadline: now + common.timing.init,
            began: now,
            electors,
            // Without a next one it never gets beyond the first phase.
            epoch: common.epochs.accepted.next().unwrap_or(Epoch::MAX),
            began_with: (common.epochs.current, common.history.last()),
            claim: Claim::new(common.epochs.current, now, common.timing),
            support: BTreeSet::from([common.me]),
            elsewhere: BTreeSet::new(),
            links: BTreeMap::new(),
            doorkeeper: Doorkeeper::default(),
            acked: BTreeMap::new(),
            last_proposed: common.history.last(),
            reconfiguration: None,
            confirmations: Confirmations::default(),
            next_ping: now + common.ping_interval(),
            checks_next: false,
            snapshot: Snapshotting::No,
            activates: None,
            relays: false,
            successor: None,
        };
        leader.try_promise(common, now);
        leader
    }

    /// A server that runs alone: it is established in the epoch of its history.
    pub fn alone(common: &Common) -> Self {
        let last = common.history.last();
        Self {
            phase: Phase::Broadcast,
            deadline: Time(u64::MAX),
            began: Time(0),
            electors: BTreeSet::new(),
            epoch: last.epoch(),
            began_with: (last.epoch(), last),
            claim: Claim::new(last.epoch(), Time(0), common.timing),
            support: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
            links: BTreeMap::new(),
            doorkeeper: Doorkeeper::default(),
            acked: BTreeMap::from([(common.me, last)]),
            last_proposed: last,
            reconfiguration: None,
            confirmations: Confirmations::default(),
            next_ping: Time(u64::MAX),
            checks_next: false,
            snapshot: Snapshotting::No,
            activates: None,
            relays: false,
            successor: None,
        }
    }

    /// Whether a quorum follows.
    pub fn is_established(&self) -> bool {
        self.phase == Phase::Broadcast
    }

    /// Whether `server`, which looks for a leader again, makes further waiting for a quorum's
    /// epochs vain. Source: `Leader.reportLookingSid`.
    pub fn is_left_by(&self, server: ServerId, now: Time, common: &Common) -> bool {
        self.phase <= Phase::Accepting
            && self.electors.contains(&server)
            && common
                .limits
                .epoch_wait
                .is_some_and(|wait| now - self.began >= wait)
    }

    /// The epoch, once it is decided.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The connections that have introduced themselves, with who is there and whether it
    /// observes.
    pub fn learners(&self) -> impl Iterator<Item = (LinkId, ServerId, bool)> {
        self.links.iter().filter_map(|(link, progress)| {
            let server = progress.server?;
            (progress.stage >= Stage::Synchronised).then_some((*link, server, progress.observer))
        })
    }

    /// A voter says on the election port what it is doing. If too many have another leader than
    /// the one of this `round`, or too many of those that have elected this one look for another,
    /// nothing comes of it, and it need not wait for its time to be over.
    pub fn hear(
        &mut self,
        common: &Common,
        round: i64,
        from: ServerId,
        message: &Notification,
    ) -> Result<(), Fall> {
        if self.is_established() {
            return Ok(());
        }
        let follows = matches!(message.state, PeerState::Following | PeerState::Leading);
        let is_elsewhere = match message.state {
            PeerState::Looking => message.round > round,
            _ => follows && message.leader != common.me,
        };
        match is_elsewhere {
            true => self.elsewhere.insert(from),
            false => self.elsewhere.remove(&from),
        };
        if follows && !is_elsewhere {
            self.electors.insert(from);
        }
        let left = |server: ServerId| !self.elsewhere.contains(&server);
        let elected = |server: ServerId| self.electors.contains(&server);
        let is_quorum = |of: &dyn Fn(ServerId) -> bool| common.members.is_quorum(of);
        // A reconfiguration may have named it without electors.
        let may_come = is_quorum(&|server| left(server) && elected(server)) || !is_quorum(&elected);
        match is_quorum(&left) && may_come {
            true => Ok(()),
            false => Err(Fall(format!(
                "too many servers have another leader or look for one, among them server {}",
                from.0
            ))),
        }
    }

    /// Who is behind a connection.
    pub fn learner(&self, link: LinkId) -> Option<ServerId> {
        self.links.get(&link)?.server
    }

    /// Whether the requests of a connection are taken up.
    pub fn serves(&self, link: LinkId) -> bool {
        let is_active = |progress: &Progress| progress.stage >= Stage::Synchronised;
        self.is_established() && self.links.get(&link).is_some_and(is_active)
    }

    pub fn link_accepted(&mut self, common: &mut Common, now: Time, link: LinkId) {
        let timeout = common.timing.init;
        common.output(Output::LinkTimeout { link, timeout });
        self.links.insert(link, Progress::new(now, common.timing));
    }

    /// A learner sent something that is not for here.
    pub fn heard(&mut self, common: &Common, now: Time, link: LinkId) {
        if let Some(progress) = self.links.get_mut(&link) {
            progress.heard(now, common.silence());
        }
    }

    /// A connection has ended, from whichever side. Who has gone helps to establish nobody: a
    /// leader without a living quorum would fall at once, and what it took for durable with the
    /// help of one that has gone may be gone with it. It counts again when it has come back and
    /// acknowledges NEWLEADER anew. Promises of epochs are kept, as nobody makes them twice.
    pub fn link_lost(&mut self, link: LinkId) {
        let lost = self.links.remove(&link).and_then(|learner| learner.server);
        if self.phase == Phase::Synchronisation
            && let Some(server) = lost
        {
            self.support.remove(&server);
        }
    }

    /// Takes a packet of a learner's. Requests, and what is about sessions, are not for here.
    pub fn handle_packet(&mut self, common: &mut Common, now: Time, link: LinkId, packet: Packet) {
        let Some(progress) = self.links.get_mut(&link) else {
            return;
        };
        progress.heard(now, common.silence());
        match (progress.stage, packet) {
            (Stage::Connected, Packet::LearnerInfo(info)) => {
                self.handle_learner_info(common, now, link, &info);
            }
            (
                Stage::Informed,
                Packet::AckEpoch {
                    last_zxid,
                    current_epoch,
                },
            ) => self.handle_ack_epoch(common, now, link, last_zxid, current_epoch),
            (stage, Packet::Ack(zxid)) if stage >= Stage::Synchronising => {
                self.handle_ack(common, now, link, zxid);
            }
            (Stage::Connected, packet) => {
                let name = packet.name();
                self.hang_up(
                    common,
                    link,
                    &format!("{name} where a server has to introduce itself"),
                );
            }
            (_, Packet::Unknown(_)) => {}
            (stage, packet) => {
                let text = format!("{} makes no sense here ({stage:?})", packet.name());
                self.hang_up(common, link, &text);
            }
        }
    }

    fn hang_up(&mut self, common: &mut Common, link: LinkId, why: &str) {
        self.link_lost(link);
        common.hang_up(link, why);
    }

    /// What is to be thought of the epoch of this server's history, until a new one is promised.
    fn verdict(&self, common: &Common, now: Time) -> Option<Verdict> {
        (self.phase == Phase::Discovery).then(|| self.claim.judge(common, now))
    }

    /// Whether the others show that their ensemble never had the epoch of this server's history.
    pub fn is_refuted(&self, common: &Common, now: Time) -> bool {
        self.verdict(common, now) == Some(Verdict::Refuted)
    }

    fn try_promise(&mut self, common: &mut Common, now: Time) {
        let stands = self.verdict(common, now) == Some(Verdict::Stands);
        if !stands || !self.is_supported(common) || self.epoch <= common.epochs.accepted {
            return;
        }
        self.phase = Phase::Promising;
        common.save(Epochs {
            accepted: self.epoch,
            ..common.ordered
        });
    }

    /// Of the configuration in force alone: a later one is not known to everybody yet.
    fn is_supported(&self, common: &Common) -> bool {
        let quorum = &common.members.committed().quorum;
        self.support.contains(&common.me)
            && quorum.is_quorum(|server| self.support.contains(&server))
    }

    fn inform(&mut self, common: &mut Common, link: LinkId) {
        if let Some(progress) = self.links.get_mut(&link)
            && progress.stage == Stage::Introduced
        {
            progress.stage = Stage::Informed;
            common.send(link, Packet::LeaderInfo(self.epoch));
        }
    }

    fn handle_ack_epoch(
        &mut self,
        common: &mut Common,
        now: Time,
        link: LinkId,
        last: Zxid,
        current: Option<Epoch>,
    ) {
        let Some(progress) = self.links.get_mut(&link) else {
            return;
        };
        progress.stage = Stage::Accepted { last };
        let voter = progress.server.filter(|server| common.is_voter(*server));
        // Others may have agreed with it on what it has more. The quorum that has accepted this leader
        // knows better, but not of what those have agreed on whom a proposed configuration brings: of
        // them nothing is taken that comes later either.
        let may_know = common.members.proposed().is_some() && voter.is_some();
        if let Some(current) = current
            && (self.phase == Phase::Accepting || (self.phase < Phase::Broadcast && may_know))
            && (current, last) > self.began_with
        {
            let text = format!(
                "its history (epoch {}, up to {last}) is ahead of this leader's (epoch {}, up to \
                 {})",
                current.0, self.began_with.0.0, self.began_with.1
            );
            return self.hang_up(common, link, &text);
        }
        match self.phase {
            Phase::Accepting => {
                if current.is_some() && last >= Zxid::ZERO {
                    self.support.extend(voter);
                }
                self.try_enter(common);
            }
            phase if phase >= Phase::Synchronisation => self.synchronise(common, now, link, last),
            _ => {}
        }
    }

    fn try_enter(&mut self, common: &mut Common) {
        if self.phase == Phase::Accepting && self.is_supported(common) {
            self.phase = Phase::Entering;
            common.save(Epochs {
                accepted: common.ordered.accepted.max(self.epoch),
                current: self.epoch,
            });
        }
    }

    /// The promises are durable.
    pub fn epochs_saved(&mut self, common: &mut Common, now: Time) {
        match self.phase {
            Phase::Promising if common.epochs.accepted == self.epoch => {
                self.phase = Phase::Accepting;
                self.deadline = now + common.timing.init;
                self.support = BTreeSet::from([common.me]);
                let links: Vec<LinkId> = self.links.keys().copied().collect();
                for link in links {
                    self.inform(common, link);
                }
                self.try_enter(common);
            }
            Phase::Entering if common.epochs.current == self.epoch => {
                self.start_synchronisation(common, now);
            }
            _ => {}
        }
    }

    fn start_synchronisation(&mut self, common: &mut Common, now: Time) {
        self.phase = Phase::Synchronisation;
        self.deadline = now + common.timing.init;
        common.establish_configuration(self.epoch);
        self.acked.insert(common.me, common.durable);
        self.support = BTreeSet::from([common.me]);
        self.synchronise_accepted(common, now);
        self.try_establish(common, now);
    }

    /// Brings up to date whoever waits for it.
    fn synchronise_accepted(&mut self, common: &mut Common, now: Time) {
        let accepted: Vec<(LinkId, Zxid)> = self
            .links
            .iter()
            .filter_map(|(link, progress)| match progress.stage {
                Stage::Accepted { last } => Some((*link, last)),
                _ => None,
            })
            .collect();
        for (link, last) in accepted {
            self.synchronise(common, now, link, last);
        }
    }

    /// The first number of the epoch, which NEWLEADER has and no transaction.
    fn epoch_zxid(&self) -> Zxid {
        Zxid::new(self.epoch, 0)
    }

    fn try_establish(&mut self, common: &mut Common, now: Time) {
        let support = &self.support;
        if self.phase != Phase::Synchronisation
            || !common.members.is_quorum(|server| support.contains(&server))
        {
            return;
        }
        self.phase = Phase::Broadcast;
        self.last_proposed = self.epoch_zxid();
        common.commit(common.history.last());
        let proposed = common.members.proposed().cloned();
        common.activate(proposed);
        let epoch = self.epoch;
        common.output(Output::Became(Part::Leading { epoch }));
        self.next_ping = now + common.ping_interval();
        for (link, progress) in &mut self.links {
            if progress.stage == Stage::Synchronised {
                progress.stage = Stage::Serving;
                common.send(*link, Packet::UpToDate);
            }
        }
        self.synchronise_accepted(common, now);
        // What a former leader had proposed may leave this one without a vote.
        let committed = common.members.committed();
        if !committed.is_voter(common.me) {
            self.successor = self.successor_in(common, committed);
        }
    }

    /// What has to happen now.
    pub fn handle_timeout(&mut self, common: &mut Common, now: Time) -> Result<(), Fall> {
        if self.phase < Phase::Broadcast && now >= self.deadline {
            return Err(Fall(format!(
                "no quorum took this server for its leader within {} ms (initLimit)",
                common.timing.init.as_millis()
            )));
        }
        self.try_promise(common, now);
        if now < self.next_ping {
            return Ok(());
        }
        self.next_ping = now + common.ping_interval();
        self.ping(common);
        self.drop_silent(common, now);
        self.checks_next = !self.checks_next;
        if self.checks_next || self.phase < Phase::Broadcast || self.relays {
            return Ok(());
        }
        let living: BTreeSet<ServerId> = self
            .links
            .values()
            .filter(|progress| progress.is_registered() && now <= progress.deadline)
            .filter_map(|progress| progress.server)
            .chain([common.me])
            .collect();
        match common.members.is_quorum(|server| living.contains(&server)) {
            true => Ok(()),
            false => Err(Fall(format!(
                "too few servers follow this leader; there are only {}",
                living.len()
            ))),
        }
    }

    pub fn next_timeout(&self) -> Option<Time> {
        let next = match self.phase {
            Phase::Broadcast => self.next_ping,
            _ => self.next_ping.min(self.deadline),
        };
        (next < Time(u64::MAX)).then_some(next)
    }

    /// Closes connections whose learner takes too long to acknowledge a transaction.
    fn drop_silent(&mut self, common: &mut Common, now: Time) {
        let late: Vec<(LinkId, Zxid)> = self
            .links
            .iter()
            .filter(|(_, progress)| progress.stage >= Stage::Synchronised)
            .filter_map(|(link, progress)| {
                let (zxid, since) = progress.oldest?;
                (now - since > common.timing.sync).then_some((*link, zxid))
            })
            .collect();
        for (link, zxid) in late {
            let text = format!(
                "it has not acknowledged {zxid} within {} ms (syncLimit)",
                common.timing.sync.as_millis()
            );
            self.hang_up(common, link, &text);
        }
    }

    /// Ends all connections.
    pub fn end(mut self, common: &mut Common, why: &str) {
        common.history.pin(None);
        while let Some((link, _)) = self.links.pop_first() {
            common.hang_up(link, why);
        }
    }
}
