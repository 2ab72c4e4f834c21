//! What is proposed but not yet applied. Source: `ZooKeeperServer.outstandingChanges`.
//!
//! What has been applied is kept for a while, too, as long as this server leads: then nothing
//! changes the tree but what was decided here, so a record stays what the tree says, and is at hand
//! for the next write to the same znode, or to another child of the same parent.

mod records;

use crate::digest::metadata_change;
use crate::ephemeral_type::EphemeralType;
use crate::tree::{Tree, TreeConfig};
use crate::znode::{AclId, Znode};
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use grevy_proto::{Acl, Id, SessionId, StatPersisted, Zxid};
use records::{KEPT, KEPT_PATH, Records};

/// The leader's view of the future: all znodes that transactions change which are proposed but
/// not yet applied, as they will be after the last of these; and some that the last ones applied
/// have changed. The default: nothing is proposed.
#[derive(Default)]
pub struct Pending {
    records: Records,
    /// The last transaction that the tree has applied, as far as it was told: records that were
    /// last written to by this one or before are settled.
    applied: Zxid,
    /// What each later transaction wrote, in order.
    order: VecDeque<Written>,
    /// The tree's digest after the last transaction in `order`; means nothing if there is none.
    digest: i64,
    /// The ephemeral ones among the records that are not settled.
    ephemerals: BTreeSet<(SessionId, u32)>,
    /// Records of quotas' limits and usage. They go when they are settled: usage is counted as
    /// transactions are applied, and not decided on.
    pub(super) quota_records: usize,
    /// What a multi has overwritten, while there is one.
    undo: Option<Undo>,
    /// Memory for the next one's.
    overwritten: Vec<Overwritten>,
}

#[derive(Clone, Copy)]
struct Written {
    zxid: Zxid,
    place: u32,
    /// Whether there is something to do when it is applied, but to forget this.
    must_settle: bool,
}

/// A path, empty for the root, and the tree's hash of it.
#[derive(Clone, Copy)]
pub(super) struct Hashed<'a> {
    path: &'a str,
    hash: u32,
}

impl<'a> Hashed<'a> {
    /// The root has two names.
    pub(super) fn new(tree: &Tree, path: &'a str) -> Self {
        let path = if path == "/" { "" } else { path };
        let hash = tree.hash(path);
        Self { path, hash }
    }

    /// The path; empty for the root.
    pub(super) fn path(&self) -> &'a str {
        self.path
    }
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
    before: Option<(Zxid, Option<PendingZnode>)>,
}

/// A znode, whether a proposed transaction changes it or not.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    Applied(Znode<'a>),
    /// With the tree's znode if that has the list.
    Pending(&'a PendingZnode, Option<Znode<'a>>),
}

/// Larger multis than usual give their memory back at once, in znodes.
const KEPT_UNDO: usize = 256;

static OPEN: [Acl; 1] = [Acl::OPEN];
/// A list that lets nobody do anything; an empty one does not say so.
static NOBODY: [Acl; 1] = [Acl {
    perms: 0,
    id: Id::ANYONE,
}];

impl Pending {
    /// The tree has applied everything up to `zxid`.
    pub fn applied(&mut self, zxid: Zxid) {
        self.applied = self.applied.max(zxid);
        while let Some(&written) = self.order.front()
            && written.zxid <= zxid
        {
            self.order.pop_front();
            if written.must_settle || self.records.len() > KEPT {
                self.settle(written);
            }
        }
    }

    fn settle(&mut self, written: Written) {
        let place = written.place;
        let record = &self.records[place];
        if record.zxid != written.zxid {
            return;
        }
        if record.is_quota || record.path.len() > KEPT_PATH || self.records.len() > KEPT {
            return self.remove(place);
        }
        if let Some(znode) = &mut self.records[place].znode {
            // The tree has the list now, once for all who have it.
            if let PendingAcl::New(_) = znode.acl {
                znode.acl = PendingAcl::Applied;
            }
            let session = SessionId(znode.stat.ephemeral_owner);
            self.ephemerals.remove(&(session, place));
        }
    }

    /// Forgets everything: this server no longer leads, or the tree was changed by others.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many znodes transactions change that are not applied; takes time for each.
    pub fn len(&self) -> usize {
        let records = self.records.iter();
        records.filter(|record| record.zxid > self.applied).count()
    }

    /// Whether everything is applied.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The tree's digest when everything proposed so far is applied.
    pub fn digest(&self, tree: &Tree) -> i64 {
        match self.order.is_empty() {
            true => tree.digest(),
            false => self.digest,
        }
    }

