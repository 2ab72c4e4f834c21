//! The tree's digests at some zxids, for comparing servers. Source: `DataTree.getDigestLog`.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use grevy_proto::Zxid;

/// Every so many zxids the digest is noted; a power of two.
const INTERVAL: u32 = 128;
/// As many are kept.
const LIMIT: usize = 1024;

/// The newest digests, oldest first.
#[derive(Debug, Default)]
pub struct DigestLog(VecDeque<(Zxid, i64)>);

impl DigestLog {
    /// A transaction has been applied. `digest` is asked for only if it is noted.
    pub fn applied(&mut self, zxid: Zxid, digest: impl FnOnce() -> i64) {
        if !zxid.counter().is_multiple_of(INTERVAL) {
            return;
        }
        if self.0.len() == LIMIT {
            self.0.pop_front();
        }
        self.0.push_back((zxid, digest()));
    }

    /// All of them.
    pub fn to_vec(&self) -> Vec<(Zxid, i64)> {
        self.0.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_newest_of_each_interval() {
        let mut log = DigestLog::default();
        let last = 128 * 1100;
        for zxid in 1..=last {
            log.applied(Zxid(zxid), || zxid * 10);
        }
        let kept = log.to_vec();
        assert_eq!(kept.len(), LIMIT);
        assert_eq!(kept.first(), Some(&(Zxid(128 * 77), 1280 * 77)));
        assert_eq!(kept.last(), Some(&(Zxid(last), last * 10)));
    }
}
