//! What servers send: the answer to the handshake, then replies and events.

use super::action::{Action, Failure, NodeEvent, SessionState};
use super::request::{Effect, Request};
use super::session::{Phase, Session};
use super::time::Time;
use grevy_proto::event::EventType;
use grevy_proto::reply::ReplyHeader;
use grevy_proto::{Decode, DecodeError, ErrorCode, OpCode, Reader, Xid, Zxid};

impl<T> Session<T> {
    /// Bytes came on the connection, cut wherever.
    pub fn handle_received(&mut self, bytes: &[u8], now: Time) {
        self.input.push(bytes);
        loop {
            let result = match (&mut self.phase, self.input.next(self.options.max_frame)) {
                (Phase::Opening { .. }, Ok(Some(frame))) => self.handshake(&frame, now),
                (Phase::Serving(serving), Ok(Some(frame))) => {
                    serving.last_heard = now;
                    self.message(&frame, now)
                }
                (Phase::Opening { .. } | Phase::Serving(_), Err(error)) => Err(error.to_string()),
                _ => return,
            };
            if let Err(reason) = result {
                self.actions.push_back(Action::Disconnect);
                return self.handle_lost(&reason, now);
            }
        }
    }

    /// The error says how the server broke the protocol.
    fn message(&mut self, bytes: &[u8], now: Time) -> Result<(), String> {
        let unreadable = |error| format!("its message cannot be read: {error}");
        let mut reader = Reader::new(bytes);
        let header = ReplyHeader::decode(&mut reader).map_err(unreadable)?;
        match header.xid {
            Xid::PING | Xid::SET_WATCHES => {}
            Xid::AUTH if header.err == ErrorCode::Ok.wire() => {
                let token = self.identities.taken();
                let reply = token.map(|token| Action::Reply(token, Ok(Vec::new())));
                self.actions.extend(reply);
            }
            Xid::AUTH => self.end(SessionState::AuthFailed, &Failure::AuthFailed),
            Xid::NOTIFICATION => {
                self.event(header.zxid, &mut reader).map_err(unreadable)?;
            }
            _ => self.reply(header, reader.rest(), now)?,
        }
        Ok(())
    }

    fn event(&mut self, zxid: Zxid, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let kind = reader.int()?;
        // The state: always "connected".
        reader.int()?;
        let path = reader.string()?.unwrap_or_default();
        let kind = EventType::from_wire(kind).ok_or(DecodeError::UnknownValue(kind))?;
        for (watcher, is_used_up) in self.watches.fire(kind, &path) {
            let event = NodeEvent {
                kind,
                path: path.clone().into_owned(),
                zxid: (zxid > Zxid::ZERO).then_some(zxid),
            };
            self.actions.push_back(Action::Event(watcher, event));
            if is_used_up {
                self.actions.push_back(Action::Unwatched(watcher, None));
            }
        }
        Ok(())
    }

    fn reply(&mut self, header: ReplyHeader, record: &[u8], now: Time) -> Result<(), String> {
        let (request, token) = match self.in_flight.pop_front() {
            Some((xid, request, token)) if xid == header.xid => (request, token),
            other => {
                if let Some(unanswered) = other {
                    self.in_flight.push_front(unanswered);
                }
                return Err(format!(
                    "it answered request {}, which is not the oldest one",
                    header.xid.0
                ));
            }
        };
        if header.zxid > Zxid::ZERO {
            self.last_zxid = header.zxid;
        }
        if request.op == OpCode::CloseSession {
            self.end(SessionState::Closed, &Failure::Closed);
            return Ok(());
        }
        self.apply_effect(&request, header.err, now);
        let result = match header.err {
            0 => Ok(record.to_vec()),
            code if code == ErrorCode::SessionExpired.wire() => Err(Failure::SessionExpired),
            code => Err(Failure::Server(code)),
        };
        let reply = token.map(|token| Action::Reply(token, result));
        self.actions.extend(reply);
        Ok(())
    }

    fn apply_effect(&mut self, request: &Request, code: i32, now: Time) {
        match &request.effect {
            Effect::None => {}
            Effect::Watch {
                kind,
                path,
                watcher,
            } => {
                if !self.watches.register(*watcher, *kind, path, code) {
                    self.actions.push_back(Action::Unwatched(*watcher, None));
                }
                if self.abandoned.remove(watcher) {
                    self.handle_unwatch(*watcher, now);
                }
            }
            Effect::Unwatch { which, path } => {
                if code == ErrorCode::Ok.wire() {
                    let removed = self.watches.remove_all(*which, path);
                    let ends = removed.into_iter().map(|id| Action::Unwatched(id, None));
                    self.actions.extend(ends);
                }
            }
        }
    }
}
