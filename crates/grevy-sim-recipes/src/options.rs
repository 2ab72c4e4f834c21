//! How a run is drawn from its seed.

use crate::recipe::Recipe;
use grevy_sim::ensemble::Ensemble;
use grevy_sim::options::Faults;
use grevy_sim::random::Random;
use std::time::Duration;

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What is tried.
    pub recipe: Recipe,
    /// Decides everything.
    pub seed: u64,
    /// The servers, and what befalls them.
    pub world: grevy_sim::Options,
    /// How many processes there are at a time.
    pub places: usize,
    /// The session timeout that clients ask for.
    pub session_timeout: Duration,
    /// Mean time between fates.
    pub fate_every: Duration,
    /// Mean time between what a process does.
    pub think: Duration,
    /// A bug to be found.
    pub bug: Option<Bug>,
}

/// A bug put in on purpose: what a recipe of the same purpose would do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A lock is taken for held once the one before is gone, without looking who else is.
    TrustsThePredecessor,
    /// After a reconnect, a holder does not ask whether it still holds.
    BelievesOnReconnect,
    /// A semaphore's leases are counted before one's own is there.
    CountsBeforeItLeases,
    /// An element that somebody else has deleted is taken, too.
    TakesWhatIsGone,
    /// A write of unknown outcome is made again.
    CountsAgain,
    /// What waits at a barrier goes on at the first event, whatever it is.
    PassesAtAnyEvent,
    /// What may have been missed while there was no connection is not read again.
    MissesWhatWasMissed,
    /// A name is believed to be one's own whoever has it.
    TakesAnyName,
}

impl Bug {
    /// All of them, each with a recipe that it is a bug of.
    pub const ALL: &[(Self, Recipe)] = &[
        (Self::TrustsThePredecessor, Recipe::Lock),
        (Self::BelievesOnReconnect, Recipe::Lock),
        (Self::CountsBeforeItLeases, Recipe::Semaphore),
        (Self::TakesWhatIsGone, Recipe::Queue),
        (Self::CountsAgain, Recipe::Counter),
        (Self::PassesAtAnyEvent, Recipe::Barrier),
        (Self::MissesWhatWasMissed, Recipe::TreeCache),
        (Self::TakesAnyName, Recipe::Group),
    ];

    /// Its name on a command line.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The bug of that name, and a recipe that it is a bug of.
    pub fn parse(name: &str) -> Option<(Self, Recipe)> {
        Self::ALL
            .iter()
            .copied()
            .find(|(bug, _)| bug.name() == name)
    }
}

impl Options {
    /// The run of a seed.
    pub fn draw(recipe: Recipe, seed: u64) -> Self {
        let drawn = grevy_sim::Options::ensemble(seed);
        let mut random = Random::new(seed ^ 0x5ec1);
        let r = &mut random;
        let ensemble = drawn.ensemble.map(|ensemble| Ensemble {
            voters: *r.pick(&[3, 3, 3, 5]),
            observers: *r.pick(&[0, 0, 1]),
            changes: false,
            local_sessions: false,
            ..ensemble
        });
        let calm = r.one_in(5);
        let faults = match calm {
            true => Faults::NONE,
            false => Faults {
                rot: false,
                network: true,
                partition: true,
                ..drawn.faults
            },
        };
        let timeout = drawn.tick * *r.pick(&[10, 10, 20]);
        Self {
            recipe,
            seed,
            places: *r.pick(&[3, 4, 5, 6]),
            session_timeout: timeout.max(Duration::from_millis(1_500)),
            fate_every: Duration::from_millis(*r.pick(&[400, 1_000, 2_000])),
            think: Duration::from_millis(*r.pick(&[50, 100, 300])),
            bug: None,
            world: grevy_sim::Options {
                ensemble,
                faults,
                clients: 0,
                requests: 0,
                timeout_ticks: 20,
                duration: Duration::from_secs(r.between(15, 30)),
                snap_count: *r.pick(&[30, 500]),
                fault_every: *r.pick(&[2_000, 5_000, 15_000]),
                ..drawn
            },
        }
    }

    /// How long it may take until something is done once all is well.
    pub fn patience(&self) -> Duration {
        self.session_timeout * 6 + Duration::from_secs(40)
    }

    /// How long a process that is awake may believe to hold what it has lost: until a connection
    /// that is silent is given up, or a server that serves without a leader has noticed.
    pub fn belief(&self) -> Duration {
        self.session_timeout * 2 + self.world.tick * 20 + Duration::from_secs(2)
    }
}
