//! Transactions, as they stand in the log, in proposals and in a commit.
//!
//! An entry is a header, a body by type, and (since 3.6) the digest of the tree after it.
//! Source: `TxnHeader`, `org.apache.zookeeper.txn`, `SerializeUtils.deserializeTxn`.

use crate::acl::Acl;
use crate::ids::{SessionId, Xid, Zxid};
use crate::jute::{Decode, DecodeError, Encode, Reader};
use crate::op::OpCode;
use alloc::borrow::{Cow, ToOwned};
use alloc::vec::Vec;

record! {
    /// Before every transaction; 32 bytes.
    #[derive(Copy)]
    pub struct TxnHeader {
        /// Whose request this was.
        pub session: SessionId,
        /// The client's number for the request.
        pub cxid: Xid,
        /// The transaction's number.
        pub zxid: Zxid,
        /// The leader's wall clock in ms since 1970.
        pub time: i64,
        /// An operation code; see [`Txn::op`].
        pub op: i32,
    }
}

record! {
    /// Digest of the whole tree after a transaction; 12 bytes.
    #[derive(Copy)]
    pub struct TxnDigest {
        /// Which algorithm; 2.
        pub version: i32,
        /// The sum over all znodes.
        pub digest: i64,
    }
}

/// The algorithm of [`TxnDigest`]s that this software computes (`DigestCalculator.DIGEST_VERSION`).
pub const DIGEST_VERSION: i32 = 2;

/// One transaction with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnEntry<'a> {
    /// Who, when, which.
    pub header: TxnHeader,
    /// What.
    pub txn: Txn<'a>,
    /// The tree's digest after it, if the leader computed one.
    pub digest: Option<TxnDigest>,
}

/// What a transaction does. Everything that could differ between servers has been decided: the
/// name of a sequential znode, new versions, the time.
///
/// Paths and data are where they came from, a request or an entry, unless they were made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Txn<'a> {
    /// create, create2, createContainer, createTTL.
    Create(CreateTxn<'a>),
    /// delete, deleteContainer.
    Delete(DeleteTxn<'a>),
    /// setData, reconfig.
    SetData(SetDataTxn<'a>),
    /// setACL.
    SetAcl(SetAclTxn<'a>),
    /// check; inside a multi only.
    Check(CheckTxn<'a>),
    /// Several of the above under one zxid. If one is an [`Txn::Error`], none takes effect.
    Multi(Vec<Txn<'a>>),
    /// A write that failed, with its error code.
    Error(i32),
    /// A session opens, with its timeout in ms.
    CreateSession(i32),
    /// A session ends. Its ephemeral znodes go: those listed, then any others. `None`: written
    /// before 3.6, without a list.
    CloseSession(Option<Vec<Cow<'a, str>>>),
}

/// A znode is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTxn<'a> {
    /// Its whole path.
    pub path: Cow<'a, str>,
    /// Its data.
    pub data: Option<Cow<'a, [u8]>>,
    /// Its access control list.
    pub acl: Vec<Acl>,
    /// What kind of znode.
    pub kind: CreateKind,
    /// The parent's stored cversion after this; -1: one more than it is.
    pub parent_cversion: i32,
}

/// What kind of znode a transaction creates, and by which operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateKind {
    /// create: persistent or ephemeral.
    Plain {
        /// Whether the session owns it.
        ephemeral: bool,
    },
    /// create2: likewise, the reply has a Stat.
    Plain2 {
        /// Whether the session owns it.
        ephemeral: bool,
    },
    /// createContainer.
    Container,
    /// createTTL, with the time to live in ms.
    Ttl(i64),
}

/// A znode is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteTxn<'a> {
    /// Its path.
    pub path: Cow<'a, str>,
    /// Whether the reaper of containers did it.
    pub container: bool,
}

/// A znode's data is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetDataTxn<'a> {
    /// Its path.
    pub path: Cow<'a, str>,
    /// Its new data.
    pub data: Option<Cow<'a, [u8]>>,
    /// Its version after this.
    pub version: i32,
    /// Whether a reconfiguration did it.
    pub reconfig: bool,
}

/// A znode's access control list is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAclTxn<'a> {
    /// Its path.
    pub path: Cow<'a, str>,
    /// Its new list.
    pub acl: Vec<Acl>,
    /// Its aversion after this.
    pub version: i32,
}

record! {
    /// A version was checked.
    pub struct CheckTxn<'a> {
        /// The znode's path.
        pub path: Cow<'a, str>,
        /// The version that was expected.
        pub version: i32,
    }
}

