//! Seals, and the two blocks that may follow the body.

use grevy_proto::{DecodeError, Encode, Reader, Zxid};
use simd_adler32::Adler32;

/// The checksum of all before it, and the text `/`.
pub(super) const SEAL_LEN: usize = 13;
/// The end of a seal, by which Java tells a file that may be whole.
pub(super) const SEAL_END: [u8; 5] = [0, 0, 0, 1, b'/'];
/// The block with the last zxid, and its seal.
const LAST_LEN: usize = 8 + SEAL_LEN;
/// More than all trailers together can have; the digest as text has at most 16 digits.
pub(super) const MAX_TRAILERS: usize = 128;

/// What to write behind the body. The last zxid alone is not among the choices: no Java server
/// in its default setting reads that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trailers {
    /// The seal only. Every version reads this.
    None,
    /// The digest (`digest.enabled`).
    Digest {
        /// The transaction after which the tree had that digest.
        zxid: Zxid,
        /// The digest, version 2.
        digest: i64,
    },
    /// The digest and the last zxid (`serializeLastProcessedZxid.enabled`); the default.
    All {
        /// The transaction after which the tree had that digest.
        zxid: Zxid,
        /// The digest, version 2.
        digest: i64,
        /// The last transaction that the tree holds any part of.
        last_zxid: Zxid,
    },
}

/// A digest that was found behind a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The transaction after which the tree had it; 0 if there was none.
    pub zxid: Zxid,
    /// Which algorithm; 2.
    pub version: i32,
    /// The digest.
    pub value: DigestValue,
}

/// A digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestValue {
    /// Version 2 and later.
    Number(i64),
    /// Version 1: hexadecimal digits.
    Text(String),
}

/// Appends the seal over all that `sum` has seen, and lets `sum` see it.
pub(super) fn seal(sum: &mut Adler32, out: &mut Vec<u8>) {
    let start = out.len();
    i64::from(sum.finish()).encode(out);
    out.extend_from_slice(&SEAL_END);
    sum.write(out.get(start..).unwrap_or_default());
}

/// Appends the seal of the body and the chosen blocks with theirs.
pub(super) fn put(trailers: Trailers, sum: &mut Adler32, out: &mut Vec<u8>) {
    seal(sum, out);
    let (zxid, digest, last) = match trailers {
        Trailers::None => return,
        Trailers::Digest { zxid, digest } => (zxid, digest, None),
        Trailers::All {
            zxid,
            digest,
            last_zxid,
        } => (zxid, digest, Some(last_zxid)),
    };
    let mut block = zxid.to_bytes();
    grevy_proto::txn::DIGEST_VERSION.encode(&mut block);
    digest.encode(&mut block);
    sum.write(&block);
    out.extend_from_slice(&block);
    seal(sum, out);
    if let Some(last) = last {
        let block = last.to_bytes();
        sum.write(&block);
        out.extend_from_slice(&block);
        seal(sum, out);
    }
}

/// Why trailers are not right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrailerError {
    /// A seal's checksum is wrong.
    Seal,
    /// The bytes are not trailers.
    Format(DecodeError),
}

impl From<DecodeError> for TrailerError {
    fn from(error: DecodeError) -> Self {
        Self::Format(error)
    }
}

/// Reads all that follows the body; `sum` has seen what precedes it. What there is follows from
/// the lengths, as no block says what it is.
pub(super) fn parse(
    bytes: &[u8],
    mut sum: Adler32,
) -> Result<(Option<Digest>, Option<Zxid>), TrailerError> {
    let mut reader = Reader::new(bytes);
    check_seal(&mut reader, &mut sum)?;
    let mut digest = None;
    if !matches!(reader.rest().len(), 0 | LAST_LEN) {
        let block = reader.rest();
        let zxid = Zxid(reader.long()?);
        let version = reader.int()?;
        let value = match version {
            ..2 => DigestValue::Text(reader.string()?.ok_or(DecodeError::Null)?.into_owned()),
            2.. => DigestValue::Number(reader.long()?),
        };
        sum.write(
            block
                .get(..block.len() - reader.rest().len())
                .unwrap_or_default(),
        );
        check_seal(&mut reader, &mut sum)?;
        digest = Some(Digest {
            zxid,
            version,
            value,
        });
    }
    let mut last = None;
    if !reader.is_empty() {
        let block = reader.take(8)?;
        sum.write(block);
        last = Some(Zxid(Reader::new(block).long()?));
        check_seal(&mut reader, &mut sum)?;
    }
    reader.finish()?;
    Ok((digest, last))
}

/// Java checks the sum and reads the text over.
fn check_seal(reader: &mut Reader<'_>, sum: &mut Adler32) -> Result<(), TrailerError> {
    let start = reader.rest();
    let found = reader.long()?;
    if found != i64::from(sum.finish()) {
        return Err(TrailerError::Seal);
    }
    reader.buffer()?;
    sum.write(
        start
            .get(..start.len() - reader.rest().len())
            .unwrap_or_default(),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: Trailers = Trailers::Digest {
        zxid: Zxid(5),
        digest: -3,
    };
    const ALL: Trailers = Trailers::All {
        zxid: Zxid(5),
        digest: -3,
        last_zxid: Zxid(6),
    };

    #[test]
    fn every_combination_is_told_by_its_length() {
        let digest = Digest {
            zxid: Zxid(5),
            version: 2,
            value: DigestValue::Number(-3),
        };
        for (trailers, len, expected) in [
            (Trailers::None, 13, (None, None)),
            (DIGEST, 13 + 33, (Some(digest.clone()), None)),
            (ALL, 13 + 54, (Some(digest), Some(Zxid(6)))),
        ] {
            let mut out = Vec::new();
            put(trailers, &mut Adler32::new(), &mut out);
            assert_eq!(out.len(), len);
            assert_eq!(out[out.len() - 5..], SEAL_END);
            assert_eq!(parse(&out, Adler32::new()), Ok(expected));
        }
    }

    #[test]
    fn the_last_zxid_alone_and_digests_as_text_are_read() {
        let with = |digest: Option<&str>, last: Option<i64>| {
            let mut sum = Adler32::new();
            let mut out = Vec::new();
            seal(&mut sum, &mut out);
            let mut block = |block: Vec<u8>| {
                sum.write(&block);
                out.extend_from_slice(&block);
                seal(&mut sum, &mut out);
            };
            if let Some(digest) = digest {
                let mut bytes = Zxid(5).to_bytes();
                1i32.encode(&mut bytes);
                digest.encode(&mut bytes);
                block(bytes);
            }
            if let Some(last) = last {
                block(last.to_bytes());
            }
            parse(&out, Adler32::new()).unwrap()
        };
        assert_eq!(with(None, Some(7)), (None, Some(Zxid(7))));
        for text in ["", "0", "1a2b", "ffffffffffffffff"] {
            for last in [None, Some(7)] {
                let (digest, found) = with(Some(text), last);
                assert_eq!(digest.unwrap().value, DigestValue::Text(text.into()));
                assert_eq!(found, last.map(Zxid));
            }
        }
    }

    #[test]
    fn every_flipped_bit_of_a_sum_or_block_is_seen() {
        let mut out = Vec::new();
        put(ALL, &mut Adler32::new(), &mut out);
        for bit in 0..out.len() * 8 {
            let mut rotten = out.clone();
            rotten[bit / 8] ^= 0x80 >> (bit % 8);
            let in_last_text = bit / 8 == out.len() - 1;
            assert_eq!(
                parse(&rotten, Adler32::new()).is_err(),
                !in_last_text,
                "bit {bit}"
            );
        }
    }
}
