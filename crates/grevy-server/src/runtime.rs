//! What runs the tasks of one thread.

use std::io;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Longer than any server runs.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

/// A runtime whose tasks may have others wait for names, disks and the like. Helper threads are for
/// that. One is there from the beginning, and all stay that ever come: tokio lets work wait for
/// them if the system refuses another thread, and panics if there is none.
///
/// # Errors
/// If the system does not give what it takes.
pub fn with_helpers() -> io::Result<Runtime> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(FOREVER)
        .build()?;
    // Rather an error here than a panic there.
    std::thread::Builder::new().spawn(|| ())?;
    runtime.spawn_blocking(|| ());
    Ok(runtime)
}
