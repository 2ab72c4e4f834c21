//! When sessions expire: the leader's own clockwork, apart from the replicated table of which
//! sessions exist. Source: `SessionTrackerImpl`, `ExpiryQueue`.
//!
//! A session's deadline is rounded up to the next tick, and all of one tick are looked at
//! together. Hearing of a client costs nothing here: only when a deadline comes is its
//! connection asked when it last heard something, and the deadline moved on.
//!
//! A learner has such a clock too, to know which connection serves which session; its deadlines
//! mean nothing. It tells the leader of the sessions that it heard.

use crate::clients::Clients;
use crate::connection::ClientId;
use crate::time::Time;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;
use grevy_proto::{ServerId, SessionId};

/// Where a session is at home: requests that come in elsewhere are refused (P20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A connection of this server.
    Client(ClientId),
    /// No connection any more, but one of this server's was the last. What comes through another
    /// server was sent before, on an older one.
    Gone,
    /// A learner, whether it is connected to this leader or comes back.
    Learner(ServerId),
}

/// What is known of one session beside the replicated table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    timeout_ms: u32,
    /// Where it came in last. `None`: nobody knows yet; whoever sends its next request has it.
    owner: Option<Owner>,
    deadline: Time,
    /// Its end has been proposed.
    closing: bool,
    /// The newest request of it that took effect came in through another server than the
    /// connection that serves it here.
    asked_elsewhere: bool,
}

/// All sessions' deadlines.
#[derive(Debug)]
pub struct SessionClock {
    tick: Duration,
    sessions: BTreeMap<SessionId, Entry>,
    deadlines: BTreeMap<Time, BTreeSet<SessionId>>,
}

impl SessionClock {
    /// A clock whose deadlines fall on multiples of `tick` (`tickTime`).
    pub fn new(tick: Duration) -> Self {
        Self {
            tick: tick.max(Duration::from_millis(1)),
            sessions: BTreeMap::new(),
            deadlines: BTreeMap::new(),
        }
    }

    /// A session opened, or is known from before the start: it has its full timeout from `now`.
    pub fn open(&mut self, session: SessionId, timeout: Duration, now: Time) {
        self.remove(session);
        let deadline = self.deadline(now, timeout);
        self.sessions.insert(
            session,
            Entry {
                timeout_ms: millis(timeout),
                owner: None,
                deadline,
                closing: false,
                asked_elsewhere: false,
            },
        );
        self.deadlines.entry(deadline).or_default().insert(session);
    }

    /// The session is served by `client` from now on, with the timeout that it has negotiated.
    /// Returns the connection that served it before; `None` if the session is not open.
    pub fn attach(
        &mut self,
        session: SessionId,
        client: ClientId,
        timeout: Duration,
        now: Time,
    ) -> Option<Option<ClientId>> {
        let entry = self.sessions.get_mut(&session).filter(|e| !e.closing)?;
        entry.timeout_ms = millis(timeout);
        entry.asked_elsewhere = false;
        let previous = entry.owner.replace(Owner::Client(client));
        self.heard(session, now);
        Some(match previous {
            Some(Owner::Client(client)) => Some(client),
            _ => None,
        })
    }

    /// The session is at home at a learner from now on, with the timeout that it has negotiated.
    /// Returns the connection of this server that served it before; `None` if the session is
    /// not open.
    pub fn move_to(
        &mut self,
        session: SessionId,
        learner: ServerId,
        timeout: Duration,
        now: Time,
    ) -> Option<Option<ClientId>> {
        let previous = self.client(session);
        let entry = self.sessions.get_mut(&session).filter(|e| !e.closing)?;
        entry.owner = Some(Owner::Learner(learner));
        self.touch(session, timeout, now);
        Some(previous)
    }

    /// Whether a request of the session may come in through `owner`; a session without a home
    /// gets one.
    pub fn admit(&mut self, session: SessionId, owner: Owner) -> bool {
        match self.sessions.get_mut(&session) {
            Some(entry) => *entry.owner.get_or_insert(owner) == owner,
            None => true,
        }
    }

    /// A learner says that it heard the session, which has this timeout.
    pub fn touch(&mut self, session: SessionId, timeout: Duration, now: Time) {
        if let Some(entry) = self.sessions.get_mut(&session).filter(|e| !e.closing) {
            entry.timeout_ms = millis(timeout);
            self.heard(session, now);
        }
    }

