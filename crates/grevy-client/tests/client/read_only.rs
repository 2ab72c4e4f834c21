//! A server that is cut off from its ensemble, and a better one.

use grevy_client::{Connector, CreateOptions, SessionId, SessionState};
use grevy_testing::{Network, Place, Relay, read_only_server};
use std::time::Duration;

#[tokio::test]
async fn a_read_only_server_will_do_until_a_better_one_is_there() {
    let place = Place::new("read-only");
    let relay = Relay::to(&place).await;
    relay.set(Network::Down);
    let servers = format!("{},{}", read_only_server().await, relay.address);
    let connector = Connector::new(&servers)
        .unwrap()
        .pauses(Duration::from_millis(10), Duration::from_millis(50))
        .can_be_read_only(true);
    let client = connector.connect().await.unwrap();
    assert_eq!(client.state(), SessionState::ConnectedReadOnly);
    assert_eq!(client.session_id(), SessionId(0x77));
    relay.set(Network::Whole);
    let mut state = client.state();
    while state != SessionState::Connected {
        state = client.state_other_than(state).await;
    }
    // The session of the other server means nothing here.
    assert_ne!(client.session_id(), SessionId(0x77));
    client
        .create("/a", b"", &CreateOptions::ephemeral())
        .await
        .unwrap();
}
