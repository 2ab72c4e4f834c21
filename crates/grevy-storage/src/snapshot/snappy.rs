//! The stream format of the Java library `snappy-java`: a header of 16 bytes, then blocks of a
//! length and raw snappy data. Not the standard framing of snappy.

use snap::raw::{Decoder, Encoder, decompress_len};

/// The header: magic, version 1, lowest compatible version 1.
pub(super) const HEADER: [u8; 16] = [
    0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1,
];
/// Its first bytes, by which Java tells a file that may be whole.
pub(super) const MAGIC_LEN: usize = 8;

/// Uncompressed bytes in a block.
const BLOCK: usize = 32 << 10;
/// The largest block that is believed, in bytes, compressed or not.
const MAX_BLOCK: usize = 64 << 20;

/// Cuts a stream into blocks.
pub(super) struct BlockWriter {
    encoder: Encoder,
    pending: Vec<u8>,
    block: Vec<u8>,
}

impl BlockWriter {
    pub(super) fn new() -> Self {
        Self {
            encoder: Encoder::new(),
            pending: Vec::new(),
            block: Vec::new(),
        }
    }

    /// Takes `data`; appends whole blocks to `out`.
    pub(super) fn write(&mut self, mut data: &[u8], out: &mut Vec<u8>) -> Result<(), snap::Error> {
        while !data.is_empty() {
            let (head, rest) = data.split_at(data.len().min(BLOCK - self.pending.len()));
            self.pending.extend_from_slice(head);
            data = rest;
            if self.pending.len() == BLOCK {
                self.flush(out)?;
            }
        }
        Ok(())
    }

    /// Appends what is left as a last block.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), snap::Error> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.block
            .resize(snap::raw::max_compress_len(self.pending.len()), 0);
        let len = self.encoder.compress(&self.pending, &mut self.block)?;
        out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(self.block.get(..len).unwrap_or_default());
        self.pending.clear();
        Ok(())
    }
}

/// The compressed length that stands before a block, if it can be believed.
pub(super) fn block_len(prefix: [u8; 4]) -> Option<usize> {
    let len = usize::try_from(i32::from_be_bytes(prefix)).ok()?;
    (1..=MAX_BLOCK).contains(&len).then_some(len)
}

/// Appends a block, uncompressed, to `out`.
pub(super) fn read_block(block: &[u8], out: &mut Vec<u8>) -> Result<(), snap::Error> {
    let len = decompress_len(block)?;
    if len > MAX_BLOCK {
        return Err(snap::Error::TooBig {
            given: len as u64,
            max: MAX_BLOCK as u64,
        });
    }
    let start = out.len();
    out.resize(start + len, 0);
    let written = Decoder::new().decompress(block, &mut out[start..])?;
    out.truncate(start + written);
    Ok(())
}
