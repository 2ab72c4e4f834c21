//! One server's part in its ensemble: it looks for a leader, leads, follows or observes. Source:
//! `QuorumPeer`.
//!
//! Inputs are method calls with the time, outputs are taken with [`Peer::poll`]. Transactions are
//! bytes that nobody looks into here.

mod election_port;
mod heard;
mod leading;
mod observers;
mod quorum_port;
pub mod report;
mod state;
mod storage;
mod unreachable;

use crate::common::{Common, Epochs, Fall, Timing};
use crate::election::{Candidate, Election, ElectionConfig, ElectionOutput, Standing, Vote};
use crate::history::{Entry, History};
use crate::leader::{Evidence, Leader};
use crate::learner::{Learner, Manner};
use crate::limits::Limits;
use crate::membership::{Membership, Memberships};
use crate::output::{LinkId, Output, Part};
use crate::time::Time;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use grevy_proto::election::PeerState;
use grevy_proto::quorum::Packet;
use grevy_proto::{Epoch, ServerId, Zxid};
use heard::Heard;
use observers::NO_OBSERVERS;
use unreachable::Unreachable;

/// Why a server joins its leader once more.
const OTHER_ROLE: &str = "the configuration in force gives this server another role";
/// The longest pause between two attempts to join a leader.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Connections that may wait for this server to become their leader.
const MAX_PARKED: usize = 64;

/// How a server takes part.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// `myid`.
    pub id: ServerId,
    /// The time limits of the ensemble.
    pub timing: Timing,
    /// Further limits.
    pub limits: Limits,
    /// The pauses of elections.
    pub election: ElectionConfig,
    /// Committed transactions that are kept for learners (`commitLogCount`).
    pub commit_log: usize,
    /// Whether learners are always sent a snapshot (`forceSnapshotSync`).
    pub always_snapshot: bool,
    /// Whether learners get what is missing in memory from the log's files
    /// (`snapshotSizeFactor`).
    pub read_log: bool,
    /// Whether the ensemble can be changed while it runs (`reconfigEnabled`).
    pub reconfig: bool,
}

/// What a server's storage holds as it starts.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// The end of the history.
    pub last: Zxid,
    /// The promises.
    pub epochs: Epochs,
    /// The last transactions of the history, oldest first, for learners.
    pub recent: Vec<Entry>,
    /// Whether the history is complete.
    pub standing: Standing,
}

#[derive(Debug)]
enum Role {
    /// It is about to look for a leader, once all is on the disk: what it votes with must be
    /// (ZOOKEEPER-2845).
    Draining {
        /// Not before this.
        until: Time,
    },
    Looking(Election),
    Leading(Leader),
    Learning(Learner),
    /// It takes no part any more: it is about to end.
    Retired,
}

/// See the module's text.
#[derive(Debug)]
pub struct Peer {
    common: Common,
    election: ElectionConfig,
    role: Role,
    /// The observers of a follower, if it serves any.
    relay: Option<Leader>,
    /// Followers that an observer will try next, then the leader itself (`None`).
    masters: Vec<Option<ServerId>>,
    /// The round of the last election.
    round: i64,
    /// What this server tells others while it does not look for a leader.
    vote: Vote,
    standing: Standing,
    /// What others said since this server looked for a leader last.
    heard: Heard,
    /// Whether the election connection to a server is up, as far as that is known.
    connected: BTreeMap<ServerId, bool>,
    /// Connections of learners that found their leader before it knew.
    parked: BTreeMap<LinkId, Option<Packet>>,
    /// Connections of observers that found this server before it followed.
    parked_observers: BTreeMap<LinkId, Option<Packet>>,
    part: Part,
    /// Attempts to join a leader that failed, since it served last.
    failed_joins: u32,
    /// When this server found its leader.
    found_at: Time,
    unreachable: Unreachable,
}

impl Peer {
    /// A member of an ensemble. It begins to look for a leader at once.
    pub fn member(
        config: PeerConfig,
        members: Memberships,
        recovered: Recovered,
        now: Time,
    ) -> Self {
        let first = recovered.recent.first().map(|entry| entry.zxid);
        let base = first.map_or(recovered.last, |zxid| Zxid(zxid.0 - 1));
        let mut history = History::new(base, config.commit_log);
        for entry in recovered.recent {
            // Recovery has checked that there is no hole.
            if history.append(entry.zxid, entry.bytes).is_err() {
                history = History::new(entry.zxid, config.commit_log);
            }
        }
        if history.last() != recovered.last {
            history = History::new(recovered.last, config.commit_log);
        }
        history.commit(recovered.last);
        let mut peer = Self::new(config, members, history, recovered.epochs);
        peer.common.take_back_configuration(recovered.last);
        peer.standing = match recovered.standing {
            // It may have begun with nothing just now, and been started again.
            Standing::Normal
                if recovered.last <= Zxid::ZERO && recovered.epochs.accepted == Epoch(0) =>
            {
                Standing::Empty
            }
            other => other,
        };
        peer.try_elect(now);
        peer.advance(now);
        peer
    }

