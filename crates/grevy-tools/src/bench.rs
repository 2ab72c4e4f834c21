//! `grevy bench`: how fast a server or ensemble is, whatever speaks the protocol.

mod latencies;

use crate::events::{Event, Events};
use crate::exit::{At, Exit, Failure};
use crate::output::line;
use crate::znodes::connection::{Connection, Target};
use clap::{Args, ValueEnum};
use grevy_cli::client::{Client, ClientError, Node, Pending};
use grevy_proto::Acl;
use grevy_proto::request::CreateMode;
use latencies::Latencies;
use serde_json::json;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Znodes that are deleted at a time afterwards.
const CLEANUP: usize = 128;

/// What is asked of whom.
#[derive(Debug, Args)]
#[command(after_help = "\
The load is a closed loop: each connection has so many requests under way all the time, so it is as
heavy as the servers can bear. It works on znodes of its own below --path, and deletes them in the end.

Examples:
  grevy bench --server zk1:2181,zk2:2181,zk3:2181
  grevy bench --mix set --connections 1 --in-flight 1      the latency of a lone write
  grevy bench --mix get --in-flight 100 --output json")]
pub struct Arguments {
    /// Which requests.
    #[arg(long, value_enum, default_value_t = Mix::Mixed)]
    mix: Mix,
    /// How many sessions.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// How many requests each has under way.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    in_flight: u16,
    /// For how long.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Bytes of data of each znode.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    size: u32,
    /// How many znodes each session reads and writes.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    znodes: u32,
    /// Where the znodes are made; it is created, and deleted in the end.
    #[arg(long, default_value = "/grevy-bench")]
    path: String,
    #[command(flatten)]
    target: Target,
}

/// Which requests a load is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mix {
    /// Reads.
    Get,
    /// Writes of znodes that exist.
    Set,
    /// New znodes.
    Create,
    /// Nine reads to one write.
    Mixed,
}

/// A request that is under way.
enum Asked {
    Read(Pending<(Option<Vec<u8>>, grevy_proto::Stat)>),
    Write(Pending<()>),
}

impl Asked {
    fn wait(self) -> Result<(), ClientError> {
        match self {
            Self::Read(pending) => pending.wait().map(drop),
            Self::Write(pending) => pending.wait(),
        }
    }
}

/// One session's part of the load.
struct Worker {
    connection: Connection,
    /// The path that its znodes are below of.
    top: String,
    mix: Mix,
    data: Vec<u8>,
    znodes: u32,
    /// Requests made.
    made: u64,
    /// Znodes created.
    created: u64,
}

/// Runs the load, and says how it went.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let events = Events::new()?;
    let setup = arguments.target.connect()?;
    let path = &arguments.path;
    setup
        .client
        .submit_create(path, &persistent(Vec::new()))
        .wait()
        .at(path)?;
    let stop = AtomicBool::new(false);
    let mut workers = Vec::new();
    for number in 0..arguments.connections {
        workers.push(Worker::start(arguments, number)?);
    }
    let begin = Instant::now();
    let in_flight = usize::from(arguments.in_flight);
    let (results, interrupted) = std::thread::scope(|scope| {
        let threads: Vec<_> = workers
            .iter_mut()
            .map(|worker| scope.spawn(|| worker.load(in_flight, &stop)))
            .collect();
        let interrupted = wait(&events, begin + Duration::from_secs(arguments.seconds));
        stop.store(true, Ordering::Relaxed);
        let failed = || Err(Failure::usage("a thread of the load failed"));
        let results: Vec<Result<Latencies, Failure>> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| failed()))
            .collect();
        (results, interrupted)
    });
    let took = begin.elapsed();
    for worker in &workers {
        worker.clean_up()?;
    }
    setup.client.submit_delete(path).wait().at(path)?;
    let mut latencies = Latencies::default();
    for result in results {
        latencies.add(&result?);
    }
    report(arguments, &latencies, took, out)?;
    Ok(match interrupted {
        true => Exit::Interrupted,
        false => Exit::Done,
    })
}

/// Waits until `end`; returns whether somebody wants the load to end before.
fn wait(events: &Events, end: Instant) -> bool {
    loop {
        match events.next(Some(end)) {
            None => return false,
            Some(Event::Signal(_)) => return true,
            Some(_) => {}
        }
    }
}

