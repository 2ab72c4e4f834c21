//! What stands between the two steps of loading.

use super::LoadError;
use crate::blobs::Room;
use crate::tree::Sums;
use alloc::string::String;
use alloc::vec::Vec;
use grevy_proto::{Acl, SessionId, StatPersisted};

/// Znodes, sessions or lists that a batch has at most, or little more.
const MOST: usize = 512;
/// Bytes of paths and data from which on a batch is full: few enough for a processor's cache.
const FULL: usize = 1 << 17;

/// A piece of a snapshot's body, decoded. One that has been built is empty and can be filled
/// again.
#[derive(Default)]
pub struct Batch {
    pub(super) sessions: Vec<(SessionId, i32)>,
    pub(super) acls: Vec<(i64, Vec<Acl>)>,
    pub(super) znodes: Vec<Record>,
    /// The paths of all znodes, one after the other.
    pub(super) paths: String,
    /// Likewise their data.
    pub(super) data: Vec<u8>,
    /// Memory for them.
    pub(super) rooms: Vec<Room>,
    /// About how many znodes there will be in all, told once.
    pub(super) expected: Option<usize>,
    pub(super) end: Option<Result<(), LoadError>>,
}

/// A znode without its path and data.
pub(super) struct Record {
    pub(super) path_len: usize,
    /// `None`: null.
    pub(super) data_len: Option<usize>,
    pub(super) acl: i64,
    pub(super) stat: StatPersisted,
    pub(super) sums: Sums,
}

impl Batch {
    /// Whether none comes behind it: it holds the end of the body, or what is wrong with it.
    pub fn is_last(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn is_full(&self) -> bool {
        let items = self.sessions.len() + self.acls.len() + self.znodes.len();
        items >= MOST || self.paths.len() + self.data.len() >= FULL
    }

    pub(super) fn clear(&mut self) {
        self.sessions.clear();
        self.acls.clear();
        self.znodes.clear();
        self.paths.clear();
        self.data.clear();
        self.rooms.clear();
        self.expected = None;
        self.end = None;
        // One znode with much data must not take its room from then on.
        self.data.shrink_to(2 * FULL);
        self.paths.shrink_to(FULL);
    }
}
