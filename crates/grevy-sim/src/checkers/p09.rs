//! P6, P9, P19, P21, S1: every transaction is what its request had to become in the state before
//! it: versions, permissions, sequence names, all or nothing, the ephemerals of a session's end.

use super::{Case, describe, identities, local};
use crate::model::Model;
use crate::model::decide::Caller;
use crate::model::txn::{Change, Entry, Kind};
use crate::operation::Operation;
use grevy_proto::ErrorCode;

/// Judges a transaction by the state before it.
pub fn check(case: &mut Case<'_>, entry: &Entry, before: &Model) {
    let expected = match case.requests.get(&(entry.session, entry.cxid)) {
        Some(&(number, place)) if entry.cxid != 0 => {
            let conversation = &case.history.connections[number];
            if let Operation::Reconfig { .. } = conversation.sent[place].operation {
                // Only the leader of the moment knows who is in sync.
                return;
            }
            if before.is_local(entry.session)
                && local::makes_ephemerals(&conversation.sent[place].operation)
            {
                let what = format!("{}: the session is local", describe(entry));
                return case.violate("P19", what);
            }
            let ids = identities(conversation, place);
            let caller = Caller {
                session: entry.session,
                ids: &ids,
                zxid: entry.zxid,
                time: entry.time,
            };
            before.decide(&conversation.sent[place].operation, caller)
        }
        _ => match internal(entry, before) {
            Ok(change) => change,
            Err(what) => return case.violate("P12", format!("{}: {what}", describe(entry))),
        },
    };
    if is_moved(&entry.change) && case.history.membership.is_some() {
        // Only the leader of the moment knows where a session was at home.
        case.counts.check("P9 moved");
        return;
    }
    if is_over(&entry.change) != is_over(&expected) && may_be_uncounted(case, entry, before) {
        case.counts.check("P9 uncounted");
        return;
    }
    if is_over(&entry.change) {
        case.counts.check("P9 quotas");
    }
    case.counts.check("P9");
    if sorted(&entry.change) != sorted(&expected) {
        let property = match &expected {
            Change::Multi(_) => "P6",
            Change::CloseSession(_) => "P19",
            Change::Create { path, .. } if path.ends_with(|c: char| c.is_ascii_digit()) => "P21",
            _ => "P9",
        };
        let what = format!("{}, and had to be {expected:?}", describe(entry));
        case.violate(property, what);
    }
}

/// Whether it was refused because the session was at home elsewhere.
fn is_moved(change: &Change) -> bool {
    let moved = Change::Error(ErrorCode::SessionMoved.wire());
    match change {
        Change::Multi(parts) => parts.contains(&moved),
        other => *other == moved,
    }
}

/// Whether it was refused because a quota has no room.
fn is_over(change: &Change) -> bool {
    let over = Change::Error(ErrorCode::QuotaExceeded.wire());
    match change {
        Change::Multi(parts) => parts.contains(&over),
        other => *other == over,
    }
}

/// A quota's usage is counted when that is applied. What is decided before is not held against
/// the quota, and is left out of its usage until it is applied, too.
fn may_be_uncounted(case: &Case<'_>, entry: &Entry, before: &Model) -> bool {
    let applied_at = &case.history.ledger.applied;
    let applied = applied_at.get(&entry.zxid).copied().unwrap_or(i64::MIN);
    // The oldest that was under way then.
    let oldest = applied_at.range(applied.saturating_add(1)..).next();
    let known = oldest.map_or(i64::MIN, |(_, applied)| *applied);
    before
        .quota_counted()
        .is_some_and(|counted| known < counted)
}

/// What has no request.
fn internal(entry: &Entry, before: &Model) -> Result<Change, &'static str> {
    match &entry.change {
        Change::CreateSession(timeout) => match before.sessions.contains_key(&entry.session) {
            false => Ok(Change::CreateSession(*timeout)),
            true => Err("the session is open"),
        },
        Change::CloseSession(_) => match before.sessions.contains_key(&entry.session) {
            true => Ok(Change::CloseSession(Some(before.ephemerals(entry.session)))),
            false => Err("there is no such session"),
        },
        Change::Delete {
            path,
            container: true,
        } if entry.session == 0 => {
            let Some(znode) = before.get(path) else {
                return Err("there is no such znode");
            };
            let due = match znode.kind {
                Kind::Container => true,
                Kind::Ttl(ttl) => entry.time.saturating_sub(znode.mtime) > ttl,
                _ => false,
            };
            match due && znode.children.is_empty() {
                true => Ok(entry.change.clone()),
                false => Err("its time has not come"),
            }
        }
        // The reaper was too late.
        Change::Error(_) if entry.session == 0 => Ok(entry.change.clone()),
        _ => Err("nobody asked for it"),
    }
}

/// The order of a session's ephemerals is free.
fn sorted(change: &Change) -> Change {
    match change {
        Change::CloseSession(Some(paths)) => {
            let mut paths = paths.clone();
            paths.sort();
            Change::CloseSession(Some(paths))
        }
        other => other.clone(),
    }
}

/// Whether a request that was answered with an error, and took no zxid, had to be refused.
pub fn is_refused(operation: &Operation, caller: Caller<'_>, state: &Model, code: i32) -> bool {
    state.decide(operation, caller) == Change::Error(code)
}
