//! P18: a session's end is final: it comes once, nothing of the session takes effect after it,
//! and whoever comes back is told.

use super::{Case, describe, is_empty};
use crate::history::Frame;
use crate::model::txn::Change;
use crate::operation::Operation;
use grevy_proto::Xid;
use std::collections::{BTreeMap, BTreeSet};

/// See the module's text.
pub fn check(case: &mut Case<'_>) {
    let mut ended: BTreeMap<i64, i64> = BTreeMap::new();
    let mut begun = BTreeSet::new();
    let mut found = Vec::new();
    for entry in &case.entries {
        if let Some(end) = ended.get(&entry.session)
            && !is_empty(entry)
        {
            found.push(format!(
                "{} after the session ended at {end:x}",
                describe(entry)
            ));
        }
        if let Change::CreateSession(_) = entry.change
            && !begun.insert(entry.session)
        {
            found.push(format!(
                "{}: there was such a session before",
                describe(entry)
            ));
        }
        if let Change::CloseSession(_) = entry.change {
            ended.insert(entry.session, entry.zxid);
        }
    }
    for conversation in &case.history.connections {
        let Some(session) = conversation.session() else {
            continue;
        };
        case.counts.check("P18");
        let asked = conversation.asked;
        if asked.session != 0 && asked.session != session {
            found.push(format!(
                "asked for {:x}, a client got {session:x}",
                asked.session
            ));
        }
        let Some(&end) = ended.get(&session) else {
            continue;
        };
        // The last words may have been on their way; a first one is too much.
        let first = conversation
            .received
            .iter()
            .find_map(|(_, frame)| match frame {
                Frame::Reply { xid, zxid, .. } if *xid != Xid::AUTH.0 => Some((*xid, *zxid)),
                _ => None,
            });
        let closing = |xid| {
            let mut sent = conversation.sent.iter();
            sent.any(|s| s.xid == xid && s.operation == Operation::CloseSession)
        };
        if let Some((xid, zxid)) = first
            && zxid > end
            && !closing(xid)
        {
            found.push(format!(
                "link {}: session {session:x} ended at {end:x}, and was resumed at {zxid:x}",
                conversation.link.0
            ));
        }
    }
    found.into_iter().for_each(|what| case.violate("P18", what));
}
