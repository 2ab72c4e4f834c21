//! What befalls processes: they are killed, at any moment and at any point where they wait; cut
//! off from all servers; paused, and run on with what they believed; their connections break.

use crate::stage::Stage;
use grevy_sim::partition::{self, Block};
use std::time::Duration;

/// Something that is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Beliefs are judged.
    Judge,
    /// A process starts.
    Start(usize),
    /// Something befalls somebody.
    Draw,
    /// A process that was paused runs on.
    Resume {
        /// Where.
        place: usize,
        /// Which one.
        life: u32,
    },
}

/// Something befalls somebody, mostly one that holds something.
pub fn draw(stage: &mut Stage) {
    let every = u64::try_from(stage.options.fate_every.as_micros()).unwrap_or(u64::MAX);
    let next = Duration::from_micros(stage.random.around(every));
    stage.fates.after(next, Fate::Draw);
    let holders = stage.book.open().holders();
    let at = match !holders.is_empty() && stage.random.percent(60) {
        true => *stage.random.pick(&holders),
        false => stage.random.index(stage.places.len()),
    };
    let held = holders.contains(&at);
    let Some(process) = &mut stage.places[at].process else {
        return;
    };
    if process.paused_until.is_some() {
        return;
    }
    let timeout = u64::try_from(stage.options.session_timeout.as_micros()).unwrap_or(u64::MAX);
    match stage.random.weighted(&[3, 3, 1, 4, 5, 6, 2]) {
        0 => kill(stage, at, false),
        1 => process.dies_in = Some(stage.random.below(30)),
        2 => kill(stage, at, true),
        3 => {
            let micros = around(stage, &[3, 10, 20, 40], timeout);
            count(stage, at, held, "cut off", "holder cut off");
            let servers = 0..stage.options.world.servers();
            let block = Block {
                clients: servers.map(|server| (at, server)).collect(),
                ..Block::default()
            };
            partition::begin(&mut stage.world.ctx, block, micros);
        }
        4 => {
            let micros = around(stage, &[1, 10, 15, 30], timeout);
            count(stage, at, held, "paused", "holder paused");
            let until = stage.now() + Duration::from_micros(micros);
            if let Some(process) = &mut stage.places[at].process {
                process.paused_until = Some(until);
                let life = process.life;
                stage.fates.at(until, Fate::Resume { place: at, life });
            }
        }
        5 => {
            for link in stage.links_of(at) {
                count(
                    stage,
                    at,
                    held,
                    "connection reset",
                    "holder's connection reset",
                );
                stage.world.ctx.reset(link);
            }
        }
        _ => {
            for link in stage.links_of(at) {
                count(stage, at, held, "half-open link", "holder's link half-open");
                stage.world.ctx.network.kill(link);
            }
        }
    }
}

/// So many tenths of a timeout, more or less.
fn around(stage: &mut Stage, tenths: &[u64], timeout: u64) -> u64 {
    let mean = stage.random.pick(tenths) * timeout / 10;
    mean / 2 + stage.random.below(mean)
}

fn count(stage: &mut Stage, at: usize, held: bool, kind: &'static str, of_holder: &'static str) {
    let mut notes = stage.book.open();
    let kind = if held { of_holder } else { kind };
    notes.counts.fault(kind);
    notes.say(format!("p{at} {kind}"));
}

/// Ends a process where it is. `silently`: with its machine, so that nobody is told.
pub fn kill(stage: &mut Stage, at: usize, silently: bool) {
    let Some(process) = &stage.places[at].process else {
        return;
    };
    let held = stage.book.open().holders().contains(&at);
    stage.book.open().misfortune(at, process.life);
    match silently {
        true => count(stage, at, held, "lost", "holder lost"),
        false => count(stage, at, held, "killed", "holder killed"),
    }
    stage.lose(at, silently);
}

/// A pause is over.
pub fn resume(stage: &mut Stage, at: usize, life: u32) {
    let process = stage.places[at].process.as_ref();
    if process.is_some_and(|process| process.life == life) {
        wake(stage, at);
    }
}

/// A process runs on, if it was paused.
pub fn wake(stage: &mut Stage, at: usize) {
    let now = stage.now();
    let Some(process) = &mut stage.places[at].process else {
        return;
    };
    if process.paused_until.take().is_some() {
        process.awake_since = now;
        stage.book.open().say(format!("p{at} runs on"));
        stage.read_all(at);
    }
}
