//! Several operations in one request: a list of headers and records, closed by a header that
//! says so. Source: `MultiOperationRecord`, `MultiResponse`.

use crate::jute::{Decode, DecodeError, Encode, Reader};
use crate::op::OpCode;
use crate::request::{Check, Create, CreateTtl, Delete, Read, SetData};
use alloc::vec::Vec;

record! {
    /// Before each operation and each result.
    #[derive(Copy)]
    pub struct MultiHeader {
        /// An operation code, or -1 for an error result and for the end.
        pub op: i32,
        /// Whether this is the end.
        pub done: bool,
        /// -1 in requests; in results the error code.
        pub err: i32,
    }
}

impl MultiHeader {
    /// What closes a list.
    pub const END: Self = Self {
        op: -1,
        done: true,
        err: -1,
    };

    /// Before the result of a successful operation.
    pub fn result(op: OpCode) -> Self {
        Self {
            op: op.wire(),
            done: false,
            err: 0,
        }
    }

    /// Before an error result, which repeats `err` in its record.
    pub fn error(err: i32) -> Self {
        Self {
            op: -1,
            done: false,
            err,
        }
    }
}

/// One operation of a multi or multiRead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MultiOp<'a> {
    /// create, create2 or createContainer.
    Create(OpCode, Create<'a>),
    /// createTTL.
    CreateTtl(CreateTtl<'a>),
    /// delete.
    Delete(Delete<'a>),
    /// setData.
    SetData(SetData<'a>),
    /// check.
    Check(Check<'a>),
    /// getData or getChildren.
    Read(OpCode, Read<'a>),
}

impl MultiOp<'_> {
    /// The znode that it is about.
    pub fn path(&self) -> &str {
        match self {
            Self::Create(_, create) | Self::CreateTtl(CreateTtl { create, .. }) => &create.path,
            Self::Delete(delete) => &delete.path,
            Self::SetData(set) => &set.path,
            Self::Check(check) => &check.path,
            Self::Read(_, read) => &read.path,
        }
    }
}

/// Room for so many operations is made at once.
const USUAL: usize = 16;

/// Reads the operations of a multi (writes) or multiRead (reads). Lists that mix both, or hold
/// other operations, are refused, as `MultiOperationRecord` refuses them.
pub fn decode_multi<'a>(reader: &mut Reader<'a>) -> Result<Vec<MultiOp<'a>>, DecodeError> {
    let mut ops = Vec::with_capacity(USUAL);
    loop {
        let header = MultiHeader::decode(reader)?;
        if header.done {
            return Ok(ops);
        }
        let op = OpCode::from_wire(header.op).ok_or(DecodeError::UnknownValue(header.op))?;
        let op = match op {
            OpCode::Create | OpCode::Create2 | OpCode::CreateContainer => {
                MultiOp::Create(op, Create::decode(reader)?)
            }
            OpCode::CreateTtl => MultiOp::CreateTtl(CreateTtl::decode(reader)?),
            OpCode::Delete => MultiOp::Delete(Delete::decode(reader)?),
            OpCode::SetData => MultiOp::SetData(SetData::decode(reader)?),
            OpCode::Check => MultiOp::Check(Check::decode(reader)?),
            OpCode::GetData | OpCode::GetChildren => MultiOp::Read(op, Read::decode(reader)?),
            _ => return Err(DecodeError::UnknownValue(header.op)),
        };
        let is_read = |op: &MultiOp<'_>| matches!(op, MultiOp::Read(..));
        if ops
            .first()
            .is_some_and(|first| is_read(first) != is_read(&op))
        {
            return Err(DecodeError::UnknownValue(header.op));
        }
        ops.push(op);
    }
}

/// Appends the operations as a request's record.
pub fn encode_multi(ops: &[MultiOp<'_>], out: &mut Vec<u8>) {
    for op in ops {
        let (code, record): (OpCode, &dyn Encode) = match op {
            MultiOp::Create(code, record) => (*code, record),
            MultiOp::CreateTtl(record) => (OpCode::CreateTtl, record),
            MultiOp::Delete(record) => (OpCode::Delete, record),
            MultiOp::SetData(record) => (OpCode::SetData, record),
            MultiOp::Check(record) => (OpCode::Check, record),
            MultiOp::Read(code, record) => (*code, record),
        };
        MultiHeader {
            op: code.wire(),
            done: false,
            err: -1,
        }
        .encode(out);
        record.encode(out);
    }
    MultiHeader::END.encode(out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn reads_and_writes_do_not_mix() {
        let delete = MultiOp::Delete(Delete {
            path: "/a".into(),
            version: -1,
        });
        let read = MultiOp::Read(
            OpCode::GetData,
            Read {
                path: "/a".into(),
                watch: false,
            },
        );
        for (ops, good) in [
            (vec![], true),
            (vec![delete.clone(), delete.clone()], true),
            (vec![read.clone(), read.clone()], true),
            (vec![delete.clone(), read.clone()], false),
            (vec![read, delete], false),
        ] {
            let mut bytes = Vec::new();
            encode_multi(&ops, &mut bytes);
            let decoded = decode_multi(&mut Reader::new(&bytes));
            assert_eq!(decoded.ok(), good.then_some(ops));
        }
    }
}
