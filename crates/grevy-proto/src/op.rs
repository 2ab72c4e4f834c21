//! Operation codes. Source: `ZooDefs.OpCode`.

macro_rules! ops {
    ($($(#[$meta:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        /// What a request asks for, or what a transaction does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        pub enum OpCode {
            $($(#[$meta])* $name = $value,)*
        }
        impl OpCode {
            /// Every code, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code with the wire value `value`.
            pub fn from_wire(value: i32) -> Option<Self> {
                match value { $($value => Some(Self::$name),)* _ => None }
            }

            /// ZooKeeper's name of the operation.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

ops! {
    /// Server to client only.
    Notification = 0, "notification";
    /// Creates a znode; the reply holds its path.
    Create = 1, "create";
    /// Deletes a znode.
    Delete = 2, "delete";
    /// Whether a znode exists, and its Stat.
    Exists = 3, "exists";
    /// A znode's data and Stat.
    GetData = 4, "getData";
    /// Replaces a znode's data.
    SetData = 5, "setData";
    /// A znode's access control list.
    GetAcl = 6, "getACL";
    /// Replaces a znode's access control list.
    SetAcl = 7, "setACL";
    /// Names of a znode's children.
    GetChildren = 8, "getChildren";
    /// Waits until everything committed before is visible here.
    Sync = 9, "sync";
    /// Keeps the session alive.
    Ping = 11, "ping";
    /// Names of a znode's children, and its Stat.
    GetChildren2 = 12, "getChildren2";
    /// Fails a multi unless a znode has the expected version.
    Check = 13, "check";
    /// Several writes as one transaction.
    Multi = 14, "multi";
    /// Creates a znode; the reply holds its path and Stat.
    Create2 = 15, "create2";
    /// Changes the ensemble's membership.
    Reconfig = 16, "reconfig";
    /// Whether a watch is registered.
    CheckWatches = 17, "checkWatches";
    /// Removes watches.
    RemoveWatches = 18, "removeWatches";
    /// Creates a container znode.
    CreateContainer = 19, "createContainer";
    /// Deletes an empty container or expired TTL znode; made by the leader's reaper.
    DeleteContainer = 20, "deleteContainer";
    /// Creates a znode with a time to live.
    CreateTtl = 21, "createTTL";
    /// Several reads in one request.
    MultiRead = 22, "multiRead";
    /// Adds an identity to the connection.
    Auth = 100, "auth";
    /// Registers watches again after a reconnect.
    SetWatches = 101, "setWatches";
    /// One step of a SASL exchange.
    Sasl = 102, "sasl";
    /// Paths of the session's ephemeral znodes.
    GetEphemerals = 103, "getEphemerals";
    /// Number of a znode's descendants.
    GetAllChildrenNumber = 104, "getAllChildrenNumber";
    /// As `SetWatches`, with persistent watches.
    SetWatches2 = 105, "setWatches2";
    /// Registers a persistent watch.
    AddWatch = 106, "addWatch";
    /// The connection's identities.
    WhoAmI = 107, "whoAmI";
    /// Opens a session.
    CreateSession = -10, "createSession";
    /// Closes a session.
    CloseSession = -11, "closeSession";
    /// A write that failed, as a transaction.
    Error = -1, "error";
}

impl OpCode {
    /// The wire value.
    pub fn wire(self) -> i32 {
        self as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_values_round_trip() {
        for &op in OpCode::ALL {
            assert_eq!(OpCode::from_wire(op.wire()), Some(op));
        }
        for unknown in [10, 23, 99, 108, -2, i32::MAX] {
            assert_eq!(OpCode::from_wire(unknown), None);
        }
    }
}
