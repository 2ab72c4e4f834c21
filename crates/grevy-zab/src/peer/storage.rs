//! What the storage reports: what is durable, and what became of the history.

use super::{Peer, Role};
use crate::common::Epochs;
use crate::election::Standing;
use crate::output::LinkId;
use crate::time::Time;
use grevy_proto::Zxid;
use grevy_proto::quorum::Packet;

impl Peer {
    /// The log is durable up to `zxid`.
    pub fn log_synced(&mut self, now: Time, zxid: Zxid) {
        // Of what was taken back meanwhile nothing is said.
        let zxid = zxid.min(self.common.history.last());
        self.common.durable = self.common.durable.max(zxid);
        match &mut self.role {
            Role::Leading(leader) => leader.log_synced(&mut self.common),
            Role::Learning(learner) => learner.log_synced(&mut self.common),
            Role::Draining { .. } | Role::Looking(_) => self.try_elect(now),
            Role::Retired => {}
        }
        self.advance(now);
    }

    /// The promises are durable.
    pub fn epochs_saved(&mut self, now: Time, epochs: Epochs) {
        self.common.epochs = epochs;
        // Whoever has promised an epoch is no beginner any more: it had heard of no history, and
        // a new ensemble would not get over a crash otherwise, in which a leader had entered its
        // first epoch.
        if matches!(self.standing, Standing::Empty | Standing::New) {
            self.standing = Standing::Normal;
        }
        match &mut self.role {
            Role::Leading(leader) => leader.epochs_saved(&mut self.common, now),
            Role::Learning(learner) => {
                learner.epochs_saved(&mut self.common);
                if let Some(link) = learner.take_early_uptodate() {
                    self.handle_packet(now, link, Packet::UpToDate);
                }
            }
            Role::Draining { .. } | Role::Looking(_) => self.try_elect(now),
            Role::Retired => {}
        }
        self.advance(now);
    }

    /// What [`Output::Truncate`](crate::Output::Truncate) asked for is done.
    pub fn truncated(&mut self, now: Time) {
        self.rewritten(now);
    }

    /// What [`Output::Truncate`](crate::Output::Truncate) asked for cannot be done, and the history
    /// still ends at `last`: nothing that was to be appended behind the truncation may be. The
    /// server leaves its leader, to be sent a snapshot by it or the next.
    pub fn truncation_refused(&mut self, now: Time, last: Zxid, why: &str) {
        self.common.rewriting = false;
        self.common.distrusted = true;
        self.common.history.restart(last);
        self.common.durable = last;
        match self.role {
            Role::Learning(_) => self.look(now, why.into()),
            _ => self.try_elect(now),
        }
        self.advance(now);
    }

    /// What [`Output::InstallSnapshot`](crate::Output::InstallSnapshot) asked for is done.
    pub fn snapshot_installed(&mut self, now: Time) {
        self.rewritten(now);
    }

    fn rewritten(&mut self, now: Time) {
        self.common.rewriting = false;
        match &mut self.role {
            Role::Learning(learner) => learner.settle(&mut self.common),
            _ => self.try_elect(now),
        }
        self.advance(now);
    }

    /// The stream behind SNAP was read to its end, and its state can be installed.
    pub fn snapshot_received(&mut self, now: Time, link: LinkId, zxid: Zxid) {
        if let Role::Learning(learner) = &mut self.role
            && learner.link() == Some(link)
        {
            learner.snapshot_received(&mut self.common, zxid);
        }
        self.advance(now);
    }
}
