//! One server: the shipped node, connections and storage, run by a stand-in for the shell that
//! does one thing at a time, in an order that the seed chooses.
//!
//! What threads and tasks do in the shell are events here: a connection's task handles what one
//! read brought, then submits the writes among it; the log's thread writes a batch, and reports
//! it when the disk is done; the snapshot's thread takes a slice. Between any two of these the
//! others may come.

mod connections;
mod log_thread;
mod snapshots;
mod start;

pub(crate) use start::StartError;

use crate::history::Committed;
use crate::model::dump::dump_tree;
use crate::net::LinkId;
use crate::options::Options;
use crate::planted::Bug;
use crate::random::Random;
use crate::world::{Context, Event};
use connections::Socket;
use grevy_node::{ClientId, Connection, Node, Now, Output, Status, Time};
use grevy_proto::txn::{CreateKind, CreateTxn, DeleteTxn, Txn, TxnHeader};
use grevy_proto::{Acl, SessionId, Xid, Zxid};
use grevy_storage::testing::MemDisk;
use grevy_storage::{Dirs, Epochs, Log, OpenOptions, Store};
use grevy_tree::watch::WatchTable;
use grevy_tree::{Tree, TreeConfig};
use log_thread::LogThread;
use snapshots::SnapshotThread;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The machine that servers run on, one after the other.
pub struct Server {
    /// Its disk.
    pub disk: MemDisk,
    /// Counts starts.
    pub incarnation: u32,
    /// What the wall clock is off by, in ms.
    pub wall_offset: i64,
    /// The operation at which the power goes, if that was arranged.
    pub crash_at: Option<u64>,
    run: Option<Run>,
    random: Random,
    node_config: Arc<grevy_node::NodeConfig>,
    tree_config: TreeConfig,
    /// Handed to the log, and not applied by the run that decided it.
    candidates: VecDeque<Committed>,
    /// A fault of the disk that a run may still fail of.
    pub faulted: bool,
    /// Whether what tells a torn tail from rot is as new as the log: not after a power cut, nor
    /// after a sync that failed, until the next start.
    pub is_marked: bool,
}

/// A server that runs.
struct Run {
    node: Node,
    tree: Tree,
    watches: RefCell<WatchTable>,
    connections: RefCell<BTreeMap<ClientId, Connection>>,
    sockets: BTreeMap<ClientId, Socket>,
    by_link: BTreeMap<LinkId, ClientId>,
    next_client: u32,
    store: Store,
    log: LogThread,
    snapshots: SnapshotThread,
    started: Time,
    /// Places in the order of all that reaches connections.
    reached: u64,
}

/// What the server's parts do, as events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Something may be read or written on a link.
    Socket(LinkId),
    /// What a connection wants of the node is handed over.
    Submit(ClientId),
    /// A closing connection has lingered long enough.
    Linger(LinkId),
    /// The log's thread looks at its queue.
    LogWake,
    /// The disk has done what the log's thread waits for.
    LogDone,
    /// The log's thread has been idle.
    LogIdle(u64),
    /// The snapshot's thread goes on.
    Snapshot,
    /// A tick.
    Tick,
    /// Old files are purged.
    Purge,
}

impl Server {
    /// A machine with data to begin with.
    pub fn new(options: &Options, mut random: Random) -> Self {
        let tree_config = TreeConfig {
            hash_seed: random.any(),
            extended_types: options.extended_types,
            emulate_353_ttl: false,
            digest: options.digest,
        };
        let tick = options.tick;
        let node_config = grevy_node::NodeConfig {
            tick,
            min_session_timeout: tick * 2,
            max_session_timeout: tick * 20,
            snap_count: options.snap_count,
            reap_interval: tick * 3,
            max_pending_requests: options.max_pending,
            output_high_water: options.output_limit / 2,
            output_limit: options.output_limit,
            seed: random.any(),
            ..grevy_node::NodeConfig::default()
        };
        Self {
            disk: MemDisk::new(),
            incarnation: 0,
            wall_offset: 0,
            crash_at: None,
            run: None,
            random,
            node_config: Arc::new(node_config),
            tree_config,
            candidates: VecDeque::new(),
            faulted: false,
            is_marked: true,
        }
    }

