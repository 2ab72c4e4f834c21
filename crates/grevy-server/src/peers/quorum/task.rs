//! What reads a link, and looks after it until it ends.

use super::link::Link;
use super::links::Links;
use super::snapshot_in::{Depot, Incoming, ReceiveError};
use crate::peers::{Door, Events};
use bytes::Buf as _;
use grevy_proto::Zxid;
use grevy_proto::quorum::{Packet, PacketError};
use std::io;
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::OwnedReadHalf;
use tracing::{info, warn};

/// Bytes that one read may bring.
const READ: usize = 64 << 10;

/// The task of one link.
pub(super) struct Task {
    pub(super) link: Arc<Link>,
    pub(super) links: Arc<Links>,
    pub(super) events: Arc<dyn Events>,
    pub(super) depot: Depot,
    /// Received and not handled.
    pub(super) received: Vec<u8>,
    /// Where it was accepted, until the node has heard of it. Of those that this server dialled
    /// it has.
    pub(super) accepted: Option<Door>,
}

/// The packets at the start of what was received.
struct Batch {
    packets: Vec<Packet>,
    /// How many bytes they take.
    used: usize,
    /// What comes next is a snapshot.
    snapshot: Option<Zxid>,
    /// What comes next is no packet.
    error: Option<PacketError>,
}

impl Task {
    /// Serves the link until it ends.
    pub(super) async fn run(mut self, mut reader: OwnedReadHalf) {
        let link = self.link.clone();
        let store = self.depot.store.clone();
        // Two fields, and what is around them.
        let max_item = self
            .depot
            .field_limit
            .saturating_mul(2)
            .saturating_add(4096);
        let ended = tokio::select! {
            error = self.receive(&mut reader) => error,
            error = link.keep_sending(&store, max_item) => error,
            () = link.linger() => io::ErrorKind::TimedOut.into(),
        };
        self.links.remove(link.id());
        link.close();
        // Whoever hung up has forgotten it already.
        if !link.is_hung_up() {
            info!("quorum connection with {} ended: {ended}", link.address());
            self.events.link_lost(link.id());
        }
    }

    async fn receive(&mut self, reader: &mut OwnedReadHalf) -> io::Error {
        loop {
            if let Err(error) = self.handle(reader).await {
                return error;
            }
            if let Err(error) = self.read(reader).await {
                return error;
            }
        }
    }

    /// Brings more bytes, before the other end's time is over.
    async fn read(&mut self, reader: &mut OwnedReadHalf) -> io::Result<()> {
        self.received.reserve(READ);
        let read = tokio::select! {
            read = reader.read_buf(&mut self.received) => read?,
            late = self.link.silence() => return Err(late),
        };
        self.link.hear();
        match read {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the other end closed it",
            )),
            _ => Ok(()),
        }
    }

    /// Hands whole packets to the node, and takes up the snapshots between them.
    async fn handle(&mut self, reader: &mut OwnedReadHalf) -> io::Result<()> {
        loop {
            let batch = self.batch();
            self.received.drain(..batch.used);
            if !batch.packets.is_empty() && !self.link.is_hung_up() {
                let accepted = self.accepted.take();
                self.events
                    .link_packets(self.link.id(), accepted, batch.packets);
            }
            if let Some(error) = batch.error {
                warn!("from {}: {error}", self.link.address());
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
            match batch.snapshot {
                Some(zxid) if !self.link.is_hung_up() => self.take_up(zxid, reader).await?,
                _ => break,
            }
        }
        if self.link.is_hung_up() {
            self.received.clear();
        }
        Ok(())
    }

    fn batch(&self) -> Batch {
        let mut batch = Batch {
            packets: Vec::new(),
            used: 0,
            snapshot: None,
            error: None,
        };
        let mut bytes = self.received.as_slice();
        while batch.snapshot.is_none() {
            match Packet::parse(bytes, self.depot.field_limit) {
                Ok(Some((packet, used))) => {
                    if let Packet::Snap(zxid) = packet {
                        batch.snapshot = Some(zxid);
                    }
                    batch.packets.push(packet);
                    batch.used += used;
                    bytes.advance(used);
                }
                Ok(None) => break,
                Err(error) => {
                    batch.error = Some(error);
                    break;
                }
            }
        }
        batch
    }

    /// Takes up the snapshot that comes next.
    async fn take_up(&mut self, zxid: Zxid, reader: &mut OwnedReadHalf) -> io::Result<()> {
        if !self.link.is_dialled() {
            return Err(io::Error::other("a learner sent a snapshot"));
        }
        info!(
            "receiving the leader's snapshot {zxid} from {}",
            self.link.address()
        );
        let incoming = Incoming::begin(self.depot.clone(), zxid, self.link.id().0)?;
        loop {
            let chunk = std::mem::take(&mut self.received);
            if !chunk.is_empty()
                && let Err(beyond) = incoming.feed(chunk).await
            {
                self.received = beyond;
                break;
            }
            tokio::select! {
                read = self.read(reader) => read?,
                () = incoming.is_full() => break,
            }
        }
        let (received, mut rest) = incoming.finish().await.map_err(|error| {
            if !matches!(error, ReceiveError::CutShort) {
                warn!("{error}; it is asked for again");
            }
            io::Error::other(error)
        })?;
        rest.append(&mut self.received);
        self.received = rest;
        self.link.hear();
        self.events.snapshot_received(self.link.id(), received);
        Ok(())
    }
}
