//! Queues: what was put is given once, or is still there, or was taken by somebody who could not
//! say so; nothing is given twice; and the first is taken first.

use super::{Act, Scene};
use crate::actor::{Actor, Phase};
use crate::book::{Book, Notes};
use crate::options::{Bug, Options};
use crate::planted;
use crate::recipe::Recipe;
use crate::truth::Event;
use grevy_client::Error;
use grevy_recipes::{Priority, PriorityQueue, Queue};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const PATH: &str = "/r/queue";

/// See the module's text.
pub struct Queues {
    recipe: Recipe,
    seen: Arc<Mutex<Seen>>,
}

/// What putters and takers were told.
#[derive(Debug, Default)]
struct Seen {
    /// Elements that are certainly put.
    put: BTreeSet<Vec<u8>>,
    /// Elements that may have been put.
    perhaps: BTreeSet<Vec<u8>>,
    given: BTreeMap<Vec<u8>, usize>,
}

impl Queues {
    /// Of the run's recipe.
    pub fn new(options: &Options) -> Self {
        Self {
            recipe: options.recipe,
            seen: Arc::default(),
        }
    }
}

/// Either queue.
enum Line {
    Fair(Queue),
    Urgent(PriorityQueue),
    /// With a bug.
    Careless(planted::CarelessQueue),
}

impl Line {
    async fn put(&self, data: &[u8], priority: u16) -> Result<(), Error> {
        match self {
            Self::Fair(queue) => queue.put(data).await,
            Self::Careless(queue) => queue.put(data).await,
            Self::Urgent(queue) => {
                let priority = Priority::new(priority).unwrap_or(Priority::NORMAL);
                queue.put(data, priority).await
            }
        }
    }

    async fn take(&self, waits: bool) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Fair(queue) if waits => queue.take().await.map(Some),
            Self::Fair(queue) => queue.try_take().await,
            Self::Urgent(queue) if waits => queue.take().await.map(Some),
            Self::Urgent(queue) => queue.try_take().await,
            Self::Careless(queue) => queue.try_take().await,
        }
    }
}

impl Scene for Queues {
    fn act(&self, actor: Actor) -> Act {
        let line = match self.recipe {
            Recipe::PriorityQueue => Line::Urgent(PriorityQueue::new(&actor.client, PATH)),
            _ if actor.has(Bug::TakesWhatIsGone) => {
                Line::Careless(planted::CarelessQueue::new(&actor.client, PATH))
            }
            _ => Line::Fair(Queue::new(&actor.client, PATH)),
        };
        Box::pin(put_and_take(actor, line, self.seen.clone()))
    }

    /// R9: when an element is taken, none is there that came before and is as urgent.
    fn committed(&self, notes: &mut Notes, event: &Event) {
        let Event::Deleted(_, path) = event else {
            return;
        };
        let Some(kind) = path.len().checked_sub(10).and_then(|at| path.get(..at)) else {
            return;
        };
        if !path.starts_with("/r/queue/") {
            return;
        }
        notes.counts.check("R9");
        let children = notes.truth.children(PATH);
        let mut before = children.iter().filter(|(_, other)| other < path);
        if let Some((_, other)) = before.find(|(_, other)| other.starts_with(kind)) {
            notes.violate("R9", format!("{path} was taken before {other}"));
        }
    }

    fn end(&self, book: &Book) {
        judge(&self.seen.lock(), &mut book.open());
    }

    fn needs(&self) -> &'static [(&'static str, u64)] {
        &[("given", 10)]
    }
}

async fn put_and_take(mut actor: Actor, line: Line, seen: Arc<Mutex<Seen>>) -> Result<(), Error> {
    let think = actor.options.think;
    let mut made = 0;
    while actor.plays() {
        actor.idle(think).await;
        if actor.random.percent(40) {
            made += 1;
            let name = format!("p{}.{}.{made}", actor.place, actor.life).into_bytes();
            // In case it dies before it knows.
            seen.lock().perhaps.insert(name.clone());
            let priority = *actor.random.pick(&[1, 100, 100, 999]);
            match line.put(&name, priority).await {
                Ok(()) => drop(seen.lock().put.insert(name)),
                Err(error) if error.ends_session() => return Err(error),
                Err(_) => actor.did("puts unknown"),
            }
            continue;
        }
        let waits = actor.random.one_in(2);
        let patience = actor.around(think * 4).max(Duration::from_millis(1));
        let over = actor.until(Phase::Quiet);
        let taken = tokio::select! {
            biased;
            taken = tokio::time::timeout(patience, line.take(waits)) => taken,
            // What was about to be taken may be lost with that.
            () = over => return finish(actor).await,
        };
        match taken {
            Ok(Ok(Some(name))) => {
                actor.did("given");
                *seen.lock().given.entry(name).or_default() += 1;
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => {
                actor.misfortune();
                if error.ends_session() {
                    return Err(error);
                }
            }
            Err(_) => actor.misfortune(),
        }
    }
    actor.rest().await;
    Ok(())
}

async fn finish(actor: Actor) -> Result<(), Error> {
    actor.misfortune();
    actor.rest().await;
    Ok(())
}

/// R9: see the module's text.
fn judge(seen: &Seen, notes: &mut Notes) {
    for (name, times) in &seen.given {
        let name_text = String::from_utf8_lossy(name);
        notes.counts.check("R9");
        if *times > 1 {
            notes.violate("R9", format!("{name_text} was given {times} times"));
        }
        if !seen.perhaps.contains(name) {
            notes.violate("R9", format!("{name_text} was given, and nobody put it"));
        }
    }
    let mut excuses = notes.misfortunes.clone();
    let writes = std::mem::take(&mut notes.truth.writes);
    let mut born = BTreeMap::new();
    for write in writes
        .iter()
        .filter(|write| write.path.starts_with("/r/queue/"))
    {
        if born.insert(write.data.clone(), write.zxid).is_some() {
            let name = String::from_utf8_lossy(&write.data);
            notes.violate("R9", format!("{name} was put twice"));
        }
    }
    for name in seen
        .put
        .iter()
        .filter(|name| !seen.given.contains_key(*name))
    {
        let text = String::from_utf8_lossy(name);
        let life = born.get(name).and_then(|born| notes.truth.all.get(born));
        let Some(life) = life else {
            notes.violate("R9", format!("{text} was put, and never was there"));
            continue;
        };
        let Some(end) = life.end else { continue };
        // Whoever deleted it must have died of it, or have been told that it may have.
        let taker = notes.sessions.get(&end.session);
        let excuse = taker.and_then(|taker| excuses.get_mut(taker));
        match excuse {
            Some(left) if *left > 0 => *left -= 1,
            _ => {
                let what = format!("{text} was taken by {taker:?}, and given to nobody");
                notes.violate("R9", what);
            }
        }
    }
    notes.truth.writes = writes;
}
