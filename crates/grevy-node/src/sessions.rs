//! Opening, resuming and ending sessions. Source: `ZooKeeperServer`, `LearnerSessionTracker`,
//! `LeaderSessionTracker`.
//!
//! The leader alone lets sessions expire, by what it hears itself and what learners report. A
//! learner asks it whether a session that a client resumes is still open.

use crate::clients::Clients;
use crate::connection::{ClientId, CloseReason, Connect};
use crate::forwarding::{Kind, Waiting, sync_request};
use crate::node::Node;
use crate::output::{Output, Service};
use crate::time::{Now, Time};
use crate::writes::Ask;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use grevy_proto::quorum::Packet;
use grevy_proto::{Encode, OpCode, ServerId, SessionId, Xid};
use grevy_tree::Tree;
use grevy_zab::LinkId;

/// The part of a session's id that is not the server's number.
pub(crate) const LOW: i64 = (1 << 56) - 1;

/// A client that resumes a session at a learner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resuming {
    pub ask: Connect,
    /// The leader has said that the session is open.
    pub is_open: bool,
    /// Everything is applied here that the session has asked for before.
    pub is_caught_up: bool,
}

impl Node {
    /// A client asks for a session.
    pub fn open_session(&mut self, now: Now, tree: &Tree, clients: &impl Clients, ask: Connect) {
        let is_closed = self.service == Service::Closed || self.refuses_clients();
        if self.failure.is_some() || is_closed || self.is_stopping() {
            clients.with(ask.client, |c| c.close(CloseReason::NotServing));
            return;
        }
        match ask.session {
            _ if self.service == Service::ReadOnly => self.open_read_only(now, clients, ask),
            SessionId::NONE if self.has_local_sessions() => {
                self.open_local(now, tree, clients, ask);
            }
            SessionId::NONE => self.open_new(now, tree, ask),
            _ => self.resume(now, clients, ask),
        }
        self.follow_up(now);
    }

    pub(crate) fn open_new(&mut self, now: Now, tree: &Tree, ask: Connect) {
        let session = self.new_session_id();
        let timeout = i32::try_from(ask.timeout.as_millis()).unwrap_or(i32::MAX);
        let record = timeout.to_bytes();
        let op = OpCode::CreateSession;
        if self.peer.leads() && self.service == Service::Open {
            let ask = Ask {
                session,
                cxid: Xid(0),
                op,
                record: &record,
                ids: &[],
                client: Some(ask.client),
                admitted: Ok(()),
            };
            return self.decide(now, tree, ask);
        }
        let waiting = Waiting {
            client: ask.client,
            op,
            kind: Kind::Write {
                cxid: Xid(0),
                record: record.into(),
                ids: Arc::from([]),
            },
            sent: None,
        };
        self.send_or_hold(tree, session, waiting);
    }

    fn resume(&mut self, now: Now, clients: &impl Clients, ask: Connect) {
        // Whoever names a session cuts off its connection, password or not, as in ZooKeeper.
        if let Some(previous) = self.serving(ask.session) {
            self.cut_off(clients, previous, ask.session);
        }
        if !ask.password_matches {
            clients.with(ask.client, |c| c.session_refused(ask.session));
            return;
        }
        if self.local.clock.knows(ask.session) {
            return self.resume_local(now, clients, ask);
        }
        if self.peer.leads() && self.service == Service::Open {
            let attached = self
                .clock
                .attach(ask.session, ask.client, ask.timeout, now.time)
                .is_some();
            clients.with(ask.client, |c| match attached {
                true => drop(c.session_opened(ask.session, now.time)),
                false => c.session_refused(ask.session),
            });
            return;
        }
        self.resume_later(ask, false);
    }

    /// The session has left this connection, from which nothing is taken up from here on: neither
    /// what comes now nor what somebody is about to submit.
    pub(crate) fn cut_off(&mut self, clients: &impl Clients, client: ClientId, session: SessionId) {
        let heard = clients.with(client, |c| {
            c.close(CloseReason::SessionMoved(session));
            c.heard()
        });
        self.client_closed(client, Some(session), heard.unwrap_or_default());
    }

    /// Once nothing is left to be known of the session; that it is open may be known already.
    pub(crate) fn resume_later(&mut self, ask: Connect, is_open: bool) {
        let resuming = Resuming {
            ask,
            is_open,
            is_caught_up: false,
        };
        self.ask_leader(&resuming);
        self.resuming.entry(ask.session).or_default().push(resuming);
    }

