//! What goes over the quorum port: links, and the packets on them that are not about sessions.

use super::{MAX_PARKED, Peer, Role, Unreachable};
use crate::output::{LinkId, Output};
use crate::time::Time;
use alloc::format;
use grevy_proto::quorum::Packet;
use grevy_proto::{ServerId, Zxid};

impl Peer {
    /// Somebody has connected to this server's quorum port.
    pub fn link_accepted(&mut self, now: Time, link: LinkId) {
        match &mut self.role {
            Role::Leading(leader) => leader.link_accepted(&mut self.common, now, link),
            Role::Learning(_) => self.common.hang_up(link, "this server does not lead"),
            Role::Retired => self.common.hang_up(link, "this server is about to end"),
            Role::Draining { .. } | Role::Looking(_) if self.parked.len() >= MAX_PARKED => {
                self.common.hang_up(link, "too many connections wait");
            }
            Role::Draining { .. } | Role::Looking(_) => {
                let timeout = self.common.timing.init;
                self.common.output(Output::LinkTimeout { link, timeout });
                self.parked.insert(link, None);
                self.send_away_late();
            }
        }
    }

    /// Ends the connections of learners that wait for this server to lead.
    pub(super) fn send_away(&mut self, why: &str) {
        while let Some((link, _)) = self.parked.pop_first() {
            self.common.hang_up(link, why);
        }
    }

    /// Whoever has elected this server, while that votes for another one or is in a later round,
    /// had better look again at once: together with it the others may be a quorum, and without it
    /// none.
    pub(super) fn send_away_late(&mut self) {
        let Role::Looking(election) = &self.role else {
            return;
        };
        let votes_for_itself = election.proposal().leader == self.common.me;
        let waits = |first: &Option<Packet>| match first {
            Some(Packet::LearnerInfo(info)) => {
                let follows = |server| election.is_followed_in_vain(server);
                !info.server.is_some_and(follows)
            }
            _ => true,
        };
        let common = &mut self.common;
        self.parked.retain(|link, first| {
            let stays = votes_for_itself && waits(first);
            if !stays {
                common.hang_up(*link, "this server has not been elected");
            }
            stays
        });
    }

    /// The connection that [`Output::Dial`] asked for is there.
    pub fn link_dialled(&mut self, now: Time, link: LinkId) {
        match &mut self.role {
            Role::Learning(learner) => {
                self.unreachable = Unreachable::default();
                learner.link_dialled(&mut self.common, link);
            }
            _ => self.common.hang_up(link, "nobody waits for it any more"),
        }
        self.advance(now);
    }

    /// [`Output::Dial`] or [`Output::DialMaster`] has led to nothing.
    pub fn dial_failed(&mut self, now: Time, server: ServerId) {
        if let Role::Learning(learner) = &self.role
            && learner.waits_for(server)
        {
            let text = format!(
                "server {} cannot be reached on its {}",
                server.0,
                learner.door()
            );
            let tried_for = now - self.found_at;
            let pause = (tried_for + self.election.finalize_wait) * 2;
            let until = now + pause.min(self.common.timing.init);
            self.unreachable.failed(server, until);
            self.look(now, text);
        }
        self.advance(now);
    }

    /// A packet came. Requests, and what is about sessions, are not for here.
    pub fn handle_packet(&mut self, now: Time, link: LinkId, packet: Packet) {
        if let Some(first) = self.parked_observers.get_mut(&link) {
            first.get_or_insert(packet);
            return;
        }
        let result = match &mut self.role {
            Role::Leading(leader) => {
                leader.handle_packet(&mut self.common, now, link, packet);
                Ok(())
            }
            Role::Learning(learner) if learner.link() == Some(link) => {
                let activated = match &packet {
                    Packet::CommitAndActivate { zxid, leader }
                    | Packet::InformAndActivate { zxid, leader, .. } => Some((*zxid, *leader)),
                    _ => None,
                };
                let before = self.common.history.committed();
                let was_serving = learner.serves();
                let result = learner.handle_packet(&mut self.common, packet);
                let begins_to_serve = !was_serving && learner.serves();
                if let Some(relay) = &mut self.relay
                    && was_serving
                {
                    relay.relay_commits(&mut self.common, before, activated);
                }
                if let (Ok(()), Some((zxid, leader))) = (&result, activated) {
                    self.activated(now, zxid, leader);
                }
                if begins_to_serve {
                    self.suit_configuration(now);
                }
                result
            }
            Role::Draining { .. } | Role::Looking(_) => {
                if let Some(first) = self.parked.get_mut(&link) {
                    first.get_or_insert(packet);
                }
                Ok(())
            }
            Role::Learning(_) => {
                if let Some(relay) = &mut self.relay {
                    relay.handle_packet(&mut self.common, now, link, packet);
                }
                Ok(())
            }
            Role::Retired => Ok(()),
        };
        self.judge(now, result);
        self.advance(now);
    }

    /// The connection has ended.
    pub fn link_lost(&mut self, now: Time, link: LinkId) {
        self.parked.remove(&link);
        self.parked_observers.remove(&link);
        match &mut self.role {
            Role::Leading(leader) => leader.link_lost(link),
            Role::Learning(learner) if learner.link() == Some(link) => {
                self.look(now, "the connection to the leader ended".into());
            }
            _ => {
                if let Some(relay) = &mut self.relay {
                    relay.link_lost(link);
                }
            }
        }
        self.advance(now);
    }

    /// A learner answered a ping.
    pub fn ping_answered(&mut self, now: Time, link: LinkId) {
        if let Some((serving, common)) = self.serving() {
            serving.heard(common, now, link);
            serving.ping_answered(common, link);
        }
    }

    /// A learner sent a request, or a question about a session.
    pub fn heard(&mut self, now: Time, link: LinkId) {
        if let Some((serving, common)) = self.serving() {
            serving.heard(common, now, link);
            serving.count_request(link);
        }
    }

    /// Answers a ping of the leader's.
    pub fn answer_ping(&mut self, answer: Packet) {
        if let Role::Learning(learner) = &self.role {
            learner.answer_ping(&mut self.common, answer);
        }
    }

    /// Sends something that is not for here to know.
    pub fn send(&mut self, link: LinkId, packet: Packet) {
        self.common.send(link, packet);
    }

    /// The transaction `zxid` of the leader's cannot be understood: nothing from it on is taken
    /// over. To be called before anything else is, after [`Output::Append`].
    pub fn refuse(&mut self, now: Time, zxid: Zxid, why: &str) {
        self.common.history.truncate(Zxid(zxid.0 - 1));
        let goes = |output: &Output| matches!(output, Output::Append { zxid: z, .. } if *z >= zxid);
        self.common.outputs.retain(|output| !goes(output));
        self.look(
            now,
            format!("transaction {zxid} of the leader cannot be read: {why}"),
        );
        self.advance(now);
    }
}
