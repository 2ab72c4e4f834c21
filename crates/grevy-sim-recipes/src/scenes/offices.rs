//! What is held: locks, leases, offices. Whoever is granted one holds it by the servers' account,
//! with nobody who must not; tokens are in the order of holding; a lost one is not believed in
//! for long; and nothing is left behind by who gives up waiting.

use super::selector::observe;
use super::{Act, Role, Scene};
use crate::actor::{Actor, Phase};
use crate::book::With;
use crate::options::{Bug, Options};
use crate::planted;
use crate::recipe::Recipe;
use grevy_client::{Client, Error};
use grevy_recipes::{
    Doubt, Hold, LeaderLatch, Lock, ReadWriteLock, ReentrantHold, ReentrantLock, Semaphore,
};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Leases of the semaphore.
const LIMIT: usize = 2;

/// See the module's text.
pub struct Offices {
    recipe: Recipe,
    bug: Option<Bug>,
}

impl Offices {
    /// Of the run's recipe.
    pub fn new(options: &Options) -> Self {
        Self {
            recipe: options.recipe,
            bug: options.bug,
        }
    }
}

impl Scene for Offices {
    fn role(&self, place: usize) -> Role {
        match self.recipe == Recipe::LeaderLatch && place == 0 {
            true => Role::Looks,
            false => Role::Does,
        }
    }

    fn act(&self, actor: Actor) -> Act {
        if self.role(actor.place) == Role::Looks {
            return Box::pin(observe(actor, "/r/latch"));
        }
        let office = Office::new(self.recipe, self.bug, &actor);
        Box::pin(hold_now_and_then(actor, office))
    }

    fn needs(&self) -> &'static [(&'static str, u64)] {
        &[("grants", 8)]
    }
}

/// What is to be held, and how.
enum Office {
    Lock(Lock),
    Hasty(planted::HastyLock),
    Reentrant(ReentrantLock),
    ReadWrite(ReadWriteLock),
    Semaphore(Semaphore),
    Careless(planted::CarelessSemaphore),
    Latch(LeaderLatch),
}

/// What is held.
enum Held {
    Hold(Hold),
    Reentrant(ReentrantHold),
    /// With a bug.
    Planted(planted::Hold),
}

impl Held {
    fn token(&self) -> i64 {
        match self {
            Self::Hold(hold) => hold.token().0,
            Self::Reentrant(hold) => hold.token().0,
            Self::Planted(hold) => hold.token,
        }
    }

    async fn doubtful(&self) -> Doubt {
        match self {
            Self::Hold(hold) => hold.doubtful().await,
            Self::Reentrant(hold) => hold.doubtful().await,
            Self::Planted(hold) => hold.doubtful().await,
        }
    }

    async fn verify(&self) -> Result<bool, Error> {
        match self {
            Self::Hold(hold) => hold.verify().await,
            Self::Reentrant(hold) => hold.verify().await,
            Self::Planted(_) => Ok(false),
        }
    }
}

impl Office {
    fn new(recipe: Recipe, bug: Option<Bug>, actor: &Actor) -> Self {
        let client: &Client = &actor.client;
        match (recipe, bug) {
            (Recipe::Semaphore, Some(Bug::CountsBeforeItLeases)) => Self::Careless(
                planted::CarelessSemaphore::new(client, "/r/sem/leases", LIMIT),
            ),
            (Recipe::Semaphore, _) => Self::Semaphore(Semaphore::new(client, "/r/sem", LIMIT)),
            (Recipe::ReentrantLock, _) => Self::Reentrant(ReentrantLock::new(client, "/r/lock")),
            (Recipe::ReadWriteLock, _) => Self::ReadWrite(ReadWriteLock::new(client, "/r/rw")),
            (Recipe::LeaderLatch, _) => {
                let id = format!("p{}", actor.place);
                Self::Latch(LeaderLatch::new(client, "/r/latch", &id))
            }
            (_, Some(Bug::TrustsThePredecessor)) => {
                Self::Hasty(planted::HastyLock::new(client, "/r/lock"))
            }
            _ => Self::Lock(Lock::new(client, "/r/lock")),
        }
    }

    /// Where the contenders' znodes are.
    fn path(&self) -> &'static str {
        match self {
            Self::Lock(_) | Self::Hasty(_) | Self::Reentrant(_) => "/r/lock",
            Self::ReadWrite(_) => "/r/rw",
            Self::Semaphore(_) | Self::Careless(_) => "/r/sem/leases",
            Self::Latch(_) => "/r/latch",
        }
    }

    async fn acquire(&self, with: With) -> Result<Held, Error> {
        let hold = match self {
            Self::Lock(lock) => lock.acquire().await,
            Self::Hasty(lock) => return lock.acquire().await.map(Held::Planted),
            Self::Reentrant(lock) => return lock.acquire().await.map(Held::Reentrant),
            Self::ReadWrite(lock) if with == With::Likes => lock.read().await,
            Self::ReadWrite(lock) => lock.write().await,
            Self::Semaphore(semaphore) => semaphore.acquire().await,
            Self::Careless(leases) => return leases.acquire().await.map(Held::Planted),
            Self::Latch(latch) => latch.lead().await,
        };
        hold.map(Held::Hold)
    }

    /// For those that can do without waiting.
    async fn try_acquire(&self, with: With) -> Result<Option<Held>, Error> {
        let hold = match self {
            Self::Lock(lock) => lock.try_acquire().await,
            Self::ReadWrite(lock) if with == With::Likes => lock.try_read().await,
            Self::ReadWrite(lock) => lock.try_write().await,
            _ => return self.acquire(with).await.map(Some),
        };
        Ok(hold?.map(Held::Hold))
    }

    fn with(&self, actor: &mut Actor) -> With {
        match self {
            Self::Semaphore(_) | Self::Careless(_) => With::UpTo(LIMIT),
            Self::ReadWrite(_) if actor.random.percent(60) => With::Likes,
            _ => With::Nobody,
        }
    }
}

