//! `grevy purge`: deletes old snapshots and logs, as ZooKeeper's `PurgeTxnLog` does.

use clap::Args;
use grevy_storage::purge::{self, MIN_KEPT};
use grevy_storage::{Dirs, RealDisk};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf, absolute};
use std::process::ExitCode;

const USAGE: &str = "\
Usage:
PurgeTxnLog dataLogDir [snapDir] -n count
\tdataLogDir -- path to the txn log directory
\tsnapDir -- path to the snapshot directory
\tcount -- the number of old snaps/logs you want to keep, value should be greater than or equal to 3";

#[derive(Debug, Args)]
#[command(after_help = "\
Keeps the newest N snapshots and every log that one of them needs; deletes what is older. A server
may be running on the directories.

Example:
  grevy purge /var/lib/zookeeper -n 3")]
pub struct Arguments {
    /// dataLogDir [snapDir] -n N: the directories as zoo.cfg names them, and how many snapshots
    /// are kept, at least 3.
    #[arg(value_name = "DATALOGDIR [SNAPDIR] -n N", trailing_var_arg = true)]
    #[arg(allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// What to purge.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    dirs: Dirs,
    keep: usize,
}

/// Deletes what is needless. Exit codes are those of `PurgeTxnLog`: 1 for wrong arguments.
pub fn run(arguments: &Arguments) -> ExitCode {
    let order = match parse(&arguments.arguments, &|path| path.exists()) {
        Ok(order) => order,
        Err(wrong) => {
            if let Some(wrong) = wrong {
                eprintln!("{wrong}");
            }
            println!("{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    match purge::purge(&RealDisk, &order.dirs, order.keep, &mut announce) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("grevy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is wrong with the arguments, if there is more to say than how they should look.
fn parse(arguments: &[String], exists: &dyn Fn(&Path) -> bool) -> Result<Order, Option<String>> {
    let (log, data, flag, count) = match arguments {
        [both, flag, count] => (both, both, flag, count),
        [log, data, flag, count] => (log, data, flag, count),
        _ => return Err(None),
    };
    for dir in [log, data].map(PathBuf::from) {
        if !exists(&dir) {
            let dir = absolute(&dir).unwrap_or(dir);
            return Err(Some(format!("Path '{}' does not exist. ", dir.display())));
        }
    }
    let keep: i32 = count
        .parse()
        .map_err(|_| format!("'{count}' can not be parsed to integer."))?;
    let keep = usize::try_from(keep).unwrap_or(0);
    if keep < MIN_KEPT {
        return Err(Some(
            "count should be greater than or equal to 3".to_owned(),
        ));
    }
    if flag != "-n" {
        return Err(None);
    }
    let (log, data) = (log.into(), data.into());
    Ok(Order {
        dirs: Dirs { data, log },
        keep,
    })
}

fn announce(path: &Path) {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let modified = modified
        .ok()
        .and_then(|time| Timestamp::try_from(time).ok());
    let modified = modified.unwrap_or_default().to_zoned(zone());
    let date = modified.strftime("%b %-d, %Y, %-I:%M:%S %p");
    println!("Removing file: {date}\t{}", path.display());
}

fn zone() -> TimeZone {
    TimeZone::try_system().unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_as_the_java_program_takes_them() {
        let order = |log: &str, data: &str, keep| {
            let (log, data) = (log.into(), data.into());
            let dirs = Dirs { data, log };
            Ok(Order { dirs, keep })
        };
        let wrong = |text: &str| Err(Some(text.to_owned()));
        for (line, expected) in [
            ("/a -n 3", order("/a", "/a", 3)),
            ("/l /d -n 10", order("/l", "/d", 10)),
            ("", Err(None)),
            ("/a", Err(None)),
            ("/a -n", Err(None)),
            ("-n 3 /a", wrong("Path '/here/-n' does not exist. ")),
            ("/a /b /c -n 3", Err(None)),
            ("/a -m 3", Err(None)),
            ("/none -n 3", wrong("Path '/none' does not exist. ")),
            ("/a /none -n 3", wrong("Path '/none' does not exist. ")),
            (
                "/a -n 2",
                wrong("count should be greater than or equal to 3"),
            ),
            (
                "/a -n -5",
                wrong("count should be greater than or equal to 3"),
            ),
            ("/a -n x", wrong("'x' can not be parsed to integer.")),
            (
                "/a -n 3000000000",
                wrong("'3000000000' can not be parsed to integer."),
            ),
        ] {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let here = std::env::current_dir().unwrap();
            let exists = |path: &Path| path.is_absolute() && !path.ends_with("none");
            let got = parse(&arguments, &exists).map_err(|wrong| {
                wrong.map(|text| text.replace(&here.display().to_string(), "/here"))
            });
            assert_eq!(got, expected, "{line}");
        }
    }
}
