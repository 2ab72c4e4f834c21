//! The thread that writes snapshots; as `snapshot_thread` in the server.

use super::{Run, Server, Task};
use crate::world::Context;
use grevy_storage::DiskError;
use grevy_storage::snapshot::{SnapshotWriter, Trailers};
use grevy_tree::SnapshotInfo;
use std::collections::VecDeque;

/// The thread's state.
#[derive(Default)]
pub struct SnapshotThread {
    orders: VecDeque<SnapshotInfo>,
    job: Option<Job>,
    scheduled: bool,
}

struct Job {
    info: SnapshotInfo,
    writer: SnapshotWriter,
    bytes: Vec<u8>,
}

impl SnapshotThread {
    /// The state that it writes is no more. How many orders come to nothing.
    pub(super) fn forget(&mut self) -> usize {
        let jobs = usize::from(self.job.take().is_some());
        let orders = self.orders.len();
        self.orders.clear();
        jobs + orders
    }
}

/// What a step came to.
enum Step {
    More,
    Done,
}

impl Server {
    pub(super) fn order_snapshot(&mut self, ctx: &mut Context, info: SnapshotInfo) {
        let Some(run) = &mut self.run else { return };
        run.snapshots.orders.push_back(info);
        self.snapshot_later(ctx);
    }

    fn snapshot_later(&mut self, ctx: &mut Context) {
        let delay = self.random.around(200);
        let Some(run) = &mut self.run else { return };
        if !run.snapshots.scheduled {
            run.snapshots.scheduled = true;
            self.schedule(ctx, delay, Task::Snapshot);
        }
    }

    pub(super) fn snapshot(&mut self, ctx: &mut Context) {
        let flush = self.random.below(2_000) as usize;
        let Some(run) = &mut self.run else { return };
        run.snapshots.scheduled = false;
        match step(run, ctx, flush) {
            Ok(Some(Step::More)) => self.snapshot_later(ctx),
            Ok(Some(Step::Done)) => {
                ctx.counts.did("snapshots");
                let now = self.now(ctx.schedule.now());
                self.with_node(ctx, |node, _, _| node.snapshot_done(now, true));
                self.snapshot_later(ctx);
            }
            Ok(None) => {}
            Err(error) => {
                run.snapshots.job = None;
                run.tree.abandon_snapshot();
                if self.power_is_off(ctx) {
                    return;
                }
                let at = ctx.schedule.now();
                trace!(ctx.trace, at, "s{} snapshot failed: {error}", self.index);
                ctx.counts.did("snapshots failed");
                if !self.faulted {
                    let what = format!("a snapshot failed without a fault: {error}");
                    ctx.history.violate("P27", what);
                }
                let now = self.now(ctx.schedule.now());
                self.with_node(ctx, |node, _, _| node.snapshot_done(now, false));
            }
        }
    }

    pub(super) fn purge(&mut self, ctx: &mut Context) {
        let next = self.random.around(ctx.options.tick.as_micros() as u64 * 20);
        let Some(run) = &mut self.run else { return };
        match run.store.purge(3) {
            Ok(purged) => {
                for path in &purged.removed {
                    let at = ctx.schedule.now();
                    trace!(ctx.trace, at, "s{} purged {}", self.index, path.display());
                    ctx.counts.did("files purged");
                }
            }
            Err(_) if self.power_is_off(ctx) => return,
            Err(error) if !self.faulted => {
                let what = format!("purging failed without a fault: {error}");
                ctx.history.violate("P27", what);
            }
            Err(_) => {}
        }
        self.schedule(ctx, next, Task::Purge);
    }
}

/// A slice, and what the disk has to do for it. `None`: nothing is ordered.
fn step(run: &mut Run, ctx: &Context, flush: usize) -> Result<Option<Step>, DiskError> {
    let mut job = match run.snapshots.job.take() {
        Some(job) => job,
        None => {
            let Some(info) = run.snapshots.orders.pop_front() else {
                return Ok(None);
            };
            Job {
                info,
                writer: run.store.snapshot(info.zxid, ctx.options.compression)?,
                bytes: Vec::new(),
            }
        }
    };
    let more = run.tree.snapshot_slice(ctx.options.slice, &mut job.bytes);
    if job.bytes.len() >= flush || !more {
        job.writer.write(&job.bytes)?;
        job.bytes.clear();
    }
    if more {
        run.snapshots.job = Some(job);
        return Ok(Some(Step::More));
    }
    let SnapshotInfo { zxid, digest, .. } = job.info;
    job.writer
        .finish(trailers(ctx.options.digest, zxid, digest))?;
    Ok(Some(Step::Done))
}

/// As the server's default settings have it.
pub(super) fn trailers(digests: bool, zxid: grevy_proto::Zxid, digest: i64) -> Trailers {
    match digests {
        false => Trailers::None,
        true => Trailers::All {
            zxid,
            digest,
            last_zxid: zxid,
        },
    }
}
