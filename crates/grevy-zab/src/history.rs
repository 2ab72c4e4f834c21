//! The newest part of a server's history: committed transactions that learners may have missed,
//! and those that are proposed or logged and not known to be committed. Source:
//! `ZKDatabase.addCommittedProposal`, `Leader.outstandingProposals`.
//!
//! Everything here has been handed to the log, in this order and without a hole.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::fmt;
use grevy_proto::Zxid;

/// Bytes of committed transactions that are kept at most, whatever their number.
const MAX_BYTES: usize = 64 << 20;

/// A zxid that does not follow the end of the history (P22: no holes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfOrder {
    /// Where the history ends.
    pub last: Zxid,
    /// The zxid that came.
    pub got: Zxid,
}

impl fmt::Display for OutOfOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { last, got } = self;
        write!(f, "transaction {got} does not follow {last}")
    }
}

impl core::error::Error for OutOfOrder {}

/// One transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub zxid: Zxid,
    /// Its bytes, as they stand in the log.
    pub bytes: Arc<[u8]>,
}

/// See the module's text.
#[derive(Debug)]
pub struct History {
    /// What precedes the first entry.
    base: Zxid,
    entries: VecDeque<Entry>,
    /// How many of the entries are committed.
    committed_entries: usize,
    committed: Zxid,
    committed_bytes: usize,
    /// How many committed entries are kept (`commitLogCount`).
    limit: usize,
    /// Entries after this are needed by somebody.
    pin: Option<Zxid>,
}

impl History {
    /// A history that ends at `last`, of which nothing is kept so far.
    pub fn new(last: Zxid, limit: usize) -> Self {
        Self {
            base: last,
            entries: VecDeque::new(),
            committed_entries: 0,
            committed: last,
            committed_bytes: 0,
            limit,
            pin: None,
        }
    }

    /// The newest transaction.
    pub fn last(&self) -> Zxid {
        self.entries.back().map_or(self.base, |entry| entry.zxid)
    }

    /// The newest transaction that is known to be committed.
    pub fn committed(&self) -> Zxid {
        self.committed
    }

    /// The oldest zxid after which everything is here.
    pub fn base(&self) -> Zxid {
        self.base
    }

    /// How many transactions are not known to be committed.
    pub fn outstanding(&self) -> usize {
        self.entries.len() - self.committed_entries
    }

    /// Whether `zxid` may come next: one more than the last, or the first of a later epoch.
    pub fn accepts(&self, zxid: Zxid) -> bool {
        follows(self.last(), zxid)
    }

    /// Adds a transaction at the end.
    pub fn append(&mut self, zxid: Zxid, bytes: Arc<[u8]>) -> Result<(), OutOfOrder> {
        if !self.accepts(zxid) {
            let last = self.last();
            return Err(OutOfOrder { last, got: zxid });
        }
        self.entries.push_back(Entry { zxid, bytes });
        Ok(())
    }

    /// Everything up to `zxid` is committed.
    pub fn commit(&mut self, zxid: Zxid) {
        self.committed = zxid.max(self.committed);
        while let Some(entry) = self.entries.get(self.committed_entries)
            && entry.zxid <= zxid
        {
            self.committed_entries += 1;
            self.committed_bytes += entry.bytes.len();
        }
        self.trim();
    }

    /// Keeps what comes after `zxid` until the next call; `None` lets go.
    pub fn pin(&mut self, zxid: Option<Zxid>) {
        self.pin = zxid;
        self.trim();
    }

    fn trim(&mut self) {
        while self.committed_entries > self.limit || self.committed_bytes > MAX_BYTES {
            let Some(first) = self.entries.front() else {
                return;
            };
            if self.committed_entries == 0 || self.pin.is_some_and(|pin| first.zxid > pin) {
                return;
            }
            self.base = first.zxid;
            self.committed_bytes -= first.bytes.len();
            self.committed_entries -= 1;
            self.entries.pop_front();
        }
    }

    /// The transaction after `zxid`, if that is here.
    pub fn next_after(&self, zxid: Zxid) -> Option<Zxid> {
        self.entries.get(self.index_after(zxid)).map(|e| e.zxid)
    }

    /// All transactions after `zxid` up to `until`, oldest first.
    pub fn between(&self, zxid: Zxid, until: Zxid) -> impl Iterator<Item = &Entry> {
        self.entries
            .range(self.index_after(zxid)..)
            .take_while(move |entry| entry.zxid <= until)
    }

