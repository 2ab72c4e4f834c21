//! What tests of runs share.

use tokio::runtime::{Builder, Runtime};

/// A runtime whose time passes only when nothing else is left to do.
pub fn paused() -> Runtime {
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build();
    runtime.expect("a runtime without input and output")
}
