//! The tree of znodes.

use crate::acl_table::{self, AclTable};
use crate::arena::{Arena, NO_PARENT, ROOT};
use crate::digest::{self, metadata_change, node_digest};
use crate::ephemeral_type::EphemeralType;
use crate::index::{Index, PathHasher};
use crate::quota::Quotas;
use crate::sessions::Sessions;
use crate::snapshot::Progress;
use crate::znode::Znode;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use grevy_proto::{Acl, SessionId, StatPersisted, Zxid};

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

/// The replicated state: znodes, their access control lists, sessions.
///
/// Znodes live in an arena and know their parent, their own name and their children. An index
/// over whole paths finds them, though no whole path is stored. The root's path is empty here,
/// as in snapshots; callers may say `/`.
pub struct Tree {
    config: TreeConfig,
    hasher: PathHasher,
    pub(crate) last_zxid: Zxid,
    digest: i64,
    pub(crate) arena: Arena,
    pub(crate) index: Index,
    pub(crate) acls: AclTable,
    pub(crate) sessions: Sessions,
    ephemerals: BTreeMap<SessionId, BTreeSet<u32>>,
    containers: BTreeSet<u32>,
    ttl_znodes: BTreeSet<u32>,
    pub(crate) quotas: Quotas,
    data_size: i64,
    /// What `/zookeeper/config` held before the last reconfiguration that was applied, with the
    /// zxid that it was of.
    pub(crate) config_before: Option<(Zxid, Box<[u8]>)>,
    pub(crate) snapshot: Option<Box<Progress>>,
}

impl Tree {
    /// The tree of an empty server, with its built-in znodes.
    pub fn new(config: TreeConfig) -> Self {
        let mut tree = Self::without_znodes(config);
        let stat = StatPersisted::default();
        tree.insert(NO_PARENT, "", Some(b""), acl_table::OPEN, &stat);
        tree.insert(ROOT, ZOOKEEPER, Some(b""), acl_table::OPEN, &stat);
        tree.add_config();
        if let Some(parent) = tree.find(ZOOKEEPER) {
            tree.insert(
                parent,
                "/zookeeper/quota",
                Some(b""),
                acl_table::OPEN,
                &stat,
            );
        }
        tree
    }

    /// Not even the root is there; it has to come first.
    pub(crate) fn without_znodes(config: TreeConfig) -> Self {
        Self {
            hasher: PathHasher::new(config.hash_seed),
            last_zxid: Zxid::ZERO,
            digest: 0,
            arena: Arena::new(),
            index: Index::default(),
            acls: AclTable::new(config.hash_seed),
            sessions: Sessions::default(),
            ephemerals: BTreeMap::new(),
            containers: BTreeSet::new(),
            ttl_znodes: BTreeSet::new(),
            quotas: Quotas::default(),
            data_size: 0,
            config_before: None,
            snapshot: None,
            config,
        }
    }

    /// What it was made with.
    pub fn config(&self) -> &TreeConfig {
        &self.config
    }

    /// The last transaction that was applied.
    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// The tree's digest; 0 if digests are off.
    pub fn digest(&self) -> i64 {
        self.digest
    }

    /// How many znodes there are, as the Java server counts: the root twice.
    pub fn znode_count(&self) -> usize {
        self.arena.len() + 1
    }

    /// How many of them are ephemeral.
    pub fn ephemerals_count(&self) -> usize {
        self.ephemerals.values().map(BTreeSet::len).sum()
    }

    /// The lengths of all paths (in UTF-16 units) and data, the root's twice: as empty and as `/`.
    pub fn approximate_data_size(&self) -> i64 {
        self.data_size + 1 + self.arena.node(ROOT).data_len() as i64
    }

