//! What can go wrong with a request.

use grevy_proto::{DecodeError, ErrorCode};
use std::fmt;

/// Why a request has no answer, or not the one hoped for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientError {
    /// No server could be reached; the request was not sent and may be tried again.
    ConnectionLoss(String),
    /// The connection broke after the request was sent: a write may or may not have happened.
    OutcomeUnknown(String),
    /// The session is gone, with its ephemeral znodes and watches.
    SessionExpired,
    /// The server refused an identity, which ends the session.
    AuthFailed,
    /// The client was closed.
    Closed,
    /// The server says no; the number is an [`ErrorCode`] if it is a known one.
    Server(i32),
    /// The server's answer cannot be read.
    BadReply(DecodeError),
}

impl ClientError {
    /// The error as one of ZooKeeper's codes.
    pub fn code(&self) -> i32 {
        match self {
            Self::ConnectionLoss(_) | Self::OutcomeUnknown(_) => ErrorCode::ConnectionLoss.wire(),
            Self::SessionExpired | Self::Closed => ErrorCode::SessionExpired.wire(),
            Self::AuthFailed => ErrorCode::AuthFailed.wire(),
            Self::Server(code) => *code,
            Self::BadReply(_) => ErrorCode::MarshallingError.wire(),
        }
    }

    /// Whether the server answered with `code`.
    pub fn is(&self, code: ErrorCode) -> bool {
        *self == Self::Server(code.wire())
    }

    /// What the code does not tell: why there is no connection, or what is wrong with the answer.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::ConnectionLoss(why) => Some(why.clone()),
            Self::OutcomeUnknown(why) => Some(format!(
                "{why}; a write may have happened, look before trying again"
            )),
            Self::BadReply(error) => Some(error.to_string()),
            Self::SessionExpired | Self::AuthFailed | Self::Closed | Self::Server(_) => None,
        }
    }
}

impl From<DecodeError> for ClientError {
    fn from(error: DecodeError) -> Self {
        Self::BadReply(error)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeeperErrorCode = ")?;
        match ErrorCode::from_wire(self.code()) {
            Some(code) => f.write_str(text(code))?,
            None => write!(f, "Unknown error {}", self.code())?,
        }
        match self.detail() {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ClientError {}

/// ZooKeeper's words for a code (`KeeperException.getCodeMessage`).
pub fn text(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Ok => "ok",
        ErrorCode::InvalidAcl => "InvalidACL",
        ErrorCode::ApiError => "APIError",
        ErrorCode::NotEmpty => "Directory not empty",
        ErrorCode::SessionExpired => "Session expired",
        ErrorCode::InvalidCallback => "Invalid callback",
        ErrorCode::SessionMoved => "Session moved",
        ErrorCode::NotReadOnly => "Not a read-only call",
        ErrorCode::EphemeralOnLocalSession => "Ephemeral node on local session",
        ErrorCode::NoWatcher => "No such watcher",
        ErrorCode::ReconfigDisabled => "Reconfig is disabled",
        ErrorCode::SessionClosedRequireSaslAuth => {
            "Session closed because client failed to authenticate"
        }
        ErrorCode::QuotaExceeded => "Quota has exceeded",
        ErrorCode::ThrottledOp => "Op throttled due to high load",
        ErrorCode::UnknownSession => "Unknown error UNKNOWNSESSION",
        ErrorCode::RequestTimeout => "Unknown error REQUESTTIMEOUT",
        _ => code.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_say_code_and_reason() {
        for (error, expected) in [
            (
                ClientError::Server(-101),
                "KeeperErrorCode = NoNode".to_owned(),
            ),
            (
                ClientError::Server(-7777),
                "KeeperErrorCode = Unknown error -7777".to_owned(),
            ),
            (
                ClientError::ConnectionLoss("no route".to_owned()),
                "KeeperErrorCode = ConnectionLoss: no route".to_owned(),
            ),
            (
                ClientError::SessionExpired,
                "KeeperErrorCode = Session expired".to_owned(),
            ),
        ] {
            assert_eq!(error.to_string(), expected);
        }
    }
}
