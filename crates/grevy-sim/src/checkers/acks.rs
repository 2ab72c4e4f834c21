//! P28, by what a leader was told: when COMMIT or INFORM leaves, voters that form a quorum have
//! acknowledged the transaction to this leader, since it began to lead. What they have on their
//! disks is another question, which `p28` asks.

use super::p31;
use crate::net::LinkId;
use crate::world::Context;
use grevy_proto::ServerId;
use grevy_proto::quorum::Packet;
use std::collections::BTreeMap;

/// What one leader has sent and was told, since it began to lead.
#[derive(Debug, Default)]
pub struct Acks {
    /// Where the history ended that a link was sent last.
    sent: BTreeMap<LinkId, i64>,
    /// The same when NEWLEADER was sent.
    synchronised: BTreeMap<LinkId, i64>,
    /// Up to where servers have acknowledged.
    acknowledged: BTreeMap<usize, i64>,
}

/// A server is about to lead.
pub fn begins(ctx: &mut Context, server: usize) {
    ctx.history.ledger.acks.insert(server, Acks::default());
}

/// A server that leads, or is about to, got a packet.
pub fn receives(ctx: &mut Context, server: usize, link: LinkId, from: usize, packet: &Packet) {
    let (Packet::Ack(zxid), Some(acks)) = (packet, ctx.history.ledger.acks.get_mut(&server)) else {
        return;
    };
    let upto = match zxid.counter() {
        0 => acks.synchronised.get(&link).copied().unwrap_or(0),
        _ => zxid.0,
    };
    let acknowledged = acks.acknowledged.entry(from).or_insert(upto);
    *acknowledged = upto.max(*acknowledged);
}

/// A server sends a packet. Until it leads, a COMMIT is no word of its own: the learner takes it
/// for nothing before UPTODATE.
pub fn sends(ctx: &mut Context, server: usize, link: LinkId, leads: bool, packet: &Packet) {
    let Some(acks) = ctx.history.ledger.acks.get_mut(&server) else {
        return;
    };
    let committed = match packet {
        Packet::Snap(zxid) | Packet::Trunc(zxid) | Packet::Diff(zxid) => {
            acks.sent.insert(link, zxid.0);
            return;
        }
        Packet::Proposal { zxid, .. } => {
            let sent = acks.sent.entry(link).or_insert(zxid.0);
            *sent = zxid.0.max(*sent);
            return;
        }
        Packet::NewLeader { .. } => {
            let sent = acks.sent.get(&link).copied().unwrap_or(0);
            acks.synchronised.insert(link, sent);
            return;
        }
        Packet::Commit(zxid) | Packet::CommitAndActivate { zxid, .. } => zxid.0,
        _ => return,
    };
    if !leads || committed <= ctx.history.last() {
        return;
    }
    ctx.counts.check("P28");
    let ledger = &ctx.history.ledger;
    let acks = &ledger.acks[&server];
    let told = |id: ServerId| {
        let other = id.0 as usize - 1;
        let upto = match other == server {
            true => ledger.servers[server].durable,
            false => acks.acknowledged.get(&other).copied().unwrap_or(i64::MIN),
        };
        upto >= committed
    };
    if !p31::is_committed(&ctx.history, server, committed, told) {
        let what = format!(
            "s{server} calls {committed:x} committed, of which no quorum has told it that it is \
             durable: {:x?}",
            acks.acknowledged
        );
        ctx.history.violate("P28", what);
    }
}
