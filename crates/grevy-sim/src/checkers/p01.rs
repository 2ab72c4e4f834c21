//! P1: writes of a session take effect in the order sent, and of those with unknown outcome the
//! first so many, none after.

use super::{Case, is_empty, local, screened};
use std::collections::BTreeMap;

/// See the module's text.
pub fn check(case: &mut Case<'_>) {
    let mut last_of: BTreeMap<i64, i64> = BTreeMap::new();
    let mut found = Vec::new();
    let mut doubts = Vec::new();
    let mut compared = 0;
    for conversation in &case.history.connections {
        let Some(session) = conversation.session() else {
            continue;
        };
        let refused = local::refused(conversation);
        let answered = screened::answered(conversation);
        let mut missing = None;
        let mut open = Vec::new();
        let sent = conversation.sent.iter().enumerate();
        for (place, sent) in sent.filter(|(_, sent)| sent.operation.is_write()) {
            let Some(&at) = case.txns.get(&(session, sent.xid)) else {
                let answer = answered.get(&sent.xid);
                let is_refused = refused.contains(&sent.xid)
                    || answer.is_some_and(|err| screened::is_refused(case, *err))
                    || local::is_refused(case.history, session, &sent.operation);
                if is_refused {
                    continue;
                }
                let after = last_of.get(&session).copied().unwrap_or(i64::MIN);
                let doubt = screened::doubt(case, conversation, place, after);
                match doubt.filter(|_| answer.is_none()) {
                    Some(doubt) => open.push((sent.xid, doubt)),
                    None => drop(missing.get_or_insert(sent.xid)),
                }
                continue;
            };
            if is_empty(&case.entries[at]) {
                // It took a number, and had no effect.
                continue;
            }
            compared += 1;
            let zxid = case.entries[at].zxid;
            let lost = |earlier: i32| {
                format!(
                    "session {session:x}: request {} became {zxid:x}, but {earlier}, sent before \
                     it on the same connection, became nothing",
                    sent.xid
                )
            };
            found.extend(missing.map(lost));
            let until = |(xid, doubt): (i32, screened::Doubt)| doubt.until(zxid, lost(xid));
            doubts.extend(open.drain(..).map(until));
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
    case.doubts = doubts;
    for _ in 0..compared {
        case.counts.check("P1");
    }
    found.into_iter().for_each(|what| case.violate("P1", what));
}
