//! What a [`Peer`](crate::Peer) asks of those around it.

use crate::history::Entry;
use crate::membership::Membership;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use grevy_proto::election::Notification;
use grevy_proto::quorum::Packet;
use grevy_proto::{Epoch, ServerId, Zxid};

/// Names one connection of the quorum port, at either end, for as long as anything may refer to
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// Something to do, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this on the election port. Only the newest for each server matters.
    Notify {
        /// To whom.
        to: ServerId,
        /// What.
        message: Notification,
    },
    /// Nothing gets through on the election port: connect to everyone who is not connected.
    DialAll,
    /// Connect to this server's quorum port, then call
    /// [`link_dialled`](crate::Peer::link_dialled) or [`dial_failed`](crate::Peer::dial_failed).
    Dial {
        /// Whom to connect to.
        leader: ServerId,
        /// How long all tries may take together.
        timeout: Duration,
    },
    /// Connect to this follower's port for observers, then call
    /// [`link_dialled`](crate::Peer::link_dialled) or [`dial_failed`](crate::Peer::dial_failed).
    DialMaster {
        /// Whom to connect to.
        master: ServerId,
        /// How long all tries may take together.
        timeout: Duration,
    },
    /// Send this packet.
    Send {
        /// Where to.
        link: LinkId,
        /// What.
        packet: Packet,
    },
    /// Send the body of the snapshot at exactly `zxid`, and the signature behind it.
    SendSnapshot {
        /// Where to.
        link: LinkId,
        /// Which one.
        zxid: Zxid,
    },
    /// Send what is queued, then close. The reason is for the log.
    Hangup {
        /// Which connection.
        link: LinkId,
        /// Why.
        why: String,
    },
    /// From now on, silence of the other end for this long ends the connection.
    LinkTimeout {
        /// Which connection.
        link: LinkId,
        /// How long.
        timeout: Duration,
    },
    /// Make these durable, after everything that was to be written before, then call
    /// [`epochs_saved`](crate::Peer::epochs_saved).
    SaveEpochs {
        /// The newest promise.
        accepted: Epoch,
        /// The newest leader that was followed.
        current: Epoch,
    },
    /// Write this to the log, then call [`log_synced`](crate::Peer::log_synced) once it is
    /// durable.
    Append {
        /// The transaction's number.
        zxid: Zxid,
        /// Its bytes.
        entry: Arc<[u8]>,
    },
    /// Take back all transactions above `to`, durably, then call
    /// [`truncated`](crate::Peer::truncated); or
    /// [`truncation_refused`](crate::Peer::truncation_refused), if nothing leads to the state at
    /// `to`.
    Truncate {
        /// What stays.
        to: Zxid,
    },
    /// Begin a snapshot of the state for learners, then call
    /// [`snapshot_ready`](crate::Peer::snapshot_ready).
    TakeSnapshot,
    /// Make the snapshot that was received the base of the history, durably, and its state the
    /// server's, then call [`snapshot_installed`](crate::Peer::snapshot_installed).
    InstallSnapshot {
        /// Which one.
        zxid: Zxid,
        /// What follows it and is in the log already, and durable: it must not be missing at any
        /// moment. The log ends with the last of these afterwards.
        kept: Vec<Entry>,
    },
    /// Read these transactions from the log's files, then call
    /// [`log_read`](crate::Peer::log_read).
    ReadLog {
        /// For whom.
        link: LinkId,
        /// From behind this one.
        after: Zxid,
        /// Up to this one.
        until: Zxid,
    },
    /// The server has a new part to play.
    Became(Part),
    /// The configuration in force, or the proposed one, changed.
    Configured {
        /// The one in force.
        committed: Arc<Membership>,
        /// One that is proposed.
        proposed: Option<Arc<Membership>>,
    },
    /// A line for the log of the server.
    Note(String),
    /// The same, of something that the operator should look at.
    Warning(String),
}

/// What a server is in its ensemble, as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// It looks for a leader, and serves nobody.
    Looking {
        /// What ended the part before.
        why: String,
    },
    /// It is about to lead, and serves nobody yet.
    PreparingToLead,
    /// It is about to follow or observe, and serves nobody yet.
    Joining {
        /// Whom.
        leader: ServerId,
    },
    /// It leads and serves.
    Leading {
        /// Its term of office.
        epoch: Epoch,
    },
    /// It follows and serves.
    Following {
        /// Whom.
        leader: ServerId,
        /// The leader's term of office.
        epoch: Epoch,
    },
    /// It observes and serves.
    Observing {
        /// Whom.
        leader: ServerId,
        /// The leader's term of office.
        epoch: Epoch,
    },
}

impl Part {
    /// Whether clients are served.
    pub fn serves(&self) -> bool {
        matches!(
            self,
            Self::Leading { .. } | Self::Following { .. } | Self::Observing { .. }
        )
    }
}
