//! What an election wants done.

use super::Vote;
use crate::membership::Membership;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use grevy_proto::ServerId;

/// What an election wants done, or its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElectionOutput {
    /// Tell `to` this vote, with the state LOOKING and the committed configuration. Only the
    /// newest vote for each server matters. Without a connection, dial instead: the vote is
    /// sent again when it comes up.
    Send {
        /// To whom.
        to: ServerId,
        /// What.
        vote: Vote,
    },
    /// No voter is connected: dial all.
    DialAll,
    /// A newer configuration was heard, to be put in force.
    NewConfiguration {
        /// The configuration.
        membership: Arc<Membership>,
        /// Whether its members are others than before: this election is over, connections are
        /// to be closed and a new one started.
        restart: bool,
    },
    /// The end: the leader is known. It is this server if the vote names it.
    Elected {
        /// The vote of those that agree. Its round is this server's round from now on.
        vote: Vote,
        /// The voters that agree.
        supporters: BTreeSet<ServerId>,
        /// Whether the leader was found by asking servers that had it before this round,
        /// rather than elected in it.
        established_elsewhere: bool,
    },
}
