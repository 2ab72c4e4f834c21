//! The world of one run: servers, their clients, the network between them, and what goes wrong.

use crate::client::Client;
use crate::counts::Counts;
use crate::election::Wires;
use crate::history::History;
use crate::net::{End, LinkId, Network};
use crate::options::{Faults, Options};
use crate::partition::Blocks;
use crate::random::Random;
use crate::schedule::Schedule;
use crate::server::{Server, Task};
use crate::trace::Trace;
use crate::{election, faults, partition, strangers};
use grevy_node::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A part of a server goes on, unless it has been started anew since.
    Server {
        /// Which server.
        server: usize,
        /// Its run.
        incarnation: u32,
        /// What is due.
        task: Task,
    },
    /// A server is started.
    Start(usize),
    /// A server that cannot write is stopped and started by an operator.
    Replace(usize),
    /// A connection reaches a server.
    Accept(LinkId),
    /// Bytes arrive.
    Arrive(LinkId, End),
    /// The client's end of a link may be read.
    Client(LinkId),
    /// A client's time has come.
    Wake(usize),
    /// Something happens on the election ports.
    Election(election::Event),
    /// Something goes wrong.
    Fault,
    /// A server's disk is as it should be again.
    Relief(usize),
    /// Servers that could not reach each other can again.
    Mend(u32),
}

/// Who is at the ends of a link.
#[derive(Debug, Clone, Copy)]
pub enum Route {
    /// A client, if it still looks at it, and a server.
    Client {
        /// Which client.
        client: Option<usize>,
        /// The last byte of its address.
        address: u8,
        /// Which server.
        server: usize,
    },
    /// A server that dialled another, with the runs of both.
    Servers {
        /// Who dialled.
        learner: (usize, u32),
        /// Who is to accept.
        leader: (usize, u32),
        /// On its port for observers.
        for_observers: bool,
    },
}

/// What all parts of a world share.
pub struct Context {
    /// How the run was drawn.
    pub options: Options,
    /// What is to come.
    pub schedule: Schedule<Event>,
    /// The network.
    pub network: Network,
    /// The election ports.
    pub wires: Wires,
    /// Who cannot reach whom.
    pub blocks: Blocks,
    /// The trace.
    pub trace: Trace,
    /// The evidence.
    pub history: History,
    /// What was done.
    pub counts: Counts,
    /// Who uses a link.
    pub routes: BTreeMap<LinkId, Route>,
    /// Links of intruders, with their places in the history and what came of a frame.
    pub strangers: BTreeMap<LinkId, (usize, Vec<u8>)>,
    /// The run of each server; 0 while none is up.
    pub up: Vec<u32>,
    /// Counts runs of all servers.
    pub incarnations: u32,
    /// How many clients there are beside those of the world. They are numbered on from those,
    /// and somebody else runs them, see [`Step::Guest`].
    pub guests: usize,
}

/// What has just happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something that the world has taken care of.
    Done,
    /// The end of a guest's link may be read or written.
    Guest(LinkId),
    /// Nothing: there is nothing to come.
    End,
}

impl Context {
    /// A link from a client to a server.
    pub fn dial(&mut self, client: Option<usize>, address: u8, server: usize) -> LinkId {
        let now = self.schedule.now();
        let link = self.network.open(now);
        let route = Route::Client {
            client,
            address,
            server,
        };
        self.routes.insert(link, route);
        if self.blocks.is_client_cut_off(client, server) {
            self.network.hold(link, End::Server);
            self.network.hold(link, End::Client);
        }
        self.schedule.after_micros(1, Event::Accept(link));
        link
    }

    /// The link lives on, but its client does not look at it any more.
    pub fn forget_owner(&mut self, link: LinkId) {
        if let Some(Route::Client { client, .. }) = self.routes.get_mut(&link) {
            *client = None;
        }
    }

