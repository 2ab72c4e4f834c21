//! P25: promises about epochs only grow, across crashes too; the accepted epoch is durable before
//! ACKEPOCH is sent, and the current one before NEWLEADER is acknowledged.

use crate::world::Context;
use grevy_proto::quorum::Packet;
use grevy_proto::{Epoch, Zxid};
use grevy_storage::testing::MemDisk;

fn read(disk: &MemDisk, name: &str) -> Option<u32> {
    let content = disk.content(format!("/data/version-2/{name}"))?;
    let text = String::from_utf8(content).ok()?;
    text.lines().next()?.parse().ok()
}

/// The server was told that its promises are durable. Before it enters an epoch, all that it has
/// of earlier ones is.
pub fn saved(ctx: &mut Context, server: usize, accepted: Epoch, current: Epoch) {
    let evidence = &mut ctx.history.ledger.servers[server];
    let before = evidence.known.range(..Zxid::new(current, 0).0);
    let last = before.map(|(zxid, _)| *zxid).next_back();
    let late = last.filter(|last| current.0 > evidence.current && *last > evidence.durable);
    evidence.accepted = evidence.accepted.max(accepted.0);
    evidence.current = evidence.current.max(current.0);
    ctx.counts.check("P25");
    if let Some(late) = late {
        let what = format!(
            "s{server} enters epoch {} before its history up to {late:x} is durable",
            current.0
        );
        ctx.history.violate("P25", what);
    }
}

/// A server starts with these promises.
pub fn starts(ctx: &mut Context, server: usize, accepted: Epoch, current: Epoch) {
    ctx.counts.check("P25");
    let evidence = &mut ctx.history.ledger.servers[server];
    let promised = (evidence.accepted, evidence.current);
    if accepted.0 < promised.0 || current.0 < promised.1 || current > accepted {
        let found = (accepted.0, current.0);
        let what = format!("s{server} had promised {promised:?}, and starts with {found:?}");
        ctx.history.violate("P25", what);
    }
}

/// A server sends something.
pub fn sends(ctx: &mut Context, server: usize, disk: &MemDisk, packet: &Packet) {
    let (name, epoch) = match packet {
        Packet::AckEpoch {
            current_epoch: Some(_),
            ..
        } => ("acceptedEpoch", ctx.history.ledger.servers[server].accepted),
        Packet::Ack(zxid) if zxid.counter() == 0 => ("currentEpoch", zxid.epoch().0),
        _ => return,
    };
    ctx.counts.check("P25");
    let durable = read(&disk.durable(), name);
    if durable < Some(epoch) {
        let what = format!(
            "s{server} sends {}, and a power cut could leave {name} at {durable:?}, not {epoch}",
            packet.name()
        );
        ctx.history.violate("P25", what);
    }
}
