//! What callers ask of a session: requests, identities, watches given up, the end.

use super::action::{Action, Failure, SessionState};
use super::request::{Effect, Request};
use super::session::{Phase, Session, write};
use super::time::Time;
use super::watches::WatcherId;
use grevy_proto::request::WatchOf;
use grevy_proto::watch::WatcherType;
use grevy_proto::{Encode, OpCode, Xid};

impl<T> Session<T> {
    /// Sends a request, or keeps it until there is a server.
    pub fn handle_request(&mut self, request: Request, token: T, now: Time) {
        match &self.phase {
            Phase::Over(failure) => {
                let failure = failure.clone();
                self.fail(request, Some(token), failure);
            }
            _ if self.is_closing => self.fail(request, Some(token), Failure::Closed),
            Phase::Serving(_) => self.send(request, Some(token), now),
            Phase::Resting { .. } | Phase::Opening { .. } => {
                self.waiting.push_back((request, token));
            }
        }
    }

    /// Adds an identity, for this connection and all later ones. Its answer comes when the first
    /// server took it; a refusal ends the session.
    pub fn handle_auth(&mut self, scheme: String, secret: Vec<u8>, token: T, now: Time) {
        if let Phase::Over(failure) = &self.phase {
            let reply = Action::Reply(token, Err(failure.clone()));
            return self.actions.push_back(reply);
        }
        self.identities.add(scheme, secret, token);
        if let Phase::Serving(serving) = &mut self.phase
            && let Some(auth) = self.identities.tell_newest()
        {
            serving.last_sent = now;
            write(&mut self.output, Xid::AUTH, OpCode::Auth, |out| {
                auth.encode(out)
            });
        }
    }

    /// Nobody waits for a watcher's events any more.
    pub fn handle_unwatch(&mut self, watcher: WatcherId, now: Time) {
        let Some((kind, path)) = self.watches.remove(watcher) else {
            if self.is_registering(watcher) {
                self.abandoned.insert(watcher);
            }
            return;
        };
        if !matches!(self.phase, Phase::Serving(_)) || self.is_closing {
            return;
        }
        // A request under way counts as a watch: taking "all" away behind it would hit it too.
        let mut under_way =
            self.in_flight
                .iter()
                .filter_map(|(_, request, _)| match &request.effect {
                    Effect::Watch {
                        kind, path: other, ..
                    } if *other == path => Some(*kind),
                    _ => None,
                });
        let which = kind.watcher_type();
        let (mut same, mut other) = (self.watches.is_watched(&path, which), false);
        other |= self.watches.is_watched(&path, WatcherType::Any);
        for kind in &mut under_way {
            same |= which.includes(kind);
            other = true;
        }
        if same {
            return;
        }
        // All servers know how to remove "all", only new ones how to remove persistent watches.
        let which = if other { which } else { WatcherType::Any };
        let watch = WatchOf {
            path: path.as_str().into(),
            kind: which as i32,
        };
        let request = Request {
            op: OpCode::RemoveWatches,
            body: watch.to_bytes(),
            effect: Effect::None,
        };
        self.send(request, None, now);
    }

    /// Ends the session, after the requests that were made before. Without a server it is left
    /// to its timeout.
    pub fn handle_close(&mut self, now: Time) {
        if matches!(self.phase, Phase::Over(_)) || self.is_closing {
            return;
        }
        self.is_closing = true;
        match self.phase {
            Phase::Serving(_) => {
                let request = Request {
                    op: OpCode::CloseSession,
                    body: Vec::new(),
                    effect: Effect::None,
                };
                self.send(request, None, now);
            }
            _ => self.end(SessionState::Closed, &Failure::Closed),
        }
    }

    pub(super) fn send(&mut self, request: Request, token: Option<T>, now: Time) {
        let Phase::Serving(serving) = &mut self.phase else {
            return;
        };
        serving.last_sent = now;
        let xid = Xid(self.next_xid);
        self.next_xid = self.next_xid.checked_add(1).unwrap_or(1);
        write(&mut self.output, xid, request.op, |out| {
            out.extend_from_slice(&request.body);
        });
        self.in_flight.push_back((xid, request, token));
    }

    pub(super) fn fail(&mut self, request: Request, token: Option<T>, failure: Failure) {
        if let Effect::Watch { watcher, .. } = request.effect {
            self.abandoned.remove(&watcher);
            let unwatched = Action::Unwatched(watcher, Some(failure.clone()));
            self.actions.push_back(unwatched);
        }
        if let Some(token) = token {
            self.actions.push_back(Action::Reply(token, Err(failure)));
        }
    }

    fn is_registering(&self, watcher: WatcherId) -> bool {
        let registers = |request: &Request| match request.effect {
            Effect::Watch { watcher: id, .. } => id == watcher,
            _ => false,
        };
        self.waiting.iter().any(|(request, _)| registers(request))
            || self
                .in_flight
                .iter()
                .any(|(_, request, _)| registers(request))
    }
}
