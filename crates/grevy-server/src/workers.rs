//! The threads that serve connections. Each has a reactor of its own, so that a connection
//! lives on one thread from its first byte to its last.

use std::io;
use std::thread::JoinHandle;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// One thread for each processor.
#[derive(Debug)]
pub struct Workers {
    handles: Vec<Handle>,
    threads: Vec<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Workers {
    /// Starts `count` threads.
    pub fn start(count: usize) -> io::Result<Self> {
        let mut workers = Self {
            handles: Vec::new(),
            threads: Vec::new(),
        };
        for number in 0..count.max(1) {
            let runtime = Builder::new_current_thread().enable_io().build()?;
            workers.handles.push(runtime.handle().clone());
            let (stop, stopped) = oneshot::channel();
            let thread = std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || drop(runtime.block_on(stopped)))?;
            workers.threads.push((stop, thread));
        }
        Ok(workers)
    }

    /// Where tasks can be spawned.
    pub fn handles(&self) -> &[Handle] {
        &self.handles
    }

    /// Drops all connections and ends the threads.
    pub fn stop(self) {
        for (stop, thread) in self.threads {
            // A thread that has ended already needs no word.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}
