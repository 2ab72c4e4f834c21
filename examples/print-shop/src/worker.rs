//! One worker: a member of the shop, a candidate for its leadership, and one of those who print.

use crate::printer::{Printed, Printer};
use crate::{AnyError, FOLDER, asked_to_end, connect};
use grevy_client::{Client, Error};
use grevy_recipes::{Config, ConfigError, Group, LeaderLatch, Lock, Queue, TreeCache};
use std::time::Duration;

/// Jobs that wait; the leader adds none as long as there are more.
const MAX_WAITING: usize = 20;

/// Works until the process is asked to end. Losing a session is nothing special: what was held in
/// it is given up, and a new one is begun.
pub async fn run(name: &str) -> Result<(), AnyError> {
    let end = asked_to_end();
    tokio::pin!(end);
    loop {
        let client = connect().await?;
        let over = tokio::select! {
            Err(error) = work(&client, name) => {
                eprintln!("{name} starts over: {error}");
                false
            }
            asked = &mut end => {
                asked?;
                true
            }
        };
        // The others need not wait until the session has expired.
        client.close().await;
        if over {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What never ends, unless with an error.
pub enum Never {}

async fn work(client: &Client, name: &str) -> Result<Never, AnyError> {
    let group = Group::new(client, "/shop/workers");
    let _membership = group.join(name, b"").await?;
    tokio::try_join!(lead(client, name), print(client, name)).map(|(never, _)| never)
}

/// The shop's configuration: how many jobs a second are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace(pub u32);

/// Reads the configuration; what is no good pace is refused, and the last good one stays.
pub async fn pace(client: &Client) -> Result<Config<Pace>, ConfigError> {
    Config::start(client, "/shop/config", |tree: &TreeCache| {
        let node = tree.get("/shop/config/pace").ok_or("there is no pace")?;
        let text = String::from_utf8_lossy(&node.data);
        match text.trim().parse() {
            Ok(pace @ 1..=100) => Ok(Pace(pace)),
            _ => Err(format!("pace {text:?} is not a number from 1 to 100")),
        }
    })
    .await
}

/// Leads when it is this worker's turn, and hands out jobs for as long as it is certain to.
async fn lead(client: &Client, name: &str) -> Result<Never, AnyError> {
    let latch = LeaderLatch::new(client, "/shop/office", name);
    let config = pace(client).await?;
    loop {
        let office = latch.lead().await?;
        tokio::select! {
            result = hand_out(client, name, &config) => match result? {},
            doubt = office.doubtful() => eprintln!("{name} does not lead any more: {doubt:?}"),
        }
    }
}

async fn hand_out(client: &Client, name: &str, config: &Config<Pace>) -> Result<Never, Error> {
    let jobs = Queue::new(client, "/shop/jobs");
    let mut number = 0_u64;
    loop {
        if jobs.count().await? < MAX_WAITING {
            number += 1;
            let job = format!("job {number} of {name}");
            match jobs.put(job.as_bytes()).await {
                // One job more or less is the same to this shop.
                Ok(()) | Err(Error::OutcomeUnknown { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let Pace(pace) = *config.get();
        tokio::time::sleep(Duration::from_secs(1) / pace).await;
    }
}

/// Takes jobs and prints them, one worker at a time. A job that was taken is in this worker's hands
/// alone: if it dies now, that job is lost.
async fn print(client: &Client, name: &str) -> Result<Never, AnyError> {
    let jobs = Queue::new(client, "/shop/jobs");
    let lock = Lock::new(client, "/shop/printer").with_identifier(name);
    let printer = Printer::new(FOLDER);
    loop {
        let job = jobs.take().await?;
        let job = String::from_utf8_lossy(&job);
        loop {
            let hold = lock.acquire().await?;
            match printer.print(&job, name, hold.token()).await? {
                Printed::Done => {
                    hold.release().await?;
                    break;
                }
                // Somebody else has held the lock since: get in line again.
                Printed::Refused => eprintln!("{name} held an old lock; the printer refused it"),
            }
        }
    }
}
