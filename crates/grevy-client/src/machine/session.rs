//! The machine itself: requests in, phases of a connection, timers. Source: `ClientCnxn`.

use super::action::{Action, Failure, SessionState};
use super::backoff::Backoff;
use super::chance::Chance;
use super::identities::Identities;
use super::options::{Options, Ticket};
use super::request::Request;
use super::servers::Servers;
use super::time::Time;
use super::watches::{WatcherId, Watches};
use crate::address::HostPort;
use grevy_proto::frames::Frames;
use grevy_proto::jute::frame;
use grevy_proto::request::RequestHeader;
use grevy_proto::{Encode, OpCode, SessionId, Xid, Zxid};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// No longer than this without a ping, whatever the session timeout.
const MAX_PING_INTERVAL: Duration = Duration::from_secs(10);

/// When a server is lost, the next one is tried after a moment of up to this long, so that the
/// clients of a lost server spread out.
const BREATH: Duration = Duration::from_millis(100);

/// An attempt takes no more than this part of the session timeout, however few servers there are:
/// one that takes a connection and forgets it, as Java servers may do while they start, must not
/// cost the session.
const LEAST_SHARES: u32 = 3;

/// No server gets less time than this to answer an attempt.
const LEAST_ATTEMPT: Duration = Duration::from_millis(500);

/// Between questions for a server that is not read-only: the first pause and the longest.
const PROBE_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

/// A session over whichever server answers. `T` comes with each request and goes back with its
/// answer.
///
/// - Requests are sent in the order of [`handle_request`](Self::handle_request), and answered in
///   that order. While no server is there they wait for one round of attempts.
/// - What was sent and not answered when a connection ends fails, and is never sent again: writes
///   as [`Failure::OutcomeUnknown`], everything else as [`Failure::ConnectionLoss`].
/// - Events come before the replies that show what they tell of.
/// - The session has expired when a server says so. Nobody else knows: servers grant sessions
///   their whole timeout again when the leader changes.
///
/// ```
/// use grevy_client::machine::{Action, Effect, Options, Request, Session, Time};
/// use grevy_client::OpCode;
///
/// let options = Options::new(vec!["a:2181".parse()?]);
/// let mut session = Session::new(options, 7, Time(0));
/// // The token, here a word, comes back with the answer.
/// let request = Request {
///     op: OpCode::WhoAmI,
///     body: Vec::new(),
///     effect: Effect::None,
/// };
/// session.handle_request(request, "who?", Time(0));
/// assert!(matches!(session.poll_action(), Some(Action::Connect(_))));
/// session.handle_opened();
/// assert!(session.poll_transmit().is_some());
/// session.handle_lost("the network is down", Time(1000));
/// // The only server was tried in vain: the request has failed, and nothing of it was sent.
/// assert!(matches!(session.poll_action(), Some(Action::Unreachable(_))));
/// assert!(matches!(session.poll_action(), Some(Action::Reply("who?", Err(_)))));
/// # Ok::<(), grevy_client::AddressError>(())
/// ```
#[derive(Debug)]
pub struct Session<T> {
    pub(super) options: Options,
    pub(super) chance: Chance,
    pub(super) servers: Servers,
    pub(super) backoff: Backoff,
    pub(super) phase: Phase,
    pub(super) state: SessionState,
    /// What resumes the session; [`SessionId::NONE`] before there is one.
    pub(super) ticket: Ticket,
    /// Whether the session is known to the ensemble, and not only to one read-only server.
    pub(super) is_global: bool,
    /// The newest state seen. Servers that lag behind it refuse the connection.
    pub(super) last_zxid: Zxid,
    /// As negotiated; before that, what to ask for.
    pub(super) timeout: Duration,
    pub(super) is_closing: bool,
    pub(super) next_xid: i32,
    /// Not sent yet, for want of a connection.
    pub(super) waiting: VecDeque<(Request, T)>,
    /// Sent, in the order in which answers must come. Without a `T`: our own requests.
    pub(super) in_flight: VecDeque<(Xid, Request, Option<T>)>,
    pub(super) identities: Identities<T>,
    pub(super) watches: Watches,
    /// Watchers that were given up before the server answered the request that registers them.
    pub(super) abandoned: HashSet<WatcherId>,
    /// Why the attempts of this round failed.
    pub(super) failures: Vec<String>,
    pub(super) input: Frames,
    pub(super) output: Vec<u8>,
    pub(super) actions: VecDeque<Action<T>>,
}

