//! One server: the shipped node, connections and storage, run by a stand-in for the shell that
//! does one thing at a time, in an order that the seed chooses.
//!
//! What threads and tasks do in the shell are events here: a connection's task handles what one
//! read brought, then submits the writes among it; the log's thread writes a batch, and reports
//! it when the disk is done; the snapshot's thread takes a slice; a link's task handles what came
//! from another server. Between any two of these the others may come.

mod connections;
mod fate;
mod log_thread;
mod members;
mod planted;
mod quorum;
mod receive;
mod snapshots;
mod start;
mod stopping;

pub(crate) use start::StartError;

use crate::checkers::{p23, p24, read_only};
use crate::clock::Clock;
use crate::history::Dump;
use crate::model::dump::dump_tree;
use crate::net::LinkId;
use crate::options::{Options, Quotas};
use crate::planted::Bug;
use crate::random::Random;
use crate::rot::Rot;
use crate::workload::OPERATOR_DIGEST;
use crate::world::{Context, Event};
use connections::Socket;
use grevy_node::{ClientId, Connection, Node, Now, Output, Service, Status, Time};
use grevy_proto::ServerId;
use grevy_storage::testing::MemDisk;
use grevy_storage::{Dirs, Epochs, Log, OpenOptions, Store};
use grevy_tree::watch::WatchTable;
use grevy_tree::{Tree, TreeConfig};
use grevy_zab::Memberships;
use log_thread::LogThread;
use quorum::QuorumLink;
use receive::Received;
use snapshots::SnapshotThread;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The machine that servers run on, one after the other.
pub struct Server {
    /// Its place among the servers.
    pub index: usize,
    /// Its disk.
    pub disk: MemDisk,
    /// Its run, among those of all servers; 0 before the first.
    pub incarnation: u32,
    /// Its clocks.
    pub clock: Clock,
    /// Until then it does nothing.
    pub paused_until: Option<Time>,
    /// Nobody starts it.
    pub stays_down: bool,
    /// The operation at which the power goes, if that was arranged.
    pub crash_at: Option<u64>,
    run: Option<Run>,
    random: Random,
    node_config: Arc<grevy_node::NodeConfig>,
    tree_config: TreeConfig,
    /// Who is in the ensemble, as its configuration files say.
    members: Option<Memberships>,
    /// The version of a configuration that those lack, or have too much.
    unwritten: Option<i64>,
    /// Counts snapshots that were received.
    received: u32,
    /// A fault of the disk that a run may still fail of.
    pub faulted: bool,
    /// What was damaged on its disk, if that was.
    pub rot: Option<Rot>,
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
    /// Since when it has been in charge of the sessions' deadlines.
    started: Time,
    service: Service,
    /// Up to where it is known to have applied what is committed.
    noted: i64,
    /// When its timer is due.
    timer: Option<Time>,
    /// Connections with other servers.
    quorum: BTreeMap<LinkId, QuorumLink>,
    /// A snapshot from the leader that is to be installed.
    received: Option<Received>,
    /// With a planted bug: acknowledgements that have not come.
    believed: Vec<(grevy_zab::LinkId, grevy_proto::Zxid)>,
    /// When something came last from the leader, or this server last led, on its clock.
    heard_leader: Time,
    /// Since when it has no leader, and does not lead, on its clock.
    leaderless: Option<Time>,
    /// When the process ends at the latest, once the node has finished.
    ends: Option<Time>,
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
    /// The node's timer.
    Timer(Time),
    /// Something may be read or written on a link to another server.
    Quorum(LinkId),
    /// A link to another server may have been silent for too long.
    Silence(LinkId),
    /// Another server's quorum port is tried.
    Dial {
        /// Whose.
        leader: usize,
        /// When to give up.
        until: Time,
        /// Its port for observers instead.
        for_observers: bool,
    },
    /// An election connection came up or went down.
    ElectionPeer(usize, bool),
    /// Old files are purged.
    Purge,
    /// Somebody tells the server to end.
    BeginStop,
    /// It ends, as it has been told to.
    End,
}

