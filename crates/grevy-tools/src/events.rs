//! All that may happen while a command waits, in one queue.

use crate::exit::Failure;
use grevy_cli::client::WatchedEvent;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// To the session or a znode.
    Watched(WatchedEvent),
    /// Somebody sent this process a signal: its number.
    Signal(i32),
    /// The command that was run has ended.
    Ended,
    /// A key was pressed: its byte.
    Key(u8),
}

/// The queue's receiving end.
pub struct Events {
    sender: Sender<Event>,
    receiver: Receiver<Event>,
}

impl Events {
    /// From now on the signals that ask a process to end, or that programs give a meaning of their
    /// own, no longer end this one, but come here.
    pub fn new() -> Result<Self, Failure> {
        let (sender, receiver) = channel();
        let signals = sender.clone();
        let failed = |error| Failure::usage(format!("cannot wait for signals: {error}"));
        // A small runtime on a thread of its own: safe, and no more than waiting on a pipe.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(failed)?;
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::quit(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
        ];
        let streams = {
            let _inside = runtime.enter();
            kinds
                .map(|kind| signal(kind).map(|stream| (kind.as_raw_value(), stream)))
                .into_iter()
                .collect::<Result<Vec<_>, _>>()
                .map_err(failed)?
        };
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let mut tasks = tokio::task::JoinSet::new();
                    for (number, mut stream) in streams {
                        let signals = signals.clone();
                        tasks.spawn(async move {
                            while stream.recv().await.is_some() {
                                if signals.send(Event::Signal(number)).is_err() {
                                    return;
                                }
                            }
                        });
                    }
                    while tasks.join_next().await.is_some() {}
                });
            })
            .map_err(failed)?;
        Ok(Self { sender, receiver })
    }

    /// Puts events in.
    pub fn sender(&self) -> Sender<Event> {
        self.sender.clone()
    }

    /// The next event; `None` at `deadline`.
    pub fn next(&self, deadline: Option<Instant>) -> Option<Event> {
        /// The sender is here too, so nothing but an event ends the wait.
        const LONG: Duration = Duration::from_secs(3600);
        loop {
            let wait = deadline.map_or(LONG, |end| end.saturating_duration_since(Instant::now()));
            match self.receiver.recv_timeout(wait) {
                Ok(event) => return Some(event),
                Err(RecvTimeoutError::Timeout) if deadline.is_none() => {}
                Err(_) => return None,
            }
        }
    }
}
