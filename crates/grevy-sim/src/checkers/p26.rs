//! P26: nothing that is committed is taken back from the last quorum that has it. A leader may
//! have a learner take back what is proposed, to send it again, and a quorum may agree on it
//! meanwhile; but then without that learner.

use crate::ensemble::is_enough;
use crate::world::Context;
use grevy_proto::ServerId;

/// A server is about to take back everything above `to`.
pub fn truncates(ctx: &mut Context, server: usize, to: i64) {
    ctx.counts.check("P26");
    let history = &ctx.history;
    let Some(membership) = &history.membership else {
        return;
    };
    let known = &history.ledger.servers[server].known;
    let lost = known.range(to + 1..).map(|(zxid, _)| *zxid);
    let lost = lost.filter(|zxid| history.entry(*zxid).is_some());
    for lost in lost.collect::<Vec<i64>>() {
        let holds = |id: ServerId| {
            let other = id.0 as usize - 1;
            let evidence = &ctx.history.ledger.servers[other];
            other != server && evidence.durable >= lost
        };
        if !is_enough(membership, holds) {
            let what = format!(
                "s{server} takes back {lost:x}, which is committed and which no quorum without it \
                 has, down to {to:x}"
            );
            return ctx.history.violate("P26", what);
        }
    }
}
