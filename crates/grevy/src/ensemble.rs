//! `grevy ensemble`: a local ensemble to try things with, each server a process of its own.

mod layout;
mod watcher;

use clap::Args;
use layout::{Layout, Place};
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use watcher::Watcher;

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
    #[arg(long, default_value_t = 2181)]
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
    let places = layout.write()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut processes = Vec::new();
    for place in &places {
        match start(place) {
            Ok(child) => processes.push(Process {
                id: place.id,
                child: Some(child),
            }),
            Err(error) => {
                stop(&mut processes);
                return Err(error);
            }
        }
    }
    greet(layout, &places, &processes);
    let mut watcher = Watcher::new(&places);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = tokio::time::sleep(LOOK) => {}
        }
        for (process, place) in processes.iter_mut().zip(&places) {
            if let Some(ended) = process.poll()? {
                println!("server {} {ended}; start it again with", process.id);
                println!("    grevy server {}", place.config.display());
            }
        }
        // Asking takes a moment for servers that do not answer.
        watcher = tokio::task::spawn_blocking(move || {
            watcher.look();
            watcher
        })
        .await
        .map_err(io::Error::other)?;
    }
    if io::stdout().is_terminal() {
        println!();
    }
    println!("stopping");
    stop(&mut processes);
    Ok(())
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

fn greet(layout: &Layout, places: &[Place], processes: &[Process]) {
    let clients: Vec<String> = places
        .iter()
        .map(|place| format!("127.0.0.1:{}", place.client_port))
        .collect();
    println!("{} servers", places.len());
    for (place, process) in places.iter().zip(processes) {
        let role = match place.observes {
            true => " (observer)",
            false => "",
        };
        println!(
            "  server {}  clients 127.0.0.1:{}  pid {}  log {}{role}",
            place.id,
            place.client_port,
            process.pid(),
            place.log.display()
        );
    }
    println!("  connect   grevy zkcli -server {}", clients.join(","));
    println!("  folders   {}", layout.dir.display());
    println!("  stop      Ctrl-C");
}
