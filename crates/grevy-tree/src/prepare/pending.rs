//! What is proposed but not yet applied. Source: `ZooKeeperServer.outstandingChanges`.

use crate::digest::node_digest;
use crate::ephemeral_type::EphemeralType;
use crate::tree::{Tree, TreeConfig};
use crate::znode::{AclId, Znode};
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use grevy_proto::{Acl, Id, SessionId, StatPersisted, Zxid};
use hashbrown::HashTable;

/// The leader's view of the future: all znodes that transactions change which are proposed but
/// not yet applied, as they will be after the last of these. The default: nothing is.
#[derive(Default)]
pub struct Pending {
    records: Vec<Record>,
    /// Places in `records` that are vacant.
    vacant: Vec<u32>,
    /// Places in `records` by path, by the tree's hash of it.
    index: HashTable<u32>,
    /// Which places each transaction wrote to, in order. A place is vacated with the last
    /// transaction that wrote to it.
    order: VecDeque<(Zxid, u32)>,
    /// The tree's digest after the last transaction in `order`; means nothing if there is none.
    digest: i64,
    /// The ephemeral ones among the records.
    ephemerals: BTreeSet<(SessionId, u32)>,
    /// Records of quotas' limits and usage.
    pub(super) quota_records: usize,
    /// What a multi has overwritten, while there is one.
    undo: Option<Undo>,
    /// Memory for the next one's.
    overwritten: Vec<Overwritten>,
}

struct Record {
    /// Keeps its memory when the place is vacant, for the next one.
    path: String,
    /// The path's.
    hash: u32,
    /// The last transaction that wrote to it.
    zxid: Zxid,
    /// `None`: it will not exist.
    znode: Option<PendingZnode>,
}

/// A znode as it will be.
#[derive(Debug, Clone)]
pub(super) struct PendingZnode {
    pub(super) stat: StatPersisted,
    pub(super) child_count: usize,
    pub(super) acl: PendingAcl,
    /// What it adds to the tree's digest.
    pub(super) digest: u32,
    pub(super) data_len: usize,
    /// Only of quotas' limits and usage, and not always: usage that has yet to be counted is not
    /// known.
    pub(super) data: Option<Box<[u8]>>,
}

/// The access control list that a znode will have.
#[derive(Debug, Clone)]
pub(super) enum PendingAcl {
    /// The one that it has in the tree.
    Applied,
    /// Everybody may do everything, as most lists say.
    Open,
    New(Arc<[Acl]>),
}

struct Undo {
    /// The state before, of `order` and `digest`.
    order: usize,
    digest: i64,
    overwritten: Vec<Overwritten>,
}

struct Overwritten {
    place: u32,
    /// What was there before, and the last transaction that had written to it. `None`: the place
    /// was vacant.
    before: Option<Box<(Zxid, Option<PendingZnode>)>>,
}

/// A znode, whether a proposed transaction changes it or not.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    Applied(Znode<'a>),
    /// With the tree's znode if that has the list.
    Pending(&'a PendingZnode, Option<Znode<'a>>),
}

/// Longer paths than usual give their memory back at once, in bytes.
const KEPT: usize = 256;
/// Larger multis than usual give their memory back at once, in znodes.
const KEPT_UNDO: usize = 256;

static OPEN: [Acl; 1] = [Acl::OPEN];
/// A list that lets nobody do anything; an empty one does not say so.
static NOBODY: [Acl; 1] = [Acl {
    perms: 0,
    id: Id::ANYONE,
}];

impl Pending {
    /// Forgets what the tree has now applied: everything up to `zxid`.
    pub fn applied(&mut self, zxid: Zxid) {
        while let Some(&(written, place)) = self.order.front()
            && written <= zxid
        {
            self.order.pop_front();
            if self.records[place as usize].zxid == written {
                self.vacate(place);
            }
        }
    }

    /// Forgets everything: this server no longer leads.
    pub fn clear(&mut self) {
        while let Some((zxid, _)) = self.order.back() {
            self.applied(*zxid);
        }
    }

    /// How many znodes it holds; 0 when everything is applied.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether everything is applied.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The tree's digest when everything proposed so far is applied.
    pub fn digest(&self, tree: &Tree) -> i64 {
        match self.order.is_empty() {
            true => tree.digest(),
            false => self.digest,
        }
    }

    pub(super) fn begin(&mut self, tree: &Tree) {
        self.digest = self.digest(tree);
    }

    /// The znode as it will be. The empty path means the root.
    pub(super) fn look<'a>(&'a self, tree: &'a Tree, path: &str) -> Option<View<'a>> {
        let path = key(path);
        let hash = tree.hash(path);
        let applied = || {
            let id = tree.find_hashed(hash, path)?;
            Some(Znode::new(tree, id))
        };
        match self.place(hash, path) {
            None => applied().map(View::Applied),
            Some(place) => {
                let znode = self.records[place as usize].znode.as_ref()?;
                let applied = match &znode.acl {
                    PendingAcl::Applied => applied(),
                    PendingAcl::Open | PendingAcl::New(_) => None,
                };
                Some(View::Pending(znode, applied))
            }
        }
    }

