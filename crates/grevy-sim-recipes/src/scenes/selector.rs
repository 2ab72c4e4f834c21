//! Leadership in turn: the work runs while its token is the office's, and is dropped when that
//! is doubtful; observers see one leader after the other.

use super::{Act, Role, Scene};
use crate::actor::{Actor, Phase};
use crate::book::With;
use grevy_client::Error;
use grevy_recipes::{LeaderObserver, LeaderSelector};
use std::time::Duration;

const OFFICE: &str = "/r/selector";

/// See the module's text.
pub struct Selectors;

impl Scene for Selectors {
    fn role(&self, place: usize) -> Role {
        match place {
            0 => Role::Looks,
            _ => Role::Does,
        }
    }

    fn act(&self, actor: Actor) -> Act {
        match actor.place {
            0 => Box::pin(observe(actor, OFFICE)),
            _ => Box::pin(lead(actor)),
        }
    }

    fn needs(&self) -> &'static [(&'static str, u64)] {
        &[("grants", 8), ("leaders seen", 1)]
    }
}

async fn lead(mut actor: Actor) -> Result<(), Error> {
    let selector = LeaderSelector::new(&actor.client, OFFICE, &format!("p{}", actor.place));
    let think = actor.options.think;
    while actor.plays() {
        actor.idle(think).await;
        let work = actor.around(think * 5);
        let over = actor.until(Phase::Quiet);
        tokio::select! {
            biased;
            led = lead_once(&actor, &selector, work) => led?,
            () = over => break,
        }
    }
    lead_once(&actor, &selector, Duration::from_millis(1)).await?;
    actor.leaves_nothing(OFFICE).await;
    actor.rest().await;
    Ok(())
}

async fn lead_once(
    actor: &Actor,
    selector: &LeaderSelector,
    length: Duration,
) -> Result<(), Error> {
    let work = |token: grevy_client::Zxid| {
        let belief = actor.holds(OFFICE, With::Nobody, token.0);
        async move {
            for _ in 0..4 {
                tokio::time::sleep(length / 4).await;
                belief.act();
            }
        }
    };
    selector.lead(work).await?;
    actor.did("turns");
    Ok(())
}

/// R7: each leader that an observer sees was one, later ones have greater tokens, and in the
/// end it sees who leads.
pub async fn observe(actor: Actor, office: &'static str) -> Result<(), Error> {
    let mut observer = LeaderObserver::new(&actor.client, office);
    let mut last = 0;
    let mut present = None;
    let mut stopped = std::pin::pin!(actor.until(Phase::Still));
    let mut is_still = false;
    loop {
        let seen = tokio::select! {
            biased;
            seen = observer.next() => seen?,
            () = &mut stopped, if !is_still => {
                is_still = true;
                continue;
            }
            () = tokio::time::sleep(Duration::from_secs(1)), if is_still => {
                // Nothing changes any more: what is to be seen is seen, or soon.
                let notes = actor.book.open();
                let first = notes.truth.children(office).first().map(|(born, _)| *born);
                drop(notes);
                if first == present {
                    break;
                }
                continue;
            }
        };
        present = seen.as_ref().map(|leader| leader.token.0);
        let Some(leader) = seen else { continue };
        actor.did("leaders seen");
        let token = leader.token.0;
        let mut notes = actor.book.open();
        notes.counts.check("R7");
        if token <= last {
            notes.violate("R7", format!("leader {token:x} was seen after {last:x}"));
        }
        if notes
            .truth
            .all
            .get(&token)
            .is_none_or(|life| life.path != leader.path)
        {
            notes.violate("R7", format!("{leader:?} never was"));
        }
        last = token;
    }
    actor.rest().await;
    Ok(())
}
