//! A learner says who it is: whether it is let in, and what the operator is to know of it. Source:
//! `LearnerHandler.run`.

use super::{Leader, Phase};
use crate::common::Common;
use crate::output::LinkId;
use crate::time::Time;
use alloc::collections::BTreeMap;
use alloc::format;
use core::time::Duration;
use grevy_proto::ServerId;
use grevy_proto::quorum::LearnerInfo;

/// How often in a row a server may come back while this end still has a connection with it. One
/// that does so more often within `initLimit` is two servers of one number, which would take each
/// other's place for ever.
const MAX_RETURNS: u32 = 3;
/// How often the operator is told the same of a server.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What is kept of servers that have introduced themselves in an unusual way.
#[derive(Debug, Default)]
pub(super) struct Doorkeeper {
    returns: BTreeMap<ServerId, Returns>,
    told: BTreeMap<ServerId, Time>,
}

/// How often a server came back in a row, and when it last did.
#[derive(Debug)]
struct Returns {
    times: u32,
    last: Time,
}

impl Doorkeeper {
    /// A server comes back while there is a connection with it. Whether the new one takes the
    /// place of the other.
    fn comes_back(&mut self, now: Time, server: ServerId, window: Duration) -> bool {
        self.returns
            .retain(|_, returns| now - returns.last < window);
        let new = Returns {
            times: 0,
            last: now,
        };
        let returns = self.returns.entry(server).or_insert(new);
        returns.times = returns.times.saturating_add(1);
        returns.last = now;
        returns.times <= MAX_RETURNS
    }

    /// Whether the operator is to be told of a server, who has not been for a while.
    fn tells(&mut self, now: Time, server: ServerId) -> bool {
        self.told.retain(|_, told| now - *told < TELL_EVERY);
        match self.told.contains_key(&server) {
            true => false,
            false => self.told.insert(server, now).is_none(),
        }
    }
}

impl Leader {
    pub(super) fn handle_learner_info(
        &mut self,
        common: &mut Common,
        now: Time,
        link: LinkId,
        info: &LearnerInfo,
    ) {
        let version = common.members.committed().version;
        if info.config_version > version {
            let text = format!(
                "its configuration has version {:x}, which is newer than {version:x} here",
                info.config_version
            );
            return self.hang_up(common, link, &text);
        }
        let Some(next_epoch) = info.accepted_epoch.next() else {
            let text = "it has accepted the last epoch that there can be, after which nobody could \
                        lead; its data is damaged or strange: empty its data directory";
            return self.hang_up(common, link, text);
        };
        if info.server == Some(common.me) {
            let text = "it says that it is this very server; give each server a number of its own";
            return self.hang_up(common, link, text);
        }
        if self.relays && !info.observer {
            let text = "it wants to follow, and only observers are served here";
            return self.hang_up(common, link, text);
        }
        if let Some(server) = info.server {
            if !self.take_place(common, now, link, server) {
                return;
            }
            // Those with numbers below 0 are members that have lost their data.
            if server.0 >= 0 && !common.members.names(server) && self.doorkeeper.tells(now, server)
            {
                common.warn(format!(
                    "server {} joins, which is in no configuration of this ensemble: it is sent \
                     the data, and has no vote; is it about to be added, was it removed, or does \
                     it belong elsewhere?",
                    server.0
                ));
            }
        }
        let Some(progress) = self.links.get_mut(&link) else {
            return;
        };
        progress.introduce(info);
        match self.phase {
            Phase::Discovery => {
                // Whoever belongs here has to be able to follow.
                if info
                    .server
                    .is_some_and(|server| common.members.names(server))
                {
                    self.epoch = self.epoch.max(next_epoch);
                }
                let voter = info.server.filter(|server| common.is_voter(*server));
                if let Some(server) = voter {
                    self.support.insert(server);
                    self.claim.hear(common, server, info.accepted_epoch);
                }
                self.try_promise(common, now);
            }
            Phase::Promising => {}
            _ => self.inform(common, link),
        }
    }

    /// Who comes back has lost its connection, though this end may not know yet: the new one
    /// takes its place. Returns false if it does not.
    fn take_place(
        &mut self,
        common: &mut Common,
        now: Time,
        link: LinkId,
        server: ServerId,
    ) -> bool {
        let is_it = |progress: &super::Progress| progress.server == Some(server);
        let Some(earlier) = self.links.iter().find(|(_, p)| is_it(p)).map(|(id, _)| *id) else {
            return true;
        };
        if self.doorkeeper.comes_back(now, server, common.timing.init) {
            self.hang_up(common, earlier, "the server came back");
            return true;
        }
        if self.doorkeeper.tells(now, server) {
            common.warn(format!(
                "server {0} connects again and again while a connection with it is alive: do two \
                 servers have the id {0}? Only the first is let in",
                server.0
            ));
        }
        let text = "the server is connected already";
        self.hang_up(common, link, text);
        false
    }
}

#[cfg(test)]
mod tests;
