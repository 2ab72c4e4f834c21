//! Scenes of ensembles, each with several seeds; and the same with a bug that they must show.

use grevy_sim::Bug;
use grevy_sim::scenes::{Loss, lagging_and_damaged};

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
