//! What the main task of a process has: a client, notes, chance, and when to come to an end.

use crate::book::{Belief, Book, Claim, With};
use crate::options::{Bug, Options};
use crate::socket::{Sockets, Wire};
use grevy_client::{Client, Connector, Error, Task};
use grevy_sim::random::Random;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// All do as they like, and things go wrong.
    Playing,
    /// Nothing goes wrong any more, and nothing new is begun.
    Quiet,
    /// Nothing changes any more.
    Still,
    /// All go home.
    Over,
}

/// See the module's text.
pub struct Actor {
    /// Its place among the processes.
    pub place: usize,
    /// Which of the processes in this place.
    pub life: u32,
    /// Its client's session.
    pub client: Client,
    /// The run's notes.
    pub book: Book,
    /// How the run was drawn.
    pub options: Arc<Options>,
    /// What it leaves to chance.
    pub random: Random,
    phase: watch::Receiver<Phase>,
}

impl Actor {
    /// The main task's part of a new process.
    pub fn new(
        (place, life): (usize, u32),
        sockets: Arc<Mutex<Sockets>>,
        spawner: impl Fn(Task) + Send + Sync + 'static,
        (book, options): (Book, Arc<Options>),
        phase: watch::Receiver<Phase>,
        mut random: Random,
    ) -> Self {
        let servers = (0..options.world.servers()).map(|n| format!("s{n}:2181"));
        let servers: Vec<String> = servers.collect();
        let client = Connector::new(&servers.join(","))
            .expect("a connection string of our own")
            .session_timeout(options.session_timeout)
            .pauses(Duration::from_millis(50), Duration::from_secs(1))
            .transport(Wire(sockets))
            .spawner(spawner)
            .seed(random.any())
            .start();
        Self {
            place,
            life,
            client,
            book,
            options,
            random,
            phase,
        }
    }

    /// Whether the run is one of a planted bug.
    pub fn has(&self, bug: Bug) -> bool {
        self.options.bug == Some(bug)
    }

    /// Whether things still go wrong.
    pub fn plays(&self) -> bool {
        *self.phase.borrow() == Phase::Playing
    }

    /// Waits until the run has come so far.
    pub fn until(&self, phase: Phase) -> impl Future<Output = ()> + Send + use<> {
        let mut receiver = self.phase.clone();
        async move {
            // The stage outlives all processes.
            let _ = receiver.wait_for(|now| *now >= phase).await;
        }
    }

    /// Lets some time pass, around `mean`, or until the playing is over.
    pub async fn idle(&mut self, mean: Duration) {
        let over = self.until(Phase::Quiet);
        let _ = tokio::time::timeout(self.around(mean), over).await;
    }

    /// A duration around `mean`.
    pub fn around(&mut self, mean: Duration) -> Duration {
        let micros = u64::try_from(mean.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.random.around(micros))
    }

    /// Says what happened.
    pub fn say(&self, what: &str) {
        let line = format!("p{} {what}", self.place);
        self.book.open().say(line);
    }

    /// Something was done.
    pub fn did(&self, what: &'static str) {
        self.book.open().counts.did(what);
    }

    /// Notes a broken rule.
    pub fn violate(&self, property: &'static str, what: &str) {
        let what = format!("p{}: {what}", self.place);
        self.book.open().violate(property, what);
    }

    /// This process may not know what came of something.
    pub fn misfortune(&self) {
        self.book.open().misfortune(self.place, self.life);
    }

    /// It believes to hold something.
    pub fn holds(&self, office: &str, with: With, token: i64) -> Belief {
        let claim = Claim {
            place: self.place,
            office: office.to_owned(),
            with,
            token,
            session: self.client.session_id().0,
        };
        self.book.granted(&self.client, claim)
    }

    /// Waits for a server, and says whose session this is.
    ///
    /// # Errors
    ///
    /// If the session is over.
    pub async fn connected(&self) -> Result<(), Error> {
        self.client.connected().await?;
        let session = self.client.session_id().0;
        let me = (self.place, self.life);
        self.book.open().sessions.insert(session, me);
        Ok(())
    }

    /// Makes sure that what is read from here on is not older than the present. Returns the last
    /// transaction of that.
    ///
    /// # Errors
    ///
    /// If the session ends.
    pub async fn catch_up(&self) -> Result<i64, Error> {
        loop {
            let zxid = self.book.open().truth.zxid();
            match self.client.sync("/").await {
                Ok(()) => return Ok(zxid),
                Err(error) if error.ends_session() => return Err(error),
                Err(_) => {
                    self.client.connected().await?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    /// Waits until no znode below `office` is of this session.
    pub async fn leaves_nothing(&self, office: &str) {
        let session = self.client.session_id().0;
        let deadline = tokio::time::Instant::now() + self.options.patience();
        loop {
            let left = {
                let notes = self.book.open();
                let children = notes.truth.children(office);
                let own = |path: &str| {
                    let znode = notes.truth.model.get(path);
                    znode.is_some_and(|znode| znode.owner == session)
                };
                children.into_iter().find(|(_, path)| own(path))
            };
            match left {
                None => return self.book.open().counts.check("R4"),
                Some((_, path)) if tokio::time::Instant::now() > deadline => {
                    let what = format!("{path} is left behind");
                    return self.violate("R4", &what);
                }
                Some(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// It has nothing more to do but to stay what it is, until all go home.
    pub async fn rest(&self) {
        let (place, life) = (self.place, self.life);
        self.book.open().at_rest.insert(place, life);
        self.until(Phase::Over).await;
    }
}
