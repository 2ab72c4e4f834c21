//! Each planted bug is found within a few seeds, and by a property that it breaks.

use grevy_sim::{Bug, Options, run};

/// How many seeds a bug may hide from.
const SEEDS: u64 = 20;

#[test]
fn every_planted_bug_is_found() {
    for (bug, properties) in [
        (Bug::AckBeforeSync, &["P27", "P30"][..]),
        (Bug::EventAfterData, &["P13", "P15"]),
        (Bug::LosesEphemeral, &["P29", "P4", "P9", "P19"]),
        (Bug::KeepsEphemeral, &["P29", "P4", "P9", "P19"]),
        (Bug::LosesRecordOnRoll, &["P30"]),
        (Bug::ReadBeforeOwnWrite, &["P3", "P4"]),
        (Bug::WatchFiresTwice, &["P14"]),
        (Bug::ExpiresEarly, &["P17"]),
        (Bug::WrongStat, &["P4", "P10"]),
    ] {
        let found = (1..=SEEDS).find_map(|seed| {
            let outcome = run(Options {
                bug: Some(bug),
                ..Options::draw(seed)
            });
            outcome
                .violations
                .first()
                .map(|violation| violation.property)
        });
        match found {
            Some(property) => {
                assert!(
                    properties.contains(&property),
                    "{bug:?} was found as {property}"
                );
            }
            None => panic!("{bug:?} was not found within {SEEDS} seeds"),
        }
    }
    assert_eq!(Bug::ALL.len(), 9, "a bug is missing from the table");
}
