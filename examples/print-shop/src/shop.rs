//! Starts everything, and tells how the shop is doing.

use crate::printer::Printer;
use crate::worker::{self, Never, Pace};
use crate::{AnyError, FOLDER, PORT, asked_to_end, connect};
use grevy_client::{Client, CreateOptions, ErrorCode};
use grevy_recipes::{Config, Group, LeaderObserver};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

const WORKERS: usize = 4;
/// Handed out a second, unless the configuration says otherwise.
const PACE: &[u8] = b"5";

/// Runs the shop until Ctrl-C, or SIGTERM. Whatever happens, what was started is ended.
pub async fn run() -> Result<(), AnyError> {
    let mut children = Vec::new();
    let result = tokio::select! {
        result = open(&mut children) => result,
        asked = asked_to_end() => asked.map_err(AnyError::from),
    };
    stop(children).await;
    result
}

/// Starts the servers and the workers, and tells how they are doing for as long as it may.
async fn open(children: &mut Vec<Child>) -> Result<(), AnyError> {
    children.push(start_servers()?);
    let client = connect().await?;
    set_up(&client).await?;
    let this = std::env::current_exe()?;
    for number in 1..=WORKERS {
        let name = format!("worker-{number}");
        let child = Command::new(&this).args(["worker", &name]).spawn()?;
        let pid = child.id().unwrap_or(0);
        println!(
            "  {name}  pid {pid}  again with: {} worker {name}",
            this.display()
        );
        children.push(child);
    }
    client.close().await;
    loop {
        let client = connect().await?;
        let Err(error) = report(&client).await;
        println!("the report starts over: {error}");
        client.close().await;
    }
}

/// The ensemble, with the grevy command that lies beside this one.
fn start_servers() -> Result<Child, AnyError> {
    let folder = PathBuf::from(FOLDER).join("servers");
    let grevy = std::env::current_exe()?.with_file_name("grevy");
    Command::new(&grevy)
        .args(["ensemble", "--servers", "3", "--port", PORT, "--dir"])
        .arg(folder)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", grevy.display()).into())
}

/// The configuration to begin with.
async fn set_up(client: &Client) -> Result<(), AnyError> {
    for (path, data) in [
        ("/shop", &b""[..]),
        ("/shop/config", b""),
        ("/shop/config/pace", PACE),
    ] {
        match client
            .create(path, data, &CreateOptions::persistent())
            .await
        {
            Ok(_) => {}
            Err(error) if error.is(ErrorCode::NodeExists) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Prints a line about the shop every second.
async fn report(client: &Client) -> Result<Never, AnyError> {
    let printer = Printer::new(FOLDER);
    let config = worker::pace(client).await?;
    let mut office = LeaderObserver::new(client, "/shop/office");
    let mut leader = None;
    loop {
        tokio::select! {
            next = office.next() => leader = next?.map(|leader| leader.id),
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                let line = line(client, &config, leader.as_deref()).await?;
                println!("{line} | printed {}", printer.count());
            }
        }
    }
}

async fn line(
    client: &Client,
    config: &Config<Pace>,
    leader: Option<&str>,
) -> Result<String, AnyError> {
    if !client.state().is_connected() {
        return Ok("no server answers".to_owned());
    }
    let members = Group::new(client, "/shop/workers").members().await?;
    let names: Vec<&str> = members
        .keys()
        .map(|name| name.trim_start_matches("worker-"))
        .collect();
    let refused = config.rejected().map(|rejected| format!(" ({rejected})"));
    Ok(format!(
        "workers {} | {} leads | {} jobs/s{}",
        names.join(" "),
        leader.unwrap_or("nobody"),
        config.get().0,
        refused.unwrap_or_default()
    ))
}

/// Ends the workers first, so that they leave in order. On Ctrl-C in a terminal all have been
/// told already.
async fn stop(children: Vec<Child>) {
    for mut child in children.into_iter().rev() {
        if let Ok(None) = child.try_wait()
            && let Some(pid) = child.id()
        {
            // The servers end on SIGTERM in order; so the word is that one.
            let _ = Command::new("kill").arg(pid.to_string()).status().await;
        }
        let _ = child.wait().await;
    }
}