impl<'a> Txn<'a> {
    /// The operation code that the header carries.
    pub fn op(&self) -> OpCode {
        match self {
            Self::Create(create) => match create.kind {
                CreateKind::Plain { .. } => OpCode::Create,
                CreateKind::Plain2 { .. } => OpCode::Create2,
                CreateKind::Container => OpCode::CreateContainer,
                CreateKind::Ttl(_) => OpCode::CreateTtl,
            },
            Self::Delete(delete) if delete.container => OpCode::DeleteContainer,
            Self::Delete(_) => OpCode::Delete,
            Self::SetData(set) if set.reconfig => OpCode::Reconfig,
            Self::SetData(_) => OpCode::SetData,
            Self::SetAcl(_) => OpCode::SetAcl,
            Self::Check(_) => OpCode::Check,
            Self::Multi(_) => OpCode::Multi,
            Self::Error(_) => OpCode::Error,
            Self::CreateSession(_) => OpCode::CreateSession,
            Self::CloseSession(_) => OpCode::CloseSession,
        }
    }

    /// The znode that it is about; `None` if that is none, or several.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Create(create) => Some(&create.path),
            Self::Delete(delete) => Some(&delete.path),
            Self::SetData(set) => Some(&set.path),
            Self::SetAcl(set) => Some(&set.path),
            Self::Check(check) => Some(&check.path),
            Self::Multi(_) | Self::Error(_) | Self::CreateSession(_) | Self::CloseSession(_) => {
                None
            }
        }
    }

    /// Appends the body, without a header.
    pub fn encode_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Create(create) => {
                create.path.encode(out);
                create.data.encode(out);
                create.acl.encode(out);
                match create.kind {
                    CreateKind::Plain { ephemeral } | CreateKind::Plain2 { ephemeral } => {
                        ephemeral.encode(out);
                        create.parent_cversion.encode(out);
                    }
                    CreateKind::Container => create.parent_cversion.encode(out),
                    CreateKind::Ttl(ttl) => {
                        create.parent_cversion.encode(out);
                        ttl.encode(out);
                    }
                }
            }
            Self::Delete(delete) => delete.path.encode(out),
            Self::SetData(set) => {
                set.path.encode(out);
                set.data.encode(out);
                set.version.encode(out);
            }
            Self::SetAcl(set) => {
                set.path.encode(out);
                set.acl.encode(out);
                set.version.encode(out);
            }
            Self::Check(check) => check.encode(out),
            Self::Multi(txns) => {
                i32::try_from(txns.len()).unwrap_or(i32::MAX).encode(out);
                for txn in txns {
                    txn.op().wire().encode(out);
                    crate::jute::frame(out, |out| txn.encode_body(out));
                }
            }
            Self::Error(code) => code.encode(out),
            Self::CreateSession(timeout) => timeout.encode(out),
            Self::CloseSession(Some(paths)) => paths.encode(out),
            Self::CloseSession(None) => {}
        }
    }

    /// Reads a body of type `op`.
    fn decode_body(op: i32, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let op = OpCode::from_wire(op).ok_or(DecodeError::UnknownValue(op))?;
        Ok(match op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Self::Create(decode_create(op, reader)?)
            }
            OpCode::Delete | OpCode::DeleteContainer => Self::Delete(DeleteTxn {
                path: Decode::decode(reader)?,
                container: op == OpCode::DeleteContainer,
            }),
            OpCode::SetData | OpCode::Reconfig => Self::SetData(SetDataTxn {
                path: Decode::decode(reader)?,
                data: Decode::decode(reader)?,
                version: reader.int()?,
                reconfig: op == OpCode::Reconfig,
            }),
            OpCode::SetAcl => Self::SetAcl(SetAclTxn {
                path: Decode::decode(reader)?,
                acl: Decode::decode(reader)?,
                version: reader.int()?,
            }),
            OpCode::Check => Self::Check(CheckTxn::decode(reader)?),
            OpCode::Multi => Self::Multi(decode_multi(reader)?),
            OpCode::Error => Self::Error(reader.int()?),
            OpCode::CreateSession => Self::CreateSession(reader.int()?),
            OpCode::CloseSession => decode_close_session(reader)?,
            _ => return Err(DecodeError::UnknownValue(op.wire())),
        })
    }
}