    /// Breaks a link; both ends learn of it.
    pub fn reset(&mut self, link: LinkId) {
        self.network.reset(link);
        self.reset_later(link);
        self.wake(link, End::Server, 300);
    }

    /// The end that dialled learns of the end of its link.
    pub fn reset_later(&mut self, link: LinkId) {
        self.wake(link, End::Client, 300);
    }

    /// An end of a link is looked at after so many µs.
    pub fn wake(&mut self, link: LinkId, end: End, micros: u64) {
        let event = match (self.routes.get(&link), end) {
            (Some(Route::Client { .. }) | None, End::Client) => Event::Client(link),
            (Some(Route::Client { server, .. }), End::Server) => Event::Server {
                server: *server,
                incarnation: self.up[*server],
                task: Task::Socket(link),
            },
            (
                Some(Route::Servers {
                    learner, leader, ..
                }),
                end,
            ) => {
                let (server, incarnation) = match end {
                    End::Client => *learner,
                    End::Server => *leader,
                };
                Event::Server {
                    server,
                    incarnation,
                    task: Task::Quorum(link),
                }
            }
            (None, End::Server) => return,
        };
        self.schedule.after_micros(micros, event);
    }

    /// Whether a process runs there.
    pub fn is_up(&self, server: usize) -> bool {
        self.up[server] != 0
    }
}

/// A run.
pub struct World {
    /// What all parts share.
    pub ctx: Context,
    /// The servers.
    pub servers: Vec<Server>,
    /// The clients.
    pub clients: Vec<Client>,
    /// For faults.
    pub random: Random,
}

