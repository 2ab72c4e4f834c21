//! A run from its seed to its verdict.

use crate::checkers;
use crate::counts::Counts;
use crate::history::Violation;
use crate::options::Options;
use crate::world::World;
use std::panic::AssertUnwindSafe;

/// What became of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How it was drawn.
    pub options: Options,
    /// What it did.
    pub counts: Counts,
    /// The trace's hash.
    pub hash: u64,
    /// Rules that were broken.
    pub violations: Vec<Violation>,
    /// Why it proves nothing, if so little happened.
    pub void: Option<&'static str>,
}

impl Outcome {
    /// The command that does it again.
    pub fn replay(&self) -> String {
        let bug = self
            .options
            .bug
            .map_or(String::new(), |bug| format!(" --bug {}", bug.name()));
        format!("cargo xtask sim --seed {}{bug}", self.options.seed)
    }

    /// What went wrong, for a person; the last line is the command that does it again.
    pub fn failure(&self) -> String {
        let mut text = format!("{:?}\n{}\n", self.options, self.counts);
        for violation in &self.violations {
            text += &format!("{} is broken: {}\n", violation.property, violation.what);
        }
        text + &self.replay()
    }
}

/// Does a run and judges it.
pub fn run(options: Options) -> Outcome {
    play(options, World::run)
}

/// Does what `scene` says, and judges it.
pub fn play(options: Options, scene: impl FnOnce(&mut World)) -> Outcome {
    let mut world = World::new(options.clone());
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| scene(&mut world)));
    let history = &mut world.ctx.history;
    let mut counts = world.ctx.counts.clone();
    let mut violations = history.violations.clone();
    if let Err(panic) = outcome {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        violations.push(Violation {
            property: "S5",
            what: format!("a panic: {}", text.unwrap_or_default()),
        });
    }
    if violations.is_empty() && options.believes_zxids {
        violations = checkers::check(history, options.digest, &mut counts);
    }
    if violations.is_empty() {
        violations = checkers::linearizable::check(history, &mut counts);
    }
    let void = match () {
        () if counts.of("replies") < 20 => Some("fewer than 20 requests succeeded"),
        () if counts.of("transactions") < 10 => Some("fewer than 10 transactions"),
        () => None,
    };
    Outcome {
        options,
        counts,
        hash: world.ctx.trace.hash(),
        violations,
        void,
    }
}
