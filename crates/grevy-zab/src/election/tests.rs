//! One election at one server, told what the others say.

mod one_by_one;

use super::*;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

const CONFIG: ElectionConfig = ElectionConfig {
    min_interval: Duration::from_millis(300),
    max_interval: Duration::from_millis(1000),
    finalize_wait: Duration::from_millis(200),
    reconfig: true,
};

fn at(ms: u64) -> Time {
    Time(ms * 1000)
}

fn members(voters: i64) -> Memberships {
    let mut text = String::new();
    for id in 1..=voters {
        let _ = writeln!(text, "server.{id}=s{id}:1:2");
    }
    text += "server.9=s9:1:2:observer";
    Memberships::new(Membership::parse(&text).unwrap())
}

/// `epoch.zxid.leader@round`
fn vote(text: &str) -> Vote {
    let numbers: Vec<i64> = text.split(['.', '@']).map(|n| n.parse().unwrap()).collect();
    let [epoch, zxid, leader, round] = numbers[..] else {
        panic!("{text}")
    };
    Vote {
        leader: ServerId(leader),
        zxid: Zxid(zxid),
        round,
        epoch,
    }
}

fn said(state: PeerState, text: &str) -> Notification {
    let vote = vote(text);
    Notification {
        state,
        leader: vote.leader,
        zxid: vote.zxid,
        round: vote.round,
        epoch: vote.epoch,
        version: 2,
        config: None,
    }
}

/// Server 1 of `voters`, at epoch 1 and zxid 5, after no round.
fn start(voters: i64, standing: Standing) -> Election {
    let (zxid, epoch) = match standing {
        Standing::Normal => (Zxid(5), 1),
        _ => (Zxid(0), 0),
    };
    let candidate = Candidate {
        id: ServerId(1),
        zxid,
        epoch,
        standing,
    };
    Election::start(at(0), candidate, members(voters), 0, CONFIG)
}

/// What came out: `>2 1.5.1@1` for a vote sent, `=1.5.1@1 by 1,2` for the end.
fn outputs(election: &mut Election) -> Vec<String> {
    let text = |vote: &Vote| {
        let Vote {
            leader,
            zxid,
            round,
            epoch,
        } = vote;
        match leader.0 {
            i64::MIN => alloc::format!("none@{round}"),
            leader => alloc::format!("{epoch}.{}.{leader}@{round}", zxid.0),
        }
    };
    core::iter::from_fn(|| election.poll())
        .map(|output| match output {
            ElectionOutput::Send { to, vote } => alloc::format!(">{} {}", to.0, text(&vote)),
            ElectionOutput::DialAll => "dial".to_string(),
            ElectionOutput::NewConfiguration {
                membership,
                restart,
            } => alloc::format!("version {} restart {restart}", membership.version),
            ElectionOutput::Elected {
                vote,
                supporters,
                established_elsewhere,
            } => {
                let by: Vec<String> = supporters.iter().map(|id| id.0.to_string()).collect();
                let how = if established_elsewhere {
                    " elsewhere"
                } else {
                    ""
                };
                alloc::format!("={} by {}{how}", text(&vote), by.join(","))
            }
        })
        .collect()
}

