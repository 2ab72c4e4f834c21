//! Connections between servers on the quorum port: packets as bytes, silence, and snapshots on
//! their way.

use super::receive::Receiving;
use super::{Run, Server, Task};
use crate::checkers::{acks, local, p17, p25, p27, p28, p31};
use crate::history::Reported;
use crate::net::{End, LinkId, Received};
use crate::planted::Bug;
use crate::world::{Context, Event, Route};
use grevy_node::Time;
use grevy_proto::quorum::{Packet, SNAPSHOT_SIGNATURE};
use grevy_proto::{Encode, OpCode, ServerId, Zxid};
use std::time::Duration;

/// `jute.maxbuffer`, with its extra.
const FIELD_LIMIT: usize = 2 << 20;
/// How soon a port that did not answer is tried again, in µs.
const DIAL_AGAIN: u64 = 100_000;

/// One end of a connection to another server.
pub struct QuorumLink {
    /// Which end.
    pub(super) end: End,
    /// The other server.
    pub(super) other: usize,
    unread: Vec<u8>,
    unsent: Vec<u8>,
    timeout: Option<Duration>,
    /// When something came last, on this server's clock.
    heard: Time,
    hanging_up: bool,
    /// A snapshot that is coming in.
    pub(super) receiving: Option<Receiving>,
}

impl QuorumLink {
    /// Whether the body of a snapshot has just ended, and more was read.
    pub(super) fn is_at_signature(&self) -> bool {
        let loaded = self.receiving.as_ref().is_some_and(Receiving::is_loaded);
        loaded && self.unread.len() >= SNAPSHOT_SIGNATURE.len() + 4
    }

    fn new(end: End, other: usize, now: Time) -> Self {
        Self {
            end,
            other,
            unread: Vec::new(),
            unsent: Vec::new(),
            timeout: None,
            heard: now,
            hanging_up: false,
            receiving: None,
        }
    }
}

pub(super) fn name_of(link: LinkId) -> grevy_zab::LinkId {
    grevy_zab::LinkId(link.0 as u32)
}

pub(super) fn link_of(link: grevy_zab::LinkId) -> LinkId {
    LinkId(link.0 as usize)
}

impl Server {
    /// Its connections with other servers.
    pub fn quorum_links(&self) -> impl Iterator<Item = LinkId> {
        let run = self.run.as_ref();
        run.into_iter().flat_map(|run| run.quorum.keys().copied())
    }

    /// Tries another server's port, again and again.
    pub(super) fn try_dial(
        &mut self,
        ctx: &mut Context,
        leader: usize,
        until: Time,
        for_observers: bool,
    ) {
        let at = ctx.schedule.now();
        let is_there = ctx.is_up(leader) && !ctx.blocks.is_quorum_cut(self.index, leader);
        let now = self.now_of(ctx);
        if !is_there {
            if at.0 + DIAL_AGAIN < until.0 {
                let again = Task::Dial {
                    leader,
                    until,
                    for_observers,
                };
                return self.schedule(ctx, DIAL_AGAIN, again);
            }
            ctx.counts.did("dials failed");
            let leader = ServerId(leader as i64 + 1);
            return self.with_node(ctx, |node, _, _| node.dial_failed(now, leader));
        }
        let link = ctx.network.open_between_servers(at);
        let route = Route::Servers {
            learner: (self.index, self.incarnation),
            leader: (leader, ctx.up[leader]),
            for_observers,
        };
        ctx.routes.insert(link, route);
        ctx.schedule.after_micros(1, Event::Accept(link));
        self.add_link(link, QuorumLink::new(End::Client, leader, now.time));
        self.with_node(ctx, |node, _, _| node.link_dialled(now, name_of(link)));
    }

    /// Another server has connected.
    pub fn accept_learner(
        &mut self,
        ctx: &mut Context,
        link: LinkId,
        learner: usize,
        for_observers: bool,
    ) {
        let now = self.now_of(ctx);
        ctx.counts.did("quorum connections");
        self.add_link(link, QuorumLink::new(End::Server, learner, now.time));
        self.with_node(ctx, |node, _, _| match for_observers {
            true => node.observer_accepted(now, name_of(link)),
            false => node.link_accepted(now, name_of(link)),
        });
    }

