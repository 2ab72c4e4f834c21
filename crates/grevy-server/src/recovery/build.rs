//! Two threads for a recovery: one reads the files and decodes what is in them, the other builds
//! the tree. Neither waits for the other's memory.

use grevy_proto::txn::TxnEntry;
use grevy_proto::{Decode, Zxid};
use grevy_storage::snapshot::Fed;
use grevy_storage::{Recover, Rejected};
use grevy_tree::loader::{Batch, BodyDecoder, Builder, Decoded};
use grevy_tree::{LoadError, Replay, Tree, TreeConfig};
use grevy_zab::Entry;
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread;
use std::time::Instant;

/// How many batches may wait to be built.
const AHEAD: usize = 4;
/// Transactions in a batch at most.
const MOST_TXNS: usize = 256;
/// Bytes of transactions from which on a batch is full.
const FULL: usize = 1 << 18;

/// How to build.
pub(super) struct Plan {
    pub(super) tree: TreeConfig,
    /// The longest field in a snapshot.
    pub(super) field_limit: usize,
    /// How many of the last transactions are kept.
    pub(super) keep: usize,
}

/// What has been built.
pub(super) struct Built {
    /// The state, if one began, and whether it has the digest that the log names last.
    pub(super) tree: Option<(Tree, bool)>,
    /// When the snapshot had been read.
    pub(super) loaded: Option<Instant>,
    /// The last transactions.
    pub(super) recent: VecDeque<Entry>,
}

/// Calls `read` in a thread of its own, and builds here what it finds.
///
/// # Errors
/// If there can be no thread.
pub(super) fn build<T: Send>(
    plan: Plan,
    read: impl FnOnce(&mut dyn Recover) -> T + Send,
) -> io::Result<(T, Built)> {
    let tree = plan.tree.clone();
    let (work, works) = mpsc::sync_channel(AHEAD);
    let (used, back) = mpsc::channel();
    let mut reading = Reading::new(plan, work, back);
    thread::scope(|scope| {
        let reader = thread::Builder::new()
            .name("read-files".to_owned())
            .spawn_scoped(scope, move || {
                let read = read(&mut reading);
                let (loaded, recent) = reading.finish();
                (read, loaded, recent)
            })?;
        let mut state = State::None;
        for work in works {
            let rest = state.take(work, &tree);
            // The reader may have come to its end.
            let _ = used.send(rest);
        }
        let read = reader.join();
        let (read, loaded, recent) = read.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let tree = match state {
            State::Loaded(replay) => Some(replay.finish()),
            State::None | State::Loading(..) => None,
        };
        let built = Built {
            tree,
            loaded,
            recent,
        };
        Ok((read, built))
    })
}

/// What is to be built next.
enum Work {
    /// A state begins, from nothing or a snapshot of this zxid.
    Begin(Option<(Zxid, Verdict)>),
    Body(Batch),
    Txns(Vec<TxnEntry<'static>>),
}

/// What remains of it: allocations, which go back to where they were made.
#[derive(Default)]
struct Used {
    batch: Option<Batch>,
    txns: Option<Vec<TxnEntry<'static>>>,
}

/// Says once, at the end of a snapshot or at the first error, whether it can be loaded.
type Verdict = Sender<Result<(), LoadError>>;

/// What has been built so far.
enum State {
    None,
    Loading(Box<Builder>, Verdict),
    Loaded(Box<Replay>),
}

impl State {
    fn take(&mut self, work: Work, config: &TreeConfig) -> Used {
        let mut used = Used::default();
        match work {
            Work::Begin(snapshot) => {
                // What an earlier attempt built must not take memory beside this one.
                *self = Self::None;
                *self = match snapshot {
                    Some((zxid, verdict)) => {
                        let builder = Builder::new(config.clone(), zxid);
                        Self::Loading(Box::new(builder), verdict)
                    }
                    None => Self::Loaded(Box::new(Replay::new(Tree::new(config.clone())))),
                };
            }
            Work::Body(mut batch) => {
                self.body(&mut batch);
                used.batch = Some(batch);
            }
            Work::Txns(txns) => {
                if let Self::Loaded(replay) = self {
                    replay.extend(&txns);
                }
                used.txns = Some(txns);
            }
        }
        used
    }

