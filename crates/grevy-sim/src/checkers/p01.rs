//! P1: writes of a session take effect in the order sent, and of those with unknown outcome the
//! first so many, none after.

use super::{Case, is_empty, local};
use std::collections::BTreeMap;

/// See the module's text.
pub fn check(case: &mut Case<'_>) {
    let mut last_of: BTreeMap<i64, i64> = BTreeMap::new();
    let mut found = Vec::new();
    let mut compared = 0;
    for conversation in &case.history.connections {
        let Some(session) = conversation.session() else {
            continue;
        };
        let refused = local::refused(conversation);
        let mut missing = None;
        for sent in conversation.sent.iter().filter(|s| s.operation.is_write()) {
            let Some(&at) = case.txns.get(&(session, sent.xid)) else {
                let is_refused = refused.contains(&sent.xid)
                    || local::is_refused(case.history, session, &sent.operation);
                if !is_refused {
                    missing.get_or_insert(sent.xid);
                }
                continue;
            };
            if is_empty(&case.entries[at]) {
                // It took a number, and had no effect.
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
