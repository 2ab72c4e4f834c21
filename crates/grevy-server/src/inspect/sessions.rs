//! Sessions: when they expire, and which znodes go with them.

use crate::shared::Shared;
use grevy_node::session_clock::SessionClock;
use grevy_node::{Now, Time};
use grevy_proto::SessionId;
use std::collections::BTreeSet;

/// Sessions that expire together unless they are heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// When, by the server's clock.
    pub at: Time,
    /// The same, in ms since 1970.
    pub wall_ms: i64,
    /// Which, ascending.
    pub sessions: Vec<SessionId>,
}

/// When local sessions expire, and how many there are; `None` if this server has none
/// (`localSessionsEnabled`).
pub fn local(shared: &Shared) -> Option<(Vec<Expiry>, usize)> {
    let now = shared.clock.now();
    shared.look_at_node(|node| {
        let clock = node.local_clock();
        node.has_local_sessions()
            .then(|| (expiries(clock, now), clock.len()))
    })
}

fn expiries(clock: &SessionClock, now: Now) -> Vec<Expiry> {
    let expiry = |(at, sessions): (Time, &BTreeSet<SessionId>)| Expiry {
        at,
        wall_ms: wall_ms(at, now),
        sessions: sessions.iter().copied().collect(),
    };
    clock.deadlines().map(expiry).collect()
}

/// The sessions as a server keeps track of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tracked {
    /// Of who lets them expire: in the order of that, and how many they are in all.
    Expiring(Vec<Expiry>, usize),
    /// Of a learner: which there are, with their timeouts in ms.
    Known(Vec<(SessionId, i32)>),
}

/// The sessions now.
pub fn tracked(shared: &Shared) -> Tracked {
    let now = shared.clock.now();
    let expiring = shared.look_at_node(|node| {
        if !node.peer().leads() {
            return None;
        }
        let clock = node.clock();
        Some(Tracked::Expiring(expiries(clock, now), clock.len()))
    });
    expiring.unwrap_or_else(|| {
        let tree = shared.tree.read();
        Tracked::Known(tree.sessions().iter().collect())
    })
}

/// The ephemeral znodes of each session that has any, ascending.
pub fn ephemerals(shared: &Shared) -> Vec<(SessionId, Vec<String>)> {
    let tree = shared.tree.read();
    let owners = tree.ephemeral_owners();
    owners
        .map(|session| (session, tree.ephemerals(session).collect()))
        .collect()
}

/// What the wall clock says when the server's clock says `at`.
pub fn wall_ms(at: Time, now: Now) -> i64 {
    let ahead = i64::try_from(at.millis()).unwrap_or(i64::MAX);
    let passed = i64::try_from(now.time.millis()).unwrap_or(i64::MAX);
    now.wall_ms.saturating_add(ahead - passed)
}
