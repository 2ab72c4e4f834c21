//! A short look at many worlds; `cargo xtask sim` goes on from here.

use grevy_sim::counts::Counts;
use grevy_sim::ensemble::Ensemble;
use grevy_sim::options::{Faults, Quotas};
use grevy_sim::{Options, run};
use std::time::Duration;

/// Runs start here, so that a failure can be had again.
const FIRST: u64 = 1;

/// Runs so many worlds, none of which may break a rule.
fn worlds_hold(draw: fn(u64) -> Options, runs: u64) -> Counts {
    let mut total = Counts::default();
    let mut void = 0;
    for run_number in 0..runs {
        let outcome = run(draw(FIRST + run_number));
        assert!(outcome.violations.is_empty(), "{}", outcome.failure());
        void += u64::from(outcome.void.is_some());
        total.add(&outcome.counts);
    }
    println!("{total}");
    assert!(
        void * 2 < runs,
        "too little happened in {void} of {runs} runs"
    );
    total
}

fn assert_done(total: &Counts, done: &[&str], faults: &[&str]) {
    for what in done {
        assert!(total.of(what) > 0, "not once: {what}");
    }
    for kind in faults {
        assert!(total.faults.contains_key(kind), "not once: {kind}");
    }
}

#[test]
fn servers_hold() {
    // The numbers of servers that run alone.
    let total = worlds_hold(|n| Options::draw(4 * n), 12);
    assert_done(
        &total,
        &[
            "events",
            "sessions resumed",
            "starts",
            "snapshots",
            "logs rolled",
        ],
        &[
            "power cut at a disk operation",
            "link reset",
            "kill",
            "bit flip",
        ],
    );
    assert!(total.checked.contains_key("P9 quotas"));
}

#[test]
fn ensembles_hold() {
    let draw = |n| Options::draw(4 * (n / 3) + n % 3 + 1);
    let total = worlds_hold(draw, 12);
    assert_done(
        &total,
        &["events", "leaders", "notifications", "snapshots installed"],
        &["power cut", "kill of all", "isolated leader"],
    );
}

/// Ensembles with local sessions, and with observers behind followers.
#[test]
fn upgraded_sessions_and_relayed_histories_hold() {
    let draw = |seed| {
        let drawn = Options::ensemble(seed);
        let ensemble = drawn.ensemble.map(|ensemble| Ensemble {
            voters: 3,
            observers: 2,
            grouped: false,
            local_sessions: true,
            upgrades: true,
            masters: true,
            ..ensemble
        });
        Options { ensemble, ..drawn }
    };
    let total = worlds_hold(draw, 10);
    for what in [
        "local sessions",
        "local sessions resumed",
        "sessions upgraded",
        "upgraded sessions moved",
        "observers behind followers",
    ] {
        assert!(total.of(what) > 3, "{what}: only {}", total.of(what));
    }
}

/// Ensembles whose servers are mostly cut off from each other, and serve without a leader.
#[test]
fn what_is_read_without_a_leader_holds() {
    let draw = |seed| {
        let drawn = Options::ensemble(seed);
        let ensemble = drawn.ensemble.map(|ensemble| Ensemble {
            voters: 3,
            observers: 1,
            grouped: false,
            read_only: if seed % 3 == 0 { 0b101 } else { u16::MAX },
            ..ensemble
        });
        let faults = Faults {
            power: true,
            kill: true,
            partition: true,
            ..Faults::NONE
        };
        Options {
            ensemble,
            faults,
            clients: 8,
            duration: Duration::from_secs(60),
            timeout_ticks: 10,
            fault_every: 1_000,
            ..drawn
        }
    };
    let total = worlds_hold(draw, 10);
    for what in [
        "read-only times",
        "read-only sessions",
        "read-only clients back",
        "requests refused read-only",
    ] {
        assert!(total.of(what) > 3, "{what}: only {}", total.of(what));
    }
    assert!(total.checked.contains_key("P4 taken back"));
}

/// Ensembles whose servers refuse what a client may not do before they pass it on.
#[test]
fn what_is_refused_early_holds() {
    let draw = |seed| {
        let drawn = Options::ensemble(seed);
        let ensemble = drawn.ensemble.map(|ensemble| Ensemble {
            eager_acl_check: true,
            ..ensemble
        });
        Options { ensemble, ..drawn }
    };
    let total = worlds_hold(draw, 10);
    assert!(total.checked.contains_key("P10 screened"));
}

#[test]
fn a_seed_repeats_itself() {
    for seed in [3, 4, 5, 8] {
        let (first, second) = (run(Options::draw(seed)), run(Options::draw(seed)));
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert_eq!(first.counts, second.counts, "seed {seed}");
    }
    assert_ne!(run(Options::draw(3)).hash, run(Options::draw(4)).hash);
}

/// What a seed was before there were quotas, read-only mode and eager checks.
fn as_before(seed: u64) -> Options {
    let drawn = Options::ensemble(seed);
    let ensemble = drawn.ensemble.map(|ensemble| Ensemble {
        read_only: 0,
        eager_acl_check: false,
        ..ensemble
    });
    Options {
        ensemble,
        quotas: Quotas::None,
        ..drawn
    }
}

/// To the leader a follower and its observers are one learner. A client had moved from a follower
/// to an observer behind it, and what the follower still got on the old connection took effect
/// after what had come on the new one.
#[test]
fn a_session_that_moves_behind_its_follower_is_cut_off_there() {
    let outcome = run(as_before(1_795_685_093));
    assert!(outcome.violations.is_empty(), "{}", outcome.failure());
    assert!(outcome.counts.of("observers behind followers") > 0);
}

/// A client asked for more behind the end of its local session, and that took effect.
#[test]
fn nothing_follows_the_end_of_a_local_session() {
    let outcome = run(as_before(900_243));
    assert!(outcome.violations.is_empty(), "{}", outcome.failure());
    assert!(outcome.counts.of("local sessions") > 0);
}
