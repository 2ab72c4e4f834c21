//! The connection to one other server. Source: `QuorumCnxManager.handleConnection`.
//!
//! Of two servers the one with the larger number dials and keeps the connection. The other one
//! dials as well when it has none, but only so that it is called back: a server that has just
//! come up need not wait until the others try it again.

use super::flag::Flag;
use super::outbox::Outbox;
use super::pauses::{LONGEST, Pauses};
use super::rivals::Rivals;
use super::stream::{self, Connection};
use super::{Context, hello};
use crate::listener;
use grevy_proto::HostPort;
use grevy_proto::ServerId;
use parking_lot::Mutex;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{info, warn};

/// After so many calls that the other server took without calling back, the operator is told.
const UNANSWERED: u32 = 5;
/// Of so many calls in a row that fail, one is worth a line in the log.
const LINE_EVERY: u32 = 20;

/// One other server, as its task and those who want something of it see it.
#[derive(Debug)]
pub(super) struct Peer {
    server: ServerId,
    /// What it is to be told.
    pub(super) outbox: Outbox,
    place: Mutex<Place>,
    /// A connection from it that may replace the present one.
    arrival: Mutex<Option<Connection>>,
    arrived: Notify,
    /// It has called and wants to be called back.
    knocked: Flag,
    /// Whoever waits should not wait any longer.
    hurried: Flag,
}

#[derive(Debug, Default)]
struct Place {
    /// Where the configuration says that it is; `None` if it is in none.
    configured: Option<Vec<HostPort>>,
    /// Where it said that it is.
    told: Vec<HostPort>,
    /// From where it has asked to be called last.
    knocked_from: Option<SocketAddr>,
    /// Whether a connection to it is wanted whether or not it asks.
    wanted: bool,
}

impl Peer {
    pub(super) fn new(server: ServerId) -> Self {
        Self {
            server,
            outbox: Outbox::default(),
            place: Mutex::default(),
            arrival: Mutex::default(),
            arrived: Notify::new(),
            knocked: Flag::default(),
            hurried: Flag::default(),
        }
    }

    /// Takes note of what the configuration says: where it is, and whether a connection is
    /// wanted.
    pub(super) fn configure(&self, configured: Option<Vec<HostPort>>, wanted: bool) {
        let mut place = self.place.lock();
        let changed = place.configured != configured || place.wanted != wanted;
        place.configured = configured;
        place.wanted = wanted;
        drop(place);
        if changed {
            self.hurried.set();
        }
    }

    /// Whether the configuration names it.
    pub(super) fn is_member(&self) -> bool {
        self.place.lock().configured.is_some()
    }

    /// It has called, from a server with a larger number: this connection is to be used.
    pub(super) fn arrive(&self, connection: Connection) {
        *self.arrival.lock() = Some(connection);
        self.arrived.notify_one();
    }

    /// It has called, from a server with a smaller number, and is to be called back.
    pub(super) fn knock(&self, from: SocketAddr, told: Vec<HostPort>) {
        let mut place = self.place.lock();
        place.knocked_from = Some(from);
        if !told.is_empty() {
            place.told = told;
        }
        drop(place);
        self.knocked.set();
    }

    /// Dials now rather than after a pause, if there is no connection.
    pub(super) fn hurry(&self) {
        self.hurried.set();
    }

    fn is_wanted(&self) -> bool {
        self.place.lock().wanted
    }

    /// Keeps the connection for as long as it is wanted.
    pub(super) async fn run(&self, context: &Context) {
        match context.settings.me > self.server {
            true => self.call(context).await,
            false => self.be_called(context).await,
        }
    }

    /// For the server with the larger number.
    async fn call(&self, context: &Context) {
        let mut pauses = Pauses::default();
        let mut rivals = Rivals::default();
        loop {
            self.knocked.clear();
            match self.dial(context).await {
                Ok(connection) => {
                    if self.serve(context, connection, &mut rivals).await {
                        pauses.reset();
                    }
                }
                Err(error) => self.unreachable(context, &pauses, &error),
            }
            if !self.is_wanted() {
                return;
            }
            self.pause(pauses.next()).await;
        }
    }

    /// For the server with the smaller number.
    async fn be_called(&self, context: &Context) {
        let mut pauses = Pauses::default();
        let mut rivals = Rivals::default();
        let mut pause = Duration::ZERO;
        let mut unanswered = 0;
        loop {
            let call = async {
                if !self.is_wanted() {
                    return std::future::pending().await;
                }
                self.pause(pause).await;
                self.dial(context).await
            };
            tokio::select! {
                biased;
                connection = self.arrival() => {
                    unanswered = 0;
                    if self.serve(context, connection, &mut rivals).await {
                        pauses.reset();
                    }
                    if !self.is_member() && self.arrival.lock().is_none() {
                        return;
                    }
                }
                called = call => match called {
                    // It has what it needs; the connection itself is of no use.
                    Ok(_) => unanswered += 1,
                    Err(error) => self.unreachable(context, &pauses, &error),
                }
            }
            if unanswered == UNANSWERED {
                warn!(
                    "server {} was called {unanswered} times and does not call back; can it \
                     reach the election address of this server?",
                    self.server.0
                );
            }
            pause = pauses.next();
        }
    }

