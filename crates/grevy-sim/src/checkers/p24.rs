//! P24: at most one server is established in an epoch. P26: when it is, its history has
//! everything that was committed before.

use crate::world::Context;
use grevy_node::Node;
use grevy_proto::Zxid;
use grevy_zab::Part;

/// A server has a new part.
pub fn became(ctx: &mut Context, server: usize, incarnation: u32, part: &Part) {
    let Part::Leading { epoch } = part else {
        return;
    };
    ctx.counts.check("P24");
    ctx.counts.did("leaders");
    let leaders = &mut ctx.history.ledger.leaders;
    if let Some((other, _)) = leaders.insert(epoch.0, (server, incarnation)) {
        let what = format!(
            "s{server} is established in epoch {}, and s{other} was",
            epoch.0
        );
        ctx.history.violate("P24", what);
    }
}

/// A server begins to serve clients, with the state at `applied`.
pub fn serves(ctx: &mut Context, server: usize, node: &Node, applied: Zxid) {
    if !node.peer().leads() || ctx.options.ensemble.is_none() {
        return;
    }
    ctx.counts.check("P26");
    let last = ctx.history.last();
    if applied.0 < last {
        let what = format!("s{server} leads with a history that ends at {applied}, not {last:x}");
        ctx.history.violate("P26", what);
    }
}
