//! A run from its seed to its verdict.

use crate::options::Options;
use crate::scenes;
use crate::stage::Stage;
use grevy_sim::counts::Counts;
use grevy_sim::history::Violation;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

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
    pub void: Option<String>,
}

impl Outcome {
    /// The command that does it again.
    pub fn replay(&self) -> String {
        let Options {
            recipe, seed, bug, ..
        } = &self.options;
        let bug = bug.map_or(String::new(), |bug| format!(" --bug {}", bug.name()));
        format!(
            "cargo xtask sim --recipes --recipe {} --seed {seed}{bug}",
            recipe.name()
        )
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

/// Does a run and judges it. `runtime` makes a single-threaded tokio runtime with timers, whose
/// clock is paused (`start_paused`): nothing in a run may wait for real time to pass.
///
/// # Panics
///
/// If the runtime's clock is not paused, a run takes as long as it would.
pub fn run(options: Options, runtime: impl FnOnce() -> Runtime) -> Outcome {
    let options = Arc::new(options);
    let scene = scenes::of(&options);
    let runtime = runtime();
    let _inside = runtime.enter();
    let mut stage = Stage::new(options.clone(), scene.clone());
    let played = std::panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(stage.play());
    }));
    let mut counts = stage.world.ctx.counts.clone();
    let mut violations = stage.world.ctx.history.violations.clone();
    {
        let notes = stage.book.open();
        counts.add(&notes.counts);
        violations.extend(notes.violations.iter().cloned());
    }
    counts.simulated = Duration::from_micros(stage.world.ctx.schedule.now().0);
    if let Err(panic) = played {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        violations.push(Violation {
            property: "S5",
            what: format!("a panic: {}", text.unwrap_or_default()),
        });
    }
    let void = scene.needs().iter().find_map(|(what, least)| {
        let done = counts.of(what);
        (done < *least).then(|| format!("{what}: only {done}"))
    });
    let hash = stage.world.ctx.trace.hash();
    let options = options.as_ref().clone();
    Outcome {
        options,
        counts,
        hash,
        violations,
        void,
    }
}
