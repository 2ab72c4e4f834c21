//! Znodes and sessions, and what transactions do to them.

use super::txn::{Change, Entry, Kind};
use super::{digest, quota};
use crate::answer::Answer;
use crate::operation::AclEntry;
use crate::workload::CONFIG;
use grevy_proto::{SessionId, Stat, Zxid};
use std::collections::{BTreeMap, BTreeSet};

/// A state.
#[derive(Debug, Clone)]
pub struct Model {
    /// By path; the root's is `/`.
    pub znodes: BTreeMap<String, Znode>,
    /// Timeouts in ms by session.
    pub sessions: BTreeMap<i64, i32>,
    /// Sessions that began as local ones.
    pub local: BTreeSet<i64>,
    /// Sessions that have ended.
    pub ended: BTreeSet<i64>,
    /// The last transaction.
    pub zxid: i64,
    /// Whether TTL znodes are enabled.
    pub extended_types: bool,
    /// Whether hard limits of quotas are.
    pub enforces_quotas: bool,
    digest: i64,
}

/// A znode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Znode {
    /// Its data.
    pub data: Option<Vec<u8>>,
    /// Its list.
    pub acl: Vec<AclEntry>,
    /// What kind it is.
    pub kind: Kind,
    /// The session that owns it; 0 unless it is ephemeral.
    pub owner: i64,
    /// Names of its children.
    pub children: BTreeSet<String>,
    /// Creates under it.
    pub creates: i32,
    /// The transaction that created it.
    pub czxid: i64,
    /// The transaction that last set its data.
    pub mzxid: i64,
    /// The transaction that last created or deleted a child.
    pub pzxid: i64,
    /// When it was created, in ms.
    pub ctime: i64,
    /// When its data was set, in ms.
    pub mtime: i64,
    /// Changes of its data.
    pub version: i32,
    /// Changes of its list.
    pub aversion: i32,
}

/// What happened to a znode, for watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// What.
    pub kind: TriggerKind,
    /// Where.
    pub path: String,
    /// Its list, or the list it had.
    pub acl: Vec<AclEntry>,
    /// Its parent's list.
    pub parent_acl: Vec<AclEntry>,
}

/// What happened to a znode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerKind {
    /// It was created.
    Created,
    /// It was deleted.
    Deleted,
    /// Its data was set.
    DataChanged,
}

/// Parent's path and own name.
pub fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((parent, name)) => (parent, name),
        None => ("", path),
    }
}

impl Znode {
    /// What clients see of its metadata.
    pub fn stat(&self) -> Stat {
        let children = self.children.len() as i32;
        Stat {
            czxid: Zxid(self.czxid),
            mzxid: Zxid(self.mzxid),
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.creates.wrapping_mul(2).wrapping_sub(children),
            aversion: self.aversion,
            ephemeral_owner: SessionId(self.owner),
            data_length: self.data.as_ref().map_or(0, Vec::len) as i32,
            num_children: children,
            pzxid: Zxid(self.pzxid),
        }
    }

    /// The owner as it stands in snapshots.
    pub fn stored_owner(&self) -> i64 {
        match self.kind {
            Kind::Persistent => 0,
            Kind::Ephemeral => self.owner,
            Kind::Container => i64::MIN,
            Kind::Ttl(ttl) => (0xff_u64 << 56).cast_signed() | ttl,
        }
    }
}

impl Model {
    /// An empty server's state.
    pub fn new(extended_types: bool) -> Self {
        let mut model = Self {
            znodes: BTreeMap::new(),
            sessions: BTreeMap::new(),
            local: BTreeSet::new(),
            ended: BTreeSet::new(),
            zxid: 0,
            extended_types,
            enforces_quotas: false,
            digest: 0,
        };
        let open = |perms| vec![(perms, "world".to_owned(), "anyone".to_owned())];
        for (path, perms, aversion) in [
            ("/", 31, 0),
            ("/zookeeper", 31, 0),
            ("/zookeeper/config", 1, -1),
            ("/zookeeper/quota", 31, 0),
        ] {
            let znode = Znode {
                data: Some(Vec::new()),
                acl: open(perms),
                kind: Kind::Persistent,
                owner: 0,
                children: BTreeSet::new(),
                creates: 0,
                czxid: 0,
                mzxid: 0,
                pzxid: 0,
                ctime: 0,
                mtime: 0,
                version: 0,
                aversion,
            };
            model.insert(path, znode);
            let (parent, name) = split(path);
            if !name.is_empty() {
                model.update(parent, |znode| {
                    znode.children.insert(name.to_owned());
                });
            }
        }
        model
    }

