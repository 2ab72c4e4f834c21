//! Servers learn one by one that their leader is lost, and elect one after the other.

use super::*;

#[test]
fn whoever_has_been_elected_leads_though_it_has_heard_a_better_vote_since() {
    check(
        start(5, Standing::Normal),
        &[
            (
                Says(4, Looking, "1.5.4@1"),
                &[">2 1.5.4@1", ">3 1.5.4@1", ">4 1.5.4@1", ">5 1.5.4@1"],
            ),
            (Says(2, Following, "1.5.1@1"), &[]),
            (Says(3, Following, "1.5.1@1"), &["=1.5.1@1 by 1,2,3"]),
        ],
    );
}

#[test]
fn an_elector_goes_back_to_whom_it_has_elected() {
    let steps = |follows: &'static str| {
        [
            (
                Says(4, Looking, "1.5.4@1"),
                &[">2 1.5.4@1", ">3 1.5.4@1", ">4 1.5.4@1", ">5 1.5.4@1"] as &[&str],
            ),
            (Says(3, Following, follows), &[]),
        ]
    };
    let [first, second] = steps("1.5.2@1");
    let back = (Says(2, Leading, "1.5.2@1"), &["=1.5.2@1 by 1,2,3"] as &[_]);
    check(start(5, Standing::Normal), &[first, second, back]);
    // Nobody votes for less than it has.
    let [first, second] = steps("1.4.2@1");
    let back = (Says(2, Leading, "1.4.2@1"), &[] as &[_]);
    check(start(5, Standing::Normal), &[first, second, back]);
}

#[test]
fn whoever_comes_to_look_later_is_told_again_at_once() {
    check(
        start(5, Standing::Normal),
        &[
            (Says(2, Following, "1.4.5@7"), &[]),
            (Says(2, Looking, "1.4.2@1"), &[">2 1.5.1@1"]),
            (Says(2, Looking, "1.4.2@1"), &[]),
            // Also in a round that is over, and at once again.
            (Says(3, Looking, "1.4.3@0"), &[">3 1.5.1@1"]),
            (Says(3, Following, "1.4.5@7"), &[]),
            (Says(3, Looking, "1.4.3@0"), &[">3 1.5.1@1"]),
            (Says(3, Looking, "1.4.3@0"), &[]),
        ],
    );
}

#[test]
fn who_follows_since_a_round_that_is_over_is_known() {
    for (steps, expected) in [
        (&[] as &[_], false),
        (&[(Following, "1.5.1@1")], false),
        (&[(Following, "1.5.1@0")], true),
        (&[(Following, "1.5.1@0"), (Looking, "1.5.1@1")], false),
        (&[(Following, "1.5.3@0")], false),
    ] {
        let mut election = start(5, Standing::Normal);
        for (state, text) in steps {
            election.handle_notification(at(0), ServerId(2), &said(*state, text));
        }
        let known = election.is_followed_in_vain(ServerId(2));
        assert_eq!(known, expected, "{steps:?}");
    }
}
