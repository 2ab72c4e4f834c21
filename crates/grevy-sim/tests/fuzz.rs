//! The fuzz targets on random and spoiled inputs; `fuzz/` goes on with coverage.

use grevy_sim::fuzz::{TARGETS, inputs, mutate};
use grevy_sim::random::Random;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Inputs of each target.
const INPUTS: u64 = 1500;

#[test]
fn no_input_panics() {
    for (name, target) in TARGETS {
        for seed in 0..INPUTS {
            let mut random = Random::new(seed);
            let valid = inputs(name, &mut random);
            let mut input = match valid.is_empty() {
                true => Vec::new(),
                false => random.pick(&valid).clone(),
            };
            if seed > 0 {
                mutate(&mut input, &mut random);
            }
            let done = catch_unwind(AssertUnwindSafe(|| target(&input)));
            assert!(
                done.is_ok(),
                "target {name}, seed {seed}, input {input:02x?}"
            );
        }
    }
}
