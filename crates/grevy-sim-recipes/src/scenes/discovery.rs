//! Discovery: an id is one session's at a time, and in the end whoever looks sees the living
//! instances, and how they are.

use super::{Act, Role, Scene};
use crate::actor::{Actor, Phase};
use crate::book::With;
use grevy_client::Error;
use grevy_recipes::{Discovery, Instance};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const BASE: &str = "/r/services";
const SERVICE: &str = "search";

/// See the module's text.
pub struct Services;

impl Scene for Services {
    fn role(&self, place: usize) -> Role {
        match place {
            0 => Role::Looks,
            _ => Role::Does,
        }
    }

    fn act(&self, actor: Actor) -> Act {
        match actor.place {
            0 => Box::pin(look(actor)),
            _ => Box::pin(serve(actor)),
        }
    }

    fn needs(&self) -> &'static [(&'static str, u64)] {
        &[("grants", 6), ("views", 1)]
    }
}

/// An instance of this process, registered at no time in particular: nothing in a run may depend
/// on the system's clock.
fn instance(actor: &Actor) -> Instance {
    let id = format!("p{}", actor.place);
    Instance {
        registered_ms: 0,
        ..Instance::new(SERVICE, &id, "10.0.0.1", 80)
    }
}

async fn serve(mut actor: Actor) -> Result<(), Error> {
    let discovery = Discovery::new(&actor.client, BASE);
    let path = format!("{BASE}/{SERVICE}/p{}", actor.place);
    let think = actor.options.think;
    while actor.plays() {
        actor.idle(think).await;
        let mut registration = discovery.register(instance(&actor)).await?;
        let token = registration.membership().token().0;
        for number in 0..=actor.random.below(4) {
            let belief = actor.holds(&path, With::Nobody, token);
            let idle = actor.around(think * 3);
            let doubt = timeout(idle, registration.membership().doubtful()).await;
            if doubt.is_err() {
                belief.act();
            }
            drop(belief);
            if doubt.is_ok() {
                break;
            }
            match registration.set_enabled(number % 2 == 1).await {
                Ok(()) => actor.did("changes"),
                Err(error) if error.ends_session() => return Err(error),
                // Somebody has deleted it.
                Err(_) => break,
            }
        }
        match actor.random.one_in(2) {
            true => drop(registration.unregister().await),
            false => drop(registration),
        }
    }
    let mut registration = discovery.register(instance(&actor)).await?;
    registration.set_enabled(actor.place % 2 == 1).await?;
    actor.rest().await;
    drop(registration);
    Ok(())
}

/// R11: in the end, the instances that are seen are those that there are.
async fn look(actor: Actor) -> Result<(), Error> {
    let discovery = Discovery::new(&actor.client, BASE);
    let mut view = discovery.watch(SERVICE).await?;
    let mut still = std::pin::pin!(actor.until(Phase::Still));
    loop {
        tokio::select! {
            biased;
            () = &mut still => break,
            change = view.next() => change?,
        }
        actor.did("views");
    }
    let deadline = Instant::now() + actor.options.patience();
    loop {
        // What has happened already is told soon.
        while let Ok(change) = timeout(Duration::from_millis(500), view.next()).await {
            change?;
        }
        let seen = view.instances();
        let seen: BTreeMap<&str, bool> = seen.map(|i| (&*i.id, i.is_enabled)).collect();
        let ids: Vec<String> = (1..actor.options.places).map(|p| format!("p{p}")).collect();
        let living: BTreeMap<&str, bool> = ids
            .iter()
            .zip(1..)
            .map(|(id, place)| (&**id, place % 2 == 1))
            .collect();
        actor.book.open().counts.check("R11");
        if seen == living {
            break;
        }
        if Instant::now() > deadline {
            actor.violate("R11", &format!("{living:?} are there, {seen:?} are seen"));
            break;
        }
    }
    actor.rest().await;
    Ok(())
}
