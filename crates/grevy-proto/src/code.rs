//! Error codes of the client protocol. Source: `KeeperException.Code`.

use core::fmt;

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $value:literal,)*) => {
        /// What a reply header's `err` field says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum ErrorCode {
            $($(#[$meta])* $name = $value,)*
        }
        impl ErrorCode {
            /// Every code, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code's name, as in this enumeration.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The code with the wire value `value`.
            pub fn from_wire(value: i32) -> Option<Self> {
                match value { $($value => Some(Self::$name),)* _ => None }
            }
        }
    };
}

codes! {
    /// Success.
    Ok = 0,
    /// Start of the range of system errors.
    SystemError = -1,
    /// An operation of a multi that was not tried, because an earlier one failed.
    RuntimeInconsistency = -2,
    /// Not sent by servers.
    DataInconsistency = -3,
    /// The connection ended before the reply; made by clients.
    ConnectionLoss = -4,
    /// The request's record could not be read.
    MarshallingError = -5,
    /// The operation does not exist, or is not available on this server.
    Unimplemented = -6,
    /// Made by clients.
    OperationTimeout = -7,
    /// A path, flag, time to live or configuration text is not valid.
    BadArguments = -8,
    /// The session is not known here; used between servers.
    UnknownSession = -12,
    /// No synced quorum of the new configuration.
    NewConfigNoQuorum = -13,
    /// Another reconfiguration is pending.
    ReconfigInProgress = -14,
    /// Start of the range of API errors.
    ApiError = -100,
    /// The znode does not exist.
    NoNode = -101,
    /// The connection's identities lack the permission.
    NoAuth = -102,
    /// The expected version is not the znode's.
    BadVersion = -103,
    /// An ephemeral znode cannot have children.
    NoChildrenForEphemerals = -108,
    /// The znode exists already.
    NodeExists = -110,
    /// The znode has children.
    NotEmpty = -111,
    /// The session has expired or is closing.
    SessionExpired = -112,
    /// Made by clients.
    InvalidCallback = -113,
    /// The access control list is empty, or an entry is not valid.
    InvalidAcl = -114,
    /// Authentication failed; the connection is closed.
    AuthFailed = -115,
    /// The session is served by another server now; the connection is closed.
    SessionMoved = -118,
    /// A write on a read-only server.
    NotReadOnly = -119,
    /// A local session cannot own ephemeral znodes.
    EphemeralOnLocalSession = -120,
    /// There is no such watch.
    NoWatcher = -121,
    /// Made by clients.
    RequestTimeout = -122,
    /// Dynamic reconfiguration is switched off.
    ReconfigDisabled = -123,
    /// The server wants the session to authenticate first; the connection is closed.
    SessionClosedRequireSaslAuth = -124,
    /// The write would exceed an enforced quota.
    QuotaExceeded = -125,
    /// The request waited too long and was not executed.
    ThrottledOp = -127,
}

impl ErrorCode {
    /// The wire value.
    pub fn wire(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.wire())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_values_round_trip() {
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_wire(code.wire()), Some(code));
        }
        assert_eq!(ErrorCode::from_wire(-126), None);
    }
}