/// Where the session stands with its connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the next attempt.
    Resting {
        until: Time,
    },
    /// A connection is being opened, or is open and the server has not answered the handshake.
    Opening {
        server: HostPort,
        deadline: Time,
    },
    Serving(Serving),
    Over(Failure),
}

/// A connection on which requests are answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Serving {
    pub server: HostPort,
    pub last_heard: Time,
    pub last_sent: Time,
    /// On a read-only server: when to look for another next, and the pause after that.
    pub probe: Option<(Time, Duration)>,
}

impl<T> Session<T> {
    /// A session that starts to look for a server at once. `seed` decides everything that is
    /// left to chance.
    pub fn new(options: Options, seed: u64, now: Time) -> Self {
        let mut chance = Chance::new(seed);
        let servers = Servers::new(options.servers.clone(), &mut chance);
        let mut session = Self {
            backoff: Backoff::new(options.first_pause, options.longest_pause),
            servers,
            chance,
            phase: Phase::Resting { until: now },
            state: SessionState::Disconnected,
            is_global: options.resume.is_some(),
            ticket: options.resume.clone().unwrap_or(Ticket {
                id: SessionId::NONE,
                password: vec![0; 16],
            }),
            last_zxid: Zxid::ZERO,
            timeout: options.session_timeout,
            options,
            is_closing: false,
            next_xid: 1,
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            identities: Identities::new(),
            watches: Watches::default(),
            abandoned: HashSet::new(),
            failures: Vec::new(),
            input: Frames::default(),
            output: Vec::new(),
            actions: VecDeque::new(),
        };
        session.try_next(now);
        session
    }

    /// What resumes the session; `None` before a server has opened it.
    pub fn ticket(&self) -> Option<&Ticket> {
        (self.ticket.id != SessionId::NONE).then_some(&self.ticket)
    }

    /// The negotiated session timeout; before that, the one to ask for.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The connection, or the attempt to open it, has ended.
    pub fn handle_lost(&mut self, reason: &str, now: Time) {
        match &self.phase {
            Phase::Opening { server, .. } => {
                let reason = format!("{server}: {reason}");
                self.leave(&reason, now);
            }
            Phase::Serving(serving) => {
                let reason = format!("the connection to {} ended: {reason}", serving.server);
                self.leave(&reason, now);
            }
            Phase::Resting { .. } | Phase::Over(_) => {}
        }
    }

