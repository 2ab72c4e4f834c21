//! `cargo xtask sim`: many runs of the simulation, or one in detail.

use grevy_sim::counts::Counts;
use grevy_sim::{Bug, Options};
use grevy_sim_recipes::Recipe;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "\
usage: cargo xtask sim [--recipes [--recipe NAME]] [--minutes N | --seeds N] [--from SEED]
                       [--bug NAME] [--keep-going]
       cargo xtask sim [--recipes [--recipe NAME]] --seed SEED [--trace] [--bug NAME]

Runs the simulation with one seed after the other until the time is over or a run fails.
  --recipes      the recipes on simulated servers, instead of the servers alone
  --recipe NAME  one of them, such as Lock; all in turn if nothing is said
  --minutes N    how long; 1 if nothing is said
  --seeds N      how many runs instead
  --from SEED    the first seed; taken from the clock if nothing is said
  --seed SEED    one run, twice, to see that it repeats itself
  --trace        with all that happens, on standard error
  --bug NAME     with a planted bug
  --keep-going   do not stop at a failure";

struct Args {
    kind: Kind,
    minutes: f64,
    seeds: Option<u64>,
    from: Option<u64>,
    seed: Option<u64>,
    trace: bool,
    keep_going: bool,
}

/// What is simulated.
enum Kind {
    Servers(Option<Bug>),
    Recipes(Option<Recipe>, Option<grevy_sim_recipes::Bug>),
}

/// What became of a run.
struct Report {
    seed: u64,
    drawn: String,
    counts: Counts,
    hash: u64,
    void: Option<String>,
    /// The broken rules, in short.
    broken: Vec<String>,
    /// All about them.
    failure: String,
}

impl Kind {
    fn run(&self, seed: u64, print: bool) -> Report {
        match self {
            Self::Servers(bug) => {
                let outcome = grevy_sim::run(Options {
                    bug: *bug,
                    print,
                    ..Options::draw(seed)
                });
                Report {
                    seed,
                    drawn: format!("{:?}", outcome.options),
                    failure: outcome.failure(),
                    broken: in_short(&outcome.violations),
                    counts: outcome.counts,
                    hash: outcome.hash,
                    void: outcome.void.map(str::to_owned),
                }
            }
            Self::Recipes(recipe, bug) => {
                let recipe = recipe.unwrap_or(Recipe::of_seed(seed));
                let mut options = grevy_sim_recipes::Options::draw(recipe, seed);
                options.bug = *bug;
                options.world.print = print;
                let outcome = grevy_sim_recipes::run(options, paused_runtime);
                Report {
                    seed,
                    drawn: format!("{:?}", outcome.options),
                    failure: outcome.failure(),
                    broken: in_short(&outcome.violations),
                    counts: outcome.counts,
                    hash: outcome.hash,
                    void: outcome.void,
                }
            }
        }
    }
}

fn in_short(violations: &[grevy_sim::history::Violation]) -> Vec<String> {
    let short = |what: &str| what.chars().take(300).collect::<String>();
    let violations = violations.iter();
    violations
        .map(|violation| format!("{} {}", violation.property, short(&violation.what)))
        .collect()
}

/// A runtime whose time passes only when nothing else is left to do.
fn paused_runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build();
    runtime.expect("a runtime without input and output")
}

