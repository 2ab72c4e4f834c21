//! P17: no session ends before it was silent for its whole timeout, counted from when the server
//! last handled a frame of it or was told of it, or from when the server took charge. All on the
//! clock of the server that proposes its end.

use super::Case;
use crate::history::Frame;
use crate::model::txn::Change;
use grevy_proto::quorum::Packet;
use std::collections::BTreeMap;

/// The sessions that a packet tells the leader of.
pub fn reports(packet: &Packet) -> Vec<i64> {
    match packet {
        Packet::Ping {
            heard: Some(heard), ..
        } => heard.iter().map(|(session, _)| session.0).collect(),
        Packet::Revalidate { session, .. } => vec![session.0],
        _ => Vec::new(),
    }
}

/// See the module's text.
pub fn check(case: &mut Case<'_>) {
    let mut timeouts: BTreeMap<i64, i64> = BTreeMap::new();
    for entry in &case.entries {
        if let Change::CreateSession(timeout) = entry.change {
            timeouts.insert(entry.session, i64::from(timeout));
        }
    }
    // Nothing in the history has those of local sessions.
    for conversation in &case.history.connections {
        for (_, frame) in &conversation.received {
            if let Frame::Connected {
                session, timeout, ..
            } = frame
                && case.history.homes.contains_key(session)
            {
                timeouts.insert(*session, i64::from(*timeout));
            }
        }
    }
    let mut found = Vec::new();
    for expired in &case.history.expired {
        case.counts.check("P17");
        let Some(&timeout) = timeouts.get(&expired.session) else {
            continue;
        };
        let wanted = (expired.session, expired.incarnation);
        let heard = case.history.heard[..expired.known.0].iter();
        let heard = heard.filter(|heard| (heard.session, heard.incarnation) == wanted);
        // Whoever asks a leader for a session that is local elsewhere is told that it is unknown.
        let reported = match case.history.homes.contains_key(&expired.session) {
            true => &[][..],
            false => &case.history.reported[..expired.known.1],
        };
        let reported = reported.iter();
        let reported = reported.filter(|told| (told.session, told.incarnation) == wanted);
        let known = heard.map(|heard| heard.at).chain(reported.map(|r| r.at));
        let last = known
            .max()
            .map_or(expired.started, |at| at.max(expired.started));
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
