//! What goes wrong, and when it is put right.

use crate::random::Random;
use crate::server::Server;
use crate::world::{Event, World};
use grevy_storage::DiskOp;
use grevy_storage::testing::Fault;

/// Something goes wrong, by the options' choice of kinds.
pub fn inject(world: &mut World) {
    let options = &world.ctx.options;
    let kinds = options.faults;
    if kinds
        == (crate::options::Faults {
            power: false,
            kill: false,
            disk: false,
            rot: false,
            network: false,
            clock: false,
        })
    {
        return;
    }
    let every = options.fault_every * 1000;
    let weights = [
        if kinds.power { 2 } else { 0 },
        if kinds.power { 4 } else { 0 },
        if kinds.kill { 2 } else { 0 },
        if kinds.disk { 4 } else { 0 },
        if kinds.disk { 2 } else { 0 },
        if kinds.rot { 3 } else { 0 },
        if kinds.network { 20 } else { 0 },
        if kinds.network { 1 } else { 0 },
        if kinds.network { 3 } else { 0 },
        if kinds.clock { 2 } else { 0 },
        1,
    ];
    let World {
        ctx,
        server,
        clients,
        random,
    } = world;
    ctx.schedule
        .after_micros(random.around(every), Event::Fault);
    match random.weighted(&weights) {
        0 if server.is_up() => {
            ctx.counts.fault("power cut");
            server.cut_power(ctx);
        }
        1 => {
            // At some operation soon, perhaps while starting.
            server.crash_at = Some(server.disk.ops() + random.below(30));
            if let Some(at) = server.crash_at {
                server.disk.crash_at(at);
            }
        }
        2 if server.is_up() => {
            ctx.counts.fault("kill");
            server.kill(ctx);
        }
        3 => fail_disk(server, random, ctx),
        4 => {
            let used: u64 = server.disk.files().iter().map(|(_, len)| len).sum();
            let room = random.below(3_000);
            ctx.counts.fault("disk full");
            trace!(ctx.trace, ctx.schedule.now(), "disk full in {room} bytes");
            server.disk.set_capacity(Some(used + room));
            server.faulted = true;
            ctx.schedule
                .after_micros(random.around(2_000_000), Event::Relief);
        }
        5 => crate::rot::try_on_copies(server, random, ctx),
        6 => {
            let at = random.index(clients.len());
            clients[at].misbehave(ctx);
        }
        7 => {
            ctx.counts.fault("reconnect storm");
            let links: Vec<_> = clients.iter().filter_map(|client| client.link()).collect();
            for link in links {
                ctx.reset(link);
            }
        }
        8 => {
            let sessions: Vec<i64> = clients.iter().filter_map(|c| c.session()).collect();
            if !sessions.is_empty() {
                let session = *random.pick(&sessions);
                let at = random.index(clients.len());
                clients[at].intrude(ctx, session);
            }
        }
        9 => {
            ctx.counts.fault("wall clock jump");
            server.wall_offset = match random.below(3) {
                0 => -(random.below(1 << 40) as i64),
                1 => random.below(1 << 40) as i64,
                _ => server.wall_offset + random.below(10_000) as i64 - 5_000,
            };
        }
        _ => {}
    }
}

fn fail_disk(server: &mut Server, random: &mut Random, ctx: &mut crate::world::Context) {
    let files = server.disk.files();
    let logs: Vec<_> = files
        .iter()
        .filter(|(path, _)| path.to_string_lossy().contains("/log/"))
        .collect();
    if logs.is_empty() {
        return;
    }
    let path = random.pick(&logs).0.clone();
    let (op, fault, name) = match random.below(5) {
        0 => (DiskOp::Sync, Fault::Dropped, "sync fails, pages dropped"),
        1 => (DiskOp::Sync, Fault::Error, "sync fails"),
        2 => (DiskOp::Write, Fault::Error, "write fails"),
        3 => (DiskOp::Write, Fault::Short, "short write"),
        _ => (DiskOp::Write, Fault::Full, "write finds no space"),
    };
    ctx.counts.fault(name);
    server.faulted = true;
    server.disk.fail(op, path, random.below(4), fault);
}

/// The disk has room again.
pub fn relieve(world: &mut World) {
    world.server.disk.set_capacity(None);
}
