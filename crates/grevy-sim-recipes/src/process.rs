//! A process: the tasks of a recipe and of its client, which run, stand still and die together.
//!
//! Tasks run one at a time, the oldest of those that can go on first, so that a seed determines
//! the order whatever order wakers are called in.

use crate::socket::Sockets;
use grevy_client::Task;
use grevy_sim::Time;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

/// What drives all processes, to be woken when one of them can go on.
pub type Outer = Arc<Mutex<Option<Waker>>>;

/// A process that runs.
pub struct Process {
    /// Which of those in its place.
    pub life: u32,
    /// Its ends of links.
    pub sockets: Arc<Mutex<Sockets>>,
    /// Until then it stands still.
    pub paused_until: Option<Time>,
    /// Since when it has not stood still.
    pub awake_since: Time,
    /// Tasks may go on so many times before it dies, if it is to die.
    pub dies_in: Option<u64>,
    tasks: BTreeMap<u64, Task>,
    made: u64,
    spawned: Arc<Mutex<Vec<Task>>>,
    ready: Arc<Ready>,
}

/// What came of letting a process go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// It waits for something.
    Waits,
    /// All its tasks have ended.
    Ended,
    /// It has died.
    Died,
}

struct Ready {
    tasks: Mutex<BTreeSet<u64>>,
    outer: Outer,
}

struct TaskWaker {
    id: u64,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.tasks.lock().insert(self.id);
        if let Some(outer) = &*self.ready.outer.lock() {
            outer.wake_by_ref();
        }
    }
}

impl Process {
    /// A process without tasks.
    pub fn new(life: u32, now: Time, outer: Outer) -> Self {
        Self {
            life,
            sockets: Arc::default(),
            paused_until: None,
            awake_since: now,
            dies_in: None,
            tasks: BTreeMap::new(),
            made: 0,
            spawned: Arc::default(),
            ready: Arc::new(Ready {
                tasks: Mutex::default(),
                outer,
            }),
        }
    }

    /// What starts tasks in it.
    pub fn spawner(&self) -> impl Fn(Task) + Send + Sync + Clone + 'static {
        let spawned = self.spawned.clone();
        move |task| spawned.lock().push(task)
    }

    /// Whether it has anything to do, were it not paused.
    pub fn is_ready(&self) -> bool {
        !self.ready.tasks.lock().is_empty() || !self.spawned.lock().is_empty()
    }

    /// Lets its tasks go on until all of them wait.
    pub fn run(&mut self) -> Ran {
        loop {
            let spawned = std::mem::take(&mut *self.spawned.lock());
            for task in spawned {
                self.ready.tasks.lock().insert(self.made);
                self.tasks.insert(self.made, task);
                self.made += 1;
            }
            let next = self.ready.tasks.lock().pop_first();
            let Some(id) = next else {
                return match self.tasks.is_empty() && self.spawned.lock().is_empty() {
                    true => Ran::Ended,
                    false => Ran::Waits,
                };
            };
            let Some(task) = self.tasks.get_mut(&id) else {
                continue;
            };
            match &mut self.dies_in {
                Some(0) => return Ran::Died,
                Some(left) => *left -= 1,
                None => {}
            }
            let ready = self.ready.clone();
            let waker = Waker::from(Arc::new(TaskWaker { id, ready }));
            if task
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                self.tasks.remove(&id);
            }
        }
    }
}
