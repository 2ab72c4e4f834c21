//! From bytes to batches.

use super::LoadError;
use super::batch::{Batch, Record};
use crate::blobs::Rooms;
use crate::digest::node_digest;
use crate::index::PathHasher;
use crate::tree::{Sums, TreeConfig, split_path};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use grevy_proto::{Acl, Decode, DecodeError, Reader, SessionId, StatPersisted};

/// Decodes a snapshot's body piece by piece, and computes what can be without the tree.
pub struct BodyDecoder {
    part: Part,
    failed: bool,
    /// The start of a record whose end has not come yet.
    carry: Vec<u8>,
    /// How many bytes of the body came before `carry`.
    offset: u64,
    field_limit: usize,
    hasher: PathHasher,
    digest: bool,
    rooms: Rooms,
    /// How many there were.
    znodes: u64,
    /// How long the body is, if that is known and of use yet.
    len: Option<u64>,
}

/// From this part of the body on it can be told how many znodes there will be. It bounds by how
/// much that can be wrong: znodes that are shorter than all others come first.
const SAMPLE: u64 = 16;

/// What comes next in the body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    SessionCount,
    /// At least one; so many are left.
    Sessions(i32),
    AclCount,
    /// Likewise.
    Acls(i32),
    Znodes,
    End,
}

impl Part {
    fn sessions(left: i32) -> Self {
        if left > 0 {
            Self::Sessions(left)
        } else {
            Self::AclCount
        }
    }

    fn acls(left: i32) -> Self {
        if left > 0 {
            Self::Acls(left)
        } else {
            Self::Znodes
        }
    }
}

/// What became of the bytes that a [`BodyDecoder`] was fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// All are used, and the body goes on.
    More,
    /// The batch is full; this many of the bytes are used.
    Full(usize),
    /// The batch is the last one: the body is complete, or damaged, as who builds the batch will
    /// find. This many of the bytes belong to the body.
    Last(usize),
}

impl BodyDecoder {
    /// For a tree with this configuration.
    pub fn new(config: &TreeConfig) -> Self {
        Self {
            part: Part::SessionCount,
            failed: false,
            carry: Vec::new(),
            offset: 0,
            field_limit: usize::MAX,
            hasher: PathHasher::new(config.hash_seed),
            digest: config.digest,
            rooms: Rooms::default(),
            znodes: 0,
            len: None,
        }
    }

    /// Sets the longest field, in bytes, that is accepted (`jute.maxbuffer`); without it any.
    #[must_use]
    pub fn field_limit(mut self, limit: usize) -> Self {
        self.field_limit = limit;
        self
    }

    /// Tells about how many bytes the body has, so that room can be made at once.
    pub fn expect(&mut self, len: u64) {
        self.len = Some(len);
    }

    /// Reads the next bytes, however they are cut, into `batch`, behind what it holds. A batch
    /// that is full has to be built, or another taken. After [`Decoded::Last`] nothing is read.
    pub fn feed(&mut self, chunk: &[u8], batch: &mut Batch) -> Decoded {
        if self.failed {
            return Decoded::Last(0);
        }
        self.read(chunk, batch).unwrap_or_else(|error| {
            self.failed = true;
            batch.end = Some(Err(error));
            Decoded::Last(0)
        })
    }

    /// Whether the body has come to its end.
    pub(super) fn is_done(&self) -> bool {
        self.part == Part::End
    }

    /// How many bytes came.
    pub(super) fn offset(&self) -> u64 {
        self.offset + self.carry.len() as u64
    }

    fn read(&mut self, chunk: &[u8], batch: &mut Batch) -> Result<Decoded, LoadError> {
        let mut used = 0;
        // A record that was cut is completed with as few bytes as possible, twice as many each
        // time; what follows it is read where it is.
        while !self.carry.is_empty() {
            let old = self.carry.len();
            let more = chunk[used..].len().min(old.max(64));
            if more == 0 {
                return Ok(Decoded::More);
            }
            let mut carry = core::mem::take(&mut self.carry);
            carry.extend_from_slice(&chunk[used..used + more]);
            match self.record(&mut Reader::new(&carry), batch)? {
                Some(len) => {
                    self.offset += len as u64;
                    used += len - old;
                }
                None => {
                    self.carry = carry;
                    used += more;
                }
            }
        }
        let mut reader = Reader::new(&chunk[used..]);
        while self.part != Part::End {
            if batch.is_full() {
                self.estimate(batch);
                return Ok(Decoded::Full(used));
            }
            match self.record(&mut reader, batch)? {
                Some(len) => {
                    self.offset += len as u64;
                    used += len;
                }
                None => {
                    self.carry.extend_from_slice(reader.rest());
                    return Ok(Decoded::More);
                }
            }
        }
        Ok(Decoded::Last(used))
    }