    /// Asks the leader what has to be known of a session before it goes on here.
    ///
    /// Transactions are told from each other by the session and the client's number for the
    /// request, and a client may number its requests anew on each connection. So whatever the
    /// session has asked for before, here or at another server, has to be over.
    fn ask_leader(&mut self, resuming: &Resuming) {
        let Connect {
            client,
            session,
            timeout,
            ..
        } = resuming.ask;
        if self.service == Service::Open
            && let Some(link) = self.peer.leader_link()
        {
            if !resuming.is_open {
                let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
                self.revalidations.push_own(session, timeout);
                let packet = Packet::Revalidate { session, timeout };
                self.peer.send(link, packet);
            }
            self.forwarding.push_resuming(session, client);
            self.peer.send(link, sync_request(session, "/"));
        }
    }

    /// There is a leader again: what was to be asked of the last one is asked of it.
    pub(crate) fn resume_again(&mut self, now: Now, clients: &impl Clients) {
        for (_, resuming) in core::mem::take(&mut self.resuming) {
            for Resuming { ask, .. } in resuming {
                self.resume(now, clients, ask);
            }
        }
    }

    /// The leader says whether a session is open. Answers come in the order of the questions.
    pub(crate) fn revalidated(
        &mut self,
        now: Now,
        clients: &impl Clients,
        session: SessionId,
        valid: bool,
    ) {
        let Some(resuming) = self.resuming.get_mut(&session) else {
            return;
        };
        let Some(at) = resuming.iter().position(|resuming| !resuming.is_open) else {
            return;
        };
        resuming[at].is_open = valid;
        let Resuming { ask, .. } = resuming[at];
        if !valid {
            self.take_resuming(session, at);
            clients.with(ask.client, |c| c.session_refused(session));
            return;
        }
        if !self.clock.knows(session) {
            self.clock.open(session, ask.timeout, now.time);
        }
        self.try_resume(now, clients, session, at);
    }

    /// Everything is applied that the session has asked for before `client` came.
    pub(crate) fn caught_up(
        &mut self,
        now: Now,
        clients: &impl Clients,
        session: SessionId,
        client: ClientId,
    ) {
        let Some(resuming) = self.resuming.get_mut(&session) else {
            return;
        };
        let is_meant = |resuming: &Resuming| resuming.ask.client == client;
        if let Some(at) = resuming.iter().position(is_meant) {
            resuming[at].is_caught_up = true;
            self.try_resume(now, clients, session, at);
        }
    }

    /// The session goes on here, if nothing is left to be known.
    fn try_resume(&mut self, now: Now, clients: &impl Clients, session: SessionId, at: usize) {
        let Some(resuming) = self.resuming.get(&session).and_then(|all| all.get(at)) else {
            return;
        };
        let Resuming {
            ask,
            is_open: true,
            is_caught_up: true,
        } = *resuming
        else {
            return;
        };
        self.take_resuming(session, at);
        if !self.revalidations.is_here(session) {
            // It has gone on to an observer behind this server.
            clients.with(ask.client, |c| c.close(CloseReason::SessionMoved(session)));
            return;
        }
        if let Some(previous) = self.serving(session) {
            self.cut_off(clients, previous, session);
        }
        let clock = match self.local.clock.knows(session) {
            true => &mut self.local.clock,
            false => &mut self.clock,
        };
        // It may have ended meanwhile.
        let is_open = clock.knows(session);
        let opened = clients.with(ask.client, |c| match is_open {
            true => c.session_opened(session, now.time),
            false => {
                c.session_refused(session);
                false
            }
        });
        if opened == Some(true) {
            clock.attach(session, ask.client, ask.timeout, now.time);
        }
    }

    fn take_resuming(&mut self, session: SessionId, at: usize) {
        if let Some(resuming) = self.resuming.get_mut(&session) {
            resuming.remove(at);
            if resuming.is_empty() {
                self.resuming.remove(&session);
            }
        }
    }

    /// Who is behind a connection. One that does not say has a number that no server has.
    pub(crate) fn learner(&self, link: LinkId) -> ServerId {
        let unnamed = ServerId(-1 - i64::from(link.0));
        self.peer.learner(link).unwrap_or(unnamed)
    }

    /// A learner asks whether a session is open, to be at home there from now on.
    pub(crate) fn revalidate(
        &mut self,
        now: Now,
        clients: &impl Clients,
        link: LinkId,
        session: SessionId,
        timeout: i32,
    ) {
        let timeout = crate::node::millis(timeout);
        let learner = self.learner(link);
        let moved = self.clock.move_to(session, learner, timeout, now.time);
        if let Some(Some(previous)) = moved {
            clients.with(previous, |c| c.close(CloseReason::SessionMoved(session)));
        }
        let valid = moved.is_some();
        self.peer.send(link, Packet::Revalidated { session, valid });
    }

