//! What a member of an ensemble asks for, apart from what a server alone does.

use super::{Server, Task};
use crate::checkers::{acks, p24, p26};
use crate::election;
use crate::world::Context;
use grevy_node::{Output, Time};
use grevy_proto::ServerId;
use grevy_proto::election::Notification;
use grevy_zab::{Memberships, Part};
use std::time::Duration;

/// A server's place by its number.
pub(crate) fn index_of(server: ServerId) -> Option<usize> {
    usize::try_from(server.0).ok()?.checked_sub(1)
}

impl Server {
    pub(super) fn carry_out_as_member(&mut self, ctx: &mut Context, output: Output) {
        let at = ctx.schedule.now();
        let server = self.index;
        match output {
            Output::SaveEpochs { accepted, current } => {
                trace!(
                    ctx.trace,
                    at, "s{server} save epochs {} {}", accepted.0, current.0
                );
                self.log_epochs(ctx, accepted, current);
            }
            Output::Truncate { to, rebuild } => {
                trace!(
                    ctx.trace,
                    at, "s{server} truncate to {to}, rebuild {rebuild}"
                );
                p26::ends_at(ctx, server, to.0);
                ctx.history.ledger.truncating(server, to.0);
                self.log_truncate(ctx, to, rebuild);
            }
            Output::InstallSnapshot { zxid, kept } => {
                let end = kept.last().map_or(zxid, |entry| entry.zxid);
                trace!(
                    ctx.trace,
                    at, "s{server} install snapshot {zxid}, keep up to {end}"
                );
                p26::ends_at(ctx, server, end.0);
                let received = self.run.as_ref().and_then(|run| run.received.as_ref());
                let from = received.map_or(server, |received| received.from);
                ctx.history.ledger.installing(server, zxid.0, from);
                self.log_install(ctx, zxid, kept);
            }
            Output::ReadLog { link, after, until } => {
                trace!(ctx.trace, at, "s{server} read log from {after} to {until}");
                self.log_read(ctx, link, after, until);
            }
            Output::Notify { to, message } => {
                if let Some(to) = index_of(to).filter(|to| *to < ctx.up.len()) {
                    trace!(ctx.trace, at, "s{server} tells s{to} {message:?}");
                    election::notify(ctx, server, to, &message);
                }
            }
            Output::DialAll => {
                let others = (0..ctx.up.len()).filter(|other| *other != server);
                others.for_each(|other| election::dial(ctx, server, other));
            }
            Output::Dial { leader, timeout } => self.begin_dial(ctx, leader, timeout, false),
            Output::DialMaster { master, timeout } => self.begin_dial(ctx, master, timeout, true),
            Output::Send { link, packet } => self.send(ctx, link, &packet),
            Output::SendSnapshot { link, zxid } => self.send_snapshot(ctx, link, zxid),
            Output::Hangup { link, why } => {
                trace!(ctx.trace, at, "s{server} hangs up link {}: {why}", link.0);
                self.hang_up(ctx, link);
            }
            Output::LinkTimeout { link, timeout } => self.set_link_timeout(ctx, link, timeout),
            Output::Became(part) => {
                trace!(ctx.trace, at, "s{server} became {part:?}");
                if let Part::Looking { why } = &part
                    && why.contains("used up")
                {
                    ctx.counts.did("epochs used up");
                }
                p24::became(ctx, server, self.incarnation, &part);
                let master = self.node().and_then(|node| node.peer().master());
                if let Part::Observing { leader, .. } = part
                    && master != Some(leader)
                {
                    ctx.counts.did("observers behind followers");
                }
                if part == Part::PreparingToLead {
                    acks::begins(ctx, server);
                }
            }
            Output::Configured {
                committed,
                proposed,
            } => {
                trace!(
                    ctx.trace,
                    at, "s{server} configuration {:x}", committed.version
                );
                let me = ServerId(server as i64 + 1);
                ctx.history.ledger.servers[server].was_named |=
                    committed.version > 0 && committed.members.contains_key(&me);
                let mut members = Memberships::new(committed);
                if let Some(proposed) = proposed {
                    members.propose(proposed);
                }
                self.log_configure(ctx, members);
            }
            other => {
                let what = format!("s{server} asks for {other:?}");
                ctx.history.violate("P22", what);
            }
        }
    }

    fn begin_dial(
        &mut self,
        ctx: &mut Context,
        other: ServerId,
        timeout: Duration,
        for_observers: bool,
    ) {
        let Some(leader) = index_of(other) else {
            return;
        };
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "s{} dials s{leader}", self.index);
        let until = at + timeout;
        let delay = 50 + self.random.around(500);
        let task = Task::Dial {
            leader,
            until,
            for_observers,
        };
        self.schedule(ctx, delay, task);
    }

    /// A message came on the election port.
    pub fn election_message(&mut self, ctx: &mut Context, from: usize, message: &Notification) {
        let now = self.now_of(ctx);
        let at = ctx.schedule.now();
        trace!(
            ctx.trace,
            at, "s{} hears from s{from} {:?}", self.index, message.state
        );
        let from = ServerId(from as i64 + 1);
        self.with_node(ctx, |node, _, _| node.election_message(now, from, message));
    }

    /// The election connection to another server came up, or there is none.
    pub fn election_peer(&mut self, ctx: &mut Context, other: usize, up: bool) {
        if let Some(until) = self.paused_until
            && until > ctx.schedule.now()
        {
            let delay = until.0 - ctx.schedule.now().0;
            return self.schedule(ctx, delay, Task::ElectionPeer(other, up));
        }
        let now = self.now_of(ctx);
        let other = ServerId(other as i64 + 1);
        self.with_node(ctx, |node, _, _| node.election_peer(now, other, up));
    }

    /// Stands still for so many µs, or as long as it was to anyway.
    pub fn pause(&mut self, ctx: &mut Context, micros: u64) {
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "s{} pauses for {micros} µs", self.index);
        // Much of what it was to do meanwhile has been put off until then.
        let until = Time(at.0 + micros);
        let until = self.paused_until.map_or(until, |other| other.max(until));
        self.paused_until = Some(until);
        self.excuse(until);
    }

    /// The clock jumps ahead by so many µs, as it does when a machine was suspended.
    pub fn jump_clock(&mut self, ctx: &mut Context, micros: u64) {
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "s{} clock jumps by {micros} µs", self.index);
        self.clock.jump(at, micros);
        self.excuse(self.paused_until.map_or(at, |until| until.max(at)));
    }

    /// Before it has come to itself, nobody can expect that it knows what it has missed.
    fn excuse(&mut self, until: Time) {
        if let Some(run) = &mut self.run {
            run.heard_leader = self.clock.local(until);
        }
    }
}
