//! What one client can make a server hold for it.

mod world;

use grevy_node::{CloseReason, NodeConfig};
use grevy_proto::multi::{MultiOp, encode_multi};
use grevy_proto::request::Read;
use grevy_proto::{Encode, ErrorCode, OpCode};
use world::World;

/// Bytes of data that znodes in these tests have.
const SIZE: usize = 10_000;

fn world() -> World {
    World::with(NodeConfig {
        max_pending_requests: 5,
        max_pending_bytes: 3 * SIZE,
        output_limit: 3 * SIZE,
        ..NodeConfig::default()
    })
}

#[test]
fn too_many_unanswered_requests_end_the_reading() {
    let mut world = world();
    let (client, _) = world.connect();
    for number in 0..5 {
        assert!(world.is_receptive(client), "{number}");
        world.create(client, "/a", 0);
    }
    assert!(!world.is_receptive(client));
    world.sync();
    assert!(world.is_receptive(client));
}

#[test]
fn too_many_bytes_of_unanswered_requests_end_the_reading() {
    let mut world = world();
    let (client, _) = world.connect();
    world.create(client, "/a", 0);
    for number in 0..3 {
        assert!(world.is_receptive(client), "{number}");
        world.set(client, "/a", &[0; SIZE]);
    }
    assert!(!world.is_receptive(client));
    world.sync();
    assert!(world.is_receptive(client));
    // A read that waits for a write counts as well.
    world.delete(client, "/a");
    let long = format!("/{}", "x".repeat(3 * SIZE));
    world.read(client, OpCode::Exists, &long, false);
    assert!(!world.is_receptive(client));
    world.sync();
    assert!(world.is_receptive(client));
}

struct MultiRead(usize);

impl Encode for MultiRead {
    fn encode(&self, out: &mut Vec<u8>) {
        let read = MultiOp::Read(
            OpCode::GetData,
            Read {
                path: "/a".into(),
                watch: false,
            },
        );
        encode_multi(&vec![read; self.0], out);
    }
}

#[test]
fn a_multi_read_cannot_ask_for_more_than_is_held_for_a_client() {
    let mut world = world();
    let (client, _) = world.connect();
    world.create(client, "/a", 0);
    world.set(client, "/a", &[0; SIZE]);
    world.sync();
    world.frames(client);
    for (count, err) in [(3, ErrorCode::Ok), (4, ErrorCode::MarshallingError)] {
        world.send(client, OpCode::MultiRead, &MultiRead(count));
        let frames = world.frames(client);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].err, err);
        assert_eq!(frames[0].body.is_empty(), err != ErrorCode::Ok);
    }
}

#[test]
fn reads_behind_a_write_cannot_ask_for_more_either() {
    for (count, is_cut_off) in [(3, false), (4, true)] {
        let mut world = world();
        let (client, _) = world.connect();
        world.create(client, "/a", 0);
        world.set(client, "/a", &[0; SIZE]);
        world.sync();
        world.take_output(client);
        world.set(client, "/b", b"");
        for _ in 0..count {
            world.read(client, OpCode::GetData, "/a", false);
        }
        world.sync();
        let closing = world.closing(client);
        let limited = matches!(closing, Some(CloseReason::OutputLimit(_)));
        assert_eq!(limited, is_cut_off, "{count}: {closing:?}");
        assert_eq!(world.take_output(client).is_empty(), is_cut_off);
    }
}