    /// The server's number, and one that it has not given out before: the next after the last
    /// one, and at first any of so many that no run of a server meets those of another. ZooKeeper
    /// takes the clock for that part, and can give an id out again after the clock was set back,
    /// so that whoever had it before resumes somebody else's session.
    fn new_session_id(&mut self) -> SessionId {
        loop {
            self.last_session = (self.last_session + 1) & LOW;
            let session = self.session_id(self.last_session);
            // An id that a Java server gave out may be the same.
            if !self.clock.knows(session) {
                return session;
            }
        }
    }

    fn session_id(&self, low: i64) -> SessionId {
        SessionId(self.config.server_id.0 << 56 | low)
    }

    /// The connection has ended; it heard its client last at `heard`.
    pub fn client_closed(&mut self, client: ClientId, session: Option<SessionId>, heard: Time) {
        let Some(session) = session else {
            return;
        };
        self.forwarding.forget(session, client);
        if self.clock.client(session) == Some(client)
            && heard > self.reported
            && let Some(timeout) = self.clock.timeout_ms(session)
        {
            let timeout = i32::try_from(timeout).unwrap_or(i32::MAX);
            self.also_heard.push((session, timeout));
        }
        self.clock.detach(session, client, heard);
        if self.local.clock.client(session) == Some(client) {
            self.local.closing.remove(&session);
        }
        self.local.clock.detach(session, client, heard);
        self.read_only.clock.detach(session, client, heard);
    }

    /// The sessions that this learner heard since it was asked last.
    pub(crate) fn heard_sessions(
        &mut self,
        now: Now,
        clients: &impl Clients,
    ) -> Vec<(SessionId, i32)> {
        let mut heard = core::mem::take(&mut self.also_heard);
        let since = self.reported;
        heard.extend(
            self.clock
                .served()
                .filter(|(_, client, _)| {
                    clients.with(*client, |c| c.heard()).unwrap_or_default() >= since
                })
                .map(|(session, _, timeout)| (session, i32::try_from(timeout).unwrap_or(i32::MAX))),
        );
        self.reported = now.time;
        heard
    }

    /// Sessions that a learner heard.
    pub(crate) fn sessions_heard(&mut self, now: Now, heard: &[(SessionId, i32)]) {
        for (session, timeout) in heard {
            let timeout = Duration::from_millis(u64::try_from(*timeout).unwrap_or(0));
            self.clock.touch(*session, timeout, now.time);
        }
    }

    /// Time has come: sessions that were not heard of expire, childless containers go, and the
    /// ensemble has its own clockwork.
    pub fn handle_timeout(&mut self, now: Now, tree: &Tree, clients: &impl Clients) {
        if self.failure.is_some() {
            return;
        }
        self.peer.handle_timeout(now.time);
        self.follow_up(now);
        if self.service == Service::Paused && now.time >= self.paused_since + self.patience() {
            self.close_service();
        }
        if self.read_only_due().is_some_and(|due| now.time >= due) {
            self.begin_read_only();
        }
        if self.service == Service::ReadOnly {
            self.expire_read_only(now, clients);
        }
        if self.service == Service::Open && !self.is_stopping() {
            self.expire_local(now, clients);
        }
        if self.keeps_time() {
            self.expire(now, tree, clients);
            self.reap(now, tree);
        }
        self.follow_up(now);
    }

    fn expire(&mut self, now: Now, tree: &Tree, clients: &impl Clients) {
        for (session, client) in self.clock.due(now.time) {
            if let Some(client) = client
                && let Some(heard) = clients.with(client, |c| c.heard())
            {
                self.clock.heard(session, heard);
            }
        }
        for (session, _) in self.clock.due(now.time) {
            self.outputs.push_back(Output::Expired(session));
            let ask = Ask {
                session,
                cxid: Xid(0),
                op: OpCode::CloseSession,
                record: &[],
                ids: &[],
                client: None,
                admitted: Ok(()),
            };
            self.decide(now, tree, ask);
            self.clock.start_closing(session);
        }
    }

    fn reap(&mut self, now: Now, tree: &Tree) {
        for path in self.reaper.reap(now, tree) {
            let record = path.to_bytes();
            let ask = Ask {
                session: SessionId::NONE,
                cxid: Xid(0),
                op: OpCode::DeleteContainer,
                record: &record,
                ids: &[],
                client: None,
                admitted: Ok(()),
            };
            self.decide(now, tree, ask);
        }
    }
}
