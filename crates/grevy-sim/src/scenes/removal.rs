//! Scenes of changing ensembles: the leader is removed and comes back; a change is interrupted
//! while two configurations count.

use super::{options, restart, stop};
use crate::client::Client;
use crate::ensemble::Ensemble;
use crate::operation::Operation;
use crate::options::Options;
use crate::planted::Bug;
use crate::random::Random;
use crate::run::{Outcome, play};
use crate::world::{Event, World};
use grevy_node::Time;
use grevy_zab::membership::Role;
use std::time::Duration;

/// How long a change, or an election, may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn changing(seed: u64, voters: usize) -> Options {
    let mut options = options(seed, None);
    options.timeout_ticks = 10;
    options.requests = 2_000;
    if let Some(ensemble) = &mut options.ensemble {
        ensemble.voters = voters;
    }
    options
}

/// The leader is removed: another one leads, and the removed one follows as one without a vote.
/// Then it comes back, with an empty disk if the seed is odd, and votes again.
pub fn leader_removed(seed: u64, bug: Option<Bug>) -> Outcome {
    let options = Options {
        bug,
        ..changing(seed, 4)
    };
    play(options, |world| {
        let operator = add_operator(world, seed);
        world.run_for(Duration::from_secs(3));
        let Some(removed) = leader(world) else {
            return world.ctx.history.violate("L1", "nobody leads".into());
        };
        let leaves = Operation::Reconfig {
            joining: None,
            leaving: Some((removed + 1).to_string()),
        };
        change(world, operator, &leaves, |world| !votes(world, removed));
        await_or(world, "L1", "nobody else leads", |world| {
            leader(world).is_some_and(|at| at != removed)
        });
        world.run_for(Duration::from_secs(2));
        if leader(world) == Some(removed) {
            let what = format!("s{removed} leads, though it was removed");
            return world.ctx.history.violate("P31", what);
        }
        if seed % 2 == 1 {
            stop(world, removed);
            world.servers[removed].empty_disk(&mut world.ctx);
            world.run_for(Duration::from_secs(1));
            restart(world, removed);
        }
        let joins = Operation::Reconfig {
            joining: Some(Ensemble::line(removed, false)),
            leaving: None,
        };
        change(world, operator, &joins, |world| votes(world, removed));
        await_or(world, "L1", "who came back does not serve", |world| {
            world.servers[removed].serves()
        });
        world.end();
    })
}

/// A server is removed, and the leader is killed before or while that is committed; and the same
/// the other way round. Whichever configuration counts in the end, all agree on it.
pub fn change_interrupted(seed: u64) -> Outcome {
    play(changing(seed, 3), |world| {
        let operator = add_operator(world, seed);
        let mut random = Random::new(seed);
        for round in 0..6 {
            world.run_for(Duration::from_secs(2));
            let server = random.index(3);
            let order = match votes(world, server) {
                true => Operation::Reconfig {
                    joining: None,
                    leaving: Some((server + 1).to_string()),
                },
                false => Operation::Reconfig {
                    joining: Some(Ensemble::line(server, false)),
                    leaving: None,
                },
            };
            ask(world, operator, &order);
            if round % 2 == 0 {
                // A second one, while the first is in flight.
                ask(world, operator, &order);
            }
            world.run_for(Duration::from_micros(random.below(8_000)));
            let at = leader(world).unwrap_or(server);
            match random.one_in(2) {
                true => world.servers[at].cut_power(&mut world.ctx),
                false => world.servers[at].kill(&mut world.ctx),
            }
        }
        world.end();
    })
}

/// A client that changes the ensemble as it is told.
fn add_operator(world: &mut World, seed: u64) -> usize {
    let number = world.clients.len();
    let mut operator = Client::operator(number, Random::new(seed));
    operator.quiet = true;
    world.clients.push(operator);
    let at = world.ctx.schedule.now();
    world.ctx.schedule.at(at, Event::Wake(number));
    number
}

fn leader(world: &World) -> Option<usize> {
    let mut servers = world.servers.iter();
    servers.position(|server| server.serves() && server.node().is_some_and(|n| n.peer().leads()))
}

/// Whether a server votes in the configuration in force.
fn votes(world: &World, server: usize) -> bool {
    let id = world.servers[server].id();
    let membership = world.ctx.history.membership.as_ref();
    let member = membership.and_then(|membership| membership.members.get(&id));
    member.is_some_and(|member| member.role == Role::Participant)
}

fn ask(world: &mut World, operator: usize, operation: &Operation) {
    let World { ctx, clients, .. } = world;
    clients[operator].order(ctx, operation.clone());
}

/// Has the ensemble changed, and asks again if that has come to nothing.
fn change(
    world: &mut World,
    operator: usize,
    operation: &Operation,
    is_done: impl Fn(&World) -> bool,
) {
    let end = world.ctx.schedule.now() + PATIENCE;
    while !is_done(world) && goes_on(world, end) {
        ask(world, operator, operation);
        world.run_for(Duration::from_millis(500));
    }
    if !is_done(world) {
        let what = format!("{operation:?} comes to nothing");
        world.ctx.history.violate("L1", what);
    }
}

/// Whether it is worth waiting: once a rule is broken, nothing happens any more.
fn goes_on(world: &World, end: Time) -> bool {
    world.ctx.history.violations.is_empty() && world.ctx.schedule.now() < end
}

fn await_or(world: &mut World, property: &'static str, what: &str, is_so: impl Fn(&World) -> bool) {
    let end = world.ctx.schedule.now() + PATIENCE;
    while !is_so(world) && goes_on(world, end) {
        world.run_for(Duration::from_millis(50));
    }
    if !is_so(world) {
        world.ctx.history.violate(property, what.into());
    }
}