async fn hold_now_and_then(mut actor: Actor, office: Office) -> Result<(), Error> {
    let think = actor.options.think;
    while actor.plays() {
        actor.idle(think).await;
        let with = office.with(&mut actor);
        let over = actor.until(Phase::Quiet);
        // Who waits may lose patience; nothing of it may be left behind.
        let patience = match actor.random.one_in(4) {
            true => actor.around(think * 3),
            false => Duration::from_secs(3600),
        };
        let tries = actor.random.one_in(6);
        let acquire = async {
            match tries {
                true => office.try_acquire(with).await,
                false => office.acquire(with).await.map(Some),
            }
        };
        let held = tokio::select! {
            biased;
            held = timeout(patience, acquire) => held,
            () = over => break,
        };
        match held {
            Ok(Ok(Some(held))) => use_it(&mut actor, &office, with, held).await?,
            Ok(Ok(None)) => actor.did("tries in vain"),
            Ok(Err(error)) if error.ends_session() => return Err(error),
            // The answer to a release was lost, which goes on in the background.
            Ok(Err(_)) => actor.did("lost answers"),
            Err(_) => actor.did("lost patience"),
        }
    }
    // All is well now, so that everybody's turn comes.
    let with = office.with(&mut actor);
    let held = office.acquire(with).await?;
    use_it(&mut actor, &office, with, held).await?;
    actor.leaves_nothing(office.path()).await;
    actor.rest().await;
    Ok(())
}

/// Holds something for a while, or until that is doubtful.
async fn use_it(actor: &mut Actor, office: &Office, with: With, held: Held) -> Result<(), Error> {
    let token = held.token();
    let mut belief = actor.holds(office.path(), with, token);
    let rather_long = match actor.plays() && actor.random.one_in(12) {
        true => Duration::from_secs(8),
        false => actor.options.think * 3,
    };
    let until = Instant::now() + actor.around(rather_long);
    // Some give up at the first doubt, others ask.
    let asks = actor.random.one_in(2);
    let reenters = actor.random.one_in(2);
    let mut again = None;
    while Instant::now() < until {
        let pause = actor.around(rather_long / 5);
        let doubt = tokio::select! {
            biased;
            doubt = doubt(actor, &held) => doubt,
            () = tokio::time::sleep(pause) => {
                belief.act();
                if let Office::Reentrant(lock) = office && reenters && again.is_none() {
                    again = reenter(actor, lock, token).await?;
                }
                continue;
            }
        };
        drop(belief);
        actor.say(&format!("doubts {token:x}: {doubt:?}"));
        actor.did("doubts");
        if doubt != Doubt::Disconnected || !asks {
            return Ok(());
        }
        let before = actor.book.open().truth.zxid();
        match held.verify().await {
            Ok(true) => {
                verified(actor, token, before);
                belief = actor.holds(office.path(), with, token);
            }
            Ok(false) => return Ok(()),
            Err(error) if error.ends_session() => return Err(error),
            Err(_) => return Ok(()),
        }
    }
    drop(belief);
    if let (Held::Hold(hold), true) = (held, actor.random.one_in(2)) {
        match hold.release().await {
            Err(error) if error.ends_session() => return Err(error),
            released => drop(released),
        }
    }
    Ok(())
}

/// Waits until it is no longer certain that something is held.
async fn doubt(actor: &Actor, held: &Held) -> Doubt {
    let doubt = held.doubtful().await;
    if actor.has(Bug::BelievesOnReconnect) && doubt == Doubt::Disconnected {
        drop(actor.client.connected().await);
        std::future::pending().await
    }
    doubt
}

/// Acquires a lock that is held already: the same one, unless it was lost.
async fn reenter(
    actor: &Actor,
    lock: &ReentrantLock,
    token: i64,
) -> Result<Option<ReentrantHold>, Error> {
    // What was lost is acquired anew, which may take any time.
    let again = match timeout(Duration::from_millis(500), lock.acquire()).await {
        Ok(again) => again?,
        Err(_) => return Ok(None),
    };
    let other = again.token().0;
    let notes = actor.book.open();
    if other != token && notes.truth.exists(token) {
        drop(notes);
        actor.violate(
            "R1",
            &format!("{other:x} was entered anew, and {token:x} is held"),
        );
    }
    Ok((other == token).then_some(again))
}

/// R6: what is verified was held after that was asked.
fn verified(actor: &Actor, token: i64, before: i64) {
    let mut notes = actor.book.open();
    notes.counts.check("R6");
    let life = notes.truth.all.get(&token).and_then(|life| life.end);
    if let Some(end) = life
        && end.zxid <= before
    {
        let what = format!(
            "{token:x} was verified after {before:x}, and lost by {:x}",
            end.zxid
        );
        notes.violate("R6", what);
    }
}
