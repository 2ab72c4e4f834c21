//! Serving reads without a leader (`readonlymode.enabled`), to clients that have said that this
//! will do. Source: `ReadOnlyZooKeeperServer`, `ReadOnlyRequestProcessor`.
//!
//! What is read may be old, and may never have been agreed on. Nothing here touches zxids, the
//! log or the table of sessions: the sessions of this mode are known to nobody else and end with
//! it, and no other session can be resumed in it.

use crate::clients::Clients;
use crate::connection::{ClientId, CloseReason, Connect};
use crate::node::Node;
use crate::output::{Output, Service};
use crate::session_clock::SessionClock;
use crate::time::{Now, Time};
use crate::watches::Watches;
use alloc::collections::VecDeque;
use core::time::Duration;
use grevy_proto::{ErrorCode, OpCode, SessionId};
use grevy_tree::Tree;
use grevy_zab::Part;

/// A server looks for a leader for this long at least before it serves without one. Source:
/// `QuorumPeer.run`.
const GRACE: Duration = Duration::from_secs(2);

/// See the module's text.
#[derive(Debug)]
pub(crate) struct ReadOnly {
    pub clock: SessionClock,
    /// Since when the server has looked for a leader, if it does.
    looking: Option<Time>,
    /// Requests other than reads, oldest first.
    asked: VecDeque<(ClientId, SessionId, OpCode)>,
}

impl ReadOnly {
    pub fn new(tick: Duration, now: Time) -> Self {
        Self {
            clock: SessionClock::new(tick),
            looking: Some(now),
            asked: VecDeque::new(),
        }
    }

    pub fn has_asked(&self) -> bool {
        !self.asked.is_empty()
    }
}

impl Node {
    /// When the server is to serve without a leader, if it is.
    pub(crate) fn read_only_due(&self) -> Option<Time> {
        let waits = matches!(self.service, Service::Paused | Service::Closed);
        let may = self.config.read_only && self.peer.is_member() && !self.is_stopping();
        let looking = self.read_only.looking.filter(|_| waits && may)?;
        Some(looking + GRACE.max(self.config.tick))
    }

    /// The server has another part.
    pub(crate) fn note_part(&mut self, now: Time, part: &Part) {
        match part {
            Part::Looking { .. } => {
                self.read_only.looking.get_or_insert(now);
            }
            _ => {
                self.read_only.looking = None;
                self.end_read_only(now);
            }
        }
    }

    pub(crate) fn begin_read_only(&mut self) {
        self.drop_clients();
        self.note(
            "reads are served without a leader from now on, to those who ask for that".into(),
        );
        self.service = Service::ReadOnly;
        self.outputs.push_back(Output::Service(Service::ReadOnly));
    }

    fn end_read_only(&mut self, now: Time) {
        if self.service == Service::ReadOnly {
            self.read_only = ReadOnly::new(self.config.tick, now);
            self.read_only.looking = None;
            self.note("no reads are served without a leader any more".into());
            self.service = Service::Paused;
            self.paused_since = now;
            self.outputs.push_back(Output::Service(Service::Paused));
            self.drop_clients();
        }
    }

    pub(crate) fn open_read_only(&mut self, now: Now, clients: &impl Clients, ask: Connect) {
        let session = match ask.session {
            _ if !ask.read_only => None,
            SessionId::NONE => self.new_local_id(),
            session => Some(session).filter(|s| self.read_only.clock.knows(*s)),
        };
        // Of other sessions nothing is said here: whether they are open, others know.
        let Some(session) = session.filter(|_| ask.is_new() || ask.password_matches) else {
            clients.with(ask.client, |c| c.close(CloseReason::ReadOnly));
            return;
        };
        if let Some(previous) = self.read_only.clock.client(session) {
            clients.with(previous, |c| c.close(CloseReason::SessionMoved(session)));
        }
        let opened = clients.with(ask.client, |c| {
            c.session_opened_read_only(session, now.time)
        });
        if opened == Some(true) {
            let clock = &mut self.read_only.clock;
            clock.open(session, ask.timeout, now.time);
            clock.attach(session, ask.client, ask.timeout, now.time);
        }
    }

    pub(crate) fn submit_read_only(&mut self, client: ClientId, session: SessionId, op: OpCode) {
        if self.read_only.clock.client(session) == Some(client) {
            self.read_only.asked.push_back((client, session, op));
        }
    }

    /// Refuses what is no read, and ends sessions.
    pub(crate) fn answer_read_only(
        &mut self,
        now: Now,
        tree: &Tree,
        watches: &impl Watches,
        clients: &impl Clients,
    ) {
        while let Some((client, session, op)) = self.read_only.asked.pop_front() {
            let closes = op == OpCode::CloseSession;
            if closes {
                self.read_only.clock.remove(session);
            }
            let view = self.view(now, tree, watches);
            clients.with(client, |c| match closes {
                true => {
                    c.complete(ErrorCode::Ok, |_| {}, view);
                    c.close(CloseReason::SessionClosed(session));
                }
                false => c.complete(ErrorCode::NotReadOnly, |_| {}, view),
            });
        }
    }

    pub(crate) fn expire_read_only(&mut self, now: Now, clients: &impl Clients) {
        let clock = &mut self.read_only.clock;
        for (session, client) in clock.end_unheard(now.time, clients) {
            if let Some(client) = client {
                let reason = CloseReason::SessionExpired(session);
                clients.with(client, |c| c.close(reason));
            }
        }
    }
}
