//! Messages on one connection of the election port, both ways.

use super::outbox::Outbox;
use bytes::Buf as _;
use grevy_proto::election::{Notification, split_message};
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// Bytes that a read may bring; what has been received bounds what a connection holds.
const READ: usize = 4096;

/// A connection on which the hello is over.
#[derive(Debug)]
pub(super) struct Connection {
    /// The socket.
    pub(super) stream: TcpStream,
    /// What came behind the hello already.
    pub(super) received: Vec<u8>,
}

/// Exchanges messages until the connection ends; says why it did.
pub(super) async fn exchange(
    connection: &mut Connection,
    outbox: &Outbox,
    mut take: impl FnMut(Incoming),
) -> io::Error {
    let (reader, writer) = connection.stream.split();
    let ended = tokio::select! {
        ended = receive(reader, &mut connection.received, &mut take) => ended,
        ended = send(writer, outbox) => ended,
    };
    match ended {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

/// A message, or something in its place that can be passed over.
pub(super) type Incoming = Result<Notification, grevy_proto::election::NotificationError>;

enum Never {}

async fn receive(
    mut reader: ReadHalf<'_>,
    received: &mut Vec<u8>,
    take: &mut impl FnMut(Incoming),
) -> io::Result<Never> {
    loop {
        let mut bytes = received.as_slice();
        while let Some((message, used)) = split_message(bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?
        {
            take(Notification::decode(message));
            bytes.advance(used);
        }
        let rest = bytes.len();
        received.drain(..received.len() - rest);
        if received.is_empty() {
            // A connection at rest holds no more than it needs.
            received.shrink_to(READ);
        }
        received.reserve(READ);
        if reader.read_buf(received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn send(mut writer: WriteHalf<'_>, outbox: &Outbox) -> io::Result<Never> {
    if let Some(message) = outbox.first() {
        writer.write_all(&message).await?;
    }
    loop {
        let message = outbox.next().await;
        writer.write_all(&message).await?;
    }
}
