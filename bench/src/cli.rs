//! The command line.

use crate::failure::{Failure, Result};
use crate::floor::mirror::Mirrors;
use crate::perf::Perf;
use crate::report::{self, Report};
use crate::rows::{self, Bench, Row, Settings, ensemble};
use crate::server::{self, Kind, Launcher};
use crate::{floor, limits};
use clap::{Args, Parser, Subcommand};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Grevy and Apache ZooKeeper under the same load, one after the other, on this machine.
#[derive(Parser)]
#[command(name = "grevy-bench", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure both servers and the floor beneath them; print a table with their ratio.
    Compare {
        /// Servers to measure.
        #[arg(long, value_delimiter = ',', default_value = "java,grevy,echo", value_parser = parse_kind)]
        servers: Vec<Kind>,
        /// Only these rows: names, or the beginnings of names before a dash.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        #[command(flatten)]
        options: Options,
    },
    /// Measure one row, or a family of rows, with one server.
    One {
        /// A name, or its beginning before a dash; `list` shows them.
        row: String,
        /// java, grevy, echo, or addr=<loopback address>:<port> of a server that runs already.
        #[arg(long, default_value = "grevy", value_parser = parse_kind)]
        server: Kind,
        /// The process behind addr=, for its processor time and memory.
        #[arg(long)]
        pid: Option<u32>,
        #[command(flatten)]
        options: Options,
    },
    /// Measure ensembles of three servers of each kind, and the floor beneath them; print a table with their ratio.
    Ensemble {
        /// Servers to measure.
        #[arg(long, value_delimiter = ',', default_value = "java,grevy,echo", value_parser = parse_member)]
        servers: Vec<Kind>,
        /// Only these rows: names, or the beginnings of names before a dash.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        #[command(flatten)]
        options: Options,
    },
    /// List the rows.
    List,
    /// The floor: a server that answers without doing anything.
    EchoServer {
        /// Where to listen.
        address: SocketAddr,
        /// Append and sync each write to this file before answering.
        #[arg(long)]
        log: Option<PathBuf>,
        /// Also have each write synced by one of these, and send it to all of them.
        #[arg(long)]
        mirror: Vec<SocketAddr>,
    },
    /// A part of the floor beneath an ensemble: syncs what an echo-server sends.
    MirrorServer {
        /// Where to listen.
        address: SocketAddr,
        /// What to append to.
        #[arg(long)]
        log: PathBuf,
    },
    /// Run a command that ends no later than the process `parent`.
    #[command(hide = true)]
    ExecBound {
        parent: u32,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

#[derive(Args)]
struct Options {
    /// Seconds each throughput row is measured.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Seconds each throughput row runs before it is measured.
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// Measure everything this often and show the medians.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Znodes of the throughput rows.
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    /// Millions of znodes in the `million` rows.
    #[arg(long, default_value_t = 1)]
    millions: u64,
    /// Sessions of `idle-sessions`.
    #[arg(long, default_value_t = 10_000)]
    sessions: usize,
    /// Watchers of `watchers`.
    #[arg(long, default_value_t = 10_000)]
    watchers: usize,
    /// Sets a second in `million-set` and `million-snapshot`.
    #[arg(long, default_value_t = 5_000)]
    rate: u64,
    /// Seconds to wait, before each measurement, for other processes to be idle.
    #[arg(long, default_value_t = 0.0)]
    wait_idle: f64,
    /// How often to measure a throughput row before taking figures that other processes disturbed.
    #[arg(long, default_value_t = 1)]
    attempts: usize,
    /// Largest heap of the Java server.
    #[arg(long, default_value = "2g")]
    heap: String,
    /// A further option for the Java machine; may be repeated.
    #[arg(long, allow_hyphen_values = true)]
    java_option: Vec<String>,
    /// A further line for both servers' configuration; may be repeated.
    #[arg(long)]
    config: Vec<String>,
    /// The binary of Grevy; without it `cargo build --release -p grevy` makes it.
    #[arg(long)]
    grevy: Option<PathBuf>,
    /// Where data, logs and jars go; the disk beneath it is the disk measured.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.work"))]
    work: PathBuf,
    /// Also write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Record profiles of the server with perf into the work folder.
    #[arg(long)]
    perf: bool,
}

/// Runs what the command line asks for.
pub fn run() -> Result<ExitCode> {
    match Cli::parse().task {
        Task::Compare {
            servers,
            only,
            options,
        } => measure(&options, &Rows::Single(rows::select(&only)?), servers),
        Task::One {
            row,
            server,
            pid,
            options,
        } => {
            let server = match server {
                Kind::Address { address, .. } => Kind::Address { address, pid },
                other => other,
            };
            measure(&options, &Rows::Single(rows::select(&[row])?), vec![server])
        }
        Task::Ensemble {
            servers,
            only,
            options,
        } => measure(&options, &Rows::Ensemble(ensemble::select(&only)?), servers),
        Task::List => {
            let single = rows::ALL.iter().map(|row| (row.name, row.about));
            for (name, about) in single.chain(ensemble::all()) {
                println!("{name:<18} {about}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::EchoServer {
            address,
            log,
            mirror,
        } => {
            limits::raise_open_files();
            let listener = TcpListener::bind(loopback(address)?)?;
            floor::echo::serve(listener, log.as_deref(), Mirrors::connect(&mirror)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::MirrorServer { address, log } => {
            floor::mirror::serve(&TcpListener::bind(loopback(address)?)?, &log)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::ExecBound { parent, command } => Err(server::exec_bound_to_parent(parent, &command)),
    }
}

/// What is to be measured.
enum Rows {
    /// With servers that are alone.
    Single(Vec<Row>),
    /// With ensembles, by name.
    Ensemble(Vec<&'static str>),
}

impl Rows {
    fn has(&self, names: &[&str]) -> bool {
        match self {
            Rows::Single(rows) => rows.iter().any(|row| names.contains(&row.name)),
            Rows::Ensemble(rows) => rows.iter().any(|row| names.contains(row)),
        }
    }

    fn run(&self, bench: &mut Bench<'_>, kinds: &[Kind]) {
        match self {
            Rows::Single(rows) => bench.run(rows, kinds),
            Rows::Ensemble(rows) => ensemble::run(bench, rows, kinds),
        }
    }
}

fn measure(options: &Options, rows: &Rows, mut kinds: Vec<Kind>) -> Result<ExitCode> {
    let started = Instant::now();
    let files = limits::raise_open_files();
    let needed = options.sessions.max(options.watchers) as u64 + 200;
    if files < needed && rows.has(&["idle-sessions", "watchers"]) {
        eprintln!("warning: {files} files may be open, {needed} are needed; raise `ulimit -n`");
    }
    std::fs::create_dir_all(&options.work)?;
    let work = options.work.canonicalize()?;
    let grevy = match &options.grevy {
        Some(path) => path.clone(),
        None if kinds.contains(&Kind::Grevy) => build_grevy().unwrap_or_else(|error| {
            eprintln!("grevy is left out: {error}");
            kinds.retain(|kind| *kind != Kind::Grevy);
            PathBuf::new()
        }),
        None => PathBuf::new(),
    };
    let mut java_options = vec![format!("-Xmx{}", options.heap)];
    java_options.extend(options.java_option.iter().cloned());
    let launcher = Launcher {
        work: work.clone(),
        grevy,
        java_options,
        config: options.config.clone(),
    };
    let settings = Settings {
        measure: Duration::from_secs_f64(options.seconds),
        warmup: Duration::from_secs_f64(options.warmup),
        keys: options.keys.max(1),
        millions: options.millions.max(1),
        sessions: options.sessions,
        watchers: options.watchers,
        rate: options.rate.max(1),
        wait_idle: Duration::from_secs_f64(options.wait_idle),
        attempts: options.attempts.max(1),
    };
    let mut report = Report::default();
    let perf = Perf {
        folder: options.perf.then_some(work),
    };
    let mut bench = Bench {
        settings: &settings,
        launcher: &launcher,
        report: &mut report,
        perf,
        failed: Vec::new(),
        disturbed: Vec::new(),
    };
    for round in 1..=options.rounds.max(1) {
        if options.rounds > 1 {
            eprintln!("round {round} of {}", options.rounds);
        }
        rows.run(&mut bench, &kinds);
    }
    let Bench {
        failed, disturbed, ..
    } = bench;

    let single = rows::ALL.iter().map(|row| row.name);
    let order: Vec<&str> = single
        .chain(ensemble::all().map(|(name, _)| name))
        .collect();
    let context = context(options);
    println!(
        "{}",
        context
            .iter()
            .map(|(name, text)| format!("{name}: {text}"))
            .collect::<Vec<_>>()
            .join("; ")
    );
    println!("ratio: how many times better Grevy is than the Java server\n");
    print!("{}", report.table(&order));
    if let Some(path) = &options.json {
        report::write_json(&report, &order, &context, path)?;
    }
    eprintln!("\ntook {:.0} s", started.elapsed().as_secs_f64());
    if !disturbed.is_empty() {
        eprintln!("these figures are worth less, since other processes used the processor:");
        disturbed.iter().for_each(|group| eprintln!("  {group}"));
    }
    for failure in &failed {
        eprintln!("failed: {failure}");
    }
    Ok(if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What a reader must know to judge the figures.
fn context(options: &Options) -> Vec<(&'static str, String)> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("?", |(_, m)| m);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = read("/proc/meminfo");
    let kib = memory
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0);
    vec![
        ("processor", format!("{model}, {cores} cores")),
        ("memory", format!("{} GiB", kib >> 20)),
        (
            "kernel",
            read("/proc/sys/kernel/osrelease").trim().to_owned(),
        ),
        ("java heap", options.heap.clone()),
        ("seconds a row", options.seconds.to_string()),
        ("rounds", options.rounds.to_string()),
    ]
}

/// Builds the server beside this binary and returns its path.
fn build_grevy() -> Result<PathBuf> {
    eprintln!("building grevy");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let status = Command::new(cargo)
        .args(["build", "--release", "--quiet", "-p", "grevy"])
        .current_dir(&root)
        .status()
        .map_err(|error| Failure::from(error).during("starting cargo"))?;
    if !status.success() {
        return Err(Failure::new(format!("cargo could not build it: {status}")));
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let binary = target.join("release/grevy");
    binary
        .canonicalize()
        .map_err(|error| Failure::from(error).during(binary.display()))
}

fn parse_kind(text: &str) -> std::result::Result<Kind, String> {
    match text {
        "java" => Ok(Kind::Java),
        "grevy" => Ok(Kind::Grevy),
        "echo" => Ok(Kind::Echo),
        other => {
            let address = other
                .strip_prefix("addr=")
                .ok_or("java, grevy, echo or addr=<address>:<port>")?;
            let address = address
                .parse()
                .map_err(|error| format!("{address}: {error}"))?;
            let address = loopback(address).map_err(|error| error.to_string())?;
            Ok(Kind::Address { address, pid: None })
        }
    }
}

fn parse_member(text: &str) -> std::result::Result<Kind, String> {
    match parse_kind(text)? {
        kind @ (Kind::Java | Kind::Grevy | Kind::Echo) => Ok(kind),
        Kind::Address { .. } => Err("java, grevy or echo".to_owned()),
    }
}

/// This load belongs on no network.
fn loopback(address: SocketAddr) -> Result<SocketAddr> {
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(Failure::new(format!("{address} is not a loopback address")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn servers_by_name() {
        assert_eq!(parse_kind("java"), Ok(Kind::Java));
        let address = "127.0.0.1:2181".parse().unwrap();
        assert_eq!(
            parse_kind("addr=127.0.0.1:2181"),
            Ok(Kind::Address { address, pid: None })
        );
        for wrong in ["zookeeper", "addr=192.0.2.1:2181", "addr=somewhere"] {
            assert!(parse_kind(wrong).is_err(), "{wrong}");
        }
    }
}
