//! What the disk costs here: `cargo run --release -p grevy-storage --example speed -- DIRECTORY`.
//!
//! Prints the time of commits by size and preallocation, next to that of a bare write and sync of
//! as many bytes; of the replay of a million small transactions; and of writing and reading a
//! large snapshot.

use grevy_proto::txn::{SetDataTxn, Txn, TxnEntry, TxnHeader};
use grevy_proto::{Encode, Epoch, OpCode, SessionId, Xid, Zxid};
use grevy_storage::disk::OpenMode;
use grevy_storage::snapshot::{Fed, Trailers};
use grevy_storage::{
    Compression, Dirs, Disk, LogOptions, OpenOptions, Opened, RealDisk, Recover, Rejected, Store,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const COMMITS: usize = 2000;
const SNAPSHOT: usize = 184 << 20;

fn main() -> Outcome<()> {
    let scratch = std::env::args().nth(1).ok_or("give a directory")?;
    let scratch = Path::new(&scratch).join("grevy-speed");
    for size in [100, 1000, 20_000] {
        bare(&scratch.join(format!("bare-{size}")), size)?;
        for preallocate in [0, 64 << 10, 256 << 10] {
            let dir = scratch.join(format!("commit-{size}-{preallocate}"));
            commits(dir, size, preallocate)?;
        }
    }
    replay(scratch.join("replay"))?;
    snapshot(scratch.join("snapshot"))?;
    Ok(std::fs::remove_dir_all(scratch)?)
}

/// A write and a sync each, into space that is there already.
fn bare(dir: &Path, size: usize) -> Outcome<()> {
    RealDisk.create_dir(dir)?;
    let file = RealDisk.open(&dir.join("file"), OpenMode::Create)?;
    let data = vec![1; size];
    file.write_at(&vec![0; COMMITS * size], 0)?;
    file.sync()?;
    let mut times = Vec::new();
    for i in 0..COMMITS {
        let begun = Instant::now();
        file.write_at(&data, (i * size) as u64)?;
        file.sync()?;
        times.push(begun.elapsed());
    }
    print_times(&format!("bare write+sync of {size} bytes"), times);
    Ok(())
}

fn commits(dir: PathBuf, size: usize, preallocate: u32) -> Outcome<()> {
    let mut opened = begin(dir, preallocate)?;
    let mut times = Vec::new();
    for counter in 1..=COMMITS as u32 {
        let zxid = Zxid::new(Epoch(0), counter);
        let entry = entry(zxid, size);
        let begun = Instant::now();
        opened.log.append(zxid, &entry)?;
        opened.log.commit()?;
        times.push(begun.elapsed());
    }
    print_times(
        &format!("commit of {size} bytes, {preallocate} ahead"),
        times,
    );
    Ok(opened.log.close()?)
}

fn replay(dir: PathBuf) -> Outcome<()> {
    const TXNS: u32 = 1_000_000;
    let mut opened = begin(dir.clone(), LogOptions::MAX_PREALLOCATION)?;
    let mut writer = opened.store.snapshot(Zxid(0), Compression::None)?;
    writer.write(&[0; 100])?;
    writer.finish(Trailers::None)?;
    let mut entry = entry(Zxid(0), 100);
    let begun = Instant::now();
    for counter in 1..=TXNS {
        let zxid = Zxid::new(Epoch(0), counter);
        entry[12..20].copy_from_slice(&zxid.0.to_be_bytes());
        opened.log.append(zxid, &entry)?;
        if counter % 1000 == 0 {
            opened.log.commit()?;
        }
    }
    println!("append of {TXNS} in batches of 1000: {:?}", begun.elapsed());
    opened.log.close()?;
    drop(opened.store);
    let mut count = Count::new(100);
    let begun = Instant::now();
    open(dir, LogOptions::MAX_PREALLOCATION, &mut count)?;
    println!("replay of {}: {:?}", count.txns, begun.elapsed());
    Ok(())
}

fn snapshot(dir: PathBuf) -> Outcome<()> {
    let opened = begin(dir.clone(), 0)?;
    let chunk: Vec<u8> = (0..1 << 16).map(|i: u32| (i % 251) as u8).collect();
    for compression in [Compression::None, Compression::Snappy, Compression::Gzip] {
        let begun = Instant::now();
        let mut writer = opened.store.snapshot(Zxid(9), compression)?;
        for _ in 0..SNAPSHOT / chunk.len() {
            writer.write(&chunk)?;
        }
        let file = writer.finish(Trailers::None)?;
        println!(
            "snapshot of {SNAPSHOT} bytes, {compression:?}, written in {:?}",
            begun.elapsed()
        );
        let mut count = Count::new(SNAPSHOT);
        let begun = Instant::now();
        let sink = &mut |chunk: &[u8]| count.snapshot_chunk(chunk);
        grevy_storage::snapshot::read(&RealDisk, &file.path, compression, sink)?;
        println!("  read in {:?}", begun.elapsed());
        RealDisk.remove(&file.path)?;
    }
    Ok(())
}

fn begin(dir: PathBuf, preallocate: u32) -> Outcome<Opened> {
    open(dir, preallocate, &mut Count::new(0))
}

fn open(dir: PathBuf, preallocate: u32, count: &mut Count) -> Outcome<Opened> {
    let options = OpenOptions {
        log: LogOptions {
            preallocate,
            ..LogOptions::default()
        },
        ..OpenOptions::default()
    };
    let disk = Arc::new(RealDisk);
    Ok(Store::open(disk, Dirs::both(dir), options, count)?)
}

fn entry(zxid: Zxid, size: usize) -> Vec<u8> {
    let txn = Txn::SetData(SetDataTxn {
        path: "/node".into(),
        data: Some(vec![7; size.saturating_sub(50)].into()),
        version: 1,
        reconfig: false,
    });
    let header = TxnHeader {
        session: SessionId(1),
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

fn print_times(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let mean = times.iter().sum::<Duration>() / times.len() as u32;
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!(
        "{what}: mean {mean:?}, p50 {:?}, p90 {:?}, p99 {:?}",
        at(50),
        at(90),
        at(99)
    );
}

/// A state of bytes without meaning.
struct Count {
    /// How long the body is.
    body: usize,
    bytes: usize,
    txns: usize,
}

impl Count {
    fn new(body: usize) -> Self {
        Self {
            body,
            bytes: 0,
            txns: 0,
        }
    }
}

impl Recover for Count {
    fn begin(&mut self, _: Option<Zxid>) {
        *self = Self::new(self.body);
    }

    fn snapshot_chunk(&mut self, chunk: &[u8]) -> Result<Fed, Rejected> {
        let left = self.body - self.bytes;
        self.bytes += chunk.len().min(left);
        Ok(if left <= chunk.len() {
            Fed::Done(left)
        } else {
            Fed::More
        })
    }

    fn txn(&mut self, _: Zxid, _: &[u8]) -> Result<(), Rejected> {
        self.txns += 1;
        Ok(())
    }
}