    /// Whether the transaction `zxid` is here, or precedes everything that is.
    pub fn contains(&self, zxid: Zxid) -> bool {
        zxid == self.base || self.newest_up_to(zxid) == Some(zxid)
    }

    /// The newest transaction that is not above `zxid`; `None` if that is older than what is
    /// here.
    pub fn newest_up_to(&self, zxid: Zxid) -> Option<Zxid> {
        match self.index_after(zxid) {
            0 if zxid < self.base => None,
            0 => Some(self.base),
            n => self.entries.get(n - 1).map(|entry| entry.zxid),
        }
    }

    /// How many entries are not above `zxid`.
    fn index_after(&self, zxid: Zxid) -> usize {
        // The usual questions are about the end.
        match self.entries.back() {
            Some(last) if zxid >= last.zxid => self.entries.len(),
            _ => self.entries.partition_point(|entry| entry.zxid <= zxid),
        }
    }

    /// Takes back everything above `to`.
    pub fn truncate(&mut self, to: Zxid) {
        while self.entries.back().is_some_and(|entry| entry.zxid > to) {
            let entry = self.entries.pop_back();
            if self.entries.len() < self.committed_entries {
                self.committed_entries = self.entries.len();
                self.committed_bytes -= entry.map_or(0, |entry| entry.bytes.len());
            }
        }
        if self.base > to {
            *self = Self::new(to, self.limit);
        }
        self.committed = self.committed.min(to);
    }

    /// Begins anew behind a snapshot of the state at `zxid`.
    pub fn restart(&mut self, zxid: Zxid) {
        *self = Self::new(zxid, self.limit);
    }

    /// How many committed transactions are kept.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

/// Whether `next` may follow `last`.
pub(crate) fn follows(last: Zxid, next: Zxid) -> bool {
    match next.epoch() == last.epoch() {
        true => next.counter() > 0 && next.counter() - 1 == last.counter(),
        false => next.epoch() > last.epoch() && next.counter() == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use grevy_proto::Epoch;

    fn at(epoch: u32, counter: u32) -> Zxid {
        Zxid::new(Epoch(epoch), counter)
    }

    fn history(limit: usize) -> History {
        let mut history = History::new(at(1, 5), limit);
        for zxid in [at(1, 6), at(1, 7), at(2, 1), at(2, 2)] {
            history.append(zxid, Arc::from([0u8; 4])).unwrap();
        }
        history
    }

    fn zxids(history: &History, after: Zxid, until: Zxid) -> Vec<Zxid> {
        history.between(after, until).map(|e| e.zxid).collect()
    }

    #[test]
    fn holes_and_repeats_are_refused() {
        let mut history = history(10);
        for zxid in [at(2, 2), at(2, 4), at(3, 2), at(1, 8), at(3, 0), at(2, 0)] {
            assert!(history.append(zxid, Arc::from([])).is_err(), "{zxid}");
        }
        history.append(at(3, 1), Arc::from([])).unwrap();
    }

    #[test]
    fn what_is_committed_is_kept_up_to_the_limit() {
        let mut history = history(1);
        assert_eq!(history.outstanding(), 4);
        history.commit(at(2, 1));
        assert_eq!((history.base(), history.outstanding()), (at(1, 7), 1));
        assert_eq!(zxids(&history, at(1, 7), at(9, 9)), [at(2, 1), at(2, 2)]);
        assert_eq!(history.newest_up_to(at(1, 6)), None);
        assert!(history.contains(at(1, 7)));
        assert!(!history.contains(at(1, 8)));
        assert_eq!(history.newest_up_to(at(1, 8)), Some(at(1, 7)));
    }

    #[test]
    fn a_pin_keeps_what_comes_after_it() {
        let mut history = history(0);
        history.pin(Some(at(1, 6)));
        history.commit(at(2, 2));
        assert_eq!(history.base(), at(1, 6));
        history.pin(None);
        assert_eq!(history.base(), at(2, 2));
    }

    #[test]
    fn truncation_takes_back_the_end() {
        let mut history = history(10);
        history.commit(at(2, 1));
        history.truncate(at(1, 7));
        assert_eq!((history.last(), history.committed()), (at(1, 7), at(1, 7)));
        assert_eq!(history.outstanding(), 0);
        history.truncate(at(1, 2));
        assert_eq!((history.last(), history.base()), (at(1, 2), at(1, 2)));
    }
}
