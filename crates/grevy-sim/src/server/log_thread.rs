//! The thread that writes the log; as `log_thread` in the server.

use super::{Server, Task, last_in_logs};
use crate::planted::Bug;
use crate::world::Context;
use grevy_proto::Zxid;
use grevy_storage::{Epochs, Log};
use grevy_tree::SnapshotInfo;
use std::collections::VecDeque;
use std::sync::Arc;

/// After this time in µs without work the mark is synced.
const IDLE: u64 = 20_000;

/// The thread's state.
pub struct LogThread {
    log: Option<Log>,
    epochs: Epochs,
    /// What queues up for the next batch.
    queue: VecDeque<Item>,
    /// The batch that is being written.
    batch: VecDeque<Item>,
    phase: Phase,
    /// Counts batches, so that an idle time can be told from one that was interrupted.
    batches: u64,
}

#[derive(Debug)]
enum Item {
    Append { zxid: Zxid, entry: Arc<[u8]> },
    Snapshot(SnapshotInfo),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for work.
    Idle,
    /// Has been woken.
    Woken,
    /// Waits for the disk; the zxid is to be reported. `false`: the disk is yet to be asked.
    Committing(Zxid, bool),
    /// The disk has failed.
    Failed,
}

impl LogThread {
    pub(super) fn new(log: Log, epochs: Epochs) -> Self {
        Self {
            log: Some(log),
            epochs,
            queue: VecDeque::new(),
            batch: VecDeque::new(),
            phase: Phase::Idle,
            batches: 0,
        }
    }
}

impl Server {
    pub(super) fn log_append(&mut self, ctx: &mut Context, zxid: Zxid, entry: Arc<[u8]>) {
        self.log_push(ctx, Item::Append { zxid, entry });
    }

    pub(super) fn log_snapshot(&mut self, ctx: &mut Context, info: SnapshotInfo) {
        self.log_push(ctx, Item::Snapshot(info));
    }

    fn log_push(&mut self, ctx: &mut Context, item: Item) {
        let Some(run) = &mut self.run else { return };
        run.log.queue.push_back(item);
        if run.log.phase == Phase::Idle {
            run.log.phase = Phase::Woken;
            let delay = self.random.below(30);
            self.schedule(ctx, delay, Task::LogWake);
        }
    }

    pub(super) fn log_wake(&mut self, ctx: &mut Context) {
        let Some(run) = &mut self.run else { return };
        let log = &mut run.log;
        if log.phase != Phase::Woken {
            return;
        }
        log.batch = std::mem::take(&mut log.queue);
        log.batches += 1;
        self.log_step(ctx);
    }

    /// Appends up to where something must be committed.
    fn log_step(&mut self, ctx: &mut Context) {
        let mut last = None;
        loop {
            let Some(run) = &mut self.run else { return };
            let thread = &mut run.log;
            let Some(log) = &mut thread.log else { return };
            match thread.batch.front() {
                Some(Item::Append { zxid, .. }) if zxid.epoch() > thread.epochs.current() => {
                    // The counter has come round. No record of an epoch may be in the log before
                    // the epoch is durable.
                    let epoch = zxid.epoch();
                    let saved = thread
                        .epochs
                        .set_accepted(epoch)
                        .and_then(|()| thread.epochs.set_current(epoch));
                    ctx.counts.did("epochs begun");
                    if let Err(error) = saved {
                        return self.log_failed(ctx, &error);
                    }
                }
                Some(Item::Append { zxid, entry }) => {
                    if let Err(error) = log.append(*zxid, entry) {
                        return self.log_failed(ctx, &error);
                    }
                    last = Some(*zxid);
                    thread.batch.pop_front();
                }
                Some(Item::Snapshot(_)) if last.is_none() => {
                    let rolled = log.roll();
                    let info = match thread.batch.pop_front() {
                        Some(Item::Snapshot(info)) => info,
                        _ => return,
                    };
                    if let Err(error) = rolled {
                        return self.log_failed(ctx, &error);
                    }
                    ctx.counts.did("logs rolled");
                    self.lose_last_record(ctx);
                    self.order_snapshot(ctx, info);
                }
                _ => break,
            }
        }
        match last {
            Some(zxid) => self.log_begin_commit(ctx, zxid),
            None => self.log_rest(ctx),
        }
    }

