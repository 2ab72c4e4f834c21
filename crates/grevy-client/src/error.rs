//! What can go wrong with an operation.

use crate::machine::{Failure, SessionState};
use grevy_proto::path::PathError;
use grevy_proto::{DecodeError, ErrorCode, OpCode};
use std::fmt;
use std::sync::Arc;

/// Why an operation has no result.
///
/// Three of them must not be confused, since callers have to act differently:
///
/// - [`ConnectionLoss`](Self::ConnectionLoss): nothing has happened, trying again is safe;
/// - [`OutcomeUnknown`](Self::OutcomeUnknown): it may have happened, so look before trying again;
/// - [`SessionExpired`](Self::SessionExpired): ephemeral znodes, and locks with them, are gone.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_client::{CreateOptions, Error, ErrorCode};
///
/// match client.create("/a", b"", &CreateOptions::persistent()).await {
///     Ok(created) => println!("created {}", created.path),
///     Err(error) if error.is(ErrorCode::NodeExists) => println!("it is there already"),
///     Err(error) if error.is_safe_to_retry() => println!("nothing has happened: {error}"),
///     Err(Error::OutcomeUnknown { .. }) => println!("look whether it is there"),
///     Err(error) if error.ends_session() => println!("connect anew: {error}"),
///     Err(error) => println!("{error}"),
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// No server could be reached, or the connection ended before the answer to a read. Nothing
    /// was changed; try again when the session is [connected](crate::Client::connected).
    ConnectionLoss {
        /// What was asked for.
        operation: Operation,
        /// Which server, and what happened there.
        reason: Arc<str>,
    },
    /// The connection ended before the answer to a write: it may have taken effect or not. Read
    /// what it would have changed before trying again.
    OutcomeUnknown {
        /// What was asked for.
        operation: Operation,
        /// Which server, and what happened there.
        reason: Arc<str>,
    },
    /// The servers have ended the session: it was not heard of for its timeout, or was closed
    /// through another connection. Connect anew.
    SessionExpired {
        /// What was asked for.
        operation: Operation,
    },
    /// A server refused an identity, which ended the session. Check the credentials.
    AuthFailed {
        /// What was asked for.
        operation: Operation,
    },
    /// The session was closed from here.
    Closed {
        /// What was asked for.
        operation: Operation,
    },
    /// The server's answer. Nothing was changed.
    Server {
        /// What was asked for.
        operation: Operation,
        /// The answer.
        code: ErrorCode,
    },
    /// The server's answer, with a code that this version does not know.
    UnknownCode {
        /// What was asked for.
        operation: Operation,
        /// The answer.
        code: i32,
    },
    /// An operation of a transaction failed, and none took effect.
    Transaction {
        /// Which one, from 0.
        index: usize,
        /// Why.
        code: ErrorCode,
    },
    /// The path cannot be one. Nothing was sent.
    BadPath {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: PathError,
    },
    /// The server's answer cannot be read. A write has taken effect.
    BadReply {
        /// What was asked for.
        operation: Operation,
        /// What is wrong with the answer.
        reason: DecodeError,
    },
}

/// What was asked for.
///
/// ```
/// # grevy_testing::run(async |client| {
/// use grevy_client::{Error, OpCode, Operation};
///
/// let missing = client.get_data("/missing").await;
/// let Err(Error::Server { operation, .. }) = missing else { panic!("it is missing") };
/// assert_eq!(operation, Operation::new(OpCode::GetData, "/missing"));
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Which kind of request.
    pub op: OpCode,
    /// Of which znode, as the caller named it; empty for requests about none.
    pub path: String,
}

impl Operation {
    /// An operation on a znode.
    pub fn new(op: OpCode, path: &str) -> Self {
        Self {
            op,
            path: path.to_owned(),
        }
    }
}

impl Error {
    /// The server's answer, if it is one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Server { code, .. } | Self::Transaction { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the server answered with `code`.
    pub fn is(&self, code: ErrorCode) -> bool {
        self.code() == Some(code)
    }

    /// Whether the session is over, so that no operation will succeed any more.
    pub fn ends_session(&self) -> bool {
        matches!(
            self,
            Self::SessionExpired { .. } | Self::AuthFailed { .. } | Self::Closed { .. }
        )
    }

    /// Whether nothing has happened, so that the same operation may be tried again.
    pub fn is_safe_to_retry(&self) -> bool {
        matches!(self, Self::ConnectionLoss { .. }) || self.is(ErrorCode::ThrottledOp)
    }

    /// Why a session that is over does not do `operation`.
    pub(crate) fn over(state: SessionState, operation: Operation) -> Self {
        match state {
            SessionState::Expired => Self::SessionExpired { operation },
            SessionState::AuthFailed => Self::AuthFailed { operation },
            _ => Self::Closed { operation },
        }
    }

    pub(crate) fn from_failure(failure: Failure, operation: Operation) -> Self {
        match failure {
            Failure::ConnectionLoss(reason) => Self::ConnectionLoss { operation, reason },
            Failure::OutcomeUnknown(reason) => Self::OutcomeUnknown { operation, reason },
            Failure::SessionExpired => Self::SessionExpired { operation },
            Failure::AuthFailed => Self::AuthFailed { operation },
            Failure::Closed => Self::Closed { operation },
            Failure::Server(code) => match ErrorCode::from_wire(code) {
                Some(code) => Self::Server { operation, code },
                None => Self::UnknownCode { operation, code },
            },
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(self.op.name()),
            path => write!(f, "{} {path}", self.op.name()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectionLoss { operation, reason } => {
                write!(
                    f,
                    "{operation}: no connection, nothing was changed: {reason}"
                )
            }
            Self::OutcomeUnknown { operation, reason } => write!(
                f,
                "{operation}: it may have taken effect or not, look before trying again: {reason}"
            ),
            Self::SessionExpired { operation } => {
                write!(f, "{operation}: the session has expired, connect anew")
            }
            Self::AuthFailed { operation } => {
                write!(f, "{operation}: the server refused the credentials")
            }
            Self::Closed { operation } => write!(f, "{operation}: the client is closed"),
            Self::Server { operation, code } => write!(f, "{operation}: {code}"),
            Self::UnknownCode { operation, code } => {
                write!(
                    f,
                    "{operation}: the server answered with the unknown code {code}"
                )
            }
            Self::Transaction { index, code } => {
                write!(
                    f,
                    "operation {index} of the transaction failed, none took effect: {code}"
                )
            }
            Self::BadPath { path, reason } => write!(f, "{path:?} is no path: {reason}"),
            Self::BadReply { operation, reason } => {
                write!(
                    f,
                    "{operation}: the server's answer cannot be read: {reason}"
                )
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_happened_to_which_thing() {
        let operation = || Operation::new(OpCode::Create2, "/a");
        let reason: Arc<str> = Arc::from("h:1: refused");
        for (failure, expected) in [
            (
                Failure::ConnectionLoss(reason.clone()),
                "create2 /a: no connection, nothing was changed: h:1: refused",
            ),
            (
                Failure::OutcomeUnknown(reason),
                "create2 /a: it may have taken effect or not, look before trying again: \
                 h:1: refused",
            ),
            (
                Failure::SessionExpired,
                "create2 /a: the session has expired, connect anew",
            ),
            (Failure::Server(-110), "create2 /a: NodeExists (-110)"),
            (
                Failure::Server(-7777),
                "create2 /a: the server answered with the unknown code -7777",
            ),
        ] {
            let error = Error::from_failure(failure, operation());
            assert_eq!(error.to_string(), expected);
        }
    }
}
