//! The tree's digest: a CRC-32 for each znode, summed up.

use super::tree::Znode;

/// CRC-32 as in ISO 3309, a bit at a time.
fn crc32(parts: &[&[u8]]) -> u32 {
    let mut crc = !0u32;
    for byte in parts.iter().copied().flatten() {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// What one znode adds. `path`: its path, `/` for the root.
pub fn of_znode(path: &str, znode: &Znode) -> i64 {
    if path.starts_with("/zookeeper/") {
        return 0;
    }
    let path = if path == "/" { "" } else { path };
    let mut meta = Vec::new();
    for long in [
        znode.czxid,
        znode.mzxid,
        znode.pzxid,
        znode.ctime,
        znode.mtime,
    ] {
        meta.extend_from_slice(&long.to_be_bytes());
    }
    for int in [znode.version, znode.creates, znode.aversion] {
        meta.extend_from_slice(&int.to_be_bytes());
    }
    meta.extend_from_slice(&znode.stored_owner().to_be_bytes());
    let data = znode.data.as_deref().unwrap_or_default();
    i64::from(crc32(&[path.as_bytes(), data, &meta]))
}

#[cfg(test)]
mod tests {
    #[test]
    fn check_value() {
        assert_eq!(super::crc32(&[b"1234", b"56789"]), 0xcbf4_3926);
    }
}
