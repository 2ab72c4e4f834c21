use crate::common::Epochs;
use crate::output::{LinkId, Output, Part};
use crate::peer::Peer;
use crate::testing::{at, elect, introduce_from, member_of, outputs, says, warnings};
use crate::time::Time;
use alloc::vec::Vec;
use core::time::Duration;
use grevy_proto::election::PeerState;
use grevy_proto::{Epoch, ServerId, Zxid};

/// Server 2 of three, whose data is of epoch 9, elected by server 1.
fn of_epoch_9() -> Peer {
    let mut peer = member_of(2, at(9, 3), at(9, 7), Epoch(9));
    elect(&mut peer, 1);
    peer
}

fn promises(outputs: &[Output]) -> bool {
    outputs
        .iter()
        .any(|output| matches!(output, Output::SaveEpochs { .. }))
}

fn looks(outputs: &[Output]) -> bool {
    outputs
        .iter()
        .any(|output| matches!(output, Output::Became(Part::Looking { .. })))
}

#[test]
fn a_history_of_an_epoch_that_nobody_knows_of_does_not_lead() {
    let mut peer = of_epoch_9();
    introduce_from(&mut peer, Time(0), LinkId(1), 1, 4);
    let first = outputs(&mut peer);
    assert!(
        !promises(&first) && !looks(&first),
        "server 3 may know of it"
    );
    introduce_from(&mut peer, Time(0), LinkId(3), 3, 4);
    let second = outputs(&mut peer);
    assert!(looks(&second) && !promises(&second));
    let told = warnings(&second);
    assert!(
        told.iter().any(|text| text.contains("of epoch 9")),
        "{told:?}"
    );
    // Nobody takes its vote for one from now on, Java servers included.
    let votes: Vec<_> = second
        .iter()
        .filter_map(|output| match output {
            Output::Notify { message, .. } if message.state == PeerState::Looking => Some(message),
            _ => None,
        })
        .collect();
    assert!(!votes.is_empty());
    assert!(
        votes
            .iter()
            .all(|vote| vote.zxid == Zxid(-1) && vote.leader != ServerId(2))
    );
}

/// It would keep what has the same zxids, of whatever ensemble.
#[test]
fn it_follows_nobody_either() {
    let mut peer = of_epoch_9();
    introduce_from(&mut peer, Time(0), LinkId(1), 1, 4);
    introduce_from(&mut peer, Time(0), LinkId(3), 3, 4);
    assert!(looks(&outputs(&mut peer)));
    let mut now = Time(0);
    for _ in 0..3 {
        for (from, state) in [(1, PeerState::Following), (3, PeerState::Leading)] {
            peer.handle_notification(now, ServerId(from), &says(state, 3, at(4, 7)));
        }
        let outputs = outputs(&mut peer);
        let dials = |output: &Output| matches!(output, Output::Dial { .. });
        assert!(!outputs.iter().any(dials) && peer.is_refuted());
        now = peer.next_timeout().expect("it looks again");
        peer.handle_timeout(now);
    }
}

#[test]
fn whoever_was_away_does_not_refute_an_epoch() {
    // Server 3 has promised it, or has promised nothing yet.
    for epoch in [9, 0] {
        let mut peer = of_epoch_9();
        introduce_from(&mut peer, Time(0), LinkId(1), 1, 4);
        assert!(!promises(&outputs(&mut peer)));
        introduce_from(&mut peer, Time(0), LinkId(3), 3, epoch);
        assert!(promises(&outputs(&mut peer)), "{epoch}");
    }
}

/// Server 1 knows nothing of the epoch and server 3 does not come: when it is promised all the same.
fn promised_in_doubt() -> (Peer, Time) {
    let mut peer = of_epoch_9();
    introduce_from(&mut peer, Time(0), LinkId(1), 1, 4);
    let mut now = Time(0);
    while !promises(&outputs(&mut peer)) {
        now = peer.next_timeout().unwrap();
        assert!(now <= Time(0) + Duration::from_secs(5));
        peer.handle_timeout(now);
    }
    (peer, now)
}

#[test]
fn who_does_not_come_is_waited_for_half_of_the_time_that_there_is() {
    let (_, now) = promised_in_doubt();
    assert_eq!(now, Time(0) + Duration::from_secs(5));
}

#[test]
fn nobody_is_waited_for_when_nothing_is_in_doubt() {
    for epoch in [9, 10, 0] {
        let mut peer = of_epoch_9();
        introduce_from(&mut peer, Time(0), LinkId(1), 1, epoch);
        assert!(promises(&outputs(&mut peer)), "{epoch}");
    }
}

/// What it had them promise says nothing about its own data.
#[test]
fn promises_to_the_leader_itself_are_no_evidence() {
    let (mut peer, mut now) = promised_in_doubt();
    let (accepted, current) = (Epoch(10), Epoch(9));
    peer.epochs_saved(now, Epochs { accepted, current });
    // Nobody follows in time; then it is elected again, and the third one is there.
    let vote = loop {
        now = peer.next_timeout().unwrap();
        peer.handle_timeout(now);
        let vote = outputs(&mut peer)
            .into_iter()
            .find_map(|output| match output {
                Output::Notify { message, .. } => Some(message),
                _ => None,
            });
        if let Some(vote) = vote {
            break vote;
        }
    };
    peer.handle_notification(now, ServerId(1), &vote);
    let is_elected = |output: &Output| matches!(output, Output::Became(Part::PreparingToLead));
    assert!(outputs(&mut peer).iter().any(is_elected));
    introduce_from(&mut peer, now, LinkId(2), 1, 10);
    introduce_from(&mut peer, now, LinkId(3), 3, 4);
    let last = outputs(&mut peer);
    assert!(looks(&last) && !promises(&last) && peer.is_refuted());
}