    /// The parent that a run's first data hold: `/busy` with one child, the last of many.
    pub fn add_busy(&mut self, zxid: i64, creates: i32) {
        let open = vec![(31, "world".to_owned(), "anyone".to_owned())];
        for (path, at) in [("/busy", zxid - 1), ("/busy/first", zxid)] {
            let znode = Znode {
                data: None,
                acl: open.clone(),
                kind: Kind::Persistent,
                owner: 0,
                children: BTreeSet::new(),
                creates: 0,
                czxid: at,
                mzxid: at,
                pzxid: at,
                ctime: 0,
                mtime: 0,
                version: 0,
                aversion: 0,
            };
            self.insert(path, znode);
            let (parent, name) = split(path);
            self.update(parent, |znode| {
                znode.children.insert(name.to_owned());
                znode.pzxid = at;
                znode.creates = if parent == "/" { 1 } else { creates };
            });
        }
        self.zxid = zxid;
    }

    /// Whether the ensemble does not know the session, nor ever has, but a server does.
    pub fn is_local(&self, session: i64) -> bool {
        let known = self.sessions.contains_key(&session) || self.ended.contains(&session);
        !known && self.local.contains(&session)
    }

    /// The digest of all znodes.
    pub fn digest(&self) -> i64 {
        self.digest
    }

    /// A znode.
    pub fn get(&self, path: &str) -> Option<&Znode> {
        self.znodes.get(path)
    }

    /// The paths of a session's ephemerals.
    pub fn ephemerals(&self, session: i64) -> Vec<String> {
        let own = |znode: &Znode| znode.kind == Kind::Ephemeral && znode.owner == session;
        let own = self.znodes.iter().filter(|(_, znode)| own(znode));
        own.map(|(path, _)| path.clone()).collect()
    }

    /// Applies a transaction that fits. Returns what its request is answered and what watches
    /// are to hear; an error says what does not fit.
    pub fn apply(&mut self, entry: &Entry) -> Result<(Answer, Vec<Trigger>), String> {
        let mut triggers = Vec::new();
        let answer = self.change(entry, &entry.change, &mut triggers)?;
        self.zxid = entry.zxid;
        Ok((answer, triggers))
    }

    fn change(
        &mut self,
        entry: &Entry,
        change: &Change,
        triggers: &mut Vec<Trigger>,
    ) -> Result<Answer, String> {
        match change {
            Change::Create {
                op,
                path,
                data,
                acl,
                kind,
                parent_cversion,
            } => {
                let owner = match kind {
                    Kind::Ephemeral => entry.session,
                    _ => 0,
                };
                let znode = Znode {
                    data: data.clone(),
                    acl: acl.clone(),
                    kind: *kind,
                    owner,
                    children: BTreeSet::new(),
                    creates: 0,
                    czxid: entry.zxid,
                    mzxid: entry.zxid,
                    pzxid: entry.zxid,
                    ctime: entry.time,
                    mtime: entry.time,
                    version: 0,
                    aversion: 0,
                };
                self.create(entry, path, znode, *parent_cversion, triggers)?;
                // Of a quota's usage the reply tells what was sent, not what is counted.
                let stat = self.znodes[path].stat();
                self.count_created(path, quota::len(data.as_deref()) as i64);
                Ok(match op {
                    1 => Answer::Path(path.clone()),
                    _ => Answer::Created(path.clone(), stat),
                })
            }
            Change::Delete { path, .. } => {
                self.delete(path, entry.zxid, triggers)?;
                Ok(Answer::Done)
            }
            Change::SetData {
                path,
                data,
                version,
            } => {
                let Some(znode) = self.znodes.get(path) else {
                    return Err(format!("sets the data of {path}, which is not there"));
                };
                let before = quota::len(znode.data.as_deref()) as i64;
                self.update(path, |znode| {
                    znode.data = data.clone();
                    znode.version = *version;
                    znode.mzxid = entry.zxid;
                    znode.mtime = entry.time;
                });
                self.count(path, quota::len(data.as_deref()) as i64 - before, 0);
                self.tell(TriggerKind::DataChanged, path, triggers);
                Ok(Answer::Stat(self.znodes[path].stat()))
            }
            Change::Reconfig(_) => {
                self.tell(TriggerKind::DataChanged, CONFIG, triggers);
                Ok(Answer::Done)
            }
            Change::SetAcl { path, acl, version } => {
                if !self.znodes.contains_key(path) {
                    return Err(format!("sets the list of {path}, which is not there"));
                }
                self.update(path, |znode| {
                    znode.acl = acl.clone();
                    znode.aversion = *version;
                });
                Ok(Answer::Stat(self.znodes[path].stat()))
            }
            Change::Check { .. } => Ok(Answer::Done),
            Change::Error(code) => Ok(Answer::Error(*code)),
            Change::Multi(parts) => self.multi(entry, parts, triggers),
            Change::CreateSession(timeout) => {
                self.sessions.insert(entry.session, *timeout);
                Ok(Answer::Done)
            }
            Change::CloseSession(_) => {
                for path in self.ephemerals(entry.session) {
                    self.delete(&path, entry.zxid, triggers)?;
                }
                self.sessions.remove(&entry.session);
                self.ended.insert(entry.session);
                Ok(Answer::Done)
            }
        }
    }

