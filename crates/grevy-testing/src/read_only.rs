//! A server that is cut off from its ensemble.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Takes every session read-only, and answers nothing else.
pub async fn read_only_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
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
    // The session and its password stay the same, if there is one already.
    let resumed = hello
        .get(16..44)
        .filter(|resumed| !resumed.starts_with(&[0; 8]));
    let new = [&0x77i64.to_be_bytes()[..], &[0, 0, 0, 16], &[7; 16]].concat();
    let timeout = 6000i32;
    let welcome = [
        &37u32.to_be_bytes()[..],
        &[0; 4],
        &timeout.to_be_bytes(),
        resumed.unwrap_or(&new),
        &[1],
    ];
    stream.write_all(&welcome.concat()).await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink())
        .await
        .map(drop)
}
