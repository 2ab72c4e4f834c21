//! A run under way: the simulated world, and beside it the processes whose clients reach it.
//!
//! Everything happens in one future on a tokio runtime whose time passes only when nothing else
//! is left to do. Tokio's timers count milliseconds, so what the world does within one is done
//! at its end, in order; processes go on as soon as they can after each event.

use crate::actor::{Actor, Phase};
use crate::book::Book;
use crate::fates::{self, Fate};
use crate::options::Options;
use crate::process::{Outer, Process, Ran};
use crate::scenes::{Role, Scene};
use crate::socket::State;
use grevy_sim::Time;
use grevy_sim::checkers::liveness;
use grevy_sim::net::{End, LinkId, Received};
use grevy_sim::random::Random;
use grevy_sim::schedule::Schedule;
use grevy_sim::world::{Event, Step, World};
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

/// How often beliefs are judged.
const JUDGE_EVERY: Duration = Duration::from_millis(250);

/// See the module's text.
pub struct Stage {
    /// The servers and the network.
    pub world: World,
    /// What is believed, and what is true.
    pub book: Book,
    /// The processes, by their places.
    pub places: Vec<Place>,
    /// What is to befall the processes.
    pub fates: Schedule<Fate>,
    /// For fates.
    pub random: Random,
    /// How the run was drawn.
    pub options: Arc<Options>,
    scene: Arc<dyn Scene>,
    phase: watch::Sender<Phase>,
    /// Until when the present phase has to be over.
    deadline: Time,
    /// Whose link it is.
    links: BTreeMap<LinkId, (usize, u64)>,
    outer: Outer,
    start: Instant,
    sleep: Pin<Box<Sleep>>,
}

/// Where one process runs at a time.
#[derive(Default)]
pub struct Place {
    /// The one that runs now.
    pub process: Option<Process>,
    /// How many there were.
    pub lives: u32,
}

