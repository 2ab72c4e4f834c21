//! P2: replies come in the order of their requests, one each; those with special numbers in the
//! order of their own kind.

use super::Case;
use crate::history::Frame;
use grevy_proto::Xid;

/// See the module's text.
pub fn check(case: &mut Case<'_>) {
    for conversation in &case.history.connections {
        let link = conversation.link.0;
        let mut sent = conversation.sent.iter().map(|sent| sent.xid);
        let special = [Xid::PING.0, Xid::AUTH.0, Xid::SET_WATCHES.0];
        let count = |xid| conversation.sent.iter().filter(|s| s.xid == xid).count();
        let mut left = special.map(|xid| (xid, count(xid)));
        for (_, frame) in &conversation.received {
            let xid = match frame {
                Frame::Reply { xid, .. } => *xid,
                Frame::Unreadable(bytes) => {
                    let what = format!("link {link}: a frame that no client can read: {bytes:x?}");
                    return case.violate("P2", what);
                }
                _ => continue,
            };
            case.counts.check("P2");
            if let Some((_, left)) = left.iter_mut().find(|(special, _)| *special == xid) {
                match left.checked_sub(1) {
                    Some(fewer) => *left = fewer,
                    None => {
                        return case.violate("P2", format!("link {link}: a reply {xid} too many"));
                    }
                }
                continue;
            }
            let expected = sent.find(|xid| !special.contains(xid));
            if expected != Some(xid) {
                let what = format!("link {link}: a reply to {xid}, where {expected:?} is the next");
                return case.violate("P2", what);
            }
        }
    }
}
