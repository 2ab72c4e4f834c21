//! L4: a server that has not heard its leader for syncLimit × tickTime serves no reads. One that
//! knows that it has none serves nothing at all.

use crate::world::Context;
use grevy_node::Time;

/// A server that does not lead sends something to a client; `leaderless`: since when it knows that
/// it has no leader. All times are on its clock.
pub fn answers(ctx: &mut Context, server: usize, now: Time, heard: Time, leaderless: Option<Time>) {
    let Some(ensemble) = &ctx.options.ensemble else {
        return;
    };
    ctx.counts.check("L4");
    // What led to that may have brought answers, too.
    if let Some(since) = leaderless.filter(|since| *since < now) {
        let what = format!(
            "s{server} answers a client, and has had no leader for {} µs",
            now.0 - since.0
        );
        return ctx.history.violate("L4", what);
    }
    // A clock that has been set to another rate meanwhile is given some leeway.
    let limit = ctx.options.tick * ensemble.sync_ticks * 5 / 4 + ctx.options.tick;
    let silence = now.0.saturating_sub(heard.0);
    if u128::from(silence) > limit.as_micros() {
        let what = format!(
            "s{server} answers a client {} ms after it heard its leader last",
            silence / 1000
        );
        ctx.history.violate("L4", what);
    }
}
