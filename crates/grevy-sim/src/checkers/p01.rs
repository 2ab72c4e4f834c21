//! P1: writes of a session take effect in the order sent, and of those with unknown outcome the
//! first so many, none after.

use super::{Case, p09};
use crate::model::txn::Change;
use std::collections::BTreeMap;

/// Whether a request from an older connection may have become this: it took a number, and
/// nothing else. Of an empty multi nobody asks where it came from.
pub fn has_no_effect(case: &Case<'_>, at: usize) -> bool {
    let change = &case.entries[at].change;
    p09::is_moved(change) || matches!(change, Change::Multi(parts) if parts.is_empty())
}

/// See the module's text.
pub fn check(case: &mut Case<'_>) {
    let mut last_of: BTreeMap<i64, i64> = BTreeMap::new();
    let mut found = Vec::new();
    let mut compared = 0;
    for conversation in &case.history.connections {
        let Some(session) = conversation.session() else {
            continue;
        };
        let mut missing = None;
        for sent in conversation.sent.iter().filter(|s| s.operation.is_write()) {
            let Some(&at) = case.txns.get(&(session, sent.xid)) else {
                missing.get_or_insert(sent.xid);
                continue;
            };
            if has_no_effect(case, at) {
                continue;
            }
            compared += 1;
            let zxid = case.entries[at].zxid;
            if let Some(earlier) = missing {
                found.push(format!(
                    "session {session:x}: request {} became {zxid:x}, but {earlier}, sent before \
                     it on the same connection, became nothing",
                    sent.xid
                ));
            }
            let last = last_of.insert(session, zxid).unwrap_or(-1);
            if zxid <= last {
                found.push(format!(
                    "session {session:x}: request {} became {zxid:x}, after one sent before it \
                     had become {last:x}",
                    sent.xid
                ));
            }
        }
    }
    for _ in 0..compared {
        case.counts.check("P1");
    }
    found.into_iter().for_each(|what| case.violate("P1", what));
}
