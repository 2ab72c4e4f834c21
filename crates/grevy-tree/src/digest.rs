//! The tree's digest: the sum of a checksum for each znode. Source: `DigestCalculator`, `AdHash`.

use crc32fast::Hasher;
use grevy_proto::StatPersisted;

/// What a znode adds: CRC-32 of path (empty for the root), data and metadata. 0 below
/// `/zookeeper`, where servers may differ.
pub(crate) fn node_digest(path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> u32 {
    if path.starts_with("/zookeeper/") {
        return 0;
    }
    let mut meta = [0; 60];
    let longs = [
        stat.czxid.0,
        stat.mzxid.0,
        stat.pzxid.0,
        stat.ctime,
        stat.mtime,
    ];
    for (bytes, long) in meta.chunks_exact_mut(8).zip(longs) {
        bytes.copy_from_slice(&long.to_be_bytes());
    }
    let ints = [stat.version, stat.cversion, stat.aversion];
    for (bytes, int) in meta[40..52].chunks_exact_mut(4).zip(ints) {
        bytes.copy_from_slice(&int.to_be_bytes());
    }
    meta[52..].copy_from_slice(&stat.ephemeral_owner.to_be_bytes());

    let mut crc = Hasher::new();
    crc.update(path.as_bytes());
    crc.update(data.unwrap_or_default());
    crc.update(&meta);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors() {
        let zero = StatPersisted::default();
        for (path, expected) in [
            ("", 68_323_592),
            ("/zookeeper", 1_303_661_912),
            ("/zookeeper/quota", 0),
        ] {
            assert_eq!(node_digest(path, Some(b""), &zero), expected, "{path}");
            assert_eq!(node_digest(path, None, &zero), expected, "{path}");
        }
    }
}
