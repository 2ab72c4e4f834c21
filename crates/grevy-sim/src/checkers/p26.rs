//! P26: nothing that is committed is ever taken back.

use crate::world::Context;

/// A server is about to take back everything above `to`.
pub fn truncates(ctx: &mut Context, server: usize, to: i64) {
    ctx.counts.check("P26");
    let history = &ctx.history;
    let known = &history.ledger.servers[server].known;
    let lost = known.range(to + 1..).map(|(zxid, _)| *zxid);
    let lost: Vec<i64> = lost.filter(|zxid| history.entry(*zxid).is_some()).collect();
    if let Some(lost) = lost.first() {
        let what = format!("s{server} takes back {lost:x}, which is committed, down to {to:x}");
        ctx.history.violate("P26", what);
    }
}
