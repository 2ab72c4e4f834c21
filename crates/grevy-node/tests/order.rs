//! What a client can rely on: durability before acknowledgement, its requests in their order,
//! events before data.

mod world;

use grevy_proto::OpCode;
use grevy_proto::request::PathOnly;
use world::World;

#[test]
fn nothing_is_acknowledged_or_visible_before_it_is_durable() {
    let mut world = World::new();
    let (client, _) = world.connect();
    let (other, _) = world.connect();
    world.create(client, "/a", 0);
    world.read(other, OpCode::Exists, "/a", false);
    assert_eq!(world.received(client), [""; 0]);
    assert_eq!(world.received(other), ["2 NoNode @0x2"]);
    world.sync();
    assert_eq!(world.received(client), ["1 Ok @0x3"]);
    world.read(other, OpCode::Exists, "/a", false);
    assert_eq!(world.received(other), ["3 Ok @0x3"]);
}

#[test]
fn reads_wait_for_the_writes_before_them_and_not_for_those_behind() {
    let mut world = World::new();
    let (client, _) = world.connect();
    world.create(client, "/a", 0);
    world.set(client, "/a", b"1");
    let read = world.read(client, OpCode::GetData, "/a", false);
    world.set(client, "/a", b"2");
    world.delete(client, "/a");
    world.read(client, OpCode::GetData, "/a", false);
    assert_eq!(world.received(client), [""; 0]);
    world.sync();
    let frames = world.frames(client);
    let short: Vec<_> = frames.iter().map(world::Frame::short).collect();
    assert_eq!(
        short,
        [
            "1 Ok @0x2",
            "2 Ok @0x3",
            "3 Ok @0x3",
            "4 Ok @0x4",
            "5 Ok @0x5",
            "6 NoNode @0x5"
        ]
    );
    let answer = frames.iter().find(|frame| frame.xid.0 == read).unwrap();
    assert_eq!(answer.body[..5], *b"\0\0\0\x011");
}

#[test]
fn the_event_comes_before_the_data_and_before_the_reply_of_the_write() {
    let mut world = World::new();
    let (writer, _) = world.connect();
    let (watcher, _) = world.connect();
    world.read(writer, OpCode::Exists, "/a", true);
    world.read(watcher, OpCode::Exists, "/a", true);
    world.received(writer);
    world.received(watcher);
    world.create(writer, "/a", 0);
    world.sync();
    world.read(watcher, OpCode::GetData, "/a", true);
    assert_eq!(world.received(writer), ["event 1 /a @0x3", "3 Ok @0x3"]);
    assert_eq!(world.received(watcher), ["event 1 /a @0x3", "4 Ok @0x3"]);
}

#[test]
fn who_sets_what_many_watch_has_its_own_event_and_the_reply_before_all_others_are_told() {
    let mut world = World::new();
    let clients: Vec<_> = (0..=100).map(|_| world.connect().0).collect();
    let writer = clients[50];
    world.create(writer, "/a", 0);
    world.sync();
    for client in &clients {
        world.read(*client, OpCode::GetData, "/a", true);
        world.take_output(*client);
    }
    let xid = world.set(writer, "/a", b"1");
    world.read(writer, OpCode::GetData, "/a", true);
    world.sync();
    assert_eq!(world.hurried.take(), [(writer, 1)]);
    let zxid = world.tree.last_zxid();
    for client in clients {
        let event = format!("event 3 /a @{zxid}");
        let expected = match client == writer {
            true => vec![
                event,
                format!("{xid} Ok @{zxid}"),
                format!("{} Ok @{zxid}", xid + 1),
            ],
            false => vec![event],
        };
        assert_eq!(world.received(client), expected);
    }
    // The read behind it has set the only watch that there is.
    world.set(writer, "/a", b"2");
    world.sync();
    assert_eq!(world.hurried.take(), []);
}

#[test]
fn sync_and_ping_wait_for_the_writes_before_them() {
    let mut world = World::new();
    let (client, _) = world.connect();
    world.create(client, "/a", 0);
    world.send(client, OpCode::Sync, &PathOnly { path: "/".into() });
    world.send(client, OpCode::Ping, &());
    assert_eq!(world.received(client), [""; 0]);
    world.sync();
    assert_eq!(
        world.received(client),
        ["1 Ok @0x2", "2 Ok @0x2", "-2 Ok @0x2"]
    );
    world.send(client, OpCode::Sync, &PathOnly { path: "/".into() });
    assert_eq!(world.received(client), ["4 Ok @0x2"]);
}

#[test]
fn after_a_failure_of_the_storage_nothing_more_is_acknowledged() {
    let mut world = World::new();
    let (client, _) = world.connect();
    world.create(client, "/a", 0);
    world.node.storage_failed(world.now, "disk full".into());
    world.sync();
    assert_eq!(world.received(client), [""; 0]);
    world.create(client, "/b", 0);
    assert_eq!(world.unsynced(), []);
}
