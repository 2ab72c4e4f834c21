//! Whether this ensemble can ever have agreed on the epoch of the leader's history. A server that
//! was given the data of another ensemble may be elected by the epoch it brings, and every history
//! would have to give way to its own.
//!
//! Whoever is in an epoch entered it with a quorum that had promised it, durably (P25). So if too
//! few voters have accepted the leader's epoch, its history is not this ensemble's. A server that
//! has not promised anything yet knows of nothing, and is no evidence. Nor is what voters have
//! promised to this very server: what counts is what they said first.

use crate::common::{Common, Timing};
use crate::time::Time;
use alloc::collections::{BTreeMap, BTreeSet};
use grevy_proto::{Epoch, ServerId};

/// What voters had accepted when this server first claimed to lead with the history of an epoch.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    epoch: Epoch,
    accepted: BTreeMap<ServerId, Epoch>,
}

/// What the leader's history claims, and who has had the opportunity to say something to that.
#[derive(Debug)]
pub(super) struct Claim {
    /// The epoch of the leader's history.
    epoch: Epoch,
    heard: BTreeSet<ServerId>,
    /// Until when others are waited for, once somebody casts doubt on it.
    patient_until: Time,
}

/// See [`Claim::judge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing speaks against it, or nobody else can say anything.
    Stands,
    /// Somebody does not know of the epoch, and others that may know have not come yet.
    Doubtful,
    /// No quorum can have accepted it.
    Refuted,
}

impl Claim {
    pub fn new(epoch: Epoch, now: Time, timing: Timing) -> Self {
        Self {
            epoch,
            heard: BTreeSet::new(),
            patient_until: now + timing.init / 2,
        }
    }

    /// A voter says what it has accepted.
    pub fn hear(&mut self, common: &mut Common, server: ServerId, accepted: Epoch) {
        self.heard.insert(server);
        let evidence = &mut common.evidence;
        if evidence.epoch != self.epoch {
            *evidence = Evidence {
                epoch: self.epoch,
                accepted: BTreeMap::new(),
            };
        }
        evidence.accepted.entry(server).or_insert(accepted);
    }

    fn accepted<'a>(&self, common: &'a Common) -> Option<&'a BTreeMap<ServerId, Epoch>> {
        let evidence = &common.evidence;
        (evidence.epoch == self.epoch).then_some(&evidence.accepted)
    }

    /// Whether another voter knew of the epoch before this server could tell it.
    pub fn is_known(&self, common: &Common) -> bool {
        let accepted = self.accepted(common);
        accepted.is_some_and(|all| all.values().any(|accepted| *accepted >= self.epoch))
    }

    /// Judges by what was heard.
    pub fn judge(&self, common: &Common, now: Time) -> Verdict {
        let accepted = self.accepted(common);
        let knows_nothing_of_it = |server: ServerId| {
            let accepted = accepted.and_then(|accepted| accepted.get(&server));
            accepted.is_some_and(|accepted| Epoch(0) < *accepted && *accepted < self.epoch)
        };
        let mut servers = accepted.into_iter().flat_map(BTreeMap::keys);
        if !servers.any(|server| knows_nothing_of_it(*server)) {
            return Verdict::Stands;
        }
        let quorum = &common.members.committed().quorum;
        if !quorum.is_quorum(|server| !knows_nothing_of_it(server)) {
            return Verdict::Refuted;
        }
        // Whoever is behind was away when the epoch began, which is rare enough to take one's time.
        let has_come = |server| server == common.me || self.heard.contains(&server);
        let all_have_come = common.members.voters().into_iter().all(has_come);
        match all_have_come || now >= self.patient_until {
            true => Verdict::Stands,
            false => Verdict::Doubtful,
        }
    }
}

#[cfg(test)]
mod tests;
