//! A member of an ensemble, its learners, and the others as it sees them. Source: `QuorumPeer`,
//! `Leader`, `LearnerHandler.getLearnerHandlerInfo`.

use super::sessions;
use crate::ensemble::{ProposalSizes, outlook};
use crate::shared::Shared;
use grevy_node::{LearnerReport, Membership, Node, Part, Peer, Phase, Status, VoterReport};
use grevy_proto::{Epoch, ServerId, Zxid};
use std::net::SocketAddr;
use std::sync::Arc;

/// A member at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnsembleReport {
    /// `myid`.
    pub id: ServerId,
    /// What it is.
    pub part: Part,
    /// Where it is in the protocol.
    pub phase: Phase,
    /// Whether it votes.
    pub votes: bool,
    /// Whom it follows or observes, or tries to; itself, if it leads; its vote while it looks.
    pub candidate: Option<ServerId>,
    /// Whom a learner is connected to: the leader, or a follower that serves observers.
    pub master: Option<ServerId>,
    /// The epoch that it serves in, or that its history is from.
    pub epoch: Epoch,
    /// The end of its log.
    pub last: Zxid,
    /// The newest transaction that it knows to be committed.
    pub committed: Zxid,
    /// The configuration in force.
    pub membership: Arc<Membership>,
    /// One that is proposed.
    pub proposed: Option<Arc<Membership>>,
    /// How many vote in the one in force.
    pub quorum_size: usize,
    /// The other voters.
    pub voters: Vec<VoterReport>,
    /// What it waits for, if it does not serve.
    pub waits: Option<String>,
    /// How long it has had its part, in ms.
    pub in_part_ms: u64,
    /// Why it looked for a leader last.
    pub why: String,
    /// All who are connected to this leader, or the observers of this follower.
    pub learners: Vec<LearnerView>,
    /// Whether there may be any.
    pub serves_observers: bool,
    /// What it knows as a leader.
    pub leader: Option<LeaderReport>,
}

/// A leader at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderReport {
    /// Syncs that wait for a quorum to confirm the leader.
    pub pending_syncs: usize,
    /// For how long it has led, in ms.
    pub uptime_ms: u64,
    /// Sizes of its proposals.
    pub proposals: ProposalSizes,
}

/// A learner at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearnerView {
    /// What the leader knows of it.
    pub report: LearnerReport,
    /// Whether it votes.
    pub votes: bool,
    /// Since when it is connected, in ms since 1970.
    pub established_ms: i64,
    /// Where it comes from; `None` if the connection has just ended.
    pub address: Option<SocketAddr>,
    /// Bytes that wait to be sent to it.
    pub queued: usize,
}

impl LearnerView {
    fn is_synced(&self) -> bool {
        self.report.phase == Phase::Broadcast
    }
}

impl EnsembleReport {
    /// Followers that are up to date.
    pub fn synced_followers(&self) -> usize {
        let followers = self.learners.iter().filter(|l| !l.report.observer);
        followers.filter(|l| l.is_synced()).count()
    }

    /// Those of them that do not vote.
    pub fn synced_non_voting_followers(&self) -> usize {
        let followers = self.learners.iter().filter(|l| !l.report.observer);
        followers.filter(|l| l.is_synced() && !l.votes).count()
    }

    /// Observers that are up to date.
    pub fn synced_observers(&self) -> usize {
        self.observers().count()
    }

    /// The same themselves.
    pub fn observers(&self) -> impl Iterator<Item = &LearnerView> {
        let observers = self.learners.iter().filter(|l| l.report.observer);
        observers.filter(|l| l.is_synced())
    }

    /// Whom it leads, follows or observes while it serves.
    pub fn serving_leader(&self) -> Option<ServerId> {
        self.candidate.filter(|_| self.part.serves())
    }

    /// The name or address of the leader's machine, as configured; empty if there is no leader.
    pub fn leader_hosts(&self) -> String {
        let member = self
            .serving_leader()
            .and_then(|leader| self.membership.members.get(&leader));
        let addresses = member.map_or(&[][..], |member| &member.addresses);
        let hosts: Vec<&str> = addresses.iter().map(|address| &*address.host).collect();
        hosts.join("|")
    }

    /// The same as ZooKeeper's `QuorumPeer.getDetailedPeerState`.
    pub fn peer_state(&self) -> String {
        let state = match (self.phase, self.candidate) {
            (Phase::Election, _) => return "looking".to_owned(),
            (_, Some(leader)) if leader == self.id => "leading",
            _ if self.votes => "following",
            _ => "observing",
        };
        format!("{state} - {}", self.phase)
    }
}

/// The server now; `None` if it runs alone.
pub fn report(shared: &Shared) -> Option<EnsembleReport> {
    let now = shared.clock.now();
    let since = shared.ensemble.since(now.time);
    shared.look_at_node(|node| {
        let peer = node.peer();
        let leader = matches!(node.part(), Part::Leading { .. }).then(|| LeaderReport {
            pending_syncs: peer.pending_syncs(),
            uptime_ms: millis(since.leading.unwrap_or_default()),
            proposals: since.proposals,
        });
        peer.is_member().then(|| EnsembleReport {
            id: peer.id(),
            part: node.part().clone(),
            phase: peer.phase(),
            votes: peer.members().is_voter(peer.id()),
            candidate: peer.candidate(),
            master: peer.master(),
            epoch: peer.epoch(),
            last: peer.last(),
            committed: peer.committed(),
            membership: peer.members().committed().clone(),
            proposed: peer.members().proposed().cloned(),
            quorum_size: peer.members().committed().quorum.voters().len(),
            voters: peer.voter_reports(),
            waits: waits(node),
            in_part_ms: millis(since.in_part),
            why: since.why,
            learners: learners(shared, peer, now),
            serves_observers: peer.serves_observers(),
            leader,
        })
    })
}

/// What a server that does not serve waits for, unless it has to be restarted.
fn waits(node: &Node) -> Option<String> {
    let waits = !node.part().serves() && !matches!(node.status(), Status::StorageFailed(_));
    waits.then(|| outlook(node.peer()))
}

fn learners(shared: &Shared, peer: &Peer, now: grevy_node::Now) -> Vec<LearnerView> {
    let view = |report: LearnerReport| {
        let mut link = None;
        shared.with_peers(|peers| link = peers.links().get(report.link));
        LearnerView {
            votes: report.server.is_some_and(|id| peer.members().is_voter(id)),
            established_ms: sessions::wall_ms(report.traffic.since, now),
            address: link.as_ref().map(|link| link.address()),
            queued: link.map_or(0, |link| link.queued()),
            report,
        }
    };
    peer.learner_reports().into_iter().map(view).collect()
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