    /// Whether a process runs.
    pub fn is_up(&self) -> bool {
        self.run.is_some()
    }

    /// Why it does not serve, if it says so.
    pub fn not_serving(&self) -> Option<String> {
        match self.run.as_ref()?.node.status() {
            Status::Serving | Status::Joining => None,
            Status::StorageFailed(why) => Some(why.clone()),
        }
    }

    /// Sessions that the node knows, and connections.
    pub fn sizes(&self) -> (usize, usize) {
        match &self.run {
            Some(run) => (run.node.clock().len(), run.sockets.len()),
            None => (0, 0),
        }
    }

    /// The sessions that are open.
    pub fn sessions(&self) -> Vec<i64> {
        let run = self.run.as_ref();
        let sessions = run.into_iter().flat_map(|run| run.tree.sessions().iter());
        sessions.map(|(session, _)| session.0).collect()
    }

    fn now(&self, time: Time) -> Now {
        let wall_ms = 1_700_000_000_000 + (time.0 / 1000) as i64 + self.wall_offset;
        Now { time, wall_ms }
    }

    fn dirs() -> Dirs {
        Dirs {
            data: "/data".into(),
            log: "/log".into(),
        }
    }

    pub(crate) fn open_options(options: &Options) -> OpenOptions {
        OpenOptions {
            log: grevy_storage::LogOptions {
                preallocate: options.preallocate,
                size_limit: options.log_size,
                ..grevy_storage::LogOptions::default()
            },
            ..OpenOptions::default()
        }
    }

    /// Something is due. Events of earlier runs have been dropped by the caller.
    pub fn handle(&mut self, ctx: &mut Context, task: Task) {
        if self.run.is_none() {
            return;
        }
        match task {
            Task::Socket(link) => self.serve(ctx, link),
            Task::Submit(client) => self.submit(ctx, client),
            Task::Linger(link) => self.linger(ctx, link),
            Task::LogWake => self.log_wake(ctx),
            Task::LogDone => self.log_done(ctx),
            Task::LogIdle(number) => self.log_idle(ctx, number),
            Task::Snapshot => self.snapshot(ctx),
            Task::Tick => self.tick(ctx),
            Task::Purge => self.purge(ctx),
        }
    }

    fn schedule(&self, ctx: &mut Context, micros: u64, task: Task) {
        let incarnation = self.incarnation;
        ctx.schedule
            .after_micros(micros, Event::Server { incarnation, task });
    }

    /// Timers fire on ticks, or late.
    fn tick(&mut self, ctx: &mut Context) {
        let now = self.now(ctx.schedule.now());
        self.with_node(ctx, |node, tree, connections| {
            if node.next_timeout().is_some_and(|at| at <= now.time) {
                node.handle_timeout(now, tree, connections);
            }
        });
        let tick = ctx.options.tick.as_micros() as u64;
        let mut next = tick - now.time.0 % tick;
        if ctx.options.faults.clock && self.random.one_in(50) {
            ctx.counts.fault("late timer");
            next += self.random.below(5_000_000).min(tick * 10);
        }
        if ctx.options.bug == Some(Bug::ExpiresEarly) && self.random.one_in(20) {
            self.expire_early(ctx);
        }
        self.schedule(ctx, next, Task::Tick);
        if self.random.one_in(10) {
            self.dump(ctx, "tick");
        }
    }

