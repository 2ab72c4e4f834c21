//! A znode's metadata. Source: `org.apache.zookeeper.data.{Stat, StatPersisted}`.

use crate::ids::{SessionId, Zxid};

record! {
    /// What clients see of a znode's metadata; 68 bytes on the wire.
    #[derive(Copy, Default)]
    pub struct Stat {
        /// The transaction that created the znode.
        pub czxid: Zxid,
        /// The transaction that last changed its data.
        pub mzxid: Zxid,
        /// When it was created, in ms since 1970 on the leader's wall clock.
        pub ctime: i64,
        /// When its data last changed, likewise.
        pub mtime: i64,
        /// Changes of its data.
        pub version: i32,
        /// Changes of its children: 2 × creates − children.
        pub cversion: i32,
        /// Changes of its access control list.
        pub aversion: i32,
        /// The session that owns it, if it is ephemeral; 0 for containers and TTL znodes.
        pub ephemeral_owner: SessionId,
        /// Length of its data in bytes.
        pub data_length: i32,
        /// Number of its children.
        pub num_children: i32,
        /// The transaction that last created or deleted a child.
        pub pzxid: Zxid,
    }
}

record! {
    /// What is kept of a znode's metadata; 60 bytes in a snapshot.
    #[derive(Copy, Default)]
    pub struct StatPersisted {
        /// The transaction that created the znode.
        pub czxid: Zxid,
        /// The transaction that last changed its data.
        pub mzxid: Zxid,
        /// When it was created, in ms since 1970.
        pub ctime: i64,
        /// When its data last changed, in ms since 1970.
        pub mtime: i64,
        /// Changes of its data.
        pub version: i32,
        /// Children ever created (clients see another number, see [`Stat::cversion`]).
        pub cversion: i32,
        /// Changes of its access control list.
        pub aversion: i32,
        /// A session, or the mark of a container or TTL znode.
        pub ephemeral_owner: i64,
        /// The transaction that last created or deleted a child.
        pub pzxid: Zxid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Encode;

    #[test]
    fn sizes() {
        assert_eq!(Stat::default().to_bytes().len(), 68);
        assert_eq!(StatPersisted::default().to_bytes().len(), 60);
    }
}
