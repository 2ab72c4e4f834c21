//! P20: once a session came back through another connection, what arrives on the older one is
//! never applied.

use super::{Case, is_empty};
use crate::net::LinkId;
use std::collections::BTreeMap;

/// See the module's text.
pub fn check(case: &mut Case<'_>) {
    let mut attached: BTreeMap<i64, Vec<(u64, LinkId)>> = BTreeMap::new();
    for a in &case.history.attached {
        attached
            .entry(a.session)
            .or_default()
            .push((a.number, a.link));
    }
    let mut found = Vec::new();
    for heard in &case.history.heard {
        let Some(homes) = attached.get(&heard.session) else {
            continue;
        };
        let home = homes.iter().rfind(|(number, _)| *number < heard.number);
        let Some((_, home)) = home.filter(|(_, link)| *link != heard.link) else {
            continue;
        };
        case.counts.check("P20");
        if let Some(&at) = case.txns.get(&(heard.session, heard.xid))
            && !is_empty(&case.entries[at])
        {
            found.push(format!(
                "request {} of session {:x} came through link {} after the session had moved to \
                 link {}, and became {:x}",
                heard.xid, heard.session, heard.link.0, home.0, case.entries[at].zxid
            ));
        }
    }
    found.into_iter().for_each(|what| case.violate("P20", what));
}