    fn add_link(&mut self, link: LinkId, end: QuorumLink) {
        if let Some(run) = &mut self.run {
            run.quorum.insert(link, end);
        }
    }

    /// A packet is to be sent.
    pub(super) fn send(&mut self, ctx: &mut Context, link: grevy_zab::LinkId, packet: &Packet) {
        let at = ctx.schedule.now();
        let Some(run) = &mut self.run else { return };
        if ctx.options.bug == Some(Bug::ForgetsUpgrade) && local::upgrades(ctx, packet) {
            return;
        }
        let Some(end) = run.quorum.get_mut(&link_of(link)) else {
            return;
        };
        trace!(
            ctx.trace,
            at,
            "s{} sends s{} {}",
            self.index,
            end.other,
            line(packet)
        );
        packet.encode(&mut end.unsent);
        let other = end.other;
        p25::sends(ctx, self.index, &self.disk, packet);
        let in_force = run.node.peer().members().committed();
        p31::sends(ctx, self.index, in_force, packet);
        p27::sends(ctx, self.index, &self.disk, packet);
        let leads = run.node.peer().leads();
        // A follower tells observers what it was told.
        if leads || run.node.peer().serves_observer(link) {
            p28::sends(ctx, self.index, packet);
        }
        acks::sends(ctx, self.index, link_of(link), leads, packet);
        if let Packet::Revalidated {
            session,
            valid: true,
        } = packet
        {
            ctx.history.reached += 1;
            let reached = ctx.history.reached;
            ctx.history.granted.insert((other, session.0), reached);
        }
        if let Packet::Proposal { zxid, .. } = packet
            && ctx.options.bug == Some(Bug::BelievesAcks)
            && leads
        {
            run.believed.push((link, *zxid));
        }
        self.quorum_flush(ctx, link_of(link));
    }

    /// The planted bug of that name.
    pub(super) fn believe_acks(&mut self, ctx: &mut Context) {
        let now = self.now_of(ctx);
        let Some(run) = &mut self.run else { return };
        for (link, zxid) in std::mem::take(&mut run.believed) {
            let ack = Packet::Ack(zxid);
            run.node
                .link_packet(now, &run.tree, &run.connections, link, ack);
        }
    }

    /// The snapshot's body goes out behind what is queued.
    pub(super) fn send_snapshot(&mut self, ctx: &mut Context, link: grevy_zab::LinkId, zxid: Zxid) {
        let Some(run) = &mut self.run else { return };
        let Some(end) = run.quorum.get_mut(&link_of(link)) else {
            return;
        };
        let unsent = &mut end.unsent;
        let read = run.store.read_snapshot(zxid, FIELD_LIMIT, &mut |chunk| {
            unsent.extend_from_slice(chunk);
            Ok(())
        });
        SNAPSHOT_SIGNATURE.encode(unsent);
        match read {
            Ok(()) => {
                ctx.counts.did("snapshots sent");
                self.quorum_flush(ctx, link_of(link));
            }
            Err(_) if self.power_is_off(ctx) => {}
            Err(error) => {
                if !self.faulted {
                    let what = format!("s{}: snapshot {zxid} cannot be sent: {error}", self.index);
                    ctx.history.violate("P26", what);
                }
                ctx.reset(link_of(link));
            }
        }
    }

    /// What is queued goes out, then the connection ends.
    pub(super) fn hang_up(&mut self, ctx: &mut Context, link: grevy_zab::LinkId) {
        let link = link_of(link);
        let Some(run) = &mut self.run else { return };
        if let Some(end) = run.quorum.get_mut(&link) {
            end.hanging_up = true;
            self.quorum_flush(ctx, link);
        }
    }

    pub(super) fn set_link_timeout(
        &mut self,
        ctx: &mut Context,
        link: grevy_zab::LinkId,
        timeout: Duration,
    ) {
        let link = link_of(link);
        let now = self.now_of(ctx).time;
        let Some(run) = &mut self.run else { return };
        if let Some(end) = run.quorum.get_mut(&link) {
            end.timeout = Some(timeout);
            end.heard = now;
            self.schedule(ctx, timeout.as_micros() as u64 + 1, Task::Silence(link));
        }
    }

