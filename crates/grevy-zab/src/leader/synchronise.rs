//! Bringing learners up to date. Source: `LearnerHandler.syncFollower`, `Leader.startForwarding`.
//!
//! Everything that is sent here is decided in one step, together with the registration for live
//! traffic, so that nothing falls between. The order is one that is safe toward every Java
//! learner (ZOOKEEPER-3104, -4394): what is committed comes as pairs of PROPOSAL and COMMIT,
//! then NEWLEADER, then what is still outstanding.

use super::plan::{Plan, plan};
use super::progress::{Stage, Transfer};
use super::{Leader, Phase, Snapshotting};
use crate::common::Common;
use crate::history::Entry;
use crate::output::{LinkId, Output};
use crate::time::Time;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use grevy_proto::Zxid;
use grevy_proto::quorum::Packet;

impl Leader {
    /// Brings a learner whose log ends at `last` up to date.
    pub(super) fn synchronise(&mut self, common: &mut Common, now: Time, link: LinkId, last: Zxid) {
        // What it acknowledged on an earlier connection it may be told to take back, or lose with
        // a crash in between.
        if let Some(server) = self.learner(link) {
            self.acked.remove(&server);
        }
        let end = self.agreed_end(common);
        if self.relays && last > end {
            let text = "it has more than this follower knows to be committed";
            return self.hang_up(common, link, text);
        }
        let takes_back = self.phase < Phase::Broadcast && last > common.history.committed();
        let plan = match common.always_snapshot && !takes_back {
            true => Plan::Snapshot,
            false => plan(&common.history, end, last, common.read_log),
        };
        // A Java learner may keep what it is to take back in a snapshot that it wrote when it was
        // elected (ZOOKEEPER-1549), or lose what comes behind TRUNC (ZOOKEEPER-5094). It does no
        // harm if that is only what is outstanding here, too.
        let has_other = !common.history.contains(last);
        let plan = match plan {
            Plan::Trunc { .. } if has_other && self.phase == Phase::Broadcast => Plan::Snapshot,
            plan => plan,
        };
        if plan == Plan::Snapshot && takes_back && !self.may_replace(common, last) {
            // It is brought up to date once the leader is established. Until then it cannot help
            // to establish it.
            let server = self.links.get(&link).and_then(|learner| learner.server);
            common.warn(format!(
                "server {} has transactions up to {last}, which are no part of this server's \
                 history, and gives none of them up before others have accepted this leader; if \
                 the data of this server is another ensemble's, stop it and empty its data \
                 directory",
                server.map_or(-1, |server| server.0)
            ));
            return;
        }
        let transfer = match plan {
            Plan::Snapshot => Transfer::Snapshot,
            _ => Transfer::Diff,
        };
        if !self.begin_transfer(common, link, transfer) {
            return;
        }
        match plan {
            Plan::Diff { after } => {
                common.send(link, Packet::Diff(end));
                self.send_history(common, now, link, after, &[]);
            }
            Plan::Trunc { to } => {
                common.send(link, Packet::Trunc(to));
                self.send_history(common, now, link, to, &[]);
            }
            Plan::Log { after } => {
                self.set_stage(link, Stage::WaitsForLog { after });
                let until = common.history.base();
                common.output(Output::ReadLog { link, after, until });
            }
            Plan::Snapshot => self.order_snapshot(common, link),
        }
    }

    /// Whether a snapshot may take the place of a log that ends at `last`, beyond what this leader
    /// has applied, before the leader is established. Everything that is committed is in this
    /// leader's history; but the snapshot is of what is applied, which may be less, and the rest
    /// comes behind it: a learner that crashes between the two holds the snapshot alone (P26).
    ///
    /// - So it must have nothing of that rest. Some of it may be committed with the learner's help,
    ///   and if several lost it, nobody else might have it.
    /// - What else it has, which is no part of the history here, must be of an earlier epoch than
    ///   that history. With that epoch a quorum has promised to acknowledge nothing older, and its
    ///   leader had everything that was committed by then: what that history lacks never was, and
    ///   never will be. That the epoch is this ensemble's, another voter has to know (see `claim`);
    ///   of later ones only zxids tell, and the learner may be of another ensemble, or this server
    ///   may. It has its turn if this leader fails: the next epoch is a later one.
    fn may_replace(&self, common: &Common, last: Zxid) -> bool {
        let (epoch, _) = self.began_with;
        let rest = common.history.next_after(common.history.committed());
        last.epoch() < epoch && rest.is_none_or(|first| last < first) && self.claim.is_known(common)
    }

    /// The end of what the quorum agrees on; before the leader is established, of what it will
    /// have agreed on then.
    fn agreed_end(&self, common: &Common) -> Zxid {
        match self.phase {
            Phase::Broadcast => common.history.committed(),
            _ => common.history.last(),
        }
    }

    fn set_stage(&mut self, link: LinkId, stage: Stage) {
        if let Some(progress) = self.links.get_mut(&link) {
            progress.stage = stage;
        }
    }

    /// The learner's log is cut behind its snapshot, and what follows comes again; if it crashes
    /// between the two, it has the snapshot alone. With its help all may be committed that is by
    /// now, so no older snapshot will do.
    fn order_snapshot(&mut self, common: &mut Common, link: LinkId) {
        let least = common.history.committed();
        self.set_stage(link, Stage::WaitsForSnapshot { least });
        if self.snapshot == Snapshotting::No {
            self.snapshot = Snapshotting::Ordered;
            common.output(Output::TakeSnapshot);
        }
    }

