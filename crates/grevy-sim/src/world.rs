//! The world of one run: a server, its clients, the network between them, and what goes wrong.

use crate::client::Client;
use crate::counts::Counts;
use crate::history::History;
use crate::net::{End, LinkId, Network};
use crate::options::Options;
use crate::random::Random;
use crate::schedule::Schedule;
use crate::server::{Server, Task};
use crate::trace::Trace;
use crate::{faults, strangers};
use grevy_node::Time;
use std::collections::BTreeMap;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A part of the server goes on, unless it has been started anew since.
    Server {
        /// The server's run.
        incarnation: u32,
        /// What is due.
        task: Task,
    },
    /// The server is started.
    Start,
    /// A server that cannot write is stopped and started by an operator.
    Replace,
    /// A connection reaches the server.
    Accept(LinkId),
    /// Bytes arrive.
    Arrive(LinkId, End),
    /// The client's end of a link may be read.
    Client(LinkId),
    /// A client's time has come.
    Wake(usize),
    /// Something goes wrong.
    Fault,
    /// The disk is as it should be again.
    Relief,
}

/// What all parts of a world share.
pub struct Context {
    /// How the run was drawn.
    pub options: Options,
    /// What is to come.
    pub schedule: Schedule<Event>,
    /// The network.
    pub network: Network,
    /// The trace.
    pub trace: Trace,
    /// The evidence.
    pub history: History,
    /// What was done.
    pub counts: Counts,
    /// Which client uses a link, and from which address.
    owners: BTreeMap<LinkId, (Option<usize>, u8)>,
    /// Links of intruders, with their places in the history and what came of a frame.
    pub strangers: BTreeMap<LinkId, (usize, Vec<u8>)>,
    incarnation: u32,
}

impl Context {
    /// A link from a client to the server.
    pub fn dial(&mut self, client: Option<usize>, address: u8) -> LinkId {
        let now = self.schedule.now();
        let link = self.network.open(now);
        self.owners.insert(link, (client, address));
        self.schedule.after_micros(1, Event::Accept(link));
        link
    }

    /// The link lives on, but its client does not look at it any more.
    pub fn forget_owner(&mut self, link: LinkId) {
        if let Some((client, _)) = self.owners.get_mut(&link) {
            *client = None;
        }
    }

    /// Breaks a link; both ends learn of it.
    pub fn reset(&mut self, link: LinkId) {
        self.network.reset(link);
        self.reset_later(link);
        let incarnation = self.incarnation;
        let task = Task::Socket(link);
        self.schedule
            .after_micros(300, Event::Server { incarnation, task });
    }

    /// The client learns of the end of its link.
    pub fn reset_later(&mut self, link: LinkId) {
        self.schedule.after_micros(300, Event::Client(link));
    }

    /// The client has read: there is room.
    pub fn server_may_write(&mut self, link: LinkId) {
        let incarnation = self.incarnation;
        let task = Task::Socket(link);
        self.schedule
            .after_micros(100, Event::Server { incarnation, task });
    }
}

/// A run.
pub struct World {
    /// What all parts share.
    pub ctx: Context,
    /// The server.
    pub server: Server,
    /// The clients.
    pub clients: Vec<Client>,
    /// For faults.
    pub random: Random,
}

impl World {
    /// A world before anything has happened.
    pub fn new(options: Options) -> Self {
        let mut random = Random::new(options.seed ^ 0xabcd);
        let server = Server::new(&options, random.fork());
        let clients = (0..options.clients).map(|n| Client::new(n, random.fork()));
        let clients = clients.collect();
        let history = History::new(options.extended_types);
        let mut world = Self {
            ctx: Context {
                schedule: Schedule::new(),
                network: Network::new(random.fork()),
                trace: Trace::new(options.print),
                history,
                counts: Counts::default(),
                owners: BTreeMap::new(),
                strangers: BTreeMap::new(),
                incarnation: 0,
                options,
            },
            server,
            clients,
            random,
        };
        world.server.prepare_disk(&mut world.ctx);
        world.ctx.schedule.at(Time(1000), Event::Start);
        for number in 0..world.clients.len() {
            let at = Time(1000 + world.random.below(100_000));
            world.ctx.schedule.at(at, Event::Wake(number));
        }
        world.ctx.schedule.at(Time(100_000), Event::Fault);
        world
    }

    /// Lets everything happen: a time with faults, then one without, in which all must recover.
    pub fn run(&mut self) {
        let end = Time(0) + self.ctx.options.duration;
        self.run_until(end);
        self.heal();
        let timeout = self.ctx.options.tick * self.ctx.options.timeout_ticks as u32;
        let patience = (timeout + self.ctx.options.tick) * 4 + std::time::Duration::from_secs(12);
        self.run_until(end + patience);
        crate::checkers::liveness::check(self);
        self.finish();
    }

    fn run_until(&mut self, end: Time) {
        while self.ctx.schedule.now() < end && self.ctx.history.violations.is_empty() {
            let Some(event) = self.ctx.schedule.pop() else {
                return;
            };
            self.handle(event);
        }
    }

    /// No more faults, and nothing new is asked for.
    fn heal(&mut self) {
        self.ctx.options.faults = crate::options::Faults {
            power: false,
            kill: false,
            disk: false,
            rot: false,
            network: false,
            clock: false,
        };
        self.server.heal();
        self.ctx.network.calm_down();
        self.clients.iter_mut().for_each(Client::calm_down);
    }

    /// The last look at the server: what it holds, and what its disk holds.
    fn finish(&mut self) {
        self.ctx.counts.simulated = std::time::Duration::from_micros(self.ctx.schedule.now().0);
        self.server.kill(&mut self.ctx);
        if self.ctx.history.violations.is_empty() {
            self.server.start(&mut self.ctx);
        }
    }

    fn handle(&mut self, event: Event) {
        let Self {
            ctx,
            server,
            clients,
            ..
        } = self;
        match event {
            Event::Server { incarnation, task } => {
                if incarnation == server.incarnation {
                    server.handle(ctx, task);
                }
            }
            Event::Start => server.start(ctx),
            Event::Replace => {
                if server.not_serving().is_some() {
                    server.kill(ctx);
                }
            }
            Event::Accept(link) => {
                let address = ctx.owners.get(&link).map_or(0, |(_, address)| *address);
                server.accept(ctx, link, address);
            }
            Event::Arrive(link, end) => {
                if ctx.network.arrive(link, end) {
                    match end {
                        End::Server => server.handle(ctx, Task::Socket(link)),
                        End::Client => self.client_reads(link),
                    }
                }
            }
            Event::Client(link) => self.client_reads(link),
            Event::Wake(number) => {
                if let Some(client) = clients.get_mut(number) {
                    client.wake(ctx);
                    if let Some(link) = client.link() {
                        client.readable(ctx, link);
                    }
                }
            }
            Event::Fault => faults::inject(self),
            Event::Relief => faults::relieve(self),
        }
        self.ctx.incarnation = self.server.incarnation;
    }

    fn client_reads(&mut self, link: LinkId) {
        let owner = self.ctx.owners.get(&link).and_then(|(client, _)| *client);
        match owner.and_then(|number| self.clients.get_mut(number)) {
            Some(client) => client.readable(&mut self.ctx, link),
            None => strangers::readable(&mut self.ctx, link),
        }
    }
}
