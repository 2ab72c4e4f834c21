//! What goes wrong, and when it is put right.

use crate::options::Faults;
use crate::partition;
use crate::random::Random;
use crate::server::Server;
use crate::world::{Event, World};
use grevy_storage::DiskOp;
use grevy_storage::testing::Fault;

/// Something goes wrong, by the options' choice of kinds.
pub fn inject(world: &mut World) {
    let kinds = world.ctx.options.faults;
    if kinds == Faults::NONE {
        return;
    }
    let every = world.ctx.options.fault_every * 1000;
    let many = world.ctx.options.ensemble.is_some();
    let clients = !world.clients.is_empty();
    let weights = [
        if kinds.power { 2 } else { 0 },
        if kinds.power { 4 } else { 0 },
        if kinds.kill { 2 } else { 0 },
        if kinds.disk { 4 } else { 0 },
        if kinds.disk { 2 } else { 0 },
        if kinds.rot && !many { 3 } else { 0 },
        if kinds.network && clients { 20 } else { 0 },
        if kinds.network && clients { 1 } else { 0 },
        if kinds.network && clients { 3 } else { 0 },
        if kinds.clock { 2 } else { 0 },
        if kinds.partition { 8 } else { 0 },
        if kinds.pause { 4 } else { 0 },
        if kinds.power && many { 1 } else { 0 },
        if kinds.kill && many { 1 } else { 0 },
        if kinds.network && many { 4 } else { 0 },
        if kinds.clock && many { 2 } else { 0 },
        if kinds.rot && many { 3 } else { 0 },
        if kinds.kill { 2 } else { 0 },
        1,
    ];
    let World {
        ctx,
        servers,
        clients,
        random,
    } = world;
    ctx.schedule
        .after_micros(random.around(every), Event::Fault);
    let leader = servers
        .iter()
        .position(|server| server.node().is_some_and(|node| node.peer().leads()));
    let at = match leader {
        Some(leader) if random.one_in(3) => leader,
        _ => random.index(servers.len()),
    };
    let server = &mut servers[at];
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
            trace!(
                ctx.trace,
                ctx.schedule.now(),
                "s{at} disk full in {room} bytes"
            );
            server.disk.set_capacity(Some(used + room));
            server.faulted = true;
            ctx.schedule
                .after_micros(random.around(2_000_000), Event::Relief(at));
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
            let clock = &mut server.clock;
            clock.wall_offset = match random.below(3) {
                0 => -(random.below(1 << 40) as i64),
                1 => random.below(1 << 40) as i64,
                _ => clock.wall_offset + random.below(10_000) as i64 - 5_000,
            };
        }
        10 => {
            let (block, name) =
                partition::draw(random, servers.len(), leader, clients.len() + ctx.guests);
            ctx.counts.fault(name);
            let mean = *random.pick(&[300_000, 2_000_000, 10_000_000]);
            partition::begin(ctx, block, random.around(mean));
        }
        11 if server.is_up() => {
            ctx.counts.fault("pause");
            let mean = *random.pick(&[100_000, 1_000_000, 10_000_000]);
            // What it was to do meanwhile waits for the end, whatever is healed.
            server.pause(ctx, random.around(mean).min(15_000_000));
        }
        12 => {
            ctx.counts.fault("power cut everywhere");
            for server in servers.iter_mut().filter(|server| server.is_up()) {
                server.cut_power(ctx);
            }
        }
        13 => {
            ctx.counts.fault("kill of all");
            for server in servers.iter_mut().filter(|server| server.is_up()) {
                server.kill(ctx);
            }
        }
        14 => {
            let links: Vec<_> = server.quorum_links().collect();
            if !links.is_empty() {
                let link = *random.pick(&links);
                match random.one_in(3) {
                    true => {
                        ctx.counts.fault("half-open link between servers");
                        ctx.network.kill(link);
                    }
                    false => {
                        ctx.counts.fault("link reset between servers");
                        ctx.reset(link);
                    }
                }
            }
        }
        15 => {
            let now = ctx.schedule.now();
            match random.below(3) {
                0 => {
                    ctx.counts.fault("clock jump ahead");
                    let most = *random.pick(&[500_000, 5_000_000, 3_600_000_000]);
                    server.jump_clock(ctx, random.below(most));
                }
                1 => {
                    ctx.counts.fault("clock rate");
                    server.clock.set_rate(now, random.between(900, 1_100));
                }
                _ => {
                    ctx.counts.fault("wall clock stands still");
                    let shown = server.clock.now(now).wall_ms;
                    server.clock.stopped_at = Some(shown);
                }
            }
        }
        16 => crate::rot::strike(servers, at, random, ctx),
        17 if server.is_up() => {
            ctx.counts.fault("orderly stop");
            server.order_stop(ctx);
        }
        _ => {}
    }
}

fn fail_disk(server: &mut Server, random: &mut Random, ctx: &mut crate::world::Context) {
    let files = server.disk.files();
    // Mostly a log; sometimes a snapshot, or a promise.
    let any = server.id().0 > 1 && random.one_in(4);
    let logs: Vec<_> = files
        .iter()
        .filter(|(path, _)| any || path.to_string_lossy().contains("/log/"))
        .collect();
    if logs.is_empty() {
        return;
    }
    let path = random.pick(&logs).0.clone();
    let (op, fault, name) = match random.below(6) {
        5 => (DiskOp::Read, Fault::Error, "read fails"),
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