    /// A snapshot of the state at `zxid` is being written. What follows it is kept until it is
    /// done.
    pub fn snapshot_started(&mut self, common: &mut Common, zxid: Zxid) {
        if self.snapshot == Snapshotting::Ordered {
            self.snapshot = Snapshotting::Started(zxid);
            common.history.pin(Some(zxid));
        }
    }

    /// The snapshot is durable, or could not be written.
    pub fn snapshot_ready(&mut self, common: &mut Common, now: Time, written: bool) {
        let Snapshotting::Started(zxid) = self.snapshot else {
            return;
        };
        self.snapshot = Snapshotting::No;
        let waiting = self.links.iter().filter_map(|(link, progress)| {
            let Stage::WaitsForSnapshot { least } = progress.stage else {
                return None;
            };
            Some((*link, least.max(common.history.base())))
        });
        let waiting: Vec<(LinkId, Zxid)> = waiting.collect();
        for (link, least) in waiting {
            match written {
                true if zxid < least => self.order_snapshot(common, link),
                true => {
                    common.send(link, Packet::Snap(zxid));
                    common.output(Output::SendSnapshot { link, zxid });
                    self.send_history(common, now, link, zxid, &[]);
                }
                false => self.hang_up(common, link, "no snapshot could be written for it"),
            }
        }
        common.history.pin(None);
    }

    /// What was asked for from the log's files; `None` if they do not have it.
    pub fn log_read(
        &mut self,
        common: &mut Common,
        now: Time,
        link: LinkId,
        entries: Option<Vec<Entry>>,
    ) {
        let Some(progress) = self.links.get(&link) else {
            return;
        };
        let Stage::WaitsForLog { after } = progress.stage else {
            return;
        };
        match entries {
            // Memory may have moved on while the files were read.
            Some(entries)
                if joins(&entries, after)
                    && entries
                        .last()
                        .is_some_and(|e| e.zxid >= common.history.base()) =>
            {
                common.send(link, Packet::Diff(self.agreed_end(common)));
                self.send_history(common, now, link, after, &entries);
            }
            _ if self.begin_transfer(common, link, Transfer::Snapshot) => {
                self.order_snapshot(common, link);
            }
            _ => {}
        }
    }

    /// Notes what the learner is being sent. Whether there is room for it: too many observers
    /// are sent away, to come again. Source: `LearnerSyncThrottler`.
    fn begin_transfer(&mut self, common: &mut Common, link: LinkId, transfer: Transfer) -> bool {
        let running = self.links.iter().filter(|(other, progress)| {
            **other != link && progress.observer && progress.transfer == Some(transfer)
        });
        let limit = match transfer {
            Transfer::Snapshot => common.limits.snapshots,
            Transfer::Diff => common.limits.diffs,
        };
        let is_full = running.count() >= limit;
        let Some(progress) = self.links.get_mut(&link) else {
            return false;
        };
        progress.transfer = Some(transfer);
        if progress.observer && is_full {
            let text =
                "too many observers are being brought up to date (leader.maxConcurrent…Syncs)";
            self.hang_up(common, link, text);
            return false;
        }
        true
    }

    /// Sends everything behind `after`, of which `first` may not be in memory, and registers the
    /// learner for what comes.
    fn send_history(
        &mut self,
        common: &mut Common,
        now: Time,
        link: LinkId,
        after: Zxid,
        first: &[Entry],
    ) {
        let end = self.agreed_end(common);
        let epoch_zxid = self.epoch_zxid();
        let mut packets = Vec::new();
        let mut pair = |entry: &Entry| {
            packets.push(Packet::Proposal {
                zxid: entry.zxid,
                entry: entry.bytes.clone(),
            });
            packets.push(Packet::Commit(entry.zxid));
        };
        first.iter().for_each(&mut pair);
        let after = first.last().map_or(after, |entry| entry.zxid);
        common.history.between(after, end).for_each(&mut pair);
        // Whoever is told takes it for committed. One that is merely proposed is not, but for one
        // that NEWLEADER is to establish itself.
        let members = match self.phase {
            Phase::Broadcast => common.members.committed(),
            _ => common.members.last_seen(),
        };
        packets.push(Packet::NewLeader {
            zxid: epoch_zxid,
            config: members.to_string().into(),
        });
        let Some(progress) = self.links.get_mut(&link) else {
            return;
        };
        progress.stage = Stage::Synchronising;
        progress.synced_to = end;
        progress.acked = Zxid(-1);
        if !progress.observer {
            for entry in common.history.between(end, Zxid(i64::MAX)) {
                progress.proposed(entry.zxid, now);
                packets.push(Packet::Proposal {
                    zxid: entry.zxid,
                    entry: entry.bytes.clone(),
                });
            }
        }
        for packet in packets {
            common.send(link, packet);
        }
    }
}

/// Whether the entries follow `after` and each other; at the beginning of an epoch only the
/// history that follows can tell.
fn joins(entries: &[Entry], after: Zxid) -> bool {
    let mut last = after;
    entries.iter().all(|entry| {
        let joins = crate::history::follows(last, entry.zxid);
        last = entry.zxid;
        joins
    })
}

#[cfg(test)]
mod tests;
