//! P12: every transaction stems from one request that was sent, once, or from a named internal
//! cause.

use super::{Case, describe};
use crate::model::txn::Change;
use std::collections::BTreeSet;

/// See the module's text.
pub fn check(case: &mut Case<'_>) {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let asked = case.history.connections.iter();
    let may_open = asked.filter(|c| c.asked.session == 0 && !c.is_read_only());
    let mut may_open = may_open.count();
    let mut expired: BTreeSet<i64> = case.history.expired.iter().map(|e| e.session).collect();
    for entry in &case.entries {
        case.counts.check("P12");
        let request = (entry.session, entry.cxid);
        let problem = match &entry.change {
            Change::CreateSession(_) => match may_open.checked_sub(1) {
                Some(fewer) => {
                    may_open = fewer;
                    None
                }
                None => Some("more sessions than connections that asked for one"),
            },
            Change::CloseSession(_) if entry.cxid == 0 => {
                (!expired.remove(&entry.session)).then_some("the session had not expired")
            }
            Change::Delete {
                container: true, ..
            }
            | Change::Error(_)
                if request == (0, 0) =>
            {
                None
            }
            _ if !case.requests.contains_key(&request) => Some("nobody sent such a request"),
            _ if !seen.insert(request) => Some("the request has a transaction already"),
            _ => None,
        };
        if let Some(problem) = problem {
            found.push(format!("{}: {problem}", describe(entry)));
        }
    }
    found.into_iter().for_each(|what| case.violate("P12", what));
}
