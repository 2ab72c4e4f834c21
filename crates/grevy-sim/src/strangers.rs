//! Links that no client looks after: intruders, and connections that a session has left.

use crate::client::{read_frame, take_frame};
use crate::history::Frame;
use crate::net::{End, LinkId, Received};
use crate::world::Context;

/// Something may be read on such a link. What an intruder gets is written down; what comes on a
/// connection that was left is lost.
pub fn readable(ctx: &mut Context, link: LinkId) {
    let mut stranger = ctx.strangers.remove(&link);
    loop {
        match ctx.network.receive(link, End::Client, 1 << 16) {
            Received::Nothing => {
                if let Some(stranger) = stranger {
                    ctx.strangers.insert(link, stranger);
                }
                return;
            }
            Received::End | Received::Reset => {
                ctx.network.close(link, End::Client);
                return;
            }
            Received::Bytes(bytes) => {
                let Some((conversation, unread)) = &mut stranger else {
                    continue;
                };
                unread.extend(bytes);
                let now = ctx.schedule.now();
                while let Some(frame) = take_frame(unread) {
                    let frame = read_frame(&frame, false);
                    if let Frame::Connected { session, .. } = frame
                        && session != 0
                    {
                        let what = format!("{session:x} was resumed with a wrong password");
                        ctx.history.violate("P18", what);
                    }
                    ctx.counts.check("P18");
                    ctx.history.connections[*conversation]
                        .received
                        .push((now, frame));
                }
            }
        }
    }
}
