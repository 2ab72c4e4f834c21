use crate::output::{LinkId, Output};
use crate::testing::{at, elected, introduce, outputs, warnings};
use crate::time::Time;
use core::time::Duration;

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
            told += warnings(&outputs).len();
            assert_ne!(hung_up(&outputs), Some(LinkId(link)));
            peer.link_lost(Time(0), LinkId(link));
        }
        assert_eq!(told, expected, "server {server}");
    }
}