    /// Calls the node, applies what has become committed, and sends what connections have to
    /// say; as `Shared::with_node` in the server.
    fn with_node(
        &mut self,
        ctx: &mut Context,
        call: impl FnOnce(&mut Node, &Tree, &RefCell<BTreeMap<ClientId, Connection>>),
    ) {
        let now = self.now(ctx.schedule.now());
        let Some(run) = &mut self.run else {
            return;
        };
        call(&mut run.node, &run.tree, &run.connections);
        if run.node.has_committed() {
            run.node
                .apply_committed(now, &mut run.tree, &run.watches, &run.connections);
        }
        self.carry_out(ctx);
        self.note_applied(ctx);
        self.plant_in_tree(ctx);
        self.flush_all(ctx);
    }

    fn carry_out(&mut self, ctx: &mut Context) {
        let at = ctx.schedule.now();
        let incarnation = self.incarnation;
        let started = self.run.as_ref().map_or(at, |run| run.started);
        while let Some(output) = self.run.as_mut().and_then(|run| run.node.poll()) {
            match output {
                Output::Append { zxid, entry } => {
                    trace!(ctx.trace, at, "append {zxid} ({} bytes)", entry.len());
                    self.candidates.push_back(Committed {
                        zxid: zxid.0,
                        entry: entry.to_vec(),
                        incarnation,
                    });
                    self.log_append(ctx, zxid, entry);
                }
                Output::Snapshot(info) => {
                    trace!(ctx.trace, at, "snapshot {}", info.zxid);
                    self.log_snapshot(ctx, info);
                }
                Output::Expired(session) => {
                    trace!(ctx.trace, at, "expired {session}");
                    ctx.counts.did("sessions expired");
                    ctx.history.expired.push(crate::history::Expired {
                        at,
                        session: session.0,
                        incarnation,
                        started,
                    });
                }
                Output::Broken(broken) => {
                    ctx.history
                        .violate("P22", format!("the node stopped: {broken}"));
                }
                Output::Service(_) => {}
                Output::Note(note) => trace!(ctx.trace, at, "note {note}"),
                other => ctx.history.violate(
                    "P22",
                    format!("a server that runs alone asks for {other:?}"),
                ),
            }
        }
    }

    /// What was applied is committed.
    fn note_applied(&mut self, ctx: &mut Context) {
        let Some(run) = &self.run else {
            return;
        };
        let applied = run.tree.last_zxid().0;
        if applied <= ctx.history.last() {
            return;
        }
        while let Some(next) = self.candidates.front()
            && next.zxid <= applied
        {
            let at = ctx.schedule.now();
            trace!(ctx.trace, at, "applied {:x}", next.zxid);
            ctx.counts.did("transactions");
            ctx.history.committed.extend(self.candidates.pop_front());
        }
        if self.random.one_in(30) {
            self.dump(ctx, "applied");
        }
    }

    fn dump(&mut self, ctx: &mut Context, occasion: &'static str) {
        let Some(run) = &self.run else {
            return;
        };
        ctx.counts.did("states dumped");
        ctx.history.dumps.push(crate::history::Dump {
            zxid: run.tree.last_zxid().0,
            at: ctx.schedule.now(),
            occasion,
            text: dump_tree(&run.tree),
            digest: run.tree.digest(),
        });
    }

    fn plant_in_tree(&mut self, ctx: &mut Context) {
        let Some(bug @ (Bug::LosesEphemeral | Bug::KeepsEphemeral)) = ctx.options.bug else {
            return;
        };
        if !self.random.one_in(10) {
            return;
        }
        let Some(run) = &mut self.run else {
            return;
        };
        let header = |session| TxnHeader {
            session,
            cxid: Xid(0),
            zxid: run.tree.last_zxid(),
            time: 0,
            op: 0,
        };
        let owner = run.tree.ephemeral_owners().next();
        match bug {
            Bug::LosesEphemeral => {
                let Some(owner) = owner else { return };
                let Some(path) = run.tree.ephemerals(owner).next() else {
                    return;
                };
                let txn = Txn::Delete(DeleteTxn {
                    path: path.into(),
                    container: false,
                });
                let header = header(owner);
                run.tree.apply(&header, &txn, &mut |_| {});
            }
            _ => {
                let gone = ctx.history.expired.last().map(|e| SessionId(e.session));
                let Some(gone) = gone.filter(|s| !run.tree.sessions().contains(*s)) else {
                    return;
                };
                let txn = Txn::Create(CreateTxn {
                    path: "/left-behind".into(),
                    data: None,
                    acl: vec![Acl::OPEN],
                    kind: CreateKind::Plain { ephemeral: true },
                    parent_cversion: 0,
                });
                let header = header(gone);
                run.tree.apply(&header, &txn, &mut |_| {});
            }
        }
    }

