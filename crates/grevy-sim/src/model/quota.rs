//! Quotas: what a subtree may hold, and what it holds, in two znodes below `/zookeeper/quota`.

use super::tree::{Model, split};

const QUOTA: &str = "/zookeeper/quota";
const USAGE: &str = "/zookeeper_stats";

impl Model {
    /// Where the quota is kept that holds for a znode: that of the nearest ancestor, or its own.
    fn quota_of(&self, path: &str) -> Option<String> {
        let mut subject = path;
        while !matches!(subject, "" | "/") {
            let place = format!("{QUOTA}{subject}");
            if self.get(&format!("{place}/zookeeper_limits")).is_some() {
                return Some(place);
            }
            subject = split(subject).0;
        }
        None
    }

    /// A znode with so many bytes is there now.
    pub(super) fn count_created(&mut self, path: &str, bytes: i64) {
        let subject = path.strip_prefix(QUOTA).and_then(|p| p.strip_suffix(USAGE));
        if let Some(subject) = subject.filter(|subject| subject.starts_with('/')) {
            let below = format!("{subject}/");
            let inside = |at: &str| at == subject || at.starts_with(&below);
            let inside = self.znodes.iter().filter(|(at, _)| inside(at));
            let lens: Vec<usize> = inside.map(|(_, z)| len(z.data.as_deref())).collect();
            let bytes = lens.iter().sum::<usize>() as i64;
            self.set_usage(path, lens.len() as i64, bytes);
        }
        self.count(path, bytes, 1);
    }

    /// At `path` there is so much more than before.
    pub(super) fn count(&mut self, path: &str, bytes: i64, znodes: i64) {
        let Some(usage) = self.quota_of(path).map(|place| place + USAGE) else {
            return;
        };
        if let Some(znode) = self.get(&usage) {
            let number = |name| number(znode.data.as_deref(), name);
            let (znodes, bytes) = (number("count") + znodes, number("bytes") + bytes);
            self.set_usage(&usage, znodes, bytes);
        }
    }

    /// Each server does this for itself: the znode has no new version, and nobody hears of it.
    fn set_usage(&mut self, path: &str, znodes: i64, bytes: i64) {
        if let Some(znode) = self.znodes.get_mut(path) {
            znode.data = Some(format!("count={znodes},bytes={bytes}").into_bytes());
        }
    }

    /// Whether so much more is too much for the quota that holds at `path`.
    pub(super) fn exceeds_quota(&self, path: &str, bytes: i64, znodes: i64) -> bool {
        let Some(place) = self.quota_of(path).filter(|_| self.enforces_quotas) else {
            return false;
        };
        let limits = self.get(&format!("{place}/zookeeper_limits"));
        let usage = self.get(&format!("{place}{USAGE}"));
        let (Some(limits), Some(usage)) = (limits, usage) else {
            return false;
        };
        let exceeds = |more: i64, used: &str, limit: &str| {
            let limit = number(limits.data.as_deref(), limit);
            more != 0 && limit >= 0 && number(usage.data.as_deref(), used) + more > limit
        };
        exceeds(znodes, "count", "countHardLimit") || exceeds(bytes, "bytes", "byteHardLimit")
    }

    /// The last transaction that had a subtree's usage counted.
    pub fn quota_counted(&self) -> Option<i64> {
        let znodes = self.znodes.range(QUOTA.to_owned()..);
        let below = znodes.take_while(|(path, _)| path.starts_with(QUOTA));
        let counted = below.filter(|(path, _)| path.ends_with(USAGE));
        counted.map(|(_, znode)| znode.czxid).max()
    }
}

pub(super) fn len(data: Option<&[u8]>) -> usize {
    data.map_or(0, <[u8]>::len)
}

/// The number with that name; -1 if there is none.
fn number(data: Option<&[u8]>, name: &str) -> i64 {
    let text = String::from_utf8_lossy(data.unwrap_or_default()).into_owned();
    let pairs = text.split([',', ';']);
    let mut values = pairs.filter_map(|pair| match *pair.split('=').collect::<Vec<_>>() {
        [key, value, ..] if key == name => value.parse().ok(),
        _ => None,
    });
    values.next_back().unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers() {
        let text = Some(&b"count=3,bytes=40=;byteHardLimit=50;countHardLimit=x"[..]);
        for (name, expected) in [
            ("count", 3),
            ("bytes", 40),
            ("byteHardLimit", 50),
            ("countHardLimit", -1),
            ("other", -1),
        ] {
            assert_eq!(number(text, name), expected, "{name}");
        }
        assert_eq!(number(None, "count"), -1);
    }
}
