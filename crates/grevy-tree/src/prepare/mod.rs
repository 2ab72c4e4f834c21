//! Deciding: what a write request becomes, on the leader, before anybody agrees to it.
//! Source: `PrepRequestProcessor`.
//!
//! A request is checked against the tree and everything that is proposed but not yet applied
//! ([`Pending`]), and becomes a transaction in which nothing is left open. A write that is refused
//! takes a zxid, too: the server that it came from learns of the refusal in its place in the
//! order of transactions.

mod create;
mod delete;
mod multi;
mod pending;
mod quota;
mod screen;
mod session;
mod update;

pub use pending::Pending;

use crate::digest::{self, node_digest};
use crate::permission::Schemes;
use crate::tree::Tree;
use alloc::boxed::Box;
use grevy_proto::multi::decode_multi;
use grevy_proto::request::{self, Reconfig};
use grevy_proto::txn::{DIGEST_VERSION, Txn, TxnDigest, TxnHeader};
use grevy_proto::{
    Acl, Decode, ErrorCode, Id, OpCode, Reader, SessionId, StatPersisted, Xid, Zxid,
};
use pending::{Hashed, PendingZnode, View};

/// What decisions depend on besides the tree; the same for all requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrepareConfig {
    /// Which schemes access control lists may use.
    pub schemes: Schemes,
    /// Nobody needs any permission (`zookeeper.skipACL`).
    pub skip_acl: bool,
    /// Hard limits of quotas are enforced (`zookeeper.enforceQuota`).
    pub enforce_quota: bool,
    /// Clients may change the ensemble (`reconfigEnabled`).
    pub reconfig: bool,
    /// The end of a session lists its ephemeral znodes (`zookeeper.closeSessionTxn.enabled`).
    pub close_session_paths: bool,
    /// How long a request may be, in bytes (`jute.maxbuffer`); one that came through another
    /// server may be longer than this one would have taken.
    pub request_bytes: usize,
    /// How many bytes longer than the request a transaction may become, by `auth` in lists and by
    /// sequence numbers, and how long a list of a session's ephemeral znodes may be. With the
    /// request and some 100 bytes this must stay below what every member accepts as one record
    /// (ZOOKEEPER-4306).
    pub expansion_bytes: usize,
}

impl Default for PrepareConfig {
    fn default() -> Self {
        Self {
            schemes: Schemes::default(),
            skip_acl: false,
            enforce_quota: false,
            reconfig: false,
            close_session_paths: true,
            request_bytes: 0xf_ffff,
            expansion_bytes: 512 * 1024,
        }
    }
}

impl PrepareConfig {
    /// Whether somebody with `ids` has one of the permissions `perm` by the list `acl`.
    pub fn permits(&self, acl: &[Acl], perm: i32, ids: &[Id]) -> bool {
        self.skip_acl || self.schemes.permits(acl, perm, ids)
    }
}

/// A write as its client sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteRequest<'a> {
    /// What it asks for.
    pub op: OpCode,
    /// The record, still encoded. Bytes after it are ignored.
    pub record: &'a [u8],
}

/// Whose request it is, and what the transaction gets besides the request.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// What holds for all requests.
    pub config: &'a PrepareConfig,
    /// The session; [`SessionId::NONE`] for the leader's own reaper of containers.
    pub session: SessionId,
    /// The client's number for the request.
    pub cxid: Xid,
    /// The transaction's number.
    pub zxid: Zxid,
    /// The wall clock in ms since 1970.
    pub time: i64,
    /// The identities of the client's connection.
    pub ids: &'a [Id],
    /// Whether the session may write: otherwise `SessionExpired`, `SessionMoved`,
    /// `UnknownSession`.
    pub session_state: Result<(), ErrorCode>,
    /// Whether it may own ephemeral znodes: otherwise one of these, or
    /// `EphemeralOnLocalSession`.
    pub ephemeral_state: Result<(), ErrorCode>,
    /// Decides on a new configuration of the ensemble, without any effect; see
    /// [`Reconfigure`]. `None` on a standalone server.
    pub reconfigure: Option<&'a Reconfigure<'a>>,
}

