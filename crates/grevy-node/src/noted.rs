//! What a node notes for metrics that go by single values, until it is asked. Source:
//! `WatchManager.triggerWatch`, `ZooKeeperServer.updateQuotaExceededMetrics`.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use grevy_proto::event::EventType;
use grevy_proto::multi::decode_multi;
use grevy_proto::request::{Create, CreateTtl, SetData};
use grevy_proto::txn::Txn;
use grevy_proto::{Decode, ErrorCode, OpCode, Reader};

/// See the module's text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted {
    /// How many clients watched znodes that were created.
    pub created: Spread,
    /// That were deleted.
    pub deleted: Spread,
    /// Whose data were set.
    pub changed: Spread,
    /// Whose children were created or deleted.
    pub children: Spread,
    /// Requests that were refused for a hard limit, by the topmost znode of their path.
    pub over_quota: BTreeMap<Box<str>, u64>,
}

/// Numbers, in short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many there are.
    pub count: u64,
    /// What they come to.
    pub sum: u64,
    /// The least.
    pub least: u64,
    /// The greatest.
    pub greatest: u64,
}

impl Spread {
    fn add(&mut self, value: u64) {
        self.least = match self.count {
            0 => value,
            _ => self.least.min(value),
        };
        self.greatest = self.greatest.max(value);
        self.count += 1;
        self.sum += value;
    }
}

impl Noted {
    /// So many clients watched for what has happened.
    pub(crate) fn watched(&mut self, kind: EventType, watchers: usize) {
        let spread = match kind {
            EventType::NodeCreated => &mut self.created,
            EventType::NodeDeleted => &mut self.deleted,
            EventType::NodeDataChanged => &mut self.changed,
            EventType::NodeChildrenChanged => &mut self.children,
        };
        spread.add(watchers as u64);
    }

    /// A request was decided on.
    pub(crate) fn decided(&mut self, op: OpCode, record: &[u8], txn: &Txn<'_>) {
        if let Some(topmost) = over_quota(op, record, txn) {
            *self.over_quota.entry(topmost).or_default() += 1;
        }
    }
}

/// Under which topmost znode a hard limit has refused a request, if one has.
fn over_quota(op: OpCode, record: &[u8], txn: &Txn<'_>) -> Option<Box<str>> {
    let over = ErrorCode::QuotaExceeded.wire();
    let is_over = |txn: &Txn<'_>| matches!(txn, Txn::Error(code) if *code == over);
    let mut reader = Reader::new(record);
    let topmost = |path: &str| Some(path.split('/').nth(1)?.into());
    match (op, txn) {
        (OpCode::Multi, Txn::Multi(parts)) => {
            let at = parts.iter().position(is_over)?;
            let ops = decode_multi(&mut reader).ok()?;
            topmost(ops.get(at)?.path())
        }
        (_, txn) if !is_over(txn) => None,
        (OpCode::SetData, _) => topmost(&SetData::decode(&mut reader).ok()?.path),
        (OpCode::CreateTtl, _) => topmost(&CreateTtl::decode(&mut reader).ok()?.create.path),
        _ => topmost(&Create::decode(&mut reader).ok()?.path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use grevy_proto::Encode;
    use grevy_proto::multi::{MultiOp, encode_multi};

    fn set(path: &str) -> SetData<'_> {
        SetData {
            path: path.into(),
            data: None,
            version: -1,
        }
    }

    #[test]
    fn watchers_are_counted_by_what_happened() {
        let mut noted = Noted::default();
        for watchers in [3, 1, 2] {
            noted.watched(EventType::NodeDataChanged, watchers);
        }
        let expected = Spread {
            count: 3,
            sum: 6,
            least: 1,
            greatest: 3,
        };
        assert_eq!(noted.changed, expected);
        assert_eq!(noted.created, Spread::default());
    }

    #[test]
    fn quotas_are_counted_by_the_topmost_znode() {
        let mut noted = Noted::default();
        let over = Txn::Error(ErrorCode::QuotaExceeded.wire());
        let other = Txn::Error(ErrorCode::NoNode.wire());
        noted.decided(OpCode::SetData, &set("/a/b").to_bytes(), &over);
        noted.decided(OpCode::SetData, &set("/a/b").to_bytes(), &other);
        let create = Create {
            path: "/c".into(),
            data: None,
            acl: Vec::new(),
            flags: 0,
        };
        noted.decided(OpCode::Create2, &create.to_bytes(), &over);
        let mut multi = Vec::new();
        let parts = ["/x", "/a/c"].map(|path| MultiOp::SetData(set(path)));
        encode_multi(&parts, &mut multi);
        let failed = Txn::Multi(vec![other.clone(), over]);
        noted.decided(OpCode::Multi, &multi, &failed);
        let told: Vec<_> = noted.over_quota.iter().map(|(k, n)| (&**k, *n)).collect();
        assert_eq!(told, [("a", 2), ("c", 1)]);
    }
}