    /// The znode with this path; the empty path means the root, too.
    pub fn get(&self, path: &str) -> Option<Znode<'_>> {
        let path = if path == "/" { "" } else { path };
        Some(Znode::new(self, self.find(path)?))
    }

    /// All znodes, in an order that the history of the tree defines.
    pub fn znodes(&self) -> impl Iterator<Item = Znode<'_>> {
        let ids = (0..self.arena.end()).filter(|&id| self.arena.contains(id));
        ids.map(|id| Znode::new(self, id))
    }

    /// The replicated session table.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The paths of a session's ephemeral znodes, in a defined order.
    pub fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = String> + '_ {
        let ids = self.ephemerals.get(&session).into_iter().flatten();
        ids.map(|&id| Znode::new(self, id).path())
    }

    /// The sessions that own ephemeral znodes, ascending.
    pub fn ephemeral_owners(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.ephemerals.keys().copied()
    }

    /// The container znodes, in a defined order.
    pub fn containers(&self) -> impl Iterator<Item = Znode<'_>> {
        self.containers.iter().map(|&id| Znode::new(self, id))
    }

    /// The TTL znodes, in a defined order.
    pub fn ttl_znodes(&self) -> impl Iterator<Item = Znode<'_>> {
        self.ttl_znodes.iter().map(|&id| Znode::new(self, id))
    }

    /// What `/zookeeper/config` holds, with the zxid that it is of.
    pub fn config_znode(&self) -> Option<(Zxid, &[u8])> {
        let znode = self.get(CONFIG)?;
        Some((znode.stat().mzxid, znode.data()?))
    }

    /// What that was before the last reconfiguration that was applied to this tree.
    pub fn config_znode_before(&self) -> Option<(Zxid, &[u8])> {
        let (zxid, data) = self.config_before.as_ref()?;
        Some((*zxid, data))
    }

    /// Sets `/zookeeper/config`, which no transaction carries, to the configuration `version`;
    /// `time`: this server's wall clock in ms since 1970. Adds the znode if it is missing, as it
    /// is in data of 3.4. Source: `ZKDatabase.initConfigInZKDatabase`.
    pub fn set_config(&mut self, data: &[u8], version: Zxid, time: i64) {
        if self.find(CONFIG).is_none() {
            self.add_config();
        }
        let Some(id) = self.find(CONFIG) else {
            return;
        };
        self.preserve(id);
        self.replace_data(id, Some(data));
        let node = self.arena.node_mut(id);
        node.mzxid = version;
        node.mtime = time;
        node.version = -1;
    }

    fn add_config(&mut self) {
        let Some(parent) = self.find(ZOOKEEPER) else {
            return;
        };
        let stat = StatPersisted {
            aversion: -1,
            ..StatPersisted::default()
        };
        let acl = self.acls.intern(&[Acl::READ]);
        self.insert(parent, CONFIG, Some(b""), acl, &stat);
    }
}

/// What of a new znode depends on nothing else in the tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sums {
    /// Its path's hash.
    pub(crate) hash: u32,
    /// What it adds to the tree's digest; 0 if digests are off.
    pub(crate) digest: u32,
}

const ZOOKEEPER: &str = "/zookeeper";
const CONFIG: &str = "/zookeeper/config";

/// What transactions and the loader build on. Whoever changes a znode has to call
/// [`Tree::preserve`] first; and who changes its data, [`Tree::update_digest`] at the end.
impl Tree {
    /// The id of the znode with this path, the root's being empty.
    pub(crate) fn find(&self, path: &str) -> Option<u32> {
        self.find_hashed(self.hash(path), path)
    }

    /// Likewise, by the path's hash.
    pub(crate) fn find_hashed(&self, hash: u32, path: &str) -> Option<u32> {
        self.index.find(hash, |id| self.arena.is_at(id, path))
    }

    pub(crate) fn hash(&self, path: impl AsRef<[u8]>) -> u32 {
        self.hasher.hash(path.as_ref())
    }

    /// What the stored owner of a znode means.
    pub(crate) fn ephemeral_type(&self, owner: i64) -> EphemeralType {
        EphemeralType::of(
            owner,
            self.config.extended_types,
            self.config.emulate_353_ttl,
        )
    }

    /// Adds a znode that is not there yet below its parent. The list `acl` gets no more users
    /// by this; the parent's metadata stay as they are.
    pub(crate) fn insert(
        &mut self,
        parent: u32,
        path: &str,
        data: Option<&[u8]>,
        acl: u32,
        stat: &StatPersisted,
    ) -> u32 {
        let sums = Sums {
            hash: self.hash(path),
            digest: match self.config.digest {
                true => node_digest(path, data, stat),
                false => 0,
            },
        };
        self.insert_summed(parent, path, data, acl, stat, sums)
    }

