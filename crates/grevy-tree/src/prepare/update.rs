//! Changes of one znode: setData, reconfig, setACL, and check, which changes nothing.

use super::pending::{Hashed, PendingAcl, PendingZnode, is_quota};
use super::{Preparer, next_version, validate};
use alloc::borrow::Cow;
use grevy_proto::acl::perms;
use grevy_proto::request::{Check, Reconfig, SetAcl, SetData};
use grevy_proto::txn::{CheckTxn, SetAclTxn, SetDataTxn, Txn};
use grevy_proto::{ErrorCode, StatPersisted};

const CONFIG: &str = "/zookeeper/config";

impl Preparer<'_> {
    pub(super) fn set_data<'r>(&mut self, request: &SetData<'r>) -> Result<Txn<'r>, ErrorCode> {
        self.context.session_state?;
        let path = &*request.path;
        validate(path)?;
        let at = self.at(path);
        let znode = self.find(at)?;
        self.permit(&znode, perms::WRITE)?;
        let more = match self.context.config.enforce_quota {
            true => request.data.map_or(0, <[u8]>::len) as i64 - znode.data_len() as i64,
            false => 0,
        };
        self.check_quota(path, more, 0)?;
        let version = next_version(znode.stat().version, request.version)?;
        let (digest, znode) = (znode.digest(), znode.edit(path));
        self.replace_data(at, digest, znode, request.data, version);
        self.add_usage(path, more, 0);
        Ok(Txn::SetData(SetDataTxn {
            path: request.path.clone(),
            data: request.data.map(Cow::Borrowed),
            version,
            reconfig: false,
        }))
    }

    pub(super) fn reconfig(&mut self, request: &Reconfig<'_>) -> Result<Txn<'static>, ErrorCode> {
        if !self.context.config.reconfig {
            return Err(ErrorCode::ReconfigDisabled);
        }
        self.context.session_state?;
        let reconfigure = self.context.reconfigure;
        let reconfigure = reconfigure.ok_or(ErrorCode::Unimplemented)?;
        let data = reconfigure(request)?;
        // It has all members, and not only those of the request.
        if data.len() > self.context.config.request_bytes {
            return Err(ErrorCode::BadArguments);
        }
        let at = self.at(CONFIG);
        let znode = self.find(at)?;
        self.permit(&znode, perms::WRITE)?;
        let (digest, znode) = (znode.digest(), znode.edit(CONFIG));
        self.replace_data(at, digest, znode, Some(&data), -1);
        Ok(Txn::SetData(SetDataTxn {
            path: CONFIG.into(),
            data: Some(Cow::Owned(data.into_vec())),
            version: -1,
            reconfig: true,
        }))
    }

    pub(super) fn set_acl<'r>(&mut self, request: SetAcl<'r>) -> Result<Txn<'r>, ErrorCode> {
        self.context.session_state?;
        let path = &*request.path;
        validate(path)?;
        let schemes = &self.context.config.schemes;
        let acl = schemes.fixup(request.acl, self.context.ids, &mut self.room)?;
        let at = self.at(path);
        let znode = self.find(at)?;
        self.permit(&znode, perms::ADMIN)?;
        let version = next_version(znode.stat().aversion, request.version)?;
        let digest = znode.digest();
        let mut znode = znode.edit(path);
        znode.update_stat(self.counts(path), |stat| stat.aversion = version);
        znode.acl = PendingAcl::new(&acl);
        self.write(at, digest, Some(znode));
        Ok(Txn::SetAcl(SetAclTxn {
            path: request.path,
            acl,
            version,
        }))
    }

    pub(super) fn check<'r>(&self, request: &Check<'r>) -> Result<Txn<'r>, ErrorCode> {
        self.context.session_state?;
        let path = &*request.path;
        validate(path)?;
        let znode = self.find(self.at(path))?;
        self.permit(&znode, perms::READ)?;
        // The transaction names the version after the one that was found, as if it were a change.
        Ok(Txn::Check(CheckTxn {
            path: request.path.clone(),
            version: next_version(znode.stat().version, request.version)?,
        }))
    }

    fn replace_data(
        &mut self,
        at: Hashed<'_>,
        digest: u32,
        mut znode: PendingZnode,
        data: Option<&[u8]>,
        version: i32,
    ) {
        znode.stat = StatPersisted {
            version,
            mtime: self.context.time,
            mzxid: self.context.zxid,
            ..znode.stat
        };
        let path = at.path();
        znode.digest = self.digest_of(path, data, &znode.stat);
        znode.data_len = data.map_or(0, <[u8]>::len);
        znode.data = is_quota(path).then(|| data.unwrap_or_default().into());
        self.write(at, digest, Some(znode));
    }
}
