//! Who a client says it is.

mod world;

use grevy_node::{CloseReason, NodeConfig};
use grevy_proto::{Encode, ErrorCode, OpCode, Zxid};
use world::World;

/// A client that is set up for SASL, and finds out that this server is not.
#[test]
fn sasl_is_declined_and_the_connection_stays() {
    let mut config = NodeConfig::default();
    config.auth.required_schemes = vec!["digest".to_owned()];
    for config in [NodeConfig::default(), config] {
        let mut world = World::with(config);
        let (client, _) = world.connect();
        world.send(client, OpCode::Sasl, &Some(&b"token"[..]));
        let frames = world.frames(client);
        assert_eq!(frames.len(), 1);
        assert_eq!((frames[0].zxid, frames[0].err), (Zxid::ZERO, ErrorCode::Ok));
        assert_eq!(frames[0].body, None::<&[u8]>.to_bytes());
        assert_eq!(world.closing(client), None);
    }
}

#[test]
fn a_sasl_packet_without_a_token_ends_the_connection() {
    let mut world = World::new();
    let (client, _) = world.connect();
    world.send(client, OpCode::Sasl, &());
    assert!(matches!(
        world.closing(client),
        Some(CloseReason::BadHeader(_))
    ));
}
