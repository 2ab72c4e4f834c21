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
        txn: &Txn,
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
    fn multi(&mut self, header: &TxnHeader, parts: &[Txn], changes: Changes<'_>) -> Vec<AppliedOp> {
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
        txn: &Txn,
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
        create: &CreateTxn,
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
        self.count_created(path, data.unwrap_or_default().len());
        self.tell(ChangeKind::Created, path, acl, parent, changes);
        Ok(Znode::new(self, id).stat())
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
            self.update_stat(parent, |stat| {
                stat.cversion = new;
                stat.pzxid = zxid;
            });
            self.update_digest(parent, path);
        }
    }

    /// The parent's pzxid is raised even if the znode is gone already, or watches would miss its
    /// end after a reconnect (ZOOKEEPER-3125).
    fn delete(&mut self, path: &str, zxid: Zxid, changes: Changes<'_>) -> Result<(), ErrorCode> {
        let parent_path = parent_of(path)?;
        let parent = self.find_at(parent_path, zxid).ok_or(ErrorCode::NoNode)?;
        if zxid > self.arena.node(parent).stat().pzxid {
            self.preserve(parent);
            self.update_stat(parent, |stat| stat.pzxid = zxid);
            self.update_digest(parent, parent_path);
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
        set: &SetDataTxn,
        changes: Changes<'_>,
    ) -> Result<Stat, ErrorCode> {
        let path = root_is_empty(&set.path);
        let id = self.find_at(path, header.zxid).ok_or(ErrorCode::NoNode)?;
        self.preserve(id);
        let data = set.data.as_deref();
        let old_len = self.arena.node(id).data_len() as i64;
        let change = data.unwrap_or_default().len() as i64 - old_len;
        self.replace_data(id, data);
        let node = self.arena.node_mut(id);
        node.mtime = header.time;
        node.mzxid = header.zxid;
        node.version = set.version;
        self.update_digest(id, path);
        self.add_usage(path, change, 0);
        let node = self.arena.node(id);
        let parent = if id == ROOT { ROOT } else { node.parent };
        self.tell(ChangeKind::DataChanged, path, node.acl, parent, changes);
        Ok(Znode::new(self, id).stat())
    }

    fn set_acl(&mut self, set: &SetAclTxn, zxid: Zxid) -> Result<Stat, ErrorCode> {
        let path = root_is_empty(&set.path);
        let id = self.find_at(path, zxid).ok_or(ErrorCode::NoNode)?;
        self.preserve(id);
        self.replace_acl(id, &set.acl);
        self.update_stat(id, |stat| stat.aversion = set.version);
        self.update_digest(id, path);
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
mod tests {
    use super::*;
    use crate::ephemeral_type::EphemeralType;
    use crate::tree::TreeConfig;
    use alloc::borrow::ToOwned;
    use alloc::string::ToString;
    use alloc::vec;
    use grevy_proto::txn::{CheckTxn, DeleteTxn};
    use grevy_proto::{Acl, Id, Xid};

    const PERSISTENT: CreateKind = CreateKind::Plain { ephemeral: false };
    const EPHEMERAL: CreateKind = CreateKind::Plain2 { ephemeral: true };

    fn tree() -> Tree {
        Tree::new(TreeConfig {
            hash_seed: 3,
            extended_types: true,
            emulate_353_ttl: false,
            digest: true,
        })
    }

    fn acl(name: &'static str) -> Vec<Acl> {
        vec![Acl {
            perms: 31,
            id: Id::new("digest", name),
        }]
    }

    fn create(path: &str, kind: CreateKind) -> Txn {
        Txn::Create(CreateTxn {
            path: path.into(),
            data: Some(b"data".as_slice().into()),
            acl: acl("first"),
            kind,
            parent_cversion: -1,
        })
    }

    fn delete(path: &str) -> Txn {
        Txn::Delete(DeleteTxn {
            path: path.into(),
            container: false,
        })
    }

    fn set_data(path: &str, data: &[u8], version: i32) -> Txn {
        Txn::SetData(SetDataTxn {
            path: path.into(),
            data: Some(data.into()),
            version,
            reconfig: false,
        })
    }

    fn set_acl(path: &str, name: &'static str, version: i32) -> Txn {
        Txn::SetAcl(SetAclTxn {
            path: path.into(),
            acl: acl(name),
            version,
        })
    }

    fn apply(tree: &mut Tree, zxid: i64, session: i64, txn: &Txn) -> (Applied, Vec<String>) {
        let header = TxnHeader {
            session: SessionId(session),
            cxid: Xid(1),
            zxid: Zxid(zxid),
            time: 1000 + zxid,
            op: txn.op().wire(),
        };
        let mut told = Vec::new();
        let applied = tree.apply(&header, txn, &mut |change| {
            let of = |list: &[Acl]| list.first().map(|acl| acl.id.id.clone().into_owned());
            let (own, parent) = (of(change.acl), of(change.parent_acl));
            let (own, parent) = (own.unwrap_or_default(), parent.unwrap_or_default());
            told.push(alloc::format!(
                "{:?} {} {own} {parent}",
                change.kind,
                change.path
            ));
        });
        (applied, told)
    }

    /// The transactions get ascending zxids from 1.
    fn apply_all(tree: &mut Tree, txns: &[Txn]) -> Vec<(Applied, Vec<String>)> {
        let all = txns.iter().zip(1..);
        all.map(|(txn, zxid)| apply(tree, zxid, 5, txn)).collect()
    }

    #[test]
    fn changes_carry_the_lists_they_are_guarded_by() {
        let mut tree = tree();
        let results = apply_all(
            &mut tree,
            &[
                create("/a", PERSISTENT),
                set_acl("/a", "second", 1),
                create("/a/b", PERSISTENT),
                set_data("/a/b", b"x", 1),
                delete("/a/b"),
                set_data("/", b"x", 1),
                delete("/a/b"),
                set_data("/a/b", b"y", 2),
            ],
        );
        let told: Vec<&str> = results
            .iter()
            .flat_map(|(_, told)| told)
            .map(|told| &**told)
            .collect();
        assert_eq!(
            told,
            [
                "Created /a first anyone",
                "Created /a/b first second",
                "DataChanged /a/b first second",
                "Deleted /a/b first second",
                "DataChanged / anyone anyone",
            ]
        );
    }

    #[test]
    fn replies_have_what_they_need() {
        let mut tree = tree();
        let stat = |czxid, mzxid, version, aversion, cversion, num_children, pzxid| Stat {
            czxid: Zxid(czxid),
            mzxid: Zxid(mzxid),
            ctime: 1000 + czxid,
            mtime: 1000 + mzxid,
            version,
            cversion,
            aversion,
            ephemeral_owner: SessionId::NONE,
            data_length: 4,
            num_children,
            pzxid: Zxid(pzxid),
        };
        let owned = Stat {
            ephemeral_owner: SessionId(5),
            ..stat(2, 2, 0, 0, 0, 0, 2)
        };
        let no_node = Applied::Error(ErrorCode::NoNode as i32);
        let check = Txn::Check(CheckTxn {
            path: "/a".into(),
            version: 1,
        });
        let table = [
            (
                create("/a", PERSISTENT),
                Applied::Stat(stat(1, 1, 0, 0, 0, 0, 1)),
            ),
            (create("/a/e", EPHEMERAL), Applied::Stat(owned)),
            (
                create("/a/c", CreateKind::Container),
                Applied::Stat(stat(3, 3, 0, 0, 0, 0, 3)),
            ),
            (
                create("/a/t", CreateKind::Ttl(9)),
                Applied::Stat(stat(4, 4, 0, 0, 0, 0, 4)),
            ),
            (
                create("/a/u", CreateKind::Ttl(0)),
                Applied::Error(ErrorCode::BadArguments as i32),
            ),
            (
                set_data("/a", b"abcd", 7),
                Applied::Stat(stat(1, 6, 7, 0, 3, 3, 4)),
            ),
            (
                set_acl("/a", "second", 3),
                Applied::Stat(stat(1, 6, 7, 3, 3, 3, 4)),
            ),
            (delete("/a/c"), Applied::Done),
            (
                set_acl("/a", "third", 4),
                Applied::Stat(stat(1, 6, 7, 4, 4, 2, 8)),
            ),
            (delete("/a/c"), no_node.clone()),
            (delete("/x/y"), no_node.clone()),
            (create("/x/y", PERSISTENT), no_node.clone()),
            (set_data("/x", b"", 1), no_node.clone()),
            (set_acl("/x", "a", 1), no_node),
            (
                create("/a", PERSISTENT),
                Applied::Error(ErrorCode::NodeExists as i32),
            ),
            (delete("/"), Applied::Error(ErrorCode::BadArguments as i32)),
            (
                create("a", PERSISTENT),
                Applied::Error(ErrorCode::BadArguments as i32),
            ),
            (check, Applied::Done),
            (Txn::Error(-4711), Applied::Error(-4711)),
            (Txn::CreateSession(30), Applied::Done),
        ];
        for ((txn, expected), zxid) in table.into_iter().zip(1..) {
            assert_eq!(apply(&mut tree, zxid, 5, &txn).0, expected, "{txn:?}");
            assert_eq!(tree.last_zxid(), Zxid(zxid));
        }
    }

    #[test]
    fn a_multi_is_applied_whole_or_not_at_all() {
        let mut tree = tree();
        let failed = Txn::Multi(vec![
            create("/a", PERSISTENT),
            Txn::Error(-101),
            delete("/a"),
            Txn::Error(-2),
        ]);
        let (applied, told) = apply(&mut tree, 1, 5, &failed);
        let error = |error| AppliedOp { error, stat: None };
        assert_eq!(
            applied,
            Applied::Multi(vec![error(0), error(-101), error(-2), error(-2)])
        );
        assert!(told.is_empty() && tree.get("/a").is_none());

        let good = Txn::Multi(vec![
            create("/a", PERSISTENT),
            create("/a/b", PERSISTENT),
            set_data("/a", b"", 1),
            delete("/a/b"),
        ]);
        let (applied, told) = apply(&mut tree, 2, 5, &good);
        let Applied::Multi(results) = applied else {
            panic!("{applied:?}");
        };
        let versions: Vec<_> = results
            .iter()
            .map(|op| op.stat.map(|s| (s.version, s.cversion)))
            .collect();
        assert_eq!(versions, [Some((0, 0)), Some((0, 0)), Some((1, 1)), None]);
        assert_eq!(told.len(), 4);
        let stat = tree.get("/a").unwrap().stat();
        assert_eq!((stat.cversion, stat.pzxid), (2, Zxid(2)));
    }

    #[test]
    fn a_sessions_end_takes_the_listed_znodes_first() {
        for listed in [None, Some(vec!["/c".into(), "/gone".into(), "/a".into()])] {
            let mut tree = tree();
            let all = [
                Txn::CreateSession(30_000),
                create("/a", EPHEMERAL),
                create("/b", EPHEMERAL),
                create("/c", EPHEMERAL),
                create("/d", PERSISTENT),
            ];
            apply_all(&mut tree, &all);
            assert_eq!(tree.sessions().timeout(SessionId(5)), Some(30_000));
            assert_eq!(tree.ephemerals_count(), 3);
            let order = match listed {
                None => ["/a", "/b", "/c"],
                Some(_) => ["/c", "/a", "/b"],
            };
            let (applied, told) = apply(&mut tree, 9, 5, &Txn::CloseSession(listed));
            assert_eq!(applied, Applied::Done);
            assert_eq!(
                told,
                order.map(|path| alloc::format!("Deleted {path} first anyone"))
            );
            assert!(tree.sessions().is_empty() && tree.ephemeral_owners().next().is_none());
            assert_eq!(tree.get("/").unwrap().persisted().pzxid, Zxid(9));
            assert!(tree.get("/d").is_some());
        }
    }

    #[test]
    fn kinds_are_registered_as_configured() {
        let ttl = create("/t", CreateKind::Ttl(9));
        for (extended_types, expected) in [
            (true, EphemeralType::Ttl(9)),
            (
                false,
                EphemeralType::Ephemeral(SessionId(-0x00ff_ffff_ffff_fff7)),
            ),
        ] {
            let mut tree = Tree::new(TreeConfig {
                extended_types,
                ..tree().config().clone()
            });
            apply_all(
                &mut tree,
                &[ttl.clone(), create("/c", CreateKind::Container)],
            );
            assert_eq!(tree.get("/t").unwrap().kind(), expected);
            assert_eq!(tree.ttl_znodes().count(), usize::from(extended_types));
            assert_eq!(tree.containers().next().unwrap().path(), "/c");
            let dropped = tree.drop_orphan_ephemerals();
            assert_eq!(dropped.len(), usize::from(!extended_types));
            assert_eq!(tree.get("/t").is_some(), extended_types);
        }
    }

    #[test]
    fn older_transactions_are_not_about_later_znodes() {
        let mut tree = tree();
        apply(&mut tree, 5, 5, &create("/a", PERSISTENT));
        apply(&mut tree, 6, 5, &create("/a/b", PERSISTENT));
        let before = tree.digest();
        for (txn, error) in [
            (delete("/a"), ErrorCode::NoNode),
            (set_data("/a", b"old", 3), ErrorCode::NoNode),
            (set_acl("/a", "old", 3), ErrorCode::NoNode),
            (create("/a/c", PERSISTENT), ErrorCode::NoNode),
            (delete("/a/b"), ErrorCode::NoNode),
            (create("/a", PERSISTENT), ErrorCode::NodeExists),
        ] {
            let (applied, told) = apply(&mut tree, 4, 5, &txn);
            assert_eq!(applied, Applied::Error(error as i32), "{txn:?}");
            assert!(told.is_empty());
        }
        // Only the root, which is older, heard of a create; it had heard of a later one.
        assert_eq!(tree.get("/a").unwrap().acl(), acl("first"));
        assert_eq!(tree.get("/").unwrap().persisted().cversion, 2);
        assert_ne!(tree.digest(), before);
        assert_eq!(tree.last_zxid(), Zxid(6));
    }

    #[test]
    fn usage_is_counted_where_limits_are_set() {
        let mut tree = tree();
        let quota = |tree: &Tree, path| {
            let quota = tree.quota(path)?;
            let usage = quota.usage.map(|usage| (usage.count, usage.bytes));
            Some((quota.path.to_owned(), quota.limits.count_hard, usage))
        };
        let set_up = [
            create("/a", PERSISTENT),
            create("/a/b", PERSISTENT),
            create("/zookeeper/quota/a", PERSISTENT),
            create("/zookeeper/quota/a/zookeeper_limits", PERSISTENT),
        ];
        apply_all(&mut tree, &set_up);
        let a = || "/a".to_string();
        assert_eq!(quota(&tree, "/a/x"), Some((a(), None, None)));
        let limits = b"count=9,bytes=9=;countHardLimit=7";
        apply(
            &mut tree,
            5,
            5,
            &set_data("/zookeeper/quota/a/zookeeper_limits", limits, 1),
        );
        apply(
            &mut tree,
            6,
            5,
            &create("/zookeeper/quota/a/zookeeper_stats", PERSISTENT),
        );
        assert_eq!(quota(&tree, "/a/x"), Some((a(), Some(7), Some((2, 8)))));
        apply(&mut tree, 7, 5, &create("/a/b/c", PERSISTENT));
        apply(&mut tree, 8, 5, &set_data("/a", b"", 1));
        assert_eq!(quota(&tree, "/a"), Some((a(), Some(7), Some((3, 8)))));
        let usage = tree.get("/zookeeper/quota/a/zookeeper_stats").unwrap();
        assert_eq!(usage.data(), Some(&b"count=3,bytes=8"[..]));
        assert_eq!((usage.stat().version, usage.stat().mzxid), (0, Zxid(6)));
        apply(&mut tree, 9, 5, &delete("/a/b/c"));
        assert_eq!(quota(&tree, "/a/b"), Some((a(), Some(7), Some((2, 4)))));
        assert_eq!((quota(&tree, "/"), quota(&tree, "/ab")), (None, None));
        apply(
            &mut tree,
            10,
            5,
            &delete("/zookeeper/quota/a/zookeeper_limits"),
        );
        assert_eq!(quota(&tree, "/a"), None);
        assert_eq!(tree.quotas().count(), 0);
    }
}
