//! Requests whose answers are waited for later, so that many can be under way, and several
//! writes as one transaction. Paths are the client's, below the chroot.

use super::ops::{children_and_stat, data_and_stat, decode};
use super::shared::Effect;
use super::{Client, ClientError, Node, Reply};
use grevy_proto::multi::{MultiHeader, MultiOp, encode_multi};
use grevy_proto::request::{Check, Create, CreateMode, CreateTtl, Delete, Read, SetAcl, SetData};
use grevy_proto::{Acl, Decode, DecodeError, Encode, OpCode, Reader, Stat};
use std::borrow::Cow;

/// An answer that will come. Answers come in the order of the requests.
#[must_use]
pub struct Pending<T> {
    reply: Reply,
    read: fn(&[u8]) -> Result<T, ClientError>,
}

impl<T> Pending<T> {
    /// Waits for it.
    pub fn wait(self) -> Result<T, ClientError> {
        (self.read)(&self.reply.wait()?)
    }
}

/// A write that is part of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write<'a> {
    /// Creates a znode.
    Create(&'a str, &'a Node),
    /// Deletes a znode of the given version, or -1 for any.
    Delete(&'a str, i32),
    /// Replaces the data of a znode of the given version, or -1 for any.
    SetData(&'a str, &'a [u8], i32),
    /// Fails the transaction unless the znode has this version, or exists if that is -1.
    Check(&'a str, i32),
}

impl<'a> Write<'a> {
    /// Which znode it is about.
    pub fn path(&self) -> &'a str {
        match self {
            Self::Create(path, _)
            | Self::Delete(path, _)
            | Self::SetData(path, ..)
            | Self::Check(path, _) => path,
        }
    }
}

impl Client {
    /// Asks for data and Stat.
    pub fn submit_get_data(&self, path: &str) -> Pending<(Option<Vec<u8>>, Stat)> {
        self.pending(OpCode::GetData, &self.unwatched(path), data_and_stat)
    }

    /// Asks for names of children, and the Stat.
    pub fn submit_get_children(&self, path: &str) -> Pending<(Vec<String>, Stat)> {
        self.pending(
            OpCode::GetChildren2,
            &self.unwatched(path),
            children_and_stat,
        )
    }

    /// Asks for the access control list.
    pub fn submit_get_acl(&self, path: &str) -> Pending<Vec<Acl>> {
        self.pending(OpCode::GetAcl, &self.path_only(path), decode_list)
    }

    /// Creates a znode.
    pub fn submit_create(&self, path: &str, node: &Node) -> Pending<()> {
        let create = self.create_request(path, node);
        match (node.mode.is_ttl(), node.mode) {
            (true, _) => {
                let ttl = node.ttl;
                self.pending(OpCode::CreateTtl, &CreateTtl { create, ttl }, nothing)
            }
            (false, CreateMode::Container) => {
                self.pending(OpCode::CreateContainer, &create, nothing)
            }
            (false, _) => self.pending(OpCode::Create, &create, nothing),
        }
    }

    /// Replaces data, whatever the version.
    pub fn submit_set_data(&self, path: &str, data: Option<&[u8]>) -> Pending<()> {
        let path = self.server_path(path).into();
        let version = -1;
        let set = SetData {
            path,
            data,
            version,
        };
        self.pending(OpCode::SetData, &set, nothing)
    }

    /// Replaces the access control list, whatever the aversion.
    pub fn submit_set_acl(&self, path: &str, acl: &[Acl]) -> Pending<()> {
        let set = SetAcl {
            path: self.server_path(path).into(),
            acl: acl.to_vec(),
            version: -1,
        };
        self.pending(OpCode::SetAcl, &set, nothing)
    }

    /// Deletes a znode, whatever the version.
    pub fn submit_delete(&self, path: &str) -> Pending<()> {
        let path = self.server_path(path).into();
        let version = -1;
        self.pending(OpCode::Delete, &Delete { path, version }, nothing)
    }

