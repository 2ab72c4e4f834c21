//! The thread that writes the log; as `log_thread` in the server.

use super::{Run, Server, Task, last_on_disk};
use crate::builder::Builder;
use crate::checkers::p25;
use crate::planted::Bug;
use crate::world::Context;
use grevy_node::Time;
use grevy_proto::{Epoch, Zxid};
use grevy_storage::log::TruncateError;
use grevy_storage::{Epochs, Log, LogError};
use grevy_tree::SnapshotInfo;
use grevy_zab::{Entry, Memberships};
use std::collections::VecDeque;
use std::sync::Arc;

/// After this time in µs without work the mark is synced.
const IDLE: u64 = 20_000;

/// So often, in µs, a sync that hangs looks whether the disk is well again.
const GLANCE: u64 = 50_000;

/// The thread's state.
pub struct LogThread {
    log: Option<Log>,
    epochs: Option<Epochs>,
    /// What queues up for the next batch.
    queue: VecDeque<Item>,
    /// The batch that is being written.
    batch: VecDeque<Item>,
    phase: Phase,
    /// Until when a sync hangs, unless the disk is well again before.
    hangs_until: Time,
    /// Counts batches, so that an idle time can be told from one that was interrupted.
    batches: u64,
}

#[derive(Debug)]
enum Item {
    Append {
        zxid: Zxid,
        entry: Arc<[u8]>,
    },
    Snapshot(SnapshotInfo),
    Epochs {
        accepted: Epoch,
        current: Epoch,
    },
    Truncate {
        to: Zxid,
        rebuild: bool,
    },
    Install(Zxid, Vec<Entry>),
    Configure(Memberships),
    Read {
        link: grevy_zab::LinkId,
        after: Zxid,
        until: Zxid,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for work.
    Idle,
    /// Has been woken.
    Woken,
    /// Waits for the disk; the zxid is to be reported. `false`: the disk is yet to be asked.
    Committing(Zxid, bool),
    /// Waits until something else is to be done.
    Working,
    /// The disk has failed.
    Failed,
}

impl LogThread {
    /// What was appended becomes durable, and the mark. Nothing can be written after that.
    pub(super) fn close(&mut self) -> Result<(), LogError> {
        match self.log.take() {
            Some(log) => log.close(),
            None => Ok(()),
        }
    }

