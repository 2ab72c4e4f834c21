//! The orderly end of a server; as `Server::run` in the server.

use super::{Server, Task};
use crate::net::End;
use crate::world::{Context, Event};
use grevy_node::Time;

/// How long what was answered may take to leave the machine, in µs: a kernel would send it after
/// the process has ended.
const LINGERS: u64 = 1_000_000;

impl Server {
    /// Tells the process to end.
    pub fn order_stop(&self, ctx: &mut Context) {
        self.schedule(ctx, 1, Task::BeginStop);
    }

    /// What was taken up is finished, then the others are told.
    pub(super) fn begin_stop(&mut self, ctx: &mut Context) {
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "s{} is to stop", self.index);
        ctx.counts.did("orderly stops begun");
        let now = self.now_of(ctx);
        self.with_node(ctx, |node, _, _| node.begin_stop(now));
    }

    /// The node has finished. The process ends a little later.
    pub(super) fn stopped(&mut self, ctx: &mut Context) {
        let latest = Time(ctx.schedule.now().0 + LINGERS);
        if let Some(run) = &mut self.run {
            run.ends = Some(latest);
        }
        let delay = 1 + self.random.below(5_000);
        self.schedule(ctx, delay, Task::End);
    }

    /// The log is made durable, and the process ends.
    pub(super) fn end(&mut self, ctx: &mut Context) {
        let at = ctx.schedule.now();
        let is_flushed = self.is_flushed();
        let Some(run) = &mut self.run else { return };
        if !is_flushed && run.ends.is_some_and(|latest| at < latest) {
            return self.schedule(ctx, 10_000, Task::End);
        }
        trace!(ctx.trace, at, "s{} ends", self.index);
        ctx.counts.did("orderly stops");
        if let Err(error) = run.log.close() {
            if self.power_is_off(ctx) {
                return;
            }
            if !self.faulted {
                let what = format!("s{} cannot shut down: {error}", self.index);
                ctx.history.violate("P27", what);
            }
        }
        // What was written to clients still arrives.
        let links = self
            .run
            .as_mut()
            .map(|run| std::mem::take(&mut run.by_link));
        for link in links.into_iter().flat_map(|links| links.into_keys()) {
            if let Some(at) = ctx.network.finish(link, End::Server, at) {
                ctx.schedule.at(at, Event::Arrive(link, End::Client));
            }
            ctx.network.close(link, End::Server);
        }
        self.kill(ctx);
    }
}
