//! From the configuration to the settings of the parts.

use crate::config::{Config, EnsembleNames, Membership, SnapshotCompression};
use crate::peers::Settings;
use crate::peers::quorum::Depot;
use grevy_node::NodeConfig;
use grevy_node::auth::AuthConfig;
use grevy_proto::ServerId;
use grevy_storage::{Compression, Dirs, LogOptions, Store};
use grevy_tree::TreeConfig;
use grevy_zab::membership::MembershipError;
use grevy_zab::{ElectionConfig, Limits, Memberships, PeerConfig, Timing};
use std::time::Duration;

/// `myid` of a standalone server that has none, as the Java server counts its sessions.
const STANDALONE_ID: i64 = 1;

/// What a transaction has beside what its request brought, in bytes, generously.
const RECORD_OVERHEAD: usize = 512;

/// The node's settings. `seed`: any number.
pub fn node_config(config: &Config, seed: u64) -> NodeConfig {
    let limits = &config.limits;
    let types = &config.node_types;
    let mut node = NodeConfig {
        server_id: ServerId(config.my_id.unwrap_or(STANDALONE_ID)),
        tick: config.timing.tick,
        min_session_timeout: config.timing.min_session_timeout,
        max_session_timeout: config.timing.max_session_timeout,
        auth: auth_config(config),
        snap_count: u64::from(config.storage.snap_count),
        snap_size: config.storage.snap_size_limit_bytes,
        reap_interval: types.reaper_interval,
        reap_per_minute: types.reaper_max_per_minute,
        reap_never_used: types.never_used_container_age.unwrap_or(Duration::ZERO),
        max_pending_requests: (limits.outstanding as usize).max(1),
        may_shrink_to_one: !config.quorum.standalone,
        several_addresses: config.quorum.multi_address,
        leader_serves: config.quorum.leader_serves,
        eager_acl_check: config.access.eager_acl_check,
        read_only: config.quorum.read_only_mode,
        local_sessions: config.quorum.local_sessions,
        upgrade_local_sessions: config.quorum.local_sessions_upgrading,
        seed,
        ..NodeConfig::default()
    };
    node.prepare.skip_acl = config.access.skip_acl;
    node.prepare.schemes.digest = config.access.digest_enabled;
    node.prepare.enforce_quota = limits.enforce_quota;
    node.prepare.close_session_paths = config.storage.close_session_paths;
    node.prepare.reconfig = config.quorum.reconfig;
    node.max_entry = field_limit(config);
    // What is proposed, no member may find too long.
    let extra = (limits.max_buffer_extra as usize).saturating_sub(RECORD_OVERHEAD);
    node.prepare.expansion_bytes = node.prepare.expansion_bytes.min(extra);
    let around = node.prepare.expansion_bytes + RECORD_OVERHEAD;
    let room = node.max_entry.saturating_sub(around);
    node.prepare.request_bytes = room.min(limits.max_buffer as usize);
    node
}

fn auth_config(config: &Config) -> AuthConfig {
    let access = &config.access;
    let required = access.enforced_schemes.iter().flatten();
    AuthConfig {
        digest_enabled: access.digest_enabled,
        super_digest: access.super_digest.as_ref().map(|d| d.reveal().to_owned()),
        ensemble_names: match &access.ensemble_names {
            Some(EnsembleNames::OneOf(names)) => Some(names.iter().cloned().collect()),
            Some(EnsembleNames::Any) => Some(Vec::new()),
            None => None,
        },
        required_schemes: required.cloned().collect(),
    }
}

/// The tree's settings. `seed` keeps strangers from choosing paths that collide.
pub fn tree_config(config: &Config, seed: u64) -> TreeConfig {
    TreeConfig {
        hash_seed: seed,
        extended_types: config.node_types.extended_types,
        emulate_353_ttl: config.node_types.emulate_353_ttl,
        digest: config.storage.digest,
    }
}

/// The longest string or buffer in a file or between servers, in bytes, and so the longest
/// transaction. Source: `BinaryInputArchive`.
pub fn field_limit(config: &Config) -> usize {
    let limits = &config.limits;
    let sum = (limits.max_buffer as usize).saturating_add(limits.max_buffer_extra as usize);
    sum.min(i32::MAX as usize)
}

/// How the log is written.
pub fn log_options(config: &Config) -> LogOptions {
    let ahead = u32::try_from(config.storage.pre_alloc_bytes).unwrap_or(u32::MAX);
    LogOptions {
        preallocate: ahead.min(LogOptions::MAX_PREALLOCATION),
        force_sync: config.storage.force_sync,
        size_limit: config.storage.log_size_limit_bytes,
        max_entry: field_limit(config),
    }
}

/// How snapshots are compressed.
pub fn compression(config: &Config) -> Compression {
    match config.storage.compression {
        SnapshotCompression::None => Compression::None,
        SnapshotCompression::Gzip => Compression::Gzip,
        SnapshotCompression::Snappy => Compression::Snappy,
    }
}

