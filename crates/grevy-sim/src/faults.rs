//! What goes wrong, and when it is put right.

use crate::options::Faults;
use crate::partition;
use crate::random::Random;
use crate::server::Server;
use crate::world::{Context, Event, World};
use grevy_storage::DiskOp;
use grevy_storage::testing::Fault;

/// What may go wrong. Unless said otherwise, it happens to the server that was drawn.
#[derive(Debug, Clone, Copy)]
enum Kind {
    PowerCut,
    /// A power cut at one of the next operations of its disk.
    CrashSoon,
    Kill,
    DiskFails,
    DiskFull,
    /// Damage, tried on copies of its disk.
    RotOnCopies,
    /// A client does what clients should not.
    Misbehaviour,
    /// All clients lose their connections.
    ReconnectStorm,
    /// A client resumes the session of another.
    Intruder,
    WallClockJump,
    Partition,
    Pause,
    PowerCutEverywhere,
    KillAll,
    /// One of its connections to other servers.
    PeerLink,
    Clock,
    /// Damage that it has to recover from with the others' help.
    Rot,
    OrderlyStop,
    Nothing,
}

/// What may go wrong by the options' choice, each with its weight. The order is part of what a
/// seed means.
fn choices(faults: Faults, many: bool, clients: bool) -> [(u64, Kind); 19] {
    let when = |is_chosen: bool, weight: u64| u64::from(is_chosen) * weight;
    [
        (when(faults.power, 2), Kind::PowerCut),
        (when(faults.power, 4), Kind::CrashSoon),
        (when(faults.kill, 2), Kind::Kill),
        (when(faults.disk, 4), Kind::DiskFails),
        (when(faults.disk, 2), Kind::DiskFull),
        (when(faults.rot && !many, 3), Kind::RotOnCopies),
        (when(faults.network && clients, 20), Kind::Misbehaviour),
        (when(faults.network && clients, 1), Kind::ReconnectStorm),
        (when(faults.network && clients, 3), Kind::Intruder),
        (when(faults.clock, 2), Kind::WallClockJump),
        (when(faults.partition, 8), Kind::Partition),
        (when(faults.pause, 4), Kind::Pause),
        (when(faults.power && many, 1), Kind::PowerCutEverywhere),
        (when(faults.kill && many, 1), Kind::KillAll),
        (when(faults.network && many, 4), Kind::PeerLink),
        (when(faults.clock && many, 2), Kind::Clock),
        (when(faults.rot && many, 3), Kind::Rot),
        (when(faults.kill, 2), Kind::OrderlyStop),
        (1, Kind::Nothing),
    ]
}

/// Something goes wrong, by the options' choice of kinds.
pub fn inject(world: &mut World) {
    let faults = world.ctx.options.faults;
    if faults == Faults::NONE {
        return;
    }
    let every = world.ctx.options.fault_every * 1000;
    let many = world.ctx.options.ensemble.is_some();
    let kinds = choices(faults, many, !world.clients.is_empty());
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
    let (_, kind) = kinds[random.weighted(&kinds.map(|(weight, _)| weight))];
    match kind {
        Kind::PowerCut if server.is_up() => {
            ctx.counts.fault("power cut");
            server.cut_power(ctx);
        }
        Kind::CrashSoon => {
            // At some operation soon, perhaps while starting.
            server.crash_at = Some(server.disk.ops() + random.below(30));
            if let Some(at) = server.crash_at {
                server.disk.crash_at(at);
            }
        }
        Kind::Kill if server.is_up() => {
            ctx.counts.fault("kill");
            server.kill(ctx);
        }
        Kind::DiskFails => fail_disk(server, random, ctx),
        Kind::DiskFull => fill_disk(server, at, random, ctx),
        Kind::RotOnCopies => crate::rot::try_on_copies(server, random, ctx),
        Kind::Misbehaviour => {
            let at = random.index(clients.len());
            clients[at].misbehave(ctx);
        }
        Kind::ReconnectStorm => {
            ctx.counts.fault("reconnect storm");
            let links: Vec<_> = clients.iter().filter_map(|client| client.link()).collect();
            for link in links {
                ctx.reset(link);
            }
        }
        Kind::Intruder => {
            let sessions: Vec<i64> = clients.iter().filter_map(|c| c.session()).collect();
            if !sessions.is_empty() {
                let session = *random.pick(&sessions);
                let at = random.index(clients.len());
                clients[at].intrude(ctx, session);
            }
        }
        Kind::WallClockJump => {
            ctx.counts.fault("wall clock jump");
            let clock = &mut server.clock;
            clock.wall_offset = match random.below(3) {
                0 => -(random.below(1 << 40) as i64),
                1 => random.below(1 << 40) as i64,
                _ => clock.wall_offset + random.below(10_000) as i64 - 5_000,
            };
        }
        Kind::Partition => {
            let (block, name) =
                partition::draw(random, servers.len(), leader, clients.len() + ctx.guests);
            ctx.counts.fault(name);
            let mean = *random.pick(&[300_000, 2_000_000, 10_000_000]);
            partition::begin(ctx, block, random.around(mean));
        }
        Kind::Pause if server.is_up() => {
            ctx.counts.fault("pause");
            let mean = *random.pick(&[100_000, 1_000_000, 10_000_000]);
            // What it was to do meanwhile waits for the end, whatever is healed.
            server.pause(ctx, random.around(mean).min(15_000_000));
        }
        Kind::PowerCutEverywhere => {
            ctx.counts.fault("power cut everywhere");
            for server in servers.iter_mut().filter(|server| server.is_up()) {
                server.cut_power(ctx);
            }
        }
        Kind::KillAll => {
            ctx.counts.fault("kill of all");
            for server in servers.iter_mut().filter(|server| server.is_up()) {
                server.kill(ctx);
            }
        }
        Kind::PeerLink => break_peer_link(server, random, ctx),
        Kind::Clock => disturb_clock(server, random, ctx),
        Kind::Rot => crate::rot::strike(servers, at, random, ctx),
        Kind::OrderlyStop if server.is_up() => {
            ctx.counts.fault("orderly stop");
            server.order_stop(ctx);
        }
        // A server that is down has none of these, and nothing else happens instead.
        Kind::PowerCut | Kind::Kill | Kind::Pause | Kind::OrderlyStop | Kind::Nothing => {}
    }
}

/// Little room is left on its disk, for a while.
fn fill_disk(server: &mut Server, at: usize, random: &mut Random, ctx: &mut Context) {
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

fn break_peer_link(server: &Server, random: &mut Random, ctx: &mut Context) {
    let links: Vec<_> = server.quorum_links().collect();
    if links.is_empty() {
        return;
    }
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

fn disturb_clock(server: &mut Server, random: &mut Random, ctx: &mut Context) {
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

fn fail_disk(server: &mut Server, random: &mut Random, ctx: &mut Context) {
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
