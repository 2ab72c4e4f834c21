//! The tree's digest: the sum of a checksum for each znode. Source: `DigestCalculator`, `AdHash`.

use crc32fast::Hasher;
use grevy_proto::StatPersisted;

/// What a znode adds: CRC-32 of path (empty for the root), data and metadata. 0 below
/// `/zookeeper`, where servers may differ.
pub(crate) fn node_digest(path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> u32 {
    if !counts(path) {
        return 0;
    }
    let mut meta = [0; META];
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

    let data = data.unwrap_or_default();
    let (meta_at, end) = (path.len() + data.len(), path.len() + data.len() + META);
    let mut joined = [0; JOINED];
    match joined.get_mut(..end) {
        // One long piece takes half the time of three short ones.
        Some(joined) => {
            joined[..path.len()].copy_from_slice(path.as_bytes());
            joined[path.len()..meta_at].copy_from_slice(data);
            joined[meta_at..].copy_from_slice(&meta);
            crc32fast::hash(joined)
        }
        None => {
            let mut crc = Hasher::new();
            crc.update(path.as_bytes());
            crc.update(data);
            crc.update(&meta);
            crc.finalize()
        }
    }
}

/// Whether the znode at `path` adds anything.
pub(crate) fn counts(path: &str) -> bool {
    !path.starts_with("/zookeeper/")
}

/// In which bits what a znode adds changes with its metadata alone, however long its data are: CRCs
/// of equally long texts with the same beginning differ as those of their ends do. For those that
/// add something.
pub(crate) fn metadata_change(before: &StatPersisted, after: &StatPersisted) -> u32 {
    node_digest("", None, before) ^ node_digest("", None, after)
}

/// The metadata's bytes.
const META: usize = 60;
/// Most znodes are smaller: path, data and metadata.
const JOINED: usize = 256;

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

    #[test]
    fn metadata_changes_alone() {
        let before = StatPersisted {
            cversion: 5,
            ..StatPersisted::default()
        };
        let after = StatPersisted {
            cversion: 6,
            pzxid: grevy_proto::Zxid(77),
            ..before
        };
        for len in [0, 1, 100, 100_000] {
            let data = alloc::vec![7; len];
            let digest = |stat| node_digest("/a/b", Some(&data), stat);
            let expected = digest(&before) ^ digest(&after);
            assert_eq!(metadata_change(&before, &after), expected, "{len}");
        }
    }

    /// However long a znode is, it is what the parts together have.
    #[test]
    fn lengths() {
        let stat = StatPersisted {
            version: 3,
            ephemeral_owner: -7,
            ..StatPersisted::default()
        };
        let mut meta = [0; META];
        meta[43] = 3;
        meta[52..].copy_from_slice(&(-7i64).to_be_bytes());
        for len in [0, 1, 60, JOINED - META - 3, JOINED - META - 2, JOINED, 1000] {
            let data = alloc::vec![0xa5; len];
            let whole = [b"/a", &data[..], &meta].concat();
            let expected = crc32fast::hash(&whole);
            assert_eq!(node_digest("/a", Some(&data), &stat), expected, "{len}");
        }
    }
}
