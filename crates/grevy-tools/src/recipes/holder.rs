//! A session that holds something while a command runs.

use super::child::{Child, FAILED, LOST, Ran, TIMED_OUT};
use crate::events::{Event, Events};
use crate::exit::{At, Exit, Failure};
use crate::znodes::connection::{Connection, Session, join};
use clap::Args;
use grevy_cli::client::{Client, ClientError, EventKind, KeeperState, Node, WatchedEvent, error};
use grevy_proto::request::CreateMode;
use grevy_proto::{Acl, ErrorCode};
use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// What lock, elect and semaphore have in common.
#[derive(Debug, Args)]
pub struct Terms {
    /// Give up if it cannot be had in so many ms; 0: at once.
    #[arg(long, value_name = "MS")]
    wait: Option<u64>,
    /// How long the command may take to end when the session is lost, before it is killed.
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    grace: u64,
    /// With whom.
    #[command(flatten)]
    session: Session,
    /// The command, and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// A session, and what happens to it.
pub struct Holder<'a> {
    terms: &'a Terms,
    events: Events,
    connection: Connection,
    deadline: Option<Instant>,
}

/// Why a wait came to no good end.
#[derive(Debug)]
pub enum Stop {
    /// Something failed, or the session is lost.
    Failed(Failure),
    /// A signal came.
    Signal(i32),
    /// The time to wait was over.
    TimedOut,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Stop> for Ran {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Failed(failure) => failure.into(),
            Stop::Signal(number) => Self {
                exit_code: u8::try_from(128 + number).unwrap_or(FAILED),
                message: None,
            },
            Stop::TimedOut => Self::because(TIMED_OUT, "somebody else has it; the wait is over"),
        }
    }
}

impl<'a> Holder<'a> {
    /// Opens a session.
    pub fn open(terms: &'a Terms) -> Result<Self, Failure> {
        let events = Events::new()?;
        let sender = events.sender();
        let connection = terms.session.connect(move |event| {
            // Nobody waits any more if the process is about to end.
            let _ = sender.send(Event::Watched(event.clone()));
        })?;
        Ok(Self {
            terms,
            events,
            connection,
            deadline: terms
                .wait
                .map(|wait| Instant::now() + Duration::from_millis(wait)),
        })
    }

    /// The session's client.
    pub fn client(&self) -> &Client {
        &self.connection.client
    }

    /// Asks something that may be asked twice, as often as it takes while the session is alive.
    pub fn ask<T>(
        &self,
        path: &str,
        request: impl Fn(&Client) -> Result<T, ClientError>,
    ) -> Result<T, Stop> {
        loop {
            match request(self.client()) {
                Err(ClientError::ConnectionLoss(_) | ClientError::OutcomeUnknown(_)) => {
                    self.pause()?;
                }
                result => return Ok(result.at(path)?),
            }
        }
    }

    /// Creates what is missing of a path, as containers, which go when they are empty.
    pub fn create_containers(&self, path: &str) -> Result<(), Stop> {
        let ends = path.match_indices('/').skip(1).map(|(at, _)| at);
        for end in ends.chain([path.len()]) {
            let path = &path[..end];
            let create = |mode| {
                let node = node(mode, b"");
                self.ask(path, |client| match client.create(path, &node) {
                    Err(error) if error.is(ErrorCode::NodeExists) => Ok(()),
                    created => created.map(drop),
                })
            };
            if self
                .ask(path, |client| client.exists(path, false))?
                .is_none()
            {
                // Servers before 3.5 have no containers.
                let created = create(CreateMode::Container);
                match created {
                    Err(Stop::Failed(failure)) if failure.exit == Exit::Refused => {
                        create(CreateMode::Persistent)?;
                    }
                    created => created?,
                }
            }
        }
        Ok(())
    }

    /// Creates an ephemeral sequential znode `_c_<uuid>-<name>NNNNNNNNNN` below `parent`, just
    /// one, also if the connection breaks meanwhile: its name tells whose it is (Curator's
    /// protection mode). Returns its name.
    pub fn create_protected(&self, parent: &str, name: &str, data: &[u8]) -> Result<String, Stop> {
        let prefix = format!("_c_{}-", uuid());
        let path = join(parent, &format!("{prefix}{name}"));
        let node = node(CreateMode::EphemeralSequential, data);
        loop {
            self.create_containers(parent)?;
            match self.client().create(&path, &node) {
                Ok(created) => {
                    let name = created.rsplit('/').next().unwrap_or_default();
                    return Ok(name.to_owned());
                }
                Err(ClientError::OutcomeUnknown(_)) => {
                    self.pause()?;
                    let children = self.ask(parent, |client| client.get_children(parent, false))?;
                    let mut own = children
                        .0
                        .into_iter()
                        .filter(|name| name.starts_with(&prefix));
                    if let Some(name) = own.next() {
                        return Ok(name);
                    }
                }
                Err(ClientError::ConnectionLoss(_)) => self.pause()?,
                // The container was empty, and went.
                Err(error) if error.is(ErrorCode::NoNode) => {}
                Err(error) => return Err(Failure::request(&error, &path).into()),
            }
        }
    }

    /// Waits until something happens to a znode that is watched, or the connection comes back.
    pub fn wait_for_change(&self) -> Result<(), Stop> {
        loop {
            match self.next(self.deadline)? {
                Some(event) if event.kind != EventKind::None => return Ok(()),
                Some(event) if event.state == KeeperState::SyncConnected => return Ok(()),
                Some(_) => {}
                None => return Err(Stop::TimedOut),
            }
        }
    }