    fn expire_early(&mut self, ctx: &mut Context) {
        // The node is told a time far ahead.
        let now = self.now_of(ctx);
        let Some(run) = &mut self.run else {
            return;
        };
        let ahead = Now {
            time: now.time + ctx.options.tick * 10,
            ..now
        };
        let Run {
            node,
            tree,
            connections,
            ..
        } = run;
        node.handle_timeout(ahead, tree, &*connections);
        self.with_node(ctx, |_, _, _| {});
    }

    fn now_of(&self, ctx: &Context) -> Now {
        self.now(ctx.schedule.now())
    }

    /// The process is gone; what it had open is, too. `silently`: nobody is told.
    pub fn stop(&mut self, ctx: &mut Context, silently: bool) {
        let Some(run) = self.run.take() else {
            return;
        };
        for (link, _) in run.by_link {
            match silently {
                true => ctx.network.kill(link),
                false => ctx.reset(link),
            }
        }
    }

    /// A write or sync failed: nobody is served any more.
    fn storage_failed(&mut self, ctx: &mut Context, why: String) {
        if self.power_is_off(ctx) {
            return;
        }
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "storage failed: {why}");
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
        ctx.schedule
            .after_micros(self.random.between(100_000, 2_000_000), Event::Replace);
    }

    /// If an arranged power cut has come, carries it out.
    fn power_is_off(&mut self, ctx: &mut Context) -> bool {
        match self.crash_at {
            Some(at) if self.disk.ops() >= at => {
                ctx.counts.fault("power cut at a disk operation");
                self.cut_power(ctx);
                true
            }
            _ => false,
        }
    }

    /// Faults of the disk that were arranged do not come.
    pub fn heal(&mut self) {
        self.crash_at = None;
        self.disk.heal();
    }

    /// The machine loses power.
    pub fn cut_power(&mut self, ctx: &mut Context) {
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "power cut");
        self.crash_at = None;
        self.is_marked = false;
        self.stop(ctx, true);
        self.disk.crash(self.random.any());
        ctx.schedule
            .after_micros(self.random.between(1_000, 500_000), Event::Start);
    }

    /// The process is killed; the machine lives on.
    pub fn kill(&mut self, ctx: &mut Context) {
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "kill");
        self.crash_at = None;
        self.stop(ctx, false);
        self.disk.kill();
        ctx.schedule
            .after_micros(self.random.between(1_000, 500_000), Event::Start);
    }
}

/// The log's part of a run, for the modules below.
fn new_log(log: Log, epochs: Epochs) -> LogThread {
    LogThread::new(log, epochs)
}

/// Names of a log's files.
pub(crate) fn log_name(path: &std::path::Path) -> Option<i64> {
    crate::model::log_file::zxid_in_name(path.file_name()?.to_str()?)
}

/// The zxid of whatever comes last in the log's files of a disk.
pub(crate) fn last_in_logs(disk: &MemDisk) -> Option<Zxid> {
    let files = disk.files();
    let logs = files.iter().filter(|(path, _)| log_name(path).is_some());
    let records = logs.filter_map(|(path, _)| {
        let bytes = disk.content(path)?;
        let (records, _) = crate::model::log_file::records(&bytes);
        records.last().map(|record| Zxid(record.zxid))
    });
    records.max()
}
