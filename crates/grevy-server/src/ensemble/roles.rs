//! Which part the server plays, since when and why: for the log, one line a change, and as
//! metrics. Source: `QuorumPeer.setZabState`, `Leader.lead`, `Follower.followLeader`.

use super::learners::Learners;
use super::outlook::{members, names, without_leader};
use crate::metrics::{ServerMetrics, Times};
use grevy_node::{Node, Output, Part, Peer, Status, Time};
use grevy_proto::ServerId;
use grevy_proto::quorum::Packet;
use std::time::Duration;

/// After how long without a leader the log says so; then again after twice as long.
const FIRST_REMINDER: Duration = Duration::from_secs(5);
/// How often it says so at least.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// See the module's text.
#[derive(Debug)]
pub(super) struct Roles {
    /// Since when the server has its present part.
    pub since: Time,
    /// Since when it leads.
    pub leading_since: Option<Time>,
    /// Since when it does not serve.
    pub unavailable_since: Option<Time>,
    /// Why it looked for a leader last.
    pub why: String,
    /// Since when it looks for one, until it has found one.
    looking_since: Option<Time>,
    /// Since when it takes over its leader's history.
    syncing_since: Option<Time>,
    /// When the log says again that there is no leader.
    reminder: Time,
    pub learners: Learners,
}

/// A line for the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Whether somebody should look.
    pub is_warning: bool,
    pub text: String,
}

impl Line {
    pub fn info(text: String) -> Self {
        let is_warning = false;
        Self { is_warning, text }
    }

    pub fn warn(text: String) -> Self {
        let is_warning = true;
        Self { is_warning, text }
    }
}

impl Roles {
    /// Of a server that begins to look for a leader.
    pub fn new(now: Time) -> Self {
        Self {
            since: now,
            leading_since: None,
            unavailable_since: Some(now),
            why: "the server starts".to_owned(),
            looking_since: Some(now),
            syncing_since: None,
            reminder: now + FIRST_REMINDER,
            learners: Learners::default(),
        }
    }

    /// Takes note of something that the node has put out, and says what is worth a line.
    pub fn output(
        &mut self,
        peer: &Peer,
        output: &Output,
        now: Time,
        metrics: &ServerMetrics,
    ) -> Option<Line> {
        match output {
            Output::Became(part) => Some(self.became(peer, part, now, metrics)),
            Output::Send {
                packet: Packet::AckEpoch { .. },
                ..
            } => {
                self.syncing_since = Some(now);
                None
            }
            Output::Send { link, packet } => self.learners.sent(peer, *link, packet, metrics),
            Output::Hangup { link, why } => self.learners.hung_up(peer, *link, why),
            Output::Configured {
                committed,
                proposed,
            } => {
                let (version, servers) = (committed.version, members(committed));
                let mut text = format!("the configuration in force is {version:x}: {servers}");
                if let Some(proposed) = proposed {
                    let (version, servers) = (proposed.version, members(proposed));
                    text.push_str(&format!("; {version:x} is proposed: {servers}"));
                }
                Some(Line::info(text))
            }
            _ => None,
        }
    }

    fn became(&mut self, peer: &Peer, part: &Part, now: Time, metrics: &ServerMetrics) -> Line {
        self.since = now;
        match part {
            Part::Looking { why } => {
                metrics.looking.add(1);
                self.learners.clear();
                self.leading_since = None;
                self.syncing_since = None;
                self.looking_since = Some(now);
                self.unavailable_since.get_or_insert(now);
                self.why.clone_from(why);
                self.reminder = now + FIRST_REMINDER;
                Line::warn(format!("looking for a leader: {why}"))
            }
            Part::PreparingToLead => {
                let took = self.elected(now, metrics);
                Line::info(format!(
                    "elected to lead, after {took} ms; waiting for a quorum to accept that"
                ))
            }
            Part::Joining {
                leader: ServerId(leader),
            } => {
                let took = self.elected(now, metrics);
                Line::info(format!(
                    "server {leader} is elected, after {took} ms; joining it"
                ))
            }
            Part::Leading { epoch } => {
                self.leading_since = Some(now);
                let without = self.available(now, metrics);
                metrics.leader_unavailable_time.add(without);
                let supporters: Vec<ServerId> = peer
                    .learners()
                    .into_iter()
                    .map(|(_, server, _)| server)
                    .collect();
                Line::info(format!(
                    "leading in epoch {}; in sync: {}; {} ms without a leader",
                    epoch.0,
                    names(&supporters),
                    without.as_millis()
                ))
            }
            Part::Following { leader, epoch } => {
                self.synchronised(now, &metrics.follower_sync_time);
                let without = self.available(now, metrics).as_millis();
                let (leader, epoch) = (leader.0, epoch.0);
                Line::info(format!(
                    "following server {leader} in epoch {epoch}; {without} ms without a leader"
                ))
            }
            Part::Observing { leader, epoch } => {
                self.synchronised(now, &metrics.observer_sync_time);
                let without = self.available(now, metrics).as_millis();
                let (leader, epoch) = (leader.0, epoch.0);
                Line::info(format!(
                    "observing server {leader} in epoch {epoch}; {without} ms without a leader"
                ))
            }
        }
    }

    /// There is somebody whom a quorum wants. Returns how long that took, in ms.
    fn elected(&mut self, now: Time, metrics: &ServerMetrics) -> u128 {
        let since = self.looking_since.take().unwrap_or(now);
        metrics.election_time.add(now - since);
        (now - since).as_millis()
    }

    fn synchronised(&mut self, now: Time, metric: &Times) {
        if let Some(since) = self.syncing_since.take() {
            metric.add(now - since);
        }
    }

    /// Clients are served again. Returns for how long they were not.
    fn available(&mut self, now: Time, metrics: &ServerMetrics) -> Duration {
        let without = now - self.unavailable_since.take().unwrap_or(now);
        metrics.unavailable_time.add(without);
        without
    }

    /// Says now and then that there is no leader, and whom this server waits for. One that cannot
    /// serve until it is restarted waits for nobody, and has said so.
    pub fn remind(&mut self, node: &Node, now: Time) -> Option<Line> {
        let since = self.unavailable_since?;
        if now < self.reminder || matches!(node.status(), Status::StorageFailed(_)) {
            return None;
        }
        let without = now - since;
        self.reminder = now + without.clamp(FIRST_REMINDER, LONGEST_SILENCE);
        let (seconds, why) = (without.as_secs(), without_leader(node.peer()));
        Some(Line::warn(format!("{seconds} s without a leader: {why}")))
    }
}