    /// Notes what `zxid` makes of a znode; `None`: deletes it. `old_digest` is what it added to
    /// the tree's digest before.
    pub(super) fn write(
        &mut self,
        tree: &Tree,
        path: &str,
        zxid: Zxid,
        old_digest: u32,
        znode: Option<PendingZnode>,
    ) {
        let new_digest = znode.as_ref().map_or(0, |znode| znode.digest);
        self.digest = self
            .digest
            .wrapping_add(i64::from(new_digest) - i64::from(old_digest));
        let path = key(path);
        let hash = tree.hash(path);
        let session = owner(tree.config(), znode.as_ref());
        match self.place(hash, path) {
            None => {
                let place = self.add(hash, path, zxid, znode);
                if let Some(undo) = &mut self.undo {
                    undo.overwritten.push(Overwritten {
                        place,
                        before: None,
                    });
                }
                self.order.push_back((zxid, place));
                self.set_owner(place, None, session);
            }
            Some(place) => {
                let record = &mut self.records[place as usize];
                let old_zxid = core::mem::replace(&mut record.zxid, zxid);
                let old = core::mem::replace(&mut record.znode, znode);
                let old_session = owner(tree.config(), old.as_ref());
                if old_zxid != zxid {
                    self.order.push_back((zxid, place));
                    if let Some(undo) = &mut self.undo {
                        let before = Some(Box::new((old_zxid, old)));
                        undo.overwritten.push(Overwritten { place, before });
                    }
                }
                self.set_owner(place, old_session, session);
            }
        }
    }

    /// From here on, what is written can be taken back.
    pub(super) fn begin_undo(&mut self) {
        self.undo = Some(Undo {
            order: self.order.len(),
            digest: self.digest,
            overwritten: core::mem::take(&mut self.overwritten),
        });
    }

    /// What was written stays.
    pub(super) fn keep(&mut self) {
        if let Some(mut undo) = self.undo.take() {
            undo.overwritten.clear();
            undo.overwritten.shrink_to(KEPT_UNDO);
            self.overwritten = undo.overwritten;
        }
    }

    /// Takes back everything since [`Pending::begin_undo`].
    pub(super) fn roll_back(&mut self, tree: &Tree) {
        let Some(undo) = self.undo.take() else {
            return;
        };
        for Overwritten { place, before } in undo.overwritten.into_iter().rev() {
            match before {
                None => self.vacate(place),
                Some(before) => {
                    let (zxid, znode) = *before;
                    let session = owner(tree.config(), znode.as_ref());
                    let record = &mut self.records[place as usize];
                    let undone = owner(tree.config(), record.znode.as_ref());
                    (record.zxid, record.znode) = (zxid, znode);
                    self.set_owner(place, undone, session);
                }
            }
        }
        self.order.truncate(undo.order);
        self.digest = undo.digest;
    }

    /// Whether the tree's ephemeral znode `path` will still be there and the session's, or is not
    /// touched at all.
    pub(super) fn leaves_ephemeral(&self, tree: &Tree, path: &str, of: SessionId) -> bool {
        self.place(tree.hash(path), path).is_none_or(|place| {
            owner(tree.config(), self.records[place as usize].znode.as_ref()) == Some(of)
        })
    }

    /// The session's ephemeral znodes that proposed transactions write to.
    pub(super) fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = &str> {
        self.ephemerals
            .range((session, 0)..=(session, u32::MAX))
            .map(|&(_, place)| &*self.records[place as usize].path)
    }

    fn place(&self, hash: u32, path: &str) -> Option<u32> {
        let is_it = |place: &u32| {
            let record = &self.records[*place as usize];
            record.hash == hash && &*record.path == path
        };
        self.index.find(spread(hash), is_it).copied()
    }

    fn add(&mut self, hash: u32, path: &str, zxid: Zxid, znode: Option<PendingZnode>) -> u32 {
        self.quota_records += usize::from(is_quota(path));
        let place = match self.vacant.pop() {
            Some(place) => {
                let record = &mut self.records[place as usize];
                record.path.push_str(path);
                (record.hash, record.zxid, record.znode) = (hash, zxid, znode);
                place
            }
            None => {
                self.records.push(Record {
                    path: path.into(),
                    hash,
                    zxid,
                    znode,
                });
                self.records.len() as u32 - 1
            }
        };
        let records = &self.records;
        let rehash = |place: &u32| spread(records[*place as usize].hash);
        self.index.insert_unique(spread(hash), place, rehash);
        place
    }

