//! Bugs put in on purpose, around the shipped code, to see that the checkers find them.

use std::collections::BTreeMap;

/// The end of a reply that refuses a request for want of a leader.
const NOT_READ_ONLY: [u8; 4] = (-119i32).to_be_bytes();

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A write is reported durable before it is.
    AckBeforeSync,
    /// Events leave after the replies that come behind them.
    EventAfterData,
    /// A session that is open loses an ephemeral znode.
    LosesEphemeral,
    /// A session's end leaves an ephemeral znode behind.
    KeepsEphemeral,
    /// The last record of a log is lost when the next one begins.
    LosesRecordOnRoll,
    /// A read behind a write of the same connection is answered as if it came before.
    ReadBeforeOwnWrite,
    /// A standard watch fires, and stays.
    WatchFiresTwice,
    /// A session expires early.
    ExpiresEarly,
    /// The right answer's Stat counts one version too many.
    WrongStat,
    /// A learner does not take back what its leader does not have.
    ForgetsTruncation,
    /// A leader takes what it has sent for acknowledged.
    BelievesAcks,
    /// A learner takes the history before NEWLEADER for durable before it is.
    SyncsHistoryLate,
    /// Promises are reported as durable before they are.
    SavesEpochsLate,
    /// Promises are never written.
    ForgetsEpochs,
    /// A snapshot from the leader is put beside the old log, not in its place.
    KeepsOldLog,
    /// Clients are served while there is no leader.
    ServesWithoutLeader,
    /// Whatever server a request comes through is taken for the session's home.
    StealsSessions,
    /// A leader answers a learner's sync before what was proposed ahead of it is committed.
    AnswersSyncsEarly,
    /// A server whose disk was emptied says that it holds a history, and votes.
    VotesWithoutHistory,
    /// A server that is told to stop ends at once.
    EndsWithoutAWord,
    /// A leader counts an acknowledgement for two servers, and so the quorum wrongly.
    CountsTwice,
    /// A register that was read on a connection reads the same there for ever.
    RepeatsReads,
    /// A learner asks for an ephemeral znode without making the local session the ensemble's.
    ForgetsUpgrade,
    /// Hard limits of quotas are not enforced.
    ForgetsQuotas,
    /// A follower tells its observers of what is only proposed.
    RelaysEarly,
    /// A server that has no vote any more goes on acknowledging.
    AcksWithoutVote,
    /// A server without a leader serves whoever comes.
    ServesAnybodyReadOnly,
    /// A server without a leader calls done what it refuses.
    AcksReadOnly,
}

impl Bug {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::AckBeforeSync,
        Self::EventAfterData,
        Self::LosesEphemeral,
        Self::KeepsEphemeral,
        Self::LosesRecordOnRoll,
        Self::ReadBeforeOwnWrite,
        Self::WatchFiresTwice,
        Self::ExpiresEarly,
        Self::WrongStat,
        Self::ForgetsTruncation,
        Self::BelievesAcks,
        Self::SyncsHistoryLate,
        Self::SavesEpochsLate,
        Self::ForgetsEpochs,
        Self::KeepsOldLog,
        Self::ServesWithoutLeader,
        Self::StealsSessions,
        Self::AnswersSyncsEarly,
        Self::VotesWithoutHistory,
        Self::EndsWithoutAWord,
        Self::CountsTwice,
        Self::RepeatsReads,
        Self::ForgetsUpgrade,
        Self::ForgetsQuotas,
        Self::RelaysEarly,
        Self::AcksWithoutVote,
        Self::ServesAnybodyReadOnly,
        Self::AcksReadOnly,
    ];

    /// Its name on a command line.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The bug of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|bug| bug.name() == name)
    }
}

/// What a planted bug does to the frames that leave on one connection.
#[derive(Debug, Default)]
pub struct Rewriter {
    /// Answers to be sent in place of the right ones, by the requests' numbers.
    pub stale: BTreeMap<i32, Vec<u8>>,
    /// Paths of registers that are being read, by the requests' numbers.
    pub reads: BTreeMap<i32, Vec<u8>>,
    /// What the first reads of registers were answered, behind the header.
    first: BTreeMap<Vec<u8>, Vec<u8>>,
    events: Vec<u8>,
}

impl Rewriter {
    /// Changes whole frames.
    pub fn rewrite(&mut self, bug: Bug, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let held = std::mem::take(&mut self.events);
        let mut rest = bytes;
        while let Some((prefix, after)) = rest.split_at_checked(4) {
            let len = u32::from_be_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]) as usize;
            let frame = &rest[..4 + len];
            rest = &after[len..];
            let xid = frame
                .get(4..8)
                .map_or(0, |x| i32::from_be_bytes([x[0], x[1], x[2], x[3]]));
            match (bug, xid) {
                (Bug::EventAfterData, -1) => self.events.extend_from_slice(frame),
                (Bug::WatchFiresTwice, -1) => {
                    out.extend_from_slice(frame);
                    out.extend_from_slice(frame);
                }
                // A Stat's version, in the longest of the answers that are made of nothing else.
                (Bug::WrongStat, _) if len == 16 + 68 => {
                    let mut frame = frame.to_vec();
                    frame[4 + 16 + 35] ^= 1;
                    out.extend_from_slice(&frame);
                }
                (Bug::AcksReadOnly, _) if frame.ends_with(&NOT_READ_ONLY) => {
                    out.extend_from_slice(&frame[..len]);
                    out.extend_from_slice(&[0; 4]);
                }
                (Bug::RepeatsReads, _) if self.reads.contains_key(&xid) && len > 16 => {
                    let path = self.reads.remove(&xid).unwrap_or_default();
                    let body = frame[4 + 16..].to_vec();
                    let first = self.first.entry(path).or_insert(body);
                    out.extend_from_slice(&(16 + first.len() as u32).to_be_bytes());
                    out.extend_from_slice(&frame[4..4 + 16]);
                    out.extend_from_slice(first);
                }
                _ => match self.stale.remove(&xid) {
                    Some(stale) => out.extend_from_slice(&stale),
                    None => out.extend_from_slice(frame),
                },
            }
        }
        out.extend_from_slice(&held);
        out
    }

    /// Whether something is held back.
    pub fn holds(&self) -> bool {
        !self.events.is_empty()
    }
}