    fn body(&mut self, batch: &mut Batch) {
        let Self::Loading(builder, verdict) = self else {
            // Of a snapshot that cannot be loaded, as its reader will know soon.
            return;
        };
        let last = batch.is_last();
        let result = builder.build(batch);
        if result.is_ok() && !last {
            return;
        }
        let failed = result.is_err();
        // The reader may not want to know any more.
        let _ = verdict.send(result);
        if let Self::Loading(builder, _) = std::mem::replace(self, Self::None)
            && !failed
        {
            *self = Self::Loaded(Box::new(Replay::new(builder.finish())));
        }
    }
}

/// Decodes what recovery finds.
struct Reading {
    plan: Plan,
    work: SyncSender<Work>,
    back: Receiver<Used>,
    part: Part,
    batch: Batch,
    txns: Vec<TxnEntry<'static>>,
    /// Bytes of these.
    txns_len: usize,
    loaded: Option<Instant>,
    recent: VecDeque<Entry>,
    spare_batches: Vec<Batch>,
    spare_txns: Vec<Vec<TxnEntry<'static>>>,
}

/// What may come next.
enum Part {
    Begin,
    Body(Box<BodyDecoder>, Receiver<Result<(), LoadError>>),
    Txns,
}

impl Reading {
    fn new(plan: Plan, work: SyncSender<Work>, back: Receiver<Used>) -> Self {
        Self {
            plan,
            work,
            back,
            part: Part::Begin,
            batch: Batch::default(),
            txns: Vec::new(),
            txns_len: 0,
            loaded: None,
            recent: VecDeque::new(),
            spare_batches: Vec::new(),
            spare_txns: Vec::new(),
        }
    }

    fn finish(mut self) -> (Option<Instant>, VecDeque<Entry>) {
        self.send_txns();
        (self.loaded, self.recent)
    }

    fn send(&mut self, work: Work) {
        // Building ends before reading only by a panic, which the thread that built passes on.
        let _ = self.work.send(work);
        for used in self.back.try_iter() {
            self.spare_batches.extend(used.batch);
            self.spare_txns.extend(used.txns);
        }
    }

    fn send_batch(&mut self) {
        let next = self.spare_batches.pop().unwrap_or_default();
        let batch = std::mem::replace(&mut self.batch, next);
        self.send(Work::Body(batch));
    }

    fn send_txns(&mut self) {
        if self.txns.is_empty() {
            return;
        }
        let mut next = self.spare_txns.pop().unwrap_or_default();
        next.clear();
        self.txns_len = 0;
        let txns = std::mem::replace(&mut self.txns, next);
        self.send(Work::Txns(txns));
    }

    /// Keeps a transaction for learners.
    fn remember(&mut self, zxid: Zxid, entry: &[u8]) {
        if self.plan.keep > 0 {
            if self.recent.len() == self.plan.keep {
                self.recent.pop_front();
            }
            let bytes = entry.into();
            self.recent.push_back(Entry { zxid, bytes });
        }
    }
}

fn rejected(error: impl ToString) -> Rejected {
    Rejected(error.to_string())
}

impl Recover for Reading {
    fn begin(&mut self, zxid: Option<Zxid>) {
        self.batch = Batch::default();
        self.txns.clear();
        self.txns_len = 0;
        self.recent.clear();
        let snapshot;
        (self.part, snapshot) = match zxid {
            Some(zxid) => {
                let decoder = BodyDecoder::new(&self.plan.tree);
                let decoder = decoder.field_limit(self.plan.field_limit);
                let (sender, verdict) = mpsc::channel();
                (Part::Body(Box::new(decoder), verdict), Some((zxid, sender)))
            }
            None => (Part::Txns, None),
        };
        self.send(Work::Begin(snapshot));
    }

    fn snapshot_len(&mut self, len: u64) {
        if let Part::Body(decoder, _) = &mut self.part {
            decoder.expect(len);
        }
    }

    fn snapshot_chunk(&mut self, chunk: &[u8]) -> Result<Fed, Rejected> {
        let mut used = 0;
        loop {
            let Part::Body(decoder, verdict) = &mut self.part else {
                return Err(rejected("bytes behind the end of the body"));
            };
            let decoded = decoder.feed(&chunk[used..], &mut self.batch);
            match decoded {
                Decoded::More => return Ok(Fed::More),
                Decoded::Full(more) => {
                    used += more;
                    if let Ok(Err(error)) = verdict.try_recv() {
                        return Err(rejected(error));
                    }
                    self.send_batch();
                }
                Decoded::Last(more) => {
                    self.send_batch();
                    let Part::Body(_, verdict) = std::mem::replace(&mut self.part, Part::Begin)
                    else {
                        continue;
                    };
                    // What is read next depends on whether this snapshot is good.
                    return match verdict.recv() {
                        Ok(Ok(())) => {
                            self.loaded = Some(Instant::now());
                            self.part = Part::Txns;
                            Ok(Fed::Done(used + more))
                        }
                        Ok(Err(error)) => Err(rejected(error)),
                        Err(_) => Err(rejected("nobody builds the state any more")),
                    };
                }
            }
        }
    }

    fn txn(&mut self, zxid: Zxid, entry: &[u8]) -> Result<(), Rejected> {
        self.remember(zxid, entry);
        if !matches!(self.part, Part::Txns) {
            return Err(rejected("a transaction before the state it changes"));
        }
        let txn = TxnEntry::from_bytes(entry).map_err(rejected)?;
        self.txns.push(txn.into_owned());
        self.txns_len += entry.len();
        if self.txns.len() >= MOST_TXNS || self.txns_len >= FULL {
            self.send_txns();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
