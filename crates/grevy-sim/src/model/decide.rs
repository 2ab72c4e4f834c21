//! What a write must become, given the state before it.

use super::acl::{self, Identity, permits};
use super::quota;
use super::tree::{Model, split};
use super::txn::{Change, Entry, Kind};
use crate::operation::{CreateCall, CreateOp, Operation};
use grevy_proto::ErrorCode;

/// Whose request it is.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The session.
    pub session: i64,
    /// The connection's identities when it was sent.
    pub ids: &'a [Identity],
    /// The transaction's number.
    pub zxid: i64,
    /// Its time.
    pub time: i64,
}

type Decision = Result<Change, ErrorCode>;

const BUILT_IN: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"];

impl Model {
    /// What the request becomes in this state.
    pub fn decide(&self, operation: &Operation, caller: Caller<'_>) -> Change {
        let decision = match operation {
            Operation::Multi(parts) => Ok(self.decide_multi(parts, caller)),
            other => self.decide_one(other, caller),
        };
        decision.unwrap_or_else(|code| Change::Error(code.wire()))
    }

    fn decide_one(&self, operation: &Operation, caller: Caller<'_>) -> Decision {
        match operation {
            Operation::Create(create) => self.decide_create(create, caller, false),
            Operation::Delete { path, version } => self.decide_delete(path, *version, caller),
            Operation::SetData {
                path,
                data,
                version,
            } => {
                let znode = self.writable(path, acl::WRITE, caller)?;
                let len = |data: &Option<Vec<u8>>| quota::len(data.as_deref()) as i64;
                if self.exceeds_quota(path, len(data) - len(&znode.data), 0) {
                    return Err(ErrorCode::QuotaExceeded);
                }
                Ok(Change::SetData {
                    path: path.clone(),
                    data: data.clone(),
                    version: next(znode.version, *version)?,
                })
            }
            Operation::SetAcl {
                path,
                acl: list,
                version,
            } => {
                self.check_session(caller)?;
                valid(path)?;
                let list = acl::fixed(list, caller.ids).ok_or(ErrorCode::InvalidAcl)?;
                let znode = self.writable(path, acl::ADMIN, caller)?;
                Ok(Change::SetAcl {
                    path: path.clone(),
                    acl: list,
                    version: next(znode.aversion, *version)?,
                })
            }
            Operation::Check { path, version } => {
                let znode = self.writable(path, acl::READ, caller)?;
                Ok(Change::Check {
                    path: path.clone(),
                    version: next(znode.version, *version)?,
                })
            }
            Operation::CloseSession if !self.sessions.contains_key(&caller.session) => {
                Err(ErrorCode::SessionExpired)
            }
            Operation::CloseSession => {
                Ok(Change::CloseSession(Some(self.ephemerals(caller.session))))
            }
            _ => Err(ErrorCode::Unimplemented),
        }
    }

    /// Why a request is refused before it is passed on, by a server in this state that does so;
    /// `None`: it is passed on.
    pub fn screen(&self, operation: &Operation, ids: &[Identity]) -> Option<ErrorCode> {
        let (path, perm, list) = match operation {
            Operation::Create(create)
                if matches!(create.op, CreateCall::Create | CreateCall::Create2) =>
            {
                (&create.path, acl::CREATE, Some(&create.acl))
            }
            Operation::Delete { path, .. } => (path, acl::DELETE, None),
            Operation::SetData { path, .. } => (path, acl::WRITE, None),
            Operation::SetAcl { path, acl, .. } => (path, acl::ADMIN, Some(acl)),
            _ => return None,
        };
        let path = match perm {
            acl::CREATE | acl::DELETE => {
                let has_parent = path.contains('/') && !path.contains('\0');
                if !has_parent || BUILT_IN.contains(&&**path) {
                    return None;
                }
                split(path).0
            }
            _ => path,
        };
        if list.is_some_and(|list| acl::fixed(list, ids).is_none()) {
            return Some(ErrorCode::InvalidAcl);
        }
        let znode = self.get(path)?;
        (!permits(&znode.acl, perm, ids)).then_some(ErrorCode::NoAuth)
    }

