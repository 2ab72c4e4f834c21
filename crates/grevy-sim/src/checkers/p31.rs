//! P31: a new configuration is committed by quorums of the old and the new one, and counts from
//! there on.

use crate::ensemble::is_enough;
use crate::history::History;
use crate::model::txn::{Change, Entry};
use crate::world::Context;
use grevy_proto::ServerId;
use grevy_proto::quorum::Packet;
use grevy_zab::Membership;
use grevy_zab::membership::Role;

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

/// A server sends something, with this configuration in force where it is. Who was removed, or
/// never had a vote, acknowledges nothing that came after. Who has only its own file to say that
/// it votes may take itself for one that is to join; nobody counts it.
pub fn sends(ctx: &mut Context, server: usize, in_force: &Membership, packet: &Packet) {
    let Packet::Ack(zxid) = packet else { return };
    if zxid.counter() == 0 || zxid.0 <= in_force.version {
        return;
    }
    ctx.counts.check("P31");
    let member = in_force.members.get(&ServerId(server as i64 + 1));
    let waits = member.is_none() && !ctx.history.ledger.servers[server].was_named;
    if !waits && member.is_none_or(|member| member.role != Role::Participant) {
        let what = format!(
            "s{server} acknowledges {zxid}, and has had no vote since {:x}",
            in_force.version
        );
        ctx.history.violate("P31", what);
    }
}

/// Whether those that `holds` names are enough for a transaction of `server`'s history to be
/// committed: by the configuration before it, and by its own if it brings one.
pub fn is_committed(
    history: &History,
    server: usize,
    zxid: i64,
    holds: impl Fn(ServerId) -> bool,
) -> bool {
    let Some(first) = &history.membership else {
        return true;
    };
    // What others had proposed and lost again brings nothing.
    let own = &history.ledger.servers[server].known;
    let before = own.range(history.last() + 1..zxid);
    let newest = before.rev().find_map(|(_, entry)| brought_by(entry));
    let in_force = newest.as_ref().unwrap_or(first);
    let own = own.get(&zxid);
    let own = own.and_then(|entry| brought_by(entry));
    is_enough(in_force, &holds) && own.is_none_or(|own| is_enough(&own, &holds))
}