/// Runs what `args` ask for.
pub fn main(args: Vec<String>) -> ExitCode {
    let args = match parse(&args) {
        Ok(args) => args,
        Err(what) => {
            eprintln!("{what}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    match args.seed {
        Some(seed) => one(seed, &args),
        None => many(&args),
    }
}

fn parse(args: &[String]) -> Result<Args, String> {
    let (mut recipes, mut recipe, mut bug) = (false, None, None);
    let mut parsed = Args {
        kind: Kind::Servers(None),
        minutes: 1.0,
        seeds: None,
        from: None,
        seed: None,
        trace: false,
        keep_going: false,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        let number = |text: &String| text.parse().map_err(|_| format!("{text} is no number"));
        match &**arg {
            "--minutes" => {
                let text = value()?;
                parsed.minutes = text.parse().map_err(|_| format!("{text} is no number"))?;
            }
            "--seeds" => parsed.seeds = Some(number(value()?)?),
            "--from" => parsed.from = Some(number(value()?)?),
            "--seed" => parsed.seed = Some(number(value()?)?),
            "--trace" => parsed.trace = true,
            "--keep-going" => parsed.keep_going = true,
            "--recipes" => recipes = true,
            "--recipe" => recipe = Some(value()?),
            "--bug" => bug = Some(value()?),
            _ => return Err(format!("unknown argument {arg}")),
        }
    }
    parsed.kind = match recipes || recipe.is_some() {
        true => recipes_of(recipe, bug)?,
        false => Kind::Servers(match bug {
            Some(name) => Some(Bug::parse(name).ok_or_else(|| {
                let names = Bug::ALL.iter().map(|bug| bug.name());
                none_of(name, names)
            })?),
            None => None,
        }),
    };
    Ok(parsed)
}

fn recipes_of(recipe: Option<&String>, bug: Option<&String>) -> Result<Kind, String> {
    let recipe = match recipe {
        Some(name) => Some(Recipe::parse(name).ok_or_else(|| {
            let names = Recipe::ALL.iter().map(|recipe| recipe.name());
            none_of(name, names)
        })?),
        None => None,
    };
    let Some(name) = bug else {
        return Ok(Kind::Recipes(recipe, None));
    };
    let (bug, of) = grevy_sim_recipes::Bug::parse(name).ok_or_else(|| {
        let bugs = grevy_sim_recipes::Bug::ALL.iter();
        none_of(name, bugs.map(|(bug, _)| bug.name()))
    })?;
    Ok(Kind::Recipes(Some(recipe.unwrap_or(of)), Some(bug)))
}

fn none_of(name: &str, names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    format!("{name} is none of {}", names.join(", "))
}

fn one(seed: u64, args: &Args) -> ExitCode {
    let first = args.kind.run(seed, args.trace);
    println!("{}", first.drawn);
    let second = args.kind.run(seed, false);
    println!("{}\ntrace hash: {:016x}", first.counts, first.hash);
    if first.hash != second.hash {
        println!("the second run of the same seed took another way");
        return ExitCode::FAILURE;
    }
    if let Some(why) = &first.void {
        println!("void: {why}");
    }
    if first.broken.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("{}", first.failure);
    ExitCode::FAILURE
}

fn many(args: &Args) -> ExitCode {
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(args.minutes * 60.0);
    let clock = || {
        std::time::UNIX_EPOCH
            .elapsed()
            .map_or(1, |now| now.as_secs())
    };
    let mut seed = args.from.unwrap_or_else(clock);
    let mut total = Counts::default();
    let (mut runs, mut void, mut failed) = (0u64, 0u64, 0u64);
    while args
        .seeds
        .map_or(Instant::now() < end, |seeds| runs < seeds)
    {
        let report = args.kind.run(seed, false);
        runs += 1;
        seed += 1;
        total.add(&report.counts);
        void += u64::from(report.void.is_some());
        if !report.broken.is_empty() {
            failed += 1;
            if !args.keep_going {
                print_summary(&total, runs, void, start.elapsed());
                println!("{}", report.failure);
                return ExitCode::FAILURE;
            }
            for broken in &report.broken {
                println!("seed {}: {broken}", report.seed);
            }
        }
    }
    print_summary(&total, runs, void, start.elapsed());
    match failed {
        0 if void * 2 > runs => {
            println!("too little happened in {void} of {runs} runs");
            ExitCode::FAILURE
        }
        0 => ExitCode::SUCCESS,
        _ => {
            println!("{failed} of {runs} runs failed");
            ExitCode::FAILURE
        }
    }
}

fn print_summary(total: &Counts, runs: u64, void: u64, took: Duration) {
    println!("{total}");
    println!(
        "{runs} runs, {void} void, in {:.1} s: {:.0} times real time",
        took.as_secs_f64(),
        total.simulated.as_secs_f64() / took.as_secs_f64()
    );
}
