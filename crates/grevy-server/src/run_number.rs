//! A number that no other run of this server has: ids of sessions that only this server knows
//! are made of it.
//!
//! It is kept in a file and grows with each start; and it is never less than the minutes since
//! 2020. So it does not come again if the clock was set back, nor if the disk was emptied.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The file in the data directory.
const FILE: &str = "run";
const TEMPORARY: &str = "run.tmp";
/// 2020-01-01, in s since 1970.
const FIRST_YEAR: Duration = Duration::from_secs(1_577_836_800);

/// The number of the run that begins `now`, durably taken.
///
/// # Errors
/// If the file cannot be read or written. One that holds no number counts as missing.
pub fn take(dir: &Path, now: SystemTime) -> io::Result<u32> {
    let path = dir.join(FILE);
    let stored = match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().unwrap_or(0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let run = next(stored, now);
    let temporary = dir.join(TEMPORARY);
    let mut file = File::create(&temporary)?;
    writeln!(file, "{run}")?;
    file.sync_all()?;
    fs::rename(&temporary, &path)?;
    File::open(dir)?.sync_all()?;
    Ok(run)
}

fn next(stored: u32, now: SystemTime) -> u32 {
    let since = now.duration_since(UNIX_EPOCH + FIRST_YEAR);
    let minutes = since.map_or(0, |since| since.as_secs() / 60);
    stored
        .saturating_add(1)
        .max(u32::try_from(minutes).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_whatever_the_clock_says() {
        let minute = |n: u64| UNIX_EPOCH + FIRST_YEAR + Duration::from_secs(n * 60);
        for (stored, now, expected) in [
            (0, minute(500), 500),
            (500, minute(500), 501),
            (501, minute(400), 502),
            (501, UNIX_EPOCH, 502),
            (501, minute(9000), 9000),
        ] {
            assert_eq!(next(stored, now), expected);
        }
    }

    #[test]
    fn it_is_kept_in_a_file() {
        let dir = std::env::temp_dir().join(format!("grevy-run-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let first = take(&dir, UNIX_EPOCH).unwrap();
        assert_eq!(take(&dir, UNIX_EPOCH).unwrap(), first + 1);
        fs::write(dir.join(FILE), "?").unwrap();
        assert_eq!(take(&dir, UNIX_EPOCH).unwrap(), 1);
        fs::remove_dir_all(&dir).unwrap();
    }
}
