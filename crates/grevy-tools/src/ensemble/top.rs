//! `grevy top`.

use super::members;
use super::screen::Screen;
use super::server::{Server, lag};
use super::table;
use crate::events::{Event, Events};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::znodes::connection::Target;
use clap::Args;
use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

/// Ctrl-C while the terminal hands keys on.
const CTRL_C: u8 = 3;

/// Whom to ask, and how often.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grevy top --server zk1:2181
  grevy top --interval 5000
  grevy top --count 3 --output json

q ends it, and so does Ctrl-C, with exit code 130. If the output is no terminal, or with --count, the tables are printed one after another.
What is shown is that of `grevy status`, with requests a second.")]
pub struct Arguments {
    /// Between two looks.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    interval: u64,
    /// Look so many times, and print.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Ask the servers of --server only.
    #[arg(long)]
    listed: bool,
    #[command(flatten)]
    target: Target,
}

/// Looks again and again.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let members = members::find(&arguments.target, arguments.listed)?;
    let interval = Duration::from_millis(arguments.interval);
    let timeout = arguments.target.session.patience().min(interval);
    let mut watcher = Watcher {
        before: None,
        look: &|| Server::ask_all(&members, timeout),
    };
    let live = arguments.count.is_none()
        && !arguments.target.is_json()
        && io::stdout().is_terminal()
        && io::stdin().is_terminal();
    if live {
        return show_live(&mut watcher, interval);
    }
    let mut left = arguments.count.unwrap_or(u64::MAX);
    while left > 0 {
        let (servers, rates) = watcher.next();
        if arguments.target.is_json() {
            for (server, rate) in servers.iter().zip(&rates) {
                let mut object = server.json(lag(server, &servers));
                object["requestsPerSecond"] = (*rate).into();
                output::line(out, &object)?;
            }
        } else {
            for line in table::lines(&servers, Some(&rates)) {
                writeln!(out, "{line}")?;
            }
            writeln!(out)?;
        }
        out.flush()?;
        left -= 1;
        if left > 0 {
            thread::sleep(interval);
        }
    }
    Ok(Exit::Done)
}

fn show_live(watcher: &mut Watcher<'_>, interval: Duration) -> Result<Exit, Failure> {
    // Signals too, so that the terminal is given back whatever ends this.
    let events = Events::new()?;
    let screen = Screen::open(events.sender())?;
    loop {
        let (servers, rates) = watcher.next();
        let serving = servers
            .iter()
            .filter(|server| server.report.is_ok())
            .count();
        let mut lines = vec![
            format!(
                "grevy top   {serving} of {} servers serve   q ends",
                servers.len()
            ),
            String::new(),
        ];
        lines.extend(table::lines(&servers, Some(&rates)));
        screen.show(&lines)?;
        if let Some(exit) = end(&events, interval) {
            return Ok(exit);
        }
    }
}

/// Waits for the next look; tells with what to end instead.
fn end(events: &Events, interval: Duration) -> Option<Exit> {
    let end = Instant::now() + interval;
    loop {
        match events.next(Some(end)) {
            Some(Event::Key(b'q' | b'Q')) => return Some(Exit::Done),
            Some(Event::Key(CTRL_C) | Event::Signal(_)) => return Some(Exit::Interrupted),
            Some(_) => {}
            None => return None,
        }
    }
}

/// Looks, and compares with the look before.
struct Watcher<'a> {
    before: Option<(Instant, Vec<Server>)>,
    look: &'a dyn Fn() -> Vec<Server>,
}

impl Watcher<'_> {
    /// The servers, and their requests a second.
    fn next(&mut self) -> (Vec<Server>, Vec<Option<f64>>) {
        let servers = (self.look)();
        let now = Instant::now();
        let rates = match &self.before {
            None => vec![None; servers.len()],
            Some((then, before)) => {
                let seconds = (now - *then).as_secs_f64();
                let pairs = servers.iter().zip(before);
                pairs.map(|(new, old)| rate(old, new, seconds)).collect()
            }
        };
        self.before = Some((now, servers.clone()));
        (servers, rates)
    }
}

/// `None` if either look failed, or the server was restarted between them.
fn rate(old: &Server, new: &Server, seconds: f64) -> Option<f64> {
    let received = |server: &Server| server.report.as_ref().ok()?.received;
    let more = received(new)?.checked_sub(received(old)?)?;
    Some(more as f64 / seconds)
}
