//! A participant in recipes, by line: `participant CONNECT [--kazoo]` reads a command from each
//! line of its input and prints a line when it is done. It takes part beside others, with
//! Curator's names or kazoo's.

use grevy_client::{Client, Connector, Error};
use grevy_recipes::{
    Barrier, Counter, CounterFormat, Discovery, DoubleBarrier, Group, Hold, Inside, Instance,
    Layout, LeaderLatch, LeaderObserver, LeaderSelector, Lock, Membership, Priority, PriorityQueue,
    Queue, ReadWriteLock, Registration, Semaphore, revoke,
};
use std::error::Error as StdError;
use std::io::{self, Write};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let mut arguments = std::env::args().skip(1);
    let connect = arguments
        .next()
        .ok_or("usage: participant CONNECT [--kazoo]")?;
    let layout = match arguments.next().as_deref() {
        Some("--kazoo") => Layout::Kazoo,
        _ => Layout::Curator,
    };
    let timeout = Duration::from_secs(6);
    let client = Connector::new(&connect)?
        .session_timeout(timeout)
        .connect()
        .await?;
    let mut participant = Participant {
        client,
        layout,
        held: Vec::new(),
    };
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<_> = line.split_whitespace().collect();
        let answer = participant.command(&words).await?;
        let mut out = io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

struct Participant {
    client: Client,
    layout: Layout,
    /// What was acquired, the newest last.
    held: Vec<Held>,
}

enum Held {
    Hold(Hold),
    Membership(Membership),
    Registration(Registration),
    Inside(Inside),
    /// The work of a selected leader, and what ends it.
    Work(oneshot::Sender<()>, JoinHandle<Result<(), Error>>),
}

impl Participant {
    async fn command(&mut self, words: &[&str]) -> Result<String, Box<dyn StdError>> {
        let client = &self.client;
        let lock = |path: &str| Lock::new(client, path).with_layout(self.layout);
        let shared = |path: &str| ReadWriteLock::new(client, path).with_layout(self.layout);
        let held = match words {
            ["lock", path] => Held::Hold(lock(path).acquire().await?),
            ["try-lock", path] => match lock(path).try_acquire().await? {
                Some(hold) => Held::Hold(hold),
                None => return Ok("busy".to_owned()),
            },
            ["read", path] => Held::Hold(shared(path).read().await?),
            ["write", path] => Held::Hold(shared(path).write().await?),
            ["lease", path, limit] => {
                let semaphore = Semaphore::new(client, path, limit.parse()?);
                Held::Hold(semaphore.acquire().await?)
            }
            ["lead", path, id] => Held::Hold(LeaderLatch::new(client, path, id).lead().await?),
            ["select", path, id] => self.select(path, id).await?,
            ["join", path, id, data] => {
                let group = Group::new(client, path);
                Held::Membership(group.join(id, data.as_bytes()).await?)
            }
            ["register", base, service, id, port] => {
                let instance = Instance::new(service, id, "host", port.parse()?);
                let discovery = Discovery::new(client, base);
                Held::Registration(discovery.register(instance).await?)
            }
            ["enter", path, members] => {
                let barrier = DoubleBarrier::new(client, path, members.parse()?);
                Held::Inside(barrier.enter().await?)
            }
            ["release" | "leave"] => return self.release().await,
            ["wait-revoked"] => return self.revoked().await,
            words => return self.pass(words).await,
        };
        self.held.push(held);
        Ok("held".to_owned())
    }

    /// Commands that hold nothing.
    async fn pass(&self, words: &[&str]) -> Result<String, Box<dyn StdError>> {
        let client = &self.client;
        let count = match self.layout {
            Layout::Curator => CounterFormat::Binary,
            Layout::Kazoo => CounterFormat::Text,
        };
        match words {
            ["leader", path] => {
                let leader = LeaderObserver::new(client, path).next().await?;
                return Ok(leader.map_or("nobody".to_owned(), |leader| leader.id));
            }
            ["revoke", path] => {
                let contenders = Lock::new(client, path).contenders().await?;
                revoke(client, contenders.first().ok_or("nobody holds it")?).await?;
            }
            ["raise", path] => drop(Barrier::new(client, path).raise().await?),
            ["lift", path] => drop(Barrier::new(client, path).lift().await?),
            ["pass", path] => Barrier::new(client, path).wait().await?,
            ["put", path, data] => Queue::new(client, path).put(data.as_bytes()).await?,
            ["put", path, data, priority] => {
                let priority = Priority::new(priority.parse()?).ok_or("no priority")?;
                let queue = PriorityQueue::new(client, path);
                queue.put(data.as_bytes(), priority).await?;
            }
            ["take", path] => {
                let data = Queue::new(client, path).take().await?;
                return Ok(String::from_utf8(data)?);
            }
            ["take-urgent", path] => {
                let data = PriorityQueue::new(client, path).take().await?;
                return Ok(String::from_utf8(data)?);
            }
            ["count", path, difference] => {
                let counter = Counter::new(client, path, count);
                return Ok(counter.add(difference.parse()?).await?.to_string());
            }
            ["members", path] => {
                let members = Group::new(client, path).members().await?;
                let shown = members
                    .iter()
                    .map(|(name, data)| format!("{name}={}", String::from_utf8_lossy(data)));
                return Ok(shown.collect::<Vec<_>>().join(","));
            }
            ["instances", base, service] => {
                let view = Discovery::new(client, base).watch(service).await?;
                let shown = view
                    .instances()
                    .map(|one| format!("{}@{}:{}", one.id, one.address, one.port.unwrap_or(0)));
                return Ok(shown.collect::<Vec<_>>().join(","));
            }
            words => return Err(format!("no such command: {}", words.join(" ")).into()),
        }
        Ok("done".to_owned())
    }

    async fn select(&self, path: &str, id: &str) -> Result<Held, Box<dyn StdError>> {
        let selector = LeaderSelector::new(&self.client, path, id).with_layout(self.layout);
        let (begin, begun) = oneshot::channel();
        let (end, ended) = oneshot::channel::<()>();
        let mut once = Some((begin, ended));
        let work = tokio::spawn(async move {
            let turn = selector.lead(|_| {
                let once = once.take();
                async move {
                    if let Some((begin, ended)) = once {
                        let _ = begin.send(());
                        let _ = ended.await;
                    }
                }
            });
            turn.await
        });
        begun.await?;
        Ok(Held::Work(end, work))
    }

    async fn release(&mut self) -> Result<String, Box<dyn StdError>> {
        match self.held.pop().ok_or("nothing is held")? {
            Held::Hold(hold) => hold.release().await?,
            Held::Membership(membership) => membership.leave().await?,
            Held::Registration(registration) => registration.unregister().await?,
            Held::Inside(inside) => inside.leave().await?,
            Held::Work(end, work) => {
                drop(end);
                work.await??;
            }
        }
        Ok("released".to_owned())
    }

    async fn revoked(&self) -> Result<String, Box<dyn StdError>> {
        match self.held.last() {
            Some(Held::Hold(hold)) => hold.revoked().await?,
            _ => return Err("nothing is held that could be asked back".into()),
        }
        Ok("revoked".to_owned())
    }
}
