//! Bytes on their way to a log file, in whole blocks.

use crate::disk::BLOCK;

/// What is to be written, from the begin of a block of the file on. It begins at a multiple of
/// [`BLOCK`] in memory too, so that the disk can fetch it from there.
///
/// A file rarely ends at a block's begin, so the first bytes are mostly such that the file has
/// already: [`held`](Self::held) of them.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// The bytes, behind a gap that brings them to a multiple of [`BLOCK`].
    bytes: Vec<u8>,
    gap: usize,
    held: usize,
}

impl Blocks {
    /// Room for `more` bytes; what is pushed within it stays aligned.
    pub(super) fn room(&mut self, more: usize) -> &mut Vec<u8> {
        if self.bytes.capacity() - self.bytes.len() < more {
            self.grow(more);
        }
        &mut self.bytes
    }

    fn grow(&mut self, more: usize) {
        let old = self.bytes.get(self.gap..).unwrap_or_default();
        let mut bytes: Vec<u8> = Vec::with_capacity(BLOCK + 2 * (old.len() + more));
        let gap = bytes.as_ptr().align_offset(BLOCK).min(BLOCK);
        bytes.resize(gap, 0);
        bytes.extend_from_slice(old);
        (self.bytes, self.gap) = (bytes, gap);
    }

    /// Bytes that the file does not have yet.
    pub(super) fn pending(&self) -> usize {
        self.bytes.len() - self.gap - self.held
    }

    /// Bytes at the begin that the file has already.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Fills up with zeros: `ahead` of them, and as many as the last block lacks.
    pub(super) fn pad(&mut self, ahead: usize) -> &[u8] {
        let filled = self.bytes.len() - self.gap;
        let len = (filled + ahead).next_multiple_of(BLOCK);
        self.room(len - filled);
        self.bytes.resize(self.gap + len, 0);
        self.bytes.get(self.gap..).unwrap_or_default()
    }

    /// All up to `end`, counted from the first byte, is in the file now: keeps what its last
    /// block has.
    pub(super) fn written(&mut self, end: usize) {
        self.bytes.truncate(self.gap + end);
        let whole = end - end % BLOCK;
        self.bytes.drain(self.gap..self.gap + whole);
        self.held = end - whole;
    }

    /// Drops what the file does not have.
    pub(super) fn discard_pending(&mut self) {
        self.bytes.truncate(self.gap + self.held);
    }

    /// Another file: its last block begins with `held`.
    pub(super) fn hold(&mut self, held: &[u8]) {
        self.bytes.truncate(self.gap);
        self.room(held.len()).extend_from_slice(held);
        self.held = held.len();
    }

    /// Gives back memory beyond `most` bytes, after a large batch.
    pub(super) fn shrink_to(&mut self, most: usize) {
        if self.bytes.capacity() > most {
            let held = self.bytes.get(self.gap..).unwrap_or_default().to_vec();
            *self = Self {
                held: self.held,
                ..Self::default()
            };
            self.room(held.len()).extend_from_slice(&held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_aligned(bytes: &[u8]) -> bool {
        bytes.as_ptr().addr().is_multiple_of(BLOCK) && bytes.len().is_multiple_of(BLOCK)
    }

    #[test]
    fn what_is_written_is_whole_and_aligned_blocks() {
        let mut blocks = Blocks::default();
        let mut file = Vec::new();
        let mut content = Vec::new();
        let lengths = [1, 10, 4000, 85, 1, 4095, 4096, 100_000, 3, 1 << 20, 5];
        for (n, len) in lengths.into_iter().enumerate() {
            let more = vec![n as u8 + 1; len];
            blocks.room(len).extend_from_slice(&more);
            content.extend_from_slice(&more);
            assert_eq!(blocks.pending(), len);
            let end = blocks.held() + len;
            let at = content.len() - end;
            let written = blocks.pad(if n % 2 == 0 { 0 } else { 10_000 });
            assert!(is_aligned(written) && at.is_multiple_of(BLOCK));
            file.truncate(at);
            file.extend_from_slice(written);
            blocks.written(end);
            assert_eq!(file[..content.len()], content);
            assert!(file[content.len()..].iter().all(|byte| *byte == 0));
            blocks.shrink_to(64 << 10);
            assert!(blocks.bytes.capacity() <= 64 << 10);
        }
    }

    #[test]
    fn another_file_is_gone_on_with() {
        let mut blocks = Blocks::default();
        blocks.room(5000).extend_from_slice(&[1; 5000]);
        blocks.hold(b"end");
        assert_eq!((blocks.held(), blocks.pending()), (3, 0));
        blocks.room(4).extend_from_slice(b"more");
        blocks.discard_pending();
        blocks.room(4).extend_from_slice(b"MORE");
        assert_eq!(blocks.pad(0)[..8], *b"endMORE\0");
    }
}
