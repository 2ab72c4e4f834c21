//! What a command ends with: an exit code, and if it failed a line that says what to do.

use grevy_cli::client::ClientError;
use grevy_proto::ErrorCode;
use grevy_storage::DiskError;
use std::fmt;
use std::io;

/// The table of exit codes, for `--help`.
pub const TABLE: &str = "\
Exit codes:
    0  done; sound; no difference
    1  there is damage or a difference, or the answer is no
    2  wrong arguments, or a file that cannot be read or written
    3  a znode does not exist
    4  a znode exists, is not empty, or has another version
    5  no permission
    6  no server can be reached
    7  the session was lost, or the connection while a write was under way
    8  the server refused for another reason
  130  interrupted
  141  nobody reads the output any more
lock, elect and semaphore end as their command does (128 + its signal's number), or with
  123  the session was lost while the command ran
  124  the time to wait was over
  125  grevy itself failed
  126  the command cannot be run
  127  there is no such command";

/// More data than this is too large for a server whose `jute.maxbuffer` is not set.
pub const USUAL_MAX: usize = 0xf_ff00;

/// How to have parents created.
pub const ADD_PARENTS: &str = "add --parents to create it";

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it should.
    Done = 0,
    /// There is damage or a difference, or the answer is no.
    Finding = 1,
    /// Wrong arguments, or a file that cannot be read or written.
    Usage = 2,
    /// A znode does not exist.
    NoNode = 3,
    /// A znode is not in the state that the command needs.
    Conflict = 4,
    /// No permission.
    Denied = 5,
    /// No server can be reached.
    NoServer = 6,
    /// The session was lost, or a write's outcome is not known.
    SessionLost = 7,
    /// The server refused for another reason.
    Refused = 8,
    /// Somebody wanted it to end before its time.
    Interrupted = 130,
    /// Nobody reads the output any more.
    ClosedPipe = 141,
}

/// Why a command did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For people; one line. Empty if there is nobody to tell.
    pub message: String,
    /// What the program ends with.
    pub exit: Exit,
}

impl Failure {
    /// A failure of that kind.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit,
        }
    }

    /// Wrong arguments.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file that cannot be read or written.
    pub fn file(path: &std::path::Path, doing: &str, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "; check the path",
            io::ErrorKind::PermissionDenied => "; run this as a user who may",
            _ => "",
        };
        Self::usage(format!("cannot {doing} {}: {error}{hint}", path.display()))
    }

    /// What would be written has no parent.
    pub fn no_parent(path: &str, hint: &str) -> Self {
        let parent = parent(path);
        let text = format!("{path}: its parent {parent} does not exist; {hint}");
        Self::new(Exit::NoNode, text)
    }

    /// A write of so many bytes of data that failed. Servers do not answer what is too large for
    /// them, but end the connection.
    pub fn write(error: &ClientError, path: &str, bytes: usize) -> Self {
        match error {
            ClientError::OutcomeUnknown(_) if bytes > USUAL_MAX => Self::new(
                Exit::Refused,
                format!(
                    "{path}: the server ended the connection; {bytes} bytes are more than it takes \
                     (jute.maxbuffer, about 1 MiB if it is not set)"
                ),
            ),
            error => Self::request(error, path),
        }
    }

    /// A request that failed. `path`: what it was about; empty if about no znode.
    pub fn request(error: &ClientError, path: &str) -> Self {
        let about = match path {
            "" => String::new(),
            path => format!("{path}: "),
        };
        let (exit, text) = match ErrorCode::from_wire(error.code()) {
            Some(ErrorCode::NoNode) => (
                Exit::NoNode,
                format!(
                    "the znode does not exist; grevy ls {} shows what does",
                    parent(path)
                ),
            ),
            Some(ErrorCode::NodeExists) => (Exit::Conflict, "the znode exists already".to_owned()),
            Some(ErrorCode::NotEmpty) => (
                Exit::Conflict,
                "the znode has children; add -r to delete them too".to_owned(),
            ),
            Some(ErrorCode::BadVersion) => (
                Exit::Conflict,
                "the znode has another version by now; read it again".to_owned(),
            ),
            Some(ErrorCode::NoChildrenForEphemerals) => (
                Exit::Conflict,
                "the parent is ephemeral and can have no children".to_owned(),
            ),
            Some(ErrorCode::NoAuth) => (
                Exit::Denied,
                "the znode's ACL does not allow this; name an identity that it allows with \
                 --auth scheme:id"
                    .to_owned(),
            ),
            Some(ErrorCode::AuthFailed) => (
                Exit::Denied,
                "the server refused an identity; check --auth".to_owned(),
            ),
            Some(ErrorCode::InvalidAcl) => (
                Exit::Usage,
                "the server does not take this ACL; scheme auth needs --auth".to_owned(),
            ),
            Some(ErrorCode::Unimplemented) => (
                Exit::Refused,
                "the server does not know this request or has it turned off; znodes with a time \
                 to live need extendedTypesEnabled=true"
                    .to_owned(),
            ),
            Some(ErrorCode::SessionExpired) => {
                (Exit::SessionLost, "the session has expired".to_owned())
            }
            Some(ErrorCode::ConnectionLoss) => {
                let exit = match error {
                    ClientError::OutcomeUnknown(_) => Exit::SessionLost,
                    _ => Exit::NoServer,
                };
                (exit, error.detail().unwrap_or_default())
            }
            _ => (Exit::Refused, error.to_string()),
        };
        Self::new(exit, format!("{about}{text}"))
    }
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some((parent, _)) if !parent.is_empty() => parent,
        _ => "/",
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Self {
        let hint = match error.cause.kind() {
            io::ErrorKind::NotFound => "; check the path",
            io::ErrorKind::PermissionDenied => "; run this as a user who may",
            _ => "",
        };
        Self::usage(format!("{error}{hint}"))
    }
}

/// Output that could not be written.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::ClosedPipe, ""),
            _ => Self::usage(format!("cannot write the output: {error}")),
        }
    }
}

/// Names the znode that a request was about.
pub trait At<T> {
    /// An empty path for requests that are about none.
    fn at(self, path: &str) -> Result<T, Failure>;
}

impl<T> At<T> for Result<T, ClientError> {
    fn at(self, path: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::request(&error, path))
    }
}
