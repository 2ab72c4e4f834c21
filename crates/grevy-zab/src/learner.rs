//! A follower or observer: from the connection to the leader to the transactions that it sends.
//! Source: `Learner`, `Follower`, `Observer`.
//!
//! The order in which a learner takes over a leader's history is what nothing may be lost by:
//! the history is durable, then `currentEpoch` is, then NEWLEADER is acknowledged
//! (ZOOKEEPER-3911, -4643, -4646, -4785). What came meanwhile is applied when the leader says
//! UPTODATE, for only then is it known to be committed; so the state in memory never runs ahead
//! of what a quorum holds (ZOOKEEPER-5094).

mod replaced;

use crate::common::{Common, Epochs, Fall};
use crate::history::{Entry, follows};
use crate::membership::Membership;
use crate::output::{LinkId, Output, Part};
use crate::peer::report::Phase as Reported;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use grevy_proto::quorum::{LearnerInfo, Packet};
use grevy_proto::{Epoch, ServerId, Zxid};
use replaced::{lost, warn_of_replacement};

/// In what way a server joins its leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With a vote: proposals are made durable and acknowledged.
    Follow,
    /// Without one.
    Observe,
    /// Like an observer under a number that no member has, until its lost history has been replaced:
    /// it must not count for anything before (P30).
    Heal,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Learner {
    pub leader: ServerId,
    /// The follower to connect to instead; `None`: the leader itself.
    master: Option<ServerId>,
    /// The epoch and the end of the history that the leader was elected with.
    advertised: (i64, Zxid),
    manner: Manner,
    /// The configuration of this transaction is in force, and who leads in it, before the
    /// transaction has been looked into.
    pub activates: Option<(Zxid, ServerId)>,
    link: Option<LinkId>,
    /// Where this server's history ends, as it has said.
    said: Zxid,
    phase: Phase,
    epoch: Epoch,
    /// Up to where the leader says that transactions are committed.
    committed: Zxid,
    /// A snapshot to be installed, and what came behind it.
    snapshot: Option<Snapshot>,
    /// Transactions that the leader waits to hear are durable, oldest first.
    unacknowledged: VecDeque<Zxid>,
    /// The end of the history that NEWLEADER stands behind. What comes after it need not be
    /// durable before the acknowledgement, and under load never all is.
    settles_at: Zxid,
    /// The configuration that came with NEWLEADER.
    config: Option<Arc<Membership>>,
    /// UPTODATE came before this server had acknowledged NEWLEADER: a quorum of others had.
    is_established: bool,
    healed: bool,
}

#[derive(Debug)]
struct Snapshot {
    zxid: Zxid,
    /// It has been read to its end.
    received: bool,
    behind: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Dialling,
    /// FOLLOWERINFO is sent.
    Introduced,
    /// The promise is being made durable.
    Promising,
    /// ACKEPOCH is sent.
    Promised,
    /// The leader has said how it will bring this server up to date.
    Synchronising,
    /// NEWLEADER came; the history is being made durable.
    Settling,
    /// `currentEpoch` is being made durable.
    Entering,
    /// NEWLEADER is acknowledged.
    Entered,
    /// UPTODATE came.
    Serving,
}

impl Learner {
    pub fn new(
        leader: ServerId,
        master: Option<ServerId>,
        advertised: (i64, Zxid),
        manner: Manner,
        common: &mut Common,
    ) -> Self {
        common.output(Output::Became(Part::Joining { leader }));
        let timeout = common.timing.connect;
        common.output(match master {
            Some(master) => Output::DialMaster { master, timeout },
            None => Output::Dial { leader, timeout },
        });
        Self {
            leader,
            master,
            advertised,
            manner,
            activates: None,
            link: None,
            said: Zxid(-1),
            phase: Phase::Dialling,
            epoch: Epoch(0),
            committed: Zxid(-1),
            snapshot: None,
            unacknowledged: VecDeque::new(),
            settles_at: Zxid(-1),
            config: None,
            is_established: false,
            healed: false,
        }
    }

    pub fn link(&self) -> Option<LinkId> {
        self.link
    }

    pub fn manner(&self) -> Manner {
        self.manner
    }

    /// Whom it connects to.
    pub fn dials(&self) -> ServerId {
        self.master.unwrap_or(self.leader)
    }

