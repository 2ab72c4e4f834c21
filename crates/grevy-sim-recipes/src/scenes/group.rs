//! Membership: a name is one session's at a time, and in the end whoever looks sees the living
//! members, and what they let others know.

use super::{Act, Role, Scene};
use crate::actor::{Actor, Phase};
use crate::book::With;
use crate::options::Bug;
use crate::planted;
use grevy_client::Error;
use grevy_recipes::{Group, Membership};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const PATH: &str = "/r/group";

/// See the module's text.
pub struct Groups;

impl Scene for Groups {
    fn role(&self, place: usize) -> Role {
        match place {
            0 => Role::Looks,
            _ => Role::Does,
        }
    }

    fn act(&self, actor: Actor) -> Act {
        match actor.place {
            0 => Box::pin(look(actor)),
            _ => Box::pin(join_and_leave(actor)),
        }
    }

    fn needs(&self) -> &'static [(&'static str, u64)] {
        &[("grants", 6), ("views", 1)]
    }
}

async fn join_and_leave(mut actor: Actor) -> Result<(), Error> {
    let group = Group::new(&actor.client, PATH);
    // A process that takes another's place has its name, while the other's session may last.
    let name = format!("p{}", actor.place);
    let path = format!("{PATH}/{name}");
    let think = actor.options.think;
    while actor.plays() {
        actor.idle(think).await;
        if actor.has(Bug::TakesAnyName) {
            let token = planted::take_name(&actor.client, &path).await?;
            let _belief = actor.holds(&path, With::Nobody, token);
            actor.idle(think).await;
            continue;
        }
        let membership = group.join(&name, b"new").await?;
        let token = membership.token().0;
        let belief = actor.holds(&path, With::Nobody, token);
        let length = actor.around(think * 10);
        let busy = change(&actor, &membership, length);
        let left = tokio::select! {
            biased;
            doubt = membership.doubtful() => {
                actor.say(&format!("doubts {token:x}: {doubt:?}"));
                None
            }
            busy = busy => Some(busy),
        };
        drop(belief);
        match left {
            Some(Err(error)) if error.ends_session() => return Err(error),
            Some(Ok(())) if actor.random.one_in(2) => drop(membership.leave().await),
            _ => drop(membership),
        }
    }
    let membership = group.join(&name, b"new").await?;
    membership.set_data(b"last").await?;
    actor.rest().await;
    drop(membership);
    Ok(())
}

/// Lets others know this and that.
async fn change(actor: &Actor, membership: &Membership, length: Duration) -> Result<(), Error> {
    for number in 0..4 {
        tokio::time::sleep(length / 4).await;
        membership
            .set_data(format!("at {number}").as_bytes())
            .await?;
        actor.did("changes");
    }
    Ok(())
}

/// R11: in the end, those who were found and those who are seen are those who are there.
async fn look(actor: Actor) -> Result<(), Error> {
    let group = Group::new(&actor.client, PATH);
    let mut seen = group.watch().await?;
    let mut still = std::pin::pin!(actor.until(Phase::Still));
    loop {
        tokio::select! {
            biased;
            () = &mut still => break,
            change = seen.next() => drop(change?),
        }
        actor.did("views");
    }
    let deadline = Instant::now() + actor.options.patience();
    loop {
        // What has happened already is told soon.
        while let Ok(change) = timeout(Duration::from_millis(500), seen.next()).await {
            drop(change?);
        }
        let found = group.members().await?;
        let nodes = seen.nodes().filter(|(path, _)| *path != PATH);
        let seen: BTreeMap<String, Vec<u8>> = nodes
            .map(|(path, node)| (path.replace("/r/group/", ""), node.data.clone()))
            .collect();
        let living: BTreeMap<String, Vec<u8>> = (1..actor.options.places)
            .map(|place| (format!("p{place}"), b"last".to_vec()))
            .collect();
        actor.book.open().counts.check("R11");
        if found == living && seen == living {
            break;
        }
        if Instant::now() > deadline {
            let what = format!("{living:?} are members, {found:?} were found, {seen:?} are seen");
            actor.violate("R11", &what);
            break;
        }
    }
    actor.rest().await;
    Ok(())
}