    /// A server that runs alone, whose history ends at `last`.
    pub fn standalone(id: ServerId, last: Zxid) -> Self {
        let zero = core::time::Duration::ZERO;
        let config = PeerConfig {
            id,
            timing: Timing {
                tick: zero,
                init: zero,
                sync: zero,
                connect: zero,
            },
            limits: Limits::default(),
            election: ElectionConfig {
                min_interval: zero,
                max_interval: zero,
                finalize_wait: zero,
                reconfig: false,
            },
            commit_log: 0,
            always_snapshot: false,
            read_log: false,
            reconfig: false,
        };
        let epochs = Epochs {
            accepted: last.epoch(),
            current: last.epoch(),
        };
        let members = Memberships::new(Membership::alone(id));
        let mut peer = Self::new(config, members, History::new(last, 0), epochs);
        peer.role = Role::Leading(Leader::alone(&peer.common));
        peer.part = Part::Leading {
            epoch: last.epoch(),
        };
        peer
    }

    fn new(config: PeerConfig, members: Memberships, history: History, epochs: Epochs) -> Self {
        let last = history.last();
        Self {
            common: Common {
                me: config.id,
                timing: config.timing,
                limits: config.limits,
                random: config.limits.seed | 1,
                never_named: members.committed().version == 0,
                members,
                epochs,
                ordered: epochs,
                history,
                durable: last,
                distrusted: false,
                evidence: Evidence::default(),
                rewriting: false,
                witnessed: Zxid(-1),
                always_snapshot: config.always_snapshot,
                read_log: config.read_log,
                reconfig: config.reconfig,
                outputs: VecDeque::new(),
            },
            election: config.election,
            role: Role::Draining { until: Time(0) },
            relay: None,
            masters: Vec::new(),
            round: 0,
            vote: Vote {
                leader: config.id,
                zxid: last,
                round: 0,
                epoch: i64::from(epochs.current.0),
            },
            standing: Standing::Normal,
            heard: Heard::default(),
            connected: BTreeMap::new(),
            parked: BTreeMap::new(),
            parked_observers: BTreeMap::new(),
            part: Part::Looking {
                why: "the server starts".into(),
            },
            failed_joins: 0,
            found_at: Time(0),
            unreachable: Unreachable::default(),
        }
    }
}

// From role to role.
impl Peer {
    /// Time has come.
    pub fn handle_timeout(&mut self, now: Time) {
        let result = match &mut self.role {
            Role::Looking(election) => {
                election.handle_timeout(now);
                Ok(())
            }
            Role::Leading(leader) => leader.handle_timeout(&mut self.common, now),
            Role::Draining { .. } => {
                self.try_elect(now);
                Ok(())
            }
            Role::Learning(_) => match &mut self.relay {
                Some(relay) => relay.handle_timeout(&mut self.common, now),
                None => Ok(()),
            },
            Role::Retired => Ok(()),
        };
        self.judge(now, result);
        self.advance(now);
    }

    fn judge(&mut self, now: Time, result: Result<(), Fall>) {
        if let Err(Fall(why)) = result {
            if matches!(&self.role, Role::Learning(learner) if learner.is_healed()) {
                self.standing = Standing::Normal;
            }
            self.look(now, why);
        }
    }

    /// Ends the present role.
    fn look(&mut self, now: Time, why: String) {
        if let Role::Retired = self.role {
            return;
        }
        let until = match self.role {
            // So that observers do not come all together.
            Role::Learning(_) if !self.common.is_voter(self.common.me) => {
                let limits = self.common.limits;
                let mut delay = self.common.draw(limits.observer_election_delay);
                if limits.observer_masters && self.masters.is_empty() {
                    delay += self.common.draw(limits.observer_reconnect_delay);
                }
                now + delay
            }
            Role::Learning(ref learner) if !learner.serves() => {
                self.failed_joins += 1;
                now + pause_after(self.failed_joins)
            }
            _ => now,
        };
        self.end_relay(&why);
        match core::mem::replace(&mut self.role, Role::Draining { until }) {
            Role::Leading(leader) => leader.end(&mut self.common, &why),
            Role::Learning(learner) => learner.end(&mut self.common, &why),
            Role::Draining { .. } | Role::Looking(_) | Role::Retired => {}
        }
        self.common.output(Output::Became(Part::Looking { why }));
        self.try_elect(now);
    }

