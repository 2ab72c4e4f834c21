//! A server process that ends no later than the benchmark.

use super::Target;
use crate::clock;
use crate::failure::{Failure, Result};
use rustix::process::{Pid, Signal};
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::time::Duration;

/// How long an orderly end may take before the process is killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ourselves, even when a newer build has taken our place on disk.
pub const THIS_BINARY: &str = "/proc/self/exe";

/// A running server. Dropping it kills it.
pub struct Child {
    pub target: Target,
    /// When it was started, see [`clock::now`].
    pub started: u64,
    process: Option<process::Child>,
    log: PathBuf,
}

impl Child {
    /// Starts `command`, which will serve at `address`, with its output appended to `log`.
    pub fn spawn(command: Command, address: SocketAddr, log: PathBuf) -> Result<Child> {
        let output = File::options().create(true).append(true).open(&log)?;
        // By way of this binary, which asks the kernel to end the process together with us, whatever ends us.
        let mut bound = Command::new(THIS_BINARY);
        bound
            .arg("exec-bound")
            .arg(process::id().to_string())
            .arg("--")
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let started = clock::now();
        let process = bound
            .spawn()
            .map_err(|error| Failure::from(error).during(command.get_program().display()))?;
        let target = Target::alone(address, Some(process.id()));
        Ok(Child {
            target,
            started,
            process: Some(process),
            log,
        })
    }

    /// A server that somebody else runs.
    pub fn foreign(target: Target) -> Child {
        Child {
            target,
            started: clock::now(),
            process: None,
            log: PathBuf::new(),
        }
    }

    /// An error, with the last lines of its log, if the process ended.
    pub fn check(&mut self) -> Result<()> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        match process.try_wait()? {
            None => Ok(()),
            Some(status) => {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let tail = lines[lines.len().saturating_sub(8)..].join("\n    ");
                Err(Failure::new(format!(
                    "the server ended with {status}; its last words:\n    {tail}"
                )))
            }
        }
    }

    /// Whether the process has ended; never for one that somebody else runs.
    pub fn has_ended(&mut self) -> Result<bool> {
        match &mut self.process {
            Some(process) => Ok(process.try_wait()?.is_some()),
            None => Ok(false),
        }
    }

    /// Ends it in order: SIGTERM, and SIGKILL after 20 s.
    pub fn stop(mut self) -> Result<()> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        if process.try_wait()?.is_none()
            && let Some(pid) = Pid::from_raw(process.id() as i32)
        {
            rustix::process::kill_process(pid, Signal::TERM)?;
            let deadline = clock::now() + PATIENCE.as_nanos() as u64;
            while process.try_wait()?.is_none() && clock::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // Both fail only if it ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Becomes `command`, to be killed when `parent` ends. Returns only if that fails.
pub fn exec_bound_to_parent(parent: u32, command: &[String]) -> Failure {
    let Some((program, arguments)) = command.split_first() else {
        return Failure::new("no command given");
    };
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    if now != i32::try_from(parent).ok() {
        return Failure::new("the benchmark ended before its server began");
    }
    Failure::from(Command::new(program).args(arguments).exec()).during(program)
}