enum Step {
    /// That server says this.
    Says(i64, PeerState, &'static str),
    /// Connected or not.
    Peer(i64, bool),
    /// Then it is so many ms since the start.
    At(u64),
}
use PeerState::{Following, Leading, Looking, Observing};
use Step::{At, Peer as Link, Says};

/// Takes each step and compares what comes out of it.
fn check(mut election: Election, steps: &[(Step, &[&str])]) -> Election {
    let mut now = at(0);
    outputs(&mut election);
    for (i, (step, expected)) in steps.iter().enumerate() {
        match *step {
            Says(from, state, text) => {
                election.handle_notification(now, ServerId(from), &said(state, text));
            }
            Link(server, up) => election.handle_peer(now, ServerId(server), up),
            At(ms) => {
                now = at(ms);
                election.handle_timeout(now);
            }
        }
        assert_eq!(outputs(&mut election), *expected, "step {i}");
    }
    election
}

#[test]
fn one_voter_elects_itself_at_once() {
    let mut alone = start(1, Standing::Normal);
    assert_eq!(outputs(&mut alone), ["=1.5.1@1 by 1"]);
    assert_eq!((alone.next_timeout(), alone.round()), (None, 1));
}

#[test]
fn a_better_vote_is_taken_over_and_a_worse_one_is_not() {
    assert_eq!(
        outputs(&mut start(3, Standing::Normal)),
        [">2 1.5.1@1", ">3 1.5.1@1"]
    );
    check(
        start(3, Standing::Normal),
        &[
            (Says(2, Looking, "1.4.2@1"), &[]),
            (
                Says(3, Looking, "1.5.3@1"),
                &[">2 1.5.3@1", ">3 1.5.3@1", "=1.5.3@1 by 1,3"],
            ),
        ],
    );
}

#[test]
fn with_a_quorum_it_waits_for_those_alone_that_may_send_a_better_vote() {
    let quorum = || (Says(2, Looking, "1.5.1@1"), &[] as &[&str]);
    let end: &[&str] = &["=1.5.1@1 by 1,2"];
    // Nothing is known of server 3: it may.
    let steps = [quorum(), (At(199), &[]), (At(200), end)];
    assert_eq!(
        check(start(3, Standing::Normal), &steps).next_timeout(),
        None
    );
    let with_3 = |step: Step| {
        check(
            start(3, Standing::Normal),
            &[(step, &[]), (quorum().0, end)],
        )
    };
    with_3(Link(3, false));
    with_3(Says(3, Looking, "1.4.3@1"));
    with_3(Says(3, Following, "0.1.2@7"));
    with_3(Says(3, Looking, "0.-1.3@1"));
    check(
        start(3, Standing::Normal),
        &[
            (Link(3, true), &[">3 1.5.1@1"]),
            quorum(),
            (Link(3, false), end),
        ],
    );
    // It does.
    check(
        start(3, Standing::Normal),
        &[
            quorum(),
            (
                Says(3, Looking, "1.9.3@1"),
                &[">2 1.9.3@1", ">3 1.9.3@1", "=1.9.3@1 by 1,3"],
            ),
        ],
    );
    // It does, but with the other's vote the quorum is gone.
    check(
        start(5, Standing::Normal),
        &[
            (Says(2, Looking, "1.5.1@1"), &[]),
            (Says(3, Looking, "1.5.1@1"), &[]),
            (
                Says(2, Looking, "1.9.4@1"),
                &[">2 1.9.4@1", ">3 1.9.4@1", ">4 1.9.4@1", ">5 1.9.4@1"],
            ),
            (At(200), &[]),
        ],
    );
}

#[test]
fn rounds() {
    check(
        start(3, Standing::Normal),
        &[
            // A later round with a worse vote: own one again.
            (Says(2, Looking, "1.4.2@4"), &[">2 1.5.1@4", ">3 1.5.1@4"]),
            // An earlier one: corrected, though not twice at once.
            (Says(3, Looking, "1.9.3@3"), &[">3 1.5.1@4"]),
            (Says(3, Looking, "1.9.3@3"), &[]),
            (At(49), &[]),
            (Says(3, Looking, "1.9.3@2"), &[]),
            (At(50), &[]),
            (Says(3, Looking, "1.9.3@2"), &[">3 1.5.1@4"]),
            // A later one with a better vote.
            (Says(3, Looking, "1.9.3@5"), &[">2 1.9.3@5", ">3 1.9.3@5"]),
        ],
    );
    // Votes of the earlier round are gone.
    let election = check(
        start(5, Standing::Normal),
        &[
            (Says(2, Looking, "1.4.2@1"), &[]),
            (Says(3, Looking, "1.5.1@1"), &[]),
            (
                Says(4, Looking, "0.0.4@2"),
                &[">2 1.5.1@2", ">3 1.5.1@2", ">4 1.5.1@2", ">5 1.5.1@2"],
            ),
            (Says(5, Looking, "1.5.1@2"), &[]),
            (At(250), &[]),
        ],
    );
    assert_eq!(election.round(), 2);
}

#[test]
fn the_vote_is_sent_again_ever_more_slowly() {
    let all = ["dial", ">2 1.5.1@1", ">3 1.5.1@1"];
    let again: &[&str] = &[all[1], all[2], all[0]];
    let mut election = check(
        start(3, Standing::Normal),
        &[
            (At(299), &[]),
            (At(300), again),
            (At(899), &[]),
            (At(900), again),
            (At(1900), again),
            (At(2899), &[]),
            (Link(2, true), &all[1..2]),
            (At(2900), &all[1..]),
        ],
    );
    assert_eq!(election.next_timeout(), Some(at(3900)));
    election.handle_peer(at(2900), ServerId(9), true);
    assert_eq!(election.poll(), None);
}

#[test]
fn strangers_are_answered_and_not_counted() {
    check(
        start(3, Standing::Normal),
        &[
            (Says(9, Looking, "7.9.2@7"), &[">9 1.5.1@1"]),
            (Says(8, Looking, "7.9.2@7"), &[">8 1.5.1@1"]),
            (Says(8, Leading, "7.9.8@7"), &[]),
            (Says(2, Looking, "7.9.9@1"), &[]),
            (Says(2, Leading, "7.9.9@1"), &[]),
            (Says(2, Observing, "7.9.2@1"), &[]),
            (Says(1, Leading, "7.9.1@1"), &[]),
        ],
    );
}

#[test]
fn a_leader_of_long_ago_is_joined_when_a_quorum_has_it() {
    let found: &[&str] = &["=2.7.3@8 by 2,3 elsewhere"];
    let election = check(
        start(3, Standing::Normal),
        &[
            (Says(2, Following, "2.7.3@6"), &[]),
            (Says(3, Leading, "2.7.3@8"), found),
        ],
    );
    assert_eq!(election.round(), 8);
    // Zxids and rounds do not matter, epochs do (ZOOKEEPER-1732, ZOOKEEPER-1805).
    let joins = |second: &'static str, expected: &[&str]| {
        check(
            start(3, Standing::Normal),
            &[
                (Says(3, Leading, "2.7.3@8"), &[]),
                (Says(2, Following, second), expected),
            ],
        );
    };
    joins("2.4.3@5", &["=2.4.3@5 by 2,3 elsewhere"]);
    joins("1.7.3@8", &[]);
    joins("2.7.2@8", &[]);
    // A quorum that follows, but no word from the leader.
    check(
        start(5, Standing::Normal),
        &[
            (Says(2, Following, "2.7.5@8"), &[]),
            (Says(3, Following, "2.7.5@8"), &[]),
            (Says(4, Following, "2.7.5@8"), &[]),
            (Says(5, Following, "2.7.5@8"), &[]),
            (
                Says(5, Leading, "2.7.5@8"),
                &["=2.7.5@8 by 2,3,4,5 elsewhere"],
            ),
        ],
    );
    // One that looked for a leader since does not follow.
    check(
        start(3, Standing::Normal),
        &[
            (Says(2, Following, "2.7.3@6"), &[]),
            (Says(2, Looking, "1.4.2@1"), &[">2 1.5.1@1"]),
            (Says(3, Leading, "2.7.3@8"), &[]),
        ],
    );
}

