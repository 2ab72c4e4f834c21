//! Starting: what is on the disk is read, first by a reader of the simulation's own, then by the
//! server's recovery, and both must agree with what was acknowledged.

use super::snapshots::{SnapshotThread, trailers};
use super::{Run, Server, Task, log_name, new_log};
use crate::builder::Builder;
use crate::history::OnDisk;
use crate::model::log_file;
use crate::options::Options;
use crate::world::{Context, Event};
use grevy_node::Node;
use grevy_proto::txn::{CreateKind, CreateTxn, Txn, TxnHeader};
use grevy_proto::{Acl, SessionId, Xid, Zxid};
use grevy_storage::recovery::Start;
use grevy_storage::testing::MemDisk;
use grevy_storage::{Compression, DiskError, Opened, RecoveryError, Store};
use grevy_tree::Tree;
use grevy_tree::watch::WatchTable;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Why a server did not start.
pub(crate) enum StartError {
    Recovery(RecoveryError),
    FirstSnapshot(DiskError),
    Unknown,
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Recovery(error) => error.fmt(f),
            Self::FirstSnapshot(error) => error.fmt(f),
            Self::Unknown => f.write_str("there is no data"),
        }
    }
}

impl Server {
    /// Data for a server that has a history already, if the options ask for one.
    pub fn prepare_disk(&mut self, ctx: &mut Context) {
        let Options {
            first_zxid,
            first_sequence,
            ..
        } = ctx.options;
        if (first_zxid, first_sequence) == (0, 0) {
            return;
        }
        let mut tree = Tree::new(self.tree_config.clone());
        let zxid = Zxid(first_zxid.max(2));
        let header = |zxid| TxnHeader {
            session: SessionId(0),
            cxid: Xid(0),
            zxid,
            time: 0,
            op: 1,
        };
        // A parent that has seen many creates.
        let create = |path: &str, parent_cversion| {
            Txn::Create(CreateTxn {
                path: path.into(),
                data: None,
                acl: vec![Acl::OPEN],
                kind: CreateKind::Plain { ephemeral: false },
                parent_cversion,
            })
        };
        let before = header(Zxid(zxid.0 - 1));
        tree.apply(&before, &create("/busy", 1), &mut |_| {});
        let steps = match first_sequence {
            0 => vec![1],
            // No step may be as long as half the circle.
            last => vec![1 << 30, last + 1],
        };
        for number in steps {
            let child = create("/busy/first", number);
            tree.apply(&header(zxid), &child, &mut |_| {});
        }
        let header = header(zxid);
        ctx.history.state.add_busy(zxid.0, first_sequence + 1);
        let opened = Store::open(
            self.disk.shared(),
            Self::dirs(),
            Self::open_options(&ctx.options),
            &mut Builder::new(self.tree_config.clone()),
        );
        // On an intact, empty disk this cannot fail.
        let Ok(Opened {
            store,
            mut log,
            mut epochs,
            ..
        }) = opened
        else {
            return ctx
                .history
                .violate("P30", "an empty disk cannot be opened".into());
        };
        let epoch = header.zxid.epoch();
        let written = epochs
            .set_accepted(epoch)
            .and_then(|()| epochs.set_current(epoch));
        let info = tree.start_snapshot();
        let mut body = Vec::new();
        while tree.snapshot_slice(usize::MAX, &mut body) {}
        let done = store
            .snapshot(info.zxid, Compression::None)
            .and_then(|mut writer| {
                writer.write(&body)?;
                writer.finish(trailers(ctx.options.digest, info.zxid, info.digest))
            });
        let installed = store.installed(&mut log, info.zxid);
        if written.is_err() || done.is_err() || installed.is_err() {
            return ctx
                .history
                .violate("P30", "the first data cannot be written".into());
        }
        ctx.history.base = info.zxid.0;
    }

    /// Starts the server.
    pub fn start(&mut self, ctx: &mut Context) {
        if self.is_up() {
            return;
        }
        self.incarnation += 1;
        let at = ctx.schedule.now();
        trace!(ctx.trace, at, "start {}", self.incarnation);
        self.read_logs(ctx);
        match self.open(ctx, &self.disk.clone()) {
            Ok((tree, opened)) => {
                ctx.counts.did("starts");
                self.is_marked = true;
                self.adopt(ctx, &tree);
                self.run(ctx, tree, opened);
            }
            Err(_) if self.power_is_off(ctx) => {}
            Err(why) => {
                trace!(ctx.trace, at, "does not start: {why}");
                if !self.faulted {
                    ctx.history
                        .violate("P30", format!("does not start, without any fault: {why}"));
                }
                ctx.counts.did("starts refused");
                self.disk.kill();
                ctx.schedule.after_micros(300_000, Event::Start);
            }
        }
    }