    fn log_begin_commit(&mut self, ctx: &mut Context, zxid: Zxid) {
        let at_once = self.random.percent(50);
        let early = ctx.options.bug == Some(Bug::AckBeforeSync) && self.random.one_in(4);
        let Some(run) = &mut self.run else { return };
        run.log.phase = Phase::Committing(zxid, at_once && !early);
        if early {
            self.report(ctx, zxid);
        } else if at_once && !self.log_commit(ctx) {
            return;
        }
        let mut time = self.random.around(ctx.options.sync_time);
        if ctx.options.faults.disk && self.random.one_in(300) {
            ctx.counts.fault("slow sync");
            time += self.random.below(3_000_000);
        }
        self.schedule(ctx, time, Task::LogDone);
    }

    /// Whether the disk did it.
    fn log_commit(&mut self, ctx: &mut Context) -> bool {
        let Some(run) = &mut self.run else {
            return false;
        };
        let Some(log) = &mut run.log.log else {
            return false;
        };
        ctx.counts.did("log commits");
        match log.commit() {
            Ok(_) => true,
            Err(error) => {
                self.log_failed(ctx, &error);
                false
            }
        }
    }

    pub(super) fn log_done(&mut self, ctx: &mut Context) {
        let Some(run) = &self.run else { return };
        let Phase::Committing(zxid, done) = run.log.phase else {
            return;
        };
        if !done && !self.log_commit(ctx) {
            return;
        }
        self.report(ctx, zxid);
        self.log_step(ctx);
    }

    fn report(&mut self, ctx: &mut Context, zxid: Zxid) {
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "synced {zxid}");
        if self.random.one_in(4) {
            self.check_durable(ctx, zxid);
        }
        let now = self.now(at);
        self.with_node(ctx, |node, _, _| node.log_synced(now, zxid));
    }

    /// P27: what is reported as durable would survive the worst of power cuts.
    fn check_durable(&mut self, ctx: &mut Context, zxid: Zxid) {
        ctx.counts.check("P27");
        let last = last_in_logs(&self.disk.durable());
        if last < Some(zxid) {
            let last = last.map_or("nothing".to_owned(), |zxid| zxid.to_string());
            ctx.history.violate(
                "P27",
                format!("{zxid} was reported durable, but a power cut could leave {last} as the last record in the logs"),
            );
        }
    }

    fn log_rest(&mut self, ctx: &mut Context) {
        let Some(run) = &mut self.run else { return };
        let log = &mut run.log;
        if log.queue.is_empty() {
            log.phase = Phase::Idle;
            let number = log.batches;
            self.schedule(ctx, IDLE, Task::LogIdle(number));
        } else {
            log.phase = Phase::Woken;
            self.schedule(ctx, 1, Task::LogWake);
        }
    }

    pub(super) fn log_idle(&mut self, ctx: &mut Context, number: u64) {
        let Some(run) = &mut self.run else { return };
        if run.log.batches != number || run.log.phase != Phase::Idle {
            return;
        }
        let Some(log) = &mut run.log.log else { return };
        if let Err(error) = log.sync_mark() {
            self.log_failed(ctx, &error);
        }
    }

    fn log_failed(&mut self, ctx: &mut Context, error: &dyn std::fmt::Display) {
        if let Some(run) = &mut self.run {
            run.log.phase = Phase::Failed;
            run.log.batch.clear();
            run.log.queue.clear();
        }
        self.storage_failed(ctx, error.to_string());
    }

    /// The planted bug of that name.
    fn lose_last_record(&mut self, ctx: &mut Context) {
        if ctx.options.bug != Some(Bug::LosesRecordOnRoll) {
            return;
        }
        let files = self.disk.files();
        let logs = files.iter().map(|(path, _)| path);
        let newest = logs
            .filter(|path| super::log_name(path).is_some())
            .max_by_key(|path| super::log_name(path));
        if let Some(path) = newest {
            self.disk.rot(path, |bytes| {
                let (records, _) = crate::model::log_file::records(bytes);
                if let Some(last) = records.last() {
                    bytes[last.offset..].fill(0);
                }
            });
        }
    }
}