impl Stage {
    /// Before anything has happened.
    pub fn new(options: Arc<Options>, scene: Arc<dyn Scene>) -> Self {
        let mut world = World::new(options.world.clone());
        world.ctx.guests = options.places;
        let mut random = Random::new(options.seed ^ 0xfa7e);
        let mut fates = Schedule::new();
        for place in 0..options.places {
            let at = Time(random.below(2_000_000));
            fates.at(at, Fate::Start(place));
        }
        fates.at(Time(1_000_000), Fate::Draw);
        fates.at(Time(0), Fate::Judge);
        let book = Book::new(&world.ctx.history);
        Self {
            deadline: Time(0) + options.world.duration,
            book,
            world,
            places: (0..options.places).map(|_| Place::default()).collect(),
            fates,
            random,
            options,
            scene,
            phase: watch::Sender::new(Phase::Playing),
            links: BTreeMap::new(),
            outer: Outer::default(),
            start: Instant::now(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }

    /// Lets everything happen.
    pub async fn play(&mut self) {
        // One turn of this future may be very long, which is no reason for tokio to hold it up.
        tokio::task::unconstrained(std::future::poll_fn(|context| self.poll(context))).await;
        self.places.clear();
        if self.is_spoilt() {
            return;
        }
        // Sessions of those that were killed last end by themselves.
        self.world.run_for(self.world.patience());
        self.follow();
        liveness::check(&mut self.world);
        self.scene.end(&self.book);
        self.world.finish();
    }

    /// The present.
    pub fn now(&self) -> Time {
        Time(0) + self.start.elapsed()
    }

    /// Whether a rule is broken.
    pub fn is_spoilt(&self) -> bool {
        !self.world.ctx.history.violations.is_empty() || !self.book.open().violations.is_empty()
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        *self.outer.lock() = Some(context.waker().clone());
        loop {
            self.run_processes();
            if self.is_spoilt() || (self.has_come_to(Phase::Over) && self.is_empty()) {
                return Poll::Ready(());
            }
            let now = self.now();
            let world = self.world.ctx.schedule.next_at();
            let fate = self.fates.next_at();
            let next = match (world, fate) {
                (Some(world), Some(fate)) => world.min(fate),
                (world, fate) => world.or(fate).unwrap_or(now),
            };
            if next > now {
                // At the next whole millisecond, when tokio's timers fire.
                let next = Duration::from_micros(next.0.next_multiple_of(1000));
                self.sleep.as_mut().reset(self.start + next);
                if self.sleep.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                continue;
            }
            match fate == Some(next) {
                true => self.suffer(),
                false => self.step(),
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.places.iter().all(|place| place.process.is_none())
    }

    fn has_come_to(&self, phase: Phase) -> bool {
        *self.phase.borrow() >= phase
    }

    fn step(&mut self) {
        if let Step::Guest(link) = self.world.step() {
            self.move_bytes(link);
        }
        self.follow();
    }

    fn follow(&mut self) {
        let mut notes = self.book.open();
        notes.now = self.world.ctx.schedule.now();
        let now = notes.now;
        loop {
            match notes.truth.follow(&self.world.ctx.history, now) {
                Ok(None) => return,
                Ok(Some(events)) => {
                    for event in &events {
                        notes.say(format!("committed {event:x?}"));
                        self.scene.committed(&mut notes, event);
                    }
                }
                Err(what) => return notes.violate("P9", what),
            }
        }
    }

    fn suffer(&mut self) {
        let Some(fate) = self.fates.pop() else {
            return;
        };
        match fate {
            Fate::Judge => {
                self.judge();
                self.fates.after(JUDGE_EVERY, Fate::Judge);
            }
            Fate::Start(place) => self.start(place),
            Fate::Draw if self.has_come_to(Phase::Quiet) => {}
            Fate::Draw => fates::draw(self),
            Fate::Resume { place, life } => fates::resume(self, place, life),
        }
    }

    fn start(&mut self, at: usize) {
        if self.has_come_to(Phase::Over) {
            return;
        }
        let now = self.now();
        let place = &mut self.places[at];
        if place.process.is_some() {
            return;
        }
        place.lives += 1;
        let process = Process::new(place.lives, now, self.outer.clone());
        let spawner = process.spawner();
        let actor = Actor::new(
            (at, place.lives),
            process.sockets.clone(),
            spawner.clone(),
            (self.book.clone(), self.options.clone()),
            self.phase.subscribe(),
            self.random.fork(),
        );
        let scene = self.scene.clone();
        spawner(Box::pin(async move {
            let client = actor.client.clone();
            let (book, me) = (actor.book.clone(), (actor.place, actor.life));
            let done = match actor.connected().await {
                Ok(()) => scene.act(actor).await,
                Err(error) => Err(error),
            };
            {
                let mut notes = book.open();
                notes.counts.did("lives");
                if let Err(error) = done {
                    notes.counts.did("lives that failed");
                    notes.say(format!("p{} fails: {error}", me.0));
                }
            }
            client.close().await;
        }));
        place.process = Some(process);
        self.book.open().say(format!("p{at} starts"));
    }

    /// Lets each process go on that can.
    fn run_processes(&mut self) {
        for at in 0..self.places.len() {
            let Some(process) = &mut self.places[at].process else {
                continue;
            };
            if process.paused_until.is_some() || !process.is_ready() {
                continue;
            }
            let ran = process.run();
            match ran {
                Ran::Waits => {}
                Ran::Ended => self.gone(at),
                Ran::Died => fates::kill(self, at, false),
            }
            self.serve_sockets(at);
        }
        let mut notes = self.book.open();
        let now = self.world.ctx.schedule.now();
        for line in notes.lines.drain(..) {
            self.world.ctx.trace.line(now, format_args!("{line}"));
        }
    }

    /// A process has ended; another one takes its place.
    fn gone(&mut self, at: usize) {
        self.close_all(at, false);
        self.places[at].process = None;
        self.book.open().at_rest.remove(&at);
        let again = self.random.around(500_000);
        self.fates
            .at(self.now() + Duration::from_micros(again), Fate::Start(at));
    }

    /// The process in a place is no more. `silently`: with its machine.
    pub fn lose(&mut self, at: usize, silently: bool) {
        self.close_all(at, silently);
        // What it would do on its way out goes nowhere.
        self.gone(at);
    }

    fn close_all(&mut self, at: usize, silently: bool) {
        let Some(process) = &self.places[at].process else {
            return;
        };
        let sockets = std::mem::take(&mut process.sockets.lock().all);
        for link in sockets.values().filter_map(|socket| socket.link) {
            self.links.remove(&link);
            match silently {
                true => self.world.ctx.network.kill(link),
                false => self.hang_up(link),
            }
            self.world.ctx.forget_owner(link);
        }
    }

    fn hang_up(&mut self, link: LinkId) {
        let ctx = &mut self.world.ctx;
        let now = ctx.schedule.now();
        if let Some(at) = ctx.network.finish(link, End::Client, now) {
            ctx.schedule.at(at, Event::Arrive(link, End::Server));
        }
        ctx.network.close(link, End::Client);
        ctx.forget_owner(link);
    }

    /// Does what a process wants of its sockets.
    fn serve_sockets(&mut self, at: usize) {
        let Some(process) = &self.places[at].process else {
            return;
        };
        let all = process.sockets.clone();
        let ids: Vec<u64> = all.lock().all.keys().copied().collect();
        for id in ids {
            let mut all = all.lock();
            let Some(socket) = all.all.get_mut(&id) else {
                continue;
            };
            if socket.is_dropped {
                let link = socket.link;
                all.all.remove(&id);
                if let Some(link) = link {
                    self.links.remove(&link);
                    self.hang_up(link);
                }
                continue;
            }
            if socket.state == State::Asked {
                let ctx = &mut self.world.ctx;
                let server = socket.server;
                if ctx.blocks.is_client_cut_off(Some(at), server) {
                    socket.state = State::Unanswered;
                } else if !ctx.is_up(server) {
                    socket.becomes(State::Failed(io::ErrorKind::ConnectionRefused));
                } else {
                    let link = ctx.dial(Some(at), 1 + at as u8, server);
                    socket.link = Some(link);
                    socket.becomes(State::Open);
                    self.links.insert(link, (at, id));
                }
            }
            if let Some(link) = socket.link
                && !socket.outgoing.is_empty()
            {
                let ctx = &mut self.world.ctx;
                let now = ctx.schedule.now();
                let bytes = socket.outgoing.make_contiguous();
                let (sent, due) = ctx.network.send(link, End::Client, bytes, now);
                socket.outgoing.drain(..sent);
                for at in due {
                    ctx.schedule.at(at, Event::Arrive(link, End::Server));
                }
                if sent > 0 {
                    socket.wake();
                }
            }
        }
    }

    /// Something may be read from a link, or written to it.
    fn move_bytes(&mut self, link: LinkId) {
        let Some(&(at, id)) = self.links.get(&link) else {
            return;
        };
        let Some(process) = &self.places[at].process else {
            return;
        };
        // What comes while it stands still waits in the system.
        if process.paused_until.is_none()
            && let Some(socket) = process.sockets.lock().all.get_mut(&id)
        {
            let ctx = &mut self.world.ctx;
            loop {
                let max = *self.random.pick(&[1 << 16, 1 << 16, 50, 1]);
                match ctx.network.receive(link, End::Client, max) {
                    Received::Nothing => break,
                    Received::Bytes(bytes) => {
                        socket.incoming.extend(bytes);
                        socket.wake();
                        ctx.wake(link, End::Server, 100);
                    }
                    Received::End => {
                        socket.becomes(State::Ended);
                        break;
                    }
                    Received::Reset => {
                        socket.becomes(State::Failed(io::ErrorKind::ConnectionReset));
                        break;
                    }
                }
            }
        }
        self.serve_sockets(at);
    }

    /// The links of a process.
    pub fn links_of(&self, place: usize) -> Vec<LinkId> {
        let own = self.links.iter().filter(|(_, (at, _))| *at == place);
        own.map(|(link, _)| *link).collect()
    }

    /// After a pause, what has come meanwhile is read.
    pub fn read_all(&mut self, place: usize) {
        for link in self.links_of(place) {
            self.move_bytes(link);
        }
    }

    /// Looks at beliefs, and whether the next phase begins.
    fn judge(&mut self) {
        let now = self.now();
        let awake = |at: usize| {
            let process = self.places[at].process.as_ref()?;
            (process.paused_until.is_none()).then_some(process.awake_since)
        };
        self.book.open().judge_beliefs(self.options.belief(), awake);
        let next = match *self.phase.borrow() {
            Phase::Playing => (now >= self.deadline).then_some(Phase::Quiet),
            Phase::Quiet => self.all_rest(Role::Does).then_some(Phase::Still),
            Phase::Still => {
                (self.all_rest(Role::Does) && self.all_rest(Role::Looks)).then_some(Phase::Over)
            }
            Phase::Over => None,
        };
        if let Some(phase) = next {
            self.begin(phase);
        } else if now > self.deadline {
            let rest = self.book.open().at_rest.clone();
            let phase = *self.phase.borrow();
            let what = format!("{phase:?} does not come to an end; at rest: {rest:?}");
            self.book.open().violate("R5", what);
        }
    }

    fn all_rest(&self, role: Role) -> bool {
        let notes = self.book.open();
        let of_role = |at: &usize| self.scene.role(*at) == role;
        let mut places = (0..self.places.len()).filter(of_role);
        places.all(|at| notes.at_rest.contains_key(&at))
    }

    fn begin(&mut self, phase: Phase) {
        if phase == Phase::Quiet {
            self.world.heal();
            for at in 0..self.places.len() {
                fates::wake(self, at);
                if let Some(process) = &mut self.places[at].process {
                    process.dies_in = None;
                }
            }
        }
        self.deadline = self.now() + self.world.patience() + self.options.patience() * 2;
        self.book.open().say(format!("{phase:?} begins"));
        self.phase.send_replace(phase);
    }
}