#[test]
fn a_leader_of_this_round_is_joined_with_the_own_vote() {
    check(
        start(5, Standing::Normal),
        &[
            (
                Says(3, Looking, "1.9.2@1"),
                &[">2 1.9.2@1", ">3 1.9.2@1", ">4 1.9.2@1", ">5 1.9.2@1"],
            ),
            (Says(2, Leading, "1.9.2@1"), &["=1.9.2@1 by 1,2,3"]),
        ],
    );
}

#[test]
fn followers_of_this_server_in_this_round_make_it_lead() {
    check(
        start(3, Standing::Normal),
        &[
            (Says(2, Following, "1.5.1@2"), &[]),
            (Says(2, Following, "1.5.1@1"), &["=1.5.1@1 by 1,2"]),
        ],
    );
}

#[test]
fn who_abstains_follows_a_leader_of_the_others_and_nothing_else() {
    assert_eq!(
        outputs(&mut start(3, Standing::Abstaining)),
        [">2 none@1", ">3 none@1"]
    );
    let election = check(
        start(3, Standing::Abstaining),
        &[
            (Says(2, Looking, "1.5.2@4"), &[]),
            (Says(3, Looking, "1.5.2@4"), &[]),
            (Says(2, Following, "1.5.1@1"), &[]),
            (Says(3, Following, "1.5.1@1"), &[]),
            (Says(3, Following, "1.5.2@1"), &[]),
            (At(299), &[]),
            (Says(2, Leading, "1.5.2@1"), &["=1.5.2@1 by 2,3 elsewhere"]),
        ],
    );
    assert_eq!(election.standing(), Standing::Abstaining);
}

