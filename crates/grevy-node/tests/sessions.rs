//! Sessions: opening, resuming, moving, expiring, and what goes with them.

mod world;

use grevy_node::CloseReason;
use grevy_proto::{Acl, OpCode, SessionId, Zxid};
use std::time::Duration;
use world::World;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_timeout_is_negotiated() {
    for (asked, given) in [(0, 4000), (5000, 5000), (1_000_000, 40_000), (-1, 4000)] {
        let mut world = World::new();
        let client = world.accept();
        let asked = Duration::from_millis(u64::try_from(asked).unwrap_or(0));
        let response = world.handshake(client, SessionId::NONE, [0; 16], asked);
        assert_eq!(response.unwrap().timeout, given);
    }
}

#[test]
fn a_session_is_resumed_with_its_password_only() {
    let mut world = World::new();
    let (first, session) = world.connect();
    let second = world.accept();
    let response = world.handshake(second, session, [7; 16], SECOND);
    assert_eq!(response.unwrap().session, SessionId::NONE);
    assert!(matches!(
        world.closing(second),
        Some(CloseReason::SessionRefused(_))
    ));
    // As in ZooKeeper, whoever names a session cuts off its connection.
    assert!(matches!(
        world.closing(first),
        Some(CloseReason::SessionMoved(_))
    ));
    let third = world.accept();
    let response = world.handshake(third, session, session.password(), SECOND);
    assert_eq!(response.unwrap().session, session);
}

#[test]
fn of_a_connection_that_was_cut_off_nothing_takes_effect_any_more() {
    let mut world = World::new();
    let (old, session) = world.connect();
    let new = world.accept();
    world.handshake(new, session, session.password(), SECOND);
    world.create(old, "/late", 0);
    assert_eq!(world.unsynced(), []);
    world.create(new, "/a", 0);
    world.sync();
    assert_eq!(world.received(new), ["2 Ok @0x2"]);
}

#[test]
fn a_silent_session_expires_with_its_ephemerals_and_is_not_resumed() {
    let mut world = World::new();
    let (client, session) = world.connect();
    let (watcher, _) = world.connect_for(40 * SECOND);
    world.create(client, "/e", 1);
    world.sync();
    world.read(watcher, OpCode::Exists, "/e", true);
    world.received(watcher);
    world.advance(9 * SECOND);
    assert_eq!(world.expired, []);
    world.advance(4 * SECOND);
    assert_eq!(world.expired, [session]);
    assert!(world.tree.get("/e").is_none());
    assert_eq!(world.received(watcher), ["event 2 /e @0x4"]);
    assert_eq!(
        world.closing(client),
        Some(CloseReason::SessionExpired(session))
    );
    let again = world.accept();
    let response = world.handshake(again, session, session.password(), SECOND);
    assert_eq!(response.unwrap().timeout, 0);
}

#[test]
fn a_session_is_closed_once_though_its_client_closes_it_while_it_expires() {
    let mut world = World::new();
    let (client, _) = world.connect();
    world.expire(20 * SECOND);
    assert_eq!(world.unsynced(), [Zxid(2)]);
    world.send(client, OpCode::CloseSession, &Vec::<Acl>::new());
    assert_eq!(world.unsynced(), [Zxid(2)]);
    world.sync();
    assert!(matches!(
        world.closing(client),
        Some(CloseReason::SessionExpired(_))
    ));
}

#[test]
fn a_session_that_is_heard_of_lives_on() {
    let mut world = World::new();
    let (client, _) = world.connect();
    for _ in 0..20 {
        world.advance(5 * SECOND);
        world.send(client, OpCode::Ping, &());
    }
    assert_eq!(world.expired, []);
}

#[test]
fn closing_a_session_answers_first_and_takes_pending_ephemerals_along() {
    let mut world = World::new();
    let (client, session) = world.connect();
    world.create(client, "/e", 1);
    world.send(client, OpCode::CloseSession, &());
    world.create(client, "/late", 0);
    world.sync();
    assert_eq!(world.received(client), ["1 Ok @0x2", "2 Ok @0x3"]);
    assert_eq!(
        world.closing(client),
        Some(CloseReason::SessionClosed(session))
    );
    assert!(world.tree.get("/e").is_none());
    assert!(world.tree.get("/late").is_none());
    assert_eq!(world.tree.sessions().len(), 0);
}

#[test]
fn a_disconnected_session_has_its_full_timeout() {
    let mut world = World::new();
    let (client, session) = world.connect();
    world.advance(5 * SECOND);
    world.send(client, OpCode::Ping, &());
    world.disconnect(client);
    world.advance(9 * SECOND);
    assert_eq!(world.expired, []);
    world.advance(4 * SECOND);
    assert_eq!(world.expired, [session]);
}
