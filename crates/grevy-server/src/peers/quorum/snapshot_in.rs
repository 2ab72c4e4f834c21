//! A snapshot on its way from the leader: written to the disk and loaded at the same time.
//! Source: `Learner.syncWithLeader`, case SNAP.

use crate::config::Storage;
use crate::recovery;
use grevy_proto::quorum::SNAPSHOT_SIGNATURE;
use grevy_proto::{Encode, Zxid};
use grevy_storage::snapshot::SealedSnapshot;
use grevy_storage::{Compression, DiskError, SnapshotWriter, Store};
use grevy_tree::loader::LoadError;
use grevy_tree::{Fed, Loader, Tree, TreeConfig};
use std::fmt;
use std::io;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

/// Chunks that may wait to be loaded; more are left to the socket.
const AHEAD: usize = 8;

/// What it takes to take up snapshots.
#[derive(Clone)]
pub struct Depot {
    /// Where they go.
    pub store: Store,
    /// How they are compressed there.
    pub compression: Compression,
    /// What is written behind them.
    pub storage: Storage,
    /// How trees are set up.
    pub tree: TreeConfig,
    /// The longest string or buffer, in bytes.
    pub field_limit: usize,
}

/// A snapshot that is durable under another name, and its state.
pub struct Received {
    /// The last transaction that is wholly in it.
    pub zxid: Zxid,
    /// Its state.
    pub tree: Tree,
    /// Its file.
    pub file: SealedSnapshot,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Received({})", self.zxid)
    }
}

/// Why there is no snapshot.
#[derive(Debug)]
pub enum ReceiveError {
    /// It cannot be written.
    Disk(DiskError),
    /// It is damaged, or of another format.
    Load(LoadError),
    /// What stands behind it is not the signature.
    Signature,
    /// It ends too early.
    CutShort,
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => write!(f, "the leader's snapshot cannot be stored: {error}"),
            Self::Load(error) => write!(f, "the leader's snapshot cannot be loaded: {error}"),
            Self::Signature => f.write_str("the leader's snapshot lacks its signature"),
            Self::CutShort => f.write_str("the leader's snapshot ends too early"),
        }
    }
}

impl std::error::Error for ReceiveError {}

impl From<DiskError> for ReceiveError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// A snapshot that is being received.
pub(super) struct Incoming {
    chunks: mpsc::Sender<Vec<u8>>,
    done: oneshot::Receiver<Result<(Received, Vec<u8>), ReceiveError>>,
}

impl Incoming {
    /// Starts a thread that takes up the snapshot at `zxid`. No two may have the same `number`.
    ///
    /// # Errors
    /// If there can be no thread.
    pub(super) fn begin(depot: Depot, zxid: Zxid, number: u32) -> io::Result<Self> {
        let (chunks, received) = mpsc::channel(AHEAD);
        let (report, done) = oneshot::channel();
        std::thread::Builder::new()
            .name("take-snapshot".to_owned())
            .spawn(move || {
                // An error means that the link has ended.
                let _ = report.send(depot.take_up(zxid, number, received));
            })?;
        Ok(Self { chunks, done })
    }

    /// Hands over what came. `Err`: it has all that it needs, and this is something else.
    pub(super) async fn feed(&self, chunk: Vec<u8>) -> Result<(), Vec<u8>> {
        self.chunks.send(chunk).await.map_err(|refused| refused.0)
    }

    /// Waits until it has all that it needs, or has failed.
    pub(super) async fn is_full(&self) {
        self.chunks.closed().await;
    }

    /// Waits until the snapshot is durable. Also returns what came behind it.
    pub(super) async fn finish(self) -> Result<(Received, Vec<u8>), ReceiveError> {
        drop(self.chunks);
        self.done.await.unwrap_or(Err(ReceiveError::CutShort))
    }
}

impl Depot {
    fn take_up(
        &self,
        zxid: Zxid,
        number: u32,
        mut chunks: mpsc::Receiver<Vec<u8>>,
    ) -> Result<(Received, Vec<u8>), ReceiveError> {
        let mut writer = self
            .store
            .receive_snapshot(zxid, self.compression, number)?;
        match self.load(zxid, &mut writer, &mut chunks) {
            Ok((tree, rest)) => {
                let trailers = recovery::trailers(&self.storage, zxid, tree.digest());
                let file = writer.seal(trailers)?;
                Ok((Received { zxid, tree, file }, rest))
            }
            Err(error) => {
                // Best effort: the next start removes it, too.
                let _ = writer.abort();
                Err(error)
            }
        }
    }

    /// Reads the body and the signature. Also returns what came behind.
    fn load(
        &self,
        zxid: Zxid,
        writer: &mut SnapshotWriter,
        chunks: &mut mpsc::Receiver<Vec<u8>>,
    ) -> Result<(Tree, Vec<u8>), ReceiveError> {
        let mut loader = Loader::new(self.tree.clone(), zxid).field_limit(self.field_limit);
        let mut rest = loop {
            let mut chunk = chunks.blocking_recv().ok_or(ReceiveError::CutShort)?;
            match loader.feed(&chunk).map_err(ReceiveError::Load)? {
                Fed::More => writer.write(&chunk)?,
                Fed::Done(used) => {
                    writer.write(&chunk[..used])?;
                    break chunk.split_off(used);
                }
            }
        };
        let signature = SNAPSHOT_SIGNATURE.to_bytes();
        while rest.len() < signature.len() {
            rest.extend(chunks.blocking_recv().ok_or(ReceiveError::CutShort)?);
        }
        if !rest.starts_with(&signature) {
            return Err(ReceiveError::Signature);
        }
        rest.drain(..signature.len());
        chunks.close();
        while let Some(chunk) = chunks.blocking_recv() {
            rest.extend(chunk);
        }
        let mut tree = loader.finish().map_err(ReceiveError::Load)?;
        for path in tree.finish_recovery() {
            warn!("{path} has an access control list that the leader's snapshot does not hold");
        }
        Ok((tree, rest))
    }
}