    /// Takes over which sessions exist, as this server begins to serve. Each has its full
    /// timeout from `now`; those that a connection of this server serves stay with it. Returns
    /// the connections of sessions that exist no more.
    pub fn restart(
        &mut self,
        sessions: impl Iterator<Item = (SessionId, Duration)>,
        now: Time,
    ) -> Vec<(SessionId, ClientId)> {
        let mut before = core::mem::take(&mut self.sessions);
        self.deadlines.clear();
        for (session, timeout) in sessions {
            let client = match before.remove(&session).and_then(|entry| entry.owner) {
                Some(Owner::Client(client)) => Some(client),
                _ => None,
            };
            self.open(session, timeout, now);
            if let (Some(client), Some(entry)) = (client, self.sessions.get_mut(&session)) {
                entry.owner = Some(Owner::Client(client));
            }
        }
        before
            .into_iter()
            .filter_map(|(session, entry)| match entry.owner {
                Some(Owner::Client(client)) => Some((session, client)),
                _ => None,
            })
            .collect()
    }

    /// The sessions that connections of this server serve, with their timeouts in ms.
    pub fn served(&self) -> impl Iterator<Item = (SessionId, ClientId, u32)> {
        self.sessions
            .iter()
            .filter_map(|(session, entry)| match entry.owner {
                Some(Owner::Client(client)) => Some((*session, client, entry.timeout_ms)),
                _ => None,
            })
    }