    /// Where it connects to, as operators know it.
    pub fn door(&self) -> &'static str {
        match self.master {
            Some(_) => "port for observers",
            None => "quorum port",
        }
    }

    /// Whether it waits for a connection to `server`.
    pub fn waits_for(&self, server: ServerId) -> bool {
        self.dials() == server && self.link.is_none()
    }

    /// Whether it follows, with all that is committed.
    pub fn follows(&self) -> bool {
        self.serves() && self.manner == Manner::Follow
    }

    pub fn serves(&self) -> bool {
        self.phase == Phase::Serving
    }

    /// The phase, as operators know it.
    pub fn report_phase(&self) -> Reported {
        match self.phase {
            Phase::Dialling | Phase::Introduced | Phase::Promising | Phase::Promised => {
                Reported::Discovery
            }
            Phase::Synchronising | Phase::Settling | Phase::Entering | Phase::Entered => {
                Reported::Synchronisation
            }
            Phase::Serving => Reported::Broadcast,
        }
    }

    /// The epoch that was agreed on, once it is.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn link_dialled(&mut self, common: &mut Common, link: LinkId) {
        if self.phase != Phase::Dialling {
            common.hang_up(link, "a connection that nobody waits for");
            return;
        }
        self.link = Some(link);
        self.phase = Phase::Introduced;
        let timeout = common.timing.init;
        common.output(Output::LinkTimeout { link, timeout });
        let heals = self.manner == Manner::Heal;
        let info = LearnerInfo {
            observer: self.manner != Manner::Follow,
            accepted_epoch: match heals {
                true => Epoch(0),
                false => common.epochs.accepted,
            },
            server: Some(match heals {
                true => nobody(common.me),
                false => common.me,
            }),
            config_version: common.members.committed().version,
        };
        common.send(link, Packet::LearnerInfo(info));
    }

    /// Takes a packet of the leader's. Pings, syncs and answers about sessions are not for here.
    pub fn handle_packet(&mut self, common: &mut Common, packet: Packet) -> Result<(), Fall> {
        match (self.phase, packet) {
            (Phase::Introduced, Packet::LeaderInfo(epoch)) => self.promise(common, epoch),
            (Phase::Promised, Packet::Diff(_)) => self.keep(common),
            (Phase::Promised, Packet::Trunc(to)) => self.truncate(common, to),
            (Phase::Promised, Packet::Snap(zxid)) => self.expect_snapshot(zxid),
            (phase, Packet::Proposal { zxid, entry }) if phase >= Phase::Synchronising => {
                self.receive(common, zxid, entry)
            }
            (
                phase,
                Packet::Inform { zxid, entry } | Packet::InformAndActivate { zxid, entry, .. },
            ) if phase >= Phase::Synchronising => {
                self.receive(common, zxid, entry)?;
                self.handle_commit(common, zxid)
            }
            (phase, Packet::Commit(zxid) | Packet::CommitAndActivate { zxid, .. })
                if phase >= Phase::Synchronising =>
            {
                self.handle_commit(common, zxid)
            }
            (Phase::Synchronising, Packet::NewLeader { zxid, config }) => {
                self.handle_new_leader(common, zxid, &config)
            }
            (Phase::Entered, Packet::UpToDate) if self.manner == Manner::Heal => {
                self.healed = true;
                Err(Fall(
                    "this server has the state of the leader now, and joins it as what it is"
                        .into(),
                ))
            }
            (Phase::Entered, Packet::UpToDate) => {
                self.serve(common);
                Ok(())
            }
            (Phase::Settling | Phase::Entering, Packet::UpToDate) => {
                self.is_established = true;
                Ok(())
            }
            // What comes late, or is of a later version of the protocol, does no harm.
            (Phase::Serving, Packet::UpToDate) | (_, Packet::Unknown(_)) => Ok(()),
            (phase, packet) => Err(Fall(format!(
                "the leader sent {} where it makes no sense ({phase:?})",
                packet.name()
            ))),
        }
    }

    /// Accepts the epoch, or refuses a leader that comes too late.
    fn promise(&mut self, common: &mut Common, epoch: Epoch) -> Result<(), Fall> {
        if epoch > Epoch::MAX {
            return Err(Fall(format!(
                "the leader's epoch {} is beyond the last that there can be; its data is damaged or \
                 strange",
                epoch.0
            )));
        }
        self.epoch = epoch;
        if self.manner == Manner::Heal {
            // Nothing that is kept goes back.
            let current = common.epochs.current.max(common.history.last().epoch());
            if epoch < current {
                return Err(Fall(format!(
                    "the leader's epoch {} is older than {}, which this server has been in",
                    epoch.0, current.0
                )));
            }
            // Nothing is promised before the history is there.
            self.accept(common, None);
            return Ok(());
        }
        let accepted = common.epochs.accepted;
        if epoch < accepted {
            return Err(Fall(format!(
                "the leader's epoch {} is older than {}, which this server has accepted",
                epoch.0, accepted.0
            )));
        }
        if epoch == accepted {
            self.accept(common, None);
            return Ok(());
        }
        self.phase = Phase::Promising;
        common.save(Epochs {
            accepted: epoch,
            ..common.ordered
        });
        Ok(())
    }

    fn accept(&mut self, common: &mut Common, current_epoch: Option<Epoch>) {
        let last_zxid = match self.manner {
            Manner::Heal => Zxid::ZERO,
            _ if common.distrusted && self.may_understate(common, current_epoch) => Zxid::ZERO,
            _ => common.durable,
        };
        self.phase = Phase::Promised;
        self.said = last_zxid;
        self.send(
            common,
            Packet::AckEpoch {
                last_zxid,
                current_epoch,
            },
        );
    }

    /// Whether this server may say that it has nothing, so as to be sent a snapshot. A leader
    /// that counts it must not miss anything that it has: either it does not count, or the
    /// leader was elected with a history that is as long.
    fn may_understate(&self, common: &Common, current_epoch: Option<Epoch>) -> bool {
        current_epoch.is_none_or(|epoch| self.advertised >= (i64::from(epoch.0), common.durable))
    }

    /// The promises are durable.
    pub fn epochs_saved(&mut self, common: &mut Common) {
        match self.phase {
            Phase::Promising if common.epochs.accepted == self.epoch => {
                self.accept(common, Some(common.epochs.current));
            }
            Phase::Entering if common.epochs.current == self.epoch => self.enter(common),
            _ => {}
        }
    }

    /// All of the history is part of the leader's.
    fn keep(&mut self, common: &Common) -> Result<(), Fall> {
        let last = common.history.last();
        if self.said < last {
            return Err(Fall(
                "the leader sent DIFF where only a snapshot can help this server".into(),
            ));
        }
        self.begin(last);
        Ok(())
    }

    /// The history up to `zxid` is part of the leader's.
    fn begin(&mut self, zxid: Zxid) {
        self.phase = Phase::Synchronising;
        self.committed = zxid;
    }

    /// Takes back what the leader does not have. If that cannot be, nothing is touched, and the
    /// next time a snapshot is asked for: some leaders remember what their history never had
    /// (ZOOKEEPER-3526).
    fn truncate(&mut self, common: &mut Common, asked: Zxid) -> Result<(), Fall> {
        let to = match end_at(common, asked) {
            Ok(to) => to,
            Err(fall) => {
                common.distrusted = true;
                return Err(fall);
            }
        };
        if let Some(lost) = lost(&common.history, to) {
            common.warn(format!(
                "taking back {lost}, which the leader does not have"
            ));
        }
        common.history.truncate(to);
        common.take_back_configuration(to);
        common.durable = common.durable.min(to);
        common.rewriting = true;
        common.output(Output::Truncate { to });
        self.begin(to);
        Ok(())
    }

    fn expect_snapshot(&mut self, zxid: Zxid) -> Result<(), Fall> {
        if zxid < Zxid::ZERO || zxid.epoch() > self.epoch {
            return Err(Fall(format!(
                "the leader of epoch {} sent a snapshot of {zxid}, which it cannot have",
                self.epoch.0
            )));
        }
        self.snapshot = Some(Snapshot {
            zxid,
            received: false,
            behind: Vec::new(),
        });
        self.begin(zxid);
        Ok(())
    }

    /// Where the history ends that the leader has told so far.
    fn told(&self, common: &Common) -> Zxid {
        match &self.snapshot {
            Some(snapshot) => snapshot.behind.last().map_or(snapshot.zxid, |e| e.zxid),
            None => common.history.last(),
        }
    }

    /// The stream behind SNAP was read to its end.
    pub fn snapshot_received(&mut self, common: &mut Common, zxid: Zxid) {
        if let Some(snapshot) = &mut self.snapshot
            && snapshot.zxid == zxid
        {
            snapshot.received = true;
            self.settle(common);
        }
    }

    /// A transaction came, in its order.
    fn receive(&mut self, common: &mut Common, zxid: Zxid, entry: Arc<[u8]>) -> Result<(), Fall> {
        let last = self.told(common);
        // A leader may repeat itself; a repetition takes no effect.
        if zxid <= last {
            return Ok(());
        }
        if !follows(last, zxid) {
            return Err(Fall(format!(
                "the leader sent transaction {zxid} where one behind {last} has to come"
            )));
        }
        match &mut self.snapshot {
            Some(snapshot) => snapshot.behind.push(Entry { zxid, bytes: entry }),
            None => self.append(common, zxid, entry)?,
        }
        Ok(())
    }

    fn append(&mut self, common: &mut Common, zxid: Zxid, entry: Arc<[u8]>) -> Result<(), Fall> {
        common
            .history
            .append(zxid, entry.clone())
            .map_err(|hole| Fall(format!("{hole}")))?;
        self.unacknowledged.push_back(zxid);
        common.output(Output::Append { zxid, entry });
        Ok(())
    }

    fn handle_commit(&mut self, common: &mut Common, zxid: Zxid) -> Result<(), Fall> {
        if self.phase != Phase::Serving {
            self.committed = zxid.max(self.committed);
            return Ok(());
        }
        if zxid <= common.history.committed() {
            return Ok(());
        }
        let expected = common.history.next_after(common.history.committed());
        if expected != Some(zxid) {
            return Err(Fall(format!(
                "the leader committed {zxid}, where {} is the next transaction",
                expected.map_or("none".into(), |zxid| format!("{zxid}"))
            )));
        }
        common.commit(zxid);
        Ok(())
    }

    fn handle_new_leader(
        &mut self,
        common: &mut Common,
        zxid: Zxid,
        config: &str,
    ) -> Result<(), Fall> {
        if zxid.epoch() != self.epoch {
            return Err(Fall(format!(
                "NEWLEADER is of epoch {}, where {} was agreed on",
                zxid.epoch().0,
                self.epoch.0
            )));
        }
        // A leader that does not serve yet has a snapshot of what it has applied, and more behind.
        refuse_loss(common, self.told(common))?;
        // Leaders before 3.5 send none.
        if config.len() > 1 {
            match Membership::parse(config) {
                Ok(config) => self.config = Some(Arc::new(config)),
                Err(error) => common.note(format!(
                    "the configuration of the leader cannot be read and is left aside: {error}"
                )),
            }
        }
        self.phase = Phase::Settling;
        self.settles_at = common.history.last();
        self.settle(common);
        Ok(())
    }

    /// Goes on as far as the disk has come: first the history, then the epoch.
    pub fn settle(&mut self, common: &mut Common) {
        if self.phase != Phase::Settling || common.rewriting {
            return;
        }
        if let Some(snapshot) = &mut self.snapshot {
            if !snapshot.received {
                return;
            }
            let zxid = snapshot.zxid;
            let behind = core::mem::take(&mut snapshot.behind);
            self.snapshot = None;
            let end = behind.last().map_or(zxid, |entry| entry.zxid);
            warn_of_replacement(common, end, self.config.as_deref());
            let kept = kept(common, zxid, &behind);
            common.history.restart(zxid);
            common.replace_configuration(self.config.clone());
            common.durable = kept.last().map_or(zxid, |entry| entry.zxid);
            common.rewriting = true;
            let (mut behind, count) = (behind.into_iter(), kept.len());
            for entry in behind.by_ref().take(count) {
                // They were checked when they came.
                let _ = common.history.append(entry.zxid, entry.bytes);
                self.unacknowledged.push_back(entry.zxid);
            }
            common.output(Output::InstallSnapshot { zxid, kept });
            for entry in behind {
                let _ = self.append(common, entry.zxid, entry.bytes);
            }
            self.settles_at = common.history.last();
            return;
        }
        if common.durable < self.settles_at {
            return;
        }
        self.phase = Phase::Entering;
        common.save(Epochs {
            accepted: common.ordered.accepted.max(self.epoch),
            current: self.epoch,
        });
    }

    /// Acknowledges NEWLEADER.
    fn enter(&mut self, common: &mut Common) {
        self.phase = Phase::Entered;
        self.send(common, Packet::Ack(Zxid::new(self.epoch, 0)));
        if let Some(link) = self.link {
            let timeout = common.silence();
            common.output(Output::LinkTimeout { link, timeout });
        }
        let committed = self.committed;
        self.unacknowledged.retain(|zxid| *zxid > committed);
    }

    /// The connection on which UPTODATE came too early for this server, and can be heard now.
    pub fn take_early_uptodate(&mut self) -> Option<LinkId> {
        let hears = self.phase == Phase::Entered && core::mem::take(&mut self.is_established);
        hears.then_some(self.link).flatten()
    }

    fn serve(&mut self, common: &mut Common) {
        self.phase = Phase::Serving;
        common.distrusted = false;
        self.send(common, Packet::Ack(Zxid::new(self.epoch, 0)));
        common.commit(self.committed.min(common.history.last()));
        let config = self.config.take();
        common.activate(config);
        // Who learns by this that it was removed acknowledges nothing any more (P31).
        if common.follows() {
            self.acknowledge(common);
        }
        let (leader, epoch) = (self.leader, self.epoch);
        common.output(Output::Became(match self.manner {
            Manner::Follow => Part::Following { leader, epoch },
            _ => Part::Observing { leader, epoch },
        }));
    }

    /// The log is durable up to some point further on.
    pub fn log_synced(&mut self, common: &mut Common) {
        self.settle(common);
        self.acknowledge(common);
    }

    /// Says of each transaction that it is durable; a leader may wait for each. Until UPTODATE no
    /// leader waits for any.
    fn acknowledge(&mut self, common: &mut Common) {
        if self.phase < Phase::Serving {
            return;
        }
        while let Some(zxid) = self.unacknowledged.front()
            && *zxid <= common.durable
        {
            let zxid = *zxid;
            self.unacknowledged.pop_front();
            if self.manner == Manner::Follow {
                self.send(common, Packet::Ack(zxid));
            }
        }
    }

    /// Answers a ping. While it synchronises, a learner is silent.
    pub fn answer_ping(&self, common: &mut Common, answer: Packet) {
        if self.phase == Phase::Serving {
            self.send(common, answer);
        }
    }

    fn send(&self, common: &mut Common, packet: Packet) {
        if let Some(link) = self.link {
            common.send(link, packet);
        }
    }

    /// Whether the lost history has been replaced.
    pub fn is_healed(&self) -> bool {
        self.healed
    }

    pub fn end(self, common: &mut Common, why: &str) {
        if let Some(link) = self.link {
            common.hang_up(link, String::from(why));
        }
    }
}