    /// Takes no part any more: whoever follows this server, or waits for it, finds that out at
    /// once and can elect another leader.
    pub fn retire(&mut self, why: &str) {
        self.end_relay(why);
        self.refuse_observers(why);
        match core::mem::replace(&mut self.role, Role::Retired) {
            Role::Leading(leader) => leader.end(&mut self.common, why),
            Role::Learning(learner) => learner.end(&mut self.common, why),
            Role::Draining { .. } | Role::Looking(_) | Role::Retired => {}
        }
        self.send_away(why);
    }

    /// Nothing gets onto the disk any more, so that nothing can be promised either.
    pub fn give_up(&mut self, now: Time, why: &str) {
        self.look(now, why.into());
        self.retire(why);
    }

    /// Begins an election, once everything is on the disk.
    fn try_elect(&mut self, now: Time) {
        let Role::Draining { until } = &self.role else {
            return;
        };
        if !self.common.is_settled() || now < *until {
            return;
        }
        let candidate = Candidate {
            id: self.common.me,
            zxid: self.common.history.last(),
            epoch: i64::from(self.common.epochs.current.0),
            standing: self.standing,
        };
        let members = self.common.members.clone();
        let mut election = Election::start(now, candidate, members, self.round, self.election);
        if self.votes()
            && let Some((server, until)) = self.unreachable.left_out(now)
        {
            election.shun(server, until);
        }
        for (server, connected) in &self.connected {
            election.handle_peer(now, *server, *connected);
        }
        for (server, message) in self.heard.take(now, self.common.timing.sync) {
            election.handle_notification(now, server, &message);
        }
        self.role = Role::Looking(election);
    }

    /// Follows up on what an input has led to.
    fn advance(&mut self, now: Time) {
        while let Role::Looking(election) = &mut self.role {
            let Some(output) = election.poll() else {
                break;
            };
            self.round = election.round();
            let before = core::mem::replace(&mut self.standing, election.standing());
            if before == Standing::Empty && self.standing == Standing::Abstaining {
                self.common.note(
                    "this server has no data, and others have: it does not vote until a leader has \
                     filled it, as it might have lost what it acknowledged. If it is new and its \
                     vote is needed, stop it, put an empty file named initialize into its data \
                     directory, and start it again",
                );
            }
            match output {
                ElectionOutput::Send { to, vote } => self.notify(to, PeerState::Looking, vote),
                ElectionOutput::DialAll => self.common.output(Output::DialAll),
                ElectionOutput::Elected {
                    vote, supporters, ..
                } => self.elected(now, vote, supporters),
                ElectionOutput::NewConfiguration {
                    membership,
                    restart,
                } => {
                    self.common.activate(Some(membership));
                    if restart {
                        self.look(now, "a newer configuration was heard of".into());
                    }
                }
            }
        }
        if let Role::Leading(leader) = &self.role
            && let Some(successor) = leader.successor
        {
            let text = format!("server {} leads in the new configuration", successor.0);
            self.look(now, text);
            self.succeed(now, successor);
        }
        if let Role::Leading(leader) = &self.role
            && leader.is_refuted(&self.common, now)
        {
            self.step_aside(now);
        }
        self.send_away_late();
        self.refresh_vote();
        self.begin_relay(now);
    }

    fn elected(&mut self, now: Time, vote: Vote, supporters: BTreeSet<ServerId>) {
        self.round = vote.round;
        if self.standing == Standing::Refuted {
            // Zxids of two ensembles are not to be compared: it would keep what only has the same
            // numbers. So it joins nobody, and asks again for as long as it runs.
            let until = now + LONGEST_PAUSE;
            self.role = Role::Draining { until };
            return;
        }
        self.vote = vote;
        self.found_at = now;
        self.unreachable.found(vote.leader);
        if vote.leader == self.common.me {
            self.lead(now, supporters);
        } else {
            self.learn_from(vote.leader);
        }
        self.tell_outcome();
    }

    /// Tells all voters how the election ended here: one that takes itself for elected learns
    /// from it that it is not. Java servers leave it aside unless they look for a leader.
    fn tell_outcome(&mut self) {
        for voter in self.common.members.voters() {
            if voter != self.common.me && !matches!(self.role, Role::Draining { .. }) {
                self.notify(voter, self.state(), self.vote);
            }
        }
    }

    fn lead(&mut self, now: Time, electors: BTreeSet<ServerId>) {
        // Its state is the one that counts now.
        self.common.distrusted = false;
        self.refuse_observers(NO_OBSERVERS);
        let mut leader = Leader::new(&mut self.common, now, electors);
        while let Some((link, packet)) = self.parked.pop_first() {
            leader.link_accepted(&mut self.common, now, link);
            if let Some(packet) = packet {
                leader.handle_packet(&mut self.common, now, link, packet);
            }
        }
        self.role = Role::Leading(leader);
    }