/// A copy that borrows nothing.
fn owned<T: ?Sized + ToOwned>(value: Cow<'_, T>) -> Cow<'static, T> {
    Cow::Owned(value.into_owned())
}

impl Txn<'_> {
    /// The same, on its own.
    pub fn into_owned(self) -> Txn<'static> {
        match self {
            Self::Create(create) => Txn::Create(CreateTxn {
                path: owned(create.path),
                data: create.data.map(owned),
                acl: create.acl,
                kind: create.kind,
                parent_cversion: create.parent_cversion,
            }),
            Self::Delete(delete) => Txn::Delete(DeleteTxn {
                path: owned(delete.path),
                container: delete.container,
            }),
            Self::SetData(set) => Txn::SetData(SetDataTxn {
                path: owned(set.path),
                data: set.data.map(owned),
                version: set.version,
                reconfig: set.reconfig,
            }),
            Self::SetAcl(set) => Txn::SetAcl(SetAclTxn {
                path: owned(set.path),
                acl: set.acl,
                version: set.version,
            }),
            Self::Check(check) => Txn::Check(CheckTxn {
                path: owned(check.path),
                version: check.version,
            }),
            Self::Multi(parts) => Txn::Multi(parts.into_iter().map(Txn::into_owned).collect()),
            Self::Error(code) => Txn::Error(code),
            Self::CreateSession(timeout) => Txn::CreateSession(timeout),
            Self::CloseSession(paths) => {
                Txn::CloseSession(paths.map(|paths| paths.into_iter().map(owned).collect()))
            }
        }
    }
}

impl TxnEntry<'_> {
    /// The same, on its own.
    pub fn into_owned(self) -> TxnEntry<'static> {
        TxnEntry {
            header: self.header,
            txn: self.txn.into_owned(),
            digest: self.digest,
        }
    }
}

impl Encode for TxnEntry<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_entry(&self.header, &self.txn, self.digest, out);
    }
}

/// Appends an entry from its parts. `header.op` must be the transaction's.
pub fn encode_entry(
    header: &TxnHeader,
    txn: &Txn<'_>,
    digest: Option<TxnDigest>,
    out: &mut Vec<u8>,
) {
    header.encode(out);
    txn.encode_body(out);
    if let Some(digest) = digest {
        digest.encode(out);
    }
}

impl<'a> Decode<'a> for TxnEntry<'a> {
    /// Reads an entry that ends where the input ends. Bytes after a whole digest are ignored.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let header = TxnHeader::decode(reader)?;
        let txn = Txn::decode_body(header.op, reader)?;
        let digest = match reader.rest().len() {
            0..12 => None,
            _ => Some(TxnDigest::decode(reader)?),
        };
        reader.take(reader.rest().len())?;
        Ok(Self {
            header,
            txn,
            digest,
        })
    }
}

/// The header of an entry that can be read. It costs a fraction of reading it all.
///
/// # Errors
/// What reading it all would say.
pub fn check(entry: &[u8]) -> Result<TxnHeader, DecodeError> {
    let mut reader = Reader::new(entry);
    let header = TxnHeader::decode(&mut reader)?;
    match OpCode::from_wire(header.op) {
        Some(OpCode::Multi) => {
            let len = reader.vector_len()?.unwrap_or(0);
            each_part(len, &mut reader, skip_body)?;
        }
        _ => skip_body(header.op, &mut reader)?,
    }
    if reader.rest().len() >= 12 {
        TxnDigest::decode(&mut reader)?;
    }
    Ok(header)
}

/// Passes over a body of type `op`; over the most frequent one without looking at it.
fn skip_body(op: i32, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    if op != OpCode::SetData.wire() {
        return Txn::decode_body(op, reader).map(drop);
    }
    reader.buffer()?.ok_or(DecodeError::Null)?;
    reader.buffer()?;
    reader.int().map(drop)
}

