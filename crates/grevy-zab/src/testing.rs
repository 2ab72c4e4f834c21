//! Servers for tests, driven by hand.

use crate::common::{Epochs, Timing};
use crate::election::{ElectionConfig, Standing};
use crate::history::Entry;
use crate::limits::Limits;
use crate::membership::{Membership, Memberships};
use crate::output::{LinkId, Output};
use crate::peer::{Peer, PeerConfig, Recovered};
use crate::time::Time;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use grevy_proto::election::{Notification, PeerState};
use grevy_proto::quorum::{LearnerInfo, Packet};
use grevy_proto::{Epoch, ServerId, Zxid};

const MEMBERS: &str = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2";
const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn at(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

/// Server `id` of three, in epoch 1, which has the transactions from behind `base` up to `last`
/// in memory.
pub(crate) fn member(id: i64, base: Zxid, last: Zxid) -> Peer {
    member_of(id, base, last, Epoch(1))
}

/// The same in another epoch.
pub(crate) fn member_of(id: i64, base: Zxid, last: Zxid, epoch: Epoch) -> Peer {
    let members = Membership::parse(MEMBERS).unwrap();
    recovered(members, id, base, last, epoch, Standing::Normal)
}

/// Server 1 of three that have agreed on their configuration.
pub(crate) fn agreed_member(base: Zxid, last: Zxid) -> Peer {
    let members = Membership::parse(MEMBERS).unwrap();
    let agreed = Membership {
        version: 0x1_0000_0001,
        ..members
    };
    recovered(agreed, 1, base, last, Epoch(1), Standing::Normal)
}

/// Server 1, which has nothing but what it was in, and abstains.
pub(crate) fn empty_in(epoch: Epoch) -> Peer {
    let members = Membership::parse(MEMBERS).unwrap();
    let zero = Zxid::ZERO;
    recovered(members, 1, zero, zero, epoch, Standing::Abstaining)
}

fn recovered(
    members: Membership,
    id: i64,
    base: Zxid,
    last: Zxid,
    epoch: Epoch,
    standing: Standing,
) -> Peer {
    let config = PeerConfig {
        id: ServerId(id),
        timing: Timing {
            tick: SECOND,
            init: SECOND * 10,
            sync: SECOND * 5,
            connect: SECOND * 10,
        },
        limits: Limits::default(),
        election: ElectionConfig {
            min_interval: SECOND,
            max_interval: SECOND,
            finalize_wait: SECOND,
            reconfig: false,
        },
        commit_log: 100,
        always_snapshot: false,
        read_log: true,
        reconfig: true,
    };
    let bytes = Arc::from([]);
    let entry = |zxid| Entry {
        zxid: Zxid(zxid),
        bytes: Arc::clone(&bytes),
    };
    let recovered = Recovered {
        last,
        epochs: Epochs {
            accepted: epoch,
            current: epoch,
        },
        recent: (base.0 + 1..=last.0).map(entry).collect(),
        standing,
    };
    Peer::member(config, Memberships::new(members), recovered, Time(0))
}

pub(crate) fn outputs(peer: &mut Peer) -> Vec<Output> {
    core::iter::from_fn(|| peer.poll()).collect()
}

pub(crate) fn warnings(outputs: &[Output]) -> Vec<String> {
    let warning = |output: &Output| match output {
        Output::Warning(text) => Some(text.clone()),
        _ => None,
    };
    outputs.iter().filter_map(warning).collect()
}

pub(crate) fn says(state: PeerState, leader: i64, zxid: Zxid) -> Notification {
    Notification {
        state,
        leader: ServerId(leader),
        zxid,
        round: 1,
        epoch: 1,
        version: 2,
        config: None,
    }
}

/// Server 1, which has promised epoch 2 to the leader behind `link`.
pub(crate) fn follower(base: Zxid, last: Zxid, leader: i64, link: LinkId) -> Peer {
    let mut peer = member(1, base, last);
    promise(&mut peer, leader, link);
    peer
}

/// Server 1 finds the leader, and promises epoch 2 to it over `link`, once it looks for one.
/// Returns what it had to say.
pub(crate) fn promise(peer: &mut Peer, leader: i64, link: LinkId) -> Vec<Output> {
    let mut now = Time(0);
    if let Some(next) = peer.next_timeout() {
        now = next;
        peer.handle_timeout(now);
    }
    let last = peer.last();
    for (from, state) in [(2, PeerState::Following), (3, PeerState::Following)] {
        let state = match from == leader {
            true => PeerState::Leading,
            false => state,
        };
        peer.handle_notification(now, ServerId(from), &says(state, leader, last));
    }
    peer.link_dialled(now, link);
    peer.handle_packet(now, link, Packet::LeaderInfo(Epoch(2)));
    save(peer)
}

/// Server 2, which server 1 has elected, and which waits for the epochs of others.
pub(crate) fn elected(base: Zxid, last: Zxid) -> Peer {
    let mut peer = member(2, base, last);
    elect(&mut peer, 1);
    peer
}

/// Server `by` elects the server, which looks for a leader; nobody hears of the third.
pub(crate) fn elect(peer: &mut Peer, by: i64) {
    let (me, last) = (peer.id(), peer.last());
    for server in (1..=3).map(ServerId).filter(|server| *server != me) {
        peer.handle_peer(Time(0), server, server.0 == by);
    }
    let outputs = outputs(peer);
    let vote = outputs.iter().rev().find_map(|output| match output {
        Output::Notify { message, .. } => Some(message.clone()),
        _ => None,
    });
    let mut vote = vote.unwrap_or(says(PeerState::Looking, me.0, last));
    vote.leader = me;
    peer.handle_notification(Time(0), ServerId(by), &vote);
    self::outputs(peer);
}

/// A server introduces itself over `link`.
pub(crate) fn introduce(peer: &mut Peer, now: Time, link: LinkId, server: i64) {
    introduce_from(peer, now, link, server, 1);
}

/// The same of one that has accepted this epoch.
pub(crate) fn introduce_from(peer: &mut Peer, now: Time, link: LinkId, server: i64, epoch: u32) {
    peer.link_accepted(now, link);
    let info = LearnerInfo {
        observer: false,
        accepted_epoch: Epoch(epoch),
        server: Some(ServerId(server)),
        config_version: 0,
    };
    peer.handle_packet(now, link, Packet::LearnerInfo(info));
}

/// Promises become durable. Returns everything else.
pub(crate) fn save(peer: &mut Peer) -> Vec<Output> {
    let mut others = Vec::new();
    while let Some(output) = peer.poll() {
        match output {
            Output::SaveEpochs { accepted, current } => {
                peer.epochs_saved(Time(0), Epochs { accepted, current });
            }
            other => others.push(other),
        }
    }
    others
}
