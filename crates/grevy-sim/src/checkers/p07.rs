//! P7: a write acknowledged before another is sent comes before it. P8: a sync's reply knows all
//! writes acknowledged before the sync was sent.

use super::Case;
use crate::history::Frame;
use crate::operation::Operation;
use grevy_node::Time;
use std::collections::BTreeMap;

/// What happened, in real time.
enum Moment {
    Acknowledged(i64),
    /// A write of that zxid was sent.
    Sent(i64),
    /// A sync was sent whose reply has that zxid.
    Sync(i64),
}

/// See the module's text.
pub fn check(case: &mut Case<'_>) {
    let mut moments: Vec<(Time, u8, Moment)> = Vec::new();
    for conversation in &case.history.connections {
        let Some(session) = conversation.session() else {
            continue;
        };
        let replies = conversation
            .received
            .iter()
            .filter_map(|(at, frame)| match frame {
                Frame::Reply { xid, zxid, err, .. } => Some((*xid, (*at, *zxid, *err))),
                _ => None,
            });
        let replies: BTreeMap<i32, _> = replies.collect();
        for sent in &conversation.sent {
            let reply = replies.get(&sent.xid).copied();
            if let Operation::Sync(_) = sent.operation
                && let Some((_, zxid, 0)) = reply
            {
                moments.push((sent.at, 0, Moment::Sync(zxid)));
            }
            if !sent.operation.is_write() {
                continue;
            }
            let Some(&txn) = case.txns.get(&(session, sent.xid)) else {
                continue;
            };
            let own = case.entries[txn].zxid;
            moments.push((sent.at, 0, Moment::Sent(own)));
            if let Some((at, ..)) = reply {
                moments.push((at, 1, Moment::Acknowledged(own)));
            }
        }
    }
    // What is sent in the moment of an acknowledgement may have been sent before it.
    moments.sort_by_key(|(at, order, _)| (*at, *order));
    let mut floor = i64::MIN;
    for (at, _, moment) in moments {
        match moment {
            Moment::Acknowledged(zxid) => floor = floor.max(zxid),
            Moment::Sent(zxid) => {
                case.counts.check("P7");
                if zxid <= floor {
                    let what = format!(
                        "the write {zxid:x} was sent at {} µs, when {floor:x} was acknowledged",
                        at.0
                    );
                    case.violate("P7", what);
                }
            }
            Moment::Sync(zxid) => {
                case.counts.check("P8");
                if zxid < floor {
                    let what = format!(
                        "a sync sent at {} µs, when {floor:x} was acknowledged, led to {zxid:x}",
                        at.0
                    );
                    case.violate("P8", what);
                }
            }
        }
    }
}
