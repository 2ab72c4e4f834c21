//! Errors of commands: a line for people, and an exit code.

use crate::client::ClientError;
use grevy_proto::ErrorCode;

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    /// What is printed to stderr; one line, but for some usage texts.
    pub message: String,
    /// What the program ends with, if this was the last command.
    pub exit_code: u8,
}

impl CliError {
    /// A command that failed or makes no sense.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit_code: 1,
        }
    }

    /// There is no such command.
    pub fn not_found(command: &str) -> Self {
        Self {
            // Java's program says it twice.
            message: format!("Command not found: Command not found {command}"),
            exit_code: 127,
        }
    }

    /// A configuration that cannot be used (`ExitCode.INVALID_INVOCATION`).
    pub fn invalid_invocation(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit_code: 2,
        }
    }

    /// An access control list without an entry, which is not sent. Java's program prints its null
    /// for the path.
    pub fn empty_acl() -> Self {
        Self::request(&ClientError::Server(ErrorCode::InvalidAcl.wire()), "null")
    }

    /// The words of ZooKeeper's command line for a failed request (`CliWrapperException`).
    /// `path` is empty for requests that are not about one.
    ///
    /// The exit code tells what kind of failure it is, as those of grevy's other commands do; Java's
    /// program has 1 for all.
    pub fn request(error: &ClientError, path: &str) -> Self {
        let message = match ErrorCode::from_wire(error.code()) {
            Some(ErrorCode::NoNode) => format!("Node does not exist: {path}"),
            Some(ErrorCode::NoChildrenForEphemerals) => {
                format!("Ephemerals cannot have children: {path}")
            }
            Some(ErrorCode::NodeExists) => format!("Node already exists: {path}"),
            Some(ErrorCode::NotEmpty) => format!("Node not empty: {path}"),
            Some(ErrorCode::NotReadOnly) => format!("Not a read-only call: {path}"),
            Some(ErrorCode::InvalidAcl) => format!("Acl is not valid : {path}"),
            Some(ErrorCode::NoAuth) => format!("Insufficient permission : {path}"),
            Some(ErrorCode::BadArguments) => format!("Arguments are not valid : {path}"),
            Some(ErrorCode::BadVersion) => format!("version No is not valid : {path}"),
            Some(ErrorCode::ReconfigInProgress) => "Another reconfiguration is in progress -- \
                concurrent reconfigs not supported (yet)"
                .to_owned(),
            Some(ErrorCode::NewConfigNoQuorum) => "No quorum of new config is connected and \
                up-to-date with the leader of last commmitted config - try invoking \
                reconfiguration after new servers are connected and synced"
                .to_owned(),
            Some(ErrorCode::QuotaExceeded) => format!("Quota has exceeded : {path}"),
            _ => keeper_message(error, path),
        };
        Self {
            message,
            exit_code: exit_code(error),
        }
    }
}

fn exit_code(error: &ClientError) -> u8 {
    match error {
        ClientError::ConnectionLoss(_) => 6,
        ClientError::OutcomeUnknown(_) | ClientError::SessionExpired => 7,
        _ => match ErrorCode::from_wire(error.code()) {
            Some(ErrorCode::NoNode) => 3,
            Some(
                ErrorCode::NodeExists
                | ErrorCode::NotEmpty
                | ErrorCode::BadVersion
                | ErrorCode::NoChildrenForEphemerals,
            ) => 4,
            Some(ErrorCode::NoAuth | ErrorCode::AuthFailed) => 5,
            _ => 1,
        },
    }
}

/// `KeeperException.getMessage`, and what more is known.
pub fn keeper_message(error: &ClientError, path: &str) -> String {
    let detail = match error.detail() {
        Some(detail) => format!(": {detail}"),
        None => String::new(),
    };
    let code = ClientError::Server(error.code());
    match path {
        "" => format!("{code}{detail}"),
        path => format!("{code} for {path}{detail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_fail_in_zookeepers_words() {
        for (error, path, expected, code) in [
            (
                ClientError::Server(-101),
                "/a",
                "Node does not exist: /a",
                3,
            ),
            (
                ClientError::Server(-102),
                "/a",
                "Insufficient permission : /a",
                5,
            ),
            (
                ClientError::Server(-103),
                "/a",
                "version No is not valid : /a",
                4,
            ),
            (
                ClientError::Server(-108),
                "/a",
                "Ephemerals cannot have children: /a",
                4,
            ),
            (
                ClientError::Server(-110),
                "/a",
                "Node already exists: /a",
                4,
            ),
            (ClientError::Server(-111), "/a", "Node not empty: /a", 4),
            (ClientError::Server(-114), "/a", "Acl is not valid : /a", 1),
            (
                ClientError::Server(-103),
                "",
                "version No is not valid : ",
                4,
            ),
            (
                ClientError::Server(-8),
                "/",
                "Arguments are not valid : /",
                1,
            ),
            (
                ClientError::Server(-119),
                "/a",
                "Not a read-only call: /a",
                1,
            ),
            (
                ClientError::Server(-125),
                "/a",
                "Quota has exceeded : /a",
                1,
            ),
            (
                ClientError::Server(-123),
                "",
                "KeeperErrorCode = Reconfig is disabled",
                1,
            ),
            (
                ClientError::Server(-121),
                "/a",
                "KeeperErrorCode = No such watcher for /a",
                1,
            ),
            (
                ClientError::SessionExpired,
                "/a",
                "KeeperErrorCode = Session expired for /a",
                7,
            ),
            (
                ClientError::ConnectionLoss("why".to_owned()),
                "/a",
                "KeeperErrorCode = ConnectionLoss for /a: why",
                6,
            ),
        ] {
            let error = CliError::request(&error, path);
            assert_eq!((error.message.as_str(), error.exit_code), (expected, code));
        }
        assert_eq!(CliError::not_found("x").exit_code, 127);
    }
}