    fn multi(
        &mut self,
        entry: &Entry,
        parts: &[Change],
        triggers: &mut Vec<Trigger>,
    ) -> Result<Answer, String> {
        let failed = parts
            .iter()
            .position(|part| matches!(part, Change::Error(_)));
        let mut answers = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            answers.push(match (failed, part) {
                (None, part) => self.change(entry, part, triggers)?,
                (Some(at), Change::Error(code)) if index == at => Answer::Error(*code),
                (Some(at), _) if index < at => Answer::Error(0),
                (Some(_), Change::Error(-2)) => Answer::Error(-2),
                (Some(at), part) => {
                    return Err(format!("part {index} is {part:?}, after part {at} failed"));
                }
            });
        }
        // Containers and TTL znodes are reported like any create with a Stat.
        Ok(Answer::Parts(answers))
    }

    fn create(
        &mut self,
        entry: &Entry,
        path: &str,
        znode: Znode,
        parent_cversion: i32,
        triggers: &mut Vec<Trigger>,
    ) -> Result<(), String> {
        let (parent, name) = split(path);
        let Some(above) = self.znodes.get(parent) else {
            return Err(format!("creates {path}, which has no parent"));
        };
        if above.kind == Kind::Ephemeral {
            return Err(format!("creates {path} under an ephemeral znode"));
        }
        let creates = above.creates.wrapping_add(1);
        if parent_cversion != creates {
            return Err(format!(
                "creates {path} as number {parent_cversion} under its parent, and it is {creates}"
            ));
        }
        if self.znodes.contains_key(path) {
            return Err(format!("creates {path}, which is there"));
        }
        self.insert(path, znode);
        self.update(parent, |znode| {
            znode.children.insert(name.to_owned());
            znode.creates = creates;
            znode.pzxid = entry.zxid;
        });
        self.tell(TriggerKind::Created, path, triggers);
        Ok(())
    }

    fn delete(&mut self, path: &str, zxid: i64, triggers: &mut Vec<Trigger>) -> Result<(), String> {
        match self.znodes.get(path) {
            None => return Err(format!("deletes {path}, which is not there")),
            Some(znode) if !znode.children.is_empty() => {
                return Err(format!("deletes {path}, which has children"));
            }
            Some(_) => {}
        }
        self.tell(TriggerKind::Deleted, path, triggers);
        let (parent, name) = split(path);
        if let Some(znode) = self.znodes.remove(path) {
            self.digest -= digest::of_znode(path, &znode);
            self.count(path, -(quota::len(znode.data.as_deref()) as i64), -1);
        }
        self.update(parent, |znode| {
            znode.children.remove(name);
            znode.pzxid = zxid;
        });
        Ok(())
    }

    fn tell(&self, kind: TriggerKind, path: &str, triggers: &mut Vec<Trigger>) {
        let (parent, _) = split(path);
        let acl = |path: &str| self.znodes.get(path).map_or(Vec::new(), |z| z.acl.clone());
        triggers.push(Trigger {
            kind,
            path: path.to_owned(),
            acl: acl(path),
            parent_acl: acl(parent),
        });
    }

    fn insert(&mut self, path: &str, znode: Znode) {
        self.digest += digest::of_znode(path, &znode);
        self.znodes.insert(path.to_owned(), znode);
    }

    fn update(&mut self, path: &str, change: impl FnOnce(&mut Znode)) {
        if let Some(znode) = self.znodes.get_mut(path) {
            self.digest -= digest::of_znode(path, znode);
            change(znode);
            self.digest += digest::of_znode(path, znode);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_server() {
        let model = Model::new(true);
        assert_eq!(model.digest(), 1_371_985_504);
        assert_eq!(model.znodes["/"].stat().cversion, -1);
        assert_eq!(model.znodes["/zookeeper"].stat().num_children, 2);
    }
}
