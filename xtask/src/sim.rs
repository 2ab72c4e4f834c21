//! `cargo xtask sim`: many runs of the simulation, or one in detail.

use grevy_sim::{Bug, Options, Outcome, run};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "\
usage: cargo xtask sim [--minutes N | --seeds N] [--from SEED] [--bug NAME] [--keep-going]
       cargo xtask sim --seed SEED [--trace] [--bug NAME]

Runs the simulation with one seed after the other until the time is over or a run fails.
  --minutes N   how long; 1 if nothing is said
  --seeds N     how many runs instead
  --from SEED   the first seed; taken from the clock if nothing is said
  --seed SEED   one run, twice, to see that it repeats itself
  --trace       with all that happens, on standard error
  --bug NAME    with a planted bug
  --keep-going  do not stop at a failure";

struct Args {
    minutes: f64,
    seeds: Option<u64>,
    from: Option<u64>,
    seed: Option<u64>,
    trace: bool,
    bug: Option<Bug>,
    keep_going: bool,
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
    let mut parsed = Args {
        minutes: 1.0,
        seeds: None,
        from: None,
        seed: None,
        trace: false,
        bug: None,
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
            "--bug" => {
                let name = value()?;
                let names: Vec<String> = Bug::ALL.iter().map(|bug| bug.name()).collect();
                let unknown = || format!("{name} is none of {}", names.join(", "));
                parsed.bug = Some(Bug::parse(name).ok_or_else(unknown)?);
            }
            _ => return Err(format!("unknown argument {arg}")),
        }
    }
    Ok(parsed)
}

fn one(seed: u64, args: &Args) -> ExitCode {
    let options = Options {
        bug: args.bug,
        print: args.trace,
        ..Options::draw(seed)
    };
    println!("{options:?}");
    let first = run(options.clone());
    let second = run(Options {
        print: false,
        ..options
    });
    println!("{}\ntrace hash: {:016x}", first.counts, first.hash);
    if first.hash != second.hash {
        println!("the second run of the same seed took another way");
        return ExitCode::FAILURE;
    }
    verdict(&first)
}

fn verdict(outcome: &Outcome) -> ExitCode {
    if let Some(why) = outcome.void {
        println!("void: {why}");
    }
    if outcome.violations.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("{}", outcome.failure());
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
    let mut total = grevy_sim::counts::Counts::default();
    let (mut runs, mut void, mut failed) = (0u64, 0u64, 0u64);
    while args
        .seeds
        .map_or(Instant::now() < end, |seeds| runs < seeds)
    {
        let outcome = run(Options {
            bug: args.bug,
            ..Options::draw(seed)
        });
        runs += 1;
        seed += 1;
        total.add(&outcome.counts);
        void += u64::from(outcome.void.is_some());
        if !outcome.violations.is_empty() {
            failed += 1;
            if !args.keep_going {
                print_summary(&total, runs, void, start.elapsed());
                println!("{}", outcome.failure());
                return ExitCode::FAILURE;
            }
            for violation in &outcome.violations {
                let what: String = violation.what.chars().take(300).collect();
                println!(
                    "seed {}: {} {what}",
                    outcome.options.seed, violation.property
                );
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

fn print_summary(total: &grevy_sim::counts::Counts, runs: u64, void: u64, took: Duration) {
    println!("{total}");
    println!(
        "{runs} runs, {void} void, in {:.1} s: {:.0} times real time",
        took.as_secs_f64(),
        total.simulated.as_secs_f64() / took.as_secs_f64()
    );
}
