//! A barrier that is raised and lifted: nobody is let through who came while it stood, until it
//! is lifted.

use super::{Act, Role, Scene};
use crate::actor::{Actor, Phase};
use crate::options::Bug;
use crate::planted;
use grevy_client::Error;
use grevy_recipes::Barrier;

const PATH: &str = "/r/barrier";

/// See the module's text.
pub struct Barriers;

impl Scene for Barriers {
    fn role(&self, place: usize) -> Role {
        match place {
            0 | 1 => Role::Does,
            _ => Role::Looks,
        }
    }

    fn act(&self, actor: Actor) -> Act {
        match self.role(actor.place) {
            Role::Does => Box::pin(guard(actor)),
            Role::Looks => Box::pin(pass(actor)),
        }
    }

    fn needs(&self) -> &'static [(&'static str, u64)] {
        &[("waited", 3), ("lifted", 3)]
    }
}

/// Raises it and lifts it, and lifts it for good in the end.
async fn guard(mut actor: Actor) -> Result<(), Error> {
    let barrier = Barrier::new(&actor.client, PATH);
    let think = actor.options.think;
    while actor.plays() {
        if barrier.raise().await? {
            actor.did("raised");
        }
        // Whoever waits is to wait for the end of it, and not for any change.
        while actor.random.one_in(2) {
            actor.idle(think).await;
            drop(actor.client.set_data(PATH, b"still", None).await);
        }
        actor.idle(think * 5).await;
        if barrier.lift().await? {
            actor.did("lifted");
        }
        actor.idle(think * 2).await;
    }
    barrier.lift().await?;
    actor.rest().await;
    Ok(())
}

/// R8: between when somebody began to wait and when that was over, there was a moment without
/// the barrier.
async fn pass(mut actor: Actor) -> Result<(), Error> {
    let barrier = Barrier::new(&actor.client, PATH);
    let think = actor.options.think;
    while actor.plays() {
        actor.idle(think).await;
        let before = actor.catch_up().await?;
        match actor.has(Bug::PassesAtAnyEvent) {
            true => planted::wait_for_any_event(&actor.client, PATH).await?,
            false => barrier.wait().await?,
        }
        let mut notes = actor.book.open();
        let after = notes.truth.zxid();
        // The one that stood at first, if any did.
        let first =
            notes.truth.lives(PATH).into_iter().find(|(born, life)| {
                *born <= before && life.end.is_none_or(|end| end.zxid > before)
            });
        let first = first.map(|(born, life)| (born, life.end));
        notes.counts.check("R8");
        match first {
            Some((born, None)) => {
                let what = format!(
                    "p{} is through between {before:x} and {after:x}, and {born:x} stands",
                    actor.place
                );
                notes.violate("R8", what);
            }
            Some(_) => notes.counts.did("waited"),
            None => notes.counts.did("passed"),
        }
    }
    actor.until(Phase::Still).await;
    barrier.wait().await?;
    actor.rest().await;
    Ok(())
}