#[test]
fn who_is_empty_votes_until_it_hears_of_history() {
    let election = check(
        start(3, Standing::Empty),
        &[
            (Link(3, false), &[]),
            (
                Says(2, Looking, "0.0.2@1"),
                &[">2 0.0.2@1", ">3 0.0.2@1", "=0.0.2@1 by 1,2"],
            ),
        ],
    );
    assert_eq!(election.standing(), Standing::Empty);
    for (state, text) in [
        (Looking, "0.7.2@1"),
        (Looking, "1.0.2@1"),
        (Following, "1.0.3@7"),
        (Leading, "0.7.2@1"),
    ] {
        let election = check(
            start(3, Standing::Empty),
            &[
                (Says(9, Looking, "1.7.2@1"), &[">9 0.0.1@1"]),
                (Says(3, Looking, "0.0.1@0"), &[">3 0.0.1@1"]),
                (Says(2, state, text), &[">2 none@1", ">3 none@1"]),
                (Says(3, Looking, "0.7.2@1"), &[]),
                (At(200), &[]),
            ],
        );
        assert_eq!(election.standing(), Standing::Abstaining);
    }
}

#[test]
fn an_observer_finds_the_leader_without_a_vote() {
    let start = || {
        let candidate = Candidate {
            id: ServerId(9),
            zxid: Zxid(50),
            epoch: 3,
            standing: Standing::Normal,
        };
        Election::start(at(0), candidate, members(3), 0, CONFIG)
    };
    assert_eq!(
        outputs(&mut start()),
        [">1 none@1", ">2 none@1", ">3 none@1"]
    );
    check(
        start(),
        &[
            (
                Says(1, Looking, "1.5.1@2"),
                &[">1 1.5.1@2", ">2 1.5.1@2", ">3 1.5.1@2"],
            ),
            (Says(2, Leading, "2.7.2@8"), &[]),
            (
                Says(3, Following, "2.7.2@8"),
                &["=2.7.2@8 by 2,3 elsewhere"],
            ),
        ],
    );
}

/// Whoever is to get a vote by what is proposed is needed by voters that know of it, and does not
/// know of it itself. Its round may be ahead, as a configuration that it heard of has ended one
/// election here.
#[test]
fn who_does_not_vote_takes_up_the_round_of_those_who_do() {
    for id in [7, 9] {
        let candidate = Candidate {
            id: ServerId(id),
            zxid: Zxid(0),
            epoch: 0,
            standing: Standing::Normal,
        };
        let started = Election::start(at(0), candidate, members(3), 4, CONFIG);
        check(
            started,
            &[
                (
                    Says(1, Looking, "1.5.1@2"),
                    &[">1 1.5.1@2", ">2 1.5.1@2", ">3 1.5.1@2"],
                ),
                // Not back again, once there are votes that count together.
                (Says(2, Looking, "1.9.2@1"), &[]),
                (
                    Says(2, Looking, "1.9.2@3"),
                    &[">1 1.9.2@3", ">2 1.9.2@3", ">3 1.9.2@3"],
                ),
            ],
        );
    }
    // Who abstains takes no part in any.
    let abstaining = start(3, Standing::Abstaining);
    let election = check(abstaining, &[(Says(2, Looking, "1.9.2@0"), &[])]);
    assert_eq!(election.round(), 1);
}

