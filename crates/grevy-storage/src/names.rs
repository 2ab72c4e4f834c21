//! Names of files and the zxids in them. Source: `persistence.Util`.

use crate::snapshot::Compression;
use grevy_proto::Zxid;

/// What a file in a data directory is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// `log.<hex>`: a log whose first record has that zxid.
    Log(Zxid),
    /// `snapshot.<hex>`, with `.gz` or `.snappy`: the state at that zxid.
    Snapshot(Zxid, Compression),
    /// `snapshot.<hex>.tmp`: a Java server was about to rename a synced snapshot.
    UnnamedSnapshot(Zxid),
    /// Starts like a log or snapshot, but is neither: a copy by hand, perhaps. Never read, never
    /// deleted.
    Odd,
    /// Anything else.
    Other,
}

impl Name {
    /// Looks at a file's name.
    pub fn parse(name: &str) -> Self {
        let Some((prefix, rest)) = name.split_once('.') else {
            return Self::Other;
        };
        let (hex, extension) = match rest.split_once('.') {
            Some((hex, extension)) => (hex, Some(extension)),
            None => (rest, None),
        };
        match (prefix, zxid(hex), extension) {
            ("log", Some(zxid), None) => Self::Log(zxid),
            ("snapshot", Some(zxid), None) => Self::Snapshot(zxid, Compression::None),
            ("snapshot", Some(zxid), Some("gz")) => Self::Snapshot(zxid, Compression::Gzip),
            ("snapshot", Some(zxid), Some("snappy")) => Self::Snapshot(zxid, Compression::Snappy),
            ("snapshot", Some(zxid), Some("tmp")) => Self::UnnamedSnapshot(zxid),
            ("log" | "snapshot", ..) => Self::Odd,
            _ => Self::Other,
        }
    }
}

/// The logs among these files, by the zxids in their names, ascending.
pub fn logs(files: &[String]) -> Vec<Zxid> {
    let logs = files.iter().filter_map(|name| match Name::parse(name) {
        Name::Log(zxid) => Some(zxid),
        _ => None,
    });
    let mut logs: Vec<Zxid> = logs.collect();
    logs.sort_unstable();
    logs
}

/// The name of the log whose first record is `zxid`.
pub fn log(zxid: Zxid) -> String {
    format!("log.{:x}", zxid.0)
}

/// The name of a snapshot at `zxid`.
pub fn snapshot(zxid: Zxid, compression: Compression) -> String {
    format!("snapshot.{:x}{}", zxid.0, compression.extension())
}

/// Only what [`log`] and [`snapshot`] print: no sign, no zeros in front, lower case.
fn zxid(hex: &str) -> Option<Zxid> {
    let value = u64::from_str_radix(hex, 16).ok()?;
    (format!("{value:x}") == hex).then_some(Zxid(value.cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, expected) in [
            ("log.1", Name::Log(Zxid(1))),
            ("log.100000001", Name::Log(Zxid(0x1_0000_0001))),
            ("log.2.bak", Name::Odd),
            ("log.01", Name::Odd),
            ("log.A", Name::Odd),
            ("log.+1", Name::Odd),
            ("log.", Name::Odd),
            ("log.old.gz", Name::Odd),
            ("log.11111111111111111", Name::Odd),
            ("log", Name::Other),
            ("logs.1", Name::Other),
            ("snapshot.0", Name::Snapshot(Zxid(0), Compression::None)),
            ("snapshot.a.gz", Name::Snapshot(Zxid(10), Compression::Gzip)),
            (
                "snapshot.a.snappy",
                Name::Snapshot(Zxid(10), Compression::Snappy),
            ),
            ("snapshot.2.tmp", Name::UnnamedSnapshot(Zxid(2))),
            ("snapshot.2.zip", Name::Odd),
            ("snapshot.foo", Name::Odd),
            ("currentEpoch", Name::Other),
            ("currentEpoch.tmp", Name::Other),
        ] {
            assert_eq!(Name::parse(name), expected, "{name}");
        }
        let files = ["log.b", "log.2", "log.2.bak", "snapshot.1", "log.10"].map(str::to_owned);
        assert_eq!(logs(&files), [Zxid(2), Zxid(0xb), Zxid(0x10)]);
        assert_eq!(log(Zxid(0x2_0000_000a)), "log.20000000a");
        assert_eq!(snapshot(Zxid(0), Compression::Snappy), "snapshot.0.snappy");
    }
}
