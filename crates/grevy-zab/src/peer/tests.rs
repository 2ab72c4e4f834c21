use super::*;
use core::time::Duration;
use grevy_proto::election::Notification;

const MEMBERS: &str = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2";

fn start(id: i64) -> Peer {
    start_in(id, MEMBERS, Limits::default())
}

fn start_in(id: i64, members: &str, limits: Limits) -> Peer {
    let second = Duration::from_secs(1);
    let config = PeerConfig {
        id: ServerId(id),
        timing: Timing {
            tick: second,
            init: second * 10,
            sync: second * 5,
            connect: second * 10,
        },
        limits,
        election: ElectionConfig {
            min_interval: second,
            max_interval: second,
            finalize_wait: second,
            reconfig: false,
        },
        commit_log: 10,
        always_snapshot: false,
        read_log: true,
        reconfig: false,
    };
    let recovered = Recovered {
        last: Zxid(0),
        epochs: Epochs::default(),
        recent: Vec::new(),
        standing: Standing::Empty,
    };
    let members = Memberships::new(Membership::parse(members).unwrap());
    Peer::member(config, members, recovered, Time(0))
}

fn says(state: PeerState, leader: i64) -> Notification {
    Notification {
        state,
        leader: ServerId(leader),
        zxid: Zxid(0),
        round: 1,
        epoch: 0,
        version: 2,
        config: None,
    }
}

fn outputs(peer: &mut Peer) -> Vec<Output> {
    core::iter::from_fn(|| peer.poll()).collect()
}

/// Server 2, which server 1 has elected while nobody knew of server 3.
fn elected() -> Peer {
    let mut peer = start(2);
    peer.handle_peer(Time(0), ServerId(1), true);
    peer.handle_peer(Time(0), ServerId(3), false);
    peer.handle_notification(Time(0), ServerId(1), &says(PeerState::Looking, 2));
    peer
}

#[test]
fn whoever_is_elected_tells_all_voters() {
    let outputs = outputs(&mut elected());
    assert!(outputs.contains(&Output::Became(Part::PreparingToLead)));
    for voter in [1, 3] {
        let told = outputs.iter().any(|output| {
            matches!(output, Output::Notify { to, message }
                if *to == ServerId(voter) && message.state == PeerState::Leading)
        });
        assert!(told, "server {voter}");
    }
}

#[test]
fn whom_nobody_can_follow_any_more_gives_way_at_once() {
    let mut peer = elected();
    outputs(&mut peer);
    peer.handle_notification(Time(1), ServerId(3), &says(PeerState::Leading, 3));
    let one_is_left = outputs(&mut peer);
    assert!(!one_is_left.iter().any(|o| matches!(o, Output::Became(_))));
    peer.handle_notification(Time(1), ServerId(1), &says(PeerState::Following, 3));
    let looks = |output: &Output| matches!(output, Output::Became(Part::Looking { .. }));
    assert!(outputs(&mut peer).iter().any(looks));
}

#[test]
fn whom_an_elector_leaves_gives_way_at_once() {
    let mut peer = elected();
    outputs(&mut peer);
    let looks = |output: &Output| matches!(output, Output::Became(Part::Looking { .. }));
    // Of this round, it may be from before.
    peer.handle_notification(Time(1), ServerId(1), &says(PeerState::Looking, 1));
    assert!(!outputs(&mut peer).iter().any(looks));
    let later = Notification {
        round: 2,
        ..says(PeerState::Looking, 1)
    };
    peer.handle_notification(Time(1), ServerId(1), &later);
    assert!(outputs(&mut peer).iter().any(looks));
    // It has not forgotten what it was told as it led.
    assert_eq!(peer.round, 2);
}

