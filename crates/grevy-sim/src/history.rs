//! What clients did and saw, and what the server told of itself. The checkers judge nothing
//! else.

use crate::model::Model;
use crate::net::LinkId;
use crate::operation::Operation;
use grevy_node::Time;

/// All evidence of a run.
#[derive(Debug)]
pub struct History {
    /// Every connection, in the order of opening.
    pub connections: Vec<Conversation>,
    /// The transactions that the server applied or recovered, in order: the committed history.
    pub committed: Vec<Committed>,
    /// The zxid before the first of these.
    pub base: i64,
    /// The state that the run began with.
    pub state: Model,
    /// Whole states that the server held.
    pub dumps: Vec<Dump>,
    /// Transactions as the logs on disk have them, where they stood when they were read.
    pub on_disk: Vec<OnDisk>,
    /// Connections that a session came back through, as the server took them up.
    pub attached: Vec<Attached>,
    /// Requests that reached a connection of the server, with its number among all of them.
    pub heard: Vec<Heard>,
    /// Sessions whose end the server proposed because it had not heard of them.
    pub expired: Vec<Expired>,
    /// What was found out while the run went on.
    pub violations: Vec<Violation>,
}

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The property, such as `P10`.
    pub property: &'static str,
    /// What happened.
    pub what: String,
}

/// One connection, as its client saw it.
#[derive(Debug)]
pub struct Conversation {
    /// Its link.
    pub link: LinkId,
    /// Whose it is.
    pub client: usize,
    /// The client's address, as the scheme `ip` has it.
    pub address: String,
    /// When it was opened.
    pub opened: Time,
    /// What was asked for in the handshake.
    pub asked: Asked,
    /// What was sent after the handshake.
    pub sent: Vec<Sent>,
    /// Frames that came, in order.
    pub received: Vec<(Time, Frame)>,
    /// When the client was done with it.
    pub closed: Option<Time>,
}

/// A handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The session to resume; 0: a new one.
    pub session: i64,
    /// The last zxid seen.
    pub last_zxid: i64,
    /// The timeout in ms.
    pub timeout: i32,
    /// Whether the password is right.
    pub password_right: bool,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Sent {
    /// When it was handed to the socket.
    pub at: Time,
    /// Its number.
    pub xid: i32,
    /// What it asks for.
    pub operation: Operation,
}

/// What came from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The handshake's answer; session 0: refused.
    Connected {
        /// The session.
        session: i64,
        /// The negotiated timeout in ms.
        timeout: i32,
    },
    /// A reply.
    Reply {
        /// The request's number.
        xid: i32,
        /// The header's zxid.
        zxid: i64,
        /// The header's error.
        err: i32,
        /// The record.
        body: Vec<u8>,
    },
    /// A watch event.
    Event {
        /// The transaction's zxid, or -1.
        zxid: i64,
        /// Its type.
        kind: i32,
        /// Its path.
        path: String,
    },
    /// Nothing that a client could read.
    Unreadable(Vec<u8>),
}

/// A committed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its zxid.
    pub zxid: i64,
    /// Its entry, as the node gave it to the log.
    pub entry: Vec<u8>,
    /// The server's run in which it was decided.
    pub incarnation: u32,
}

/// The server's whole state, as text.
#[derive(Debug, Clone)]
pub struct Dump {
    /// The last transaction in it.
    pub zxid: i64,
    /// When it was taken.
    pub at: Time,
    /// On which occasion.
    pub occasion: &'static str,
    /// A line for each session and znode.
    pub text: String,
    /// The server's own digest of its tree.
    pub digest: i64,
}

/// A record in a log file.
#[derive(Debug, Clone)]
pub struct OnDisk {
    /// Which file.
    pub file: String,
    /// Its zxid.
    pub zxid: i64,
    /// Its entry.
    pub entry: Vec<u8>,
}

/// A session came back.
#[derive(Debug, Clone, Copy)]
pub struct Attached {
    /// Its place among the server's events.
    pub number: u64,
    /// The session.
    pub session: i64,
    /// Through which connection.
    pub link: LinkId,
}

/// A request reached the server.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    /// Its place among the server's events.
    pub number: u64,
    /// When, on the simulation's clock.
    pub at: Time,
    /// Through which connection.
    pub link: LinkId,
    /// Its session; 0 during the handshake.
    pub session: i64,
    /// The request's number.
    pub xid: i32,
    /// The server's run.
    pub incarnation: u32,
}

/// A session's end was proposed.
#[derive(Debug, Clone, Copy)]
pub struct Expired {
    /// When.
    pub at: Time,
    /// The session.
    pub session: i64,
    /// The server's run.
    pub incarnation: u32,
    /// When that run began.
    pub started: Time,
}

impl History {
    /// Nothing has happened yet to a server that is empty.
    pub fn new(extended_types: bool) -> Self {
        Self {
            connections: Vec::new(),
            committed: Vec::new(),
            base: 0,
            state: Model::new(extended_types),
            dumps: Vec::new(),
            on_disk: Vec::new(),
            attached: Vec::new(),
            heard: Vec::new(),
            expired: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// Notes a broken rule.
    pub fn violate(&mut self, property: &'static str, what: String) {
        self.violations.push(Violation { property, what });
    }

    /// The zxid of the last committed transaction.
    pub fn last(&self) -> i64 {
        self.committed.last().map_or(self.base, |last| last.zxid)
    }
}

impl Conversation {
    /// The session that was opened or resumed here.
    pub fn session(&self) -> Option<i64> {
        self.received.iter().find_map(|(_, frame)| match frame {
            Frame::Connected { session, .. } if *session != 0 => Some(*session),
            _ => None,
        })
    }
}