    fn learn_from(&mut self, leader: ServerId) {
        self.send_away("this server does not lead");
        let manner = self.manner();
        let advertised = (self.vote.epoch, self.vote.zxid);
        let master = match manner {
            Manner::Observe if self.common.limits.observer_masters => self.next_master(leader),
            _ => None,
        };
        let common = &mut self.common;
        let learner = Learner::new(leader, master, advertised, manner, common);
        self.role = Role::Learning(learner);
    }

    /// The configuration that `zxid` brought is in force, and `leader` leads in it. An observer
    /// hears of both at once, before the transaction has been looked into: then this waits for
    /// [`Peer::configuration_proposed`].
    fn activated(&mut self, now: Time, zxid: Zxid, leader: ServerId) {
        let Role::Learning(learner) = &mut self.role else {
            return;
        };
        let members = &self.common.members;
        let proposed = members.proposed().cloned();
        let proposed = proposed.filter(|membership| membership.version == zxid.0);
        let is_known = members.committed().version >= zxid.0;
        if self.common.reconfig && proposed.is_none() && !is_known {
            learner.activates = Some((zxid, leader));
            return;
        }
        let (before, manner) = (learner.leader, learner.manner());
        self.common.activate(proposed);
        if leader != before {
            let text = format!("server {} leads in the new configuration", leader.0);
            self.look(now, text);
            self.succeed(now, leader);
        } else if manner != self.manner() {
            self.look(now, OTHER_ROLE.into());
        }
    }

    /// In what way this server joins its leader. Who has been in no configuration yet waits for one
    /// as a follower, whatever its own file says, so that one that gives it a vote can count on
    /// that; who has been removed does not. Source: `QuorumPeer.updateLearnerType`.
    fn manner(&self) -> Manner {
        match self.standing {
            Standing::Abstaining => Manner::Heal,
            _ if self.common.follows() => Manner::Follow,
            _ => Manner::Observe,
        }
    }

    /// This learner serves from here on, in the leader's configuration. It has to join anew if that
    /// gives it another role.
    fn suit_configuration(&mut self, now: Time) {
        let Role::Learning(learner) = &self.role else {
            return;
        };
        let suits = match learner.manner() {
            Manner::Heal => true,
            Manner::Observe => !self.votes() && !self.common.waits(),
            Manner::Follow => self.manner() == Manner::Follow,
        };
        if !suits {
            self.look(now, OTHER_ROLE.into());
        }
    }

    /// The others have shown that the history of this server is not their ensemble's.
    fn step_aside(&mut self, now: Time) {
        let epoch = self.common.epochs.current.0;
        self.standing = Standing::Refuted;
        self.common.warn(format!(
            "the data of this server is of epoch {epoch}, which too many others never heard of to \
             have agreed on it: it is another ensemble's, and this server takes no part with it. \
             Stop it; give it the right data directory, or empty this one"
        ));
        self.look(now, "its data is another ensemble's".into());
        self.advance(now);
    }

    /// Whether this server has a vote in the configuration in force.
    fn votes(&self) -> bool {
        self.common.members.committed().is_voter(self.common.me)
    }

    /// Takes `leader` for elected: a reconfiguration has named it.
    fn succeed(&mut self, now: Time, leader: ServerId) {
        // What is not on the disk yet would be missing in what this server says of itself.
        if matches!(&self.role, Role::Looking(_)) && self.standing == Standing::Normal {
            let vote = Vote {
                leader,
                zxid: self.common.history.last(),
                round: self.round,
                epoch: i64::from(self.common.epochs.current.0),
            };
            self.elected(now, vote, BTreeSet::new());
        }
    }

    /// Once it serves, a server tells joiners the epoch that it serves in (ZOOKEEPER-1732).
    fn refresh_vote(&mut self) {
        let epoch = match &self.role {
            Role::Leading(leader) if leader.is_established() => leader.epoch(),
            Role::Learning(learner) if learner.serves() => learner.epoch(),
            _ => return,
        };
        self.vote.epoch = i64::from(epoch.0);
        self.failed_joins = 0;
    }
}

/// How long to wait after so many attempts in a row to join a leader that failed. The first ones
/// may only have come too early.
fn pause_after(failures: u32) -> Duration {
    match failures {
        0..=2 => Duration::ZERO,
        n => (Duration::from_millis(10) * (1 << (n - 3).min(7))).min(LONGEST_PAUSE),
    }
}

/// The promises of a server that has made none.
impl Default for Epochs {
    fn default() -> Self {
        Self {
            accepted: Epoch(0),
            current: Epoch(0),
        }
    }
}

#[cfg(test)]
mod tests;