fn persistent(data: Vec<u8>) -> Node {
    Node {
        data: Some(data),
        acl: vec![Acl::OPEN],
        mode: CreateMode::Persistent,
        ttl: 0,
    }
}

impl Worker {
    fn start(arguments: &Arguments, number: u16) -> Result<Self, Failure> {
        let worker = Self {
            connection: arguments.target.connect()?,
            top: format!("{}/{number}", arguments.path),
            mix: arguments.mix,
            data: vec![b'x'; arguments.size as usize],
            znodes: arguments.znodes,
            made: 0,
            created: 0,
        };
        let client = worker.client();
        client
            .submit_create(&worker.top, &persistent(Vec::new()))
            .wait()
            .at(&worker.top)?;
        if worker.mix != Mix::Create {
            let node = persistent(worker.data.clone());
            let asked: Vec<_> = (0..worker.znodes)
                .map(|n| client.submit_create(&worker.znode(u64::from(n)), &node))
                .collect();
            for pending in asked {
                pending.wait().at(&worker.top)?;
            }
        }
        Ok(worker)
    }

    fn client(&self) -> &Client {
        &self.connection.client
    }

    fn znode(&self, number: u64) -> String {
        format!("{}/{number}", self.top)
    }

    fn load(&mut self, in_flight: usize, stop: &AtomicBool) -> Result<Latencies, Failure> {
        let mut latencies = Latencies::default();
        let mut asked: VecDeque<(Instant, Asked)> = VecDeque::new();
        loop {
            let ends = stop.load(Ordering::Relaxed);
            while !ends && asked.len() < in_flight {
                let request = self.ask();
                asked.push_back((Instant::now(), request));
            }
            let Some((since, request)) = asked.pop_front() else {
                return Ok(latencies);
            };
            request.wait().at(&self.top)?;
            latencies.note(since.elapsed());
        }
    }

    fn ask(&mut self) -> Asked {
        self.made += 1;
        let writes = match self.mix {
            Mix::Create => {
                self.created += 1;
                let node = persistent(self.data.clone());
                let path = self.znode(self.created);
                return Asked::Write(self.client().submit_create(&path, &node));
            }
            Mix::Get => false,
            Mix::Set => true,
            Mix::Mixed => self.made.is_multiple_of(10),
        };
        let path = self.znode(self.made % u64::from(self.znodes));
        match writes {
            true => Asked::Write(self.client().submit_set_data(&path, Some(&self.data))),
            false => Asked::Read(self.client().submit_get_data(&path)),
        }
    }

    /// Deletes everything that was made.
    fn clean_up(&self) -> Result<(), Failure> {
        let numbers: Vec<u64> = match self.mix {
            Mix::Create => (1..=self.created).collect(),
            _ => (0..u64::from(self.znodes)).collect(),
        };
        for numbers in numbers.chunks(CLEANUP) {
            let asked: Vec<_> = numbers
                .iter()
                .map(|number| self.client().submit_delete(&self.znode(*number)))
                .collect();
            for pending in asked {
                pending.wait().at(&self.top)?;
            }
        }
        self.client().submit_delete(&self.top).wait().at(&self.top)
    }
}

fn report(
    arguments: &Arguments,
    latencies: &Latencies,
    took: Duration,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let requests = latencies.count();
    let rate = requests as f64 / took.as_secs_f64();
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| latencies.quantile(q).as_secs_f64() * 1e3);
    let max = latencies.max().as_secs_f64() * 1e3;
    if arguments.target.is_json() {
        let object = json!({
            "requests": requests,
            "seconds": took.as_secs_f64(),
            "rate": rate,
            "p50ms": p50,
            "p99ms": p99,
            "p999ms": p999,
            "maxMs": max,
        });
        line(out, &object)?;
        return Ok(());
    }
    writeln!(
        out,
        "{requests} requests in {:.1} s: {rate:.0}/s",
        took.as_secs_f64()
    )?;
    writeln!(
        out,
        "latency in ms: p50 {p50:.2}  p99 {p99:.2}  p99.9 {p999:.2}  max {max:.2}"
    )?;
    Ok(())
}