    /// Until when to wait at most.
    pub fn is_over(&self) -> bool {
        self.deadline.is_some_and(|end| Instant::now() >= end)
    }

    /// Deletes a znode, as well as can be: without a connection it goes with the session.
    pub fn release(&self, path: &str) {
        let deleted = self.client().delete(path, -1);
        if let Err(error) = deleted
            && !error.is(ErrorCode::NoNode)
        {
            let code = ErrorCode::from_wire(error.code()).map_or("", error::text);
            eprintln!("grevy: {path} was not deleted ({code}); it goes with its session");
        }
    }

    /// Runs the command while `own` is there and the session is alive. Then `own` is deleted and
    /// the session ends.
    pub fn hold(&self, own: &str, variables: &[(&str, String)]) -> Ran {
        let watched = self.ask(own, |client| client.exists(own, true));
        let stat = match watched {
            Ok(Some(stat)) => stat,
            Ok(None) => return Ran::because(LOST, format!("somebody deleted {own}")),
            Err(stop) => {
                self.release(own);
                return stop.into();
            }
        };
        let mut all = vec![
            ("GREVY_NODE", own.to_owned()),
            // Grows from holder to holder: what is guarded can refuse an older one.
            ("GREVY_FENCE", stat.czxid.0.to_string()),
        ];
        all.extend_from_slice(variables);
        let child = match Child::run(&self.terms.command, &all, self.events.sender()) {
            Ok(child) => child,
            Err(not_run) => {
                self.release(own);
                return not_run.into();
            }
        };
        match self.guard(&child, own) {
            Ok(()) => {
                self.release(own);
                child.ended()
            }
            Err(why) => {
                eprintln!("grevy: {why}; telling the command to end");
                self.end(child);
                Ran {
                    exit_code: LOST,
                    message: None,
                }
            }
        }
    }

    /// Waits for the end of the command. The error says how what it is run for was lost before.
    fn guard(&self, child: &Child, own: &str) -> Result<(), String> {
        let mut connected = self.client().state().is_connected();
        loop {
            let deadline = (!connected).then(|| self.client().safe_until());
            match self.events.next(deadline) {
                Some(Event::Ended) => return Ok(()),
                Some(Event::Signal(number)) => child.pass_on(number),
                Some(Event::Watched(event)) => match (event.kind, event.state) {
                    (EventKind::None, KeeperState::SyncConnected) => connected = true,
                    (EventKind::None, KeeperState::Disconnected) => connected = false,
                    (EventKind::None, _) => return Err("the session was lost".to_owned()),
                    _ if event.path.as_deref() != Some(own) => {}
                    (EventKind::NodeDeleted, _) => return Err(format!("somebody deleted {own}")),
                    // The watch is used up. Whatever comes of this, the session tells.
                    _ => drop(self.client().exists(own, true)),
                },
                Some(Event::Key(_)) => {}
                None => {
                    return Err("no server was reached in time to keep the session".to_owned());
                }
            }
        }
    }

    /// Ends the command: with SIGTERM, and if it takes too long with SIGKILL.
    fn end(&self, child: Child) {
        child.terminate();
        let mut deadline = Some(Instant::now() + Duration::from_millis(self.terms.grace));
        loop {
            match self.events.next(deadline) {
                Some(Event::Ended) => {
                    child.ended();
                    return;
                }
                Some(_) => {}
                None => {
                    child.kill();
                    deadline = None;
                }
            }
        }
    }

    /// Waits for better times after a lost connection.
    fn pause(&self) -> Result<(), Stop> {
        const PAUSE: Duration = Duration::from_millis(100);
        let end = Instant::now() + PAUSE;
        while self.next(Some(end))?.is_some() {}
        Ok(())
    }

    /// The next event of the session; `None` at `deadline`.
    fn next(&self, deadline: Option<Instant>) -> Result<Option<WatchedEvent>, Stop> {
        match self.events.next(deadline) {
            Some(Event::Watched(event)) => match event.state {
                KeeperState::Expired | KeeperState::Closed => {
                    Err(Failure::request(&ClientError::SessionExpired, "").into())
                }
                KeeperState::AuthFailed => {
                    Err(Failure::request(&ClientError::AuthFailed, "").into())
                }
                _ => Ok(Some(event)),
            },
            Some(Event::Signal(number)) => Err(Stop::Signal(number)),
            Some(Event::Ended | Event::Key(_)) | None => Ok(None),
        }
    }
}

fn node(mode: CreateMode, data: &[u8]) -> Node {
    Node {
        data: Some(data.to_vec()),
        acl: vec![Acl::OPEN],
        mode,
        ttl: 0,
    }
}

/// A random UUID (version 4). The standard library's hash keys are random.
fn uuid() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    let bits = (u128::from(half()) << 64) | u128::from(half());
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let mut text = String::new();
    for (at, digit) in hex.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        // Writing to a string cannot fail.
        let _ = text.write_char(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_of_version_4_and_differ() {
        let (one, other) = (uuid(), uuid());
        assert_ne!(one, other);
        for text in [one, other] {
            let parts: Vec<_> = text.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{text}");
            assert_eq!(text.as_bytes()[14], b'4', "{text}");
            assert!(b"89ab".contains(&text.as_bytes()[19]), "{text}");
        }
    }
}