    /// Prepares for decisions about these paths, which need not be well-formed, as
    /// [`Tree::warm`] does for what is applied. Changes nothing but how long they take.
    pub fn warm<'a>(&self, tree: &Tree, paths: impl Iterator<Item = &'a [u8]>) {
        let hashes = paths.map(|path| tree.hash(path));
        tree.warm_hashes(hashes.filter(|hash| !self.records.touch(*hash)));
    }

    pub(super) fn begin(&mut self, tree: &Tree) {
        self.digest = self.digest(tree);
    }

    /// The znode as it will be.
    pub(super) fn look<'a>(&'a self, tree: &'a Tree, at: Hashed<'_>) -> Option<View<'a>> {
        let Hashed { path, hash } = at;
        let applied = || {
            let id = tree.find_hashed(hash, path)?;
            Some(Znode::new(tree, id))
        };
        match self.records.find(hash, path) {
            None => applied().map(View::Applied),
            Some(place) => {
                let record = &self.records[place];
                let view = record.znode.as_ref().map(|znode| match znode.acl {
                    PendingAcl::Applied => View::Pending(znode, applied()),
                    PendingAcl::Open | PendingAcl::New(_) => View::Pending(znode, None),
                });
                debug_assert!(
                    record.zxid > self.applied || agree(applied().map(View::Applied), view),
                    "{path} is not as it was to be"
                );
                view
            }
        }
    }

    /// Notes what `zxid` makes of a znode; `None`: deletes it. `old_digest` is what it added to
    /// the tree's digest before.
    pub(super) fn write(
        &mut self,
        tree: &Tree,
        at: Hashed<'_>,
        zxid: Zxid,
        old_digest: u32,
        znode: Option<PendingZnode>,
    ) {
        let new_digest = znode.as_ref().map_or(0, |znode| znode.digest);
        self.digest = self
            .digest
            .wrapping_add(i64::from(new_digest) - i64::from(old_digest));
        let session = owner(tree.config(), znode.as_ref());
        let found = self.records.find(at.hash, at.path);
        let place = found.unwrap_or_else(|| self.add(at));
        let record = &mut self.records[place];
        let before = (
            core::mem::replace(&mut record.zxid, zxid),
            core::mem::replace(&mut record.znode, znode),
        );
        let is_large = record.path.len() > KEPT_PATH
            || (record.znode.as_ref()).is_some_and(|znode| matches!(znode.acl, PendingAcl::New(_)));
        let must_settle = record.is_quota || is_large || session.is_some();
        self.quota_records += usize::from(record.is_quota && found.is_none());
        let old_session = found.and_then(|_| self.noted_owner(tree, &before));
        let is_first = before.0 != zxid;
        if is_first || must_settle {
            self.order.push_back(Written {
                zxid,
                place,
                must_settle,
            });
        }
        if is_first && let Some(undo) = &mut self.undo {
            let before = found.map(|_| before);
            undo.overwritten.push(Overwritten { place, before });
        }
        self.set_owner(place, old_session, session);
    }

    fn add(&mut self, at: Hashed<'_>) -> u32 {
        if let Some(place) = self.records.surplus(self.applied) {
            self.remove(place);
        }
        self.records.add(at.hash, at.path)
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
            let Some(before) = before else {
                self.remove(place);
                continue;
            };
            let session = self.noted_owner(tree, &before);
            let record = &mut self.records[place];
            let undone = owner(tree.config(), record.znode.as_ref());
            (record.zxid, record.znode) = before;
            self.set_owner(place, undone, session);
        }
        self.order.truncate(undo.order);
        self.digest = undo.digest;
    }

    /// Whether the tree's ephemeral znode `path` will still be there and the session's, or is not
    /// touched at all.
    pub(super) fn leaves_ephemeral(&self, tree: &Tree, path: &str, of: SessionId) -> bool {
        let place = self.records.find(tree.hash(path), path);
        place.is_none_or(|place| {
            owner(tree.config(), self.records[place].znode.as_ref()) == Some(of)
        })
    }

    /// The session's ephemeral znodes that proposed transactions write to.
    pub(super) fn ephemerals(&self, session: SessionId) -> impl Iterator<Item = &str> {
        self.ephemerals
            .range((session, 0)..=(session, u32::MAX))
            .map(|&(_, place)| &*self.records[place].path)
    }

    fn remove(&mut self, place: u32) {
        let record = &self.records[place];
        self.quota_records -= usize::from(record.is_quota);
        if let Some(znode) = &record.znode {
            let session = SessionId(znode.stat.ephemeral_owner);
            self.ephemerals.remove(&(session, place));
        }
        self.records.remove(place);
    }

    /// Under whom a record is among the ephemeral ones.
    fn noted_owner(
        &self,
        tree: &Tree,
        (zxid, znode): &(Zxid, Option<PendingZnode>),
    ) -> Option<SessionId> {
        match *zxid > self.applied {
            true => owner(tree.config(), znode.as_ref()),
            false => None,
        }
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

#[cfg(test)]
impl Pending {
    /// How many records there are, settled ones among them.
    pub(super) fn kept(&self) -> usize {
        self.records.len()
    }

    /// What is noted of the records beside them is so, and settled ones are what the tree says.
    pub(super) fn check(&self, tree: &Tree) {
        let mut ephemerals = BTreeSet::new();
        let mut quota_records = 0;
        for record in self.records.iter() {
            let at = Hashed::new(tree, &record.path);
            let place = self.records.find(at.hash, at.path).unwrap();
            quota_records += usize::from(is_quota(&record.path));
            if record.zxid > self.applied {
                let session = owner(tree.config(), record.znode.as_ref());
                ephemerals.extend(session.map(|session| (session, place)));
            }
            self.look(tree, at);
        }
        assert_eq!(self.ephemerals, ephemerals);
        assert_eq!(self.quota_records, quota_records);
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
    pub(super) fn update_stat(&mut self, counts: bool, update: impl FnOnce(&mut StatPersisted)) {
        let before = self.stat;
        update(&mut self.stat);
        if counts {
            self.digest ^= metadata_change(&before, &self.stat);
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

/// Whether the tree has what was to be.
fn agree(applied: Option<View<'_>>, decided: Option<View<'_>>) -> bool {
    match (applied, decided) {
        (Some(applied), Some(decided)) => {
            applied.stat() == decided.stat()
                && applied.child_count() == decided.child_count()
                && applied.acl() == decided.acl()
                && applied.data_len() == decided.data_len()
                && applied.digest() == decided.digest()
        }
        (applied, decided) => applied.is_none() && decided.is_none(),
    }
}
