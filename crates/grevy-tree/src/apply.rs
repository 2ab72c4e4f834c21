//! Applying transactions.
//!
//! A leader decides, everybody applies. Transactions fit the tree they were made for; but after
//! a fuzzy snapshot of a Java server was loaded, they meet a tree that holds some of their
//! effects, or those of later ones. The rules for that are here, too. The first is that a
//! transaction is not about a znode that was created after it, though it may have the same path
//! as one that was: see [`Tree::find_at`].
//!
//! Source: `DataTree.processTxn`, `createNode`, `deleteNode`, `setData`, `setACL`, `killSession`.

use crate::arena::ROOT;
use crate::change::{Change, ChangeKind};
use crate::ephemeral_type::{CONTAINER_OWNER, ttl_owner};
use crate::tree::Tree;
use crate::znode::Znode;
use alloc::string::String;
use alloc::vec::Vec;
use grevy_proto::txn::{CreateKind, CreateTxn, SetAclTxn, SetDataTxn, Txn, TxnHeader};
use grevy_proto::{ErrorCode, SessionId, Stat, StatPersisted, Zxid};

/// What a reply needs to know of an applied transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// Done, and there is nothing to add: deletes, checks, sessions.
    Done,
    /// Done; the znode's metadata afterwards: creates, setData, reconfig, setACL.
    Stat(Stat),
    /// A multi's parts, in order.
    Multi(Vec<AppliedOp>),
    /// Nothing was done, for this error code (a wire value, which a later leader may have made
    /// up): an error transaction, or a replayed one whose znode is there already or no longer.
    Error(i32),
}

/// The result of one part of a multi.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppliedOp {
    /// An error code's wire value; 0 for success.
    pub error: i32,
    /// As in [`Applied::Stat`].
    pub stat: Option<Stat>,
}

