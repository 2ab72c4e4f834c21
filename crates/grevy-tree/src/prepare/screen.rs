//! Whether a client may make a request at all, found out before the request is passed on
//! (`zookeeper.enableEagerACLCheck`). Source: `ZooKeeperServer.authWriteRequest`.

use super::delete::deletable;
use super::pending::Hashed;
use super::{Pending, PrepareConfig, WriteRequest, decode};
use crate::tree::Tree;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use grevy_proto::acl::perms;
use grevy_proto::request::{Create, Delete, SetAcl, SetData};
use grevy_proto::{Acl, ErrorCode, Id, OpCode};

impl Pending {
    /// Whether a client with `ids` may make the request, by the state as it will be when
    /// everything proposed so far is applied. Nothing but permissions is looked at, ahead of all
    /// other checks. As in ZooKeeper, creates of containers and of znodes with a time to live,
    /// multis and reconfigurations pass, and so does what will be refused for its path.
    ///
    /// # Errors
    /// `NoAuth`: the client may not. `InvalidAcl`: the list that it asks for is none.
    pub fn screen(
        &self,
        tree: &Tree,
        request: &WriteRequest<'_>,
        config: &PrepareConfig,
        ids: &[Id],
    ) -> Result<(), ErrorCode> {
        let is_short = request.record.len() <= config.request_bytes;
        let Some((path, perm, acl)) = needs(request).filter(|_| is_short) else {
            return Ok(());
        };
        let path = match perm {
            perms::CREATE | perms::DELETE => match deletable(&path) {
                Ok(parent) => parent,
                Err(_) => return Ok(()),
            },
            _ => &path,
        };
        if let Some(acl) = acl {
            let mut room = config.expansion_bytes;
            config.schemes.fixup(acl, ids, &mut room)?;
        }
        match self.look(tree, Hashed::new(tree, path)) {
            Some(znode) if !config.permits(znode.acl(), perm, ids) => Err(ErrorCode::NoAuth),
            _ => Ok(()),
        }
    }
}

/// Which znode a request is about, the permission that it needs, and the list that it brings.
fn needs<'a>(request: &WriteRequest<'a>) -> Option<(Cow<'a, str>, i32, Option<Vec<Acl>>)> {
    let record = request.record;
    match request.op {
        OpCode::Create | OpCode::Create2 => {
            let Create { path, acl, .. } = decode(record).ok()?;
            Some((path, perms::CREATE, Some(acl)))
        }
        OpCode::Delete => {
            let Delete { path, .. } = decode(record).ok()?;
            Some((path, perms::DELETE, None))
        }
        OpCode::SetData => {
            let SetData { path, .. } = decode(record).ok()?;
            Some((path, perms::WRITE, None))
        }
        OpCode::SetAcl => {
            let SetAcl { path, acl, .. } = decode(record).ok()?;
            Some((path, perms::ADMIN, Some(acl)))
        }
        _ => None,
    }
}