    /// Ends a connection whose other end has been silent for too long.
    pub(super) fn silence(&mut self, ctx: &mut Context, link: LinkId) {
        let now = self.now_of(ctx).time;
        let Some(run) = &mut self.run else { return };
        let Some(end) = run.quorum.get_mut(&link) else {
            return;
        };
        let Some(timeout) = end.timeout else { return };
        let due = end.heard + timeout;
        if now >= due {
            trace!(
                ctx.trace,
                ctx.schedule.now(),
                "s{} link {} to s{} was silent for too long",
                self.index,
                link.0,
                end.other
            );
            ctx.counts.did("silent links");
            ctx.reset(link);
            return self.link_lost(ctx, link);
        }
        let delay = self.clock.world(due).0.saturating_sub(ctx.schedule.now().0);
        self.schedule(ctx, delay.max(1), Task::Silence(link));
    }

    fn link_lost(&mut self, ctx: &mut Context, link: LinkId) {
        let now = self.now_of(ctx);
        let Some(run) = &mut self.run else { return };
        let Some(end) = run.quorum.remove(&link) else {
            return;
        };
        trace!(
            ctx.trace,
            ctx.schedule.now(),
            "s{} lost link {} to s{}",
            self.index,
            link.0,
            end.other
        );
        ctx.network.close(link, end.end);
        ctx.wake(link, end.end.other(), 300);
        if !end.hanging_up {
            self.with_node(ctx, |node, _, _| node.link_lost(now, name_of(link)));
        }
    }

    fn quorum_flush(&mut self, ctx: &mut Context, link: LinkId) {
        let now = ctx.schedule.now();
        let Some(run) = &mut self.run else { return };
        let Some(end) = run.quorum.get_mut(&link) else {
            return;
        };
        let side = end.end;
        let (sent, due) = ctx.network.send(link, side, &end.unsent, now);
        end.unsent.drain(..sent);
        for at in due {
            ctx.schedule.at(at, Event::Arrive(link, side.other()));
        }
        if end.hanging_up && end.unsent.is_empty() {
            run.quorum.remove(&link);
            if let Some(at) = ctx.network.finish(link, side, now) {
                ctx.schedule.at(at, Event::Arrive(link, side.other()));
            }
            ctx.network.close(link, side);
        }
    }

    /// One turn of a link's task: send, read once, handle the whole packets.
    pub(super) fn quorum(&mut self, ctx: &mut Context, link: LinkId) {
        self.quorum_flush(ctx, link);
        let max = *self.random.pick(&[1 << 16, 1 << 16, 1 << 16, 1000, 50]);
        let now = self.now_of(ctx).time;
        let Some(run) = &mut self.run else { return };
        let Some(end) = run.quorum.get_mut(&link) else {
            return;
        };
        match ctx.network.receive(link, end.end, max) {
            Received::Nothing => {}
            Received::End | Received::Reset => self.link_lost(ctx, link),
            Received::Bytes(bytes) => {
                end.heard = now;
                if end.end == End::Client {
                    run.heard_leader = now;
                }
                end.unread.extend_from_slice(&bytes);
                // There is room for the other end again.
                ctx.wake(link, end.end.other(), 50);
                while self.handle_next(ctx, link) {}
                self.schedule(ctx, 1, Task::Quorum(link));
            }
        }
    }

