//! A snapshot on its way to a learner. Source: `LearnerHandler.run`,
//! `SerializeUtils.serializeSnapshot`.

use grevy_proto::quorum::SNAPSHOT_SIGNATURE;
use grevy_proto::{Encode, Zxid};
use grevy_storage::{Rejected, Store};
use std::io;
use tokio::sync::mpsc::{Receiver, channel};

/// Chunks of a MiB that are read ahead.
const AHEAD: usize = 2;

/// Reads the snapshot at `zxid` in a thread of its own; no item in it may be longer than
/// `max_item` bytes. The signature comes behind a snapshot that is whole, an error behind one
/// that is not.
///
/// # Errors
/// If there can be no thread.
pub(super) fn read(
    store: Store,
    zxid: Zxid,
    max_item: usize,
) -> io::Result<Receiver<io::Result<Vec<u8>>>> {
    let (chunks, received) = channel(AHEAD);
    std::thread::Builder::new()
        .name("send-snapshot".to_owned())
        .spawn(move || {
            let read = store.read_snapshot(zxid, max_item, &mut |chunk| {
                let sent = chunks.blocking_send(Ok(chunk.to_vec()));
                sent.map_err(|_| Rejected("nobody wants it any more".to_owned()))
            });
            let last = match read {
                Ok(()) => Ok(SNAPSHOT_SIGNATURE.to_bytes()),
                Err(error) => Err(io::Error::other(format!(
                    "snapshot {zxid} cannot be sent: {error}"
                ))),
            };
            // An error means that the link has ended.
            let _ = chunks.blocking_send(last);
        })?;
    Ok(received)
}