    fn vacate(&mut self, place: u32) {
        let record = &mut self.records[place as usize];
        self.quota_records -= usize::from(is_quota(&record.path));
        let hash = spread(record.hash);
        match record.path.capacity() {
            0..=KEPT => record.path.clear(),
            _ => record.path = String::new(),
        }
        if let Some(znode) = record.znode.take() {
            let session = SessionId(znode.stat.ephemeral_owner);
            self.ephemerals.remove(&(session, place));
        }
        if let Ok(entry) = self.index.find_entry(hash, |found| *found == place) {
            entry.remove();
        }
        self.vacant.push(place);
    }

    fn set_owner(&mut self, place: u32, old: Option<SessionId>, new: Option<SessionId>) {
        if old == new {
            return;
        }
        if let Some(session) = old {
            self.ephemerals.remove(&(session, place));
        }
        if let Some(session) = new {
            self.ephemerals.insert((session, place));
        }
    }
}

impl<'a> View<'a> {
    pub(super) fn stat(&self) -> StatPersisted {
        match self {
            Self::Applied(znode) => znode.persisted(),
            Self::Pending(znode, _) => znode.stat,
        }
    }

    pub(super) fn child_count(&self) -> usize {
        match self {
            Self::Applied(znode) => znode.child_count(),
            Self::Pending(znode, _) => znode.child_count,
        }
    }

    pub(super) fn acl(&self) -> &'a [Acl] {
        match self {
            Self::Applied(znode) | Self::Pending(_, Some(znode)) => znode.acl(),
            Self::Pending(znode, None) => match &znode.acl {
                PendingAcl::New(list) => list,
                PendingAcl::Open => &OPEN,
                // The tree has lost it, which does not happen.
                PendingAcl::Applied => &NOBODY,
            },
        }
    }

    pub(super) fn digest(&self) -> u32 {
        match self {
            Self::Applied(znode) => znode.node_digest(),
            Self::Pending(znode, _) => znode.digest,
        }
    }

    pub(super) fn data_len(&self) -> usize {
        match self {
            Self::Applied(znode) => znode.data_len(),
            Self::Pending(znode, _) => znode.data_len,
        }
    }

    /// The data of quotas' limits and usage, if it is known.
    pub(super) fn quota_data(&self) -> Option<&'a [u8]> {
        match self {
            Self::Applied(znode) => Some(znode.data().unwrap_or_default()),
            Self::Pending(znode, _) => znode.data.as_deref(),
        }
    }

    pub(super) fn kind(&self, config: &TreeConfig) -> EphemeralType {
        kind(config, &self.stat())
    }

    /// A copy to be changed and written.
    pub(super) fn edit(&self, path: &str) -> PendingZnode {
        match self {
            Self::Pending(znode, _) => (*znode).clone(),
            Self::Applied(znode) => PendingZnode {
                stat: znode.persisted(),
                child_count: znode.child_count(),
                acl: match znode.acl_id() {
                    AclId::OPEN => PendingAcl::Open,
                    _ => PendingAcl::Applied,
                },
                digest: znode.node_digest(),
                data_len: self.data_len(),
                data: is_quota(path).then(|| znode.data().unwrap_or_default().into()),
            },
        }
    }
}

impl PendingAcl {
    pub(super) fn new(list: &[Acl]) -> Self {
        match *list == OPEN {
            true => Self::Open,
            false => Self::New(list.into()),
        }
    }
}

impl PendingZnode {
    /// Changes metadata and nothing else. `counts`: the tree's digest covers this znode.
    ///
    /// The checksum of path, data and metadata need not be computed anew from the first two:
    /// CRCs of equally long texts with the same beginning differ as those of their ends do.
    pub(super) fn update_stat(&mut self, counts: bool, update: impl FnOnce(&mut StatPersisted)) {
        let before = self.stat;
        update(&mut self.stat);
        if counts {
            self.digest ^= node_digest("", None, &before) ^ node_digest("", None, &self.stat);
        }
    }
}

/// Whether the znode holds, or may hold, a quota's limits or usage.
pub(super) fn is_quota(path: &str) -> bool {
    path.starts_with("/zookeeper/quota/")
}

fn kind(config: &TreeConfig, stat: &StatPersisted) -> EphemeralType {
    EphemeralType::of(
        stat.ephemeral_owner,
        config.extended_types,
        config.emulate_353_ttl,
    )
}

/// The session that an ephemeral znode belongs to.
fn owner(config: &TreeConfig, znode: Option<&PendingZnode>) -> Option<SessionId> {
    match kind(config, &znode?.stat) {
        EphemeralType::Ephemeral(session) => Some(session),
        _ => None,
    }
}

/// The root has two names.
fn key(path: &str) -> &str {
    match path {
        "/" => "",
        _ => path,
    }
}

/// The table looks at both ends of a hash.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}
