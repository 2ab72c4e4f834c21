//! Client requests: the header and one record per operation. Bytes after a record are ignored,
//! as the Java server does.

use crate::acl::Acl;
use crate::ids::{Xid, Zxid};
use alloc::borrow::Cow;
use alloc::vec::Vec;

record! {
    /// Before every request but the connect request.
    #[derive(Copy)]
    pub struct RequestHeader {
        /// The client's number for this request.
        pub xid: Xid,
        /// An operation code; unknown ones are answered, so this stays a number.
        pub op: i32,
    }
}

record! {
    /// create, create2, createContainer; the head of createTTL.
    pub struct Create<'a> {
        /// Where; for a sequential znode the part before its number.
        pub path: Cow<'a, str>,
        /// Its data.
        pub data: Option<&'a [u8]>,
        /// Who may do what with it.
        pub acl: Vec<Acl>,
        /// A [`CreateMode`](crate::request::CreateMode).
        pub flags: i32,
    }
}

record! {
    /// createTTL.
    pub struct CreateTtl<'a> {
        /// As createTTL's other fields, those of a create.
        pub create: Create<'a>,
        /// Time to live in ms.
        pub ttl: i64,
    }
}

record! {
    /// delete.
    pub struct Delete<'a> {
        /// Which znode.
        pub path: Cow<'a, str>,
        /// The version it must have, or -1.
        pub version: i32,
    }
}

record! {
    /// setData.
    pub struct SetData<'a> {
        /// Which znode.
        pub path: Cow<'a, str>,
        /// Its new data.
        pub data: Option<&'a [u8]>,
        /// The version it must have, or -1.
        pub version: i32,
    }
}

record! {
    /// setACL.
    pub struct SetAcl<'a> {
        /// Which znode.
        pub path: Cow<'a, str>,
        /// Its new list.
        pub acl: Vec<Acl>,
        /// The aversion it must have, or -1.
        pub version: i32,
    }
}

record! {
    /// check, inside a multi.
    pub struct Check<'a> {
        /// Which znode.
        pub path: Cow<'a, str>,
        /// The version it must have, or -1.
        pub version: i32,
    }
}

record! {
    /// exists, getData, getChildren, getChildren2.
    pub struct Read<'a> {
        /// Which znode.
        pub path: Cow<'a, str>,
        /// Whether to leave a watch.
        pub watch: bool,
    }
}

record! {
    /// getACL, sync, getEphemerals, getAllChildrenNumber.
    pub struct PathOnly<'a> {
        /// Which znode, or which prefix.
        pub path: Cow<'a, str>,
    }
}

record! {
    /// setWatches.
    pub struct SetWatches<'a> {
        /// The last zxid that the client saw on its previous connection.
        pub relative_zxid: Zxid,
        /// Paths of data watches.
        pub data: Vec<Cow<'a, str>>,
        /// Paths of watches for existence.
        pub exist: Vec<Cow<'a, str>>,
        /// Paths of child watches.
        pub child: Vec<Cow<'a, str>>,
    }
}

record! {
    /// setWatches2.
    pub struct SetWatches2<'a> {
        /// The one-shot watches.
        pub standard: SetWatches<'a>,
        /// Paths of persistent watches.
        pub persistent: Vec<Cow<'a, str>>,
        /// Paths of persistent recursive watches.
        pub persistent_recursive: Vec<Cow<'a, str>>,
    }
}

record! {
    /// addWatch: a mode of 0 is persistent, 1 persistent recursive. checkWatches and
    /// removeWatches: a watcher type of 1 is children, 2 data, 3 any, 4 persistent,
    /// 5 persistent recursive.
    pub struct WatchOf<'a> {
        /// Which znode.
        pub path: Cow<'a, str>,
        /// Which kind of watch.
        pub kind: i32,
    }
}

record! {
    /// auth.
    pub struct Auth<'a> {
        /// 0; ignored.
        pub kind: i32,
        /// The scheme.
        pub scheme: Cow<'a, str>,
        /// What the scheme asks for, such as `user:password`.
        pub auth: Option<&'a [u8]>,
    }
}

record! {
    /// reconfig. Null fields are not part of the change.
    pub struct Reconfig<'a> {
        /// `server.N=…` lines of servers that join.
        pub joining: Nullable<'a>,
        /// Ids of servers that leave.
        pub leaving: Nullable<'a>,
        /// The whole new membership.
        pub members: Nullable<'a>,
        /// The version of the configuration that this changes, or -1.
        pub config_id: i64,
    }
}

/// A string that may be null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nullable<'a>(pub Option<Cow<'a, str>>);

impl crate::Encode for Nullable<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.as_ref().map(|text| text.as_bytes()).encode(out);
    }
}

impl<'a> crate::Decode<'a> for Nullable<'a> {
    fn decode(reader: &mut crate::Reader<'a>) -> Result<Self, crate::DecodeError> {
        reader.string().map(Self)
    }
}

/// What kind of znode a create makes. Source: `CreateMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum CreateMode {
    /// Stays until it is deleted.
    Persistent = 0,
    /// Goes with its session.
    Ephemeral = 1,
    /// Persistent, with a number added to its name.
    PersistentSequential = 2,
    /// Ephemeral, with a number added to its name.
    EphemeralSequential = 3,
    /// Removed some time after its last child.
    Container = 4,
    /// Removed some time after it was last set and has no children.
    PersistentWithTtl = 5,
    /// The same, with a number added to its name.
    PersistentSequentialWithTtl = 6,
}

impl CreateMode {
    /// The mode with the wire value `flags`.
    pub fn from_wire(flags: i32) -> Option<Self> {
        Some(match flags {
            0 => Self::Persistent,
            1 => Self::Ephemeral,
            2 => Self::PersistentSequential,
            3 => Self::EphemeralSequential,
            4 => Self::Container,
            5 => Self::PersistentWithTtl,
            6 => Self::PersistentSequentialWithTtl,
            _ => return None,
        })
    }

    /// Whether a number is added to the name.
    pub fn is_sequential(self) -> bool {
        matches!(
            self,
            Self::PersistentSequential
                | Self::EphemeralSequential
                | Self::PersistentSequentialWithTtl
        )
    }

    /// Whether the session owns the znode.
    pub fn is_ephemeral(self) -> bool {
        matches!(self, Self::Ephemeral | Self::EphemeralSequential)
    }

    /// Whether the znode has a time to live.
    pub fn is_ttl(self) -> bool {
        matches!(
            self,
            Self::PersistentWithTtl | Self::PersistentSequentialWithTtl
        )
    }
}