impl PartialOrd for Phase {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        (*self as u8).partial_cmp(&(*other as u8))
    }
}

/// A server that lacks data calls itself this less its number.
const HEALING: i64 = -1000;

/// The number under which a server heals. Java servers count by the number alone, so it must be
/// nobody's; one that says none at all they take for a server before 3.4.
fn nobody(server: ServerId) -> ServerId {
    ServerId(HEALING - server.0)
}

/// Which server heals under this number, if one does.
pub fn who_heals(number: ServerId) -> Option<ServerId> {
    (number.0 <= HEALING).then(|| ServerId(HEALING - number.0))
}

/// The transaction that the history ends with once everything above `to` is taken back.
fn end_at(common: &Common, to: Zxid) -> Result<Zxid, Fall> {
    let history = &common.history;
    let last = history.last();
    // An epoch's first number has no transaction. What is there before the epoch's first one is
    // all of the epochs before.
    let begins_epoch = to.counter() == 0 && history.next_after(to) == Some(to.next());
    let end = match history.newest_up_to(to) {
        _ if to > last => None,
        // The log's files decide.
        None => Some(to),
        Some(newest) => (newest == to || begins_epoch).then_some(newest),
    };
    let Some(end) = end else {
        return Err(Fall(format!(
            "the leader wants everything above {to} taken back, which is no transaction of the \
             history here; it ends at {last}"
        )));
    };
    refuse_loss(common, end)?;
    Ok(end)
}

/// The first of those `behind` the snapshot `zxid` that are on this server's disk: some may have been
/// committed with its help, though the state of the leader did not have them yet, so they have to
/// outlive a crash. Their bytes tell, as with another history zxids alone do not.
fn kept(common: &Common, zxid: Zxid, behind: &[Entry]) -> Vec<Entry> {
    if !common.history.contains(zxid) {
        return Vec::new();
    }
    let here = common.history.between(zxid, common.durable);
    let same = behind
        .iter()
        .zip(here)
        .take_while(|(told, here)| told == here);
    same.map(|(told, _)| told.clone()).collect()
}

/// No leader may take back what this server knows to be committed: one that would has lost it.
fn refuse_loss(common: &Common, to: Zxid) -> Result<(), Fall> {
    match to < common.witnessed {
        false => Ok(()),
        true => Err(Fall(format!(
            "the leader's history ends at {to}, but {} is committed; it must have lost \
             transactions, and nothing is taken over from it",
            common.witnessed
        ))),
    }
}

#[cfg(test)]
mod tests;
