//! Sessions: when they expire, and which znodes go with them.

use crate::shared::Shared;
use grevy_node::Time;
use grevy_proto::SessionId;

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

/// Expiries in their order, and how many sessions there are in all.
pub fn expiries(shared: &Shared) -> (Vec<Expiry>, usize) {
    let now = shared.clock.now();
    shared.look_at_node(|node| {
        let clock = node.clock();
        let expiries = clock.deadlines().map(|(at, sessions)| Expiry {
            at,
            wall_ms: wall_ms(at, now),
            sessions: sessions.iter().copied().collect(),
        });
        (expiries.collect(), clock.len())
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
pub fn wall_ms(at: Time, now: grevy_node::Now) -> i64 {
    let ahead = i64::try_from(at.millis()).unwrap_or(i64::MAX);
    let passed = i64::try_from(now.time.millis()).unwrap_or(i64::MAX);
    now.wall_ms.saturating_add(ahead - passed)
}
