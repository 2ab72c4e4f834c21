//! One record: checksum, length, entry, end mark.

use grevy_proto::{Reader, Zxid};

/// The longest entry of a server whose `jute.maxbuffer` and extra are not set: a Java server reads
/// no longer one, neither from its log nor from its leader.
pub const MAX_ENTRY: usize = 2_097_150;

/// The last byte of a record.
pub(super) const END_MARK: u8 = 0x42;
/// Bytes before the entry: checksum and length.
pub(super) const PREFIX: usize = 12;
/// Bytes around an entry.
pub(super) const FRAME: usize = PREFIX + 1;
/// The header that every entry begins with.
pub(super) const MIN_ENTRY: usize = 32;

/// The first eight bytes of the record of `entry`, as a number.
pub fn checksum(entry: &[u8]) -> u64 {
    u64::from(simd_adler32::adler32(&entry))
}

/// Appends the record of `entry` to `out`. The checksum covers the entry alone.
pub(crate) fn put(entry: &[u8], out: &mut Vec<u8>) {
    let sum = checksum(entry);
    let len = u32::try_from(entry.len()).unwrap_or(u32::MAX);
    out.reserve(entry.len() + FRAME);
    out.extend_from_slice(&sum.to_be_bytes());
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(entry);
    out.push(END_MARK);
}

/// The zxid in an entry, after session and cxid.
pub(super) fn zxid(entry: &[u8]) -> Option<Zxid> {
    let mut reader = Reader::new(entry);
    reader.take(12).ok()?;
    reader.long().ok().map(Zxid)
}

/// Checksum and length.
pub(super) fn prefix(bytes: &[u8]) -> Option<(u64, i32)> {
    let mut reader = Reader::new(bytes);
    let sum = reader.long().ok()?.cast_unsigned();
    Some((sum, reader.int().ok()?))
}

/// The offset in `bytes` of the first whole record with a zxid above `after`.
///
/// For judging what stands behind a bad record. Looks at every offset, but computes few
/// checksums: length, zxid and end mark must fit first, and no more than `MAX_SUMMED` bytes are
/// summed in all, whoever made these bytes.
pub(super) fn find_intact(bytes: &[u8], after: Zxid) -> Option<usize> {
    const MAX_SUMMED: usize = 1 << 30;
    let mut summed = 0;
    for at in 0..bytes.len().saturating_sub(FRAME + MIN_ENTRY - 1) {
        let candidate = bytes.get(at..)?;
        let (sum, len) = prefix(candidate)?;
        let Ok(len) = usize::try_from(len) else {
            continue;
        };
        if len < MIN_ENTRY || sum > u64::from(u32::MAX) {
            continue;
        }
        let Some(entry) = candidate.get(PREFIX..PREFIX + len) else {
            continue;
        };
        if candidate.get(PREFIX + len) != Some(&END_MARK) || zxid(entry) <= Some(after) {
            continue;
        }
        summed += len;
        // When in doubt, something intact follows: that is the side on which nothing is cut.
        if summed > MAX_SUMMED || checksum(entry) == sum {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first record of a log that a Java server wrote: a session with a timeout of 20 s.
    #[test]
    fn bytes_of_a_java_server() {
        let entry = [
            0x01, 0x20, 0x6d, 0xe6, 0x75, 0xbd, 0, 0, // session
            0, 0, 0, 0, // cxid
            0, 0, 0, 0, 0, 0, 0, 1, // zxid
            0, 0, 0x01, 0x20, 0x6d, 0xe6, 0x76, 0x86, // time
            0xff, 0xff, 0xff, 0xf6, // createSession
            0, 0, 0x4e, 0x20, // timeout
        ];
        let mut record = Vec::new();
        put(&entry, &mut record);
        assert_eq!(
            record[..12],
            [0, 0, 0, 0, 0x8a, 0xcf, 0x09, 0x79, 0, 0, 0, 0x24]
        );
        assert_eq!(record[12..48], entry);
        assert_eq!(record[48..], [0x42]);
        assert_eq!(zxid(&entry), Some(Zxid(1)));
    }

    #[test]
    fn an_intact_record_is_found_at_any_offset() {
        let mut entry = vec![0; 40];
        entry[19] = 7;
        let mut record = Vec::new();
        put(&entry, &mut record);
        for before in [0, 1, 100] {
            let mut bytes = vec![0xff; before];
            bytes.extend_from_slice(&record);
            bytes.extend_from_slice(&[0; 5]);
            assert_eq!(find_intact(&bytes, Zxid(6)), Some(before));
            assert_eq!(find_intact(&bytes, Zxid(7)), None, "not newer");
            bytes[before + 20] ^= 1;
            assert_eq!(find_intact(&bytes, Zxid(6)), None, "damaged");
        }
    }
}