    /// A request of the session took effect that a connection of this server has asked for, or
    /// not.
    pub fn asked(&mut self, session: SessionId, here: bool) {
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.asked_elsewhere = !here;
        }
    }

    /// The connections of this server whose sessions went elsewhere, as their newest requests
    /// show.
    pub fn left_behind(&self) -> Vec<(SessionId, ClientId)> {
        let left = self.sessions.iter().filter(|(_, e)| e.asked_elsewhere);
        left.filter_map(|(session, entry)| match entry.owner {
            Some(Owner::Client(client)) => Some((*session, client)),
            _ => None,
        })
        .collect()
    }

    /// The session's timeout in ms.
    pub fn timeout_ms(&self, session: SessionId) -> Option<u32> {
        Some(self.sessions.get(&session)?.timeout_ms)
    }

    /// The session's timeout; zero if it is not known.
    pub fn timeout(&self, session: SessionId) -> Duration {
        Duration::from_millis(u64::from(self.timeout_ms(session).unwrap_or(0)))
    }

    /// All sessions, with their timeouts.
    pub fn timeouts(&self) -> impl Iterator<Item = (SessionId, Duration)> {
        let timeout = |entry: &Entry| Duration::from_millis(u64::from(entry.timeout_ms));
        let all = self.sessions.iter();
        all.map(move |(session, entry)| (*session, timeout(entry)))
    }

    /// The connection `client` ended; it heard the session last at `heard`.
    pub fn detach(&mut self, session: SessionId, client: ClientId, heard: Time) {
        if let Some(entry) = self.sessions.get_mut(&session)
            && entry.owner == Some(Owner::Client(client))
        {
            entry.owner = Some(Owner::Gone);
            self.heard(session, heard);
        }
    }

    /// Moves the session's deadline to its timeout after `heard`, never back.
    pub fn heard(&mut self, session: SessionId, heard: Time) {
        let Some(entry) = self.sessions.get(&session).filter(|e| !e.closing) else {
            return;
        };
        let timeout = Duration::from_millis(u64::from(entry.timeout_ms));
        let deadline = self.deadline(heard, timeout);
        if deadline <= entry.deadline {
            return;
        }
        self.unlist(session, entry.deadline);
        self.deadlines.entry(deadline).or_default().insert(session);
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.deadline = deadline;
        }
    }

    /// The session's end has been proposed: it writes nothing more and has no deadline.
    pub fn start_closing(&mut self, session: SessionId) {
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.closing = true;
            let deadline = entry.deadline;
            self.unlist(session, deadline);
        }
    }

    /// The session has ended. Returns the connection that served it.
    pub fn remove(&mut self, session: SessionId) -> Option<ClientId> {
        let entry = self.sessions.remove(&session)?;
        self.unlist(session, entry.deadline);
        match entry.owner {
            Some(Owner::Client(client)) => Some(client),
            _ => None,
        }
    }

    /// Whether the session is open and its end has not been proposed.
    pub fn is_open(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|e| !e.closing)
    }

    /// Whether the session exists, open or closing.
    pub fn knows(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// The connection that serves the session.
    pub fn client(&self, session: SessionId) -> Option<ClientId> {
        match self.sessions.get(&session)?.owner {
            Some(Owner::Client(client)) => Some(client),
            _ => None,
        }
    }

    /// When [`SessionClock::due`] has something to say next.
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadlines.keys().next().copied()
    }

    /// Sessions whose deadline has come, with the connections that may have heard them since.
    /// The caller either reports what was heard or proposes the session's end; until then they
    /// stay due.
    pub fn due(&self, now: Time) -> Vec<(SessionId, Option<ClientId>)> {
        self.deadlines
            .range(..=now)
            .flat_map(|(_, sessions)| sessions)
            .map(|session| (*session, self.client(*session)))
            .collect()
    }

    /// Ends the sessions that nobody has heard of, for those that only this server knows.
    pub(crate) fn end_unheard(
        &mut self,
        now: Time,
        clients: &impl Clients,
    ) -> Vec<(SessionId, Option<ClientId>)> {
        for (session, client) in self.due(now) {
            if let Some(client) = client
                && let Some(heard) = clients.with(client, |c| c.heard())
            {
                self.heard(session, heard);
            }
        }
        let ended = self.due(now);
        for (session, _) in &ended {
            self.remove(*session);
        }
        ended
    }

    /// Deadlines and the sessions that end then unless they are heard of, for operators.
    pub fn deadlines(&self) -> impl Iterator<Item = (Time, &BTreeSet<SessionId>)> {
        self.deadlines.iter().map(|(time, ids)| (*time, ids))
    }

    /// Number of sessions.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    fn deadline(&self, heard: Time, timeout: Duration) -> Time {
        let tick = u64::try_from(self.tick.as_micros()).unwrap_or(u64::MAX);
        let at = (heard + timeout).0;
        Time((at / tick + 1).saturating_mul(tick))
    }

    fn unlist(&mut self, session: SessionId, deadline: Time) {
        if let Some(sessions) = self.deadlines.get_mut(&deadline) {
            sessions.remove(&session);
            if sessions.is_empty() {
                self.deadlines.remove(&deadline);
            }
        }
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const S: SessionId = SessionId(1);
    const C: ClientId = ClientId(7);

    fn ms(millis: u64) -> Time {
        Time(millis * 1000)
    }

    fn clock() -> SessionClock {
        let mut clock = SessionClock::new(Duration::from_millis(100));
        clock.open(S, Duration::from_millis(250), ms(1000));
        clock
    }

    #[test]
    fn deadlines_are_rounded_up_to_ticks() {
        let clock = clock();
        assert_eq!(clock.next_deadline(), Some(ms(1300)));
        assert_eq!(clock.due(ms(1299)), vec![]);
        assert_eq!(clock.due(ms(1300)), vec![(S, None)]);
    }

    #[test]
    fn hearing_moves_the_deadline_on_and_never_back() {
        let mut clock = clock();
        clock.heard(S, ms(1200));
        assert_eq!(clock.next_deadline(), Some(ms(1500)));
        clock.heard(S, ms(1100));
        assert_eq!(clock.next_deadline(), Some(ms(1500)));
    }

    #[test]
    fn a_closing_session_has_no_deadline_and_cannot_be_resumed() {
        let mut clock = clock();
        clock.start_closing(S);
        assert_eq!(clock.next_deadline(), None);
        assert!(!clock.is_open(S));
        assert_eq!(clock.attach(S, C, Duration::from_secs(1), ms(1100)), None);
    }

    #[test]
    fn a_session_has_one_connection() {
        let mut clock = clock();
        let second = Duration::from_secs(1);
        assert_eq!(clock.attach(S, C, second, ms(1000)), Some(None));
        assert_eq!(
            clock.attach(S, ClientId(8), second, ms(1000)),
            Some(Some(C))
        );
        clock.detach(S, C, ms(5000));
        assert_eq!(clock.client(S), Some(ClientId(8)));
        assert_eq!(clock.next_deadline(), Some(ms(2100)));
        assert_eq!(clock.remove(S), Some(ClientId(8)));
        assert!(clock.is_empty());
        assert_eq!(clock.next_deadline(), None);
    }

    #[test]
    fn a_session_stays_at_home_until_it_moves() {
        let mut clock = clock();
        let second = Duration::from_secs(1);
        let (two, three) = (Owner::Learner(ServerId(2)), Owner::Learner(ServerId(3)));
        clock.attach(S, C, second, ms(1000));
        clock.detach(S, C, ms(1000));
        assert!(
            !clock.admit(S, two),
            "it was sent before the session came here"
        );
        assert_eq!(clock.move_to(S, ServerId(2), second, ms(1000)), Some(None));
        assert!(clock.admit(S, two));
        assert!(!clock.admit(S, three));
        // Whoever begins to lead does not know.
        clock.restart([(S, second)].into_iter(), ms(2000));
        assert!(clock.admit(S, three));
        assert!(!clock.admit(S, two));
    }
}
