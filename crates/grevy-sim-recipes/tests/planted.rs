//! Each planted bug is found within a few seeds, and by a rule that it breaks.

mod support;

use grevy_sim_recipes::{Bug, Options, Recipe, run};
use support::paused;

/// How many seeds a bug may hide from.
const SEEDS: u64 = 20;

/// What finds a bug first, with the seeds from 1 on.
fn found(bug: Bug, recipe: Recipe) -> Option<&'static str> {
    (1..=SEEDS).find_map(|seed| {
        let options = Options {
            bug: Some(bug),
            ..Options::draw(recipe, seed)
        };
        let outcome = run(options, paused);
        let first = outcome.violations.first();
        first.map(|violation| violation.property)
    })
}

#[test]
fn every_bug_is_found() {
    for (bug, recipe) in Bug::ALL {
        let rules: &[&str] = match bug {
            Bug::TrustsThePredecessor | Bug::TakesAnyName => &["R1"],
            // Who holds nothing has nothing to lose with its connection either.
            Bug::CountsBeforeItLeases => &["R1", "R3"],
            Bug::BelievesOnReconnect => &["R3"],
            Bug::PassesAtAnyEvent => &["R8"],
            Bug::TakesWhatIsGone => &["R9"],
            Bug::CountsAgain => &["R10"],
            Bug::MissesWhatWasMissed => &["R12"],
        };
        let found = found(*bug, *recipe);
        assert!(
            found.is_some_and(|rule| rules.contains(&rule)),
            "{bug:?}: {found:?}"
        );
    }
}