/// The znode that an entry is about, as by [`Txn::path`], without reading all of it.
pub fn path_of(entry: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(entry);
    let header = TxnHeader::decode(&mut reader).ok()?;
    match OpCode::from_wire(header.op)? {
        OpCode::Create
        | OpCode::Create2
        | OpCode::CreateContainer
        | OpCode::CreateTtl
        | OpCode::Delete
        | OpCode::DeleteContainer
        | OpCode::SetData
        | OpCode::Reconfig
        | OpCode::SetAcl
        | OpCode::Check => reader.buffer().ok()?,
        _ => None,
    }
}

/// Logs of very old servers hold creates without the parent's cversion; then the entry ends early.
fn decode_create<'a>(op: OpCode, reader: &mut Reader<'a>) -> Result<CreateTxn<'a>, DecodeError> {
    let path = Decode::decode(reader)?;
    let data = Decode::decode(reader)?;
    let acl = Decode::decode(reader)?;
    let (kind, parent_cversion) = match op {
        OpCode::Create | OpCode::Create2 => {
            let ephemeral = reader.bool()?;
            let kind = match op {
                OpCode::Create => CreateKind::Plain { ephemeral },
                _ => CreateKind::Plain2 { ephemeral },
            };
            let parent_cversion = match reader.is_empty() && op == OpCode::Create {
                true => -1,
                false => reader.int()?,
            };
            (kind, parent_cversion)
        }
        OpCode::CreateContainer => (CreateKind::Container, reader.int()?),
        _ => {
            let parent_cversion = reader.int()?;
            (CreateKind::Ttl(reader.long()?), parent_cversion)
        }
    };
    Ok(CreateTxn {
        path,
        data,
        acl,
        kind,
        parent_cversion,
    })
}

fn decode_multi<'a>(reader: &mut Reader<'a>) -> Result<Vec<Txn<'a>>, DecodeError> {
    let len = reader.vector_len()?.unwrap_or(0);
    // None is shorter than its type and its length, so no more room is made than was received.
    let mut txns = Vec::with_capacity(len.min(reader.rest().len() / 8));
    each_part(len, reader, |op, body| {
        txns.push(Txn::decode_body(op, body)?);
        Ok(())
    })?;
    Ok(txns)
}

/// Hands the `len` parts of a multi to `handle`, with their types.
fn each_part<'a>(
    len: usize,
    reader: &mut Reader<'a>,
    mut handle: impl FnMut(i32, &mut Reader<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    for _ in 0..len {
        let op = reader.int()?;
        let body = reader.buffer()?.unwrap_or_default();
        if matches!(
            OpCode::from_wire(op),
            Some(OpCode::Multi | OpCode::CreateSession | OpCode::CloseSession)
        ) {
            return Err(DecodeError::UnknownValue(op));
        }
        // Java servers call those before the part that failed errors as they apply the
        // transaction, leave the bytes of what they were, and may pass that on.
        let body = match op == OpCode::Error.wire() && body.len() > size_of::<i32>() {
            true => &[0; size_of::<i32>()],
            false => body,
        };
        handle(op, &mut Reader::new(body))?;
    }
    Ok(())
}

