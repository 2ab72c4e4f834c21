//! Opening or resuming the session on a new connection. Source: `ClientCnxn.SendThread`.

use super::action::{Action, Failure, SessionState};
use super::options::Ticket;
use super::session::{Phase, Serving, Session, write};
use super::time::Time;
use grevy_proto::connect::{ConnectRequest, ConnectResponse};
use grevy_proto::jute::frame;
use grevy_proto::{Decode, Encode, OpCode, Reader, SessionId, Xid};
use std::time::Duration;

impl<T> Session<T> {
    /// The connection that was asked for is open.
    pub fn handle_opened(&mut self) {
        if !matches!(self.phase, Phase::Opening { .. }) {
            return;
        }
        let timeout = self.options.session_timeout.as_millis();
        // A session that only a read-only server knows of means nothing to the others.
        let session = match self.is_global {
            true => self.ticket.id,
            false => SessionId::NONE,
        };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout: i32::try_from(timeout).unwrap_or(i32::MAX),
            session,
            password: Some(&self.ticket.password),
            read_only: Some(self.options.can_be_read_only),
        };
        frame(&mut self.output, |out| request.encode(out));
    }

    /// Reads the answer. The error says what is wrong with it.
    pub(super) fn handshake(&mut self, bytes: &[u8], now: Time) -> Result<(), String> {
        let foreign = |error| format!("it does not speak ZooKeeper's protocol: {error}");
        let mut reader = Reader::new(bytes);
        let response = ConnectResponse::decode(&mut reader).map_err(foreign)?;
        // Servers before 3.4 leave the last byte out.
        let is_read_only = !reader.is_empty() && reader.bool().map_err(foreign)?;
        let granted = u64::try_from(response.timeout).unwrap_or(0);
        if granted == 0 {
            if !self.is_global {
                return Err("it refused to open a session".to_owned());
            }
            self.end(SessionState::Expired, &Failure::SessionExpired);
            return Ok(());
        }
        let Phase::Opening { server, .. } = &self.phase else {
            return Ok(());
        };
        self.phase = Phase::Serving(Serving::new(server.clone(), is_read_only, now));
        self.ticket = Ticket {
            id: response.session,
            password: response.password.unwrap_or_default().into_vec(),
        };
        self.timeout = Duration::from_millis(granted);
        self.is_global |= !is_read_only;
        self.servers.found();
        self.failures.clear();
        self.backoff.reset();
        self.restore(now);
        self.tell_state(match is_read_only {
            true => SessionState::ConnectedReadOnly,
            false => SessionState::Connected,
        });
        Ok(())
    }

    /// Identities and watches first, then what has been waiting.
    fn restore(&mut self, now: Time) {
        for auth in self.identities.tell_all() {
            write(&mut self.output, Xid::AUTH, OpCode::Auth, |out| {
                auth.encode(out)
            });
        }
        for (op, record) in self.watches.set_again(self.last_zxid) {
            write(&mut self.output, Xid::SET_WATCHES, op, |out| {
                out.extend_from_slice(&record);
            });
        }
        // Told now, whoever looks for what he missed does so behind the watches.
        let resumed = self.watches.persistent().map(Action::Resumed);
        self.actions.extend(resumed);
        for (request, token) in std::mem::take(&mut self.waiting) {
            self.send(request, Some(token), now);
        }
    }
}
