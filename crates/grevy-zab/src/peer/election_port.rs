//! What goes over the election port, and who is connected there.

use super::{Peer, Role};
use crate::election::{Vote, answer};
use crate::learner::Manner;
use crate::output::Output;
use crate::time::Time;
use alloc::format;
use alloc::string::ToString;
use grevy_proto::ServerId;
use grevy_proto::election::{Notification, PeerState};

impl Peer {
    /// A message came on the election port.
    pub fn handle_notification(&mut self, now: Time, from: ServerId, message: &Notification) {
        match self.role {
            Role::Draining { .. } => self.heard.hear(now, from, message),
            Role::Leading(_) | Role::Learning(_) => {
                self.heard.hear_of_new(self.round, now, from, message);
            }
            Role::Looking(_) | Role::Retired => {}
        }
        match &mut self.role {
            Role::Draining { .. } | Role::Retired => {}
            Role::Looking(election) => election.handle_notification(now, from, message),
            Role::Leading(leader)
                if message.state == PeerState::Looking
                    && leader.is_left_by(from, now, &self.common) =>
            {
                let text = format!("server {} looks for a leader again", from.0);
                self.look(now, text);
            }
            Role::Leading(leader) => {
                let result = leader.hear(&self.common, self.round, from, message);
                self.answer(from, message);
                self.judge(now, result);
            }
            Role::Learning(_) => self.answer(from, message),
        }
        self.advance(now);
    }

    /// The election connection to `server` came up or went down.
    pub fn handle_peer(&mut self, now: Time, server: ServerId, connected: bool) {
        self.connected.insert(server, connected);
        if !connected {
            self.heard.forget(server);
        }
        match &mut self.role {
            Role::Looking(election) => election.handle_peer(now, server, connected),
            // It is gone, and so is no use to try and reach it any longer.
            Role::Learning(learner) if !connected && learner.waits_for(server) => {
                let text = format!("server {} is gone, and was not followed yet", server.0);
                self.look(now, text);
            }
            _ => {}
        }
        self.advance(now);
    }

    fn answer(&mut self, from: ServerId, message: &Notification) {
        let members = &self.common.members;
        if let Some(vote) = answer(&self.vote, self.round, members, from, message.state) {
            self.notify(from, self.state(), vote);
        }
    }

    /// What this server says it is doing. Who is in no configuration follows without a vote, as far
    /// as it knows; those that know of one that gives it one count it.
    pub(super) fn state(&self) -> PeerState {
        match &self.role {
            Role::Draining { .. } | Role::Looking(_) | Role::Retired => PeerState::Looking,
            Role::Leading(_) => PeerState::Leading,
            Role::Learning(learner)
                if learner.manner() == Manner::Follow || self.common.is_voter(self.common.me) =>
            {
                PeerState::Following
            }
            Role::Learning(_) => PeerState::Observing,
        }
    }

    pub(super) fn notify(&mut self, to: ServerId, state: PeerState, vote: Vote) {
        let config = self.common.members.committed().to_string();
        let message = Notification {
            state,
            leader: vote.leader,
            zxid: vote.zxid,
            round: vote.round,
            epoch: vote.epoch,
            version: 2,
            config: Some(config.into()),
        };
        self.common.output(Output::Notify { to, message });
    }
}
