use crate::output::{LinkId, Output};
use crate::testing::{at, elected, introduce, introduce_from, outputs, save, warnings};
use crate::time::Time;
use core::time::Duration;
use grevy_proto::Epoch;
use grevy_proto::quorum::Packet;

const SECOND: Duration = Duration::from_secs(1);

fn hung_up(outputs: &[Output]) -> Option<LinkId> {
    outputs.iter().find_map(|output| match output {
        Output::Hangup { link, .. } => Some(*link),
        _ => None,
    })
}

#[test]
fn two_servers_of_one_number_do_not_take_each_others_place_for_ever() {
    let mut peer = elected(at(1, 3), at(1, 7));
    let mut now = Time(0);
    introduce(&mut peer, now, LinkId(0), 3);
    // It has lost its connection, and this server does not know.
    for link in 1..=3 {
        outputs(&mut peer);
        introduce(&mut peer, now, LinkId(link), 3);
        let outputs = outputs(&mut peer);
        assert_eq!(hung_up(&outputs), Some(LinkId(link - 1)));
        assert_eq!(warnings(&outputs), [] as [&str; 0]);
    }
    let mut told = 0;
    for link in 4..124 {
        now = now + SECOND;
        introduce(&mut peer, now, LinkId(link), 3);
        let outputs = outputs(&mut peer);
        assert_eq!(hung_up(&outputs), Some(LinkId(link)), "the first stays");
        for warning in warnings(&outputs) {
            told += 1;
            assert!(
                warning.contains("do two servers have the id 3?"),
                "{warning}"
            );
        }
    }
    assert_eq!(told, 2, "once a minute");
    // Once there is no other connection, whoever comes is let in.
    peer.link_lost(now, LinkId(3));
    outputs(&mut peer);
    introduce(&mut peer, now, LinkId(200), 3);
    assert_eq!(hung_up(&outputs(&mut peer)), None);
}

#[test]
fn strangers_are_let_in_and_named() {
    for (server, expected) in [(1, 0), (3, 0), (9, 1), (-1001, 0)] {
        let mut peer = elected(at(1, 3), at(1, 7));
        let mut told = 0;
        for link in 0..3 {
            introduce(&mut peer, Time(0), LinkId(link), server);
            let outputs = outputs(&mut peer);
            for warning in warnings(&outputs) {
                told += 1;
                for guess in ["about to be added", "was it removed", "belong elsewhere"] {
                    assert!(warning.contains(guess), "{warning}");
                }
            }
            assert_ne!(hung_up(&outputs), Some(LinkId(link)));
            peer.link_lost(Time(0), LinkId(link));
        }
        assert_eq!(told, expected, "server {server}");
    }
}

/// The epoch that server 2 leads in, once server 1 has come with the first.
#[test]
fn the_next_epoch_is_one_that_all_members_can_follow() {
    let last = Epoch::MAX;
    let before_last = Epoch(last.0 - 1);
    for (server, accepted, expected) in [
        (3, Epoch(5), Epoch(6)),
        (3, before_last, last),
        // Nobody could lead after that, and what follows would be negative.
        (3, last, Epoch(2)),
        (3, Epoch(u32::MAX), Epoch(2)),
        // In no configuration.
        (9, Epoch(5), Epoch(2)),
    ] {
        let mut peer = elected(at(1, 3), at(1, 7));
        let link = LinkId(3);
        introduce_from(&mut peer, Time(0), link, server, accepted.0);
        let mut told = save(&mut peer);
        assert_eq!(hung_up(&told).is_some(), accepted >= last, "{accepted:?}");
        introduce(&mut peer, Time(0), LinkId(1), 1);
        told.extend(save(&mut peer));
        let told = told.iter().find_map(|output| match output {
            Output::Send {
                packet: Packet::LeaderInfo(epoch),
                ..
            } => Some(*epoch),
            _ => None,
        });
        assert_eq!(told, Some(expected), "{server} {accepted:?}");
    }
}
