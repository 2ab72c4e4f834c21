//! What befalls a server: its process ends, its machine loses power, its disk fails.

use super::{Server, Task};
use crate::election;
use crate::net::LinkId;
use crate::rot::Rot;
use crate::world::{Context, Event};

impl Server {
    /// The process is gone; what it had open is, too. `silently`: nobody is told.
    pub fn stop(&mut self, ctx: &mut Context, silently: bool) {
        let Some(run) = self.run.take() else {
            return;
        };
        ctx.up[self.index] = 0;
        self.paused_until = None;
        let links = run.by_link.into_keys().chain(run.quorum.into_keys());
        for link in links {
            match silently {
                true => ctx.network.kill(link),
                false => ctx.reset(link),
            }
        }
        election::stopped(ctx, self.index, silently);
    }

    /// A write or sync failed: nobody is served any more.
    pub(super) fn storage_failed(&mut self, ctx: &mut Context, why: String) {
        if self.power_is_off(ctx) {
            return;
        }
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "s{} storage failed: {why}", self.index);
        if !self.faulted {
            ctx.history
                .violate("P27", format!("the storage failed without a fault: {why}"));
        }
        ctx.counts.did("storage failures");
        self.is_marked = false;
        let now = self.now(ctx.schedule.now());
        self.with_node(ctx, |node, _, _| node.storage_failed(now, why));
        let clients: Vec<LinkId> = match &self.run {
            Some(run) => run.by_link.keys().copied().collect(),
            None => return,
        };
        for link in clients {
            ctx.reset(link);
            self.schedule(ctx, 1, Task::Socket(link));
        }
        // Somebody looks after it some day.
        ctx.schedule.after_micros(
            self.random.between(100_000, 2_000_000),
            Event::Replace(self.index),
        );
    }

    /// If an arranged power cut has come, carries it out.
    pub(super) fn power_is_off(&mut self, ctx: &mut Context) -> bool {
        match self.crash_at {
            Some(at) if self.disk.ops() >= at => {
                ctx.counts.fault("power cut at a disk operation");
                self.cut_power(ctx);
                true
            }
            _ => false,
        }
    }

    /// Faults of the disk that were arranged do not come. A pause lasts as long as it was to: what
    /// the server was to do meanwhile waits for its end, and nothing may come before that.
    pub fn heal(&mut self) {
        self.crash_at = None;
        self.clock.stopped_at = None;
        self.disk.heal();
    }

    /// The disk has room again.
    pub fn relieve(&mut self) {
        self.disk.set_capacity(None);
    }

    /// The disk is replaced by an empty one, with nobody there to put a history on it.
    pub fn empty_disk(&mut self, ctx: &mut Context) {
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "s{} disk emptied", self.index);
        ctx.counts.fault("emptied disk");
        for (path, _) in self.disk.files() {
            self.disk.lose(&path);
        }
        self.rot = None;
        ctx.history.ledger.emptied(self.index);
    }

    /// A file of its disk has been damaged.
    pub fn mark_rotten(&mut self, kind: &'static str, path: std::path::PathBuf) {
        self.rot = Some(Rot::new(kind, path));
        self.faulted = true;
    }

    /// The machine loses power.
    pub fn cut_power(&mut self, ctx: &mut Context) {
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "s{} power cut", self.index);
        self.crash_at = None;
        self.is_marked = false;
        self.stop(ctx, true);
        self.disk.crash(self.random.any());
        ctx.schedule.after_micros(
            self.random.between(1_000, 500_000),
            Event::Start(self.index),
        );
    }

    /// The process is killed; the machine lives on.
    pub fn kill(&mut self, ctx: &mut Context) {
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "s{} kill", self.index);
        self.crash_at = None;
        self.stop(ctx, false);
        self.disk.kill();
        ctx.schedule.after_micros(
            self.random.between(1_000, 500_000),
            Event::Start(self.index),
        );
    }
}
