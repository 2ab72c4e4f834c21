//! A snapshot that comes from the leader: it goes to a file under another name and into a tree of
//! its own, and both take the server's place once all of it is there.

use super::Server;
use super::snapshots::trailers;
use crate::net::LinkId;
use crate::world::Context;
use grevy_proto::quorum::SNAPSHOT_SIGNATURE;
use grevy_proto::{Encode, Zxid};
use grevy_storage::snapshot::{SealedSnapshot, SnapshotWriter};
use grevy_storage::{Compression, DiskError, Store};
use grevy_tree::{Fed, Loader, Tree, TreeConfig};

/// A snapshot on its way.
pub struct Receiving {
    zxid: Zxid,
    loader: Loader,
    writer: SnapshotWriter,
    /// The body has ended; the signature follows.
    is_loaded: bool,
    failure: Option<Failure>,
}

/// A snapshot that is whole, and not in place.
pub struct Received {
    pub(super) zxid: Zxid,
    pub(super) sealed: SealedSnapshot,
    pub(super) tree: Tree,
    /// Whose it was.
    pub(super) from: usize,
}

/// Why it leads to nothing.
pub(super) enum Failure {
    /// It cannot be read.
    Bad(String),
    /// The disk failed.
    Disk(DiskError),
}

/// How far it has come.
pub(super) enum Progress {
    /// More has to come.
    More,
    /// All is there.
    Done,
}

impl Receiving {
    pub(super) fn begin(
        store: &Store,
        config: &TreeConfig,
        zxid: Zxid,
        number: u32,
        compression: Compression,
    ) -> Result<Self, DiskError> {
        Ok(Self {
            zxid,
            loader: Loader::new(config.clone(), zxid),
            writer: store.receive_snapshot(zxid, compression, number)?,
            is_loaded: false,
            failure: None,
        })
    }

    /// Whether only the signature is missing.
    pub(super) fn is_loaded(&self) -> bool {
        self.is_loaded
    }

    /// Takes what belongs to it; how many bytes that were.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> (Progress, usize) {
        if self.is_loaded {
            let signature = SNAPSHOT_SIGNATURE.to_bytes();
            return match bytes.get(..signature.len()) {
                None => (Progress::More, 0),
                Some(got) => {
                    if got != signature {
                        self.failure = Some(Failure::Bad("the signature is missing".into()));
                    }
                    (Progress::Done, signature.len())
                }
            };
        }
        let used = match self.loader.feed(bytes) {
            Ok(Fed::More) => bytes.len(),
            Ok(Fed::Done(used)) => {
                self.is_loaded = true;
                used
            }
            Err(error) => {
                self.failure = Some(Failure::Bad(error.to_string()));
                return (Progress::Done, 0);
            }
        };
        match self.writer.write(&bytes[..used]) {
            Ok(()) => (Progress::More, used),
            Err(error) => {
                self.failure = Some(Failure::Disk(error));
                (Progress::Done, used)
            }
        }
    }

    fn finish(self, digests: bool, from: usize) -> Result<Received, Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let tree = self.loader.finish();
        let tree = tree.map_err(|error| Failure::Bad(error.to_string()))?;
        let trailers = trailers(digests, self.zxid, tree.digest());
        let sealed = self.writer.seal(trailers).map_err(Failure::Disk)?;
        Ok(Received {
            zxid: self.zxid,
            sealed,
            tree,
            from,
        })
    }
}

impl Server {
    /// A part of a snapshot came; whether what was read may hold more.
    pub(super) fn received(&mut self, ctx: &mut Context, link: LinkId, progress: Progress) -> bool {
        let now = self.now_of(ctx);
        let Some(end) = self.run.as_mut().and_then(|run| run.quorum.get_mut(&link)) else {
            return false;
        };
        let Progress::Done = progress else {
            return end.is_at_signature();
        };
        let Some(receiving) = end.receiving.take() else {
            return false;
        };
        let (zxid, from) = (receiving.zxid, end.other);
        match receiving.finish(ctx.options.digest, from) {
            Ok(received) => {
                ctx.counts.did("snapshots received");
                trace!(
                    ctx.trace,
                    ctx.schedule.now(),
                    "s{} received snapshot {zxid}",
                    self.index
                );
                if let Some(run) = &mut self.run {
                    run.received = Some(received);
                }
                let name = super::quorum::name_of(link);
                self.with_node(ctx, |node, _, _| node.snapshot_received(now, name, zxid));
                true
            }
            Err(_) if self.power_is_off(ctx) => false,
            Err(failure) => {
                match failure {
                    Failure::Bad(why) => {
                        let what = format!("a snapshot that cannot be read: {why}");
                        ctx.history.violate("P29", what);
                    }
                    Failure::Disk(error) if !self.faulted => {
                        let what = format!("a snapshot was not received: {error}");
                        ctx.history.violate("P27", what);
                    }
                    Failure::Disk(_) => {}
                }
                ctx.reset(link);
                false
            }
        }
    }
}
