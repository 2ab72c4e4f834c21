//! A follower that serves observers, so that a leader does not have to serve them all. Source:
//! `ObserverMaster`.
//!
//! To an observer it is the leader, of the follower's epoch, with the history that the follower
//! knows to be committed. It takes no part in agreeing on anything.

use super::{Leader, Phase};
use crate::common::Common;
use crate::history::Entry;
use crate::time::Time;
use alloc::vec::Vec;
use grevy_proto::{Epoch, ServerId, Zxid};

impl Leader {
    /// Begins to serve observers in the epoch of the leader that is followed.
    pub fn relay(common: &Common, now: Time, epoch: Epoch) -> Self {
        Self {
            phase: Phase::Broadcast,
            epoch,
            last_proposed: common.history.committed(),
            next_ping: now + common.ping_interval(),
            relays: true,
            ..Self::alone(common)
        }
    }

    /// What is behind `before` has become committed; the last of it brought a configuration in
    /// force if `activated` names who leads in it.
    pub fn relay_commits(
        &mut self,
        common: &mut Common,
        before: Zxid,
        activated: Option<(Zxid, ServerId)>,
    ) {
        let committed = common.history.committed();
        let zxids = common.history.between(before, committed);
        let zxids: Vec<Zxid> = zxids.map(|entry: &Entry| entry.zxid).collect();
        for zxid in zxids {
            self.last_proposed = zxid;
            let leader = activated.filter(|(of, _)| *of == zxid);
            self.tell(common, zxid, leader.map(|(_, leader)| leader));
        }
    }
}
