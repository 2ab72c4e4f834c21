//! One server as a deterministic machine. Inputs are method calls, with the time; outputs are
//! taken with [`Node::poll`]. It knows no socket, file, clock or thread.
//!
//! A write's way at the leader: [`Node::submit`] decides it ([`grevy_tree::prepare`]), gives it a
//! zxid and emits [`Output::Append`]; when a quorum of storages, this one among them, has
//! reported it durable ([`Node::log_synced`], and acknowledgements of learners), it is committed;
//! [`Node::apply_committed`] applies it to the tree, queues its watch events, then its reply. An
//! acknowledgement thus cannot come into being before its transaction is durable, whatever the
//! shell does. A learner forwards the write, and answers when the transaction comes back.
//!
//! A standalone server is an ensemble of one, through the same code.
//!
//! The files: `writes` decides, `apply` applies, `sessions` opens and ends sessions, `ensemble`
//! has what servers tell each other, `forwarding` what a learner's clients wait for.

use crate::config::NodeConfig;
use crate::connection::ClientId;
use crate::digest_log::DigestLog;
use crate::forwarding::Forwarding;
use crate::forwarding::SyncOf;
use crate::local_sessions::LocalSessions;
use crate::noted::Noted;
use crate::output::{Output, Service};
use crate::read_only::ReadOnly;
use crate::reaper::Reaper;
use crate::relaying::Revalidations;
use crate::session_clock::SessionClock;
use crate::sessions::Resuming;
use crate::stopping::Stopping;
use crate::tally::Tally;
use crate::time::{Now, Time};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use grevy_proto::txn::TxnHeader;
use grevy_proto::{ErrorCode, OpCode, SessionId, Zxid};
use grevy_tree::Tree;
use grevy_tree::prepare::Pending;
use grevy_zab::{Membership, Memberships, Part, Peer, PeerConfig, Recovered};

/// Whether the node serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Serving,
    /// It has no leader, and serves reads to those whom that will do for.
    ReadOnly,
    /// It looks for a leader, or is about to lead or to follow one.
    Joining,
    /// It is about to end, and takes nothing up any more.
    Stopping,
    /// A write or sync of its storage failed. Nothing more is acknowledged until a restart.
    StorageFailed(String),
}

/// A transaction or reply that waits for its turn. What has no zxid of its own goes out when
/// everything before it has been applied.
#[derive(Debug)]
pub(crate) enum Queued {
    Txn {
        header: TxnHeader,
        /// All of it, as it stands in the log. It can be read.
        entry: Arc<[u8]>,
        /// Which connection it came in through, as which operation; `None`: another server's,
        /// the node's own, or one that was forwarded.
        origin: Option<(ClientId, OpCode)>,
    },
    /// A sync of a client of this leader, which is done when as many are released.
    Sync {
        client: ClientId,
        path: Box<str>,
        number: u64,
    },
    Refused {
        client: ClientId,
        code: ErrorCode,
    },
    /// A client of this leader closes its local session.
    LocalClose {
        client: ClientId,
        session: SessionId,
    },
    /// A request of this session is lost with its leader: the connection ends.
    Lost {
        session: SessionId,
        client: ClientId,
    },
}

/// The machine. See the module's text.
pub struct Node {
    pub(crate) config: NodeConfig,
    /// Why the storage cannot be written to.
    pub(crate) failure: Option<String>,
    pub(crate) peer: Peer,
    pub(crate) service: Service,
    pub(crate) stopping: Stopping,
    /// The part whose service begins once everything committed is applied.
    pub(crate) starting: bool,
    /// Since when clients are not served.
    pub(crate) paused_since: Time,
    pub(crate) pending: Pending,
    pub(crate) queue: VecDeque<Queued>,
    /// The newest transaction that is or was in the queue.
    pub(crate) queued: Zxid,
    /// The newest transaction that was applied.
    pub(crate) applied: Zxid,
    pub(crate) clock: SessionClock,
    pub(crate) local: LocalSessions,
    pub(crate) read_only: ReadOnly,
    pub(crate) forwarding: Forwarding,
    /// Syncs of this learner that the leader has answered, each with what was committed then.
    pub(crate) answered_syncs: VecDeque<(Zxid, SyncOf)>,
    /// Clients that resume a session at this learner.
    pub(crate) resuming: BTreeMap<SessionId, Vec<Resuming>>,
    /// What of that the leader was asked, and what observers asked through this follower.
    pub(crate) revalidations: Revalidations,
    /// When the leader was last told which sessions were heard.
    pub(crate) reported: Time,
    /// Sessions that were heard since and are not attached to a connection any more.
    pub(crate) also_heard: Vec<(SessionId, i32)>,
    /// The low part of the last session id that this server gave out.
    pub(crate) last_session: i64,
    /// Syncs of this leader's own clients so far.
    pub(crate) syncs: u64,
    pub(crate) reaper: Reaper,
    txns_until_snapshot: u64,
    pub(crate) bytes_until_snapshot: u64,
    /// What is encoded last; kept for its room.
    pub(crate) encoded: Vec<u8>,
    snapshot_running: bool,
    /// Learners wait for a snapshot.
    pub(crate) snapshot_for_learners: ForLearners,
    pub(crate) digests: DigestLog,
    pub(crate) tally: Tally,
    pub(crate) noted: Noted,
    /// When a state that differed from the leader's last made this learner ask for a snapshot.
    pub(crate) distrusted: Option<Time>,
    random: u64,
    /// The configurations that were told last.
    pub(crate) configured: Option<Memberships>,
    pub(crate) outputs: VecDeque<Output>,
}