    fn decide_create(&self, create: &CreateOp, caller: Caller<'_>, in_multi: bool) -> Decision {
        let flags = create.flags;
        if !(0..=6).contains(&flags) {
            return Err(ErrorCode::BadArguments);
        }
        let is_ttl = flags == 5 || flags == 6;
        let (is_ephemeral, is_sequential) = (flags == 1 || flags == 3, [2, 3, 6].contains(&flags));
        let mut call = create.op;
        let mut ttl = (call == CreateCall::Ttl).then_some(create.ttl);
        if in_multi {
            if call == CreateCall::Ttl && !is_ttl {
                (call, ttl) = (CreateCall::Create, None);
            }
            if flags == 4 {
                (call, ttl) = (CreateCall::Container, None);
            }
        }
        if is_ttl && !self.extended_types {
            return Err(ErrorCode::Unimplemented);
        }
        match (is_ttl, ttl) {
            (true, Some(1..=0xff_ffff_ffff)) | (false, None) => {}
            _ => return Err(ErrorCode::BadArguments),
        }
        self.check_session(caller)?;
        if is_ephemeral && self.is_local(caller.session) {
            return Err(ErrorCode::EphemeralOnLocalSession);
        }
        if !create.path.contains('/') || create.path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        let list = acl::fixed(&create.acl, caller.ids).ok_or(ErrorCode::InvalidAcl)?;
        let parent_path = split(&create.path).0;
        let parent = self.get(parent_path).ok_or(ErrorCode::NoNode)?;
        if !permits(&parent.acl, acl::CREATE, caller.ids) {
            return Err(ErrorCode::NoAuth);
        }
        let path = match is_sequential {
            true => format!("{}{:010}", create.path, parent.creates),
            false => create.path.clone(),
        };
        valid(&path)?;
        if self.get(&path).is_some() {
            return Err(ErrorCode::NodeExists);
        }
        if parent.kind == Kind::Ephemeral {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        if self.exceeds_quota(&path, quota::len(create.data.as_deref()) as i64, 1) {
            return Err(ErrorCode::QuotaExceeded);
        }
        let plain = match is_ephemeral {
            true => Kind::Ephemeral,
            false => Kind::Persistent,
        };
        let (op, kind) = match call {
            CreateCall::Create => (1, plain),
            CreateCall::Create2 => (15, plain),
            CreateCall::Container => (19, Kind::Container),
            CreateCall::Ttl => (21, Kind::Ttl(create.ttl)),
        };
        Ok(Change::Create {
            op,
            path,
            data: create.data.clone(),
            acl: list,
            kind,
            parent_cversion: parent.creates.wrapping_add(1),
        })
    }

    fn decide_delete(&self, path: &str, version: i32, caller: Caller<'_>) -> Decision {
        self.check_session(caller)?;
        if !path.contains('/') || path.contains('\0') || BUILT_IN.contains(&path) {
            return Err(ErrorCode::BadArguments);
        }
        let parent = self.get(split(path).0).ok_or(ErrorCode::NoNode)?;
        if !permits(&parent.acl, acl::DELETE, caller.ids) {
            return Err(ErrorCode::NoAuth);
        }
        let znode = self.get(path).ok_or(ErrorCode::NoNode)?;
        next(znode.version, version)?;
        if !znode.children.is_empty() {
            return Err(ErrorCode::NotEmpty);
        }
        Ok(Change::Delete {
            path: path.to_owned(),
            container: false,
        })
    }

    /// Each part sees what those before it did; one that fails takes all of them back.
    fn decide_multi(&self, parts: &[Operation], caller: Caller<'_>) -> Change {
        let mut state = self.clone();
        let mut changes = Vec::new();
        let mut failed = false;
        for part in parts {
            if failed {
                changes.push(Change::Error(ErrorCode::RuntimeInconsistency.wire()));
                continue;
            }
            let decision = match part {
                Operation::Create(create) => state.decide_create(create, caller, true),
                other => state.decide_one(other, caller),
            };
            let change = decision.unwrap_or_else(|code| Change::Error(code.wire()));
            let entry = Entry {
                session: caller.session,
                cxid: 0,
                zxid: caller.zxid,
                time: caller.time,
                op: 14,
                change: change.clone(),
                digest: None,
            };
            failed = matches!(change, Change::Error(_)) || state.apply(&entry).is_err();
            changes.push(change);
        }
        Change::Multi(changes)
    }

    fn writable(
        &self,
        path: &str,
        perm: i32,
        caller: Caller<'_>,
    ) -> Result<&super::tree::Znode, ErrorCode> {
        self.check_session(caller)?;
        valid(path)?;
        let znode = self.get(path).ok_or(ErrorCode::NoNode)?;
        match permits(&znode.acl, perm, caller.ids) {
            true => Ok(znode),
            false => Err(ErrorCode::NoAuth),
        }
    }

    fn check_session(&self, caller: Caller<'_>) -> Result<(), ErrorCode> {
        match self.sessions.contains_key(&caller.session) || self.is_local(caller.session) {
            true => Ok(()),
            false => Err(ErrorCode::SessionExpired),
        }
    }
}

fn valid(path: &str) -> Result<(), ErrorCode> {
    let names_ok = |path: &str| {
        path.split('/')
            .skip(1)
            .all(|name| !["", ".", ".."].contains(&name) && !name.chars().any(char::is_control))
    };
    match path.starts_with('/') && (path == "/" || names_ok(path)) {
        true => Ok(()),
        false => Err(ErrorCode::BadArguments),
    }
}

fn next(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    match expected == -1 || expected == current {
        true => Ok(current.wrapping_add(1)),
        false => Err(ErrorCode::BadVersion),
    }
}
