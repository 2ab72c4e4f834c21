//! `grevy ensemble`: a local ensemble to try things with, each server a process of its own.

mod layout;
mod watcher;

use clap::Args;
use layout::{Layout, Place};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use watcher::Watcher;

/// The exit code if nobody reads the output any more.
const CLOSED_PIPE: u8 = 141;

/// How often the servers are asked what they are.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
#[command(after_help = "\
Each server has a folder of its own, with its zoo.cfg, data and log file; a second start goes on
with what is there. From another terminal, kill one and watch the others go on:

  kill -9 PID                                 PID as it is printed
  grevy server ./grevy-ensemble/2/zoo.cfg     starts server 2 again

Example:
  grevy ensemble --servers 5 --observers 1")]
pub struct Arguments {
    /// How many servers vote. An odd number is best: 3 survive the loss of 1, 5 of 2.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=15))]
    servers: u16,
    /// How many servers only observe.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=15))]
    observers: u16,
    /// Where the servers' folders go.
    #[arg(long, default_value = "./grevy-ensemble", value_name = "FOLDER")]
    dir: PathBuf,
    /// The first server's client port; the others have the ports behind it.
    #[arg(long, default_value_t = 2181, value_parser = clap::value_parser!(u16).range(1..=65_000))]
    port: u16,
}

/// Starts the servers, says what they do, and stops them on Ctrl-C.
pub fn run(arguments: &Arguments) -> ExitCode {
    let layout = Layout {
        voters: arguments.servers,
        observers: arguments.observers,
        dir: arguments.dir.clone(),
        port: arguments.port,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = runtime.and_then(|runtime| runtime.block_on(serve(&layout)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody reads what the servers do any more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(CLOSED_PIPE),
        Err(error) => {
            eprintln!("grevy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A server's process.
struct Process {
    id: u16,
    /// `None`: it has ended.
    child: Option<Child>,
}

async fn serve(layout: &Layout) -> io::Result<()> {
    layout.check_ports()?;
    let places = layout.write()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut processes = Vec::new();
    let watched = async {
        for place in &places {
            processes.push(Process {
                id: place.id,
                child: Some(start(place)?),
            });
        }
        greet(layout, &places, &processes)?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            failed = watch(&places, &mut processes) => failed,
        }
    }
    .await;
    // Whatever came of it, no server is left behind.
    let said = watched.and_then(|()| {
        let mut out = io::stdout();
        if out.is_terminal() {
            writeln!(out)?;
        }
        writeln!(out, "stopping")
    });
    stop(&mut processes);
    said
}

/// Says what becomes of the servers, until that fails.
async fn watch(places: &[Place], processes: &mut [Process]) -> io::Result<()> {
    let mut watcher = Watcher::new(places);
    loop {
        tokio::time::sleep(LOOK).await;
        let mut out = io::stdout();
        for (process, place) in processes.iter_mut().zip(places) {
            if let Some(ended) = process.poll()? {
                writeln!(out, "server {} {ended}; start it again with", process.id)?;
                writeln!(out, "    grevy server {}", place.config.display())?;
            }
        }
        // Asking takes a moment for servers that do not answer.
        let (looked, changes) = tokio::task::spawn_blocking(move || {
            let changes = watcher.look();
            (watcher, changes)
        })
        .await
        .map_err(io::Error::other)?;
        watcher = looked;
        for change in changes {
            writeln!(out, "{change}")?;
        }
    }
}

fn start(place: &Place) -> io::Result<Child> {
    let log = place.open_log()?;
    Command::new(std::env::current_exe()?)
        .arg("server")
        .arg(&place.config)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

impl Process {
    /// How the process ended, if it has just done so.
    fn poll(&mut self) -> io::Result<Option<String>> {
        let Some(child) = &mut self.child else {
            return Ok(None);
        };
        let Some(status) = child.try_wait()? else {
            return Ok(None);
        };
        self.child = None;
        Ok(Some(format!("has ended ({status})")))
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }
}

/// Stops all servers in order, and waits for them.
fn stop(processes: &mut [Process]) {
    use rustix::process::{Pid, Signal, kill_process};
    for process in &mut *processes {
        let pid = i32::try_from(process.pid()).unwrap_or(0);
        if let Some(pid) = Pid::from_raw(pid) {
            // One that has just ended needs no word.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
    for process in processes {
        if let Some(child) = &mut process.child {
            let _ = child.wait();
        }
    }
}

fn greet(layout: &Layout, places: &[Place], processes: &[Process]) -> io::Result<()> {
    let mut out = io::stdout();
    let clients: Vec<String> = places
        .iter()
        .map(|place| format!("127.0.0.1:{}", place.client_port))
        .collect();
    writeln!(out, "{} servers", places.len())?;
    for (place, process) in places.iter().zip(processes) {
        let role = match place.observes {
            true => " (observer)",
            false => "",
        };
        writeln!(
            out,
            "  server {}  clients 127.0.0.1:{}  pid {}  log {}{role}",
            place.id,
            place.client_port,
            process.pid(),
            place.log.display()
        )?;
    }
    writeln!(out, "  connect   grevy zkcli -server {}", clients.join(","))?;
    writeln!(out, "  folders   {}", layout.dir.display())?;
    writeln!(out, "  stop      Ctrl-C")
}
