//! Removing containers that have lost their last child, and TTL znodes whose time is over.
//! Source: `ContainerManager`.

use crate::config::NodeConfig;
use crate::time::{Now, Time};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use grevy_tree::{EphemeralType, Tree, Znode};

/// Looks at the candidates from time to time, a bounded number a minute.
#[derive(Debug)]
pub struct Reaper {
    interval: Duration,
    per_look: usize,
    never_used_ms: i64,
    due: Time,
}

impl Reaper {
    /// Looks for the first time one interval after `now`.
    pub fn new(config: &NodeConfig, now: Time) -> Self {
        let interval = config.reap_interval.max(Duration::from_millis(1));
        let minutes = interval.as_secs_f64() / 60.0;
        Self {
            interval,
            per_look: ((f64::from(config.reap_per_minute) * minutes) as usize).max(1),
            never_used_ms: i64::try_from(config.reap_never_used.as_millis()).unwrap_or(i64::MAX),
            due: now + interval,
        }
    }

    /// When the next look is due.
    pub fn due(&self) -> Time {
        self.due
    }

    /// If a look is due: the paths that may go. Whether they still may is decided again when
    /// their removal is prepared.
    pub fn reap(&mut self, now: Now, tree: &Tree) -> Vec<Box<str>> {
        if now.time < self.due {
            return Vec::new();
        }
        self.due = now.time + self.interval;
        let containers = tree
            .containers()
            .filter(|z| self.is_abandoned(z, now.wall_ms));
        let expired = tree.ttl_znodes().filter(|z| is_expired(z, now.wall_ms));
        let paths = containers.chain(expired).take(self.per_look);
        paths.map(|z| String::into_boxed_str(z.path())).collect()
    }

    /// A container goes once it has had a child and has none; one that never had any, after a
    /// time of its own.
    fn is_abandoned(&self, znode: &Znode<'_>, wall_ms: i64) -> bool {
        if znode.child_count() > 0 {
            return false;
        }
        let stat = znode.persisted();
        stat.cversion > 0
            || (self.never_used_ms > 0 && wall_ms.saturating_sub(stat.mtime) > self.never_used_ms)
    }
}

fn is_expired(znode: &Znode<'_>, wall_ms: i64) -> bool {
    let EphemeralType::Ttl(ttl) = znode.kind() else {
        return false;
    };
    znode.child_count() == 0 && wall_ms.saturating_sub(znode.persisted().mtime) > ttl
}
