//! How a node is set up. Every duration and count is what ZooKeeper's key of the same name means.

use crate::auth::AuthConfig;
use core::time::Duration;
use grevy_proto::{Acl, Id, ServerId};
use grevy_tree::prepare::PrepareConfig;

/// A node's settings.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// `myid`; 1 for a standalone server without one.
    pub server_id: ServerId,
    /// `tickTime`.
    pub tick: Duration,
    /// `minSessionTimeout`.
    pub min_session_timeout: Duration,
    /// `maxSessionTimeout`.
    pub max_session_timeout: Duration,
    /// How auth packets are judged.
    pub auth: AuthConfig,
    /// How writes are decided.
    pub prepare: PrepareConfig,
    /// The longest transaction, in bytes, that is taken from a leader (`jute.maxbuffer` and its
    /// extra). What this server proposes itself is kept below by `prepare`.
    pub max_entry: usize,
    /// A snapshot is taken after between half this many and this many transactions (`snapCount`).
    pub snap_count: u64,
    /// Or after this many bytes of log entries, likewise (`snapSizeLimitInKb`); `None`: no limit.
    pub snap_size: Option<u64>,
    /// How often containers and TTL znodes are looked at (`znode.container.checkIntervalMs`).
    pub reap_interval: Duration,
    /// How many of them are deleted a minute at most (`znode.container.maxPerMinute`).
    pub reap_per_minute: u32,
    /// After how long a container that never had a child goes
    /// (`znode.container.maxNeverUsedIntervalMs`); zero: never.
    pub reap_never_used: Duration,
    /// Unanswered requests of one connection before it is not read from
    /// (`globalOutstandingLimit`).
    pub max_pending_requests: usize,
    /// Bytes of unanswered requests of one connection before it is not read from.
    pub max_pending_bytes: usize,
    /// Bytes waiting to be sent to one client before it is not read from.
    pub output_high_water: usize,
    /// Bytes waiting to be sent to one client before more of them, that it may not have waited
    /// for, close its connection. No multiRead gets an answer as long as that.
    pub output_limit: usize,
    /// Whether an ensemble may be left with one voter (`standaloneEnabled=false`).
    pub may_shrink_to_one: bool,
    /// Whether a reconfiguration may give a server several addresses (`multiAddress.enabled`).
    pub several_addresses: bool,
    /// Whether a leader serves clients (`leaderServes`).
    pub leader_serves: bool,
    /// Whether sessions begin as local ones (`localSessionsEnabled`); in an ensemble only.
    pub local_sessions: bool,
    /// Whether a local session becomes one of the ensemble's when it needs to
    /// (`localSessionsUpgradingEnabled`).
    pub upgrade_local_sessions: bool,
    /// Whether a write that its client may not make is refused before it is passed on
    /// (`zookeeper.enableEagerACLCheck`); in an ensemble only.
    pub eager_acl_check: bool,
    /// Whether reads are served without a leader (`readonlymode.enabled`); in an ensemble only.
    pub read_only: bool,
    /// A number that no other run of this server has: ids of sessions that only
    /// this server knows are made of it. Of
    /// its bits the low 25 count.
    pub run: u32,
    /// Where the node's own randomness starts, and with it the ids of sessions: another number
    /// for each start of the server.
    pub seed: u64,
}

impl Default for NodeConfig {
    /// ZooKeeper's defaults, with a `tickTime` of 2 s.
    fn default() -> Self {
        let tick = Duration::from_secs(2);
        Self {
            server_id: ServerId(1),
            tick,
            min_session_timeout: tick * 2,
            max_session_timeout: tick * 20,
            auth: AuthConfig::default(),
            prepare: PrepareConfig::default(),
            max_entry: 2 * 0xf_ffff,
            snap_count: 100_000,
            snap_size: Some(4 << 30),
            reap_interval: Duration::from_secs(60),
            reap_per_minute: 10_000,
            reap_never_used: Duration::ZERO,
            max_pending_requests: 1000,
            max_pending_bytes: 4 << 20,
            output_high_water: 1 << 20,
            output_limit: 32 << 20,
            may_shrink_to_one: false,
            several_addresses: false,
            leader_serves: true,
            local_sessions: false,
            upgrade_local_sessions: false,
            eager_acl_check: false,
            read_only: false,
            run: 0,
            seed: 0,
        }
    }
}

impl NodeConfig {
    /// Whether somebody with `ids` has one of the permissions `perm` by the list `acl`.
    pub fn permits(&self, acl: &[Acl], perm: i32, ids: &[Id]) -> bool {
        self.prepare.permits(acl, perm, ids)
    }
}