/// How far a snapshot for learners has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForLearners {
    No,
    Wanted,
    Running,
}

impl Node {
    /// A standalone server with the state that was recovered from its storage. All sessions in
    /// it get their full timeout from `now`.
    pub fn standalone(config: NodeConfig, tree: &Tree, now: Now) -> Self {
        let peer = Peer::standalone(config.server_id, tree.last_zxid());
        let mut node = Self::new(config, peer, tree, now);
        node.service = Service::Open;
        node.starting = false;
        node.clock.restart(timeouts(tree), now.time);
        node
    }

    /// A member of an ensemble, with what was recovered from its storage. It begins to look for
    /// a leader.
    pub fn member(
        config: NodeConfig,
        peer: PeerConfig,
        members: Memberships,
        recovered: Recovered,
        tree: &Tree,
        now: Now,
    ) -> Self {
        let mut members = members;
        let newest = membership(tree.config_znode());
        let version = newest.as_ref().map_or(-1, |newest| newest.version);
        let mut differs = members.keep_proposed_if_brought(version);
        if peer.reconfig {
            let before = membership(tree.config_znode_before());
            differs |= members.catch_up(before, newest);
        }
        let peer = Peer::member(peer, members, recovered, now.time);
        let mut node = Self::new(config, peer, tree, now);
        if differs {
            node.output_configuration();
        }
        node.follow_up(now);
        node
    }

    fn new(config: NodeConfig, peer: Peer, tree: &Tree, now: Now) -> Self {
        let mut node = Self {
            failure: None,
            peer,
            service: Service::Paused,
            stopping: Stopping::No,
            starting: false,
            paused_since: now.time,
            pending: Pending::default(),
            queue: VecDeque::new(),
            queued: tree.last_zxid(),
            applied: tree.last_zxid(),
            clock: SessionClock::new(config.tick),
            local: LocalSessions::new(config.tick),
            read_only: ReadOnly::new(config.tick, now.time),
            forwarding: Forwarding::default(),
            answered_syncs: VecDeque::new(),
            resuming: BTreeMap::new(),
            revalidations: Revalidations::default(),
            reported: now.time,
            also_heard: Vec::new(),
            last_session: mix(config.seed).cast_signed() & crate::sessions::LOW,
            syncs: 0,
            reaper: Reaper::new(&config, now.time),
            txns_until_snapshot: 0,
            bytes_until_snapshot: 0,
            encoded: Vec::new(),
            snapshot_running: false,
            snapshot_for_learners: ForLearners::No,
            digests: DigestLog::default(),
            tally: Tally::default(),
            noted: Noted::default(),
            distrusted: None,
            random: config.seed | 1,
            configured: None,
            outputs: VecDeque::new(),
            config,
        };
        node.draw_snapshot_thresholds();
        node
    }

    /// How it is set up.
    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// Whether it serves.
    pub fn status(&self) -> Status {
        match (&self.failure, self.service) {
            (Some(why), _) => Status::StorageFailed(why.clone()),
            (None, _) if self.is_stopping() => Status::Stopping,
            (None, Service::Open) => Status::Serving,
            (None, Service::ReadOnly) => Status::ReadOnly,
            (None, _) => Status::Joining,
        }
    }

    /// The sessions' deadlines.
    pub fn clock(&self) -> &SessionClock {
        &self.clock
    }

    /// The server's part in its ensemble.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What the server is.
    pub fn part(&self) -> &Part {
        self.peer.part()
    }

    /// The tree's digests at some zxids; empty if digests are off.
    pub fn digests(&self) -> &DigestLog {
        &self.digests
    }

    /// How often the state after a transaction differed from what the leader said it would be.
    pub fn digest_mismatches(&self) -> u64 {
        self.tally.digest_mismatches
    }

    /// Has a leader count the traffic of its observers anew (`orst`).
    pub fn reset_observer_traffic(&mut self) {
        self.peer.reset_observer_traffic();
    }

    /// What it has counted.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What it has noted since it was asked last.
    pub fn take_noted(&mut self) -> Noted {
        core::mem::take(&mut self.noted)
    }

