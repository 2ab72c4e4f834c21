//! Limits of an ensemble beyond those that every server must have set.

use core::time::Duration;

/// Limits that are off, or at ZooKeeper's defaults, unless set; ZooKeeper's settings have the
/// names that are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// After how long a server that is to lead gives up when one of those that elected it looks
    /// for a leader again, while it waits for a quorum's epochs
    /// (`leader.maxTimeToWaitForEpoch`); `None`: it waits for `initLimit` regardless.
    pub epoch_wait: Option<Duration>,
    /// How many observers are sent a snapshot at a time (`leader.maxConcurrentSnapSyncs`).
    pub snapshots: usize,
    /// How many observers are sent transactions that they miss at a time
    /// (`leader.maxConcurrentDiffSyncs`).
    pub diffs: usize,
    /// How long an observer that lost its leader waits at most before it looks for the next
    /// (`observer.election.DelayMs`); how long is drawn.
    pub observer_election_delay: Duration,
    /// Whether followers serve observers (`observerMasterPort`), and observers look for such.
    pub observer_masters: bool,
    /// How long an observer waits at most after none of them would have it
    /// (`observer.reconnectDelayMs`); how long is drawn.
    pub observer_reconnect_delay: Duration,
    /// How long another server may be silent, if that is less than `syncLimit` allows.
    pub silence: Option<Duration>,
    /// The last counter of an epoch: a leader that has given it out steps down, and another epoch
    /// begins (ZOOKEEPER-1277). A server that runs alone goes on without.
    pub last_counter: u32,
    /// Where what is drawn begins.
    pub seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            epoch_wait: None,
            snapshots: 10,
            diffs: 100,
            observer_election_delay: Duration::ZERO,
            observer_masters: false,
            observer_reconnect_delay: Duration::ZERO,
            silence: None,
            // ZooKeeper leaves out the very last, too.
            last_counter: u32::MAX - 1,
            seed: 0,
        }
    }
}
