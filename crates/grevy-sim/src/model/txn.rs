//! Reads transactions as they stand in logs; written anew from the format's description.

use crate::operation::AclEntry;

/// One log record's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whose request.
    pub session: i64,
    /// Its number.
    pub cxid: i32,
    /// The transaction's number.
    pub zxid: i64,
    /// Milliseconds since 1970.
    pub time: i64,
    /// The operation code in the header.
    pub op: i32,
    /// What it does.
    pub change: Change,
    /// The tree's digest afterwards.
    pub digest: Option<i64>,
}

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A znode comes into being.
    Create {
        /// The operation code: 1, 15, 19, 21.
        op: i32,
        /// Its path.
        path: String,
        /// Its data.
        data: Option<Vec<u8>>,
        /// Its list.
        acl: Vec<AclEntry>,
        /// What kind.
        kind: Kind,
        /// Creates under the parent, with this one.
        parent_cversion: i32,
    },
    /// A znode goes.
    Delete {
        /// Its path.
        path: String,
        /// By deleteContainer.
        container: bool,
    },
    /// New data.
    SetData {
        /// The znode.
        path: String,
        /// The data.
        data: Option<Vec<u8>>,
        /// The version afterwards.
        version: i32,
    },
    /// A new list.
    SetAcl {
        /// The znode.
        path: String,
        /// The list.
        acl: Vec<AclEntry>,
        /// The aversion afterwards.
        version: i32,
    },
    /// A version was checked.
    Check {
        /// The znode.
        path: String,
        /// The version afterwards, had it been a change.
        version: i32,
    },
    /// The ensemble has other members: the text.
    Reconfig(String),
    /// A failed write.
    Error(i32),
    /// Several under one zxid.
    Multi(Vec<Change>),
    /// A session opens, with its timeout in ms.
    CreateSession(i32),
    /// A session ends, with its ephemerals' paths.
    CloseSession(Option<Vec<String>>),
}

/// What kind of znode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Stays.
    Persistent,
    /// Goes with its session.
    Ephemeral,
    /// Goes after its last child.
    Container,
    /// Goes after so many ms.
    Ttl(i64),
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        if self.0.len() < n {
            return None;
        }
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        Some(head)
    }

    fn int(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn long(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.take(1)? != [0])
    }

    fn buffer(&mut self) -> Option<Option<Vec<u8>>> {
        match self.int()? {
            -1 => Some(None),
            len => Some(Some(self.take(usize::try_from(len).ok()?)?.to_vec())),
        }
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.buffer()??).ok()
    }

    fn paths(&mut self) -> Option<Vec<String>> {
        let len = self.int()?;
        (0..len).map(|_| self.text()).collect()
    }

    fn acl(&mut self) -> Option<Vec<AclEntry>> {
        let len = self.int()?;
        (0..len)
            .map(|_| Some((self.int()?, self.text()?, self.text()?)))
            .collect()
    }
}

impl Entry {
    /// Reads an entry; `None` if it is not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        let session = bytes.long()?;
        let cxid = bytes.int()?;
        let zxid = bytes.long()?;
        let time = bytes.long()?;
        let op = bytes.int()?;
        let change = body(op, &mut bytes)?;
        let digest = match bytes.0.len() {
            0 => None,
            12 => {
                if bytes.int()? != 2 {
                    return None;
                }
                Some(bytes.long()?)
            }
            _ => return None,
        };
        Some(Self {
            session,
            cxid,
            zxid,
            time,
            op,
            change,
            digest,
        })
    }
}

