//! What clients did and saw, and what the server told of itself. The checkers judge nothing
//! else.

use crate::checkers::read_only::Spell;
use crate::ensemble::Ensemble;
use crate::evidence::Ledger;
use crate::model::Model;
use crate::net::LinkId;
use crate::operation::Operation;
use crate::options::{Options, Quotas};
use grevy_node::Time;
use grevy_zab::Membership;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    /// What every server had.
    pub ledger: Ledger,
    /// The members that are in force in the committed history, if there is an ensemble.
    pub membership: Option<Membership>,
    /// Sessions that a server in charge of their deadlines was told of.
    pub reported: Vec<Reported>,
    /// Whether servers refuse what a client may not do before they pass it on, so that no
    /// transaction comes of it.
    pub screens: bool,
    /// Sessions that the ensemble did not know when they were opened, and in which run of which
    /// server that was.
    pub homes: BTreeMap<i64, u32>,
    /// Sessions whose createSession was proposed.
    pub opening: BTreeSet<i64>,
    /// Places in the order of all that reaches connections.
    pub reached: u64,
    /// Whole states that servers held.
    pub dumps: Vec<Dump>,
    /// Connections that a session came back through, as the server took them up.
    pub attached: Vec<Attached>,
    /// When the leader last let sessions come back to which server, for those that have not
    /// attached them since.
    pub granted: BTreeMap<(usize, i64), u64>,
    /// Requests that reached a connection of the server, with its number among all of them.
    pub heard: Vec<Heard>,
    /// Sessions whose end the server proposed because it had not heard of them.
    pub expired: Vec<Expired>,
    /// Times in which a server served without a leader.
    pub read_only: Vec<Spell>,
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
    /// Whether a server without a leader will do.
    pub read_only: bool,
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
        /// Whether the server says that it has no leader.
        read_only: bool,
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
    /// Its entry, as a node gave it to the log.
    pub entry: Arc<[u8]>,
}

/// A server's whole state, as text.
#[derive(Debug, Clone)]
pub struct Dump {
    /// Which server's.
    pub server: usize,
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

/// A session came back.
#[derive(Debug, Clone, Copy)]
pub struct Attached {
    /// Its place among all that reaches connections: where the leader let it come back, which the
    /// server may learn late.
    pub number: u64,
    /// The session.
    pub session: i64,
    /// Through which connection.
    pub link: LinkId,
    /// The epoch in which that was.
    pub epoch: i64,
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

/// A session was heard of, by a report of a learner or because it opened.
#[derive(Debug, Clone, Copy)]
pub struct Reported {
    /// When, on the clock of the server that was told.
    pub at: Time,
    /// The session.
    pub session: i64,
    /// That server's run.
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
    /// Since when that run has been in charge.
    pub started: Time,
    /// How many of [`History::heard`] and [`History::reported`] there were.
    pub known: (usize, usize),
}

impl History {
    /// Nothing has happened yet to servers that are empty.
    pub fn new(options: &Options) -> Self {
        let mut state = Model::new(options.extended_types);
        state.enforces_quotas = options.quotas == Quotas::Enforced;
        Self {
            ledger: Ledger::new(options.servers(), 0),
            membership: options.ensemble.as_ref().map(Ensemble::membership),
            reported: Vec::new(),
            screens: options.ensemble.as_ref().is_some_and(|e| e.eager_acl_check),
            homes: BTreeMap::new(),
            opening: BTreeSet::new(),
            reached: 0,
            connections: Vec::new(),
            committed: Vec::new(),
            base: 0,
            state,
            dumps: Vec::new(),
            attached: Vec::new(),
            granted: BTreeMap::new(),
            heard: Vec::new(),
            expired: Vec::new(),
            read_only: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// Notes a broken rule.
    pub fn violate(&mut self, property: &'static str, what: String) {
        self.violations.push(Violation { property, what });
    }

    /// The committed transaction of that number.
    pub fn entry(&self, zxid: i64) -> Option<&Arc<[u8]>> {
        let at = self.committed.binary_search_by_key(&zxid, |c| c.zxid);
        Some(&self.committed[at.ok()?].entry)
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

    /// Whether that was at a server that said that it had no leader.
    pub fn is_read_only(&self) -> bool {
        let mut frames = self.received.iter().map(|(_, frame)| frame);
        frames.any(|frame| {
            matches!(
                frame,
                Frame::Connected {
                    read_only: true,
                    ..
                }
            )
        })
    }
}
