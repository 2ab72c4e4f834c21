//! A file as the body of an answer, read where no other task waits for the disk.

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;
/// Chunks that are read ahead of the client.
const AHEAD: usize = 2;

/// See the module's text.
#[derive(Debug)]
pub(super) struct FileBody {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
}

impl FileBody {
    /// The next `len` bytes of the file, which must not become shorter.
    pub(super) fn new(file: File, len: u64) -> Self {
        let (sender, chunks) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || read(file, len, &sender));
        Self { chunks, left: len }
    }
}

/// Reads until the end, or until nobody wants it any more.
fn read(mut file: File, mut left: u64, sender: &mpsc::Sender<io::Result<Bytes>>) {
    while left > 0 {
        let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK))];
        let result = file.read_exact(&mut chunk).map(|()| Bytes::from(chunk));
        let len = match &result {
            Ok(chunk) => chunk.len() as u64,
            Err(_) => left,
        };
        left -= len;
        if sender.blocking_send(result).is_err() {
            return;
        }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.chunks.poll_recv(cx).map(|chunk| {
            let chunk = chunk?;
            if let Ok(chunk) = &chunk {
                self.left = self.left.saturating_sub(chunk.len() as u64);
            }
            Some(chunk.map(Frame::data))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
