//! Fast leader election: servers tell each other whose history they believe to be the longest,
//! until a quorum believes the same. Source: `FastLeaderElection`; Medeiros: ZooKeeper's atomic
//! broadcast protocol, theory and practice (2012).
//!
//! The election is a hint. That a leader has all that was committed, and is the only one of its
//! epoch, is what the discovery phase makes sure of.
//!
//! The wire is ZooKeeper's, but not the wait: Java servers wait 200 ms for a better vote once
//! they have a quorum. Here nobody waits for those that cannot send one: that are not
//! connected, have voted in this round, or have a leader.

mod answer;
mod candidate;
mod config;
mod output;
mod report;
mod vote;

pub use answer::answer;
pub use candidate::{Candidate, Standing};
pub use config::ElectionConfig;
pub use output::ElectionOutput;
pub use vote::Vote;

use crate::membership::{Membership, Memberships};
use crate::time::Time;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use grevy_proto::election::{Notification, PeerState};
use grevy_proto::{ServerId, Zxid};
use vote::{Record, supporters};

/// How soon a server is answered again. No server repeats itself as fast of its own accord.
const ANSWER_INTERVAL: Duration = Duration::from_millis(50);

/// What is known of another server apart from its votes.
#[derive(Debug, Clone, Copy, Default)]
struct Peer {
    /// `None` until told.
    connected: Option<bool>,
    /// It said last that it has a leader, or abstains.
    casts_no_vote: bool,
    /// It said last that it has a leader.
    has_leader: bool,
    /// When it was last answered.
    answered_at: Option<Time>,
}

/// One election at one server, from the moment that it looks for a leader until it has one.
///
/// Drive it by the `handle_*` methods, then [`poll`](Self::poll) until that is `None`; call
/// [`handle_timeout`](Self::handle_timeout) at [`next_timeout`](Self::next_timeout). After
/// [`ElectionOutput::Elected`], or a configuration that restarts, it does nothing any more.
/// What then arrives is for [`answer`]. A server's own vote is counted without a message.
#[derive(Debug)]
pub struct Election {
    candidate: Candidate,
    memberships: Memberships,
    config: ElectionConfig,
    /// For whom this server votes; its round is the current one (Java: logicalclock).
    proposal: Vote,
    /// Votes of other voters in this round (Java: recvset).
    votes: BTreeMap<ServerId, Record>,
    /// What voters with a leader said, of whatever round (Java: outofelection).
    established: BTreeMap<ServerId, Record>,
    peers: BTreeMap<ServerId, Peer>,
    interval: Duration,
    resend_at: Time,
    /// While a quorum agrees: until when better votes are waited for.
    finalize_at: Option<Time>,
    /// A server that is no use as a leader until then; see [`Election::shun`].
    shunned: Option<(ServerId, Time)>,
    outputs: VecDeque<ElectionOutput>,
    over: bool,
}

impl Election {
    /// Starts the round after `round`, the one that this process was in last (0 at first).
    ///
    /// A server that does not vote in the committed membership elects nobody, and finds the
    /// leader all the same.
    pub fn start(
        now: Time,
        candidate: Candidate,
        memberships: Memberships,
        round: i64,
        config: ElectionConfig,
    ) -> Self {
        let mut election = Self {
            proposal: candidate.vote(false, round.saturating_add(1)),
            candidate,
            memberships,
            votes: BTreeMap::new(),
            established: BTreeMap::new(),
            peers: BTreeMap::new(),
            interval: config.min_interval,
            resend_at: now + config.min_interval,
            finalize_at: None,
            shunned: None,
            outputs: VecDeque::new(),
            over: false,
            config,
        };
        election.propose(election.own_vote());
        election.decide(now);
        election
    }

    /// Until then this server neither votes for `server` nor joins it, as it could not be reached.
    /// Two that elect each other instead must both be at it: so it is to be longer than either tries
    /// to reach somebody.
    pub fn shun(&mut self, server: ServerId, until: Time) {
        self.shunned = Some((server, until));
    }

