//! Scenes of ensembles, each with several seeds; and the same with a bug that they must show.

use grevy_sim::Bug;
use grevy_sim::scenes::{
    Loss, change_interrupted, counter_runs_out, lagging_and_damaged, leader_removed,
    rolling_restart,
};

const SEEDS: u64 = 3;

#[test]
fn who_lags_and_who_is_damaged_wait_for_the_third() {
    for loss in Loss::ALL {
        for seed in 1..=SEEDS {
            let outcome = lagging_and_damaged(seed, loss, None);
            let failure = outcome.failure();
            assert!(outcome.violations.is_empty(), "{loss:?} {failure}");
            assert!(outcome.counts.of("leaders") >= 2, "{loss:?} {failure}");
        }
    }
}

#[test]
fn a_vote_without_history_is_seen() {
    let found = (1..=SEEDS).any(|seed| {
        let bug = Some(Bug::VotesWithoutHistory);
        let outcome = lagging_and_damaged(seed, Loss::EmptiedAndKnown, bug);
        outcome.violations.iter().any(|v| v.property == "P26")
    });
    assert!(found);
}

#[test]
fn a_rolling_restart_fails_no_request() {
    for seed in 1..=SEEDS {
        let outcome = rolling_restart(seed, None);
        let failure = outcome.failure();
        assert!(outcome.violations.is_empty(), "{failure}");
        assert!(outcome.counts.of("orderly stops") >= 3, "{failure}");
    }
    // It depends on what clients ask for at that moment.
    let found = (1..=2 * SEEDS).any(|seed| {
        let outcome = rolling_restart(seed, Some(Bug::EndsWithoutAWord));
        outcome.violations.iter().any(|v| v.property == "L2")
    });
    assert!(found);
}

#[test]
fn the_end_of_an_epoch_ends_no_connection() {
    for seed in 1..=SEEDS {
        let outcome = counter_runs_out(seed);
        let failure = outcome.failure();
        assert!(outcome.violations.is_empty(), "{failure}");
        assert!(outcome.counts.of("epochs used up") >= 2, "{failure}");
    }
}

#[test]
fn a_removed_leader_hands_over_and_may_come_back() {
    for seed in 1..=SEEDS {
        let outcome = leader_removed(seed, None);
        let failure = outcome.failure();
        assert!(outcome.violations.is_empty(), "{failure}");
        assert!(outcome.counts.of("reconfigurations") >= 2, "{failure}");
    }
    let found = (1..=SEEDS).any(|seed| {
        let outcome = leader_removed(seed, Some(Bug::AcksWithoutVote));
        outcome.violations.iter().any(|v| v.property == "P31")
    });
    assert!(found);
}

#[test]
fn an_interrupted_change_leaves_one_configuration() {
    for seed in 1..=SEEDS {
        let outcome = change_interrupted(seed);
        assert!(outcome.violations.is_empty(), "{}", outcome.failure());
    }
}
