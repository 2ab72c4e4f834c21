//! What the tests of this crate share: transactions, a state that can check itself, and a
//! server's directories on a disk in memory.

#![allow(dead_code, reason = "each test uses its part")]

use grevy_proto::txn::{SetDataTxn, Txn, TxnEntry, TxnHeader};
use grevy_proto::{Encode, Epoch, OpCode, SessionId, Xid, Zxid};
use grevy_storage::log::LogOptions;
use grevy_storage::snapshot::{Fed, Trailers};
use grevy_storage::testing::MemDisk;
use grevy_storage::{
    Compression, Dirs, Log, OpenOptions, Opened, Recover, Recovered, RecoveryError, Rejected, Store,
};
use std::path::{Path, PathBuf};

pub const LOGS: &str = "/zk/version-2";

pub fn z(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

/// The one transaction that has this zxid. Lengths differ, so that records begin anywhere.
pub fn entry(zxid: Zxid) -> Vec<u8> {
    let size = (zxid.counter().wrapping_mul(7919) % 150) as usize;
    let txn = Txn::SetData(SetDataTxn {
        path: "/node".into(),
        data: Some(vec![zxid.counter() as u8; size].into()),
        version: zxid.counter().cast_signed(),
        reconfig: false,
    });
    let header = TxnHeader {
        session: SessionId(0x1234),
        cxid: Xid(1),
        zxid,
        time: 1,
        op: OpCode::SetData.wire(),
    };
    let entry = TxnEntry {
        header,
        txn,
        digest: None,
    };
    entry.to_bytes()
}

/// A state that knows which transactions made it, and takes none but the right bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    /// The zxid of the snapshot, if there was one.
    pub base: Option<Zxid>,
    pub txns: Vec<Zxid>,
    /// How many times a state began.
    pub begun: usize,
    body: Vec<u8>,
}

/// The body of a snapshot at `zxid`: its length, the zxid, and some filling.
pub fn body(zxid: Zxid) -> Vec<u8> {
    let len = 600 + zxid.counter() as usize % 100;
    let mut body = (len as i32).to_bytes();
    zxid.encode(&mut body);
    body.resize(len, zxid.counter() as u8);
    body
}

impl Recover for Model {
    fn begin(&mut self, zxid: Option<Zxid>) {
        *self = Self {
            base: zxid,
            begun: self.begun + 1,
            ..Self::default()
        };
    }

    fn snapshot_chunk(&mut self, chunk: &[u8]) -> Result<Fed, Rejected> {
        let before = self.body.len();
        self.body.extend_from_slice(chunk);
        let Some(len) = self.body.first_chunk::<4>() else {
            return Ok(Fed::More);
        };
        let len = u32::from_be_bytes(*len) as usize;
        if !(600..700).contains(&len) {
            return Err(Rejected(format!("a body of {len} bytes")));
        }
        if self.body.len() < len {
            return Ok(Fed::More);
        }
        self.body.truncate(len);
        match self.base.map(body).as_deref() == Some(&self.body) {
            true => Ok(Fed::Done(len - before)),
            false => Err(Rejected("another body".into())),
        }
    }

    fn txn(&mut self, zxid: Zxid, bytes: &[u8]) -> Result<(), Rejected> {
        if entry(zxid) != bytes {
            return Err(Rejected(format!("not the bytes of {zxid}")));
        }
        self.txns.push(zxid);
        Ok(())
    }
}

impl Model {
    /// The last transaction that it holds.
    pub fn last(&self) -> Zxid {
        let last = self.txns.last().copied();
        last.or(self.base).unwrap_or(Zxid(-1))
    }
}

pub fn dirs() -> Dirs {
    Dirs::both("/zk")
}

pub fn options() -> OpenOptions {
    OpenOptions {
        log: LogOptions {
            preallocate: 512,
            ..LogOptions::default()
        },
        ..OpenOptions::default()
    }
}

pub fn open_with(disk: &MemDisk, options: OpenOptions) -> Result<(Opened, Model), RecoveryError> {
    let mut model = Model::default();
    let opened = Store::open(disk.shared(), dirs(), options, &mut model)?;
    Ok((opened, model))
}

pub fn open(disk: &MemDisk) -> Result<(Opened, Model), RecoveryError> {
    open_with(disk, options())
}

/// Opens and closes; gives what was found.
pub fn look(disk: &MemDisk) -> Result<(Recovered, Model), RecoveryError> {
    open(disk).map(|(opened, model)| (opened.recovered, model))
}

pub fn append(log: &mut Log, zxids: impl IntoIterator<Item = Zxid>) {
    for zxid in zxids {
        log.append(zxid, &entry(zxid)).unwrap();
    }
}

pub fn snapshot(store: &Store, zxid: Zxid) -> Result<(), grevy_storage::DiskError> {
    snapshot_with(store, zxid, Trailers::None)
}

pub fn snapshot_with(
    store: &Store,
    zxid: Zxid,
    trailers: Trailers,
) -> Result<(), grevy_storage::DiskError> {
    let mut writer = store.snapshot(zxid, Compression::None)?;
    writer.write(&body(zxid))?;
    writer.finish(trailers).map(drop)
}

/// A server that has begun at zxid 0 on an empty disk.
pub fn begun() -> (MemDisk, Opened) {
    let disk = MemDisk::new();
    let (opened, _) = open(&disk).unwrap();
    snapshot(&opened.store, Zxid(0)).unwrap();
    opened.store.created().unwrap();
    (disk, opened)
}

/// A disk with transactions 1 to `n` of epoch 0, one commit each, stopped in an orderly way.
pub fn filled(n: u32) -> MemDisk {
    let (disk, mut opened) = begun();
    for counter in 1..=n {
        append(&mut opened.log, [z(0, counter)]);
        opened.log.commit().unwrap();
    }
    opened.log.close().unwrap();
    drop(opened.store);
    disk
}

pub fn path(name: &str) -> PathBuf {
    Path::new(LOGS).join(name)
}

/// A log as a Java server writes it, with zeros behind.
pub fn java_log(zxids: impl IntoIterator<Item = Zxid>, zeros: usize) -> Vec<u8> {
    let mut bytes = b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0".to_vec();
    for zxid in zxids {
        let entry = entry(zxid);
        let sum = simd_adler32::adler32(&entry.as_slice());
        bytes.extend_from_slice(&u64::from(sum).to_be_bytes());
        bytes.extend_from_slice(&(entry.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&entry);
        bytes.push(0x42);
    }
    bytes.resize(bytes.len() + zeros, 0);
    bytes
}

/// A snapshot with a seal and nothing more.
pub fn java_snapshot(zxid: Zxid) -> Vec<u8> {
    let mut bytes = b"ZKSN\0\0\0\x02\xff\xff\xff\xff\xff\xff\xff\xff".to_vec();
    bytes.extend_from_slice(&body(zxid));
    let sum = simd_adler32::adler32(&bytes.as_slice());
    bytes.extend_from_slice(&u64::from(sum).to_be_bytes());
    bytes.extend_from_slice(b"\0\0\0\x01/");
    bytes
}
