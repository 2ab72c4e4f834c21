//! P17: no session ends before it was silent for its whole timeout, counted from when the server
//! last handled a frame of it, or from the server's start.

use super::Case;
use crate::model::txn::Change;
use std::collections::BTreeMap;

/// See the module's text.
pub fn check(case: &mut Case<'_>) {
    let mut timeouts: BTreeMap<i64, i64> = BTreeMap::new();
    for entry in &case.entries {
        if let Change::CreateSession(timeout) = entry.change {
            timeouts.insert(entry.session, i64::from(timeout));
        }
    }
    let mut found = Vec::new();
    for expired in &case.history.expired {
        case.counts.check("P17");
        let Some(&timeout) = timeouts.get(&expired.session) else {
            continue;
        };
        let heard = case.history.heard.iter().filter(|heard| {
            (heard.session, heard.incarnation) == (expired.session, expired.incarnation)
                && heard.at <= expired.at
        });
        let last = heard.map(|heard| heard.at).max().unwrap_or(expired.started);
        let silent = expired.at.0.saturating_sub(last.0) as i64;
        if silent < timeout * 1000 {
            found.push(format!(
                "session {:x} with a timeout of {timeout} ms expired after {silent} µs",
                expired.session
            ));
        }
    }
    found.into_iter().for_each(|what| case.violate("P17", what));
}
