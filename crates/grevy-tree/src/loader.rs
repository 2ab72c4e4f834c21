//! Building a tree from a snapshot's body: sessions, access control lists, znodes. Source:
//! `SerializeUtils.deserializeSnapshot`, `DataTree.deserialize`.
//!
//! The body may be fuzzy, as the Java server writes it: then a log has to be replayed on the
//! tree before it is a state that ever existed.

use crate::acl_table;
use crate::arena::NO_PARENT;
use crate::tree::{Tree, TreeConfig};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use grevy_proto::{Acl, Decode, DecodeError, Reader, SessionId, StatPersisted, Zxid};

/// Reads a snapshot's body piece by piece.
pub struct Loader {
    tree: Tree,
    part: Part,
    failure: Option<LoadError>,
    /// The start of a record whose end has not come yet.
    carry: Vec<u8>,
    /// How many bytes of the body came before `carry`.
    offset: u64,
    field_limit: usize,
    /// The tree's numbers for the file's.
    acls: BTreeMap<i64, u32>,
    /// The last parent, its path and its id: siblings come one after another.
    parent: (String, u32),
}

/// A [`StatPersisted`] in the body, in bytes.
const STAT_LEN: usize = 60;

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

/// What became of the bytes that a [`Loader`] was fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed {
    /// All are used, and the body goes on.
    More,
    /// The body is complete; this many of the bytes belong to it, the rest follows it.
    Done(usize),
}

impl Loader {
    /// Begins with nothing. `zxid`: the last transaction that is wholly in the snapshot.
    pub fn new(config: TreeConfig, zxid: Zxid) -> Self {
        let mut tree = Tree::without_znodes(config);
        tree.last_zxid = zxid;
        Self {
            tree,
            part: Part::SessionCount,
            failure: None,
            carry: Vec::new(),
            offset: 0,
            field_limit: usize::MAX,
            acls: BTreeMap::new(),
            parent: (String::new(), NO_PARENT),
        }
    }

    /// Sets the longest field, in bytes, that is accepted (`jute.maxbuffer`); without it any.
    #[must_use]
    pub fn field_limit(mut self, limit: usize) -> Self {
        self.field_limit = limit;
        self
    }

