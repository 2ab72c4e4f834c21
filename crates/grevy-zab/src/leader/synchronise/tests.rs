use crate::membership::Membership;
use crate::output::{LinkId, Output};
use crate::testing::{at, elect, elected, follower, introduce_from, member_of, outputs, save};
use crate::time::Time;
use alloc::format;
use core::time::Duration;
use grevy_proto::quorum::Packet;
use grevy_proto::{Epoch, Zxid};

/// What the learner behind `link` is sent first; `None`: nothing yet.
fn answer(peer: &mut crate::Peer, link: LinkId, last_zxid: Zxid) -> Option<&'static str> {
    answer_of(peer, link, 3, last_zxid)
}

/// The same of the learner with this number.
fn answer_of(
    peer: &mut crate::Peer,
    link: LinkId,
    server: i64,
    last_zxid: Zxid,
) -> Option<&'static str> {
    introduce_from(peer, Time(0), link, server, 8);
    let current_epoch = None;
    let accepted = Packet::AckEpoch {
        last_zxid,
        current_epoch,
    };
    peer.handle_packet(Time(0), link, accepted);
    outputs(peer).into_iter().find_map(|output| match output {
        Output::TakeSnapshot => Some("SNAP"),
        Output::Send { packet, .. } => match packet {
            Packet::Diff(_) | Packet::Trunc(_) => Some(packet.name()),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn before_it_is_established_a_leader_replaces_no_part_of_its_history_by_less() {
    for (last, expected) in [
        (at(1, 7), Some("DIFF")),
        (at(1, 9), Some("TRUNC")),
        // It may be a strange cluster's leader that this one is called by.
        (at(5, 2), None),
    ] {
        let mut peer = leader(elected(at(1, 3), at(1, 7)));
        assert_eq!(answer(&mut peer, LinkId(3), last), expected, "{last}");
    }
}

#[test]
fn what_both_may_have_and_is_not_applied_is_kept() {
    for (last, expected) in [
        (at(1, 7), Some("DIFF")),
        (at(2, 1), Some("DIFF")),
        (at(1, 9), Some("TRUNC")),
        (at(2, 9), Some("TRUNC")),
        (at(5, 2), None),
    ] {
        let mut peer = leader(with_proposals(2));
        assert_eq!(answer(&mut peer, LinkId(3), last), expected, "{last}");
    }
}

#[test]
fn what_an_earlier_epoch_never_agreed_on_gives_way_to_a_snapshot() {
    for (last, expected) in [
        (at(5, 2), Some("SNAP")),
        (at(8, 1), Some("SNAP")),
        // No quorum has promised yet to agree on no more of these.
        (at(9, 1), None),
        (at(10, 1), None),
    ] {
        let mut peer = member_of(2, at(1, 3), at(1, 7), Epoch(9));
        elect(&mut peer, 1);
        let mut peer = leader_after(peer, Epoch(9));
        assert_eq!(answer(&mut peer, LinkId(3), last), expected, "{last}");
    }
}

/// Its snapshot has not all of that, and the learner may crash before the rest has come.
#[test]
fn what_both_may_have_and_is_not_applied_outlives_a_crash_behind_a_snapshot() {
    for (last, expected) in [
        (at(1, 8), Some("TRUNC")),
        (at(2, 1), Some("DIFF")),
        (at(2, 9), Some("TRUNC")),
        (at(5, 2), None),
    ] {
        let mut peer = leader(with_proposals(2));
        // Nobody follows it; the epoch of its next attempt is later than any.
        peer.handle_timeout(Time(0) + Duration::from_secs(10));
        elect(&mut peer, 2);
        let mut peer = leader_after(peer, Epoch(9));
        assert_eq!(answer(&mut peer, LinkId(3), last), expected, "{last}");
    }
}

/// The leader, which waits for a quorum to take over its history.
fn leader(peer: crate::Peer) -> crate::Peer {
    leader_after(peer, Epoch(8))
}

/// The same, of the epoch after one that its supporter has accepted.
fn leader_after(mut peer: crate::Peer, Epoch(accepted): Epoch) -> crate::Peer {
    let (last_zxid, link) = (peer.last(), LinkId(1));
    let supporter = if peer.id().0 == 1 { 2 } else { 1 };
    introduce_from(&mut peer, Time(0), link, supporter, accepted);
    save(&mut peer);
    let accepted = Packet::AckEpoch {
        last_zxid,
        current_epoch: Some(Epoch(1)),
    };
    peer.handle_packet(Time(0), link, accepted);
    save(&mut peer);
    peer
}

/// Server 1, which has lost its leader while so many proposals were not known to be committed,
/// and is elected.
fn with_proposals(count: u32) -> crate::Peer {
    let link = LinkId(7);
    let mut peer = follower(at(1, 3), at(1, 7), 2, link);
    let config = "".into();
    let zxid = at(2, 0);
    peer.handle_packet(Time(0), link, Packet::Diff(at(1, 7)));
    peer.handle_packet(Time(0), link, Packet::NewLeader { zxid, config });
    save(&mut peer);
    peer.handle_packet(Time(0), link, Packet::UpToDate);
    for counter in 1..=count {
        let zxid = at(2, counter);
        let entry = [].into();
        peer.handle_packet(Time(0), link, Packet::Proposal { zxid, entry });
        peer.log_synced(Time(0), zxid);
    }
    peer.link_lost(Time(0), link);
    elect(&mut peer, 2);
    peer
}

/// What a former leader had proposed may be that this server is to observe.
#[test]
fn who_has_no_vote_in_what_it_has_taken_over_gives_way() {
    for (role, gives_way) in [("participant", false), ("observer", true)] {
        let mut peer = elected(at(1, 3), at(1, 7));
        let text = format!("server.1=a:1:2\nserver.2=b:1:2:{role}\nversion=100000007");
        let membership = Membership::parse(&text).unwrap();
        peer.configuration_proposed(Time(0), membership.into());
        let mut peer = leader(peer);
        outputs(&mut peer);
        peer.handle_packet(Time(0), LinkId(1), Packet::Ack(at(9, 0)));
        let outputs = outputs(&mut peer);
        let serves = Output::Send {
            link: LinkId(1),
            packet: Packet::UpToDate,
        };
        assert!(outputs.contains(&serves));
        assert_eq!(peer.leads(), !gives_way);
    }
}

/// Server 2, established by server 1 in epoch 9, with so many transactions proposed to it and on
/// its own disk. Link 1 is server 1's.
fn established(proposals: u32) -> crate::Peer {
    let mut peer = leader(elected(at(1, 3), at(1, 7)));
    let zxid = at(9, 0);
    peer.handle_packet(Time(0), LinkId(1), Packet::Ack(zxid));
    for counter in 1..=proposals {
        let zxid = at(9, counter);
        peer.propose(Time(0), zxid, [].into(), None).unwrap();
    }
    outputs(&mut peer);
    peer
}

/// What it has acknowledged it cuts off for the snapshot, and may crash before it comes again.
#[test]
fn who_is_to_take_a_snapshot_helps_to_commit_nothing() {
    let mut peer = established(1);
    let (link, zxid) = (LinkId(1), at(9, 1));
    peer.handle_packet(Time(0), link, Packet::Ack(zxid));
    peer.link_lost(Time(0), link);
    assert_eq!(answer_of(&mut peer, LinkId(3), 1, zxid), Some("SNAP"));
    peer.log_synced(Time(0), zxid);
    assert_eq!(peer.committed(), at(1, 7));
}

#[test]
fn a_snapshot_that_was_begun_before_a_learner_came_may_be_too_old_for_it() {
    let mut peer = established(1);
    let (link, zxid) = (LinkId(1), at(9, 1));
    // Server 3 needs one.
    assert_eq!(answer(&mut peer, LinkId(3), at(0, 0)), Some("SNAP"));
    peer.snapshot_started(at(1, 7));
    peer.handle_packet(Time(0), link, Packet::Ack(zxid));
    peer.log_synced(Time(0), zxid);
    assert_eq!(peer.committed(), zxid);
    peer.link_lost(Time(0), link);
    // Server 1, too, which helped to commit the transaction, and does not trust its state.
    answer_of(&mut peer, LinkId(4), 1, at(0, 0));
    peer.snapshot_ready(Time(0), true);
    let sent = outputs(&mut peer);
    let to = |link| {
        sent.iter()
            .any(|output| matches!(output, Output::SendSnapshot { link: to, .. } if *to == link))
    };
    assert!(to(LinkId(3)) && !to(LinkId(4)));
    assert!(sent.contains(&Output::TakeSnapshot));
    peer.snapshot_started(zxid);
    peer.snapshot_ready(Time(0), true);
    let snapshot = Output::SendSnapshot {
        link: LinkId(4),
        zxid,
    };
    assert!(outputs(&mut peer).contains(&snapshot));
}
