//! The task behind a client: it owns the machine and moves values between it, the connection and
//! the handles.

use crate::answer::Outcome;
use crate::link::{Event, Link, takes_writes};
use crate::machine::{
    Action, Failure, NodeEvent, Options, Request, Session, SessionState, Ticket, Time, WatcherId,
};
use crate::security::Security;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// How many commands are taken before the requests among them are sent.
const BATCH: usize = 256;

/// What handles ask for.
pub(crate) enum Command {
    Request {
        request: Request,
        /// Where the events go, for a request that leaves a watch.
        events: Option<(WatcherId, UnboundedSender<News>)>,
        reply: oneshot::Sender<Outcome>,
    },
    Auth {
        scheme: String,
        secret: Vec<u8>,
        reply: oneshot::Sender<Outcome>,
    },
    Unwatch(WatcherId),
    Close,
}

/// What a watcher hears.
#[derive(Debug)]
pub(crate) enum News {
    Event(NodeEvent),
    Resumed,
    End(Option<Failure>),
}

/// What handles can see of the session.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub state: SessionState,
    pub ticket: Option<Ticket>,
    pub timeout: Duration,
    /// Why the last round of attempts failed; `None` while connected and at first.
    pub unreachable: Option<Arc<str>>,
}

/// Drives a session until it is over and nobody has a handle any more.
pub(crate) struct Driver {
    session: Session<oneshot::Sender<Outcome>>,
    start: Instant,
    link: Link,
    security: Security,
    probe: Option<Pin<Box<dyn Future<Output = bool> + Send>>>,
    watchers: HashMap<WatcherId, UnboundedSender<News>>,
    status: watch::Sender<Status>,
}

/// What the task was woken by.
enum Wake {
    Link(Happened),
    Commands(usize),
    Probed(bool),
    Timeout,
}

enum Happened {
    Handled,
    Lost(String),
}

impl Driver {
    pub fn new(options: Options, security: Security, seed: u64) -> (Self, watch::Receiver<Status>) {
        let session = Session::new(options, seed, Time(0));
        let (status, receiver) = watch::channel(Status {
            state: SessionState::Disconnected,
            ticket: session.ticket().cloned(),
            timeout: session.timeout(),
            unreachable: None,
        });
        let driver = Self {
            session,
            start: Instant::now(),
            link: Link::new(security.clone()),
            security,
            probe: None,
            watchers: HashMap::new(),
            status,
        };
        (driver, receiver)
    }

    pub async fn run(mut self, mut commands: UnboundedReceiver<Command>) {
        let mut batch = Vec::new();
        let mut has_handles = true;
        loop {
            self.act();
            if !has_handles && self.status.borrow().state.is_over() {
                return;
            }
            let wake = self.wait(&mut commands, &mut batch, has_handles).await;
            let now = self.now();
            match wake {
                Wake::Link(Happened::Handled) => {}
                Wake::Link(Happened::Lost(reason)) => self.session.handle_lost(&reason, now),
                // Nobody is left who could ask for anything.
                Wake::Commands(0) => {
                    has_handles = false;
                    self.session.handle_close(now);
                }
                Wake::Commands(_) => {
                    for command in batch.drain(..) {
                        self.command(command, now);
                    }
                }
                Wake::Probed(takes_writes) => {
                    self.probe = None;
                    self.session.handle_probed(takes_writes, now);
                }
                Wake::Timeout => self.session.handle_timeout(now),
            }
        }
    }

    /// What came on the connection goes before timeouts: after a long sleep of this process, the
    /// server may well have answered.
    async fn wait(
        &mut self,
        commands: &mut UnboundedReceiver<Command>,
        batch: &mut Vec<Command>,
        has_handles: bool,
    ) -> Wake {
        let deadline = self.session.next_timeout();
        let timeout = async {
            match deadline {
                Some(at) => {
                    tokio::time::sleep_until(self.start + Duration::from_micros(at.0)).await
                }
                None => std::future::pending().await,
            }
        };
        let probe = async {
            match &mut self.probe {
                Some(probe) => probe.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            event = self.link.event() => {
                let now = Time(elapsed(self.start));
                Wake::Link(match event {
                    Event::Opened => {
                        self.session.handle_opened();
                        Happened::Handled
                    }
                    Event::Received(bytes) => {
                        self.session.handle_received(bytes, now);
                        Happened::Handled
                    }
                    Event::Lost(reason) => Happened::Lost(reason),
                })
            }
            count = commands.recv_many(batch, BATCH), if has_handles => Wake::Commands(count),
            takes_writes = probe => Wake::Probed(takes_writes),
            () = timeout => Wake::Timeout,
        }
    }

    fn command(&mut self, command: Command, now: Time) {
        match command {
            Command::Request {
                request,
                events,
                reply,
            } => {
                self.watchers.extend(events);
                self.session.handle_request(request, reply, now);
            }
            Command::Auth {
                scheme,
                secret,
                reply,
            } => self.session.handle_auth(scheme, secret, reply, now),
            Command::Unwatch(watcher) => {
                self.watchers.remove(&watcher);
                self.session.handle_unwatch(watcher, now);
            }
            Command::Close => self.session.handle_close(now),
        }
    }

    /// Does what the machine wants done.
    fn act(&mut self) {
        while let Some(action) = self.session.poll_action() {
            match action {
                Action::Connect(server) => self.link.open(server),
                Action::Disconnect => self.link.close(),
                Action::Probe(server) => {
                    let security = self.security.clone();
                    self.probe = Some(Box::pin(takes_writes(server, security)));
                }
                // Whoever asked may have stopped waiting.
                Action::Reply(reply, outcome) => drop(reply.send(outcome)),
                Action::Event(watcher, event) => self.tell(watcher, News::Event(event)),
                Action::Resumed(watcher) => self.tell(watcher, News::Resumed),
                Action::Unwatched(watcher, why) => {
                    self.tell(watcher, News::End(why));
                    self.watchers.remove(&watcher);
                }
                Action::State(state) => {
                    let ticket = self.session.ticket().cloned();
                    let timeout = self.session.timeout();
                    self.status.send_modify(|status| {
                        status.state = state;
                        status.ticket = ticket;
                        status.timeout = timeout;
                        if state.is_connected() {
                            status.unreachable = None;
                        }
                    });
                }
                Action::Unreachable(reason) => {
                    self.status
                        .send_modify(|status| status.unreachable = Some(reason));
                }
            }
        }
        if let Some(bytes) = self.session.poll_transmit() {
            self.link.send(bytes);
        }
    }

    /// Whoever watched may have stopped listening.
    fn tell(&self, watcher: WatcherId, news: News) {
        if let Some(sender) = self.watchers.get(&watcher) {
            drop(sender.send(news));
        }
    }

    fn now(&self) -> Time {
        Time(elapsed(self.start))
    }
}

fn elapsed(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}
