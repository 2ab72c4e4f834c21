//! A barrier that lets so many in together: it opens only when so many are there, nobody is in
//! before, and nobody is out while others who were in with it are still in.

use super::{Act, Scene};
use crate::actor::{Actor, Phase};
use crate::book::Notes;
use crate::options::Options;
use crate::truth::Event;
use grevy_client::Error;
use grevy_recipes::{DoubleBarrier, Inside};
use parking_lot::Mutex;
use std::collections::BTreeMap;

const PATH: &str = "/r/double";
const READY: &str = "/r/double/ready";

/// See the module's text.
pub struct DoubleBarriers {
    members: usize,
    /// The most members that each member has been there with, by the transaction it came with.
    company: Mutex<BTreeMap<i64, usize>>,
}

impl DoubleBarriers {
    /// For fewer than there are processes, so that some can be lost.
    pub fn new(options: &Options) -> Self {
        Self {
            members: 2 + options.places / 6,
            company: Mutex::default(),
        }
    }
}

impl Scene for DoubleBarriers {
    fn act(&self, actor: Actor) -> Act {
        let members = self.members;
        Box::pin(come_and_go(actor, members))
    }

    /// R8: whoever opens it has been there with enough others.
    fn committed(&self, notes: &mut Notes, event: &Event) {
        let Event::Created(zxid, path) = event else {
            return;
        };
        let mut present = notes.truth.children(PATH);
        present.retain(|(_, path)| path != READY);
        let mut company = self.company.lock();
        if path != READY {
            for (born, _) in &present {
                let most = company.entry(*born).or_default();
                *most = present.len().max(*most);
            }
            return;
        }
        notes.counts.did("opened");
        notes.counts.check("R8");
        let creator = |born: &i64| notes.truth.all.get(born).map(|life| life.creator);
        let own = present
            .iter()
            .find(|(born, _)| creator(born) == creator(zxid));
        let most = own.and_then(|(born, _)| company.get(born)).copied();
        if most.is_none_or(|most| most < self.members) {
            let what = format!("{zxid:x} opened it for {most:?} of {}", self.members);
            notes.violate("R8", what);
        }
    }

    fn needs(&self) -> &'static [(&'static str, u64)] {
        &[("opened", 2), ("entered", 4), ("left", 2)]
    }
}

async fn come_and_go(mut actor: Actor, members: usize) -> Result<(), Error> {
    let barrier = DoubleBarrier::new(&actor.client, PATH, members);
    let think = actor.options.think;
    while actor.plays() {
        actor.idle(think).await;
        let before = actor.book.open().truth.zxid();
        let over = actor.until(Phase::Quiet);
        let inside = tokio::select! {
            biased;
            inside = barrier.enter() => inside?,
            // Others may be too few by now.
            () = over => break,
        };
        let opened = entered(&actor, before);
        actor.idle(think * 2).await;
        match actor.random.one_in(6) {
            true => drop(inside),
            false => leave(&actor, inside, opened).await?,
        }
    }
    actor.leaves_nothing(PATH).await;
    actor.rest().await;
    Ok(())
}

/// R8: it was open at some time since this one came. Returns the transaction that opened it.
fn entered(actor: &Actor, before: i64) -> i64 {
    let mut notes = actor.book.open();
    notes.counts.did("entered");
    notes.counts.check("R8");
    let open = notes.truth.lives(READY);
    let opened = open
        .iter()
        .find(|(_, life)| life.end.is_none_or(|end| end.zxid > before));
    let opened = opened.map(|(born, _)| *born);
    if opened.is_none() {
        let what = format!(
            "p{} is in, and it was not open since {before:x}",
            actor.place
        );
        notes.violate("R8", what);
    }
    opened.unwrap_or(i64::MAX)
}

/// R8: whoever was there when it opened, and still was when this one began to leave, is out.
async fn leave(actor: &Actor, inside: Inside, opened: i64) -> Result<(), Error> {
    let children = actor.book.open().truth.children(PATH);
    let with: Vec<(i64, String)> = children
        .into_iter()
        .filter(|(born, _)| *born < opened)
        .collect();
    match inside.leave().await {
        Ok(()) => {}
        Err(error) if error.ends_session() => return Err(error),
        // It is out, but nobody knows about the others.
        Err(_) => return Ok(()),
    }
    let mut notes = actor.book.open();
    notes.counts.did("left");
    notes.counts.check("R8");
    if let Some((_, path)) = with.iter().find(|(born, _)| notes.truth.exists(*born)) {
        let what = format!("p{} is out, and {path} is still in", actor.place);
        notes.violate("R8", what);
    }
    Ok(())
}
