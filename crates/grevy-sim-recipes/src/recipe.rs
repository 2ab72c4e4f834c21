//! The recipes that are tried.

/// A recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipe {
    /// `Lock`.
    Lock,
    /// `ReentrantLock`.
    ReentrantLock,
    /// `ReadWriteLock`.
    ReadWriteLock,
    /// `Semaphore`.
    Semaphore,
    /// `LeaderLatch`, and a `LeaderObserver` of it.
    LeaderLatch,
    /// `LeaderSelector`, and a `LeaderObserver` of it.
    LeaderSelector,
    /// `Barrier`.
    Barrier,
    /// `DoubleBarrier`.
    DoubleBarrier,
    /// `Queue`.
    Queue,
    /// `PriorityQueue`.
    PriorityQueue,
    /// `AtomicValue`.
    AtomicValue,
    /// `Counter`.
    Counter,
    /// `Group`.
    Group,
    /// `Discovery`.
    Discovery,
    /// `Config`.
    Config,
    /// `NodeCache`.
    NodeCache,
    /// `TreeCache`.
    TreeCache,
}

impl Recipe {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Lock,
        Self::ReentrantLock,
        Self::ReadWriteLock,
        Self::Semaphore,
        Self::LeaderLatch,
        Self::LeaderSelector,
        Self::Barrier,
        Self::DoubleBarrier,
        Self::Queue,
        Self::PriorityQueue,
        Self::AtomicValue,
        Self::Counter,
        Self::Group,
        Self::Discovery,
        Self::Config,
        Self::NodeCache,
        Self::TreeCache,
    ];

    /// Its name on a command line.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The recipe of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|recipe| recipe.name() == name)
    }

    /// The one whose turn it is with that seed, if all are tried in turn.
    pub fn of_seed(seed: u64) -> Self {
        let turn = usize::try_from(seed % Self::ALL.len() as u64).unwrap_or(0);
        Self::ALL[turn]
    }
}
