//! A scene in which recovery itself is interrupted: a server's disk with a history, unfinished
//! business and a torn tail, and the power going at each operation of the start in turn.

use crate::builder::Builder;
use crate::model::dump::dump_tree;
use crate::random::Random;
use grevy_proto::txn::{CreateKind, CreateTxn, SetDataTxn, Txn, TxnHeader, encode_entry};
use grevy_proto::{Acl, SessionId, Xid, Zxid};
use grevy_storage::recovery::Start;
use grevy_storage::snapshot::Trailers;
use grevy_storage::testing::MemDisk;
use grevy_storage::{
    Compression, Dirs, DiskError, Log, LogOptions, OpenOptions, Opened, RecoveryError, Store,
};
use grevy_tree::{Tree, TreeConfig};

/// What a scene came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted {
    /// Operations of an uninterrupted start.
    pub ops: u64,
    /// Starts that were interrupted.
    pub crashes: u64,
    /// Whether a tail was torn, so that there was something to repair.
    pub torn: bool,
}

fn config() -> TreeConfig {
    TreeConfig {
        hash_seed: 1,
        extended_types: true,
        emulate_353_ttl: false,
        digest: true,
    }
}

fn dirs() -> Dirs {
    Dirs {
        data: "/data".into(),
        log: "/log".into(),
    }
}

fn options() -> OpenOptions {
    OpenOptions {
        log: LogOptions {
            preallocate: 1000,
            ..LogOptions::default()
        },
        ..OpenOptions::default()
    }
}

/// Starts on the disk as the server does.
fn start(disk: &MemDisk) -> Result<(Tree, Opened), RecoveryError> {
    let mut builder = Builder::new(config());
    let opened = Store::open(disk.shared(), dirs(), options(), &mut builder)?;
    let mut tree = builder.finish();
    if opened.recovered.start == Start::Empty {
        snapshot(&opened.store, &mut tree)?;
        opened.store.created()?;
    } else {
        tree.finish_recovery();
    }
    Ok((tree, opened))
}

fn snapshot(store: &Store, tree: &mut Tree) -> Result<(), DiskError> {
    let info = tree.start_snapshot();
    let mut body = Vec::new();
    while tree.snapshot_slice(100, &mut body) {}
    let mut writer = store.snapshot(info.zxid, Compression::None)?;
    writer.write(&body)?;
    let (zxid, digest) = (info.zxid, info.digest);
    writer.finish(Trailers::All {
        zxid,
        digest,
        last_zxid: zxid,
    })?;
    Ok(())
}

/// A write, applied and appended.
fn write(tree: &mut Tree, log: &mut Log, random: &mut Random) {
    let zxid = tree.last_zxid().next();
    let data = random.below(900) as usize;
    let data = Some(random.bytes(data).into());
    let txn = match tree.get("/a") {
        None => Txn::Create(CreateTxn {
            path: "/a".into(),
            data,
            acl: vec![Acl::OPEN],
            kind: CreateKind::Plain { ephemeral: false },
            parent_cversion: 1,
        }),
        Some(_) => Txn::SetData(SetDataTxn {
            path: "/a".into(),
            data,
            version: zxid.0 as i32,
            reconfig: false,
        }),
    };
    let header = TxnHeader {
        session: SessionId(1),
        cxid: Xid(1),
        zxid,
        time: 0,
        op: txn.op().wire(),
    };
    let mut entry = Vec::new();
    encode_entry(&header, &txn, None, &mut entry);
    tree.apply(&header, &txn, &mut |_| {});
    log.append(zxid, &entry).expect("an intact disk");
}

/// Plays the scene of a seed; an error says what was lost.
pub fn interrupted_recovery(seed: u64) -> Result<Interrupted, String> {
    let mut random = Random::new(seed);
    let disk = MemDisk::new();
    let (mut tree, opened) = start(&disk).map_err(|error| error.to_string())?;
    let Opened { store, mut log, .. } = opened;
    for round in 0..random.between(1, 4) {
        for _ in 0..random.between(1, 6) {
            write(&mut tree, &mut log, &mut random);
        }
        log.commit().expect("an intact disk");
        if round % 2 == 0 {
            log.roll().expect("an intact disk");
            snapshot(&store, &mut tree).expect("an intact disk");
        }
    }
    log.sync_mark().expect("an intact disk");
    let acknowledged = (tree.last_zxid(), dump_tree(&tree));
    // A batch that is being written when the power goes, and a snapshot that is not finished.
    let unfinished = store.snapshot(Zxid(acknowledged.0.0), Compression::None);
    let unfinished = unfinished.and_then(|mut writer| writer.write(&random.bytes(3000)));
    unfinished.expect("an intact disk");
    for _ in 0..random.between(1, 5) {
        write(&mut tree, &mut log, &mut random);
    }
    let last = tree.last_zxid();
    disk.crash_at(disk.ops() + random.between(1, 2));
    // It may come through before the power goes.
    let _ = log.commit();
    drop((log, store));
    disk.crash(random.any());

    let whole = disk.fork();
    let before = whole.ops();
    judge(&whole, &acknowledged, last)?;
    let ops = whole.ops() - before;
    let mut crashes = 0;
    for at in 0..ops {
        for _ in 0..3 {
            let disk = disk.fork();
            let mut next = at;
            // The second start may be interrupted, too.
            for _ in 0..2 {
                disk.crash_at(disk.ops() + next);
                crashes += u64::from(start(&disk).is_err());
                disk.crash(random.any());
                next = random.below(ops);
            }
            judge(&disk, &acknowledged, last)
                .map_err(|why| format!("interrupted at operation {at}: {why}"))?;
        }
    }
    let torn = last_zxid(&disk) < last;
    Ok(Interrupted { ops, crashes, torn })
}

fn last_zxid(disk: &MemDisk) -> Zxid {
    start(&disk.fork()).map_or(Zxid(-1), |(tree, _)| tree.last_zxid())
}

/// Everything acknowledged is there, and at most what was decided; and the server can write.
fn judge(disk: &MemDisk, acknowledged: &(Zxid, String), last: Zxid) -> Result<(), String> {
    let (mut tree, opened) = start(disk).map_err(|error| error.to_string())?;
    let zxid = tree.last_zxid();
    if zxid < acknowledged.0 || zxid > last {
        return Err(format!("{zxid} is none of {} to {last}", acknowledged.0));
    }
    if zxid == acknowledged.0 && dump_tree(&tree) != acknowledged.1 {
        return Err(format!("another state at {zxid}: {}", dump_tree(&tree)));
    }
    let mut log = opened.log;
    write(&mut tree, &mut log, &mut Random::new(1));
    log.commit().map_err(|error| error.to_string())?;
    let state = dump_tree(&tree);
    drop((log, opened.store));
    disk.crash(1);
    let (again, _) = start(disk).map_err(|error| error.to_string())?;
    match dump_tree(&again) == state {
        true => Ok(()),
        false => Err(format!("what was written at {} is lost", tree.last_zxid())),
    }
}