    pub(super) fn new(log: Log, epochs: Epochs) -> Self {
        Self {
            log: Some(log),
            epochs: Some(epochs),
            queue: VecDeque::new(),
            batch: VecDeque::new(),
            phase: Phase::Idle,
            hangs_until: Time(0),
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

    pub(super) fn log_epochs(&mut self, ctx: &mut Context, accepted: Epoch, current: Epoch) {
        if ctx.options.bug == Some(Bug::SyncsHistoryLate) {
            // Ahead of the history that they are to follow.
            if let Err(why) = self.save_epochs(ctx, accepted, current) {
                self.log_failed(ctx, &why);
            }
            return;
        }
        self.log_push(ctx, Item::Epochs { accepted, current });
        if ctx.options.bug == Some(Bug::SavesEpochsLate) {
            let now = self.now_of(ctx);
            if let Some(run) = &mut self.run {
                run.node.epochs_saved(now, accepted, current);
            }
        }
    }

    pub(super) fn log_truncate(&mut self, ctx: &mut Context, to: Zxid, rebuild: bool) {
        self.log_push(ctx, Item::Truncate { to, rebuild });
    }

    pub(super) fn log_install(&mut self, ctx: &mut Context, zxid: Zxid, kept: Vec<Entry>) {
        self.log_push(ctx, Item::Install(zxid, kept));
    }

    pub(super) fn log_configure(&mut self, ctx: &mut Context, members: Memberships) {
        self.log_push(ctx, Item::Configure(members));
    }

    pub(super) fn log_read(
        &mut self,
        ctx: &mut Context,
        link: grevy_zab::LinkId,
        after: Zxid,
        until: Zxid,
    ) {
        self.log_push(ctx, Item::Read { link, after, until });
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
                Some(Item::Append { zxid, .. })
                    if ctx.options.ensemble.is_none()
                        && thread
                            .epochs
                            .as_ref()
                            .is_some_and(|e| zxid.epoch() > e.current()) =>
                {
                    // The counter has come round. No record of an epoch may be in the log before
                    // the epoch is durable.
                    let epoch = zxid.epoch();
                    let Some(epochs) = &mut thread.epochs else {
                        return;
                    };
                    let saved = epochs
                        .set_accepted(epoch)
                        .and_then(|()| epochs.set_current(epoch));
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
            None => self.log_work(ctx),
        }
    }

    /// What is not appending takes its time, too.
    fn log_work(&mut self, ctx: &mut Context) {
        let Some(run) = &mut self.run else { return };
        if run.log.batch.is_empty() {
            return self.log_rest(ctx);
        }
        run.log.phase = Phase::Working;
        let time = self.random.around(ctx.options.sync_time);
        self.schedule(ctx, time, Task::LogDone);
    }

    fn log_worked(&mut self, ctx: &mut Context) {
        let Some(run) = &mut self.run else { return };
        let done = match run.log.batch.pop_front() {
            Some(Item::Epochs { accepted, current }) => self.save_epochs(ctx, accepted, current),
            Some(Item::Truncate { to, rebuild }) => self.truncate(ctx, to, rebuild),
            Some(Item::Install(zxid, kept)) => self.install(ctx, zxid, &kept),
            Some(Item::Configure(members)) => self.configure(ctx, members),
            Some(Item::Read { link, after, until }) => self.read_log(ctx, link, after, until),
            Some(Item::Append { .. } | Item::Snapshot(_)) | None => return,
        };
        match done {
            Ok(()) => self.log_step(ctx),
            Err(why) => self.log_failed(ctx, &why),
        }
    }

    fn save_epochs(
        &mut self,
        ctx: &mut Context,
        accepted: Epoch,
        current: Epoch,
    ) -> Result<(), String> {
        let Some(epochs) = self.run.as_mut().and_then(|run| run.log.epochs.as_mut()) else {
            return Ok(());
        };
        let forgets = ctx.options.bug == Some(Bug::ForgetsEpochs);
        if accepted > epochs.accepted() && !forgets {
            epochs.set_accepted(accepted).map_err(|e| e.to_string())?;
        }
        if current > epochs.current() && !forgets {
            epochs.set_current(current).map_err(|e| e.to_string())?;
        }
        p25::saved(ctx, self.index, accepted, current);
        let now = self.now_of(ctx);
        self.with_node(ctx, |node, _, _| node.epochs_saved(now, accepted, current));
        Ok(())
    }

    /// Writes the configuration files. What cannot be written is left, and the server goes on, which
    /// it may do as long as the history tells what the files lack: of two changes it need not.
    fn configure(&mut self, ctx: &mut Context, members: Memberships) -> Result<(), String> {
        let newest = members.last_seen().version;
        let has_version = |files: &Memberships| files.committed().version > 0;
        let may_fail = ctx.options.faults.disk
            && self.members.as_ref().is_some_and(has_version)
            && self.unwritten.is_none_or(|version| version == newest);
        if may_fail && self.random.one_in(4) {
            ctx.counts.fault("configuration files not written");
            self.unwritten = Some(newest);
        } else {
            self.unwritten = None;
            self.members = Some(members);
        }
        Ok(())
    }

    fn truncate(&mut self, ctx: &mut Context, to: Zxid, rebuild: bool) -> Result<(), String> {
        ctx.counts.did("truncations");
        let bug = ctx.options.bug == Some(Bug::ForgetsTruncation);
        let Some(run) = &mut self.run else {
            return Ok(());
        };
        let Some(log) = &mut run.log.log else {
            return Ok(());
        };
        let truncated = match bug {
            true => Ok(()),
            false => run.store.truncate(log, to),
        };
        let refused = match truncated {
            Ok(()) => None,
            Err(TruncateError::Log(error)) => return Err(error.to_string()),
            Err(refused) => Some(refused.to_string()),
        };
        if rebuild || refused.is_some() {
            ctx.counts.did("states rebuilt");
            (run.log.log, run.log.epochs) = (None, None);
            let mut builder = Builder::new(self.tree_config.clone());
            let recovered = run.store.recover(&mut builder);
            let (log, epochs, _) = recovered.map_err(|e| e.to_string())?;
            run.log.log = Some(log);
            run.log.epochs = Some(epochs);
            let mut tree = builder.finish();
            tree.finish_recovery();
            tree.drop_orphan_ephemerals();
            self.replace_tree(ctx, tree);
        }
        let now = self.now_of(ctx);
        if let Some(why) = refused {
            ctx.counts.did("truncations that cannot be");
            let Some(run) = &mut self.run else {
                return Ok(());
            };
            let is_entry = |item: &Item| matches!(item, Item::Append { .. });
            run.log.queue.retain(|item| !is_entry(item));
            run.log.batch.retain(|item| !is_entry(item));
            let last = run.tree.last_zxid();
            self.with_node(ctx, |node, _, _| node.truncation_refused(now, last, &why));
            return Ok(());
        }
        let committed = ctx.history.last();
        let ledger = &mut ctx.history.ledger;
        ledger.rewritten(self.index, to.0, committed);
        self.with_node(ctx, |node, _, _| node.truncated(now, to));
        Ok(())
    }

    fn install(&mut self, ctx: &mut Context, zxid: Zxid, kept: &[Entry]) -> Result<(), String> {
        let Some(run) = &mut self.run else {
            return Ok(());
        };
        let Some(received) = run.received.take_if(|received| received.zxid == zxid) else {
            return Err(format!("snapshot {zxid} was not received"));
        };
        let Some(log) = &mut run.log.log else {
            return Ok(());
        };
        received.sealed.install().map_err(|e| e.to_string())?;
        if ctx.options.bug != Some(Bug::KeepsOldLog) {
            let kept = kept.iter().map(|entry| (entry.zxid, &*entry.bytes));
            let installed = run.store.installed(log, zxid, kept);
            installed.map_err(|e| e.to_string())?;
        }
        ctx.counts.did("snapshots installed");
        let committed = ctx.history.last();
        let ledger = &mut ctx.history.ledger;
        ledger.rewritten(self.index, zxid.0, committed);
        for entry in kept {
            ctx.counts.did("transactions kept behind a snapshot");
            ledger.appended(self.index, entry.zxid.0, entry.bytes.clone());
            ledger.synced(self.index, entry.zxid.0);
        }
        self.replace_tree(ctx, received.tree);
        let now = self.now_of(ctx);
        self.with_node(ctx, |node, _, _| node.snapshot_installed(now, zxid));
        Ok(())
    }

    /// Another state takes the tree's place. A snapshot of the old one leads to nothing.
    fn replace_tree(&mut self, ctx: &mut Context, tree: grevy_tree::Tree) {
        let Some(run) = &mut self.run else { return };
        run.tree = tree;
        run.noted = i64::MIN;
        let now = self.clock.now(ctx.schedule.now());
        for _ in 0..run.snapshots.forget() {
            run.node.snapshot_done(now, false);
        }
    }

    fn read_log(
        &mut self,
        ctx: &mut Context,
        link: grevy_zab::LinkId,
        after: Zxid,
        until: Zxid,
    ) -> Result<(), String> {
        let Some(Run { store, .. }) = &self.run else {
            return Ok(());
        };
        let found = store.read_log(after, until, 1 << 20);
        if found.is_err() && self.power_is_off(ctx) {
            return Ok(());
        }
        let entries = found.ok().flatten().map(|entries| {
            let entry = |(zxid, bytes)| grevy_zab::Entry { zxid, bytes };
            entries.into_iter().map(entry).collect::<Vec<_>>()
        });
        ctx.counts.did(match entries {
            Some(_) => "logs read back",
            None => "logs not read back",
        });
        let now = self.now_of(ctx);
        self.with_node(ctx, |node, _, _| node.log_read(now, link, entries));
        Ok(())
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
        let time = self.random.around(ctx.options.sync_time);
        if ctx.options.faults.disk && self.random.one_in(300) {
            ctx.counts.fault("slow sync");
            let most = *self.random.pick(&[3_000_000, 3_000_000, 15_000_000]);
            let hangs_until = Time(ctx.schedule.now().0 + time + self.random.below(most));
            if let Some(run) = &mut self.run {
                run.log.hangs_until = hangs_until;
            }
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
        let (zxid, done) = match run.log.phase {
            Phase::Committing(zxid, done) => {
                let left = run.log.hangs_until.0.saturating_sub(ctx.schedule.now().0);
                if left > 0 && ctx.options.faults.disk {
                    return self.schedule(ctx, left.min(GLANCE), Task::LogDone);
                }
                (zxid, done)
            }
            Phase::Working => return self.log_worked(ctx),
            _ => return,
        };
        if !done && !self.log_commit(ctx) {
            return;
        }
        self.report(ctx, zxid);
        self.log_step(ctx);
    }

    fn report(&mut self, ctx: &mut Context, zxid: Zxid) {
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "s{} synced {zxid}", self.index);
        if self.random.one_in(4) {
            self.check_durable(ctx, zxid);
        }
        ctx.history.ledger.synced(self.index, zxid.0);
        let now = self.now(at);
        self.with_node(ctx, |node, _, _| node.log_synced(now, zxid));
    }

    /// P27: what is reported as durable would survive the worst of power cuts.
    fn check_durable(&mut self, ctx: &mut Context, zxid: Zxid) {
        ctx.counts.check("P27");
        let last = last_on_disk(&self.disk.durable());
        if last < zxid.0 {
            let what = format!(
                "s{}: {zxid} was reported durable, but a power cut could leave {last:x} as the \
                 last record in the logs",
                self.index
            );
            ctx.history.violate("P27", what);
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