#[test]
fn a_follower_remembers_who_looked_before_it() {
    for (since, connected, expected) in [(5, true, true), (6, true, false), (5, false, false)] {
        let mut peer = start(1);
        for (from, state) in [(2, PeerState::Following), (3, PeerState::Leading)] {
            peer.handle_notification(Time(0), ServerId(from), &says(state, 3));
        }
        let vote = Notification {
            round: 2,
            ..says(PeerState::Looking, 2)
        };
        peer.handle_notification(Time(0), ServerId(2), &vote);
        peer.handle_peer(Time(0), ServerId(2), connected);
        let now = Time(0) + Duration::from_secs(since);
        peer.handle_peer(now, ServerId(3), false);
        peer.dial_failed(now, ServerId(3));
        let elects = |output: &Output| matches!(output, Output::Dial { leader, .. } if *leader == ServerId(2));
        let outputs = outputs(&mut peer);
        assert_eq!(
            outputs.iter().any(elects),
            expected,
            "{since} s, {connected}"
        );
    }
}

#[test]
fn a_leader_that_is_gone_before_it_was_reached_is_not_waited_for() {
    for (lost, expected) in [(3, true), (2, false)] {
        let mut peer = start(1);
        for (from, state) in [(2, PeerState::Following), (3, PeerState::Leading)] {
            peer.handle_peer(Time(0), ServerId(from), true);
            peer.handle_notification(Time(0), ServerId(from), &says(state, 3));
        }
        let dials = |output: &Output| matches!(output, Output::Dial { leader, .. } if *leader == ServerId(3));
        assert!(outputs(&mut peer).iter().any(dials));
        peer.handle_peer(Time(1), ServerId(lost), false);
        let looks = |output: &Output| matches!(output, Output::Became(Part::Looking { .. }));
        assert_eq!(outputs(&mut peer).iter().any(looks), expected, "{lost}");
    }
}

#[test]
fn whoever_cannot_join_says_through_which_port() {
    let mut members = String::from("server.1=a:1:2:observer");
    for line in MEMBERS.lines().skip(1) {
        members.push_str(&format!("\n{line}"));
    }
    for (observer_masters, dialled, expected) in [
        (false, 3, "server 3 cannot be reached on its quorum port"),
        (
            true,
            2,
            "server 2 cannot be reached on its port for observers",
        ),
    ] {
        let limits = Limits {
            observer_masters,
            ..Limits::default()
        };
        let mut peer = start_in(1, &members, limits);
        for (from, state) in [(2, PeerState::Following), (3, PeerState::Leading)] {
            peer.handle_notification(Time(0), ServerId(from), &says(state, 3));
        }
        peer.dial_failed(Time(0), ServerId(dialled));
        let why = outputs(&mut peer)
            .into_iter()
            .find_map(|output| match output {
                Output::Became(Part::Looking { why }) => Some(why),
                _ => None,
            });
        assert_eq!(why.as_deref(), Some(expected));
    }
}

#[test]
fn who_waits_for_a_server_that_votes_for_another_is_sent_away() {
    for comes_first in [true, false] {
        let mut peer = start(1);
        let link = LinkId(1);
        if comes_first {
            peer.link_accepted(Time(0), link);
        }
        peer.handle_peer(Time(0), ServerId(2), true);
        let waits =
            |outputs: &[Output]| !outputs.iter().any(|o| matches!(o, Output::Hangup { .. }));
        assert!(waits(&outputs(&mut peer)));
        let mut better = says(PeerState::Looking, 3);
        better.round = 5;
        peer.handle_notification(Time(0), ServerId(2), &better);
        if !comes_first {
            peer.link_accepted(Time(0), link);
        }
        assert!(!waits(&outputs(&mut peer)));
    }
}

#[test]
fn whoever_cannot_join_tries_again_ever_more_seldom() {
    let mut peer = start(1);
    let mut now = Time(0);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        // Both others have a leader that sends this server away.
        for (from, state) in [(2, PeerState::Following), (3, PeerState::Leading)] {
            peer.handle_notification(now, ServerId(from), &says(state, 3));
        }
        let dials = |output: &Output| matches!(output, Output::Dial { .. });
        assert!(outputs(&mut peer).iter().any(dials));
        peer.link_dialled(now, LinkId(1));
        peer.link_lost(now, LinkId(1));
        let next = peer.next_timeout().unwrap();
        let is_paused = !matches!(peer.role, Role::Looking(_));
        pauses.push(if is_paused {
            (next - now).as_millis()
        } else {
            0
        });
        if is_paused {
            now = next;
            peer.handle_timeout(now);
        }
    }
    assert_eq!(
        pauses,
        [0, 0, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]
    );
}

