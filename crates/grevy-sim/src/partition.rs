//! Who cannot reach whom: partitions of all kinds, in one way or both, on one port or both. What
//! is sent meanwhile is held back, or its connection breaks.

use crate::election;
use crate::net::{End, LinkId};
use crate::random::Random;
use crate::world::{Context, Event, Route};
use std::collections::{BTreeMap, BTreeSet};

/// Ways that are blocked, from one server to another.
type Ways = BTreeSet<(usize, usize)>;

/// One partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// On the quorum ports.
    pub quorum: Ways,
    /// On the election ports.
    pub election: Ways,
    /// Clients and the servers that they cannot reach.
    pub clients: BTreeSet<(usize, usize)>,
}

/// All partitions that last.
#[derive(Debug, Default)]
pub struct Blocks {
    active: BTreeMap<u32, Block>,
    made: u32,
}

impl Blocks {
    /// Whether nothing gets from one server's quorum port to the other's, or back.
    pub fn is_quorum_cut(&self, a: usize, b: usize) -> bool {
        self.quorum(a, b) || self.quorum(b, a)
    }

    /// Whether nothing gets from one server to the other on the quorum port.
    fn quorum(&self, from: usize, to: usize) -> bool {
        self.active.values().any(|b| b.quorum.contains(&(from, to)))
    }

    /// Whether nothing gets from one server to the other on the election port.
    pub fn election(&self, from: usize, to: usize) -> bool {
        let mut blocks = self.active.values();
        blocks.any(|block| block.election.contains(&(from, to)))
    }

    /// Whether a client cannot reach a server.
    pub fn is_client_cut_off(&self, client: Option<usize>, server: usize) -> bool {
        let Some(client) = client else { return false };
        let mut blocks = self.active.values();
        blocks.any(|block| block.clients.contains(&(client, server)))
    }
}

/// A partition begins, and lasts for so many µs.
pub fn begin(ctx: &mut Context, block: Block, micros: u64) {
    let now = ctx.schedule.now();
    trace!(
        ctx.trace,
        now,
        "partition {} {block:?}",
        ctx.blocks.made + 1
    );
    ctx.blocks.made += 1;
    let number = ctx.blocks.made;
    for &(from, to) in &block.election {
        election::blocked(ctx, from, to);
    }
    ctx.blocks.active.insert(number, block);
    hold(ctx);
    ctx.schedule.after_micros(micros, Event::Mend(number));
}

/// A partition is over.
pub fn mend(ctx: &mut Context, number: u32) {
    let now = ctx.schedule.now();
    let Some(block) = ctx.blocks.active.remove(&number) else {
        return;
    };
    trace!(ctx.trace, now, "partition {number} is over");
    for (from, to) in block.election {
        if !ctx.blocks.election(from, to) {
            election::mended(ctx, from, to);
        }
    }
    release(ctx);
}

/// All partitions are over.
pub fn mend_all(ctx: &mut Context) {
    let numbers: Vec<u32> = ctx.blocks.active.keys().copied().collect();
    for number in numbers {
        mend(ctx, number);
    }
}

/// The ways of a link that are blocked, as the ends that nothing gets to.
fn blocked_ends(ctx: &Context, route: Route) -> [(End, bool); 2] {
    let (to_server, to_client) = match route {
        Route::Client { client, server, .. } => {
            let cut = ctx.blocks.is_client_cut_off(client, server);
            (cut, cut)
        }
        Route::Servers {
            learner, leader, ..
        } => (
            ctx.blocks.quorum(learner.0, leader.0),
            ctx.blocks.quorum(leader.0, learner.0),
        ),
    };
    [(End::Server, to_server), (End::Client, to_client)]
}

/// The links that may still carry something.
fn links(ctx: &Context) -> Vec<(LinkId, Route)> {
    let open = |link: &LinkId| {
        !(ctx.network.is_closed(*link, End::Client) && ctx.network.is_closed(*link, End::Server))
    };
    let links = ctx.routes.iter().filter(|(link, _)| open(link));
    links.map(|(link, route)| (*link, *route)).collect()
}

fn hold(ctx: &mut Context) {
    for (link, route) in links(ctx) {
        for (end, blocked) in blocked_ends(ctx, route) {
            if blocked {
                ctx.network.hold(link, end);
            }
        }
    }
}

fn release(ctx: &mut Context) {
    for (link, route) in links(ctx) {
        for (end, blocked) in blocked_ends(ctx, route) {
            if blocked {
                continue;
            }
            for _ in 0..ctx.network.release(link, end) {
                ctx.schedule.after_micros(500, Event::Arrive(link, end));
            }
        }
    }
}

/// A partition of `servers` servers, of which `leader` may lead.
pub fn draw(
    r: &mut Random,
    servers: usize,
    leader: Option<usize>,
    clients: usize,
) -> (Block, &'static str) {
    let all = 0..servers;
    let some = r.index(servers);
    let leader = leader.unwrap_or(some);
    let between = |separated: &dyn Fn(usize, usize) -> bool| -> Ways {
        let pairs = all.clone().flat_map(|a| all.clone().map(move |b| (a, b)));
        pairs.filter(|(a, b)| a != b && separated(*a, *b)).collect()
    };
    let (ways, name): (Ways, &'static str) = match r.below(9) {
        0 => {
            let side = r.any();
            let on = |s: usize| side >> s & 1;
            (between(&|a, b| on(a) != on(b)), "partition at random")
        }
        1 => (
            between(&|a, b| (a == some) != (b == some)),
            "isolated server",
        ),
        2 => (
            between(&|a, b| (a == leader) != (b == leader)),
            "isolated leader",
        ),
        3 => {
            // All but one.
            let but = |s: usize| s == some;
            let cut = between(&|a, b| (a == leader && !but(b)) || (b == leader && !but(a)));
            (cut, "leader that reaches one")
        }
        4 => (
            between(&|a, b| a == some && b != some),
            "server that is not heard",
        ),
        5 => (
            between(&|a, b| b == some && a != some),
            "server that hears nothing",
        ),
        6 => {
            let half = servers / 2;
            let bridge = |s: usize| s == half;
            let cut = between(&|a, b| !bridge(a) && !bridge(b) && (a < half) != (b < half));
            (cut, "bridge")
        }
        7 => {
            let far = |a: usize, b: usize| {
                let apart = a.abs_diff(b);
                apart.min(servers - apart) > servers.div_ceil(4)
            };
            (between(&far), "ring of majorities")
        }
        _ => {
            let cut = (0..clients).flat_map(|c| all.clone().map(move |s| (c, s)));
            let block = Block {
                clients: cut.filter(|_| r.one_in(3)).collect(),
                ..Block::default()
            };
            return (block, "clients cut off from some servers");
        }
    };
    let block = match r.below(6) {
        0 => Block {
            quorum: ways,
            ..Block::default()
        },
        1 => Block {
            election: ways,
            ..Block::default()
        },
        _ => Block {
            quorum: ways.clone(),
            election: ways,
            ..Block::default()
        },
    };
    (block, name)
}
