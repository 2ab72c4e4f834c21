//! L1, L2, L3: some time after the last fault the server serves, nobody waits for a reply, and
//! no session is left that nobody keeps alive.

use crate::world::World;
use std::collections::BTreeSet;

/// Judges a world in which nothing has gone wrong for long enough.
pub fn check(world: &mut World) {
    let World {
        ctx,
        server,
        clients,
        ..
    } = world;
    if !ctx.history.violations.is_empty() {
        return;
    }
    ctx.counts.check("L1");
    if !server.is_up() {
        return ctx.history.violate("L1", "the server is not up".into());
    }
    if let Some(why) = server.not_serving() {
        return ctx
            .history
            .violate("L1", format!("the server does not serve: {why}"));
    }
    for client in clients.iter() {
        ctx.counts.check("L2");
        if let Err(what) = client.contentment() {
            let what = format!("client {}: {what}", client.number);
            return ctx.history.violate("L2", what);
        }
    }
    ctx.counts.check("L3");
    let kept: BTreeSet<i64> = clients
        .iter()
        .filter_map(|client| client.session())
        .collect();
    let open = server.sessions();
    if let Some(left) = open.iter().find(|session| !kept.contains(session)) {
        let what = format!("session {left:x} is open, and nobody keeps it alive");
        ctx.history.violate("L3", what);
    }
}
