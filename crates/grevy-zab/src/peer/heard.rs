//! What others said while this server held no election, for the next one to begin with. Servers
//! learn one after the other that their leader is lost. Those that still have it then leave aside
//! how the first ones vote, and would have to wait until these repeat it.

use crate::time::Time;
use alloc::collections::BTreeMap;
use core::time::Duration;
use grevy_proto::ServerId;
use grevy_proto::election::{Notification, PeerState};

/// The last message of each server, with when it came.
#[derive(Debug, Default)]
pub(super) struct Heard(BTreeMap<ServerId, (Time, Notification)>);

impl Heard {
    /// This server is about to look for a leader: it wants to know everything.
    pub fn hear(&mut self, now: Time, from: ServerId, message: &Notification) {
        self.0.insert(from, (now, message.clone()));
    }

    /// This server has a leader since `round`: it wants to know who looks for the next one.
    pub fn hear_of_new(&mut self, round: i64, now: Time, from: ServerId, message: &Notification) {
        if message.state == PeerState::Looking && message.round > round {
            self.hear(now, from, message);
        } else {
            self.forget(from);
        }
    }

    /// The connection has ended: what the server said over it may hold no more.
    pub fn forget(&mut self, server: ServerId) {
        self.0.remove(&server);
    }

    /// Everything that is no older than `age`. Whoever has been looking for longer has found the
    /// leader that this server had: all would have noticed by now that it is lost.
    pub fn take(
        &mut self,
        now: Time,
        age: Duration,
    ) -> impl Iterator<Item = (ServerId, Notification)> {
        core::mem::take(&mut self.0)
            .into_iter()
            .filter(move |(_, (at, _))| now.since(*at) <= age)
            .map(|(server, (_, message))| (server, message))
    }
}