/// Says what `/zookeeper/config` is to hold after a reconfiguration, or `ReconfigInProgress`,
/// `BadVersion`, `BadArguments` or `NewConfigNoQuorum`.
pub type Reconfigure<'a> = dyn Fn(&Reconfig<'_>) -> Result<Box<[u8]>, ErrorCode> + 'a;

impl Context<'_> {
    /// The header of the transaction that the request became.
    pub fn header(&self, txn: &Txn<'_>) -> TxnHeader {
        TxnHeader {
            session: self.session,
            cxid: self.cxid,
            zxid: self.zxid,
            time: self.time,
            op: txn.op().wire(),
        }
    }
}

/// What a request became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared<'r> {
    /// The transaction; [`Txn::Error`] if the request is refused, and [`Txn::Multi`] with an
    /// error in it for a multi.
    pub txn: Txn<'r>,
    /// The tree's digest once it is applied. Missing for [`Txn::Error`], and if digests are off.
    pub digest: Option<TxnDigest>,
}

impl Prepared<'_> {
    /// The same, on its own.
    pub fn into_owned(self) -> Prepared<'static> {
        Prepared {
            txn: self.txn.into_owned(),
            digest: self.digest,
        }
    }
}

impl Pending {
    /// Decides on a request. `context.zxid` is greater than in all calls before. Since this was new
    /// or cleared, `tree` has applied nothing but what was decided here, as far as
    /// [`Pending::applied`] was told.
    ///
    /// # Errors
    /// The record cannot be read: there is no transaction, and the zxid is still free.
    pub fn prepare<'r>(
        &mut self,
        tree: &Tree,
        request: &WriteRequest<'r>,
        context: &Context<'_>,
    ) -> Result<Prepared<'r>, ErrorCode> {
        let txn = self.decide(tree, request, context);
        // A multi whose record cannot be read takes a zxid, as in ZooKeeper.
        if txn == Err(ErrorCode::MarshallingError) && request.op != OpCode::Multi {
            return Err(ErrorCode::MarshallingError);
        }
        let digest = match txn {
            Err(_) => None,
            Ok(_) => tree.config().digest.then(|| TxnDigest {
                version: DIGEST_VERSION,
                digest: self.digest(tree),
            }),
        };
        let txn = txn.unwrap_or_else(|code| Txn::Error(code.wire()));
        Ok(Prepared { txn, digest })
    }

    fn decide<'r>(
        &mut self,
        tree: &Tree,
        request: &WriteRequest<'r>,
        context: &Context<'_>,
    ) -> Result<Txn<'r>, ErrorCode> {
        if request.record.len() > context.config.request_bytes {
            return Err(ErrorCode::BadArguments);
        }
        self.begin(tree);
        let mut preparer = Preparer {
            pending: self,
            tree,
            context,
            room: context.config.expansion_bytes,
        };
        let record = request.record;
        match request.op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
                preparer.create(request.op, decode(record)?, None)
            }
            OpCode::CreateTtl => {
                let request::CreateTtl { create, ttl } = decode(record)?;
                preparer.create(request.op, create, Some(ttl))
            }
            OpCode::Delete => preparer.delete(&decode(record)?),
            OpCode::DeleteContainer => preparer.delete_container(&decode(record)?),
            OpCode::SetData => preparer.set_data(&decode(record)?),
            OpCode::SetAcl => preparer.set_acl(decode(record)?),
            OpCode::Reconfig => preparer.reconfig(&decode(record)?),
            OpCode::Multi => preparer.multi(record),
            OpCode::CreateSession => decode(record).map(Txn::CreateSession),
            OpCode::CloseSession => preparer.close_session(),
            // Not writes; among them check, which only exists inside a multi.
            _ => Err(ErrorCode::Unimplemented),
        }
    }
}