    /// Likewise, with what has been computed of the znode already.
    pub(crate) fn insert_summed(
        &mut self,
        parent: u32,
        path: &str,
        data: Option<&[u8]>,
        acl: u32,
        stat: &StatPersisted,
        sums: Sums,
    ) -> u32 {
        let name = split_path(path).map_or("", |(_, name)| name);
        let id = self.arena.insert(parent, name.as_bytes(), data, acl, stat);
        self.index.insert(sums.hash, id);
        if let Some(progress) = &mut self.snapshot {
            progress.born(id);
        }
        match self.ephemeral_type(stat.ephemeral_owner) {
            EphemeralType::Persistent => false,
            EphemeralType::Ephemeral(session) => {
                self.ephemerals.entry(session).or_default().insert(id)
            }
            EphemeralType::Container => self.containers.insert(id),
            EphemeralType::Ttl(_) => self.ttl_znodes.insert(id),
        };
        self.data_size += size(path, data);
        self.quotas.created(path);
        self.arena.node_mut(id).digest = sums.digest;
        self.digest = self.digest.wrapping_add(sums.digest.into());
        id
    }

    /// Removes a znode without children, not the root. The list it used keeps it as a user;
    /// its number is returned. The parent's metadata stay as they are.
    pub(crate) fn remove(&mut self, id: u32, path: &str) -> u32 {
        let node = self.arena.node(id);
        let acl = node.acl;
        self.digest = self.digest.wrapping_sub(node.digest.into());
        match self.ephemeral_type(node.stat().ephemeral_owner) {
            EphemeralType::Persistent => {}
            EphemeralType::Ephemeral(session) => {
                if let Some(ids) = self.ephemerals.get_mut(&session) {
                    ids.remove(&id);
                    if ids.is_empty() {
                        self.ephemerals.remove(&session);
                    }
                }
            }
            EphemeralType::Container => {
                self.containers.remove(&id);
            }
            EphemeralType::Ttl(_) => {
                self.ttl_znodes.remove(&id);
            }
        }
        self.data_size -= size(path, self.arena.data(id));
        self.quotas.deleted(path);
        self.index.remove(self.hash(path), id);
        self.arena.remove(id);
        acl
    }

    /// Sets a znode's data. Returns how many bytes longer they are.
    pub(crate) fn replace_data(&mut self, id: u32, data: Option<&[u8]>) -> i64 {
        let old = self.arena.node(id).data_len() as i64;
        self.arena.set_data(id, data);
        let longer = data.unwrap_or_default().len() as i64 - old;
        self.data_size += longer;
        longer
    }

    /// Changes the metadata of the znode `id`, which is at `path`, but not its owner.
    pub(crate) fn update_stat(
        &mut self,
        id: u32,
        path: &str,
        update: impl FnOnce(&mut StatPersisted),
    ) {
        let node = self.arena.node_mut(id);
        let (before, digest) = (node.stat(), node.digest);
        let mut stat = before;
        update(&mut stat);
        node.set_stat(&stat);
        if self.config.digest && digest::counts(path) {
            self.set_digest(id, digest ^ metadata_change(&before, &stat));
        }
    }

    /// Gives a znode another access control list.
    pub(crate) fn replace_acl(&mut self, id: u32, list: &[Acl]) {
        let new = self.acls.intern(list);
        let old = core::mem::replace(&mut self.arena.node_mut(id).acl, new);
        self.acls.release(old);
    }

    /// Brings the digest up to date after a change of the data of the znode `id`, which is at
    /// `path`.
    pub(crate) fn update_digest(&mut self, id: u32, path: &str, data: Option<&[u8]>) {
        if !self.config.digest {
            return;
        }
        let new = node_digest(path, data, &self.arena.node(id).stat());
        self.set_digest(id, new);
    }

    fn set_digest(&mut self, id: u32, new: u32) {
        let old = core::mem::replace(&mut self.arena.node_mut(id).digest, new);
        self.digest = self.digest.wrapping_add(i64::from(new) - i64::from(old));
    }

    /// Puts the znode into the snapshot that is being taken, if it is not there yet; to be
    /// called before the znode is changed or removed.
    pub(crate) fn preserve(&mut self, id: u32) {
        if let Some(progress) = &mut self.snapshot {
            progress.preserve(id, &self.arena);
        }
    }
}

