//! Several operations under one zxid, each on top of those before it.

use super::Preparer;
use alloc::vec::Vec;
use grevy_proto::multi::{MultiOp, decode_multi};
use grevy_proto::request::{CreateMode, CreateTtl};
use grevy_proto::txn::Txn;
use grevy_proto::{ErrorCode, OpCode, Reader};

impl Preparer<'_> {
    /// If an operation fails, nothing of the multi remains; the transaction says why and where.
    pub(super) fn multi<'r>(&mut self, record: &'r [u8]) -> Result<Txn<'r>, ErrorCode> {
        let ops = decode_multi(&mut Reader::new(record));
        let ops = ops.map_err(|_| ErrorCode::MarshallingError)?;
        ops.iter().try_for_each(check_shape)?;
        let paths = ops.iter().map(|op| op.path().as_bytes());
        self.pending.warm(self.tree, paths);
        let mut txns = Vec::with_capacity(ops.len());
        let mut failed = false;
        self.pending.begin_undo();
        for op in ops {
            if failed {
                txns.push(Txn::Error(ErrorCode::RuntimeInconsistency.wire()));
                continue;
            }
            let txn = self.part(op).unwrap_or_else(|code| {
                self.pending.roll_back(self.tree);
                failed = true;
                Txn::Error(code.wire())
            });
            txns.push(txn);
        }
        self.pending.keep();
        Ok(Txn::Multi(txns))
    }

    fn part<'r>(&mut self, op: MultiOp<'r>) -> Result<Txn<'r>, ErrorCode> {
        match op {
            // Here, unlike outside a multi, a container may be asked for by create, and anything
            // by createTTL.
            MultiOp::Create(op, create) => match CreateMode::from_wire(create.flags) {
                Some(CreateMode::Container) => self.create(OpCode::CreateContainer, create, None),
                _ => self.create(op, create, None),
            },
            MultiOp::CreateTtl(CreateTtl { create, ttl }) => {
                match CreateMode::from_wire(create.flags) {
                    Some(mode) if mode.is_ttl() => {
                        self.create(OpCode::CreateTtl, create, Some(ttl))
                    }
                    Some(CreateMode::Container) => {
                        self.create(OpCode::CreateContainer, create, None)
                    }
                    _ => self.create(OpCode::Create, create, None),
                }
            }
            MultiOp::Delete(delete) => self.delete(&delete),
            MultiOp::SetData(set) => self.set_data(&set),
            MultiOp::Check(check) => self.check(&check),
            MultiOp::Read(..) => Err(ErrorCode::MarshallingError),
        }
    }
}

/// What spoils the whole request, rather than one operation of it. Source:
/// `MultiOperationRecord.deserialize`.
fn check_shape(op: &MultiOp<'_>) -> Result<(), ErrorCode> {
    let is_good = match op {
        MultiOp::Create(_, create) => {
            CreateMode::from_wire(create.flags).is_some_and(|mode| !mode.is_ttl())
        }
        MultiOp::Read(..) => false,
        _ => true,
    };
    match is_good {
        true => Ok(()),
        false => Err(ErrorCode::MarshallingError),
    }
}
