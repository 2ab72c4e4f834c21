//! What a snapshot's body says, item by item: for tools and tests. A server's own loader may
//! know better ways to keep what it reads.
//! Source: `SerializeUtils.deserializeSnapshot`, `DataTree.deserialize`.

use super::Fed;
use crate::recovery::Rejected;
use grevy_proto::{Acl, Decode, DecodeError, Reader, SessionId, StatPersisted};
use std::borrow::Cow;

/// Something in a body, in this order: sessions, lists, nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'a> {
    /// A session that was open.
    Session {
        /// Which.
        id: SessionId,
        /// Its timeout in ms.
        timeout: i32,
    },
    /// An access control list.
    Acl {
        /// What nodes call it in this file.
        id: i64,
        /// The list.
        list: Vec<Acl>,
    },
    /// A node; parents come before their children.
    Node {
        /// Its path; empty for the root.
        path: Cow<'a, str>,
        /// Its data.
        data: Option<&'a [u8]>,
        /// Its list, or -1 for everybody.
        acl: i64,
        /// Its metadata.
        stat: StatPersisted,
    },
}

/// Takes a body in pieces and gives its items. For [`read`](super::read).
#[derive(Debug, Default)]
pub struct BodyParser {
    state: State,
    /// The beginning of an item whose end has not come yet.
    held: Vec<u8>,
    /// The longest piece that one item may have; 0: [`DEFAULT_MAX_ITEM`].
    max_item: usize,
}

/// Longer than any node that a default Java server reads back: two fields of twice
/// `jute.maxbuffer` each.
pub const DEFAULT_MAX_ITEM: usize = 8 << 20;

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    SessionCount,
    Sessions(usize),
    AclCount,
    Acls(usize),
    Nodes,
    Done,
}

impl BodyParser {
    /// A parser of items of up to `max_item` bytes.
    pub fn new(max_item: usize) -> Self {
        Self {
            max_item,
            ..Self::default()
        }
    }

    /// Takes the next bytes, and gives every item that ends in them.
    pub fn feed(
        &mut self,
        chunk: &[u8],
        item: &mut dyn FnMut(Item<'_>) -> Result<(), Rejected>,
    ) -> Result<Fed, Rejected> {
        if self.held.is_empty() {
            let left = self.parse(chunk, item)?;
            let used = chunk.len() - left.len();
            if let State::Done = self.state {
                return Ok(Fed::Done(used));
            }
            self.held.extend_from_slice(left);
        } else {
            let before = self.held.len();
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(chunk);
            let left = self.parse(&held, item)?.len();
            if let State::Done = self.state {
                return Ok(Fed::Done(held.len() - left - before));
            }
            held.drain(..held.len() - left);
            self.held = held;
        }
        let limit = match self.max_item {
            0 => DEFAULT_MAX_ITEM,
            limit => limit,
        };
        match self.held.len() > limit {
            true => Err(Rejected(format!("an item is longer than {limit} bytes"))),
            false => Ok(Fed::More),
        }
    }

    /// Parses whole items; returns what is left.
    fn parse<'a>(
        &mut self,
        bytes: &'a [u8],
        item: &mut dyn FnMut(Item<'_>) -> Result<(), Rejected>,
    ) -> Result<&'a [u8], Rejected> {
        let mut reader = Reader::new(bytes);
        loop {
            if let State::Done = self.state {
                return Ok(reader.rest());
            }
            let mut attempt = reader;
            match self.state.next(&mut attempt) {
                Ok((state, found)) => {
                    self.state = state;
                    reader = attempt;
                    if let Some(found) = found {
                        item(found)?;
                    }
                }
                Err(DecodeError::Truncated { .. }) => return Ok(reader.rest()),
                Err(error) => return Err(Rejected(error.to_string())),
            }
        }
    }
}

impl State {
    fn next<'a>(self, reader: &mut Reader<'a>) -> Result<(Self, Option<Item<'a>>), DecodeError> {
        Ok(match self {
            Self::SessionCount => (Self::Sessions(count(reader)?), None),
            Self::Sessions(0) => (Self::AclCount, None),
            Self::Sessions(left) => {
                let id = SessionId(reader.long()?);
                let timeout = reader.int()?;
                (
                    Self::Sessions(left - 1),
                    Some(Item::Session { id, timeout }),
                )
            }
            Self::AclCount => (Self::Acls(count(reader)?), None),
            Self::Acls(0) => (Self::Nodes, None),
            Self::Acls(left) => {
                let id = reader.long()?;
                let list = Vec::decode(reader)?;
                (Self::Acls(left - 1), Some(Item::Acl { id, list }))
            }
            Self::Nodes => {
                let path = Cow::decode(reader)?;
                if path == "/" {
                    return Ok((Self::Done, None));
                }
                let node = Item::Node {
                    path,
                    data: reader.buffer()?,
                    acl: reader.long()?,
                    stat: Decode::decode(reader)?,
                };
                (Self::Nodes, Some(node))
            }
            Self::Done => (Self::Done, None),
        })
    }
}

fn count(reader: &mut Reader<'_>) -> Result<usize, DecodeError> {
    let count = reader.int()?;
    usize::try_from(count).map_err(|_| DecodeError::NegativeLength(count))
}
