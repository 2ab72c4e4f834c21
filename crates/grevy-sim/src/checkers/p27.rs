//! P27: what a server acknowledges to its leader would survive a power cut.

use crate::server::last_on_disk;
use crate::world::Context;
use grevy_proto::quorum::Packet;
use grevy_storage::testing::MemDisk;

/// A server sends something.
pub fn sends(ctx: &mut Context, server: usize, disk: &MemDisk, packet: &Packet) {
    let Packet::Ack(zxid) = packet else {
        return;
    };
    let evidence = &ctx.history.ledger.servers[server];
    let acknowledged = match zxid.counter() {
        // All that came before NEWLEADER.
        0 => evidence.known.range(..zxid.0).next_back().map(|(z, _)| *z),
        _ => Some(zxid.0),
    };
    ctx.counts.check("P27");
    let acknowledged = acknowledged.unwrap_or(0).max(evidence.base.min(zxid.0));
    if evidence.durable >= acknowledged && !ctx.counts.checked["P27"].is_multiple_of(4) {
        // The disk was looked at when that was reported; now and then it is again.
        return;
    }
    let durable = last_on_disk(&disk.durable());
    if durable < acknowledged {
        let what = format!(
            "s{server} acknowledges {acknowledged:x}, and a power cut could leave {durable:x} as \
             its last transaction"
        );
        ctx.history.violate("P27", what);
    }
}
