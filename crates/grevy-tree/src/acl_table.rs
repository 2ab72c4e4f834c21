//! Access control lists, each kept once. Source: `ReferenceCountedACLCache`.

use crate::znode::AclId;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use foldhash::quality::FixedState;
use grevy_proto::{Acl, Encode, Id};
use hashbrown::HashTable;

/// The number of the list that lets everybody do everything. It is not counted nor written.
pub(crate) const OPEN: u32 = 0;

static OPEN_LIST: [Acl; 1] = [Acl::OPEN];
/// Grants nothing to anybody.
static NOBODY_LIST: [Acl; 1] = [Acl {
    perms: 0,
    id: Id::ANYONE,
}];

/// Lists by number, with how many znodes use them.
pub(crate) struct AclTable {
    /// Number n stands at n - 1.
    entries: Vec<Entry>,
    by_list: HashTable<u32>,
    vacant: Vec<u32>,
    hasher: FixedState,
}

struct Entry {
    /// `None`: the snapshot that named this list did not hold it (or the entry is vacant).
    list: Option<Box<[Acl]>>,
    users: u32,
}

impl AclTable {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            entries: Vec::new(),
            by_list: HashTable::new(),
            vacant: Vec::new(),
            hasher: FixedState::with_seed(seed),
        }
    }

    /// The number of a list, which gets one more user.
    pub(crate) fn intern(&mut self, list: &[Acl]) -> u32 {
        let hash = self.hasher.hash_one(list);
        let entries = &self.entries;
        let found = self.by_list.find(hash, |&number| {
            entries[number as usize - 1].list.as_deref() == Some(list)
        });
        match found.copied() {
            Some(number) => {
                self.retain(number);
                number
            }
            None => {
                let number = self.add(Some(list.into()));
                let (entries, hasher) = (&self.entries, &self.hasher);
                self.by_list.insert_unique(hash, number, |&number| {
                    hasher.hash_one(entries[number as usize - 1].list.as_deref().unwrap_or(&[]))
                });
                number
            }
        }
    }

    /// A number for a list that is not known. It is used for no other list while it has users.
    pub(crate) fn add_unknown(&mut self) -> u32 {
        self.add(None)
    }

    fn add(&mut self, list: Option<Box<[Acl]>>) -> u32 {
        let entry = Entry { list, users: 1 };
        match self.vacant.pop() {
            Some(number) => {
                self.entries[number as usize - 1] = entry;
                number
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32
            }
        }
    }

    /// One more user.
    pub(crate) fn retain(&mut self, number: u32) {
        if number != OPEN {
            self.entries[number as usize - 1].users += 1;
        }
    }

    /// One user less; a list without users is forgotten.
    pub(crate) fn release(&mut self, number: u32) {
        if number == OPEN {
            return;
        }
        let entry = &mut self.entries[number as usize - 1];
        entry.users -= 1;
        if entry.users > 0 {
            return;
        }
        if let Some(list) = entry.list.take() {
            let hash = self.hasher.hash_one(&*list);
            if let Ok(found) = self.by_list.find_entry(hash, |&other| other == number) {
                found.remove();
            }
        }
        self.vacant.push(number);
    }

    /// The list; if it is not known, one that grants nothing (an empty one would grant all).
    pub(crate) fn list(&self, number: u32) -> &[Acl] {
        match number {
            OPEN => &OPEN_LIST,
            _ => self.entries[number as usize - 1]
                .list
                .as_deref()
                .unwrap_or(&NOBODY_LIST),
        }
    }

    /// Whether the list is missing from the snapshot that named it.
    pub(crate) fn is_unknown(&self, number: u32) -> bool {
        number != OPEN && self.entries[number as usize - 1].list.is_none()
    }

    /// Whether any list is unknown.
    pub(crate) fn has_unknown(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.users > 0 && entry.list.is_none())
    }

    /// Appends the table as snapshots hold it.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let known = || {
            let entries = self.entries.iter().zip(1i64..);
            entries.filter_map(|(entry, id)| Some((id, entry.list.as_deref()?)))
        };
        (known().count() as i32).encode(out);
        for (id, list) in known() {
            id.encode(out);
            list.encode(out);
        }
    }
}

/// How a list's number is written.
pub(crate) fn id(number: u32) -> AclId {
    match number {
        OPEN => AclId::OPEN,
        _ => AclId(number.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_kept_while_they_are_used() {
        let mut table = AclTable::new(1);
        let read = table.intern(&[Acl::READ]);
        let open = table.intern(&[Acl::OPEN]);
        assert_eq!((read, open), (1, 2));
        assert_eq!(table.intern(&[Acl::READ]), read);
        table.release(read);
        assert_eq!(table.list(read), [Acl::READ]);
        table.release(read);
        let unknown = table.add_unknown();
        assert_eq!(unknown, read);
        assert!(table.is_unknown(unknown) && table.has_unknown() && !table.is_unknown(open));
        assert_eq!(table.list(unknown), NOBODY_LIST);
        assert_eq!(table.intern(&[Acl::READ]), 3);
        let mut out = Vec::new();
        table.encode(&mut out);
        assert_eq!(out[..12], [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2]);
        table.release(unknown);
        assert!(!table.has_unknown());
        assert_eq!(id(open), AclId(2));
    }

    #[test]
    fn the_built_in_open_list_is_not_counted() {
        let mut table = AclTable::new(1);
        table.retain(OPEN);
        table.release(OPEN);
        table.release(OPEN);
        assert_eq!(
            (table.list(OPEN), id(OPEN)),
            (&[Acl::OPEN][..], AclId::OPEN)
        );
    }
}