/// Whether the record of a write can be read at all.
///
/// # Errors
/// `MarshallingError` if it cannot.
pub fn check_readable(request: &WriteRequest<'_>) -> Result<(), ErrorCode> {
    let record = request.record;
    match request.op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
            decode::<request::Create<'_>>(record).map(drop)
        }
        OpCode::CreateTtl => decode::<request::CreateTtl<'_>>(record).map(drop),
        OpCode::Delete => decode::<request::Delete<'_>>(record).map(drop),
        OpCode::DeleteContainer => decode::<request::PathOnly<'_>>(record).map(drop),
        OpCode::SetData => decode::<request::SetData<'_>>(record).map(drop),
        OpCode::SetAcl => decode::<request::SetAcl<'_>>(record).map(drop),
        OpCode::Reconfig => decode::<Reconfig<'_>>(record).map(drop),
        OpCode::Multi => decode_multi(&mut Reader::new(record))
            .map(drop)
            .map_err(|_| ErrorCode::MarshallingError),
        OpCode::CreateSession => decode::<i32>(record).map(drop),
        _ => Ok(()),
    }
}

fn decode<'a, T: Decode<'a>>(record: &'a [u8]) -> Result<T, ErrorCode> {
    T::decode(&mut Reader::new(record)).map_err(|_| ErrorCode::MarshallingError)
}

/// One request on its way to becoming a transaction.
struct Preparer<'a> {
    pending: &'a mut Pending,
    tree: &'a Tree,
    context: &'a Context<'a>,
    /// How many bytes the transaction may yet grow by.
    room: usize,
}

impl Preparer<'_> {
    fn at<'p>(&self, path: &'p str) -> Hashed<'p> {
        Hashed::new(self.tree, path)
    }

    /// The znode as it will be when everything proposed so far is applied.
    fn look(&self, at: Hashed<'_>) -> Option<View<'_>> {
        self.pending.look(self.tree, at)
    }

    fn find(&self, at: Hashed<'_>) -> Result<View<'_>, ErrorCode> {
        self.look(at).ok_or(ErrorCode::NoNode)
    }

    fn permit(&self, znode: &View<'_>, perm: i32) -> Result<(), ErrorCode> {
        let Context { config, ids, .. } = self.context;
        match config.permits(znode.acl(), perm, ids) {
            true => Ok(()),
            false => Err(ErrorCode::NoAuth),
        }
    }
}

// What the operations have in common when they write.
impl Preparer<'_> {
    fn write(&mut self, at: Hashed<'_>, old_digest: u32, znode: Option<PendingZnode>) {
        let zxid = self.context.zxid;
        self.pending.write(self.tree, at, zxid, old_digest, znode);
    }

    /// Whether the tree's digest covers the znode.
    fn counts(&self, path: &str) -> bool {
        self.tree.config().digest && digest::counts(path)
    }

    /// What a znode adds to the tree's digest.
    fn digest_of(&self, path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> u32 {
        match (self.counts(path), path) {
            (false, _) => 0,
            (true, "/") => node_digest("", data, stat),
            (true, _) => node_digest(path, data, stat),
        }
    }
}

/// The path of the parent, as far as a path that was not checked yet has one.
fn parent_of(path: &str) -> Result<&str, ErrorCode> {
    match path.rfind('/') {
        Some(at) if !path.contains('\0') => Ok(&path[..at]),
        _ => Err(ErrorCode::BadArguments),
    }
}

fn validate(path: &str) -> Result<(), ErrorCode> {
    grevy_proto::path::validate(path).map_err(|_| ErrorCode::BadArguments)
}

/// The version that follows `current`, if `expected` is that, or -1 for any.
fn next_version(current: i32, expected: i32) -> Result<i32, ErrorCode> {
    match expected == -1 || expected == current {
        true => Ok(current.wrapping_add(1)),
        false => Err(ErrorCode::BadVersion),
    }
}

#[cfg(test)]
mod tests;
