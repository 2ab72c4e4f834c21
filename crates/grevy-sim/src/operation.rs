//! What clients ask for, as values that can be sent, recorded and judged.

use grevy_proto::multi::{MultiOp, encode_multi};
use grevy_proto::request::{
    Auth, Check, Create, CreateTtl, Delete, Nullable, PathOnly, Read, Reconfig, RequestHeader,
    SetAcl, SetData, SetWatches, SetWatches2, WatchOf,
};
use grevy_proto::{Acl, Encode, Id, OpCode, Xid, Zxid};
use std::borrow::Cow;

/// An entry of an access control list: permissions, scheme, id.
pub type AclEntry = (i32, String, String);

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// create, create2, createContainer, createTTL.
    Create(CreateOp),
    /// delete.
    Delete {
        /// Which znode.
        path: String,
        /// Expected version.
        version: i32,
    },
    /// setData.
    SetData {
        /// Which znode.
        path: String,
        /// Its new data.
        data: Option<Vec<u8>>,
        /// Expected version.
        version: i32,
    },
    /// setACL.
    SetAcl {
        /// Which znode.
        path: String,
        /// Its new list.
        acl: Vec<AclEntry>,
        /// Expected aversion.
        version: i32,
    },
    /// check; inside a multi only.
    Check {
        /// Which znode.
        path: String,
        /// Expected version.
        version: i32,
    },
    /// multi.
    Multi(Vec<Operation>),
    /// sync.
    Sync(String),
    /// exists, getData, getChildren, getChildren2.
    Read {
        /// Which of these.
        kind: ReadKind,
        /// Which znode.
        path: String,
        /// Whether a watch is left.
        watch: bool,
    },
    /// getACL.
    GetAcl(String),
    /// getEphemerals, with a prefix.
    GetEphemerals(String),
    /// getAllChildrenNumber.
    CountDescendants(String),
    /// multiRead: getData and getChildren.
    MultiRead(Vec<(ReadKind, String)>),
    /// addWatch; 0: persistent, 1: persistent recursive.
    AddWatch {
        /// Which znode.
        path: String,
        /// The mode.
        mode: i32,
    },
    /// removeWatches, or checkWatches.
    WatchOf {
        /// Whether they are removed.
        remove: bool,
        /// Which znode.
        path: String,
        /// A watcher type.
        kind: i32,
    },
    /// setWatches2 or setWatches, after a reconnect.
    SetWatches(Watched),
    /// auth with the scheme `digest`.
    Auth(String),
    /// whoAmI.
    WhoAmI,
    /// reconfig.
    Reconfig {
        /// Lines of servers that join.
        joining: Option<String>,
        /// Numbers of servers that leave.
        leaving: Option<String>,
    },
    /// ping.
    Ping,
    /// closeSession.
    CloseSession,
}

/// A create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateOp {
    /// Which operation asks for it.
    pub op: CreateCall,
    /// The path, or its beginning.
    pub path: String,
    /// The data.
    pub data: Option<Vec<u8>>,
    /// The list.
    pub acl: Vec<AclEntry>,
    /// The mode's wire value.
    pub flags: i32,
    /// Time to live in ms; sent by createTTL only.
    pub ttl: i64,
}

/// The operations that create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateCall {
    /// create
    Create,
    /// create2
    Create2,
    /// createContainer
    Container,
    /// createTTL
    Ttl,
}

/// The operations that read one znode and may leave a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadKind {
    /// exists
    Exists,
    /// getData
    Data,
    /// getChildren
    Children,
    /// getChildren2
    Children2,
}

/// Watches that a client has, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    /// The last zxid that it saw.
    pub since: i64,
    /// They are set in the form that knows no persistent ones.
    pub is_old_form: bool,
    /// Data watches on znodes that exist.
    pub data: Vec<String>,
    /// Watches for existence.
    pub exist: Vec<String>,
    /// Child watches.
    pub child: Vec<String>,
    /// Persistent watches.
    pub persistent: Vec<String>,
    /// Persistent recursive watches.
    pub recursive: Vec<String>,
}

