//! The membership in force, and the one that is to come.

use super::Membership;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use grevy_proto::{ServerId, Zxid};

/// The committed membership, and the proposed one while there is a newer that is not committed.
/// Everything that is counted needs a quorum of both (`SyncedLearnerTracker`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memberships {
    /// In force (Java: the quorum verifier).
    committed: Arc<Membership>,
    /// Of a higher version than the committed one (Java: the last seen quorum verifier).
    proposed: Option<Arc<Membership>>,
}

impl Memberships {
    /// With nothing proposed.
    pub fn new(committed: impl Into<Arc<Membership>>) -> Self {
        Self {
            committed: committed.into(),
            proposed: None,
        }
    }

    /// The one in force.
    pub fn committed(&self) -> &Arc<Membership> {
        &self.committed
    }

    /// The one that is to come.
    pub fn proposed(&self) -> Option<&Arc<Membership>> {
        self.proposed.as_ref()
    }

    /// The newest one: proposed if there is one, else committed (Java: last seen).
    pub fn last_seen(&self) -> &Arc<Membership> {
        self.proposed.as_ref().unwrap_or(&self.committed)
    }

    /// Takes up a membership that was proposed, unless a newer one is known. Returns whether it
    /// did.
    pub fn propose(&mut self, membership: impl Into<Arc<Membership>>) -> bool {
        let membership = membership.into();
        let newer = membership.version > self.last_seen().version;
        if newer {
            self.proposed = Some(membership);
        }
        newer
    }

    /// Puts a membership in force, unless that or a newer one is (ZOOKEEPER-2212). Returns
    /// whether it did. A proposed one that is not newer is forgotten.
    pub fn adopt(&mut self, membership: impl Into<Arc<Membership>>) -> bool {
        let membership = membership.into();
        let newer = membership.version > self.committed.version;
        if newer {
            self.committed = membership;
            let version = self.committed.version;
            self.proposed.take_if(|p| p.version <= version);
        }
        newer
    }

    /// Another history takes the place of the one that brought what is proposed: its newest
    /// membership, if that is newer than the one in force. Returns whether this changed anything.
    pub fn replace_proposed(&mut self, newest: Option<Arc<Membership>>) -> bool {
        let version = self.committed.version;
        let newest = newest.filter(|newest| newest.version > version);
        let changed = self.proposed != newest;
        self.proposed = newest;
        changed
    }

    /// Forgets a proposed membership that the history does not bring; `newest` is the version of the
    /// newest one that it does. A crash may have come between a leader's snapshot, which took the
    /// place of the history, and the file in which the membership is kept. Returns whether there
    /// was one.
    pub fn keep_proposed_if_brought(&mut self, newest: i64) -> bool {
        let forgotten = self
            .proposed
            .take_if(|proposed| !is_epochs(proposed) && proposed.version != newest);
        forgotten.is_some()
    }

    /// Takes up what the history brings beyond what the files say, which could perhaps not be
    /// written: whoever has acknowledged a change must not forget it (P31). The `newest` may not be
    /// committed. The one `before` it is, since one is proposed at a time. Returns whether this
    /// changed anything.
    ///
    /// A file without a version was made anew by whoever runs the ensemble, perhaps since too few
    /// of the members that the history tells of are left: then it alone says who they are. So do
    /// files, not the history, say who they are in an epoch that gave them a version.
    pub fn catch_up(&mut self, before: Option<Membership>, newest: Option<Membership>) -> bool {
        let is_made_anew = self.committed.version == 0;
        let Some(newest) = newest.filter(|newest| !is_made_anew && !is_epochs(newest)) else {
            return false;
        };
        let before = before.filter(|before| before.version < newest.version);
        let adopted = before.is_some_and(|before| self.adopt(before));
        let proposed = self.propose(newest);
        adopted || proposed
    }

    /// The history ends at `last` from now on: a proposed membership that a later transaction would
    /// bring is forgotten. Returns whether there was one.
    pub fn take_back(&mut self, last: Zxid) -> bool {
        let proposed = self
            .proposed
            .take_if(|proposed| !is_epochs(proposed) && Zxid(proposed.version) > last);
        proposed.is_some()
    }

    fn both(&self) -> impl Iterator<Item = &Membership> {
        let proposed = self.proposed.as_deref();
        core::iter::once(&*self.committed).chain(proposed)
    }

    /// Whether `server` votes in either.
    pub fn is_voter(&self, server: ServerId) -> bool {
        self.both().any(|membership| membership.is_voter(server))
    }

    /// Whether `server` is in either.
    pub fn names(&self, server: ServerId) -> bool {
        self.both()
            .any(|membership| membership.members.contains_key(&server))
    }

    /// Who votes in either.
    pub fn voters(&self) -> BTreeSet<ServerId> {
        let voters = self.both().flat_map(|m| m.quorum.voters());
        voters.copied().collect()
    }

    /// Whether the voters that `agrees` names are a quorum of each.
    pub fn is_quorum(&self, agrees: impl Fn(ServerId) -> bool) -> bool {
        self.both().all(|m| m.quorum.is_quorum(&agrees))
    }

    /// The newest zxid up to which quorums of each have acknowledged, given how far each server
    /// has; -1 if there is none.
    pub fn committed_zxid(&self, acked: &BTreeMap<ServerId, Zxid>) -> Zxid {
        let each = self.both().map(|m| m.quorum.committed(acked));
        each.min().unwrap_or(Zxid(-1))
    }
}

/// Whether a membership came with an epoch, and so without a transaction of its own.
fn is_epochs(membership: &Membership) -> bool {
    Zxid(membership.version).counter() == 0
}
