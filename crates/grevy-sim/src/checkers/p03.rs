//! P3, P5, P15: along a session, over all its connections, header zxids never decrease; nor do
//! those of events, in between. P11: none is of a transaction that did not happen.

use super::Case;
use crate::history::Frame;
use grevy_proto::Xid;

/// See the module's text.
pub fn check(case: &mut Case<'_>) {
    let end = case.history.last();
    for conversation in &case.history.connections {
        // What is read without a leader may be taken back.
        let is_read_only = conversation.is_read_only();
        let link = conversation.link.0;
        // The client has seen this much, on whichever connection.
        let mut last = conversation.asked.last_zxid;
        for (_, frame) in &conversation.received {
            let (zxid, what) = match frame {
                Frame::Reply { xid, zxid, .. } if *xid != Xid::AUTH.0 => (*zxid, "reply"),
                Frame::Event { zxid, .. } if *zxid != -1 => (*zxid, "event"),
                _ => continue,
            };
            case.counts.check("P3");
            if zxid < last {
                let property = if what == "reply" { "P3" } else { "P15" };
                let what = format!("link {link}: {what} {frame:?} after {last:x} had been seen");
                return case.violate(property, what);
            }
            if zxid > end && !is_read_only {
                let what =
                    format!("link {link}: {what} {frame:?}, but the history ends at {end:x}");
                return case.violate("P11", what);
            }
            last = zxid;
        }
    }
}