#[test]
fn who_weighs_nothing_is_not_elected() {
    let text = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\ngroup.1=1:2:3\nweight.3=0";
    let candidate = Candidate {
        id: ServerId(1),
        zxid: Zxid(5),
        epoch: 1,
        standing: Standing::Normal,
    };
    let members = Memberships::new(Membership::parse(text).unwrap());
    check(
        Election::start(at(0), candidate, members, 0, CONFIG),
        &[
            (Says(3, Looking, "1.9.3@1"), &[]),
            (
                Says(2, Looking, "1.6.2@1"),
                &[">2 1.6.2@1", ">3 1.6.2@1", "=1.6.2@1 by 1,2"],
            ),
        ],
    );
}

#[test]
fn both_memberships_must_agree() {
    let mut members = members(3);
    members.propose(
        Membership::parse("server.1=a:1:2\nserver.4=b:1:2\nserver.5=c:1:2\nversion=7").unwrap(),
    );
    let candidate = start(3, Standing::Normal).candidate;
    check(
        Election::start(at(0), candidate, members, 0, CONFIG),
        &[
            (Says(2, Looking, "1.5.1@1"), &[]),
            (Says(3, Looking, "1.5.1@1"), &[]),
            (At(250), &[]),
            (Says(4, Looking, "1.5.1@1"), &[]),
            (Link(5, false), &["=1.5.1@1 by 1,2,3,4"]),
        ],
    );
}

#[test]
fn a_leader_is_joined_that_does_not_know_of_what_was_proposed() {
    let mut members = members(3);
    members.propose(
        Membership::parse("server.1=a:1:2\nserver.4=b:1:2\nserver.5=c:1:2\nversion=7").unwrap(),
    );
    let candidate = start(3, Standing::Normal).candidate;
    check(
        Election::start(at(0), candidate, members, 0, CONFIG),
        &[
            (Says(2, Following, "2.6.3@4"), &[]),
            (Says(3, Leading, "2.6.3@4"), &["=2.6.3@4 by 2,3 elsewhere"]),
        ],
    );
}

#[test]
fn a_newer_configuration_ends_the_election_if_it_changes_anything() {
    let hear = |config: ElectionConfig, text: &str| {
        let candidate = start(3, Standing::Normal).candidate;
        let mut election = Election::start(at(0), candidate, members(3), 0, config);
        outputs(&mut election);
        let mut notification = said(Looking, "1.4.2@1");
        notification.config = Some(text.into());
        election.handle_notification(at(0), ServerId(2), &notification);
        let over = election.next_timeout().is_none();
        (outputs(&mut election), over)
    };
    let same = alloc::format!("{}7", members(3).committed());
    let other = "server.1=a:1:2\nserver.2=b:1:2\nversion=7";
    let off = ElectionConfig {
        reconfig: false,
        ..CONFIG
    };
    for (config, text, expected, over) in [
        (CONFIG, other, &["version 7 restart true"][..], true),
        (CONFIG, &same, &["version 7 restart false"], false),
        (CONFIG, "server.1=a:1:2\nversion=0", &[], false),
        (CONFIG, "version=7", &[], false),
        (CONFIG, "server.x=a:1:2\nversion=7", &[], false),
        (off, other, &[], false),
    ] {
        let (outputs, is_over) = hear(config, text);
        assert_eq!(
            (outputs.iter().map(String::as_str).collect(), is_over),
            (expected.to_vec(), over),
            "{text}"
        );
    }
}
