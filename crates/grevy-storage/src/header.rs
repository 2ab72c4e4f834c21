//! The 16 bytes at the start of a log or snapshot (`FileHeader`): magic, version, database id.

use grevy_proto::Reader;

/// Length in bytes.
pub(crate) const HEADER_LEN: usize = 16;
pub(crate) const LOG_MAGIC: [u8; 4] = *b"ZKLG";
pub(crate) const SNAPSHOT_MAGIC: [u8; 4] = *b"ZKSN";

const VERSION: i32 = 2;

/// The header of a transaction log.
pub(crate) fn log_header() -> [u8; HEADER_LEN] {
    header(LOG_MAGIC, 0)
}

/// The header of a snapshot.
pub(crate) fn snapshot_header() -> [u8; HEADER_LEN] {
    header(SNAPSHOT_MAGIC, -1)
}

/// Whether `bytes` begin with a header of that magic. Like Java, this looks no further: version
/// and id have never been anything else.
pub(crate) fn has_magic(bytes: &[u8], magic: [u8; 4]) -> bool {
    let mut reader = Reader::new(bytes);
    bytes.len() >= HEADER_LEN && reader.take(4).is_ok_and(|found| found == magic)
}

fn header(magic: [u8; 4], db: i64) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..4].copy_from_slice(&magic);
    header[4..8].copy_from_slice(&VERSION.to_be_bytes());
    header[8..].copy_from_slice(&db.to_be_bytes());
    header
}
