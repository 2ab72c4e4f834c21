//! Inputs to begin with: valid ones, which mutations spoil a little.

use super::tree_config;
use crate::builder::Builder;
use crate::operation::Operation;
use crate::options::Options;
use crate::random::Random;
use crate::workload;
use grevy_proto::election::{Hello, Notification, PeerState};
use grevy_proto::txn::{CreateKind, CreateTxn, Txn, TxnHeader, encode_entry};
use grevy_proto::{Acl, ServerId, SessionId, Xid, Zxid};
use grevy_storage::snapshot::Trailers;
use grevy_storage::testing::MemDisk;
use grevy_storage::{Compression, Dirs, LogOptions, OpenOptions, Opened, Store};
use grevy_tree::Tree;

/// A data directory with a snapshot and a log.
pub(super) fn small_disk() -> MemDisk {
    let disk = MemDisk::new();
    let mut builder = Builder::new(tree_config());
    let options = OpenOptions {
        log: LogOptions {
            preallocate: 100,
            ..LogOptions::default()
        },
        ..OpenOptions::default()
    };
    let dirs = Dirs::both("/data");
    let opened = Store::open(disk.shared(), dirs, options, &mut builder);
    let Ok(Opened { store, mut log, .. }) = opened else {
        return disk;
    };
    let mut tree = Tree::new(tree_config());
    tree.start_snapshot();
    let mut body = Vec::new();
    while tree.snapshot_slice(usize::MAX, &mut body) {}
    let written = store
        .snapshot(Zxid(0), Compression::None)
        .and_then(|mut writer| {
            writer.write(&body)?;
            writer.finish(Trailers::None)
        });
    let appended = log.append(Zxid(1), &entry(1)).and_then(|()| log.commit());
    debug_assert!(written.is_ok() && appended.is_ok());
    drop((store, log));
    disk
}

fn entry(zxid: i64) -> Vec<u8> {
    let txn = Txn::Create(CreateTxn {
        path: format!("/z{zxid}").into(),
        data: Some([1, 2, 3][..].into()),
        acl: vec![Acl::OPEN],
        kind: CreateKind::Plain2 { ephemeral: true },
        parent_cversion: zxid as i32,
    });
    let header = TxnHeader {
        session: SessionId(7),
        cxid: Xid(2),
        zxid: Zxid(zxid),
        time: 5,
        op: txn.op().wire(),
    };
    let mut entry = Vec::new();
    encode_entry(&header, &txn, None, &mut entry);
    entry
}

/// Valid inputs of the target.
pub fn inputs(target: &str, random: &mut Random) -> Vec<Vec<u8>> {
    let options = Options::draw(1);
    let mut operations = || -> Vec<Operation> {
        (0..20)
            .map(|_| workload::draw(random, &options, &[]))
            .collect()
    };
    let record = |operation: &Operation| operation.frame(Xid(1))[12..].to_vec();
    let file = |name: &str| small_disk().content(name).unwrap_or_default();
    match target {
        "requests" | "jute" => operations().iter().map(record).collect(),
        "multi" => {
            let all = operations();
            let multis = all.iter().filter(|op| matches!(op, Operation::Multi(_)));
            multis.map(record).collect()
        }
        "connect" => vec![super::node::handshake(0)],
        "txn" => vec![entry(1), entry(2)],
        "log" => vec![file("/data/version-2/log.1")],
        "snapshot" => {
            let snapshot = file("/data/version-2/snapshot.0");
            let end = snapshot.len().saturating_sub(13);
            vec![snapshot.get(16..end).unwrap_or_default().to_vec()]
        }
        "recovery" => [
            "log.1",
            "snapshot.0",
            "snapshot.0",
            "snapshot.0",
            "grevy.durable",
            "currentEpoch",
        ]
        .iter()
        .enumerate()
        .map(|(which, name)| {
            let mut input = vec![which as u8];
            input.extend(file(&format!("/data/version-2/{name}")));
            input
        })
        .collect(),
        "node" => {
            let mut input = Vec::new();
            for operation in operations() {
                super::node::add_frame(&record_with_header(&operation), &mut input);
            }
            vec![input]
        }
        "hello" => {
            let hello = Hello {
                server: ServerId(3),
                addresses: ["zoo1:3888", "[::1]:3889"]
                    .map(|a| a.parse().unwrap())
                    .into(),
            };
            vec![hello.encode_v1(), hello.encode_v2(), vec![0; 8]]
        }
        "notification" => [None, Some(MEMBERS.into())]
            .map(|config| {
                let notification = Notification {
                    state: PeerState::Following,
                    leader: ServerId(2),
                    zxid: Zxid(0x1_0000_0002),
                    round: 3,
                    epoch: 1,
                    version: 2,
                    config,
                };
                notification.to_message()
            })
            .into(),
        "membership" => [
            format!("{MEMBERS}\n\nserver.4=d:1:2;3\n1,7"),
            format!("{MEMBERS}\ngroup.1=1:2\nweight.1=3\n\nserver.1=a:1:2,server.2=b:1:2"),
        ]
        .map(String::into_bytes)
        .into(),
        _ => Vec::new(),
    }
}

const MEMBERS: &str = "server.1=a:1:2:participant;0.0.0.0:2181\n\
                       server.2=b:1:2|[::1]:3:4:participant;c:5;d:6\n\
                       server.3=c:1:2:observer\nversion=100000002";

fn record_with_header(operation: &Operation) -> Vec<u8> {
    operation.frame(operation.special_xid().unwrap_or(Xid(5)))[4..].to_vec()
}

/// Spoils an input a little.
pub fn mutate(input: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.between(1, 4) {
        let len = input.len();
        match random.below(7) {
            0 if len > 0 => input[random.index(len)] ^= 1 << random.below(8),
            1 if len > 0 => input[random.index(len)] = *random.pick(&[0, 1, 0x7f, 0x80, 0xff]),
            2 => input.truncate(random.index(len + 1)),
            3 => {
                let more = random.below(20) as usize;
                let at = random.index(len + 1);
                let more = random.bytes(more);
                input.splice(at..at, more);
            }
            4 if len >= 4 => {
                let at = random.index(len - 3);
                let number = *random.pick(&[0, 1, -1, -2, i32::MAX, i32::MIN, 1 << 20]);
                input[at..at + 4].copy_from_slice(&number.to_be_bytes());
            }
            5 if len > 0 => {
                let (a, b) = (random.index(len), random.index(len));
                let piece = input[a.min(b)..a.max(b)].to_vec();
                let at = random.index(len);
                input.splice(at..at, piece);
            }
            _ => {
                let len = random.below(100) as usize;
                *input = random.bytes(len);
            }
        }
        input.truncate(64 << 10);
    }
}
