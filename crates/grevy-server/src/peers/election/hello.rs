//! The beginning of a connection of the election port: who dials says who it is.
//! Source: `QuorumCnxManager.startConnection`, `receiveConnection`.

use super::Context;
use super::stream::Connection;
use crate::peers::connect;
use grevy_proto::HostPort;
use grevy_proto::election::Hello;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Bytes that one read may bring; a hello has fewer.
const READ: usize = 4096;

/// Connects and says who calls. The other end answers nothing.
pub(super) async fn dial(context: &Context, addresses: &[HostPort]) -> io::Result<Connection> {
    let settings = &context.settings;
    let mut stream = connect::connect(addresses, settings.connect_timeout).await?;
    context.set_options(&stream)?;
    let hello = Hello {
        server: settings.me,
        addresses: context.own_addresses.read().clone(),
    };
    let hello = match settings.several_addresses {
        true => hello.encode_v2(),
        false => hello.encode_v1(),
    };
    let sent = tokio::time::timeout(settings.hello_timeout, stream.write_all(&hello)).await;
    sent.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(Connection {
        stream,
        received: Vec::new(),
    })
}

/// Reads who calls, in `limit` at most however slowly it comes. `None`: the other end only
/// wanted to see whether somebody listens.
pub(super) async fn read(
    mut stream: TcpStream,
    limit: Duration,
) -> io::Result<Option<(Hello, Connection)>> {
    let mut received = Vec::new();
    let read = async {
        loop {
            let parsed = Hello::parse(&received)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if parsed.is_some() {
                return Ok(parsed);
            }
            received.reserve(READ);
            if stream.read_buf(&mut received).await? == 0 {
                if received.is_empty() {
                    return Ok(None);
                }
                return Err(io::Error::other("it ended before it said who it is from"));
            }
        }
    };
    let read = tokio::time::timeout(limit, read).await;
    let late = |_| io::Error::other("it did not say in time who it is from (syncLimit)");
    let Some((hello, used)) = read.map_err(late)?? else {
        return Ok(None);
    };
    received.drain(..used);
    Ok(Some((hello, Connection { stream, received })))
}