/// A list as the wire's records have it.
pub fn wire_acl(acl: &[AclEntry]) -> Vec<Acl> {
    let entry = |(perms, scheme, id): &AclEntry| Acl {
        perms: *perms,
        id: Id::new(scheme.clone(), id.clone()),
    };
    acl.iter().map(entry).collect()
}

fn path(path: &str) -> Cow<'_, str> {
    Cow::Borrowed(path)
}

impl Operation {
    /// The operation's code.
    pub fn code(&self) -> OpCode {
        match self {
            Self::Create(create) => create.op.code(),
            Self::Delete { .. } => OpCode::Delete,
            Self::SetData { .. } => OpCode::SetData,
            Self::SetAcl { .. } => OpCode::SetAcl,
            Self::Check { .. } => OpCode::Check,
            Self::Multi(_) => OpCode::Multi,
            Self::Sync(_) => OpCode::Sync,
            Self::Read { kind, .. } => kind.code(),
            Self::GetAcl(_) => OpCode::GetAcl,
            Self::GetEphemerals(_) => OpCode::GetEphemerals,
            Self::CountDescendants(_) => OpCode::GetAllChildrenNumber,
            Self::MultiRead(_) => OpCode::MultiRead,
            Self::AddWatch { .. } => OpCode::AddWatch,
            Self::WatchOf { remove: true, .. } => OpCode::RemoveWatches,
            Self::WatchOf { .. } => OpCode::CheckWatches,
            Self::SetWatches(watched) if watched.is_old_form => OpCode::SetWatches,
            Self::SetWatches(_) => OpCode::SetWatches2,
            Self::Auth(_) => OpCode::Auth,
            Self::WhoAmI => OpCode::WhoAmI,
            Self::Reconfig { .. } => OpCode::Reconfig,
            Self::Ping => OpCode::Ping,
            Self::CloseSession => OpCode::CloseSession,
        }
    }

    /// Whether it becomes a transaction.
    pub fn is_write(&self) -> bool {
        matches!(
            self,
            Self::Create(_)
                | Self::Delete { .. }
                | Self::SetData { .. }
                | Self::SetAcl { .. }
                | Self::Multi(_)
                | Self::CloseSession
        )
    }

    /// The number that the protocol prescribes for it, if any.
    pub fn special_xid(&self) -> Option<Xid> {
        match self {
            Self::Ping => Some(Xid::PING),
            Self::Auth(_) => Some(Xid::AUTH),
            Self::SetWatches(_) => Some(Xid::SET_WATCHES),
            _ => None,
        }
    }

    /// The request's bytes: length, header, record.
    pub fn frame(&self, xid: Xid) -> Vec<u8> {
        let mut out = Vec::new();
        grevy_proto::jute::frame(&mut out, |out| {
            let op = self.code().wire();
            RequestHeader { xid, op }.encode(out);
            self.encode_record(out);
        });
        out
    }

    fn encode_record(&self, out: &mut Vec<u8>) {
        match self {
            Self::Create(create) => create.encode(out),
            Self::SetAcl {
                path: at,
                acl,
                version,
            } => SetAcl {
                path: path(at),
                acl: wire_acl(acl),
                version: *version,
            }
            .encode(out),
            Self::Delete { .. } | Self::SetData { .. } | Self::Check { .. } => {
                if let Some(part) = self.as_part() {
                    encode_part(&part, out);
                }
            }
            Self::Multi(parts) => {
                let parts: Vec<MultiOp<'_>> = parts.iter().filter_map(Self::as_part).collect();
                encode_multi(&parts, out);
            }
            Self::Reconfig { joining, leaving } => Reconfig {
                joining: Nullable(joining.as_deref().map(Into::into)),
                leaving: Nullable(leaving.as_deref().map(Into::into)),
                members: Nullable(None),
                config_id: -1,
            }
            .encode(out),
            Self::Sync(at)
            | Self::GetAcl(at)
            | Self::GetEphemerals(at)
            | Self::CountDescendants(at) => PathOnly { path: path(at) }.encode(out),
            Self::Read {
                path: at, watch, ..
            } => Read {
                path: path(at),
                watch: *watch,
            }
            .encode(out),
            Self::MultiRead(reads) => {
                let part = |(kind, at): &(ReadKind, String)| {
                    let watch = false;
                    MultiOp::Read(
                        kind.code(),
                        Read {
                            path: at.clone().into(),
                            watch,
                        },
                    )
                };
                encode_multi(&reads.iter().map(part).collect::<Vec<_>>(), out);
            }
            Self::AddWatch { path: at, mode } => WatchOf {
                path: path(at),
                kind: *mode,
            }
            .encode(out),
            Self::WatchOf { path: at, kind, .. } => WatchOf {
                path: path(at),
                kind: *kind,
            }
            .encode(out),
            Self::SetWatches(watched) if watched.is_old_form => {
                watched.wire().standard.encode(out);
            }
            Self::SetWatches(watched) => watched.wire().encode(out),
            Self::Auth(user) => Auth {
                kind: 0,
                scheme: "digest".into(),
                auth: Some(user.as_bytes()),
            }
            .encode(out),
            Self::WhoAmI | Self::Ping | Self::CloseSession => {}
        }
    }