fn body(op: i32, bytes: &mut Bytes<'_>) -> Option<Change> {
    Some(match op {
        1 | 15 | 19 | 21 => {
            let (path, data, acl) = (bytes.text()?, bytes.buffer()?, bytes.acl()?);
            let (kind, parent_cversion) = match op {
                1 | 15 => {
                    let kind = match bytes.flag()? {
                        true => Kind::Ephemeral,
                        false => Kind::Persistent,
                    };
                    (kind, bytes.int()?)
                }
                19 => (Kind::Container, bytes.int()?),
                _ => {
                    let cversion = bytes.int()?;
                    (Kind::Ttl(bytes.long()?), cversion)
                }
            };
            Change::Create {
                op,
                path,
                data,
                acl,
                kind,
                parent_cversion,
            }
        }
        2 | 20 => Change::Delete {
            path: bytes.text()?,
            container: op == 20,
        },
        5 => Change::SetData {
            path: bytes.text()?,
            data: bytes.buffer()?,
            version: bytes.int()?,
        },
        16 => {
            bytes.text()?;
            let text = String::from_utf8(bytes.buffer()??).ok()?;
            bytes.int()?;
            Change::Reconfig(text)
        }
        7 => Change::SetAcl {
            path: bytes.text()?,
            acl: bytes.acl()?,
            version: bytes.int()?,
        },
        13 => Change::Check {
            path: bytes.text()?,
            version: bytes.int()?,
        },
        14 => {
            let len = bytes.int()?;
            let part = |_| {
                let op = bytes.int()?;
                let len = usize::try_from(bytes.int()?).ok()?;
                let mut part = Bytes(bytes.take(len)?);
                let change = body(op, &mut part)?;
                part.0.is_empty().then_some(change)
            };
            Change::Multi((0..len).map(part).collect::<Option<_>>()?)
        }
        -1 => Change::Error(bytes.int()?),
        -10 => Change::CreateSession(bytes.int()?),
        // A list; or nothing, and then perhaps the digest, which does not read as a list.
        -11 => {
            let mut list = Bytes(bytes.0);
            match list.paths() {
                Some(paths) => {
                    *bytes = list;
                    Change::CloseSession(Some(paths))
                }
                None if [0, 12].contains(&bytes.0.len()) => Change::CloseSession(None),
                None => return None,
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use grevy_proto::txn::{CreateKind, CreateTxn, DeleteTxn, Txn, TxnDigest, TxnHeader};
    use grevy_proto::{Acl, SessionId, Xid, Zxid};

    #[test]
    fn reads_what_servers_write() {
        let txn = Txn::Multi(vec![
            Txn::Create(CreateTxn {
                path: "/a".into(),
                data: Some([1, 2][..].into()),
                acl: vec![Acl::OPEN],
                kind: CreateKind::Ttl(5),
                parent_cversion: 3,
            }),
            Txn::Delete(DeleteTxn {
                path: "/b".into(),
                container: false,
            }),
            Txn::Error(-2),
        ]);
        let header = TxnHeader {
            session: SessionId(1),
            cxid: Xid(2),
            zxid: Zxid(3),
            time: 4,
            op: 14,
        };
        let digest = TxnDigest {
            version: 2,
            digest: -7,
        };
        let mut bytes = Vec::new();
        grevy_proto::txn::encode_entry(&header, &txn, Some(digest), &mut bytes);
        let entry = Entry::decode(&bytes).unwrap();
        let create = Change::Create {
            op: 21,
            path: "/a".into(),
            data: Some(vec![1, 2]),
            acl: vec![(31, "world".into(), "anyone".into())],
            kind: Kind::Ttl(5),
            parent_cversion: 3,
        };
        let delete = Change::Delete {
            path: "/b".into(),
            container: false,
        };
        assert_eq!(
            entry.change,
            Change::Multi(vec![create, delete, Change::Error(-2)])
        );
        assert_eq!((entry.session, entry.cxid, entry.zxid), (1, 2, 3));
        assert_eq!((entry.time, entry.digest), (4, Some(-7)));
        for cut in 0..bytes.len() {
            // Without its digest it is whole as well.
            assert_eq!(
                Entry::decode(&bytes[..cut]).is_some(),
                cut + 12 == bytes.len()
            );
        }
    }
}
