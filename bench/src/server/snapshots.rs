//! Sees from outside when a server writes a snapshot.

use crate::clock;
use crate::failure::{Failure, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use std::mem::MaybeUninit;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// A snapshot's file was open from `start` to `end`; see [`clock::now`].
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub start: u64,
    /// `None` while it is being written.
    pub end: Option<u64>,
}

impl Window {
    /// Whether the time lies in it.
    pub fn contains(&self, time: u64) -> bool {
        time >= self.start && self.end.is_none_or(|end| time <= end)
    }
}

/// A thread that notes every file with "snap" in its name that is created and closed in `version-2`.
pub struct SnapshotWatch {
    windows: Arc<Mutex<Vec<Window>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SnapshotWatch {
    /// Watches the data folder of a running server.
    pub fn start(data: &Path) -> Result<SnapshotWatch> {
        let folder = data.join("version-2");
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        inotify::add_watch(
            &inotify,
            &folder,
            WatchFlags::CREATE | WatchFlags::CLOSE_WRITE,
        )
        .map_err(|error| Failure::from(error).during(folder.display()))?;
        let windows = Arc::new(Mutex::new(Vec::<Window>::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (windows.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut room = [MaybeUninit::uninit(); 4096];
            let mut reader = inotify::Reader::new(&inotify, &mut room);
            let pause = Timespec {
                tv_sec: 0,
                tv_nsec: 50_000_000,
            };
            while !stopped.load(Ordering::Relaxed) {
                // An error here means a signal; the next turn tries again.
                let _ =
                    rustix::event::poll(&mut [PollFd::new(&inotify, PollFlags::IN)], Some(&pause));
                while let Ok(event) = reader.next() {
                    let name = event
                        .file_name()
                        .map(|name| name.to_string_lossy().into_owned());
                    if name.is_some_and(|name| name.contains("snap")) {
                        let now = clock::now();
                        let mut windows = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        if event.events().contains(ReadFlags::CREATE) {
                            windows.push(Window {
                                start: now,
                                end: None,
                            });
                        } else if let Some(window) =
                            windows.iter_mut().find(|window| window.end.is_none())
                        {
                            window.end = Some(now);
                        }
                    }
                }
            }
        });
        Ok(SnapshotWatch {
            windows,
            stop,
            thread: Some(thread),
        })
    }

    /// Every snapshot seen so far.
    pub fn windows(&self) -> Vec<Window> {
        self.windows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for SnapshotWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It only fails if it panicked, and then there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_seen_from_creation_to_close() {
        let data =
            std::env::temp_dir().join(format!("grevy-bench-snapshots-{}", std::process::id()));
        let folder = data.join("version-2");
        std::fs::create_dir_all(&folder).unwrap();
        let watch = SnapshotWatch::start(&data).unwrap();
        let until = |seen: &dyn Fn(&[Window]) -> bool| {
            let patience = clock::now() + 20 * clock::SECOND;
            while !seen(&watch.windows()) {
                assert!(clock::now() < patience, "not seen: {:?}", watch.windows());
                std::thread::yield_now();
            }
        };
        std::fs::write(folder.join("log.1"), b"not a snapshot").unwrap();
        let file = std::fs::File::create(folder.join("snapshot.5")).unwrap();
        until(&|windows| windows.len() == 1);
        assert!(watch.windows()[0].end.is_none());
        drop(file);
        until(&|windows| windows.iter().all(|window| window.end.is_some()));
        let window = watch.windows()[0];
        assert!(window.contains(window.start) && !window.contains(clock::now() + 1));
        std::fs::remove_dir_all(&data).unwrap();
    }
}
