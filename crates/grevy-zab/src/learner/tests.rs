use super::*;
use crate::output::LinkId;
use crate::testing::{agreed_member, at, empty_in, follower, outputs, promise, save};
use crate::time::Time;
use alloc::vec::Vec;
use grevy_proto::quorum::Packet;

const LINK: LinkId = LinkId(7);

#[test]
fn a_configuration_is_forgotten_with_the_transaction_that_brings_it() {
    let text = "server.1=a:1:2\nserver.4=d:1:2\nversion=100000006";
    for (packet, kept) in [
        (Packet::Trunc(at(1, 6)), true),
        (Packet::Trunc(at(1, 5)), false),
    ] {
        let mut peer = follower(at(1, 3), at(1, 7), 2, LINK);
        peer.configuration_proposed(Time(0), Arc::new(Membership::parse(text).unwrap()));
        assert!(peer.members().proposed().is_some());
        outputs(&mut peer);
        peer.handle_packet(Time(0), LINK, packet);
        assert_eq!(peer.members().proposed().is_some(), kept);
        let configured = |output: &Output| matches!(output, Output::Configured { .. });
        assert_eq!(outputs(&mut peer).iter().any(configured), !kept);
    }
}

/// Its zxid may be lower than the snapshot's, of which it is no part all the same.
#[test]
fn what_was_proposed_in_a_history_goes_with_it_when_a_snapshot_comes() {
    let members = "server.1=a:1:2\nserver.4=d:1:2";
    let own = Membership::parse(&format!("{members}\nversion=100000006")).unwrap();
    for (theirs, kept) in [("0", None), ("100000006", Some(0x1_0000_0006))] {
        let mut peer = follower(at(1, 3), at(1, 7), 2, LINK);
        peer.configuration_proposed(Time(0), Arc::new(own.clone()));
        let config = format!("{members}\nversion={theirs}").into();
        let zxid = at(2, 0);
        peer.handle_packet(Time(0), LINK, Packet::Snap(at(1, 9)));
        peer.handle_packet(Time(0), LINK, Packet::NewLeader { zxid, config });
        outputs(&mut peer);
        peer.snapshot_received(Time(0), LINK, at(1, 9));
        let proposed = peer.members().proposed();
        assert_eq!(proposed.map(|proposed| proposed.version), kept);
        let configured = |output: &Output| matches!(output, Output::Configured { .. });
        assert_eq!(outputs(&mut peer).iter().any(configured), kept.is_none());
    }
}

/// Where this server says that its history ends.
fn said(outputs: &[Output]) -> Vec<Zxid> {
    let said = |output: &Output| match output {
        Output::Send {
            packet: Packet::AckEpoch { last_zxid, .. },
            ..
        } => Some(*last_zxid),
        _ => None,
    };
    outputs.iter().filter_map(said).collect()
}

/// What this server says is durable, in its order.
fn acknowledges(outputs: &[Output]) -> Vec<Zxid> {
    let acknowledged = |output: &Output| match output {
        Output::Send {
            packet: Packet::Ack(zxid),
            ..
        } => Some(*zxid),
        _ => None,
    };
    outputs.iter().filter_map(acknowledged).collect()
}

fn looks(outputs: &[Output]) -> bool {
    let looks = |output: &Output| matches!(output, Output::Became(Part::Looking { .. }));
    outputs.iter().any(looks)
}

#[test]
fn who_cannot_take_back_what_it_has_asks_for_a_snapshot() {
    let last = at(1, 7);
    // In memory it is seen at once, on the disk later.
    for (to, refused) in [(at(1, 9), false), (at(1, 2), true)] {
        let mut peer = follower(at(1, 3), last, 2, LINK);
        outputs(&mut peer);
        peer.handle_packet(Time(0), LINK, Packet::Trunc(to));
        let truncates = outputs(&mut peer).contains(&Output::Truncate { to });
        assert_eq!(truncates, refused);
        if refused {
            let proposal = Packet::Proposal {
                zxid: to.next(),
                entry: [].into(),
            };
            peer.handle_packet(Time(0), LINK, proposal);
            assert!(!looks(&outputs(&mut peer)));
            peer.truncation_refused(Time(0), last, "nothing leads there");
        }
        assert_eq!(peer.last(), last, "nothing is lost");
        // It is in the same epoch, in which it does not count any more.
        let outputs = promise(&mut peer, 2, LinkId(8));
        assert_eq!(said(&outputs), [Zxid::ZERO]);
        // Anything else would leave what the leader does not have.
        peer.handle_packet(Time(0), LinkId(8), Packet::Diff(at(1, 9)));
        assert!(looks(&crate::testing::outputs(&mut peer)));
        let outputs = promise(&mut peer, 2, LinkId(9));
        assert_eq!(said(&outputs), [Zxid::ZERO]);
        peer.handle_packet(Time(0), LinkId(9), Packet::Snap(at(1, 9)));
        assert!(!looks(&crate::testing::outputs(&mut peer)));
    }
}