/// It may be that nobody reaches it, and yet all hear it: the others do without it for a while.
#[test]
fn whoever_cannot_be_reached_twice_is_left_out_for_a_while() {
    let mut peer = start(1);
    let dials = |output: &Output| matches!(output, Output::Dial { .. });
    let votes = |output: &Output| match output {
        Output::Notify { message, .. } => Some(message.leader),
        _ => None,
    };
    let second = Duration::from_secs(1);
    let mut now = Time(0);
    for reached in [false, true, false, false] {
        for (from, state) in [(2, PeerState::Following), (3, PeerState::Leading)] {
            peer.handle_notification(now, ServerId(from), &says(state, 3));
        }
        assert!(outputs(&mut peer).iter().any(dials));
        now = now + second;
        match reached {
            true => {
                peer.link_dialled(now, LinkId(1));
                peer.link_lost(now, LinkId(1));
            }
            false => peer.dial_failed(now, ServerId(3)),
        }
        if let (Some(next), false) = (peer.next_timeout(), matches!(peer.role, Role::Looking(_))) {
            now = next;
            peer.handle_timeout(now);
        }
    }
    let (_, until) = peer.unreachable.left_out(now).unwrap();
    assert!(until > now + second * 3);
    outputs(&mut peer);
    for (from, state) in [(2, PeerState::Following), (3, PeerState::Leading)] {
        peer.handle_notification(now, ServerId(from), &says(state, 3));
    }
    let mut vote = says(PeerState::Looking, 3);
    vote.round = 20;
    peer.handle_notification(now, ServerId(3), &vote);
    let said = outputs(&mut peer);
    assert!(!said.iter().any(dials));
    assert_eq!(said.iter().filter_map(votes).next_back(), Some(ServerId(1)));

    while let Some(next) = peer.next_timeout().filter(|next| *next <= until) {
        peer.handle_timeout(next);
    }
    let said = outputs(&mut peer);
    assert_eq!(said.iter().filter_map(votes).next_back(), Some(ServerId(3)));
}

/// Who is in no configuration is a follower already. It goes on if it gets a vote, and joins anew
/// to observe.
#[test]
fn who_waits_for_a_place_takes_the_one_that_it_gets() {
    use crate::testing::{at, follower, save};

    const LINK: LinkId = LinkId(7);
    let without = "server.2=b:1:2\nserver.3=c:1:2";
    for (line, joins_anew) in [
        ("server.1=a:1:2:observer", true),
        ("server.1=a:1:2:participant", false),
        ("server.4=d:1:2:observer", false),
    ] {
        let mut peer = follower(at(1, 3), at(1, 7), 2, LINK);
        let config = format!("{without}\nversion=100000001").into();
        let zxid = at(2, 0);
        peer.handle_packet(Time(0), LINK, Packet::Diff(at(1, 7)));
        peer.handle_packet(Time(0), LINK, Packet::NewLeader { zxid, config });
        save(&mut peer);
        peer.handle_packet(Time(0), LINK, Packet::UpToDate);
        outputs(&mut peer);
        peer.handle_notification(Time(0), ServerId(2), &says(PeerState::Looking, 2));
        let said = outputs(&mut peer);
        let follows = |output: &Output| match output {
            Output::Notify { message, .. } => message.state == PeerState::Following,
            _ => false,
        };
        assert!(said.iter().any(follows), "its vote may be needed: {said:?}");
        let (zxid, entry) = (at(2, 1), [].into());
        peer.handle_packet(Time(0), LINK, Packet::Proposal { zxid, entry });
        let next = format!("{without}\n{line}\nversion=200000001");
        let next = Membership::parse(&next).unwrap();
        peer.configuration_proposed(Time(0), next.into());
        outputs(&mut peer);
        let leader = ServerId(2);
        peer.handle_packet(Time(0), LINK, Packet::CommitAndActivate { zxid, leader });
        let looks = |output: &Output| matches!(output, Output::Became(Part::Looking { .. }));
        assert_eq!(outputs(&mut peer).iter().any(looks), joins_anew, "{line}");
    }
}