/// A parent's path and a name. Names are short, so this looks at byte for byte.
pub(crate) fn split_path(path: &str) -> Option<(&str, &str)> {
    let slash = path.bytes().rposition(|byte| byte == b'/')?;
    Some((&path[..slash], &path[slash + 1..]))
}

fn size(path: &str, data: Option<&[u8]>) -> i64 {
    let path = match path.is_ascii() {
        true => path.len(),
        false => path.encode_utf16().count(),
    };
    (path + data.unwrap_or_default().len()) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn config() -> TreeConfig {
        TreeConfig {
            hash_seed: 1,
            extended_types: true,
            emulate_353_ttl: false,
            digest: true,
        }
    }

    #[test]
    fn a_fresh_tree_is_as_the_java_servers() {
        let tree = Tree::new(config());
        assert_eq!(tree.digest(), 1_371_985_504);
        assert_eq!(tree.znode_count(), 5);
        assert_eq!(tree.approximate_data_size(), 44);
        assert_eq!(tree.ephemerals_count(), 0);
        assert_eq!(tree.last_zxid(), Zxid::ZERO);
        for (path, cversion, aversion, children, acl) in [
            ("/", -1, 0, 1, Acl::OPEN),
            ("", -1, 0, 1, Acl::OPEN),
            ("/zookeeper", -2, 0, 2, Acl::OPEN),
            ("/zookeeper/quota", 0, 0, 0, Acl::OPEN),
            ("/zookeeper/config", 0, -1, 0, Acl::READ),
        ] {
            let znode = tree.get(path).unwrap();
            let stat = znode.stat();
            assert_eq!(
                (stat.cversion, stat.aversion, stat.num_children),
                (cversion, aversion, children),
                "{path}"
            );
            assert_eq!((znode.data(), znode.acl()), (Some(&b""[..]), &[acl][..]));
        }
        for path in ["zookeeper", "/zookeeper/", "//zookeeper", "/none", "//"] {
            assert!(tree.get(path).is_none(), "{path}");
        }
        let names: Vec<&str> = tree.get("/zookeeper").unwrap().children().collect();
        assert_eq!(names, ["config", "quota"]);
    }

    #[test]
    fn a_reconfiguration_leaves_word_of_the_configuration_before() {
        use grevy_proto::txn::{SetDataTxn, Txn, TxnHeader};
        use grevy_proto::{SessionId, Xid};
        let mut tree = Tree::new(config());
        tree.set_config(b"zero", Zxid(3), 1000);
        let held = |zxid, text: &'static str| Some((Zxid(zxid), text.as_bytes()));
        for (zxid, text, reconfig, before) in [
            (5, "one", true, held(3, "zero")),
            (7, "two", true, held(5, "one")),
            (8, "three", false, held(5, "one")),
        ] {
            let txn = Txn::SetData(SetDataTxn {
                path: CONFIG.into(),
                data: Some(text.as_bytes().into()),
                version: -1,
                reconfig,
            });
            let header = TxnHeader {
                session: SessionId(1),
                cxid: Xid(1),
                zxid: Zxid(zxid),
                time: 1,
                op: txn.op().wire(),
            };
            tree.apply(&header, &txn, &mut |_| {});
            assert_eq!(tree.config_znode(), held(zxid, text));
            assert_eq!(tree.config_znode_before(), before);
        }
    }

    #[test]
    fn the_configuration_is_set_without_a_transaction() {
        let mut tree = Tree::new(config());
        let digest = tree.digest();
        tree.set_config(b"version=5", Zxid(5), 1000);
        let znode = tree.get("/zookeeper/config").unwrap();
        assert_eq!(znode.data(), Some(&b"version=5"[..]));
        let stat = znode.persisted();
        assert_eq!((stat.version, stat.mzxid, stat.mtime), (-1, Zxid(5), 1000));
        assert_eq!(stat.czxid, Zxid(0));
        assert_eq!((tree.digest(), tree.last_zxid()), (digest, Zxid(0)));
        assert_eq!(tree.approximate_data_size(), 44 + 9);
    }

    #[test]
    fn digests_may_be_off() {
        let tree = Tree::new(TreeConfig {
            digest: false,
            ..config()
        });
        assert_eq!(tree.digest(), 0);
        assert_eq!(tree.get("/").unwrap().node_digest(), 0);
    }
}