/// Who is told of changes.
type Changes<'a> = &'a mut dyn FnMut(Change<'_>);

impl Tree {
    /// Applies a transaction, and tells `changes` what it changed. Total: a transaction that does
    /// not fit the tree leaves what the rules of replay say.
    pub fn apply(
        &mut self,
        header: &TxnHeader,
        txn: &Txn<'_>,
        changes: &mut dyn FnMut(Change<'_>),
    ) -> Applied {
        let applied = match txn {
            Txn::Multi(parts) => Applied::Multi(self.multi(header, parts, changes)),
            Txn::CreateSession(timeout) => {
                self.sessions.insert(header.session, *timeout);
                Applied::Done
            }
            Txn::CloseSession(paths) => {
                let paths = paths.as_deref().unwrap_or_default();
                self.close_session(header.session, paths, header.zxid, changes);
                Applied::Done
            }
            _ => match self.operation(header, txn, changes) {
                Ok(Some(stat)) => Applied::Stat(stat),
                Ok(None) => Applied::Done,
                Err(code) => Applied::Error(code),
            },
        };
        self.last_zxid = self.last_zxid.max(header.zxid);
        applied
    }

    /// If one part failed when the multi was prepared, none takes effect: those before it have
    /// no error of their own, those after it were not tried.
    fn multi(
        &mut self,
        header: &TxnHeader,
        parts: &[Txn<'_>],
        changes: Changes<'_>,
    ) -> Vec<AppliedOp> {
        let error = |error| AppliedOp { error, stat: None };
        if parts.iter().any(|part| matches!(part, Txn::Error(_))) {
            let mut other = ErrorCode::Ok;
            let results = parts.iter().map(|part| match part {
                Txn::Error(code) => {
                    other = ErrorCode::RuntimeInconsistency;
                    error(*code)
                }
                _ => error(other as i32),
            });
            return results.collect();
        }
        let paths = parts.iter().filter_map(Txn::path);
        self.warm(paths.map(str::as_bytes));
        let results = parts
            .iter()
            .map(|part| match self.operation(header, part, changes) {
                Ok(stat) => AppliedOp { error: 0, stat },
                Err(code) => error(code),
            });
        results.collect()
    }

    /// What may stand alone or in a multi.
    fn operation(
        &mut self,
        header: &TxnHeader,
        txn: &Txn<'_>,
        changes: Changes<'_>,
    ) -> Result<Option<Stat>, i32> {
        let result = match txn {
            Txn::Create(create) => self.create(header, create, changes).map(Some),
            Txn::Delete(delete) => self
                .delete(&delete.path, header.zxid, changes)
                .map(|()| None),
            Txn::SetData(set) => self.set_data(header, set, changes).map(Some),
            Txn::SetAcl(set) => self.set_acl(set, header.zxid).map(Some),
            Txn::Check(_) => Ok(None),
            Txn::Error(code) => return Err(*code),
            Txn::Multi(_) | Txn::CreateSession(_) | Txn::CloseSession(_) => {
                Err(ErrorCode::MarshallingError)
            }
        };
        result.map_err(|code| code as i32)
    }

    /// The znode at this path, unless it was created after `zxid`. What older transactions did was
    /// to an earlier znode of that path, of which nothing is left.
    fn find_at(&self, path: &str, zxid: Zxid) -> Option<u32> {
        self.find(path)
            .filter(|&id| self.arena.node(id).czxid <= zxid)
    }

    fn create(
        &mut self,
        header: &TxnHeader,
        create: &CreateTxn<'_>,
        changes: Changes<'_>,
    ) -> Result<Stat, ErrorCode> {
        let path = &*create.path;
        let owner = match create.kind {
            CreateKind::Plain { ephemeral } | CreateKind::Plain2 { ephemeral } => match ephemeral {
                true => header.session.0,
                false => 0,
            },
            CreateKind::Container => CONTAINER_OWNER,
            CreateKind::Ttl(ttl) => ttl_owner(ttl).ok_or(ErrorCode::BadArguments)?,
        };
        let parent_path = parent_of(path)?;
        let parent = self
            .find_at(parent_path, header.zxid)
            .ok_or(ErrorCode::NoNode)?;
        self.count_child(parent, parent_path, create.parent_cversion, header.zxid);
        if let Some(existing) = self.find(path) {
            // The snapshot's table of lists may be older than the znode (ZOOKEEPER-3306).
            if self.arena.node(existing).czxid <= header.zxid {
                self.preserve(existing);
                self.replace_acl(existing, &create.acl);
            }
            return Err(ErrorCode::NodeExists);
        }
        let acl = self.acls.intern(&create.acl);
        let stat = StatPersisted {
            czxid: header.zxid,
            mzxid: header.zxid,
            pzxid: header.zxid,
            ctime: header.time,
            mtime: header.time,
            ephemeral_owner: owner,
            ..StatPersisted::default()
        };
        let data = create.data.as_deref();
        let id = self.insert(parent, path, data, acl, &stat);
        // Of a quota's usage the reply tells what was sent, not what was counted.
        let stat = Znode::new(self, id).stat();
        self.count_created(path, data.unwrap_or_default().len());
        self.tell(ChangeKind::Created, path, acl, parent, changes);
        Ok(stat)
    }

    /// Counts a new child. Neither number is lowered: a later create may be in already
    /// (ZOOKEEPER-3249). The counter runs in a circle, so what is later is what is nearer ahead:
    /// after 2147483647 follows -2147483648.
    fn count_child(&mut self, parent: u32, path: &str, cversion: i32, zxid: Zxid) {
        let old = self.arena.node(parent).stat().cversion;
        let new = match cversion {
            // Written by a very old leader.
            -1 => old.wrapping_add(1),
            _ => cversion,
        };
        if new.wrapping_sub(old) > 0 {
            self.preserve(parent);
            self.update_stat(parent, path, |stat| {
                stat.cversion = new;
                stat.pzxid = zxid;
            });
        }
    }

    /// The parent's pzxid is raised even if the znode is gone already, or watches would miss its
    /// end after a reconnect (ZOOKEEPER-3125).
    fn delete(&mut self, path: &str, zxid: Zxid, changes: Changes<'_>) -> Result<(), ErrorCode> {
        let parent_path = parent_of(path)?;
        let parent = self.find_at(parent_path, zxid).ok_or(ErrorCode::NoNode)?;
        if zxid > self.arena.node(parent).stat().pzxid {
            self.preserve(parent);
            self.update_stat(parent, parent_path, |stat| stat.pzxid = zxid);
        }
        let id = self.find_at(path, zxid).ok_or(ErrorCode::NoNode)?;
        if self.arena.node(id).children().is_empty() {
            self.delete_leaf(id, path, parent, changes);
            return Ok(());
        }
        // It had no children when it was deleted, so all below it came later, to a later znode of
        // the same path, and will be created again as the replay goes on.
        for id in self.arena.subtree(id).into_iter().rev() {
            let znode = Znode::new(self, id);
            let path = znode.path();
            let parent = self.arena.node(id).parent;
            self.delete_leaf(id, &path, parent, changes);
        }
        Ok(())
    }

    fn delete_leaf(&mut self, id: u32, path: &str, parent: u32, changes: Changes<'_>) {
        self.preserve(id);
        let bytes = self.arena.node(id).data_len() as i64;
        let acl = self.remove(id, path);
        self.add_usage(path, -bytes, -1);
        self.tell(ChangeKind::Deleted, path, acl, parent, changes);
        self.acls.release(acl);
    }

    fn set_data(
        &mut self,
        header: &TxnHeader,
        set: &SetDataTxn<'_>,
        changes: Changes<'_>,
    ) -> Result<Stat, ErrorCode> {
        let path = root_is_empty(&set.path);
        let id = self.find_at(path, header.zxid).ok_or(ErrorCode::NoNode)?;
        if set.reconfig {
            let before = self.config_znode();
            self.config_before = before.map(|(zxid, data)| (zxid, data.into()));
        }
        self.preserve(id);
        let data = set.data.as_deref();
        let longer = self.replace_data(id, data);
        let node = self.arena.node_mut(id);
        node.mtime = header.time;
        node.mzxid = header.zxid;
        node.version = set.version;
        self.update_digest(id, path, data);
        self.add_usage(path, longer, 0);
        let node = self.arena.node(id);
        let parent = if id == ROOT { ROOT } else { node.parent };
        self.tell(ChangeKind::DataChanged, path, node.acl, parent, changes);
        Ok(Znode::new(self, id).stat())
    }

    fn set_acl(&mut self, set: &SetAclTxn<'_>, zxid: Zxid) -> Result<Stat, ErrorCode> {
        let path = root_is_empty(&set.path);
        let id = self.find_at(path, zxid).ok_or(ErrorCode::NoNode)?;
        self.preserve(id);
        self.replace_acl(id, &set.acl);
        self.update_stat(id, path, |stat| stat.aversion = set.version);
        Ok(Znode::new(self, id).stat())
    }

    /// Deletes what the leader listed, whoever owns it by now (ZOOKEEPER-3145), and then what else
    /// the session owns here.
    fn close_session(
        &mut self,
        session: SessionId,
        paths: &[impl AsRef<str>],
        zxid: Zxid,
        changes: Changes<'_>,
    ) {
        for path in paths {
            // A path that is gone already is no error.
            let _ = self.delete(path.as_ref(), zxid, changes);
        }
        let others: Vec<String> = self.ephemerals(session).collect();
        for path in others {
            let _ = self.delete(&path, zxid, changes);
        }
        self.sessions.remove(session);
    }

    fn tell(&self, kind: ChangeKind, path: &str, acl: u32, parent: u32, changes: Changes<'_>) {
        changes(Change {
            kind,
            path: if path.is_empty() { "/" } else { path },
            acl: self.acls.list(acl),
            parent_acl: self.acls.list(self.arena.node(parent).acl),
        });
    }
}

/// What is left to do once a log has been replayed.
impl Tree {
    /// To be called when a log has been replayed on a loaded tree: counts quotas' usage anew, and
    /// returns the paths of znodes whose access control lists are still unknown. There are none
    /// unless data is damaged; nobody may do anything with them.
    pub fn finish_recovery(&mut self) -> Vec<String> {
        self.recount_all();
        if !self.acls.has_unknown() {
            return Vec::new();
        }
        let unknown = |znode: &Znode<'_>| self.acls.is_unknown(znode.acl_number());
        self.znodes()
            .filter(unknown)
            .map(|znode| znode.path())
            .collect()
    }

    /// Deletes ephemeral znodes whose session does not exist, and says which; a standalone server
    /// and a beginning leader do so. In an intact history there are none, unless TTL znodes were
    /// enabled and no longer are. Source: `ZooKeeperServer.loadData`.
    pub fn drop_orphan_ephemerals(&mut self) -> Vec<OrphanEphemeral> {
        let dead = |session: &SessionId| !self.sessions.contains(*session);
        let owners = self.ephemeral_owners().filter(dead);
        let mut orphans: Vec<OrphanEphemeral> = owners
            .flat_map(|session| {
                let paths = self.ephemerals(session);
                paths.map(move |path| OrphanEphemeral { path, session })
            })
            .collect();
        // One that came after the last transaction stays: the log was not replayed that far.
        orphans.retain(|orphan| {
            let deleted = self.delete(&orphan.path, self.last_zxid, &mut |_| {});
            deleted.is_ok()
        });
        orphans
    }
}

/// An ephemeral znode whose session did not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanEphemeral {
    /// Its path.
    pub path: String,
    /// The session.
    pub session: SessionId,
}

/// The parent's path, empty for the root. The root has no parent, nor has what is no path.
fn parent_of(path: &str) -> Result<&str, ErrorCode> {
    match path.rsplit_once('/') {
        Some((_, "")) | None => Err(ErrorCode::BadArguments),
        Some((parent, _)) => Ok(parent),
    }
}

fn root_is_empty(path: &str) -> &str {
    if path == "/" { "" } else { path }
}

#[cfg(test)]
mod tests;
