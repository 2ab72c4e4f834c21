//! The table of [`Pending`](super::Pending): znodes as they will be, found by path.

use super::PendingZnode;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::{Index, IndexMut};
use grevy_proto::Zxid;
use hashbrown::HashTable;

/// Above so many records, those that are settled go. With assertions there are few, so that tests
/// and simulations get there.
pub(super) const KEPT: usize = match () {
    () if cfg!(test) => 4,
    () if cfg!(debug_assertions) => 64,
    () => 1 << 14,
};
/// How many places are looked at for a record that may go.
const TRIES: usize = 8;
/// Longer paths than usual are not kept, nor is their memory, in bytes.
pub(super) const KEPT_PATH: usize = 256;
/// The zxid of a place without a record, later than any.
const VACANT: Zxid = Zxid(i64::MAX);

/// Records by path. Their places are small numbers, good until the record goes.
#[derive(Default)]
pub(super) struct Records {
    records: Vec<Record>,
    /// Places that are vacant.
    vacant: Vec<u32>,
    /// Places by the tree's hash of the path.
    index: HashTable<u32>,
    /// Where to look next for a record that may go.
    hand: usize,
}

pub(super) struct Record {
    /// Keeps its memory when the place is vacant, for the next one.
    pub(super) path: String,
    /// The path's.
    hash: u32,
    /// Whether it is one of a quota's limits or usage.
    pub(super) is_quota: bool,
    /// The last transaction that wrote to it.
    pub(super) zxid: Zxid,
    /// `None`: it will not exist.
    pub(super) znode: Option<PendingZnode>,
}

impl Records {
    /// The number of records.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.zxid != VACANT)
    }

    /// The place of the record of `path`.
    pub(super) fn find(&self, hash: u32, path: &str) -> Option<u32> {
        let is_it = |place: &u32| {
            let record = &self[*place];
            record.hash == hash && &*record.path == path
        };
        self.index.find(spread(hash), is_it).copied()
    }

    /// Whether there is a record of a path with this hash. Brings it into the processor's cache.
    pub(super) fn touch(&self, hash: u32) -> bool {
        let is_it = |place: &u32| self[*place].hash == hash;
        self.index.find(spread(hash), is_it).is_some()
    }

    /// Adds a record of a path that has none.
    pub(super) fn add(&mut self, hash: u32, path: &str) -> u32 {
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.records.push(Record {
                path: String::new(),
                hash,
                is_quota: false,
                zxid: VACANT,
                znode: None,
            });
            self.records.len() as u32 - 1
        });
        let record = &mut self[place];
        record.path.push_str(path);
        record.hash = hash;
        record.is_quota = super::is_quota(path);
        let records = &self.records;
        let rehash = |place: &u32| spread(records[*place as usize].hash);
        self.index.insert_unique(spread(hash), place, rehash);
        place
    }

    /// If there are many, one that may go for another: it was last written to by `settled` or
    /// before. None if it is not found soon.
    pub(super) fn surplus(&mut self, settled: Zxid) -> Option<u32> {
        if self.len() < KEPT {
            return None;
        }
        (0..TRIES).find_map(|_| {
            let place = self.hand;
            self.hand = (place + 1) % self.records.len().max(1);
            (self.records[place].zxid <= settled).then_some(place as u32)
        })
    }

    /// Removes a record.
    pub(super) fn remove(&mut self, place: u32) {
        let record = &mut self[place];
        let hash = spread(record.hash);
        match record.path.capacity() {
            0..=KEPT_PATH => record.path.clear(),
            _ => record.path = String::new(),
        }
        (record.zxid, record.znode) = (VACANT, None);
        if let Ok(entry) = self.index.find_entry(hash, |found| *found == place) {
            entry.remove();
        }
        self.vacant.push(place);
    }
}

impl Index<u32> for Records {
    type Output = Record;

    fn index(&self, place: u32) -> &Record {
        &self.records[place as usize]
    }
}

impl IndexMut<u32> for Records {
    fn index_mut(&mut self, place: u32) -> &mut Record {
        &mut self.records[place as usize]
    }
}

/// The table looks at both ends of a hash.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// Adds the records 1 to `count`, each written to by the transaction of that number, with all
    /// but the last `unsettled` settled by then.
    fn filled(count: usize, unsettled: i64) -> Records {
        let mut records = Records::default();
        for n in 1..=count {
            let settled = Zxid(n as i64 - 1 - unsettled);
            if let Some(surplus) = records.surplus(settled) {
                records.remove(surplus);
            }
            let place = records.add(n as u32, &format!("/{n}"));
            records[place].zxid = Zxid(n as i64);
        }
        records
    }

    fn has(records: &Records, n: usize) -> bool {
        let place = records.find(n as u32, &format!("/{n}"));
        place.is_some_and(|place| records[place].zxid == Zxid(n as i64))
    }

    #[test]
    fn the_oldest_settled_ones_go_for_others() {
        let count = KEPT + 100;
        let records = filled(count, KEPT as i64 / 2);
        assert_eq!(records.len(), KEPT);
        assert_eq!(records.iter().count(), KEPT);
        for n in [1, 99, 100, 101, KEPT, count] {
            assert_eq!(has(&records, n), n > 100, "{n}");
        }
    }

    #[test]
    fn what_is_not_settled_stays() {
        let count = KEPT + 100;
        let mut records = filled(count, i64::MAX / 2);
        assert_eq!(records.len(), count);
        assert!((1..=count).all(|n| has(&records, n)));
        for n in 1..=count {
            let place = records.find(n as u32, &format!("/{n}")).unwrap();
            records.remove(place);
            assert!(!has(&records, n));
        }
        assert_eq!((records.len(), records.iter().count()), (0, 0));
    }
}
