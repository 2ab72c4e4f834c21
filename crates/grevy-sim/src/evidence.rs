//! What each server of a run had, as far as it can be seen from outside: the transactions that
//! were handed to its log, how much of that it has reported as durable, what it applied.

use crate::checkers::acks::Acks;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included};
use std::sync::Arc;

/// One server's history.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Transactions by number, as they were handed to its log, but for those taken back.
    pub known: BTreeMap<i64, Arc<[u8]>>,
    /// A snapshot stands for everything up to here.
    pub base: i64,
    /// Up to where it is durable, by the server's own word.
    pub durable: i64,
    /// The history before what is being taken back or replaced.
    pub replaced: Option<Replaced>,
    /// How often that was ordered and is not done.
    rewriting: u32,
    /// The newest promise that was durable.
    pub accepted: u32,
    /// The newest leader's epoch that was durable.
    pub current: u32,
    /// Whether its disk was damaged or emptied, and no leader has made up for that yet.
    pub is_damaged: bool,
    /// Whether a configuration that the ensemble agreed on has named it, as far as it knows.
    pub was_named: bool,
}

/// A history that the disk may still have, though the server does not want it any more.
#[derive(Debug)]
pub struct Replaced {
    /// As in [`Evidence`].
    pub known: BTreeMap<i64, Arc<[u8]>>,
    /// As in [`Evidence`].
    pub base: i64,
    /// What is left of it in any case.
    pub floor: i64,
    /// The snapshot that takes its place, if one does.
    pub snapshot: Option<i64>,
}

/// All servers' histories.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By server.
    pub servers: Vec<Evidence>,
    /// Everything that was ever proposed, by number.
    pub proposed: BTreeMap<i64, Arc<[u8]>>,
    /// What the server that proposed it had applied by then, at least, by number.
    pub applied: BTreeMap<i64, i64>,
    /// How much had reached connections when it was proposed, by number.
    pub reached: BTreeMap<i64, u64>,
    /// Which servers have reported a transaction as durable, until it is committed.
    pub holders: BTreeMap<i64, BTreeSet<usize>>,
    /// Which server was established in an epoch, and in which of its runs.
    pub leaders: BTreeMap<u32, (usize, u32)>,
    /// What each server was told since it began to lead last.
    pub acks: BTreeMap<usize, Acks>,
}

impl Ledger {
    /// Of so many servers that all begin with `base`.
    pub fn new(servers: usize, base: i64) -> Self {
        let evidence = || Evidence {
            base,
            durable: base,
            ..Evidence::default()
        };
        Self {
            servers: (0..servers).map(|_| evidence()).collect(),
            ..Self::default()
        }
    }

    /// A transaction is handed to a server's log.
    pub fn appended(&mut self, server: usize, zxid: i64, entry: Arc<[u8]>) {
        self.servers[server].known.insert(zxid, entry);
    }

    /// A server says that its log is durable up to `zxid`.
    pub fn synced(&mut self, server: usize, zxid: i64) {
        let evidence = &mut self.servers[server];
        if zxid <= evidence.durable {
            return;
        }
        for (at, _) in evidence.known.range(evidence.durable + 1..=zxid) {
            self.holders.entry(*at).or_default().insert(server);
        }
        evidence.durable = zxid;
    }

    /// A server is about to take back everything above `to`.
    pub fn truncating(&mut self, server: usize, to: i64) {
        self.rewriting(server, to);
        let evidence = &mut self.servers[server];
        evidence.known.split_off(&(to + 1));
        for (_, holders) in self.holders.range_mut(to + 1..) {
            holders.remove(&server);
        }
    }

    /// A snapshot of the server `from` is about to take the place of a server's history.
    pub fn installing(&mut self, server: usize, zxid: i64, from: usize) {
        self.rewriting(server, zxid);
        let source = &self.servers[from];
        let known = source.known.range(..=zxid);
        let known = known.map(|(zxid, entry)| (*zxid, entry.clone())).collect();
        let base = source.base.min(zxid);
        let evidence = &mut self.servers[server];
        (evidence.known, evidence.base) = (known, base);
        if let Some(replaced) = &mut evidence.replaced {
            replaced.snapshot = Some(zxid);
        }
        for (_, holders) in self.holders.iter_mut() {
            holders.remove(&server);
        }
    }

    fn rewriting(&mut self, server: usize, to: i64) {
        let evidence = &mut self.servers[server];
        evidence.rewriting += 1;
        match &mut evidence.replaced {
            Some(replaced) => replaced.floor = replaced.floor.min(to),
            None => {
                evidence.replaced = Some(Replaced {
                    known: evidence.known.clone(),
                    base: evidence.base,
                    floor: to,
                    snapshot: None,
                });
            }
        }
    }

    /// It has been done: the history on the disk ends at `to`. Everything up to `committed` is
    /// committed.
    pub fn rewritten(&mut self, server: usize, to: i64, committed: i64) {
        let evidence = &mut self.servers[server];
        evidence.rewriting -= 1;
        if evidence.rewriting == 0 {
            evidence.replaced = None;
        }
        evidence.durable = to;
        for zxid in evidence.known.range(committed + 1..).map(|(zxid, _)| *zxid) {
            if zxid <= to {
                self.holders.entry(zxid).or_default().insert(server);
            }
        }
    }

    /// A server has recovered a history that ends at `last`, from the snapshot `loaded` and the
    /// records in its logs. Everything up to `committed` is committed.
    pub fn recovered(
        &mut self,
        server: usize,
        loaded: i64,
        last: i64,
        on_disk: &BTreeMap<i64, Arc<[u8]>>,
        committed: i64,
    ) {
        let evidence = &mut self.servers[server];
        evidence.rewriting = 0;
        if let Some(replaced) = evidence.replaced.take() {
            if replaced.snapshot == Some(loaded) {
                evidence.known.split_off(&(loaded + 1));
            } else {
                evidence.base = replaced.base;
                evidence.known = replaced.known;
                evidence.known.split_off(&(loaded + 1));
            }
            let behind = on_disk.range((Excluded(loaded), Included(last.max(loaded + 1))));
            let behind = behind.map(|(zxid, entry)| (*zxid, entry.clone()));
            evidence.known.extend(behind);
        }
        evidence.known.split_off(&(last + 1));
        for holders in self.holders.values_mut() {
            holders.remove(&server);
        }
        for zxid in evidence.known.range(committed + 1..).map(|(zxid, _)| *zxid) {
            self.holders.entry(zxid).or_default().insert(server);
        }
        evidence.durable = last;
    }

    /// A server has nothing any more.
    pub fn emptied(&mut self, server: usize) {
        self.servers[server] = Evidence {
            is_damaged: true,
            ..Evidence::default()
        };
    }

    /// Who has `zxid`, durably, by their own word.
    pub fn holders_of(&self, zxid: i64) -> BTreeSet<usize> {
        let mut holders = self.holders.get(&zxid).cloned().unwrap_or_default();
        let covered = |evidence: &Evidence| evidence.base >= zxid && evidence.durable >= zxid;
        let servers = self.servers.iter().enumerate();
        holders.extend(servers.filter(|(_, e)| covered(e)).map(|(at, _)| at));
        holders
    }
}
