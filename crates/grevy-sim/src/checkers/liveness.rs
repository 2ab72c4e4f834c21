//! L1 to L4: some time after the last fault one server leads and all serve, nobody waits for a
//! reply, no session is left that nobody keeps alive, and all servers are in the same state.

use crate::server::Server;
use crate::world::World;
use std::collections::BTreeSet;

/// Judges a world in which nothing has gone wrong for long enough.
pub fn check(world: &mut World) {
    if world.ctx.history.violations.is_empty()
        && let Err((property, what)) = judge(world)
    {
        world.ctx.history.violate(property, what);
    }
}

fn judge(world: &mut World) -> Result<(), (&'static str, String)> {
    let World {
        ctx,
        servers,
        clients,
        ..
    } = world;
    let mut leaders = 0;
    // Who was removed need not serve.
    let membership = ctx.history.membership.clone();
    let is_member = |server: &&Server| {
        let members = membership.as_ref().map(|m| &m.members);
        members.is_none_or(|members| members.contains_key(&server.id()))
    };
    for server in servers.iter().filter(is_member) {
        let at = server.index;
        ctx.counts.check("L1");
        if !server.is_up() {
            return Err(("L1", format!("s{at} is not up")));
        }
        if let Some(why) = server.not_serving() {
            return Err(("L1", format!("s{at} does not serve: {why}")));
        }
        if !server.serves() {
            let part = server.node().map(|node| node.part().clone());
            return Err(("L1", format!("s{at} does not serve: it is {part:?}")));
        }
        leaders += usize::from(server.node().is_some_and(|node| node.peer().leads()));
    }
    if leaders != 1 {
        return Err(("L1", format!("{leaders} servers lead")));
    }
    for client in clients.iter() {
        ctx.counts.check("L2");
        let content = client.contentment();
        content.map_err(|what| ("L2", format!("client {}: {what}", client.number)))?;
    }
    let kept: BTreeSet<i64> = clients
        .iter()
        .filter_map(|client| client.session())
        .collect();
    for server in servers.iter().filter(is_member) {
        ctx.counts.check("L3");
        let open = server.sessions();
        if let Some(left) = open.iter().find(|session| !kept.contains(session)) {
            let at = server.index;
            let what = format!("session {left:x} is open at s{at}, and nobody keeps it alive");
            return Err(("L3", what));
        }
    }
    ctx.counts.check("L4");
    let members = servers.iter().filter(is_member);
    let states: Vec<_> = members.map(Server::state).collect();
    match states.windows(2).all(|pair| pair[0] == pair[1]) {
        true => Ok(()),
        false => Err((
            "L4",
            format!("servers end in different states: {states:x?}"),
        )),
    }
}