/// Where the files are.
pub fn dirs(config: &Config) -> Dirs {
    Dirs {
        data: config.storage.data_dir.clone(),
        log: config.storage.data_log_dir.clone(),
    }
}

/// For how long an election waits for better votes once there is a quorum. Source:
/// `FastLeaderElection.finalizeWait`.
const FINALIZE_WAIT: Duration = Duration::from_millis(200);

/// How a member of an ensemble takes part. `seed`: any number.
pub fn peer_config(config: &Config, membership: &Membership, seed: u64) -> PeerConfig {
    let quorum = &config.quorum;
    let (init, sync) = (membership.init_limit, membership.sync_limit);
    PeerConfig {
        id: ServerId(membership.my_id),
        timing: Timing {
            tick: config.timing.tick,
            init,
            sync,
            connect: membership.connect_limit,
        },
        limits: Limits {
            epoch_wait: quorum.epoch_wait,
            snapshots: quorum.max_snap_syncs as usize,
            diffs: quorum.max_diff_syncs as usize,
            observer_election_delay: quorum.observer_election_delay,
            observer_masters: quorum.observer_master_port.is_some(),
            observer_reconnect_delay: quorum.observer_reconnect_delay,
            silence: quorum.peer_timeout,
            seed,
            ..Limits::default()
        },
        election: ElectionConfig {
            min_interval: quorum.min_notification_interval,
            max_interval: quorum.max_notification_interval,
            finalize_wait: FINALIZE_WAIT,
            reconfig: quorum.reconfig,
        },
        commit_log: config.storage.commit_log_count as usize,
        always_snapshot: quorum.force_snapshot_sync,
        read_log: config.storage.snapshot_size_factor >= 0.0,
        reconfig: quorum.reconfig,
    }
}

/// Who is in the ensemble, now and by the last proposal.
///
/// # Errors
/// If the configuration says something that its text form cannot.
pub fn memberships(membership: &Membership) -> Result<Memberships, MembershipError> {
    let read =
        |ensemble: &crate::config::Ensemble| grevy_zab::Membership::parse(&ensemble.to_string());
    let mut memberships = Memberships::new(read(&membership.ensemble)?);
    if let Some(last_seen) = &membership.last_seen {
        memberships.propose(read(last_seen)?);
    }
    Ok(memberships)
}

/// How the ports for other servers are used.
pub fn peer_settings(config: &Config, membership: &Membership) -> Settings {
    let quorum = &config.quorum;
    Settings {
        me: ServerId(membership.my_id),
        connect_timeout: quorum.election_connect_timeout,
        hello_timeout: quorum
            .election_read_timeout
            .unwrap_or(membership.sync_limit),
        listen_everywhere: quorum.listen_on_every_address,
        silence: quorum.peer_timeout.map_or(membership.sync_limit, |limit| {
            limit.min(membership.sync_limit)
        }),
        several_addresses: quorum.multi_address,
        init_limit: membership.init_limit,
        connect_pause: quorum.leader_connect_pause,
        observer_port: quorum.observer_master_port,
    }
}

/// Where a leader's snapshots go; `tree` is how their trees are set up.
pub fn depot(config: &Config, store: &Store, tree: TreeConfig) -> Depot {
    Depot {
        store: store.clone(),
        compression: compression(config),
        storage: config.storage.clone(),
        tree,
        field_limit: field_limit(config),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Arguments, OnDisk, load};

    #[test]
    fn what_is_proposed_fits_into_the_log() {
        for (arguments, request, max_entry) in [
            (vec![], 0xf_ffff, 2 * 0xf_ffff),
            (vec!["-Djute.maxbuffer=10000000"], 10_000_000, 20_000_000),
            (
                vec![
                    "-Djute.maxbuffer=4000000",
                    "-Dzookeeper.jute.maxbuffer.extrasize=5000",
                ],
                4_000_000,
                4_005_000,
            ),
            (vec!["-Djute.maxbuffer=1"], 1, 1025),
            (
                vec![
                    "-Djute.maxbuffer=2147483647",
                    "-Dzookeeper.jute.maxbuffer.extrasize=1024",
                ],
                i32::MAX as usize - 1024,
                i32::MAX as usize,
            ),
        ] {
            let all = ["2181", "/zk"].into_iter().chain(arguments.iter().copied());
            let config = load(&Arguments::parse(all), &OnDisk).expect("good").config;
            let node = node_config(&config, 1);
            let prepare = &node.prepare;
            assert_eq!(prepare.request_bytes, request, "{arguments:?}");
            assert_eq!(log_options(&config).max_entry, max_entry, "{arguments:?}");
            assert_eq!(node.max_entry, max_entry, "{arguments:?}");
            let longest = prepare.request_bytes + prepare.expansion_bytes + RECORD_OVERHEAD;
            assert!(longest <= max_entry, "{arguments:?}: {longest}");
        }
    }
}