/// Some may be committed with this server's help, though the leader's state was older. If it
/// crashed in between, it must not have lost them.
#[test]
fn what_follows_a_snapshot_and_is_here_stays() {
    let same = |counter| (at(1, counter), &b""[..]);
    for (zxid, behind, durable) in [
        (
            at(1, 4),
            &[same(5), same(6), same(7), (at(2, 1), b"")][..],
            3,
        ),
        (at(1, 4), &[same(5)], 1),
        // Another transaction, of another history.
        (at(1, 4), &[same(5), (at(1, 6), b"other"), same(7)], 1),
        (at(1, 4), &[(at(2, 1), b"")], 0),
        (at(1, 2), &[same(3), same(4)], 0),
        (at(1, 7), &[same(8)], 0),
    ] {
        let mut peer = follower(at(1, 3), at(1, 7), 2, LINK);
        peer.handle_packet(Time(0), LINK, Packet::Snap(zxid));
        for (zxid, bytes) in behind {
            let (zxid, entry) = (*zxid, (*bytes).into());
            peer.handle_packet(Time(0), LINK, Packet::Proposal { zxid, entry });
        }
        let (config, newest) = ("".into(), at(2, 0));
        let newleader = Packet::NewLeader {
            zxid: newest,
            config,
        };
        peer.handle_packet(Time(0), LINK, newleader);
        peer.snapshot_received(Time(0), LINK, zxid);
        let outputs = outputs(&mut peer);
        let kept = outputs.iter().find_map(|output| match output {
            Output::InstallSnapshot { kept, .. } => Some(kept.iter().map(|e| e.zxid)),
            _ => None,
        });
        let appended = outputs.iter().filter_map(|output| match output {
            Output::Append { zxid, .. } => Some(*zxid),
            _ => None,
        });
        let all = behind.iter().map(|(zxid, _)| *zxid);
        assert_eq!(kept.clone().unwrap().count(), durable, "{zxid} {behind:?}");
        assert!(kept.unwrap().chain(appended).eq(all), "{zxid} {behind:?}");
    }
}

#[test]
fn a_snapshot_that_the_leader_cannot_have_is_not_taken() {
    for (zxid, taken) in [
        (Zxid(-1), false),
        (Zxid(i64::MAX), false),
        (at(3, 0), false),
        (at(2, 9), true),
        (Zxid::ZERO, true),
    ] {
        let mut peer = follower(at(1, 3), at(1, 7), 2, LINK);
        outputs(&mut peer);
        peer.handle_packet(Time(0), LINK, Packet::Snap(zxid));
        assert_eq!(looks(&outputs(&mut peer)), !taken, "{zxid}");
    }
}

/// As from learners of Java: NEWLEADER, UPTODATE, and then what was proposed meanwhile.
#[test]
fn what_came_behind_newleader_is_acknowledged_behind_uptodate() {
    let mut peer = follower(at(1, 3), at(1, 7), 2, LINK);
    let (zxid, config, entry) = (at(2, 0), "".into(), [].into());
    peer.handle_packet(Time(0), LINK, Packet::Diff(at(1, 7)));
    peer.handle_packet(Time(0), LINK, Packet::NewLeader { zxid, config });
    let next = at(2, 1);
    peer.handle_packet(Time(0), LINK, Packet::Proposal { zxid: next, entry });
    peer.log_synced(Time(0), next);
    assert_eq!(acknowledges(&save(&mut peer)), [zxid]);
    peer.handle_packet(Time(0), LINK, Packet::UpToDate);
    assert_eq!(acknowledges(&outputs(&mut peer)), [zxid, next]);
}

/// Who has been removed learns that with UPTODATE.
#[test]
fn who_is_removed_acknowledges_nothing_behind_newleader() {
    for (members, acknowledged) in [
        ("server.1=a:1:2\nserver.2=b:1:2", true),
        ("server.2=b:1:2\nserver.3=c:1:2", false),
    ] {
        let mut peer = agreed_member(at(1, 3), at(1, 7));
        promise(&mut peer, 2, LINK);
        let config = format!("{members}\nversion=100000007").into();
        let (zxid, next, entry) = (at(2, 0), at(2, 1), [].into());
        peer.handle_packet(Time(0), LINK, Packet::Diff(at(1, 7)));
        peer.handle_packet(Time(0), LINK, Packet::NewLeader { zxid, config });
        peer.handle_packet(Time(0), LINK, Packet::Proposal { zxid: next, entry });
        peer.log_synced(Time(0), next);
        save(&mut peer);
        peer.handle_packet(Time(0), LINK, Packet::UpToDate);
        let said = acknowledges(&outputs(&mut peer));
        assert_eq!(said.contains(&next), acknowledged, "{said:?}");
    }
}

/// What the leader says of a quorum does not depend on what this server has acknowledged.
#[test]
fn uptodate_may_come_before_newleader_is_acknowledged() {
    let mut peer = follower(at(1, 3), at(1, 7), 2, LINK);
    outputs(&mut peer);
    let (entry, config) = ([].into(), "".into());
    let (transaction, zxid) = (at(1, 8), at(2, 0));
    for packet in [
        Packet::Diff(at(1, 7)),
        Packet::Proposal {
            zxid: transaction,
            entry,
        },
        Packet::Commit(transaction),
        Packet::NewLeader { zxid, config },
        Packet::UpToDate,
    ] {
        peer.handle_packet(Time(0), LINK, packet);
    }
    let before = outputs(&mut peer);
    assert!(!looks(&before), "it goes on");
    assert_eq!(acknowledges(&before), []);
    peer.log_synced(Time(0), transaction);
    let after = save(&mut peer);
    assert_eq!(acknowledges(&after), [zxid, zxid]);
    let serves = |output: &Output| matches!(output, Output::Became(Part::Following { .. }));
    assert!(after.iter().any(serves));
    assert_eq!(peer.committed(), transaction);
}

/// One that waits to be filled promises nothing, and yet takes over no epoch before its own.
#[test]
fn who_is_being_filled_does_not_go_back_in_epochs() {
    for (epoch, goes_back) in [(1, false), (3, true)] {
        let mut peer = empty_in(Epoch(epoch));
        outputs(&mut peer);
        let said = said(&promise(&mut peer, 2, LINK));
        assert_eq!(said.is_empty(), goes_back, "{epoch}: {said:?}");
    }
}
