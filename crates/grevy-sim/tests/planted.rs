//! Each planted bug is found within a few seeds, and by a property that it breaks.

use grevy_sim::ensemble::Ensemble;
use grevy_sim::options::Faults;
use grevy_sim::{Bug, Options, run};
use std::time::Duration;

/// How many seeds a bug may hide from.
const SEEDS: u64 = 20;

/// What finds a bug first, with the seeds from 1 on.
fn found(bug: Bug, draw: fn(u64) -> Options) -> Option<&'static str> {
    (1..=SEEDS).find_map(|seed| {
        let outcome = run(Options {
            bug: Some(bug),
            ..draw(seed)
        });
        let first = outcome.violations.first();
        first.map(|violation| violation.property)
    })
}

fn check(bug: Bug, draw: fn(u64) -> Options, properties: &[&str]) {
    match found(bug, draw) {
        Some(property) => assert!(
            properties.contains(&property),
            "{bug:?} was found as {property}"
        ),
        None => panic!("{bug:?} was not found within {SEEDS} seeds"),
    }
}

const ALONE: &[(Bug, &[&str])] = &[
    (Bug::AckBeforeSync, &["P27", "P30"]),
    (Bug::EventAfterData, &["P13", "P15"]),
    (Bug::LosesEphemeral, &["P29", "P4", "P9", "P19"]),
    (Bug::KeepsEphemeral, &["P29", "P4", "P9", "P19"]),
    (Bug::LosesRecordOnRoll, &["P30"]),
    (Bug::ReadBeforeOwnWrite, &["P3", "P4"]),
    (Bug::WatchFiresTwice, &["P14"]),
    (Bug::ExpiresEarly, &["P17", "L2"]),
    (Bug::WrongStat, &["P4", "P10"]),
    (Bug::RepeatsReads, &["P4", "P5"]),
    (Bug::ForgetsQuotas, &["P9", "P6", "P10"]),
];

/// Those of ensembles; `tests/scenes.rs` has [`Bug::VotesWithoutHistory`],
/// [`Bug::EndsWithoutAWord`] and [`Bug::AcksWithoutVote`].
const ENSEMBLES: &[(Bug, &[&str])] = &[
    (Bug::AckBeforeSync, &["P27", "P28", "P30"]),
    (
        Bug::ForgetsTruncation,
        &["L3", "L4", "P12", "P22", "P23", "P27", "P29"],
    ),
    (Bug::EventAfterData, &["P13", "P15", "P16"]),
    (Bug::BelievesAcks, &["P28"]),
    (Bug::CountsTwice, &["P28"]),
    (Bug::SyncsHistoryLate, &["P25", "P27", "P28", "P29"]),
    (Bug::SavesEpochsLate, &["P25"]),
    (Bug::ForgetsEpochs, &["P25"]),
    (Bug::KeepsOldLog, &["P12", "P22", "P23", "P27", "P30"]),
    (Bug::ServesWithoutLeader, &["L4"]),
    (Bug::StealsSessions, &["P1", "P20"]),
    (Bug::AnswersSyncsEarly, &["P1", "P7", "P9", "P10", "P12"]),
    (Bug::ForgetsUpgrade, &["P19"]),
    (Bug::RelaysEarly, &["P28"]),
    (Bug::ServesAnybodyReadOnly, &["L4"]),
    (Bug::AcksReadOnly, &["P8", "P10"]),
];

/// Three servers that have little rest, for a short time.
fn brisk(seed: u64) -> Options {
    let drawn = Options::ensemble(seed);
    let ensemble = drawn.ensemble.map(|ensemble| Ensemble {
        voters: 3,
        observers: 0,
        grouped: false,
        commit_log: 3,
        changes: false,
        local_sessions: false,
        read_only: 0,
        ..ensemble
    });
    Options {
        ensemble,
        duration: Duration::from_secs(12),
        clients: 5,
        requests: 400,
        think: 60_000,
        fault_every: 400,
        sync_time: 5_000,
        faults: Faults {
            power: true,
            kill: true,
            partition: true,
            network: true,
            ..Faults::NONE
        },
        ..drawn
    }
}

/// The same, with clients that have no rest.
fn wandering(seed: u64) -> Options {
    Options {
        fault_every: 60,
        faults: Faults {
            network: true,
            ..Faults::NONE
        },
        requests: 2_000,
        think: 20_000,
        depth: 20,
        max_pending: 4,
        ..brisk(seed)
    }
}

/// The same, with connections that end before much of what was asked on them is committed.
fn restless(seed: u64) -> Options {
    Options {
        fault_every: 20,
        clients: 3,
        think: 10_000,
        sync_time: 60_000,
        ..wandering(seed)
    }
}

/// The same as [`brisk`], with local sessions that become the ensemble's.
fn upgrading(seed: u64) -> Options {
    let drawn = brisk(seed);
    let ensemble = drawn.ensemble.map(|ensemble| Ensemble {
        local_sessions: true,
        upgrades: true,
        ..ensemble
    });
    Options { ensemble, ..drawn }
}

/// The same as [`brisk`], with observers behind followers.
fn relaying(seed: u64) -> Options {
    let drawn = brisk(seed);
    let ensemble = drawn.ensemble.map(|ensemble| Ensemble {
        observers: 2,
        masters: true,
        ..ensemble
    });
    Options { ensemble, ..drawn }
}

/// The same as [`brisk`], with servers that serve without a leader.
fn leaderless(seed: u64) -> Options {
    let drawn = brisk(seed);
    let ensemble = drawn.ensemble.map(|ensemble| Ensemble {
        read_only: u16::MAX,
        ..ensemble
    });
    Options { ensemble, ..drawn }
}

#[test]
fn every_bug_of_a_server_is_found() {
    for (bug, properties) in ALONE {
        check(*bug, Options::alone, properties);
    }
}

/// What zxids would tell at once, the search finds without them.
#[test]
fn a_search_finds_what_was_read_again() {
    let draw = |seed| Options {
        believes_zxids: false,
        ..Options::alone(seed)
    };
    check(Bug::RepeatsReads, draw, &["P8"]);
}

#[test]
fn every_bug_of_an_ensemble_is_found() {
    for (bug, properties) in ENSEMBLES {
        let draw = match bug {
            Bug::StealsSessions => wandering,
            Bug::AnswersSyncsEarly => restless,
            Bug::ForgetsUpgrade => upgrading,
            Bug::RelaysEarly => relaying,
            Bug::ServesAnybodyReadOnly | Bug::AcksReadOnly => leaderless,
            _ => brisk,
        };
        check(*bug, draw, properties);
    }
    let listed = |bug: &Bug| {
        ALONE
            .iter()
            .chain(ENSEMBLES)
            .any(|(listed, _)| listed == bug)
    };
    let missing: Vec<&Bug> = Bug::ALL.iter().filter(|bug| !listed(bug)).collect();
    let in_scenes = [
        &Bug::VotesWithoutHistory,
        &Bug::EndsWithoutAWord,
        &Bug::AcksWithoutVote,
    ];
    assert_eq!(missing, in_scenes);
}