    /// Recovers the state from a disk, as the server does.
    pub(crate) fn open(&self, ctx: &Context, disk: &MemDisk) -> Result<(Tree, Opened), StartError> {
        let mut builder = Builder::new(self.tree_config.clone());
        let options = Self::open_options(&ctx.options);
        let opened = Store::open(disk.shared(), Self::dirs(), options, &mut builder);
        let opened = opened.map_err(StartError::Recovery)?;
        let tree = match opened.recovered.start {
            Start::Unknown => return Err(StartError::Unknown),
            Start::Empty => {
                let mut tree = Tree::new(self.tree_config.clone());
                self.first_snapshot(ctx, &opened.store, &mut tree)
                    .map_err(StartError::FirstSnapshot)?;
                tree
            }
            Start::History { .. } => {
                let mut tree = builder.finish();
                tree.finish_recovery();
                tree.drop_orphan_ephemerals();
                tree
            }
        };
        Ok((tree, opened))
    }

    fn first_snapshot(
        &self,
        ctx: &Context,
        store: &Store,
        tree: &mut Tree,
    ) -> Result<(), DiskError> {
        let info = tree.start_snapshot();
        let mut writer = store.snapshot(info.zxid, Compression::None)?;
        let mut body = Vec::new();
        while tree.snapshot_slice(usize::MAX, &mut body) {}
        writer.write(&body)?;
        writer.finish(trailers(ctx.options.digest, info.zxid, 0))?;
        store.created()
    }

    /// What was durable, though not applied, is committed by being recovered.
    fn adopt(&mut self, ctx: &mut Context, tree: &Tree) {
        let recovered = tree.last_zxid().0;
        ctx.counts.check("P10");
        if recovered < ctx.history.last() {
            let what = format!(
                "after the start the history ends at {recovered:x}, but {:x} had been applied",
                ctx.history.last()
            );
            ctx.history.violate("P30", what);
            // From here on nothing can be told from the rest.
            ctx.history.committed.retain(|c| c.zxid <= recovered);
        }
        while let Some(next) = self.candidates.pop_front() {
            if next.zxid <= recovered && next.zxid > ctx.history.last() {
                ctx.counts.did("transactions recovered unacknowledged");
                ctx.history.committed.push(next);
            }
        }
        if recovered > ctx.history.last() {
            let what = format!("{recovered:x} was recovered, but nobody had decided it");
            ctx.history.violate("P12", what);
        }
    }

    fn run(&mut self, ctx: &mut Context, tree: Tree, opened: Opened) {
        let now = self.now_of(ctx);
        let node = Node::standalone((*self.node_config).clone(), &tree, now);
        self.run = Some(Run {
            node,
            watches: RefCell::new(WatchTable::new(self.tree_config.hash_seed)),
            tree,
            connections: RefCell::default(),
            sockets: BTreeMap::new(),
            by_link: BTreeMap::new(),
            next_client: 0,
            store: opened.store,
            log: new_log(opened.log, opened.epochs),
            snapshots: SnapshotThread::default(),
            started: now.time,
            reached: ctx.history.heard.last().map_or(0, |h| h.number + 1_000_000),
        });
        self.dump(ctx, "start");
        let tick = ctx.options.tick.as_micros() as u64;
        self.schedule(ctx, tick - now.time.0 % tick, Task::Tick);
        let purge = self.random.around(tick * 20);
        self.schedule(ctx, purge, Task::Purge);
    }

    /// Reads all logs with the simulation's own reader.
    fn read_logs(&self, ctx: &mut Context) {
        for (path, _) in self.disk.files() {
            if log_name(&path).is_none() {
                continue;
            }
            let Some(bytes) = self.disk.content(&path) else {
                continue;
            };
            let file = path.display().to_string();
            for record in log_file::records(&bytes).0 {
                ctx.history.on_disk.push(OnDisk {
                    file: file.clone(),
                    zxid: record.zxid,
                    entry: record.entry,
                });
            }
        }
        let committed = std::mem::take(&mut ctx.history.on_disk);
        crate::checkers::p22::check_files(ctx, committed);
    }
}