impl Server {
    /// A machine with data to begin with.
    pub fn new(index: usize, options: &Options, mut random: Random) -> Self {
        let tree_config = TreeConfig {
            hash_seed: random.any(),
            extended_types: options.extended_types,
            emulate_353_ttl: false,
            digest: options.digest,
        };
        let tick = options.tick;
        let node_config = grevy_node::NodeConfig {
            server_id: ServerId(index as i64 + 1),
            tick,
            min_session_timeout: tick * 2,
            max_session_timeout: tick * 20,
            snap_count: options.snap_count,
            reap_interval: tick * 3,
            max_pending_requests: options.max_pending,
            output_high_water: options.output_limit / 2,
            output_limit: options.output_limit,
            seed: random.any(),
            auth: grevy_node::auth::AuthConfig {
                super_digest: Some(OPERATOR_DIGEST.to_owned()),
                ..grevy_node::auth::AuthConfig::default()
            },
            prepare: grevy_tree::PrepareConfig {
                reconfig: options.ensemble.as_ref().is_some_and(|e| e.reconfig),
                enforce_quota: options.quotas == Quotas::Enforced
                    && options.bug != Some(Bug::ForgetsQuotas),
                ..grevy_tree::PrepareConfig::default()
            },
            may_shrink_to_one: true,
            local_sessions: options.ensemble.as_ref().is_some_and(|e| e.local_sessions),
            upgrade_local_sessions: options.ensemble.as_ref().is_some_and(|e| e.upgrades),
            eager_acl_check: options.ensemble.as_ref().is_some_and(|e| e.eager_acl_check),
            read_only: options
                .ensemble
                .as_ref()
                .is_some_and(|e| e.read_only >> index & 1 == 1),
            ..grevy_node::NodeConfig::default()
        };
        let membership = options.ensemble.as_ref().map(|e| e.membership());
        Self {
            index,
            disk: MemDisk::new(),
            incarnation: 0,
            clock: Clock::new(),
            paused_until: None,
            stays_down: false,
            members: membership.map(Memberships::new),
            unwritten: None,
            received: 0,
            crash_at: None,
            run: None,
            random,
            node_config: Arc::new(node_config),
            tree_config,
            faulted: false,
            rot: None,
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
            Status::Serving | Status::ReadOnly | Status::Joining | Status::Stopping => None,
            Status::StorageFailed(why) => Some(why),
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

    /// Its number in the ensemble.
    pub fn id(&self) -> ServerId {
        self.node_config.server_id
    }

    /// The node, while a process runs.
    pub fn node(&self) -> Option<&Node> {
        self.run.as_ref().map(|run| &run.node)
    }

    /// Whether clients are served.
    pub fn serves(&self) -> bool {
        self.run
            .as_ref()
            .is_some_and(|run| run.service == Service::Open)
    }

    /// The last transaction in its tree, with the tree's digest.
    pub fn state(&self) -> Option<(i64, i64)> {
        let run = self.run.as_ref()?;
        Some((run.tree.last_zxid().0, run.tree.digest()))
    }

    fn now(&self, time: Time) -> Now {
        self.clock.now(time)
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
            create_db: options.ensemble.as_ref().is_none_or(|e| e.create_db),
            member: options.ensemble.is_some(),
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
            Task::Timer(at) => self.timer(ctx, at),
            Task::Quorum(link) => self.quorum(ctx, link),
            Task::Silence(link) => self.silence(ctx, link),
            Task::Dial {
                leader,
                until,
                for_observers,
            } => self.try_dial(ctx, leader, until, for_observers),
            Task::ElectionPeer(other, up) => self.election_peer(ctx, other, up),
            Task::Purge => self.purge(ctx),
            Task::BeginStop => self.begin_stop(ctx),
            Task::End => self.end(ctx),
        }
    }

    fn schedule(&self, ctx: &mut Context, micros: u64, task: Task) {
        let event = Event::Server {
            server: self.index,
            incarnation: self.incarnation,
            task,
        };
        ctx.schedule.after_micros(micros, event);
    }

    /// Sets the timer for what the node waits for. It may fire late.
    fn set_timer(&mut self, ctx: &mut Context) {
        let late = match ctx.options.faults.clock && self.random.one_in(200) {
            true => self
                .random
                .below(5_000_000)
                .min(ctx.options.tick.as_micros() as u64 * 10),
            false => 0,
        };
        let Some(run) = &mut self.run else { return };
        let Some(due) = run.node.next_timeout() else {
            return;
        };
        let at = self.clock.world(due).max(ctx.schedule.now());
        // Timers count milliseconds.
        let at = Time(at.0.next_multiple_of(1000) + late);
        if run.timer.is_none_or(|timer| at < timer) {
            if late > 0 {
                ctx.counts.fault("late timer");
            }
            run.timer = Some(at);
            let delay = at.0 - ctx.schedule.now().0;
            self.schedule(ctx, delay, Task::Timer(at));
        }
    }

    fn timer(&mut self, ctx: &mut Context, at: Time) {
        let now = self.now_of(ctx);
        let Some(run) = &mut self.run else { return };
        if run.timer != Some(at) {
            return;
        }
        run.timer = None;
        self.with_node(ctx, |node, tree, connections| {
            if node.next_timeout().is_some_and(|at| at <= now.time) {
                node.handle_timeout(now, tree, connections);
            }
        });
    }

    fn tick(&mut self, ctx: &mut Context) {
        let tick = ctx.options.tick.as_micros() as u64;
        let next = tick - ctx.schedule.now().0 % tick;
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
        if run.node.peer().leads() {
            run.heard_leader = now.time;
        }
        let before = run.tree.last_zxid();
        call(&mut run.node, &run.tree, &run.connections);
        if run.node.has_committed() {
            run.node
                .apply_committed(now, &mut run.tree, &run.watches, &run.connections);
        }
        self.carry_out(ctx);
        if let Some(run) = &mut self.run {
            // For a snapshot that it owes, a server applies what it knows to be committed, and
            // answers that.
            let applies = run.tree.last_zxid() != before;
            run.leaderless = match applies || run.node.peer().part().serves() {
                true => None,
                false => run.leaderless.or(Some(now.time)),
            };
        }
        if ctx.options.bug == Some(Bug::BelievesAcks) {
            self.believe_acks(ctx);
        }
        self.note_applied(ctx);
        self.plant_in_tree(ctx);
        self.flush_all(ctx);
        self.set_timer(ctx);
    }

    fn carry_out(&mut self, ctx: &mut Context) {
        let at = ctx.schedule.now();
        let (server, incarnation) = (self.index, self.incarnation);
        while let Some(output) = self.run.as_mut().and_then(|run| run.node.poll()) {
            match output {
                Output::Append { zxid, entry } => {
                    trace!(
                        ctx.trace,
                        at,
                        "s{server} append {zxid} ({} bytes)",
                        entry.len()
                    );
                    let applied = self.run.as_ref().map_or(i64::MIN, |run| run.noted);
                    p23::appended(ctx, server, applied, zxid.0, &entry);
                    self.log_append(ctx, zxid, entry);
                }
                Output::Snapshot(info) => {
                    trace!(ctx.trace, at, "s{server} snapshot {}", info.zxid);
                    self.log_snapshot(ctx, info);
                }
                Output::Expired(session) => {
                    trace!(ctx.trace, at, "s{server} expired {session}");
                    ctx.counts.did("sessions expired");
                    let started = self.run.as_ref().map_or(at, |run| run.started);
                    ctx.history.expired.push(crate::history::Expired {
                        at: self.now(at).time,
                        session: session.0,
                        incarnation,
                        started,
                        known: (ctx.history.heard.len(), ctx.history.reported.len()),
                    });
                }
                Output::Broken(broken) => {
                    ctx.history
                        .violate("P22", format!("the node stopped: {broken}"));
                }
                Output::Service(service) => self.set_service(ctx, service),
                Output::Stopped => self.stopped(ctx),
                // A server alone closes them as it ends.
                Output::DropClients => self.drop_clients(),
                Output::Note(note) | Output::Warning(note) => {
                    trace!(ctx.trace, at, "s{server} note {note}");
                }
                other if ctx.options.ensemble.is_none() => ctx.history.violate(
                    "P22",
                    format!("a server that runs alone asks for {other:?}"),
                ),
                other => self.carry_out_as_member(ctx, other),
            }
        }
    }

    /// Clients are served, or not.
    fn set_service(&mut self, ctx: &mut Context, service: Service) {
        let at = ctx.schedule.now();
        let server = self.index;
        trace!(ctx.trace, at, "s{server} service {service:?}");
        let now = self.now(at).time;
        let Some(run) = &mut self.run else { return };
        if ctx.options.bug == Some(Bug::ServesWithoutLeader) && service != Service::Open {
            return;
        }
        run.service = service;
        if service == Service::ReadOnly {
            let state = self.look(ctx, "read-only");
            return state.map_or((), |state| read_only::begins(ctx, state));
        }
        if service == Service::Open {
            ctx.history.ledger.servers[server].is_damaged = false;
            run.started = now;
            let links: Vec<LinkId> = run.by_link.keys().copied().collect();
            for link in links {
                self.schedule(ctx, 1, Task::Socket(link));
            }
            self.note_applied(ctx);
            let Some(run) = &self.run else { return };
            p24::serves(ctx, server, &run.node, run.tree.last_zxid());
        }
    }

    /// What a server applied while it serves is committed.
    fn note_applied(&mut self, ctx: &mut Context) {
        let now = self.now_of(ctx).time;
        let (server, incarnation) = (self.index, self.incarnation);
        let Some(run) = &mut self.run else {
            return;
        };
        let applied = run.tree.last_zxid().0;
        // One that is about to end finishes what it had taken up while it served.
        let finishes = run.node.is_stopping() && run.noted != i64::MIN;
        if run.service != Service::Open && !finishes || applied == run.noted {
            return;
        }
        let before = std::mem::replace(&mut run.noted, applied);
        p23::applied(ctx, server, before, applied);
        if run.node.digest_mismatches() > 0 {
            let what = format!("s{server} finds its digest to differ from the leader's");
            ctx.history.violate("P29", what);
        }
        for (zxid, session) in p23::opened(ctx, before, applied) {
            trace!(
                ctx.trace,
                ctx.schedule.now(),
                "s{server} session {session:x} opened by {zxid:x}"
            );
            ctx.history.reported.push(crate::history::Reported {
                at: now,
                session,
                incarnation,
            });
        }
        if self.random.one_in(30) {
            self.dump(ctx, "applied");
        }
    }

    fn dump(&mut self, ctx: &mut Context, occasion: &'static str) {
        let Some(run) = &self.run else {
            return;
        };
        if run.service != Service::Open {
            return;
        }
        ctx.counts.did("states dumped");
        let dump = self.look(ctx, occasion);
        ctx.history.dumps.extend(dump);
    }

    fn look(&self, ctx: &Context, occasion: &'static str) -> Option<Dump> {
        let tree = &self.run.as_ref()?.tree;
        Some(Dump {
            server: self.index,
            zxid: tree.last_zxid().0,
            at: ctx.schedule.now(),
            occasion,
            text: dump_tree(tree),
            digest: tree.digest(),
        })
    }

    fn now_of(&self, ctx: &Context) -> Now {
        self.now(ctx.schedule.now())
    }

    /// The end of a run: what it holds.
    pub fn last_look(&mut self, ctx: &mut Context) {
        self.dump(ctx, "end");
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

/// The last transaction that a disk's logs and snapshots hold.
pub(crate) fn last_on_disk(disk: &MemDisk) -> i64 {
    let files = disk.files();
    let last = |(path, _): &(std::path::PathBuf, u64)| {
        let name = path.file_name()?.to_str()?;
        if let Some(zxid) = name.strip_prefix("snapshot.") {
            let zxid = zxid.split('.').next()?;
            return i64::from_str_radix(zxid, 16).ok();
        }
        log_name(path)?;
        let (records, _) = crate::model::log_file::records(&disk.content(path)?);
        Some(records.last()?.zxid)
    };
    files.iter().filter_map(last).max().unwrap_or(-1)
}