    /// Handles what comes next in what was read; whether there may be more.
    fn handle_next(&mut self, ctx: &mut Context, link: LinkId) -> bool {
        let now = self.now_of(ctx);
        let Some(run) = &mut self.run else {
            return false;
        };
        let Run { quorum, store, .. } = run;
        let Some(end) = quorum.get_mut(&link) else {
            return false;
        };
        if end.hanging_up {
            return false;
        }
        if let Some(receiving) = &mut end.receiving {
            let (progress, used) = receiving.feed(&end.unread);
            end.unread.drain(..used);
            return self.received(ctx, link, progress);
        }
        let (packet, used) = match Packet::parse(&end.unread, FIELD_LIMIT) {
            Ok(Some(read)) => read,
            Ok(None) => return false,
            Err(error) => {
                let what = format!(
                    "s{} cannot read what s{} sent: {error}",
                    self.index, end.other
                );
                ctx.history.violate("P23", what);
                return false;
            }
        };
        end.unread.drain(..used);
        let other = end.other;
        ctx.counts.did("packets");
        acks::receives(ctx, self.index, link, other, &packet);
        if let Packet::Snap(zxid) = packet {
            self.received += 1;
            let compression = ctx.options.compression;
            let number = self.received;
            match Receiving::begin(store, &self.tree_config, zxid, number, compression) {
                Ok(receiving) => end.receiving = Some(receiving),
                Err(_) if self.power_is_off(ctx) => return false,
                Err(_) => {
                    ctx.reset(link);
                    self.link_lost(ctx, link);
                    return false;
                }
            }
        }
        if self.plant_in_packet(ctx, link, &packet) {
            return true;
        }
        let reports = p17::reports(&packet);
        let incarnation = self.incarnation;
        // Who is not known to the ensemble is refused.
        let is_known = |session: &i64| {
            ctx.history.opening.contains(session) || !ctx.history.homes.contains_key(session)
        };
        let reports: Vec<i64> = reports.into_iter().filter(is_known).collect();
        let reported = reports.into_iter().map(|session| Reported {
            at: now.time,
            session,
            incarnation,
        });
        ctx.history.reported.extend(reported);
        self.with_node(ctx, |node, tree, connections| {
            node.link_packet(now, tree, connections, name_of(link), packet);
        });
        true
    }
}

impl Server {
    /// Planted bugs of learners and leaders; whether that was all for this packet.
    fn plant_in_packet(&mut self, ctx: &mut Context, link: LinkId, packet: &Packet) -> bool {
        let now = self.now_of(ctx);
        let Some(run) = &mut self.run else {
            return false;
        };
        match (ctx.options.bug, packet) {
            (Some(Bug::SyncsHistoryLate), Packet::NewLeader { .. }) => {
                let last = run.node.peer().last();
                run.node.log_synced(now, last);
            }
            (Some(Bug::CountsTwice), Packet::Ack(zxid)) if zxid.counter() > 0 => {
                // In the name of somebody else, too.
                let leads = |end: &QuorumLink| end.end == End::Server;
                let mut others = run.quorum.iter().filter(|(_, end)| leads(end));
                if let Some((other, _)) = others.find(|(other, _)| **other != link) {
                    let (other, ack) = (name_of(*other), packet.clone());
                    let Run {
                        node,
                        tree,
                        connections,
                        ..
                    } = run;
                    node.link_packet(now, tree, &*connections, other, ack);
                }
            }
            (Some(Bug::RelaysEarly), Packet::Proposal { zxid, entry }) => {
                let serves = |end: &QuorumLink| end.end == End::Server;
                let links = run.quorum.iter().filter(|(_, end)| serves(end));
                let observers = links.map(|(link, _)| name_of(*link));
                let observers = observers.filter(|link| run.node.peer().serves_observer(*link));
                for observer in observers.collect::<Vec<_>>() {
                    let inform = Packet::Inform {
                        zxid: *zxid,
                        entry: entry.clone(),
                    };
                    self.send(ctx, observer, &inform);
                }
            }
            (Some(Bug::AcksWithoutVote), Packet::Inform { zxid, .. }) => {
                let ack = Packet::Ack(*zxid);
                self.send(ctx, name_of(link), &ack);
            }
            (Some(Bug::AnswersSyncsEarly), Packet::Request(request))
                if request.op == OpCode::Sync.wire()
                    && run.node.peer().serves_learner(name_of(link)) =>
            {
                self.send(ctx, name_of(link), &Packet::Sync);
                return true;
            }
            (Some(Bug::StealsSessions), Packet::Request(request)) => {
                let packet = Packet::Revalidate {
                    session: request.session,
                    timeout: 1000,
                };
                run.node
                    .link_packet(now, &run.tree, &run.connections, name_of(link), packet);
            }
            _ => {}
        }
        false
    }
}

/// A packet in short.
fn line(packet: &Packet) -> String {
    match packet {
        Packet::Proposal { zxid, .. } => format!("PROPOSAL {zxid}"),
        Packet::Inform { zxid, .. } => format!("INFORM {zxid}"),
        Packet::Request(request) => format!("REQUEST {} {}", request.session, request.cxid.0),
        other => format!("{other:?}"),
    }
}
