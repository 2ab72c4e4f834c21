//! Starting: what is on the disk is read, first by a reader of the simulation's own, then by the
//! server's recovery, and both must agree with what was acknowledged.

use super::snapshots::{SnapshotThread, trailers};
use super::{Run, Server, Task, log_name, new_log};
use crate::builder::Builder;
use crate::checkers::{p22, p23, p25};
use crate::model::log_file;
use crate::options::Options;
use crate::planted::Bug;
use crate::world::{Context, Event};
use grevy_node::{Node, NodeConfig, Service};
use grevy_proto::txn::{CreateKind, CreateTxn, Txn, TxnHeader};
use grevy_proto::{Acl, Epoch, SessionId, Xid, Zxid};
use grevy_storage::recovery::Start;
use grevy_storage::testing::MemDisk;
use grevy_storage::{DiskError, OpenOptions, Opened, RecoveryError, Store};
use grevy_tree::Tree;
use grevy_tree::watch::WatchTable;
use grevy_zab::{Entry, Memberships, Recovered, Standing};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Records of logs by their zxids.
type Records = BTreeMap<i64, Arc<[u8]>>;

/// What a server starts with.
pub(crate) struct Begun {
    pub(crate) tree: Tree,
    pub(crate) opened: Opened,
    recent: Vec<Entry>,
}

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
        if ctx.options.ensemble.is_some() {
            // Where that is asked for: whoever sets up an ensemble says that it is new.
            self.disk.put("/data/initialize", b"");
        }
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
        let create = |path: &'static str, parent_cversion| {
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
        if self.index == 0 {
            ctx.history.state.add_busy(zxid.0, first_sequence + 1);
        }
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
            .snapshot(info.zxid, ctx.options.compression)
            .and_then(|mut writer| {
                writer.write(&body)?;
                writer.finish(trailers(ctx.options.digest, info.zxid, info.digest))
            });
        let installed = store.installed(&mut log, info.zxid, []);
        if written.is_err() || done.is_err() || installed.is_err() {
            return ctx
                .history
                .violate("P30", "the first data cannot be written".into());
        }
        ctx.history.base = info.zxid.0;
        let evidence = &mut ctx.history.ledger.servers[self.index];
        (evidence.base, evidence.durable) = (info.zxid.0, info.zxid.0);
        (evidence.accepted, evidence.current) = (epoch.0, epoch.0);
    }

    /// Starts the server.
    pub fn start(&mut self, ctx: &mut Context) {
        if self.is_up() || self.stays_down {
            return;
        }
        ctx.incarnations += 1;
        self.incarnation = ctx.incarnations;
        let at = ctx.schedule.now();
        let server = self.index;
        trace!(ctx.trace, at, "s{server} start {}", self.incarnation);
        let records = self.read_logs(ctx);
        match self.open(ctx, &self.disk.clone()) {
            Ok(begun) => {
                ctx.counts.did("starts");
                self.is_marked = true;
                let epochs = &begun.opened.epochs;
                p25::starts(ctx, server, epochs.accepted(), epochs.current());
                self.adopt(ctx, &begun, &records);
                self.run(ctx, begun);
            }
            Err(_) if self.power_is_off(ctx) => {}
            Err(why) => {
                trace!(ctx.trace, at, "s{server} does not start: {why}");
                ctx.counts.did("starts refused");
                self.disk.kill();
                match &self.rot {
                    Some(rot) => {
                        rot.check_refusal(ctx, &why.to_string());
                        // The operator knows no other way.
                        self.empty_disk(ctx);
                    }
                    None if !self.faulted => {
                        let what = format!("s{server} does not start, without any fault: {why}");
                        ctx.history.violate("P30", what);
                    }
                    None => {}
                }
                ctx.schedule.after_micros(300_000, Event::Start(server));
            }
        }
    }

    /// Recovers the state from a disk, as the server does.
    pub(crate) fn open(&self, ctx: &Context, disk: &MemDisk) -> Result<Begun, StartError> {
        self.open_with(ctx, disk, Self::open_options(&ctx.options))
    }

    /// The same, as the storage's options say.
    pub(crate) fn open_with(
        &self,
        ctx: &Context,
        disk: &MemDisk,
        options: OpenOptions,
    ) -> Result<Begun, StartError> {
        let ensemble = ctx.options.ensemble.as_ref();
        let keep = ensemble.map_or(0, |ensemble| ensemble.commit_log);
        let mut builder = Builder::keeping(self.tree_config.clone(), keep);
        let opened = Store::open(disk.shared(), Self::dirs(), options, &mut builder);
        let opened = opened.map_err(StartError::Recovery)?;
        let recent = builder.recent();
        let tree = match opened.recovered.start {
            Start::Unknown if ensemble.is_none() => return Err(StartError::Unknown),
            Start::Unknown => Tree::new(self.tree_config.clone()),
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
        Ok(Begun {
            tree,
            opened,
            recent,
        })
    }

    fn first_snapshot(
        &self,
        ctx: &Context,
        store: &Store,
        tree: &mut Tree,
    ) -> Result<(), DiskError> {
        let info = tree.start_snapshot();
        let mut writer = store.snapshot(info.zxid, ctx.options.compression)?;
        let mut body = Vec::new();
        while tree.snapshot_slice(usize::MAX, &mut body) {}
        writer.write(&body)?;
        writer.finish(trailers(ctx.options.digest, info.zxid, 0))?;
        store.created()
    }

    /// Compares what was recovered with what the server had.
    fn adopt(&mut self, ctx: &mut Context, begun: &Begun, records: &Records) {
        let server = self.index;
        let recovered = begun.tree.last_zxid().0;
        let loaded = match &begun.opened.recovered.start {
            Start::History {
                snapshot: Some((_, zxid, _)),
                ..
            } => zxid.0,
            _ => 0,
        };
        ctx.counts.check("P30");
        let evidence = &ctx.history.ledger.servers[server];
        let floor = evidence.replaced.as_ref().map_or(i64::MAX, |r| r.floor);
        let acknowledged = evidence.durable.min(floor);
        if recovered < acknowledged && !evidence.is_damaged {
            let what = format!(
                "s{server} has recovered a history that ends at {recovered:x}, but had said that \
                 it was durable up to {acknowledged:x}"
            );
            ctx.history.violate("P30", what);
        }
        let committed = ctx.history.last();
        let ledger = &mut ctx.history.ledger;
        ledger.recovered(server, loaded, recovered, records, committed);
        let evidence = &ledger.servers[server];
        let last = evidence.known.keys().next_back();
        let last = last.copied().unwrap_or(0).max(evidence.base);
        if recovered > last {
            let what = format!("s{server}: {recovered:x} was recovered, but nobody had decided it");
            ctx.history.violate("P12", what);
        }
        if ctx.options.ensemble.is_none() {
            if recovered < ctx.history.last() {
                let what = format!(
                    "after the start the history ends at {recovered:x}, but {:x} had been applied",
                    ctx.history.last()
                );
                ctx.history.violate("P30", what);
            }
            // What was durable, though not applied, is committed by being recovered.
            p23::applied(ctx, server, i64::MIN, recovered);
            ctx.history.ledger.proposed.split_off(&(recovered + 1));
        }
    }

    fn run(&mut self, ctx: &mut Context, begun: Begun) {
        let now = self.now_of(ctx);
        let Begun {
            tree,
            opened,
            recent,
        } = begun;
        let config = NodeConfig {
            seed: self.random.any(),
            run: self.incarnation,
            ..(*self.node_config).clone()
        };
        let node = match (&ctx.options.ensemble, &self.members) {
            (Some(ensemble), Some(members)) => {
                let recovered = Recovered {
                    last: tree.last_zxid(),
                    epochs: grevy_zab::Epochs {
                        accepted: opened.epochs.accepted(),
                        current: opened.epochs.current(),
                    },
                    recent,
                    standing: match opened.recovered.start {
                        _ if opened.recovered.is_new => Standing::New,
                        // A leader was about to fill it.
                        Start::History { zxid, .. } if zxid.epoch() > opened.epochs.accepted() => {
                            Standing::Abstaining
                        }
                        Start::History { .. } => Standing::Normal,
                        Start::Empty => Standing::Empty,
                        Start::Unknown => Standing::Abstaining,
                    },
                };
                let recovered = match ctx.options.bug {
                    Some(Bug::VotesWithoutHistory) => vouch(recovered),
                    _ => recovered,
                };
                let peer = ensemble.peer_config(self.id(), ctx.options.tick);
                let members = Memberships::clone(members);
                Node::member(config, peer, members, recovered, &tree, now)
            }
            _ => Node::standalone(config, &tree, now),
        };
        let alone = ctx.options.ensemble.is_none();
        ctx.up[self.index] = self.incarnation;
        self.run = Some(Run {
            node,
            watches: RefCell::new(WatchTable::new(self.tree_config.hash_seed)),
            noted: if alone { tree.last_zxid().0 } else { i64::MIN },
            tree,
            connections: RefCell::default(),
            sockets: BTreeMap::new(),
            by_link: BTreeMap::new(),
            next_client: 0,
            store: opened.store,
            log: new_log(opened.log, opened.epochs),
            snapshots: SnapshotThread::default(),
            started: now.time,
            service: if alone {
                Service::Open
            } else {
                Service::Paused
            },
            timer: None,
            quorum: BTreeMap::new(),
            received: None,
            believed: Vec::new(),
            heard_leader: now.time,
            leaderless: None,
            ends: None,
        });
        self.dump(ctx, "start");
        let tick = ctx.options.tick.as_micros() as u64;
        self.schedule(ctx, tick - ctx.schedule.now().0 % tick, Task::Tick);
        let purge = self.random.around(tick * 20);
        self.schedule(ctx, purge, Task::Purge);
        self.with_node(ctx, |_, _, _| {});
    }

    /// Reads all logs with the simulation's own reader.
    fn read_logs(&self, ctx: &mut Context) -> Records {
        let mut all = Records::new();
        for (path, _) in self.disk.files() {
            if log_name(&path).is_none() {
                continue;
            }
            let Some(bytes) = self.disk.content(&path) else {
                continue;
            };
            let file = format!("s{} {}", self.index, path.display());
            let records = log_file::records(&bytes).0;
            p22::check_file(ctx, &file, &records);
            all.extend(records.into_iter().map(|r| (r.zxid, r.entry.into())));
        }
        all
    }
}

/// The planted bug of that name.
fn vouch(recovered: Recovered) -> Recovered {
    let least = Epoch(1);
    Recovered {
        standing: Standing::Normal,
        epochs: grevy_zab::Epochs {
            accepted: recovered.epochs.accepted.max(least),
            current: recovered.epochs.current.max(least),
        },
        ..recovered
    }
}