    /// Writes, as one transaction: all of them or none. The error is the first one that is the
    /// reason, and the place of its write in `writes`.
    pub fn multi(&self, writes: &[Write<'_>]) -> Result<(), (usize, ClientError)> {
        let ops: Vec<_> = writes.iter().map(|write| self.multi_op(write)).collect();
        let mut body = Vec::new();
        encode_multi(&ops, &mut body);
        let reply = self.shared.submit(OpCode::Multi, body, Effect::None);
        let record = reply.wait().map_err(|error| (0, error))?;
        read_results(&record).unwrap_or_else(|error| Err((0, error.into())))
    }

    fn multi_op<'a>(&self, write: &Write<'a>) -> MultiOp<'a> {
        match *write {
            Write::Create(path, node) => {
                MultiOp::Create(OpCode::Create, self.create_request(path, node))
            }
            Write::Delete(path, version) => {
                let path = self.server_path(path).into();
                MultiOp::Delete(Delete { path, version })
            }
            Write::SetData(path, data, version) => MultiOp::SetData(SetData {
                path: self.server_path(path).into(),
                data: Some(data),
                version,
            }),
            Write::Check(path, version) => {
                let path = self.server_path(path).into();
                MultiOp::Check(Check { path, version })
            }
        }
    }

    fn create_request<'a>(&self, path: &str, node: &'a Node) -> Create<'a> {
        Create {
            path: self.server_path(path).into(),
            data: node.data.as_deref(),
            acl: node.acl.clone(),
            flags: node.mode as i32,
        }
    }

    fn unwatched(&self, path: &str) -> Read<'static> {
        let path = self.server_path(path).into();
        Read { path, watch: false }
    }

    fn pending<T>(
        &self,
        op: OpCode,
        record: &dyn Encode,
        read: fn(&[u8]) -> Result<T, ClientError>,
    ) -> Pending<T> {
        let reply = self.shared.submit(op, record.to_bytes(), Effect::None);
        Pending { reply, read }
    }
}

fn nothing(_: &[u8]) -> Result<(), ClientError> {
    Ok(())
}

fn decode_list(record: &[u8]) -> Result<Vec<Acl>, ClientError> {
    decode(record)
}

/// The results of a multi. Every write of a failed one has an error; the reason is the one that
/// is neither "ok" nor "not tried".
fn read_results(record: &[u8]) -> Result<Result<(), (usize, ClientError)>, DecodeError> {
    const NOT_TRIED: i32 = grevy_proto::ErrorCode::RuntimeInconsistency as i32;
    let mut reader = Reader::new(record);
    let mut outcome = Ok(());
    for at in 0.. {
        let header = MultiHeader::decode(&mut reader)?;
        if header.done {
            break;
        }
        match OpCode::from_wire(header.op) {
            Some(OpCode::Create) => drop(Cow::<'_, str>::decode(&mut reader)?),
            Some(OpCode::SetData) => drop(Stat::decode(&mut reader)?),
            Some(OpCode::Delete | OpCode::Check) => {}
            Some(OpCode::Error) => match reader.int()? {
                0 | NOT_TRIED => {}
                code if outcome.is_ok() => outcome = Err((at, ClientError::Server(code))),
                _ => {}
            },
            _ => return Err(DecodeError::UnknownValue(header.op)),
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::testing::{int, text};

    #[test]
    fn results_of_transactions() {
        let result = |op: i32, record: Vec<u8>| [int(op), vec![0], int(0), record].concat();
        let error = |code: i32| [int(-1), vec![0], int(code), int(code)].concat();
        let end = || [int(-1), vec![1], int(-1)].concat();
        for (parts, expected) in [
            (
                vec![
                    result(1, text("/a")),
                    result(5, vec![0; 68]),
                    result(2, vec![]),
                    result(13, vec![]),
                ],
                Ok(()),
            ),
            (
                vec![error(0), error(-110), error(-2)],
                Err((1, ClientError::Server(-110))),
            ),
        ] {
            let record = [parts.concat(), end()].concat();
            assert_eq!(read_results(&record), Ok(expected));
        }
        assert!(read_results(&[0; 3]).is_err());
    }
}