    fn estimate(&mut self, batch: &mut Batch) {
        if let Some(len) = self.len
            && self.offset >= len / SAMPLE
        {
            self.len = None;
            let znodes = u128::from(self.znodes) * u128::from(len) / u128::from(self.offset.max(1));
            batch.expected = usize::try_from(znodes).ok();
        }
    }

    /// Reads one record and returns its length; `None`, and reads nothing, if it is cut.
    fn record(
        &mut self,
        reader: &mut Reader<'_>,
        batch: &mut Batch,
    ) -> Result<Option<usize>, LoadError> {
        let mut ahead = *reader;
        let result = match self.part {
            Part::SessionCount => ahead.int().map(|count| self.part = Part::sessions(count)),
            Part::Sessions(left) => self.session(left, &mut ahead, batch),
            Part::AclCount => ahead.int().map(|count| self.part = Part::acls(count)),
            Part::Acls(left) => self.acl(left, &mut ahead, batch),
            Part::Znodes => self.znode(&mut ahead, batch),
            Part::End => Ok(()),
        };
        let offset = self.offset;
        match result {
            Ok(()) => {
                let len = reader.rest().len() - ahead.rest().len();
                *reader = ahead;
                Ok(Some(len))
            }
            Err(DecodeError::Truncated { needed, .. }) if needed > self.field_limit => {
                Err(LoadError::TooLong {
                    offset,
                    len: needed,
                    limit: self.field_limit,
                })
            }
            Err(DecodeError::Truncated { .. }) => Ok(None),
            Err(error) => Err(LoadError::Field { offset, error }),
        }
    }

    fn session(
        &mut self,
        left: i32,
        reader: &mut Reader<'_>,
        batch: &mut Batch,
    ) -> Result<(), DecodeError> {
        let session = SessionId::decode(reader)?;
        batch.sessions.push((session, reader.int()?));
        self.part = Part::sessions(left - 1);
        Ok(())
    }

    fn acl(
        &mut self,
        left: i32,
        reader: &mut Reader<'_>,
        batch: &mut Batch,
    ) -> Result<(), DecodeError> {
        let id = reader.long()?;
        if reader.rest().starts_with(&[0xff; 4]) {
            return Err(DecodeError::Null);
        }
        batch.acls.push((id, Vec::<Acl>::decode(reader)?));
        self.part = Part::acls(left - 1);
        Ok(())
    }

    fn znode(&mut self, reader: &mut Reader<'_>, batch: &mut Batch) -> Result<(), DecodeError> {
        let path = Cow::decode(reader)?;
        if path == "/" {
            batch.end = Some(Ok(()));
            self.part = Part::End;
            return Ok(());
        }
        let data = reader.buffer()?;
        let acl = reader.long()?;
        let stat = StatPersisted::decode(reader)?;
        // Fields that are whole have passed no check yet.
        let longest = path.len().max(data.unwrap_or_default().len());
        if longest > self.field_limit {
            return Err(DecodeError::Truncated {
                needed: longest,
                left: longest,
            });
        }
        let sums = Sums {
            hash: self.hasher.hash(path.as_bytes()),
            digest: match self.digest {
                true => node_digest(&path, data, &stat),
                false => 0,
            },
        };
        let name = split_path(&path).map_or(0, |(_, name)| name.len());
        let rooms = &mut self.rooms;
        batch
            .rooms
            .extend(rooms.next(name + data.unwrap_or_default().len()));
        self.znodes += 1;
        batch.paths.push_str(&path);
        batch.data.extend_from_slice(data.unwrap_or_default());
        batch.znodes.push(Record {
            path_len: path.len(),
            data_len: data.map(<[u8]>::len),
            acl,
            stat,
            sums,
        });
        Ok(())
    }
}
