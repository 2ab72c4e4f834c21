//! The election ports: one connection between any two servers, on which only the newest message
//! for the other end matters. What was sent last is sent again on the next connection.

use crate::random::Random;
use crate::server::Server;
use crate::world::{Context, Event as WorldEvent};
use grevy_node::Time;
use grevy_proto::election::{Notification, split_message};
use std::collections::{BTreeMap, VecDeque};

/// Something happens between two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// One dials the other.
    Dial(usize, usize),
    /// The sender takes what is waiting and puts it on the wire.
    Send(Way),
    /// A message arrives.
    Arrive(Way),
    /// The connection turns out to be broken.
    Break(usize, usize, u32),
}

/// From one server to another, on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    from: usize,
    to: usize,
    connection: u32,
}

/// All connections.
#[derive(Debug)]
pub struct Wires {
    random: Random,
    /// The connections that stand, by the two servers.
    connections: BTreeMap<(usize, usize), u32>,
    made: u32,
    /// What is to be sent next.
    waiting: BTreeMap<(usize, usize), Vec<u8>>,
    /// What was sent last.
    last: BTreeMap<(usize, usize), Vec<u8>>,
    in_flight: BTreeMap<Way, VecDeque<Vec<u8>>>,
    last_at: BTreeMap<Way, Time>,
    held: BTreeMap<Way, usize>,
    /// Whether a dial is under way, by who dials whom.
    dialling: BTreeMap<(usize, usize), bool>,
}

impl Wires {
    /// No connections.
    pub fn new(random: Random) -> Self {
        Self {
            random,
            connections: BTreeMap::new(),
            made: 0,
            waiting: BTreeMap::new(),
            last: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            last_at: BTreeMap::new(),
            held: BTreeMap::new(),
            dialling: BTreeMap::new(),
        }
    }

    fn between(&self, a: usize, b: usize) -> Option<u32> {
        self.connections.get(&(a.min(b), a.max(b))).copied()
    }

    fn forget(&mut self, a: usize, b: usize) {
        self.connections.remove(&(a.min(b), a.max(b)));
        for pair in [(a, b), (b, a)] {
            self.waiting.remove(&pair);
        }
        let is_between =
            |way: &Way| (way.from.min(way.to), way.from.max(way.to)) == (a.min(b), a.max(b));
        self.in_flight.retain(|way, _| !is_between(way));
        self.last_at.retain(|way, _| !is_between(way));
        self.held.retain(|way, _| !is_between(way));
    }
}

fn after(ctx: &mut Context, micros: u64, event: Event) {
    ctx.schedule
        .after_micros(micros, WorldEvent::Election(event));
}

/// A server has something to say.
pub fn notify(ctx: &mut Context, from: usize, to: usize, message: &Notification) {
    let bytes = message.to_message();
    ctx.wires.last.insert((from, to), bytes.clone());
    match ctx.wires.between(from, to) {
        Some(connection) => put(
            ctx,
            Way {
                from,
                to,
                connection,
            },
            bytes,
        ),
        None => dial(ctx, from, to),
    }
}

fn put(ctx: &mut Context, way: Way, bytes: Vec<u8>) {
    let idle = ctx
        .wires
        .waiting
        .insert((way.from, way.to), bytes)
        .is_none();
    if idle {
        let delay = ctx.wires.random.around(100);
        after(ctx, delay, Event::Send(way));
    }
}

/// A server wants a connection, unless it has one.
pub fn dial(ctx: &mut Context, from: usize, to: usize) {
    if ctx.wires.between(from, to).is_some() {
        return;
    }
    let dialling = ctx.wires.dialling.entry((from, to)).or_default();
    if !std::mem::replace(dialling, true) {
        let delay = 100 + ctx.wires.random.around(1_000);
        after(ctx, delay, Event::Dial(from, to));
    }
}

/// A process has ended. `silently`: its machine has, and nobody is told.
pub fn stopped(ctx: &mut Context, server: usize, silently: bool) {
    ctx.wires.last.retain(|(from, _), _| *from != server);
    ctx.wires.waiting.retain(|(from, _), _| *from != server);
    for other in 0..ctx.up.len() {
        ctx.wires.dialling.remove(&(server, other));
        if let Some(connection) = ctx.wires.between(server, other) {
            let delay = match silently {
                true => ctx.wires.random.between(300_000, 3_000_000),
                false => ctx.wires.random.around(1_000),
            };
            after(ctx, delay, Event::Break(server, other, connection));
        }
    }
}

