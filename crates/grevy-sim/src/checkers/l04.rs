//! L4: a server that has not heard its leader for syncLimit × tickTime serves no reads.

use crate::world::Context;
use grevy_node::Time;

/// A server that does not lead sends something to a client. Both times are on its clock.
pub fn answers(ctx: &mut Context, server: usize, now: Time, heard: Time) {
    let Some(ensemble) = &ctx.options.ensemble else {
        return;
    };
    ctx.counts.check("L4");
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