impl World {
    /// A world before anything has happened.
    pub fn new(options: Options) -> Self {
        let mut random = Random::new(options.seed ^ 0xabcd);
        let number = options.servers();
        let servers = (0..number).map(|at| Server::new(at, &options, random.fork()));
        let servers: Vec<Server> = servers.collect();
        let clients = (0..options.clients).map(|n| Client::new(n, random.fork()));
        let mut clients: Vec<Client> = clients.collect();
        if options.ensemble.as_ref().is_some_and(|e| e.changes) {
            clients.push(Client::operator(clients.len(), random.fork()));
        }
        let mut world = Self {
            ctx: Context {
                schedule: Schedule::new(),
                network: Network::new(random.fork()),
                wires: Wires::new(random.fork()),
                blocks: Blocks::default(),
                trace: Trace::new(options.print),
                history: History::new(&options),
                counts: Counts::default(),
                routes: BTreeMap::new(),
                strangers: BTreeMap::new(),
                up: vec![0; number],
                incarnations: 0,
                guests: 0,
                options,
            },
            servers,
            clients,
            random,
        };
        for server in &mut world.servers {
            server.prepare_disk(&mut world.ctx);
            let at = Time(1000 + server.index as u64 * world.random.below(50_000));
            world.ctx.schedule.at(at, Event::Start(server.index));
        }
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
        self.end();
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.ctx.schedule.now() + time);
    }

    /// Puts everything right, and sees that all recovers.
    pub fn end(&mut self) {
        self.heal();
        self.run_for(self.patience());
        crate::checkers::liveness::check(self);
        self.finish();
    }

    /// How long it may take until all is well.
    pub fn patience(&self) -> Duration {
        let options = &self.ctx.options;
        let timeout = options.tick * options.timeout_ticks as u32;
        let patience = (timeout + options.tick) * 4 + Duration::from_secs(12);
        match &options.ensemble {
            None => patience,
            // L1, twice: a first leader may be one that is about to be stopped.
            Some(e) => patience + (Duration::from_secs(4) + options.tick * e.init_ticks) * 4,
        }
    }

    fn run_until(&mut self, end: Time) {
        while self.ctx.schedule.now() < end && self.ctx.history.violations.is_empty() {
            if self.step() == Step::End {
                return;
            }
        }
    }

    /// Lets one thing happen, the next that is due.
    pub fn step(&mut self) -> Step {
        match self.ctx.schedule.pop() {
            Some(event) => self.handle(event),
            None => Step::End,
        }
    }

    /// No more faults, and nothing new is asked for.
    pub fn heal(&mut self) {
        trace!(self.ctx.trace, self.ctx.schedule.now(), "all is healed");
        self.ctx.options.faults = Faults::NONE;
        for server in &mut self.servers {
            server.heal();
            if std::mem::take(&mut server.stays_down) {
                self.ctx
                    .schedule
                    .after_micros(1, Event::Start(server.index));
            }
        }
        partition::mend_all(&mut self.ctx);
        self.ctx.network.calm_down();
        self.clients.iter_mut().for_each(Client::calm_down);
    }

    /// The last look at the servers: what they hold, and what their disks hold.
    pub fn finish(&mut self) {
        self.ctx.counts.simulated = Duration::from_micros(self.ctx.schedule.now().0);
        for server in &mut self.servers {
            server.last_look(&mut self.ctx);
            server.kill(&mut self.ctx);
        }
        for server in &mut self.servers {
            if self.ctx.history.violations.is_empty() {
                server.start(&mut self.ctx);
            }
        }
    }

    fn handle(&mut self, event: Event) -> Step {
        let Self {
            ctx,
            servers,
            clients,
            ..
        } = self;
        match event {
            Event::Server {
                server,
                incarnation,
                task,
            } => {
                if incarnation == 0 || incarnation != ctx.up[server] {
                    return Step::Done;
                }
                match servers[server].paused_until {
                    Some(until) if until > ctx.schedule.now() => ctx.schedule.at(until, event),
                    _ => servers[server].handle(ctx, task),
                }
            }
            Event::Start(server) => servers[server].start(ctx),
            Event::Replace(server) => {
                if servers[server].not_serving().is_some() {
                    servers[server].kill(ctx);
                }
            }
            Event::Accept(link) => self.accept(link),
            Event::Arrive(link, end) => {
                if ctx.network.arrive(link, end) {
                    ctx.wake(link, end, 0);
                }
            }
            Event::Client(link) => return self.client_reads(link),
            Event::Wake(number) => {
                if let Some(client) = clients.get_mut(number) {
                    client.wake(ctx);
                    if let Some(link) = client.link() {
                        client.readable(ctx, link);
                    }
                }
            }
            Event::Election(event) => election::handle(ctx, servers, event),
            Event::Fault => faults::inject(self),
            Event::Relief(server) => servers[server].relieve(),
            Event::Mend(number) => partition::mend(ctx, number),
        }
        Step::Done
    }

    fn accept(&mut self, link: LinkId) {
        let Self { ctx, servers, .. } = self;
        let Some(route) = ctx.routes.get(&link).copied() else {
            return;
        };
        let server = match route {
            Route::Client { server, .. } => server,
            Route::Servers { leader, .. } => leader.0,
        };
        if let Some(until) = servers[server].paused_until
            && until > ctx.schedule.now()
        {
            return ctx.schedule.at(until, Event::Accept(link));
        }
        match route {
            Route::Client { address, .. } => servers[server].accept(ctx, link, address),
            Route::Servers {
                learner,
                leader,
                for_observers,
            } => match ctx.up[server] == leader.1 {
                true => servers[server].accept_learner(ctx, link, learner.0, for_observers),
                false => ctx.reset(link),
            },
        }
    }

    fn client_reads(&mut self, link: LinkId) -> Step {
        let owner = match self.ctx.routes.get(&link) {
            Some(Route::Client { client, .. }) => *client,
            _ => None,
        };
        match owner {
            Some(number) => match self.clients.get_mut(number) {
                Some(client) => client.readable(&mut self.ctx, link),
                None => return Step::Guest(link),
            },
            None => strangers::readable(&mut self.ctx, link),
        }
        Step::Done
    }
}