/// The list of paths may be missing; a digest of version 2 may follow it, or stand in its place,
/// where its first bytes look like a list of two.
fn decode_close_session<'a>(reader: &mut Reader<'a>) -> Result<Txn<'a>, DecodeError> {
    if reader.is_empty() {
        return Ok(Txn::CloseSession(None));
    }
    let mut attempt = *reader;
    match Decode::decode(&mut attempt) {
        Ok(paths) => {
            *reader = attempt;
            Ok(Txn::CloseSession(Some(paths)))
        }
        Err(_) if reader.rest().len() == 12 => Ok(Txn::CloseSession(None)),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn header(op: OpCode) -> TxnHeader {
        TxnHeader {
            session: SessionId(5),
            cxid: Xid(6),
            zxid: Zxid(7),
            time: 8,
            op: op.wire(),
        }
    }

    fn create(kind: CreateKind) -> Txn<'static> {
        Txn::Create(CreateTxn {
            path: "/a".into(),
            data: Some(b"x".as_slice().into()),
            acl: vec![Acl::OPEN],
            kind,
            parent_cversion: 3,
        })
    }

    #[test]
    fn parts_of_a_failed_multi_may_have_other_bytes() {
        let part = |op: OpCode, bytes: &[u8]| {
            let mut out = op.wire().to_bytes();
            Some(bytes).encode(&mut out);
            out
        };
        let set = Txn::SetData(SetDataTxn {
            path: "/a".into(),
            data: None,
            version: 1,
            reconfig: false,
        });
        let mut was = Vec::new();
        set.encode_body(&mut was);
        let mut bytes = header(OpCode::Multi).to_bytes();
        2i32.encode(&mut bytes);
        bytes.extend(part(OpCode::Error, &was));
        bytes.extend(part(OpCode::Error, &(-103i32).to_bytes()));
        let read = TxnEntry::from_bytes(&bytes).unwrap().txn;
        assert_eq!(read, Txn::Multi(vec![Txn::Error(0), Txn::Error(-103)]));
    }

    /// Whatever the bytes are, a check says what reading them says.
    fn assert_checked_as_read(bytes: &[u8]) {
        let read = TxnEntry::from_bytes(bytes).map(|entry| entry.header);
        assert_eq!(check(bytes), read, "{bytes:?}");
    }

    #[test]
    fn every_type_round_trips() {
        let delete = |container| {
            Txn::Delete(DeleteTxn {
                path: "/a".into(),
                container,
            })
        };
        let set = |reconfig| {
            Txn::SetData(SetDataTxn {
                path: "/a".into(),
                data: None,
                version: 4,
                reconfig,
            })
        };
        let check = Txn::Check(CheckTxn {
            path: "/a".into(),
            version: 4,
        });
        for txn in [
            create(CreateKind::Plain { ephemeral: true }),
            create(CreateKind::Plain2 { ephemeral: false }),
            create(CreateKind::Container),
            create(CreateKind::Ttl(1000)),
            delete(false),
            delete(true),
            set(false),
            set(true),
            Txn::SetAcl(SetAclTxn {
                path: "/a".into(),
                acl: vec![Acl::READ],
                version: 1,
            }),
            Txn::Multi(vec![check, Txn::Error(-101), set(false)]),
            Txn::Error(-110),
            Txn::CreateSession(30_000),
            Txn::CloseSession(Some(vec!["/a".into(), "/b".into()])),
            Txn::CloseSession(Some(vec![])),
            Txn::CloseSession(None),
        ] {
            for digest in [
                None,
                Some(TxnDigest {
                    version: DIGEST_VERSION,
                    digest: -9,
                }),
            ] {
                let entry = TxnEntry {
                    header: header(txn.op()),
                    txn: txn.clone(),
                    digest,
                };
                let bytes = entry.to_bytes();
                for end in 0..=bytes.len() {
                    assert_checked_as_read(&bytes[..end]);
                }
                for at in 0..bytes.len() - 3 {
                    for strange in [-1, 0, 1, i32::MIN, i32::MAX] {
                        let mut other = bytes.clone();
                        other[at..at + 4].copy_from_slice(&strange.to_be_bytes());
                        assert_checked_as_read(&other);
                    }
                }
                assert_eq!(path_of(&bytes), entry.txn.path().map(str::as_bytes));
                let read = TxnEntry::from_bytes(&bytes);
                assert_eq!(read.map(TxnEntry::into_owned), Ok(entry.clone()));
                assert_eq!(TxnEntry::from_bytes(&bytes), Ok(entry));
            }
        }
    }

    #[test]
    fn a_create_of_an_old_log_has_no_parent_cversion() {
        let mut bytes = header(OpCode::Create).to_bytes();
        create(CreateKind::Plain { ephemeral: false }).encode_body(&mut bytes);
        bytes.truncate(bytes.len() - 4);
        let Ok(Txn::Create(create)) = TxnEntry::from_bytes(&bytes).map(|entry| entry.txn) else {
            panic!("not a create");
        };
        assert_eq!(create.parent_cversion, -1);
    }

    #[test]
    fn damage_is_an_error() {
        let mut bytes = header(OpCode::SetData).to_bytes();
        assert!(TxnEntry::from_bytes(&bytes).is_err());
        bytes[28..32].copy_from_slice(&99i32.to_be_bytes());
        assert_eq!(
            TxnEntry::from_bytes(&bytes),
            Err(DecodeError::UnknownValue(99))
        );
    }
}