    /// Reads the next bytes, however they are cut. After an error there is only that error.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<Fed, LoadError> {
        match &self.failure {
            Some(error) => Err(error.clone()),
            None => self
                .read(chunk)
                .inspect_err(|error| self.failure = Some(error.clone())),
        }
    }

    fn read(&mut self, chunk: &[u8]) -> Result<Fed, LoadError> {
        let mut used = 0;
        // A record that was cut is completed with as few bytes as possible, twice as many each
        // time; what follows it is read where it is.
        while !self.carry.is_empty() {
            let old = self.carry.len();
            let more = chunk[used..].len().min(old.max(64));
            if more == 0 {
                return Ok(Fed::More);
            }
            let mut carry = core::mem::take(&mut self.carry);
            carry.extend_from_slice(&chunk[used..used + more]);
            match self.record(&mut Reader::new(&carry))? {
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
        let mut touched = 0;
        while self.part != Part::End {
            if touched == 0 && self.part == Part::Znodes {
                touched = self.touch_ahead(reader);
            }
            touched -= usize::from(touched > 0);
            match self.record(&mut reader)? {
                Some(len) => {
                    self.offset += len as u64;
                    used += len;
                }
                None => {
                    self.carry.extend_from_slice(reader.rest());
                    return Ok(Fed::More);
                }
            }
        }
        Ok(Fed::Done(used))
    }

    /// Prepares the index for the next few znodes; returns how many. What cannot be read is left
    /// to [`Loader::record`] to say.
    fn touch_ahead(&self, mut reader: Reader<'_>) -> usize {
        const AHEAD: usize = 16;
        let mut touch = || -> Result<(), DecodeError> {
            let path = reader.buffer()?.unwrap_or_default();
            reader.buffer()?;
            reader.take(8 + STAT_LEN)?;
            self.tree.touch(path);
            Ok(())
        };
        (0..AHEAD).take_while(|_| touch().is_ok()).count()
    }

    /// The tree that the body holds. After the log has been replayed on it,
    /// [`Tree::finish_recovery`] is due.
    pub fn finish(mut self) -> Result<Tree, LoadError> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        if self.part != Part::End {
            let offset = self.offset + self.carry.len() as u64;
            return Err(LoadError::Incomplete { offset });
        }
        // The table's lists were held for znodes to come; those that none uses go.
        for &number in self.acls.values() {
            self.tree.acls.release(number);
        }
        Ok(self.tree)
    }

    /// Reads one record and returns its length; `None`, and reads nothing, if it is cut.
    fn record(&mut self, reader: &mut Reader<'_>) -> Result<Option<usize>, LoadError> {
        let mut ahead = *reader;
        let result = match self.part {
            Part::SessionCount => ahead.int().map(|count| self.part = Part::sessions(count)),
            Part::Sessions(left) => self.session(left, &mut ahead),
            Part::AclCount => ahead.int().map(|count| self.part = Part::acls(count)),
            Part::Acls(left) => self.acl(left, &mut ahead),
            Part::Znodes => match self.read_znode(&mut ahead) {
                Ok(Some(znode)) => {
                    self.znode(&znode)?;
                    Ok(())
                }
                Ok(None) if self.tree.find("").is_none() => return Err(LoadError::NoRoot),
                Ok(None) => {
                    self.part = Part::End;
                    Ok(())
                }
                Err(error) => Err(error),
            },
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

    fn session(&mut self, left: i32, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let session = SessionId::decode(reader)?;
        self.tree.sessions.insert(session, reader.int()?);
        self.part = Part::sessions(left - 1);
        Ok(())
    }

    fn acl(&mut self, left: i32, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let id = reader.long()?;
        if reader.rest().starts_with(&[0xff; 4]) {
            return Err(DecodeError::Null);
        }
        let list = Vec::<Acl>::decode(reader)?;
        let number = self.tree.acls.intern(&list);
        if let Some(old) = self.acls.insert(id, number) {
            self.tree.acls.release(old);
        }
        self.part = Part::acls(left - 1);
        Ok(())
    }

    fn read_znode<'a>(&self, reader: &mut Reader<'a>) -> Result<Option<Record<'a>>, DecodeError> {
        let path = Cow::decode(reader)?;
        if path == "/" {
            return Ok(None);
        }
        let record = Record {
            path,
            data: reader.buffer()?,
            acl: reader.long()?,
            stat: StatPersisted::decode(reader)?,
        };
        // Fields that are whole have passed no check yet.
        let longest = record.path.len().max(record.data.unwrap_or_default().len());
        match longest > self.field_limit {
            true => Err(DecodeError::Truncated {
                needed: longest,
                left: longest,
            }),
            false => Ok(Some(record)),
        }
    }

    fn znode(&mut self, record: &Record<'_>) -> Result<(), LoadError> {
        let path = &*record.path;
        let parent = match path.rsplit_once('/') {
            // The root has the empty path.
            None if path.is_empty() => NO_PARENT,
            None => return Err(LoadError::NoParent(path.into())),
            Some((_, "")) => return Err(LoadError::NoParent(path.into())),
            Some((parent, _)) if self.parent.1 != NO_PARENT && self.parent.0 == parent => {
                self.parent.1
            }
            Some((parent, _)) => {
                let id = self.tree.find(parent);
                let id = id.ok_or_else(|| LoadError::NoParent(path.into()))?;
                self.parent.0.clear();
                self.parent.0.push_str(parent);
                self.parent.1 = id;
                id
            }
        };
        if self.tree.find(path).is_some() {
            return Err(LoadError::Duplicate(path.into()));
        }
        let acl = match record.acl {
            -1 => acl_table::OPEN,
            id => {
                let acls = &mut self.tree.acls;
                let number = *self.acls.entry(id).or_insert_with(|| acls.add_unknown());
                acls.retain(number);
                number
            }
        };
        self.tree
            .insert(parent, path, record.data, acl, &record.stat);
        Ok(())
    }
}

/// A znode as it stands in the body.
struct Record<'a> {
    path: Cow<'a, str>,
    data: Option<&'a [u8]>,
    acl: i64,
    stat: StatPersisted,
}

/// Why a snapshot's body could not be loaded. Another snapshot has to be tried, with a loader
/// of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadError {
    /// A field is malformed.
    Field {
        /// Where the record with the field begins, in bytes from the start of the body.
        offset: u64,
        /// What is wrong.
        error: DecodeError,
    },
    /// A field is longer than the limit.
    TooLong {
        /// Where the record with the field begins, in bytes from the start of the body.
        offset: u64,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// There are no znodes, not even the root.
    NoRoot,
    /// A znode comes before its parent, or what should be its path is none.
    NoParent(Box<str>),
    /// A znode comes twice.
    Duplicate(Box<str>),
    /// The input ends before the body does.
    Incomplete {
        /// How many bytes there were.
        offset: u64,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { offset, error } => {
                write!(
                    f,
                    "the snapshot's record at byte {offset} is damaged: {error}"
                )
            }
            Self::TooLong { offset, len, limit } => write!(
                f,
                "a field of {len} bytes in the snapshot's record at byte {offset} is longer than \
                 {limit} bytes; raise jute.maxbuffer if the data is right"
            ),
            Self::NoRoot => f.write_str("the snapshot has no znodes"),
            Self::NoParent(path) => {
                write!(f, "the snapshot's znode {path:?} has no parent before it")
            }
            Self::Duplicate(path) => write!(f, "the znode {path:?} is in the snapshot twice"),
            Self::Incomplete { offset } => {
                write!(
                    f,
                    "the snapshot ends early, after {offset} bytes of its body"
                )
            }
        }
    }
}

impl core::error::Error for LoadError {}
