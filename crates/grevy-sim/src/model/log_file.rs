//! Reads log files from bare bytes; written anew from the format's description.

use super::txn::Entry;

/// A whole record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it begins, in bytes.
    pub offset: usize,
    /// The transaction's number.
    pub zxid: i64,
    /// The entry.
    pub entry: Vec<u8>,
}

/// The whole records at the beginning of a file, and where they end.
pub fn records(bytes: &[u8]) -> (Vec<Record>, usize) {
    let mut records = Vec::new();
    if bytes.len() < 16 || &bytes[..8] != b"ZKLG\0\0\0\x02" {
        return (records, 0);
    }
    let mut at = 16;
    while let Some(record) = record(bytes, at) {
        at += record.entry.len() + 13;
        records.push(record);
    }
    (records, at)
}

fn record(bytes: &[u8], at: usize) -> Option<Record> {
    let sum = i64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?);
    let len = i32::from_be_bytes(bytes.get(at + 8..at + 12)?.try_into().ok()?);
    if len <= 0 {
        return None;
    }
    let len = usize::try_from(len).ok()?;
    let entry = bytes.get(at + 12..at + 12 + len)?;
    let end = *bytes.get(at + 12 + len)?;
    if end != 0x42 || i64::from(adler32(entry)) != sum {
        return None;
    }
    let zxid = Entry::decode(entry)?.zxid;
    Some(Record {
        offset: at,
        zxid,
        entry: entry.to_vec(),
    })
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1u32, 0u32);
    for &byte in bytes {
        low = (low + u32::from(byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    (high << 16) | low
}

/// The zxid in a log's name, such as `log.1f`.
pub fn zxid_in_name(name: &str) -> Option<i64> {
    i64::from_str_radix(name.strip_prefix("log.")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_adler32() {
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
    }
}
