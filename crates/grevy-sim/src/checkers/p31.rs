//! P31: a new configuration is committed by quorums of the old and the new one, and counts from
//! there on.

use crate::ensemble::is_enough;
use crate::history::History;
use crate::model::txn::{Change, Entry};
use grevy_proto::ServerId;
use grevy_zab::Membership;

/// The operation code's place in an entry, and that of reconfig.
const OP: (usize, [u8; 4]) = (28, 16i32.to_be_bytes());

/// The configuration that a transaction brings.
pub fn brought_by(entry: &[u8]) -> Option<Membership> {
    let (at, reconfig) = OP;
    if entry.get(at..at + 4)? != reconfig {
        return None;
    }
    match Entry::decode(entry)?.change {
        Change::Reconfig(text) => Membership::parse(&text).ok(),
        _ => None,
    }
}

/// Whether those that `holds` names are enough for a transaction to be committed, which `server`
/// takes it for: by the configuration before it, and by its own if it brings one.
pub fn is_committed(
    history: &History,
    server: usize,
    zxid: i64,
    holds: impl Fn(ServerId) -> bool,
) -> bool {
    let Some(first) = &history.membership else {
        return true;
    };
    let before = history.ledger.proposed.range(history.last() + 1..zxid);
    // What a leader before has proposed may have died with it.
    let precedes = |z: i64| z >> 32 == zxid >> 32 || history.ledger.holders_of(z).contains(&server);
    let newest = before
        .rev()
        .find_map(|(z, entry)| brought_by(entry).filter(|_| precedes(*z)));
    let in_force = newest.as_ref().unwrap_or(first);
    let own = history.ledger.proposed.get(&zxid);
    let own = own.and_then(|entry| brought_by(entry));
    is_enough(in_force, &holds) && own.is_none_or(|own| is_enough(&own, &holds))
}
