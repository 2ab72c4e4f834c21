//! Scenes in which the leader changes in good order: clients of the servers that stay notice a
//! pause, and nothing else.

use super::options;
use crate::history::{Conversation, Frame};
use crate::operation::Operation;
use crate::options::Options;
use crate::planted::Bug;
use crate::run::{Outcome, play};
use crate::world::{Route, World};
use grevy_node::Time;
use grevy_proto::ErrorCode;
use std::time::Duration;

/// How long a server may take to come back.
const PATIENCE: Duration = Duration::from_secs(20);

/// Clients that ask much and wait long.
fn patient(seed: u64, observers: usize) -> Options {
    let mut options = options(seed, None);
    // Clients are kept waiting for two ticks, and an election may take a fraction of a second.
    options.tick = Duration::from_secs(1);
    options.timeout_ticks = 10;
    options.think = 20_000;
    options.requests = 3_000;
    options.clients = 6;
    options.output_limit = 16 << 20;
    if let Some(ensemble) = &mut options.ensemble {
        ensemble.observers = observers;
    }
    options
}

/// A time in which a server was not there for its clients.
type Absence = (usize, Time, Time);

/// All servers are stopped and started again, one after the other, while clients ask on and on.
/// With the bug, the servers are killed instead.
pub fn rolling_restart(seed: u64, bug: Option<Bug>) -> Outcome {
    let options = Options {
        bug,
        ..patient(seed, seed as usize % 2)
    };
    play(options, |world| {
        // What a server says as it ends is to arrive before it is back.
        world.ctx.network.calm_down();
        world.run_for(Duration::from_secs(3));
        let mut absences = Vec::new();
        for server in 0..world.servers.len() {
            let from = world.ctx.schedule.now();
            match bug {
                Some(Bug::EndsWithoutAWord) => world.servers[server].kill(&mut world.ctx),
                _ => world.servers[server].order_stop(&mut world.ctx),
            }
            world.run_for(Duration::from_millis(1));
            let end = world.ctx.schedule.now() + PATIENCE;
            while !world.servers[server].serves() && world.ctx.schedule.now() < end {
                world.run_for(Duration::from_millis(50));
            }
            absences.push((server, from, world.ctx.schedule.now()));
            world.run_for(Duration::from_millis(500));
        }
        judge(world, &absences);
        world.end();
    })
}

/// The epoch's numbers come to their end, again and again.
pub fn counter_runs_out(seed: u64) -> Outcome {
    let mut options = patient(seed, 0);
    if let Some(ensemble) = &mut options.ensemble {
        ensemble.last_counter = 60;
    }
    play(options, |world| {
        world.run_for(Duration::from_secs(12));
        judge(world, &[]);
        world.end();
    })
}

/// No connection with a session ended, and no request failed for want of a leader, but with servers
/// that were not there.
fn judge(world: &mut World, absences: &[Absence]) {
    let mut found = Vec::new();
    let served = |conversation: &&Conversation| conversation.session().is_some();
    for conversation in world.ctx.history.connections.iter().filter(served) {
        let server = match world.ctx.routes.get(&conversation.link) {
            Some(Route::Client { server, .. }) => *server,
            _ => continue,
        };
        let was_away = |at: Time| {
            let mut own = absences.iter().filter(|(away, ..)| *away == server);
            own.any(|(_, from, until)| (*from..=*until).contains(&at))
        };
        if let Some(at) = conversation.closed
            && !is_finished(conversation)
            && !was_away(at)
        {
            found.push(format!(
                "a connection of client {} to s{server} ended at {} µs; away were {absences:?}",
                conversation.client, at.0
            ));
        }
        for (at, frame) in &conversation.received {
            let Frame::Reply { xid, err, .. } = frame else {
                continue;
            };
            let failed = *err == ErrorCode::ConnectionLoss.wire() && !was_away(*at);
            let mut sent = conversation.sent.iter();
            let Some(sent) = sent.find(|sent| failed && sent.xid == *xid) else {
                continue;
            };
            // A leader that steps down cannot answer for what it was asked to confirm.
            if !absences.is_empty() || !matches!(sent.operation, Operation::Sync(_)) {
                found.push(format!(
                    "request {sent:?} of client {} failed at s{server} for want of a leader",
                    conversation.client
                ));
            }
        }
    }
    found.extend(unanswered(world));
    world.ctx.counts.check("L2");
    for what in found {
        world.ctx.history.violate("L2", what);
    }
}

/// What a server had taken up when it was told to stop, and did not answer.
fn unanswered(world: &World) -> Vec<String> {
    let history = &world.ctx.history;
    let mut found = Vec::new();
    for heard in history.heard.iter().filter(|heard| heard.xid > 0) {
        let mut conversations = history.connections.iter();
        let Some(conversation) = conversations.find(|c| c.link == heard.link) else {
            continue;
        };
        // The others are still being answered.
        if conversation.closed.is_none() || is_finished(conversation) {
            continue;
        }
        let answers =
            |frame: &Frame| matches!(frame, Frame::Reply { xid, .. } if *xid == heard.xid);
        if !conversation
            .received
            .iter()
            .any(|(_, frame)| answers(frame))
        {
            found.push(format!(
                "request {} of client {} was taken up and never answered",
                heard.xid, conversation.client
            ));
        }
    }
    found
}

/// Whether its client has closed the session.
fn is_finished(conversation: &Conversation) -> bool {
    let mut sent = conversation.sent.iter();
    sent.any(|sent| sent.operation == Operation::CloseSession)
}
