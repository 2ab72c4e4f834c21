//! Values that are changed from what they were: each acknowledged change is made once, and no
//! other is but those whose outcome nobody knows.

use super::{Act, Scene};
use crate::actor::Actor;
use crate::book::{Book, Notes};
use crate::options::{Bug, Options};
use crate::recipe::Recipe;
use grevy_client::Error;
use grevy_recipes::{AtomicValue, Counter, CounterError, CounterFormat};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const PATH: &str = "/r/value";

/// See the module's text.
pub struct Values {
    recipe: Recipe,
    told: Arc<Mutex<Told>>,
}

/// What was acknowledged.
#[derive(Debug, Default)]
struct Told {
    /// How many changes, by place and life.
    changes: BTreeMap<(usize, u32), u64>,
    /// Numbers that somebody was told.
    numbers: BTreeSet<i64>,
    /// Marks that somebody has left.
    marks: BTreeSet<String>,
}

impl Values {
    /// Of the run's recipe.
    pub fn new(options: &Options) -> Self {
        Self {
            recipe: options.recipe,
            told: Arc::default(),
        }
    }
}

impl Scene for Values {
    fn act(&self, actor: Actor) -> Act {
        match self.recipe {
            Recipe::Counter => Box::pin(count(actor, self.told.clone())),
            _ => Box::pin(mark(actor, self.told.clone())),
        }
    }

    fn end(&self, book: &Book) {
        let mut notes = book.open();
        let told = self.told.lock();
        judge_changes(&told, &mut notes);
        match self.recipe {
            Recipe::Counter => judge_numbers(&mut notes),
            _ => judge_marks(&told, &mut notes),
        }
    }

    fn needs(&self) -> &'static [(&'static str, u64)] {
        &[("changes", 10)]
    }
}

async fn count(mut actor: Actor, told: Arc<Mutex<Told>>) -> Result<(), Error> {
    let counter = Counter::new(&actor.client, PATH, CounterFormat::Text);
    let think = actor.options.think;
    while actor.plays() {
        actor.idle(think).await;
        let mut result = counter.add(1).await;
        while actor.has(Bug::CountsAgain)
            && let Err(CounterError::Client(Error::OutcomeUnknown { .. })) = result
        {
            result = counter.add(1).await;
        }
        match result {
            Ok(number) => {
                acknowledged(&actor, &told);
                if !told.lock().numbers.insert(number) {
                    actor.violate("R10", &format!("{number} was told to two"));
                }
            }
            Err(CounterError::Client(error)) => unknown(&actor, error)?,
            Err(error) => actor.violate("R10", &error.to_string()),
        }
    }
    actor.rest().await;
    Ok(())
}

async fn mark(mut actor: Actor, told: Arc<Mutex<Told>>) -> Result<(), Error> {
    let value = AtomicValue::new(&actor.client, PATH);
    let think = actor.options.think;
    let mut made = 0;
    while actor.plays() {
        // The value grows with each.
        actor
            .idle((think * 3).max(Duration::from_millis(200)))
            .await;
        made += 1;
        let mark = format!("p{}.{}.{made}", actor.place, actor.life);
        let change = |old: &[u8]| [old, mark.as_bytes(), b" "].concat();
        match value.update(change).await {
            Ok(new) => {
                acknowledged(&actor, &told);
                if !marks(&new).any(|found| found == mark) {
                    actor.violate("R10", &format!("{mark} is not in what was returned"));
                }
                told.lock().marks.insert(mark);
            }
            Err(error) => unknown(&actor, error)?,
        }
    }
    actor.rest().await;
    Ok(())
}

fn acknowledged(actor: &Actor, told: &Mutex<Told>) {
    actor.did("changes");
    let me = (actor.place, actor.life);
    *told.lock().changes.entry(me).or_default() += 1;
}

fn unknown(actor: &Actor, error: Error) -> Result<(), Error> {
    actor.did("changes unknown");
    actor.misfortune();
    match error.ends_session() {
        true => Err(error),
        false => Ok(()),
    }
}

fn marks(value: &[u8]) -> impl Iterator<Item = String> {
    let text = String::from_utf8_lossy(value).into_owned();
    let marks: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    marks.into_iter()
}

/// R10: each life has made as many changes as it was told of, and at most one more for each
/// time that it was told nothing.
fn judge_changes(told: &Told, notes: &mut Notes) {
    let mut made: BTreeMap<(usize, u32), u64> = BTreeMap::new();
    for write in notes.truth.writes.iter().filter(|write| write.path == PATH) {
        if let Some(life) = notes.sessions.get(&write.session) {
            *made.entry(*life).or_default() += 1;
        }
    }
    let lives: BTreeSet<_> = made.keys().chain(told.changes.keys()).copied().collect();
    for life in lives {
        let acknowledged = told.changes.get(&life).copied().unwrap_or(0);
        let most = acknowledged + notes.misfortunes.get(&life).copied().unwrap_or(0);
        let made = made.get(&life).copied().unwrap_or(0);
        notes.counts.check("R10");
        if !(acknowledged..=most).contains(&made) {
            let what = format!("{life:?} made {made} changes, of {acknowledged} to {most}");
            notes.violate("R10", what);
        }
    }
}

/// R10: one after the other, without a gap.
fn judge_numbers(notes: &mut Notes) {
    let numbers = notes.truth.writes.iter().filter(|write| write.path == PATH);
    let numbers: Vec<String> = numbers
        .map(|write| String::from_utf8_lossy(&write.data).into_owned())
        .collect();
    for (at, number) in numbers.iter().enumerate() {
        if *number != (at + 1).to_string() {
            return notes.violate("R10", format!("change {at} made it {number}"));
        }
    }
}

/// R10: every mark that was acknowledged is there, and none is twice.
fn judge_marks(told: &Told, notes: &mut Notes) {
    let value = notes.truth.data(PATH).unwrap_or_default().to_vec();
    let mut found = BTreeSet::new();
    for mark in marks(&value) {
        if !found.insert(mark.clone()) {
            notes.violate("R10", format!("{mark} is there twice"));
        }
    }
    if let Some(lost) = told.marks.iter().find(|mark| !found.contains(*mark)) {
        notes.violate("R10", format!("{lost} is lost"));
    }
}