    fn shuns(&self, server: ServerId) -> bool {
        self.shunned.is_some_and(|(shunned, _)| shunned == server)
    }

    /// What was said for the one that was shunned counts after all.
    fn end_shunning(&mut self, now: Time) {
        if self.shunned.take_if(|(_, until)| now >= *until).is_none() {
            return;
        }
        let votes: Vec<Vote> = self.votes.values().map(|record| record.vote).collect();
        for vote in votes {
            if self.counts() && self.electable(&vote) && vote.beats(&self.proposal) {
                self.propose(vote);
            }
        }
        let established: Vec<Record> = self.established.values().copied().collect();
        for record in established {
            self.consider_established(&record);
        }
    }

    /// The round, for the next election.
    pub fn round(&self) -> i64 {
        self.proposal.round
    }

    /// For whom this server votes.
    pub fn proposal(&self) -> &Vote {
        &self.proposal
    }

    /// Whether `server` says that it follows this server since a round that is over here.
    pub fn is_followed_in_vain(&self, server: ServerId) -> bool {
        let record = self.established.get(&server);
        record.is_some_and(|record| {
            record.vote.leader == self.candidate.id && record.vote.round < self.round()
        })
    }

    /// Whether this server may vote. Once it abstains, it must in all later elections too,
    /// until a leader has filled its history.
    pub fn standing(&self) -> Standing {
        self.candidate.standing
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; `None` when the election is over.
    pub fn next_timeout(&self) -> Option<Time> {
        let shunned_until = self.shunned.map(|(_, until)| until);
        let due = [Some(self.resend_at), self.finalize_at, shunned_until];
        (!self.over).then_some(due.into_iter().flatten().min()?)
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<ElectionOutput> {
        self.outputs.pop_front()
    }

    /// A connection to `server` came up, or there is none: it broke, or could not be made.
    pub fn handle_peer(&mut self, now: Time, server: ServerId, connected: bool) {
        if self.over || server == self.candidate.id || !self.memberships.is_voter(server) {
            return;
        }
        self.peers.entry(server).or_default().connected = Some(connected);
        if connected {
            self.send(server);
        }
        self.decide(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.over {
            return;
        }
        self.end_shunning(now);
        if now >= self.resend_at && !self.over {
            self.send_all();
            let is_connected = |peer: &Peer| peer.connected == Some(true);
            if !self.peers.values().any(is_connected) {
                self.outputs.push_back(ElectionOutput::DialAll);
            }
            self.interval = (self.interval * 2).min(self.config.max_interval);
            self.resend_at = now + self.interval;
        }
        self.decide(now);
    }

    /// `from` said this. It may have been long ago: a connection begins with the last message
    /// of the one before.
    pub fn handle_notification(&mut self, now: Time, from: ServerId, said: &Notification) {
        if self.over || from == self.candidate.id {
            return;
        }
        self.hear_configuration(said);
        if self.over {
            return;
        }
        if !self.memberships.is_voter(from) {
            if said.state == PeerState::Looking {
                self.answer(now, from);
            }
            return;
        }
        self.hear_of_history(said);
        let votes = said.state == PeerState::Looking
            && said.zxid != Zxid(-1)
            && self.memberships.is_voter(said.leader);
        let has_leader = matches!(said.state, PeerState::Following | PeerState::Leading);
        let peer = self.peers.entry(from).or_default();
        let had_leader = core::mem::replace(&mut peer.has_leader, has_leader);
        peer.casts_no_vote = !votes;
        match said.state {
            PeerState::Looking => {
                self.established.remove(&from);
                let told = self.proposal;
                if said.round >= self.round() {
                    if votes {
                        self.hear_vote(from, Vote::of(said));
                    }
                } else if self.counts() && !had_leader {
                    self.answer(now, from);
                } else if votes && self.may_go_back() {
                    self.proposal.round = said.round;
                    self.hear_vote(from, Vote::of(said));
                }
                // It was told while it had no ear for votes.
                if had_leader && self.proposal == told {
                    self.send(from);
                }
            }
            PeerState::Following | PeerState::Leading => {
                if self.memberships.is_voter(said.leader) {
                    self.hear_of_leader(from, said);
                }
            }
            PeerState::Observing => {}
        }
        self.decide(now);
    }

    /// A newer configuration is taken up, and ends this election if it changes anything.
    fn hear_configuration(&mut self, said: &Notification) {
        let Some(text) = said.config.as_deref().filter(|_| self.config.reconfig) else {
            return;
        };
        // One that cannot be understood does not cost the vote.
        let Ok(membership) = Membership::parse(text) else {
            return;
        };
        let committed = self.memberships.committed().clone();
        let membership = Arc::new(membership);
        if self.memberships.adopt(membership.clone()) {
            let restart = !membership.same_as(&committed);
            self.outputs.push_back(ElectionOutput::NewConfiguration {
                membership,
                restart,
            });
            self.over = restart;
        }
    }

    /// A server without history stands back once it learns that there is one.
    fn hear_of_history(&mut self, said: &Notification) {
        let history = said.zxid > Zxid::ZERO || said.epoch > 0;
        if self.candidate.standing == Standing::Empty && history {
            self.candidate.standing = Standing::Abstaining;
            self.votes.clear();
            self.propose(self.own_vote());
        }
    }

    /// The vote of another voter that looks for a leader, in this round or a later one.
    fn hear_vote(&mut self, from: ServerId, vote: Vote) {
        if !self.candidate.standing.votes() {
            return;
        }
        let electable = self.electable(&vote);
        if vote.round > self.round() {
            self.votes.clear();
            self.proposal.round = vote.round;
            let own = self.own_vote();
            self.propose(if electable && vote.beats(&own) {
                vote
            } else {
                own
            });
        } else if electable && vote.beats(&self.proposal) {
            self.propose(vote);
        }
        let record = Record {
            vote,
            state: PeerState::Looking,
            version: 0,
        };
        self.votes.insert(from, record);
    }

    fn electable(&self, vote: &Vote) -> bool {
        self.memberships.committed().quorum.weight(vote.leader) > 0 && !self.shuns(vote.leader)
    }

    /// Answers one that asks in vain: who does not vote, or is in a round that is over. Not at
    /// once again: observers of the Java server answer in turn when this round is behind
    /// theirs, without ever catching up.
    fn answer(&mut self, now: Time, from: ServerId) {
        let peer = self.peers.entry(from).or_default();
        if peer
            .answered_at
            .is_none_or(|at| now >= at + ANSWER_INTERVAL)
        {
            peer.answered_at = Some(now);
            self.send(from);
        }
    }

    /// A voter that has a leader: perhaps one of this round, perhaps of long ago.
    fn hear_of_leader(&mut self, from: ServerId, said: &Notification) {
        let record = Record {
            vote: Vote::of(said),
            state: said.state,
            version: said.version,
        };
        if said.round == self.round() && self.candidate.standing.votes() {
            let version = 0;
            self.votes.insert(from, Record { version, ..record });
            let mut supporters = supporters(&self.votes, &record);
            // Whom it has voted for in this round, perhaps itself, may have been elected before it
            // took up a better vote, which may find no quorum any more.
            if self.counts() && !self.own_vote().beats(&record.vote) {
                supporters.insert(self.candidate.id);
            }
            let is_elected = self.leads(&self.votes, &record) && self.is_quorum(&supporters);
            if is_elected && !self.shuns(said.leader) {
                return self.finish(record.vote, supporters, false);
            }
        }
        self.established.insert(from, record);
        self.consider_established(&record);
    }

    /// Joins the leader that `record` names, if enough of the others have it.
    fn consider_established(&mut self, record: &Record) {
        if self.over || self.shuns(record.vote.leader) {
            return;
        }
        let supporters = supporters(&self.established, record);
        // Whoever joins a leader elects nobody. A configuration that this server has seen proposed
        // may have died with its leader, and would keep it from the next one for ever.
        let is_enough = match record.vote.leader == self.candidate.id {
            true => self.is_quorum(&supporters),
            false => {
                let quorum = &self.memberships.committed().quorum;
                quorum.is_quorum(|id| supporters.contains(&id))
            }
        };
        if is_enough && self.leads(&self.established, record) {
            self.finish(record.vote, supporters, true);
        }
    }

    /// Whether the leader that `record` names knows it: it has said so, or is this server,
    /// elected in this very round (`checkLeader`). A server that abstains is no leader.
    fn leads(&self, said: &BTreeMap<ServerId, Record>, record: &Record) -> bool {
        let vote = &record.vote;
        if vote.leader == self.candidate.id {
            return self.counts() && vote.round == self.round();
        }
        said.get(&vote.leader)
            .is_some_and(|leader| leader.state == PeerState::Leading)
    }

    /// Ends the election if a quorum agrees and there is nothing to wait for.
    fn decide(&mut self, now: Time) {
        if self.over {
            return;
        }
        let mut supporters = supporters(&self.votes, &self.own_record());
        if self.counts() {
            supporters.insert(self.candidate.id);
        }
        if !self.is_quorum(&supporters) {
            self.finalize_at = None;
            return;
        }
        let wait = self.config.finalize_wait;
        let finalize_at = *self.finalize_at.get_or_insert(now + wait);
        if now >= finalize_at || !self.better_vote_may_come() {
            self.finish(self.proposal, supporters, false);
        }
    }

    /// Whether a voter may still send a better vote. One that has voted in this round cannot:
    /// its vote would have been taken over.
    fn better_vote_may_come(&self) -> bool {
        let may_vote = |voter: &ServerId| {
            let peer = self.peers.get(voter).copied().unwrap_or_default();
            peer.connected != Some(false) && !peer.casts_no_vote && !self.votes.contains_key(voter)
        };
        self.other_voters().iter().any(may_vote)
    }

    fn finish(&mut self, vote: Vote, supporters: BTreeSet<ServerId>, established_elsewhere: bool) {
        self.over = true;
        self.proposal = vote;
        self.outputs.push_back(ElectionOutput::Elected {
            vote,
            supporters,
            established_elsewhere,
        });
    }

    /// Whether this server's own vote counts.
    fn counts(&self) -> bool {
        self.candidate.standing.votes() && self.memberships.is_voter(self.candidate.id)
    }

    /// Whether this server may take up a round that is over here. A voter would lead others back
    /// into it; one that does not vote, as far as it knows, leads nobody. But its vote may be
    /// needed: others may know that it is about to get one.
    fn may_go_back(&self) -> bool {
        !self.counts() && self.candidate.standing.votes() && self.votes.is_empty()
    }

    /// This server's vote for itself, or for nobody.
    fn own_vote(&self) -> Vote {
        let votes = self.memberships.committed().is_voter(self.candidate.id);
        self.candidate.vote(votes, self.round())
    }

    fn own_record(&self) -> Record {
        Record {
            vote: self.proposal,
            state: PeerState::Looking,
            version: 0,
        }
    }

    /// Takes up a vote and tells everybody.
    fn propose(&mut self, vote: Vote) {
        self.proposal = vote;
        self.finalize_at = None;
        self.send_all();
    }

    fn send_all(&mut self) {
        for voter in self.other_voters() {
            self.send(voter);
        }
    }

    fn send(&mut self, to: ServerId) {
        let vote = self.proposal;
        self.outputs.push_back(ElectionOutput::Send { to, vote });
    }

    fn other_voters(&self) -> BTreeSet<ServerId> {
        let mut voters = self.memberships.voters();
        voters.remove(&self.candidate.id);
        voters
    }

    fn is_quorum(&self, supporters: &BTreeSet<ServerId>) -> bool {
        self.memberships.is_quorum(|id| supporters.contains(&id))
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