    /// Whether the server that was asked takes writes. One that could not be asked does not.
    pub fn handle_probed(&mut self, takes_writes: bool, now: Time) {
        let is_seeking = matches!(&self.phase, Phase::Serving(serving) if serving.probe.is_some());
        if is_seeking && takes_writes && !self.is_closing {
            self.actions.push_back(Action::Disconnect);
            self.disconnected("moving to a server that takes writes");
            self.servers.step_back();
            self.servers.found();
            self.try_next(now);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        match &mut self.phase {
            Phase::Resting { until } if now >= *until => self.try_next(now),
            Phase::Opening { deadline, .. } if now >= *deadline => {
                self.actions.push_back(Action::Disconnect);
                self.handle_lost("no answer in time", now);
            }
            Phase::Serving(serving) => {
                let silence = now.since(serving.last_heard);
                if silence >= patience(self.timeout) {
                    let reason = format!("it has been silent for {} ms", silence.as_millis());
                    self.actions.push_back(Action::Disconnect);
                    return self.handle_lost(&reason, now);
                }
                if now >= serving.last_sent + ping_interval(self.timeout) {
                    serving.last_sent = now;
                    write(&mut self.output, Xid::PING, OpCode::Ping, |_| ());
                }
                if let Some((at, pause)) = &mut serving.probe
                    && now >= *at
                {
                    *pause = pause.saturating_mul(2).min(PROBE_PAUSE.1);
                    *at = now + *pause;
                    self.actions.extend(self.servers.next().map(Action::Probe));
                }
            }
            _ => {}
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest; `None`: never.
    pub fn next_timeout(&self) -> Option<Time> {
        match &self.phase {
            Phase::Resting { until } => Some(*until),
            Phase::Opening { deadline, .. } => Some(*deadline),
            Phase::Serving(serving) => {
                let dead = serving.last_heard + patience(self.timeout);
                let ping = serving.last_sent + ping_interval(self.timeout);
                let probe = serving.probe.map_or(dead, |(at, _)| at);
                Some(dead.min(ping).min(probe))
            }
            Phase::Over(_) => None,
        }
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action<T>> {
        self.actions.pop_front()
    }

    /// Bytes to send on the connection.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        (!self.output.is_empty()).then(|| std::mem::take(&mut self.output))
    }

    pub(super) fn tell_state(&mut self, state: SessionState) {
        if self.state != state {
            self.state = state;
            self.actions.push_back(Action::State(state));
        }
    }

    /// Asks for a connection to the next server.
    fn try_next(&mut self, now: Time) {
        let servers = u32::try_from(self.servers.len()).unwrap_or(u32::MAX);
        let share = servers.max(LEAST_SHARES);
        if let Some(server) = self.servers.next() {
            self.actions.push_back(Action::Connect(server.clone()));
            self.phase = Phase::Opening {
                server,
                deadline: now + (self.timeout / share).max(LEAST_ATTEMPT),
            };
        }
    }

    /// The connection is gone; go on to the next server, after a pause.
    fn leave(&mut self, reason: &str, now: Time) {
        self.disconnected(reason);
        if self.is_closing {
            return self.end(SessionState::Closed, &Failure::Closed);
        }
        self.failures.push(reason.to_owned());
        let pause = if self.servers.round_ends() {
            let reasons: Arc<str> = Arc::from(self.failures.join("; "));
            self.failures.clear();
            self.actions.push_back(Action::Unreachable(reasons.clone()));
            let failure = Failure::ConnectionLoss(reasons);
            for (request, token) in std::mem::take(&mut self.waiting) {
                self.fail(request, Some(token), failure.clone());
            }
            self.backoff.pause(&mut self.chance)
        } else {
            self.chance.up_to(BREATH)
        };
        self.phase = Phase::Resting { until: now + pause };
    }

    /// Forgets the connection and fails what was under way on it.
    fn disconnected(&mut self, reason: &str) {
        self.input.clear();
        self.output.clear();
        self.tell_state(SessionState::Disconnected);
        let reason: Arc<str> = Arc::from(reason);
        for (_, request, token) in std::mem::take(&mut self.in_flight) {
            let failure = match request.is_write() {
                true => Failure::OutcomeUnknown(reason.clone()),
                false => Failure::ConnectionLoss(reason.clone()),
            };
            self.fail(request, token, failure);
        }
    }

    /// The session is over: everybody is told.
    pub(super) fn end(&mut self, state: SessionState, failure: &Failure) {
        self.tell_state(state);
        for (_, request, token) in std::mem::take(&mut self.in_flight) {
            let failure = match request.is_write() {
                true => Failure::OutcomeUnknown(Arc::from(format!("{state} before its answer"))),
                false => failure.clone(),
            };
            self.fail(request, token, failure);
        }
        for (request, token) in std::mem::take(&mut self.waiting) {
            self.fail(request, Some(token), failure.clone());
        }
        for token in self.identities.clear() {
            self.actions
                .push_back(Action::Reply(token, Err(failure.clone())));
        }
        for watcher in self.watches.clear() {
            let unwatched = Action::Unwatched(watcher, Some(failure.clone()));
            self.actions.push_back(unwatched);
        }
        self.actions.push_back(Action::Disconnect);
        self.phase = Phase::Over(failure.clone());
    }
}

impl Serving {
    pub fn new(server: HostPort, is_read_only: bool, now: Time) -> Self {
        Self {
            server,
            last_heard: now,
            last_sent: now,
            probe: is_read_only.then(|| (now + PROBE_PAUSE.0, PROBE_PAUSE.0)),
        }
    }
}

/// How long a server may be silent before its connection counts as dead. That leaves a third of
/// the session timeout to find another.
fn patience(timeout: Duration) -> Duration {
    timeout * 2 / 3
}

fn ping_interval(timeout: Duration) -> Duration {
    (timeout / 3).min(MAX_PING_INTERVAL)
}

/// Appends a request.
pub fn write(out: &mut Vec<u8>, xid: Xid, op: OpCode, body: impl FnOnce(&mut Vec<u8>)) {
    frame(out, |out| {
        RequestHeader { xid, op: op.wire() }.encode(out);
        body(out);
    });
}
