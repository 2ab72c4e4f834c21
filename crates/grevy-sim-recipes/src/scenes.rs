//! What processes do with each recipe, and what must hold: a file for each family.

mod barriers;
mod caches;
mod config;
mod discovery;
mod double_barrier;
mod group;
mod offices;
mod queues;
mod selector;
mod values;

use crate::actor::Actor;
use crate::book::{Book, Notes};
use crate::options::Options;
use crate::recipe::Recipe;
use crate::truth::Event;
use grevy_client::Error;
use std::pin::Pin;
use std::sync::Arc;

/// What a process does, from its start until the run is over. It fails with its session.
pub type Act = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// What a process in some place is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It does something to the znodes.
    Does,
    /// It only looks at them, and must see how they are in the end.
    Looks,
}

/// See the module's text.
pub trait Scene: Send + Sync {
    /// What the process in this place is for.
    fn role(&self, _place: usize) -> Role {
        Role::Does
    }

    /// What a process does.
    fn act(&self, actor: Actor) -> Act;

    /// Something was committed.
    fn committed(&self, _notes: &mut Notes, _event: &Event) {}

    /// The run is over.
    fn end(&self, _book: &Book) {}

    /// What must have been done, and how often, for a run to prove anything.
    fn needs(&self) -> &'static [(&'static str, u64)];
}

/// The scene of a recipe.
pub fn of(options: &Options) -> Arc<dyn Scene> {
    match options.recipe {
        Recipe::Lock
        | Recipe::ReentrantLock
        | Recipe::ReadWriteLock
        | Recipe::Semaphore
        | Recipe::LeaderLatch => Arc::new(offices::Offices::new(options)),
        Recipe::LeaderSelector => Arc::new(selector::Selectors),
        Recipe::Barrier => Arc::new(barriers::Barriers),
        Recipe::DoubleBarrier => Arc::new(double_barrier::DoubleBarriers::new(options)),
        Recipe::Queue | Recipe::PriorityQueue => Arc::new(queues::Queues::new(options)),
        Recipe::AtomicValue | Recipe::Counter => Arc::new(values::Values::new(options)),
        Recipe::Group => Arc::new(group::Groups),
        Recipe::Discovery => Arc::new(discovery::Services),
        Recipe::Config => Arc::new(config::Configs),
        Recipe::NodeCache | Recipe::TreeCache => Arc::new(caches::Caches::new(options)),
    }
}