    /// Requests that were taken up and not answered.
    pub fn outstanding(&self) -> usize {
        self.queue.len() + self.forwarding.len()
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Node::handle_timeout`] is due next.
    pub fn next_timeout(&self) -> Option<Time> {
        if self.failure.is_some() {
            return None;
        }
        let leads = self.keeps_time();
        let serves = self.service == Service::Open && !self.is_stopping();
        let reads = self.service == Service::ReadOnly;
        let stops = match self.stopping {
            Stopping::Finishing(deadline) => Some(deadline),
            Stopping::No | Stopping::Done => None,
        };
        let own = [
            stops,
            self.peer.next_timeout(),
            leads.then(|| self.reaper.due()),
            self.clock.next_deadline().filter(|_| leads),
            self.local.clock.next_deadline().filter(|_| serves),
            (self.service == Service::Paused).then(|| self.paused_since + self.patience()),
            self.read_only_due(),
            self.read_only.clock.next_deadline().filter(|_| reads),
        ];
        own.into_iter().flatten().min()
    }

    /// Whether the ends of sessions and znodes that come with time are this server's business.
    pub(crate) fn keeps_time(&self) -> bool {
        self.peer.leads() && self.service == Service::Open && !self.is_stopping()
    }

    /// How long clients are kept waiting for a leader.
    pub(crate) fn patience(&self) -> Duration {
        self.config.tick * 2
    }

    /// A write or sync failed: nothing more is acknowledged, and the ensemble has to do without
    /// this server.
    pub fn storage_failed(&mut self, now: Now, why: String) {
        if self.peer.is_member() {
            self.peer.give_up(now.time, &why);
            self.follow_up(now);
        }
        self.service = Service::Closed;
        self.failure = Some(why);
        // Nothing that was ordered comes true any more.
        self.outputs.retain(|output| {
            !matches!(
                output,
                Output::Send { .. } | Output::Notify { .. } | Output::Dial { .. }
            )
        });
        self.outputs.push_back(Output::Service(Service::Closed));
    }

    /// The snapshot that was asked for is written, or could not be.
    pub fn snapshot_done(&mut self, now: Now, written: bool) {
        self.snapshot_running = false;
        if self.snapshot_for_learners == ForLearners::Running {
            self.snapshot_for_learners = ForLearners::No;
            self.peer.snapshot_ready(now.time, written);
            self.follow_up(now);
        }
    }

    /// Begins a snapshot now, unless one is being written. Returns whether it did.
    pub fn take_snapshot(&mut self, tree: &mut Tree) -> bool {
        if self.snapshot_running {
            return false;
        }
        self.snapshot_running = true;
        self.draw_snapshot_thresholds();
        let info = tree.start_snapshot();
        self.outputs.push_back(Output::Snapshot(info));
        // Learners get one of all that is committed, and not of less: they may have more (P26).
        let is_recent = info.zxid >= self.peer.committed();
        if self.snapshot_for_learners == ForLearners::Wanted && is_recent {
            self.snapshot_for_learners = ForLearners::Running;
            self.peer.snapshot_started(info.zxid);
        }
        true
    }

    /// Whether a snapshot for learners can begin.
    pub(crate) fn owes_snapshot(&self) -> bool {
        self.snapshot_for_learners == ForLearners::Wanted && !self.snapshot_running
    }

    pub(crate) fn count_towards_snapshot(&mut self, tree: &mut Tree) {
        self.txns_until_snapshot = self.txns_until_snapshot.saturating_sub(1);
        if self.txns_until_snapshot == 0 || self.bytes_until_snapshot == 0 {
            self.take_snapshot(tree);
        }
    }

    /// Between half of `snapCount` and all of it, and of the size likewise, so that the servers
    /// of an ensemble do not take their snapshots together. Source:
    /// `SyncRequestProcessor.resetSnapshotStats`.
    fn draw_snapshot_thresholds(&mut self) {
        self.txns_until_snapshot = self.draw(self.config.snap_count);
        self.bytes_until_snapshot = match self.config.snap_size {
            Some(limit) => self.draw(limit),
            None => u64::MAX,
        };
    }

    /// A number from half of `limit` to all of it (xorshift).
    fn draw(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let half = (limit / 2).max(1);
        half + self.random % half
    }
}

/// Spreads a number over all bits (splitmix64).
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The sessions of a state, with their timeouts.
pub(crate) fn timeouts(tree: &Tree) -> impl Iterator<Item = (SessionId, Duration)> {
    tree.sessions()
        .iter()
        .map(|(session, timeout)| (session, millis(timeout)))
}

/// The configuration that `/zookeeper/config` has held, if it is one, and no other transaction than
/// its own has put it there.
fn membership(held: Option<(Zxid, &[u8])>) -> Option<Membership> {
    let (zxid, text) = held?;
    let membership = Membership::parse(core::str::from_utf8(text).ok()?).ok()?;
    (membership.version == zxid.0).then_some(membership)
}

/// A timeout as it stands in transactions.
pub(crate) fn millis(timeout: i32) -> Duration {
    Duration::from_millis(u64::try_from(timeout).unwrap_or(0))
}
