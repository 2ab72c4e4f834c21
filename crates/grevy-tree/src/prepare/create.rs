//! create, create2, createContainer and createTTL.

use super::pending::{PendingAcl, PendingZnode, is_quota};
use super::{Preparer, parent_of, validate};
use crate::ephemeral_type::{CONTAINER_OWNER, EphemeralType, MAX_TTL, ttl_owner};
use alloc::borrow::Cow;
use alloc::format;
use grevy_proto::acl::perms;
use grevy_proto::request::{Create, CreateMode};
use grevy_proto::txn::{CreateKind, CreateTxn, Txn};
use grevy_proto::{ErrorCode, OpCode, StatPersisted};

/// By how much a sequential znode's name is longer than what was asked for.
const SEQUENCE_DIGITS: usize = 11;

impl Preparer<'_> {
    /// `ttl`: in ms; only createTTL has one.
    pub(super) fn create<'r>(
        &mut self,
        op: OpCode,
        request: Create<'r>,
        ttl: Option<i64>,
    ) -> Result<Txn<'r>, ErrorCode> {
        let mode = CreateMode::from_wire(request.flags).ok_or(ErrorCode::BadArguments)?;
        let kind = self.kind(op, mode, ttl)?;
        match mode.is_ephemeral() {
            true => self.context.ephemeral_state?,
            false => self.context.session_state?,
        }
        if mode.is_sequential() {
            let left = self.room.checked_sub(SEQUENCE_DIGITS);
            self.room = left.ok_or(ErrorCode::BadArguments)?;
        }
        let parent_path = parent_of(&request.path)?;
        let schemes = &self.context.config.schemes;
        let acl = schemes.fixup(request.acl, self.context.ids, &mut self.room)?;
        let parent_at = self.at(parent_path);
        let parent = self.find(parent_at)?;
        self.permit(&parent, perms::CREATE)?;
        let parent_stat = parent.stat();
        // The counter runs through all numbers and starts over: after 2147483647 follows
        // -2147483648.
        let path = match mode.is_sequential() {
            true => Cow::Owned(format!("{}{:010}", request.path, parent_stat.cversion)),
            false => request.path.clone(),
        };
        validate(&path)?;
        let at = self.at(&path);
        if self.look(at).is_some() {
            return Err(ErrorCode::NodeExists);
        }
        if let EphemeralType::Ephemeral(_) = parent.kind(self.tree.config()) {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        let data_len = request.data.map_or(0, <[u8]>::len);
        self.check_quota(&path, data_len as i64, 1)?;

        let context = self.context;
        let digest = parent.digest();
        let mut parent = parent.edit(parent_path);
        parent.child_count += 1;
        parent.update_stat(self.counts(parent_path), |stat| {
            stat.cversion = stat.cversion.wrapping_add(1);
            stat.pzxid = context.zxid;
        });
        let parent_cversion = parent.stat.cversion;
        self.write(parent_at, digest, Some(parent));
        let stat = StatPersisted {
            czxid: context.zxid,
            mzxid: context.zxid,
            pzxid: context.zxid,
            ctime: context.time,
            mtime: context.time,
            ephemeral_owner: self.owner(kind),
            ..StatPersisted::default()
        };
        let znode = PendingZnode {
            stat,
            child_count: 0,
            acl: PendingAcl::new(&acl),
            digest: self.digest_of(&path, request.data, &stat),
            data_len,
            // Usage is counted when the transaction is applied, whatever the request says.
            data: (is_quota(&path) && !path.ends_with("/zookeeper_stats"))
                .then(|| request.data.unwrap_or_default().into()),
        };
        self.write(at, 0, Some(znode));
        self.add_usage(&path, data_len as i64, 1);
        Ok(Txn::Create(CreateTxn {
            path,
            data: request.data.map(Cow::Borrowed),
            acl,
            kind,
            parent_cversion,
        }))
    }

    /// What the transaction says. The operation decides, and the mode where the operation leaves
    /// it open; that the two do not fit is only refused where a time to live is concerned.
    fn kind(
        &self,
        op: OpCode,
        mode: CreateMode,
        ttl: Option<i64>,
    ) -> Result<CreateKind, ErrorCode> {
        if mode.is_ttl() && !self.tree.config().extended_types {
            return Err(ErrorCode::Unimplemented);
        }
        let ttl = match (mode.is_ttl(), ttl) {
            (true, Some(ttl)) if (1..=MAX_TTL).contains(&ttl) => ttl,
            (false, None) => -1,
            _ => return Err(ErrorCode::BadArguments),
        };
        let ephemeral = mode.is_ephemeral();
        Ok(match op {
            OpCode::CreateTtl => CreateKind::Ttl(ttl),
            OpCode::CreateContainer => CreateKind::Container,
            OpCode::Create2 => CreateKind::Plain2 { ephemeral },
            _ => CreateKind::Plain { ephemeral },
        })
    }

    /// What is stored as the owner of a znode of this kind.
    fn owner(&self, kind: CreateKind) -> i64 {
        match kind {
            CreateKind::Plain { ephemeral } | CreateKind::Plain2 { ephemeral } => match ephemeral {
                true => self.context.session.0,
                false => 0,
            },
            CreateKind::Container => CONTAINER_OWNER,
            CreateKind::Ttl(ttl) => ttl_owner(ttl).unwrap_or(0),
        }
    }
}
