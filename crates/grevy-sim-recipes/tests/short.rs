//! A short look at each recipe; `cargo xtask sim --recipes` goes on from here.

mod support;

use grevy_sim::counts::Counts;
use grevy_sim_recipes::{Options, Recipe, run};
use support::paused;

/// Runs of each recipe.
const RUNS: u64 = 3;

/// Runs start here, so that a failure can be had again.
const FIRST: u64 = 1;

/// No rule is broken, enough is done, and holders meet each fate.
fn holds(recipe: Recipe) {
    let mut total = Counts::default();
    let mut void = Vec::new();
    for seed in FIRST..FIRST + RUNS {
        println!("{recipe:?}, seed {seed}");
        let outcome = run(Options::draw(recipe, seed), paused);
        assert!(outcome.violations.is_empty(), "{}", outcome.failure());
        void.extend(outcome.void);
        total.add(&outcome.counts);
    }
    println!("{total}");
    assert!(void.len() * 2 <= RUNS as usize, "too little: {void:?}");
    let met = |fates: &[&str]| {
        let times = |fate: &&str| total.faults.get(*fate).copied().unwrap_or(0);
        fates.iter().map(times).sum::<u64>()
    };
    for fates in [
        ["killed", "holder killed"],
        ["cut off", "holder cut off"],
        ["paused", "holder paused"],
        ["connection reset", "holder's connection reset"],
    ] {
        assert!(met(&fates) > 0, "not once {fates:?}");
    }
}

macro_rules! recipes {
    ($($name:ident: $recipe:ident,)*) => {
        $(
            #[test]
            fn $name() {
                holds(Recipe::$recipe);
            }
        )*
        /// Every recipe has a test.
        #[test]
        fn all_recipes_are_tried() {
            assert_eq!(Recipe::ALL, [$(Recipe::$recipe),*]);
        }
    };
}

recipes! {
    locks_hold: Lock,
    reentrant_locks_hold: ReentrantLock,
    read_write_locks_hold: ReadWriteLock,
    semaphores_hold: Semaphore,
    leader_latches_hold: LeaderLatch,
    leader_selectors_hold: LeaderSelector,
    barriers_hold: Barrier,
    double_barriers_hold: DoubleBarrier,
    queues_hold: Queue,
    priority_queues_hold: PriorityQueue,
    atomic_values_hold: AtomicValue,
    counters_hold: Counter,
    groups_hold: Group,
    discovery_holds: Discovery,
    configurations_hold: Config,
    node_caches_hold: NodeCache,
    tree_caches_hold: TreeCache,
}

#[test]
fn a_seed_repeats_itself() {
    for recipe in [Recipe::Lock, Recipe::LeaderSelector, Recipe::TreeCache] {
        let outcome = |seed| run(Options::draw(recipe, seed), paused);
        let (first, second) = (outcome(3), outcome(3));
        assert_eq!(first.hash, second.hash, "{recipe:?}");
        assert_eq!(first.counts, second.counts, "{recipe:?}");
        assert_ne!(first.hash, outcome(4).hash, "{recipe:?}");
    }
}
