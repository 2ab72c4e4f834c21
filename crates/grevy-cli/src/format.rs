//! What commands print. Every text ends with a line break.

use crate::date;
use grevy_proto::Stat;
use std::fmt::Write;

/// A Stat, one field a line (`StatPrinter`).
pub fn stat(stat: &Stat) -> String {
    format!(
        "cZxid = {}\nctime = {}\nmZxid = {}\nmtime = {}\npZxid = {}\ncversion = {}\n\
         dataVersion = {}\naclVersion = {}\nephemeralOwner = {}\ndataLength = {}\n\
         numChildren = {}\n",
        stat.czxid,
        date::show(stat.ctime),
        stat.mzxid,
        date::show(stat.mtime),
        stat.pzxid,
        stat.cversion,
        stat.version,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children
    )
}

/// Names in brackets, as Java prints lists.
pub fn list(names: &[String]) -> String {
    format!("[{}]\n", names.join(", "))
}

/// Data in hexadecimal, 16 bytes a row (netty's `prettyHexDump`); nothing but a line break for
/// no data.
pub fn hex_dump(data: &[u8]) -> String {
    if data.is_empty() {
        return "\n".to_owned();
    }
    let mut out = String::from(
        "         +-------------------------------------------------+\n         \
         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n\
         +--------+-------------------------------------------------+----------------+\n",
    );
    for (row, bytes) in data.chunks(16).enumerate() {
        let hex: String = bytes.iter().map(|byte| format!(" {byte:02x}")).collect();
        let text: String = bytes
            .iter()
            .map(|byte| match byte {
                0x20..=0x7e => char::from(*byte),
                _ => '.',
            })
            .collect();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "|{:08x}|{hex:48} |{text:16}|", row * 16);
    }
    out.push_str("+--------+-------------------------------------------------+----------------+\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use grevy_proto::{SessionId, Zxid};

    #[test]
    fn stats() {
        let value = Stat {
            czxid: Zxid(0x1_0000_0002),
            mzxid: Zxid(3),
            pzxid: Zxid(-1),
            version: 4,
            cversion: -1,
            aversion: 5,
            ephemeral_owner: SessionId(0x1234),
            data_length: 6,
            num_children: 7,
            ..Stat::default()
        };
        let lines: Vec<_> = stat(&value).lines().map(str::to_owned).collect();
        let expected = [
            (0, "cZxid = 0x100000002"),
            (2, "mZxid = 0x3"),
            (4, "pZxid = 0xffffffffffffffff"),
            (5, "cversion = -1"),
            (6, "dataVersion = 4"),
            (7, "aclVersion = 5"),
            (8, "ephemeralOwner = 0x1234"),
            (9, "dataLength = 6"),
            (10, "numChildren = 7"),
        ];
        assert_eq!(lines.len(), 11);
        for (at, line) in expected {
            assert_eq!(lines[at], line);
        }
        assert!(lines[1].starts_with("ctime = ") && lines[3].starts_with("mtime = "));
    }

    #[test]
    fn hex_dumps() {
        assert_eq!(hex_dump(b""), "\n");
        let dump = hex_dump(b"0123456789abcdef\x00\xffz");
        let rows: Vec<_> = dump.lines().skip(3).collect();
        assert_eq!(
            rows,
            [
                "|00000000| 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 |0123456789abcdef|",
                "|00000010| 00 ff 7a                                        |..z             |",
                "+--------+-------------------------------------------------+----------------+",
            ]
        );
    }

    #[test]
    fn lists() {
        assert_eq!(list(&[]), "[]\n");
        assert_eq!(list(&["a".to_owned(), "b".to_owned()]), "[a, b]\n");
    }
}
