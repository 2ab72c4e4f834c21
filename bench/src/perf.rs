//! Profiles of the server, on request.

use crate::server::{Kind, Target};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Runs `perf record` on a server during a measurement, if asked to.
pub struct Perf {
    /// Where profiles go; `None` for no profiles.
    pub folder: Option<PathBuf>,
}

/// A profile being taken. Dropping it waits for its end.
pub struct Recording {
    process: Child,
    file: PathBuf,
}

impl Perf {
    /// Records for `length`.
    pub fn record(
        &self,
        target: &Target,
        row: &str,
        kind: Kind,
        length: Duration,
    ) -> Option<Recording> {
        let (folder, pid) = (self.folder.as_ref()?, target.pid?);
        let file = folder.join(format!("perf-{row}-{kind}.data"));
        let process = Command::new("perf")
            .args([
                "record",
                "-q",
                "-F",
                "997",
                "-g",
                "-p",
                &pid.to_string(),
                "-o",
            ])
            .arg(&file)
            .args(["--", "sleep", &length.as_secs_f64().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match process {
            Ok(process) => Some(Recording { process, file }),
            Err(error) => {
                eprintln!("    no profile: perf does not start: {error}");
                None
            }
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Ends with its `sleep`.
        match self.process.wait() {
            Ok(status) if status.success() => eprintln!("    profile: {}", self.file.display()),
            other => eprintln!("    no profile: perf ended with {other:?}"),
        }
    }
}
