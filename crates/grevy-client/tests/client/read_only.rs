//! A server that is cut off from its ensemble, and a better one.

use grevy_client::{Connector, CreateOptions, SessionId, SessionState};
use grevy_testing::{Network, Place, Relay};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Takes every session read-only, and answers nothing else.
async fn read_only_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut word = [0; 4];
    stream.read_exact(&mut word).await?;
    if &word == b"isro" {
        return stream.write_all(b"ro").await;
    }
    let mut hello = vec![0; u32::from_be_bytes(word) as usize];
    stream.read_exact(&mut hello).await?;
    let (timeout, session, password) = (6000i32, 0x77i64, [0, 0, 0, 16]);
    let welcome = [
        &37u32.to_be_bytes()[..],
        &[0; 4],
        &timeout.to_be_bytes(),
        &session.to_be_bytes(),
        &password,
        &[7; 16],
        &[1],
    ];
    stream.write_all(&welcome.concat()).await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink())
        .await
        .map(drop)
}

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