/// Nothing gets from one to the other any more: sooner or later the connection breaks.
pub fn blocked(ctx: &mut Context, from: usize, to: usize) {
    if let Some(connection) = ctx.wires.between(from, to) {
        let delay = ctx.wires.random.between(100_000, 5_000_000);
        after(ctx, delay, Event::Break(from, to, connection));
    }
}

/// What was held back gets through.
pub fn mended(ctx: &mut Context, from: usize, to: usize) {
    if let Some(connection) = ctx.wires.between(from, to) {
        let way = Way {
            from,
            to,
            connection,
        };
        for _ in 0..ctx.wires.held.remove(&way).unwrap_or(0) {
            after(ctx, 500, Event::Arrive(way));
        }
    }
}

/// Something happens.
pub fn handle(ctx: &mut Context, servers: &mut [Server], event: Event) {
    match event {
        Event::Dial(from, to) => dialled(ctx, servers, from, to),
        Event::Send(way) => send(ctx, way),
        Event::Arrive(way) => arrive(ctx, servers, way),
        Event::Break(a, b, connection) => {
            if ctx.wires.between(a, b) == Some(connection) {
                ctx.wires.forget(a, b);
                tell(ctx, servers, a, b, false);
            }
        }
    }
}

fn dialled(ctx: &mut Context, servers: &mut [Server], from: usize, to: usize) {
    ctx.wires.dialling.remove(&(from, to));
    if !ctx.is_up(from) {
        return;
    }
    let cut = ctx.blocks.election(from, to) || ctx.blocks.election(to, from);
    if cut || !ctx.is_up(to) {
        servers[from].election_peer(ctx, to, false);
        return;
    }
    // A connection that stands is one that its other end has forgotten, or a crossing.
    ctx.wires.forget(from, to);
    ctx.wires.made += 1;
    let connection = ctx.wires.made;
    let pair = (from.min(to), from.max(to));
    ctx.wires.connections.insert(pair, connection);
    ctx.counts.did("election connections");
    for (from, to) in [(from, to), (to, from)] {
        if let Some(bytes) = ctx.wires.last.get(&(from, to)).cloned() {
            put(
                ctx,
                Way {
                    from,
                    to,
                    connection,
                },
                bytes,
            );
        }
    }
    tell(ctx, servers, from, to, true);
}

fn tell(ctx: &mut Context, servers: &mut [Server], a: usize, b: usize, up: bool) {
    servers[a].election_peer(ctx, b, up);
    servers[b].election_peer(ctx, a, up);
}

fn send(ctx: &mut Context, way: Way) {
    if ctx.wires.between(way.from, way.to) != Some(way.connection) {
        return;
    }
    let Some(bytes) = ctx.wires.waiting.remove(&(way.from, way.to)) else {
        return;
    };
    let mean = *ctx.wires.random.pick(&[100, 100, 1_000, 20_000]);
    let delay = 10 + ctx.wires.random.around(mean);
    let now = ctx.schedule.now();
    let last = ctx.wires.last_at.get(&way).copied().unwrap_or(now);
    let at = Time(now.0 + delay).max(last);
    ctx.wires.last_at.insert(way, at);
    ctx.wires.in_flight.entry(way).or_default().push_back(bytes);
    ctx.schedule
        .at(at, WorldEvent::Election(Event::Arrive(way)));
}

fn arrive(ctx: &mut Context, servers: &mut [Server], way: Way) {
    if ctx.wires.between(way.from, way.to) != Some(way.connection) {
        return;
    }
    if ctx.blocks.election(way.from, way.to) {
        *ctx.wires.held.entry(way).or_default() += 1;
        blocked(ctx, way.from, way.to);
        return;
    }
    if let Some(until) = servers[way.to].paused_until
        && until > ctx.schedule.now()
    {
        let event = WorldEvent::Election(Event::Arrive(way));
        return ctx.schedule.at(until, event);
    }
    let queue = ctx.wires.in_flight.get_mut(&way);
    let Some(bytes) = queue.and_then(VecDeque::pop_front) else {
        return;
    };
    if !ctx.is_up(way.to) {
        return;
    }
    ctx.counts.did("notifications");
    let read = split_message(&bytes).ok().flatten();
    let read = read.and_then(|(message, _)| Notification::decode(message).ok());
    match read {
        Some(message) => servers[way.to].election_message(ctx, way.from, &message),
        None => {
            let what = format!("a notification that cannot be read: {bytes:x?}");
            ctx.history.violate("P24", what);
        }
    }
}
