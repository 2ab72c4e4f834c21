//! P20: once a session came back through another connection, what arrives on the older one is
//! never applied; for as long as there is the same leader, for no other knows of that before the
//! session has been heard of again (what has taken effect by then is P1's business).

use super::{Case, is_empty};
use crate::net::LinkId;
use std::collections::BTreeMap;

/// See the module's text.
pub fn check(case: &mut Case<'_>) {
    let mut attached: BTreeMap<i64, Vec<(u64, LinkId, i64)>> = BTreeMap::new();
    for a in &case.history.attached {
        attached
            .entry(a.session)
            .or_default()
            .push((a.number, a.link, a.epoch));
    }
    attached
        .values_mut()
        .for_each(|homes| homes.sort_unstable());
    let mut found = Vec::new();
    for heard in &case.history.heard {
        let Some(homes) = attached.get(&heard.session) else {
            continue;
        };
        let home = homes.iter().rfind(|(number, ..)| *number < heard.number);
        let Some((_, home, epoch)) = home.filter(|(_, link, _)| *link != heard.link) else {
            continue;
        };
        case.counts.check("P20");
        if let Some(&at) = case.txns.get(&(heard.session, heard.xid))
            && !is_empty(&case.entries[at])
            && case.entries[at].zxid >> 32 <= *epoch
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
