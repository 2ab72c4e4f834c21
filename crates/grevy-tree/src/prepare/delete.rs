//! delete and deleteContainer, and how any znode goes.

use super::{Preparer, next_version, parent_of};
use crate::ephemeral_type::EphemeralType;
use grevy_proto::acl::perms;
use grevy_proto::request::{Delete, PathOnly};
use grevy_proto::txn::{DeleteTxn, Txn};
use grevy_proto::{ErrorCode, SessionId};

impl Preparer<'_> {
    pub(super) fn delete<'r>(&mut self, request: &Delete<'r>) -> Result<Txn<'r>, ErrorCode> {
        self.context.session_state?;
        let path = &*request.path;
        let parent = self.find(self.at(deletable(path)?))?;
        self.permit(&parent, perms::DELETE)?;
        let znode = self.find(self.at(path))?;
        next_version(znode.stat().version, request.version)?;
        if znode.child_count() > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        self.remove(path);
        Ok(Txn::Delete(DeleteTxn {
            path: request.path.clone(),
            container: false,
        }))
    }

    /// The leader's reaper sends this, as nobody. It looked at the tree a while ago, so whether
    /// the znode's time has come is decided again. A client that sends it needs what it needs for
    /// a delete.
    pub(super) fn delete_container<'r>(
        &mut self,
        request: &PathOnly<'r>,
    ) -> Result<Txn<'r>, ErrorCode> {
        let is_reaper = self.context.session == SessionId::NONE;
        if !is_reaper {
            self.context.session_state?;
        }
        let path = &*request.path;
        let parent_path = deletable(path)?;
        if !is_reaper {
            self.permit(&self.find(self.at(parent_path))?, perms::DELETE)?;
        }
        let znode = self.find(self.at(path))?;
        if znode.child_count() > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        let is_due = match znode.kind(self.tree.config()) {
            EphemeralType::Ephemeral(_) => false,
            EphemeralType::Persistent => !is_reaper,
            EphemeralType::Container => true,
            EphemeralType::Ttl(ttl) => {
                !is_reaper || self.context.time.saturating_sub(znode.stat().mtime) > ttl
            }
        };
        if !is_due {
            return Err(ErrorCode::BadVersion);
        }
        self.remove(path);
        Ok(Txn::Delete(DeleteTxn {
            path: request.path.clone(),
            container: true,
        }))
    }

    /// Notes that the znode goes, and what this does to its parent.
    pub(super) fn remove(&mut self, path: &str) {
        let zxid = self.context.zxid;
        let parent_path = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let at = self.at(parent_path);
        if let Some(parent) = self.look(at) {
            let digest = parent.digest();
            let mut parent = parent.edit(parent_path);
            parent.child_count = parent.child_count.saturating_sub(1);
            parent.update_stat(self.counts(parent_path), |stat| stat.pzxid = zxid);
            self.write(at, digest, Some(parent));
        }
        let at = self.at(path);
        if let Some(znode) = self.look(at) {
            let (digest, bytes) = (znode.digest(), znode.data_len());
            self.write(at, digest, None);
            self.add_usage(path, -(bytes as i64), -1);
        }
    }
}

/// The path of the parent, unless the znode is built in.
pub(super) fn deletable(path: &str) -> Result<&str, ErrorCode> {
    match path {
        "/" | "/zookeeper" | "/zookeeper/quota" | "/zookeeper/config" => {
            Err(ErrorCode::BadArguments)
        }
        _ => parent_of(path),
    }
}
