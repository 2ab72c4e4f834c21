//! P28: what anybody applies, or a leader calls committed, a quorum of voters has reported as durable before. Observers never
//! count.

use super::p31;
use crate::world::Context;
use grevy_proto::ServerId;
use grevy_proto::quorum::Packet;

/// A server is the first to take a transaction for committed.
pub fn committed(ctx: &mut Context, server: usize, zxid: i64) {
    if ctx.history.membership.is_none() {
        return;
    }
    ctx.counts.check("P28");
    let holders = ctx.history.ledger.holders_of(zxid);
    let holds = |id: ServerId| holders.contains(&(id.0 as usize - 1));
    if !p31::is_committed(&ctx.history, server, zxid, holds) {
        let what =
            format!("s{server} takes {zxid:x} for committed, which only {holders:?} have durably");
        ctx.history.violate("P28", what);
    }
}

/// A server sends something, while it is the established leader.
pub fn sends(ctx: &mut Context, server: usize, packet: &Packet) {
    let zxid = match packet {
        Packet::Commit(zxid)
        | Packet::CommitAndActivate { zxid, .. }
        | Packet::Inform { zxid, .. }
        | Packet::InformAndActivate { zxid, .. } => zxid.0,
        _ => return,
    };
    if zxid > ctx.history.last() {
        committed(ctx, server, zxid);
    }
}
