//! What a leader knows, for operators.

use super::progress::{Progress, Stage};
use super::{Leader, Phase};
use crate::output::LinkId;
use crate::peer::report::{LearnerReport, Phase as Reported};
use grevy_proto::quorum::Packet;
use grevy_proto::{ServerId, Zxid};

impl Leader {
    /// The phase, as operators know it.
    pub fn report_phase(&self) -> Reported {
        match self.phase {
            Phase::Discovery | Phase::Promising | Phase::Accepting => Reported::Discovery,
            Phase::Entering | Phase::Synchronisation => Reported::Synchronisation,
            Phase::Broadcast => Reported::Broadcast,
        }
    }

    /// All who are connected.
    pub fn report_learners(&self) -> impl Iterator<Item = LearnerReport> {
        self.links.iter().map(|(link, progress)| LearnerReport {
            link: *link,
            server: progress.server,
            observer: progress.observer,
            phase: reported(progress),
            acked: match progress.observer {
                true => Zxid(-1),
                false => progress.acked,
            },
            traffic: progress.traffic,
        })
    }

    /// How many are connected.
    pub fn link_count(&self) -> usize {
        self.links.len()
    }

    /// Something is sent to a learner.
    pub fn count_sent(&mut self, link: LinkId, packet: &Packet) {
        if let Some(progress) = self.links.get_mut(&link) {
            progress.traffic.sent(packet);
        }
    }

    /// A learner sent a request, or a question about a session.
    pub fn count_request(&mut self, link: LinkId) {
        if let Some(progress) = self.links.get_mut(&link) {
            progress.traffic.requests += 1;
        }
    }

    /// Counts what is sent to observers, and comes from them, anew.
    pub fn reset_observer_traffic(&mut self) {
        let observers = self.links.values_mut().filter(|p| p.observer);
        observers.for_each(|progress| progress.traffic.reset());
    }

    /// Up to where each voter's log is durable.
    pub fn acked(&self) -> impl Iterator<Item = (ServerId, Zxid)> {
        self.acked.iter().map(|(server, zxid)| (*server, *zxid))
    }

    /// Whether a server has done what the phase waits for, or follows.
    pub fn is_supported_by(&self, server: ServerId) -> bool {
        match self.phase {
            Phase::Broadcast => self
                .links
                .values()
                .any(|p| p.server == Some(server) && p.stage >= Stage::Synchronised),
            _ => self.support.contains(&server),
        }
    }
}

fn reported(progress: &Progress) -> Reported {
    match progress.stage {
        Stage::Connected | Stage::Introduced | Stage::Informed => Reported::Discovery,
        Stage::Accepted { .. }
        | Stage::WaitsForSnapshot { .. }
        | Stage::WaitsForLog { .. }
        | Stage::Synchronising => Reported::Synchronisation,
        Stage::Synchronised | Stage::Serving => Reported::Broadcast,
    }
}