    async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.knocked.taken() => {}
            () = self.hurried.taken() => {}
        }
    }

    async fn arrival(&self) -> Connection {
        loop {
            if let Some(connection) = self.arrival.lock().take() {
                return connection;
            }
            self.arrived.notified().await;
        }
    }

    /// Connects and says who calls. Names are looked up each time.
    async fn dial(&self, context: &Context) -> io::Result<Connection> {
        let (configured, told) = {
            let place = self.place.lock();
            (place.configured.clone(), place.told.clone())
        };
        let first = configured.as_ref().unwrap_or(&told);
        match hello::dial(context, first).await {
            // Its configuration may be newer than the one here.
            Err(_) if configured.is_some() && !told.is_empty() => hello::dial(context, &told).await,
            other => other,
        }
    }

    /// Uses the connection, and those that replace it, until one ends. Returns whether the last
    /// was good: something came through it, and it did not end at once.
    async fn serve(
        &self,
        context: &Context,
        mut connection: Connection,
        rivals: &mut Rivals,
    ) -> bool {
        let server = self.server;
        loop {
            let since = Instant::now();
            let was_heard = AtomicBool::new(false);
            let address = name(connection.stream.peer_addr().ok());
            info!("election connection with server {} at {address}", server.0);
            context.events.election_peer(server, true);
            let take = |incoming| match incoming {
                Ok(message) => {
                    was_heard.store(true, Ordering::Relaxed);
                    context.events.election_message(server, message);
                }
                Err(error) => context.complaints.warn(format_args!(
                    "passing over a message of server {} at {address}: {error}",
                    server.0
                )),
            };
            tokio::select! {
                biased;
                (next, from) = self.replacement(context, rivals, &was_heard) => {
                    if rivals.replace(Instant::now()) {
                        warn!(
                            "server {0} connects from {from} while a connection with it at \
                             {address} is alive, again and again: do two servers have the id {0}?",
                            server.0
                        );
                    }
                    connection = next;
                }
                error = stream::exchange(&mut connection, &self.outbox, take) => {
                    context.events.election_peer(server, false);
                    info!("election connection with server {} at {address} ended: {error}", server.0);
                    return was_heard.load(Ordering::Relaxed) && since.elapsed() >= LONGEST;
                }
            }
        }
    }

    /// Another connection that takes the place of the present one, and where whoever wanted it
    /// is. The other server has lost that one, or there are two servers of the same number.
    async fn replacement(
        &self,
        context: &Context,
        rivals: &Rivals,
        was_heard: &AtomicBool,
    ) -> (Connection, String) {
        if let Some(end) = rivals.turn_ends() {
            tokio::time::sleep_until(end).await;
        }
        // Servers that come up together call each other: what asks for a connection may have
        // been on its way when this one was made. Whoever has none asks again.
        let mut may_have_crossed = true;
        loop {
            tokio::select! {
                connection = self.arrival() => {
                    let from = name(connection.stream.peer_addr().ok());
                    return (connection, from);
                }
                () = self.knocked.taken() => {}
            }
            if may_have_crossed && !was_heard.load(Ordering::Relaxed) {
                may_have_crossed = false;
                continue;
            }
            match self.dial(context).await {
                Ok(connection) => return (connection, name(self.place.lock().knocked_from)),
                Err(error) => context.complaints.warn(format_args!(
                    "server {} asked to be called and cannot be reached: {error}",
                    self.server.0
                )),
            }
        }
    }

    fn unreachable(&self, context: &Context, pauses: &Pauses, error: &io::Error) {
        if pauses.taken().is_multiple_of(LINE_EVERY) {
            warn!(
                "cannot reach the election port of server {}: {error}",
                self.server.0
            );
        }
        context.events.election_peer(self.server, false);
    }
}

fn name(address: Option<SocketAddr>) -> String {
    address.map_or("?".to_owned(), |address| {
        listener::canonical(address).to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_as_their_owners_know_them() {
        for (address, expected) in [
            ("[::ffff:127.0.0.1]:3888", "127.0.0.1:3888"),
            ("10.0.0.1:3888", "10.0.0.1:3888"),
            ("[::1]:3888", "[::1]:3888"),
        ] {
            assert_eq!(name(Some(address.parse().unwrap())), expected);
        }
    }
}
