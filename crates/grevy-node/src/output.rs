//! What a node asks of the shell around it.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use grevy_proto::election::Notification;
use grevy_proto::quorum::Packet;
use grevy_proto::{DecodeError, Epoch, ServerId, SessionId, Zxid};
use grevy_tree::SnapshotInfo;
use grevy_zab::{Entry, LinkId, Membership, Part, ProposeError};

/// What the shell has to do, in the order given. What goes to the storage is done in that order
/// too, and reported when it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Write the entry to the log, after those before it, and report it with
    /// [`Node::log_synced`](crate::Node::log_synced) once it is durable.
    Append {
        /// The transaction's number.
        zxid: Zxid,
        /// Its bytes: header, body, digest.
        entry: Arc<[u8]>,
    },
    /// Write a snapshot: take slices from the tree until there are no more, then report
    /// [`Node::snapshot_done`](crate::Node::snapshot_done). What is appended from here on goes
    /// into a new log file.
    Snapshot(SnapshotInfo),
    /// Make the epochs durable, then report [`Node::epochs_saved`](crate::Node::epochs_saved).
    SaveEpochs {
        /// `acceptedEpoch`.
        accepted: Epoch,
        /// `currentEpoch`.
        current: Epoch,
    },
    /// Take back all transactions above `to`, durably, in the log and in snapshots, then report
    /// [`Node::truncated`](crate::Node::truncated). If nothing leads to the state at `to`, build
    /// the tree anew from all that there is, drop what is to be appended behind this, and report
    /// [`Node::truncation_refused`](crate::Node::truncation_refused).
    Truncate {
        /// What stays.
        to: Zxid,
        /// The tree holds some of them: it has to be built anew from the storage first.
        rebuild: bool,
    },
    /// Make the snapshot that was received the base of the storage, durably, and put the tree in
    /// the place of the server's; then report
    /// [`Node::snapshot_installed`](crate::Node::snapshot_installed).
    InstallSnapshot {
        /// Which one.
        zxid: Zxid,
        /// What follows it and is in the log already, and durable: it must not be missing at any
        /// moment. The log ends with the last of these afterwards.
        kept: Vec<Entry>,
    },
    /// Read these transactions from the log's files, then report
    /// [`Node::log_read`](crate::Node::log_read).
    ReadLog {
        /// For whom.
        link: LinkId,
        /// From behind this one.
        after: Zxid,
        /// Up to this one.
        until: Zxid,
    },
    /// Send this on the election port. Only the newest for each server matters.
    Notify {
        /// To whom.
        to: ServerId,
        /// What.
        message: Notification,
    },
    /// Nothing gets through on the election port: connect to everyone who is not connected.
    DialAll,
    /// Connect to the server's quorum port, then report
    /// [`Node::link_dialled`](crate::Node::link_dialled) or
    /// [`Node::dial_failed`](crate::Node::dial_failed).
    Dial {
        /// Whom to connect to.
        leader: ServerId,
        /// How long all tries may take together.
        timeout: Duration,
    },
    /// Connect to the follower's port for observers, then report
    /// [`Node::link_dialled`](crate::Node::link_dialled) or
    /// [`Node::dial_failed`](crate::Node::dial_failed).
    DialMaster {
        /// Whom to connect to.
        master: ServerId,
        /// How long all tries may take together.
        timeout: Duration,
    },
    /// Send a packet.
    Send {
        /// Where to.
        link: LinkId,
        /// What.
        packet: Packet,
    },
    /// Send the body of the snapshot file at `zxid`, and the signature behind it. It is there
    /// when this is asked for.
    SendSnapshot {
        /// Where to.
        link: LinkId,
        /// Which one.
        zxid: Zxid,
    },
    /// Send what is queued, then close.
    Hangup {
        /// Which connection.
        link: LinkId,
        /// Why, for the log.
        why: String,
    },
    /// From now on, silence of the other end for this long ends the connection.
    LinkTimeout {
        /// Which connection.
        link: LinkId,
        /// How long.
        timeout: Duration,
    },
    /// Whether clients are served.
    Service(Service),
    /// Close the connections of all clients, once they are sent what they have been answered.
    DropClients,
    /// The server has a new part in its ensemble.
    Became(Part),
    /// The configuration of the ensemble changed. Who keeps it in files writes them before it does
    /// what is asked for later: a transaction that proposes a configuration is acknowledged as soon
    /// as it is in the log.
    Configured {
        /// The one in force.
        committed: Arc<Membership>,
        /// One that is proposed.
        proposed: Option<Arc<Membership>>,
    },
    /// For the log of the server: the session was not heard of for its whole timeout.
    Expired(SessionId),
    /// For the log of the server.
    Note(String),
    /// For the log of the server: something that the operator should look at.
    Warning(String),
    /// The server may end: what was asked of it with
    /// [`Node::begin_stop`](crate::Node::begin_stop) is done.
    Stopped,
    /// A rule of the protocol is broken. The server must stop at once.
    Broken(Broken),
}

/// Which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// What was decided could not be proposed.
    Propose(ProposeError),
    /// A transaction that could be read when it was queued cannot be read any more.
    Unreadable(Zxid, DecodeError),
}

impl From<ProposeError> for Broken {
    fn from(error: ProposeError) -> Self {
        Self::Propose(error)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Propose(error) => error.fmt(f),
            Self::Unreadable(zxid, error) => {
                write!(f, "transaction {zxid} cannot be read any more: {error}")
            }
        }
    }
}

impl core::error::Error for Broken {}

/// Whether clients are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// They are.
    Open,
    /// Those that a server without a leader will do for are, with reads.
    ReadOnly,
    /// For a moment they are not: no frame of theirs is handled, and none is lost.
    Paused,
    /// They are not, and should try another server: connections are closed.
    Closed,
}
