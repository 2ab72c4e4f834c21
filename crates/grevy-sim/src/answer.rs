//! What servers answer, as values that can be compared with what a model says.

use crate::operation::{AclEntry, CreateCall, Operation, ReadKind};
use grevy_proto::{Acl, Decode, DecodeError, Reader, Stat};

/// A reply without its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The header's error code; no record follows.
    Error(i32),
    /// Success without a record.
    Done,
    /// create.
    Path(String),
    /// create2, createContainer, createTTL.
    Created(String, Stat),
    /// exists, setData, setACL.
    Stat(Stat),
    /// getData.
    Data(Option<Vec<u8>>, Stat),
    /// getChildren and paths of ephemerals; sorted.
    Names(Vec<String>),
    /// getChildren2; sorted.
    NamesStat(Vec<String>, Stat),
    /// getACL.
    Acl(Vec<AclEntry>, Stat),
    /// getAllChildrenNumber, addWatch.
    Number(i32),
    /// whoAmI.
    Users(Vec<(String, String)>),
    /// multi and multiRead.
    Parts(Vec<Answer>),
}

impl Answer {
    /// Reads the reply to `operation`. `err` is the header's.
    pub fn decode(operation: &Operation, err: i32, body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let answer = match err {
            0 => record(operation, &mut reader)?,
            code => Self::Error(code),
        };
        reader.finish()?;
        Ok(answer)
    }
}

fn record(operation: &Operation, reader: &mut Reader<'_>) -> Result<Answer, DecodeError> {
    Ok(match operation {
        Operation::Create(create) if create.op == CreateCall::Create => Answer::Path(text(reader)?),
        Operation::Create(_) => Answer::Created(text(reader)?, Stat::decode(reader)?),
        Operation::SetData { .. } | Operation::SetAcl { .. } => Answer::Stat(Stat::decode(reader)?),
        Operation::Read { kind, .. } => read(*kind, reader)?,
        Operation::GetAcl(_) => {
            let acl = Vec::<Acl>::decode(reader)?.into_iter();
            let entry = |acl: Acl| {
                (
                    acl.perms,
                    acl.id.scheme.into_owned(),
                    acl.id.id.into_owned(),
                )
            };
            Answer::Acl(acl.map(entry).collect(), Stat::decode(reader)?)
        }
        Operation::GetEphemerals(_) => Answer::Names(names(reader)?),
        Operation::CountDescendants(_) | Operation::AddWatch { .. } => {
            Answer::Number(reader.int()?)
        }
        Operation::WhoAmI => {
            let mut users = Vec::new();
            for _ in 0..reader.vector_len()?.unwrap_or(0) {
                users.push((text(reader)?, text(reader)?));
            }
            Answer::Users(users)
        }
        Operation::Multi(_) | Operation::MultiRead(_) => Answer::Parts(parts(reader)?),
        Operation::Sync(_) => Answer::Path(text(reader)?),
        Operation::Delete { .. }
        | Operation::Check { .. }
        | Operation::WatchOf { .. }
        | Operation::Reconfig { .. }
        | Operation::SetWatches(_)
        | Operation::Auth(_)
        | Operation::Ping
        | Operation::CloseSession => Answer::Done,
    })
}

fn read(kind: ReadKind, reader: &mut Reader<'_>) -> Result<Answer, DecodeError> {
    Ok(match kind {
        ReadKind::Exists => Answer::Stat(Stat::decode(reader)?),
        ReadKind::Data => {
            let data = reader.buffer()?.map(<[u8]>::to_vec);
            Answer::Data(data, Stat::decode(reader)?)
        }
        ReadKind::Children => Answer::Names(names(reader)?),
        ReadKind::Children2 => Answer::NamesStat(names(reader)?, Stat::decode(reader)?),
    })
}

/// The results say what they are.
fn parts(reader: &mut Reader<'_>) -> Result<Vec<Answer>, DecodeError> {
    let mut parts = Vec::new();
    loop {
        let (op, done, err) = (reader.int()?, reader.bool()?, reader.int()?);
        if done {
            return Ok(parts);
        }
        parts.push(match op {
            -1 => {
                let code = reader.int()?;
                match code == err {
                    true => Answer::Error(code),
                    false => return Err(DecodeError::UnknownValue(code)),
                }
            }
            1 => Answer::Path(text(reader)?),
            15 => Answer::Created(text(reader)?, Stat::decode(reader)?),
            2 | 13 => Answer::Done,
            5 => Answer::Stat(Stat::decode(reader)?),
            4 => read(ReadKind::Data, reader)?,
            8 => read(ReadKind::Children, reader)?,
            _ => return Err(DecodeError::UnknownValue(op)),
        });
    }
}

fn text(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    Ok(reader.string()?.ok_or(DecodeError::Null)?.into_owned())
}

/// Servers give them in any order; a name that comes twice stays twice.
fn names(reader: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let mut names = Vec::new();
    for _ in 0..reader.vector_len()?.unwrap_or(0) {
        names.push(text(reader)?);
    }
    names.sort_unstable();
    Ok(names)
}