    /// The same as a part of a multi.
    fn as_part(&self) -> Option<MultiOp<'_>> {
        Some(match self {
            Self::Create(create) if create.op == CreateCall::Ttl => MultiOp::CreateTtl(CreateTtl {
                create: create.wire(),
                ttl: create.ttl,
            }),
            Self::Create(create) => MultiOp::Create(create.op.code(), create.wire()),
            Self::Delete { path: at, version } => MultiOp::Delete(Delete {
                path: path(at),
                version: *version,
            }),
            Self::SetData {
                path: at,
                data,
                version,
            } => MultiOp::SetData(SetData {
                path: path(at),
                data: data.as_deref(),
                version: *version,
            }),
            Self::Check { path: at, version } => MultiOp::Check(Check {
                path: path(at),
                version: *version,
            }),
            _ => return None,
        })
    }
}

fn encode_part(part: &MultiOp<'_>, out: &mut Vec<u8>) {
    match part {
        MultiOp::Create(_, record) => record.encode(out),
        MultiOp::CreateTtl(record) => record.encode(out),
        MultiOp::Delete(record) => record.encode(out),
        MultiOp::SetData(record) => record.encode(out),
        MultiOp::Check(record) => record.encode(out),
        MultiOp::Read(_, record) => record.encode(out),
    }
}

impl CreateOp {
    fn wire(&self) -> Create<'_> {
        Create {
            path: path(&self.path),
            data: self.data.as_deref(),
            acl: wire_acl(&self.acl),
            flags: self.flags,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.wire().encode(out);
        if self.op == CreateCall::Ttl {
            self.ttl.encode(out);
        }
    }
}

impl CreateCall {
    fn code(self) -> OpCode {
        match self {
            Self::Create => OpCode::Create,
            Self::Create2 => OpCode::Create2,
            Self::Container => OpCode::CreateContainer,
            Self::Ttl => OpCode::CreateTtl,
        }
    }
}

impl ReadKind {
    fn code(self) -> OpCode {
        match self {
            Self::Exists => OpCode::Exists,
            Self::Data => OpCode::GetData,
            Self::Children => OpCode::GetChildren,
            Self::Children2 => OpCode::GetChildren2,
        }
    }
}

impl Watched {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        let lists = [
            &self.data,
            &self.exist,
            &self.child,
            &self.persistent,
            &self.recursive,
        ];
        lists.iter().all(|list| list.is_empty())
    }

    fn wire(&self) -> SetWatches2<'_> {
        fn list(paths: &[String]) -> Vec<Cow<'_, str>> {
            paths.iter().map(|at| path(at)).collect()
        }
        SetWatches2 {
            standard: SetWatches {
                relative_zxid: Zxid(self.since),
                data: list(&self.data),
                exist: list(&self.exist),
                child: list(&self.child),
            },
            persistent: list(&self.persistent),
            persistent_recursive: list(&self.recursive),
        }
    }
}
