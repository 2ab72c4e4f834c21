//! The shared resource: a file that jobs are printed to. It remembers the greatest fencing token
//! it has seen, and refuses smaller ones; so a worker that was paused while its lock went to
//! another one does no harm when it wakes up.

use grevy_client::Zxid;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use std::time::Duration;

/// How long a job takes.
const WARM_UP: Duration = Duration::from_millis(100);

/// What became of a job.
#[derive(Debug, PartialEq, Eq)]
pub enum Printed {
    /// It is on paper.
    Done,
    /// Somebody with a greater token has printed since.
    Refused,
}

/// The printer in a folder.
pub struct Printer {
    folder: PathBuf,
}

impl Printer {
    /// The printer whose paper lies in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Prints a job for whoever holds the lock with this token. While that goes on, `printing` in
    /// the folder holds the worker's process id.
    pub async fn print(&self, job: &str, worker: &str, token: Zxid) -> io::Result<Printed> {
        fs::create_dir_all(&self.folder)?;
        fs::write(self.folder.join("printing"), std::process::id().to_string())?;
        tokio::time::sleep(WARM_UP).await;
        // The printer itself handles one request at a time.
        let mut seen = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(self.folder.join("token"))?;
        seen.lock()?;
        if token < greatest(&mut seen)? {
            return Ok(Printed::Refused);
        }
        seen.rewind()?;
        write!(seen, "{:016x}", token.0)?;
        let mut paper = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("paper"))?;
        writeln!(paper, "{job} by {worker} with token {token}")?;
        Ok(Printed::Done)
    }

    /// How many jobs are printed.
    pub fn count(&self) -> usize {
        let paper = fs::read_to_string(self.folder.join("paper"));
        paper.map_or(0, |paper| paper.lines().count())
    }
}

fn greatest(seen: &mut File) -> io::Result<Zxid> {
    let mut text = String::new();
    seen.read_to_string(&mut text)?;
    let token = i64::from_str_radix(&text, 16).unwrap_or(0);
    Ok(Zxid(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn smaller_tokens_are_refused() {
        let folder = std::env::temp_dir().join(format!("print-shop-{}", std::process::id()));
        let printer = Printer::new(&folder);
        for (token, expected) in [
            (5, Printed::Done),
            (5, Printed::Done),
            (9, Printed::Done),
            (5, Printed::Refused),
            (10, Printed::Done),
        ] {
            let printed = printer.print("job", "worker", Zxid(token)).await.unwrap();
            assert_eq!(printed, expected, "{token}");
        }
        assert_eq!(printer.count(), 4);
        fs::remove_dir_all(folder).unwrap();
    }
}
