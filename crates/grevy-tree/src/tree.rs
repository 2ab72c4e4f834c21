//! The tree of znodes.

use crate::quota::Quota;
use crate::sessions::Sessions;
use crate::znode::Znode;
use alloc::string::String;
use alloc::vec::Vec;
use grevy_proto::{SessionId, Zxid};

/// What a tree depends on besides its transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeConfig {
    /// Keeps strangers from choosing paths that collide in the index; random, per process.
    pub hash_seed: u64,
    /// TTL znodes are enabled (`zookeeper.extendedTypesEnabled`).
    pub extended_types: bool,
    /// TTL znodes of 3.5.3 are understood (`zookeeper.emulate353TTLNodes`).
    pub emulate_353_ttl: bool,
    /// The tree's digest is kept (`zookeeper.digest.enabled`).
    pub digest: bool,
}

/// An ephemeral znode whose session did not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanEphemeral {
    /// Its path.
    pub path: String,
    /// The session.
    pub session: SessionId,
}

/// The replicated state: znodes, their access control lists, sessions.
pub struct Tree {
    config: TreeConfig,
}

impl Tree {
    /// The tree of an empty server, with its built-in znodes.
    pub fn new(config: TreeConfig) -> Self {
        Self { config }
    }

    /// What it was made with.
    pub fn config(&self) -> &TreeConfig {
        &self.config
    }

    /// The last transaction that was applied.
    pub fn last_zxid(&self) -> Zxid {
        todo!()
    }

    /// The tree's digest; 0 if digests are off.
    pub fn digest(&self) -> i64 {
        todo!()
    }

    /// How many znodes there are, as the Java server counts: the root twice.
    pub fn znode_count(&self) -> usize {
        todo!()
    }

    /// How many of them are ephemeral.
    pub fn ephemerals_count(&self) -> usize {
        todo!()
    }

    /// The lengths of all paths (in UTF-16 units) and data, the root's twice.
    pub fn approximate_data_size(&self) -> i64 {
        todo!()
    }

    /// The znode with this path; the empty path means the root, too.
    pub fn get(&self, path: &str) -> Option<Znode<'_>> {
        let _ = path;
        todo!()
    }

    /// All znodes, in an order that the history of the tree defines.
    pub fn znodes(&self) -> impl Iterator<Item = Znode<'_>> {
        core::iter::empty()
    }

    /// The replicated session table.
    pub fn sessions(&self) -> &Sessions {
        todo!()
    }

    /// The paths of a session's ephemeral znodes, in a defined order.
    pub fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = String> + '_ {
        let _ = session;
        core::iter::empty()
    }

    /// The sessions that own ephemeral znodes, ascending.
    pub fn ephemeral_owners(&self) -> impl Iterator<Item = SessionId> + '_ {
        core::iter::empty()
    }

    /// The container znodes, in a defined order.
    pub fn containers(&self) -> impl Iterator<Item = Znode<'_>> {
        core::iter::empty()
    }

    /// The TTL znodes, in a defined order.
    pub fn ttl_znodes(&self) -> impl Iterator<Item = Znode<'_>> {
        core::iter::empty()
    }

    /// The quota that holds for a znode at this path: that of the nearest ancestor, or itself.
    pub fn quota(&self, path: &str) -> Option<Quota<'_>> {
        let _ = path;
        todo!()
    }

    /// All quotas, in order of their paths.
    pub fn quotas(&self) -> impl Iterator<Item = Quota<'_>> {
        core::iter::empty()
    }

    /// Sets `/zookeeper/config`, which no transaction carries, to the configuration `version`;
    /// `time`: this server's wall clock in ms since 1970. Adds the znode if it is missing, as it
    /// is in data of 3.4. Source: `ZKDatabase.initConfigInZKDatabase`.
    pub fn set_config(&mut self, data: &[u8], version: Zxid, time: i64) {
        let _ = (data, version, time);
        todo!()
    }

    /// To be called when a log has been replayed on a loaded tree: counts quotas' usage anew, and
    /// returns the paths of znodes whose access control lists are still unknown; there are none
    /// unless data is damaged.
    pub fn finish_recovery(&mut self) -> Vec<String> {
        todo!()
    }

    /// Deletes ephemeral znodes whose session does not exist, and says which; a standalone server
    /// and a beginning leader do so. Source: `ZooKeeperServer.loadData`.
    pub fn drop_orphan_ephemerals(&mut self) -> Vec<OrphanEphemeral> {
        todo!()
    }
}
