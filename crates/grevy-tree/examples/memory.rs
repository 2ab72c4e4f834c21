//! Measures a tree of many znodes: memory, applying, looking up, writing and loading a snapshot.
//!
//! `cargo run --release -p grevy-tree --example memory [znodes] [bytes of data]`

use grevy_proto::txn::{CreateKind, CreateTxn, SetDataTxn, Txn, TxnHeader};
use grevy_proto::{Acl, SessionId, Xid, Zxid};
use grevy_tree::{Fed, Loader, Tree, TreeConfig};
use std::time::{Duration, Instant};

fn main() {
    let mut args = std::env::args()
        .skip(1)
        .map(|arg| arg.parse().expect("a number"));
    let count: usize = args.next().unwrap_or(1_000_000);
    let len: usize = args.next().unwrap_or(100);
    let config = TreeConfig {
        hash_seed: 42,
        extended_types: false,
        emulate_353_ttl: false,
        digest: true,
    };
    println!("{count} znodes with {len} bytes of data, 1000 to a parent");

    let before = resident();
    let mut tree = Tree::new(config.clone());
    let mut zxid = 0;
    let mut create = |tree: &mut Tree, txns: Vec<Txn>| {
        let start = Clock::start();
        for txn in &txns {
            zxid += 1;
            tree.apply(&header(zxid, txn), txn, &mut |_| {});
        }
        start.elapsed()
    };
    let mut spent = create(&mut tree, vec![create_txn("/bench".into(), 0)]);
    for parent in 0..count.div_ceil(1000) {
        let parent_txn = create_txn(format!("/bench/{parent}"), 0);
        let children = parent * 1000..count.min((parent + 1) * 1000);
        let children = children.map(|n| create_txn(path(n), len));
        let txns = core::iter::once(parent_txn).chain(children).collect();
        spent += create(&mut tree, txns);
    }
    each("create", spent, count);
    memory("created", before, count);

    let order: Vec<usize> = (0..count).map(|n| n.wrapping_mul(7_919) % count).collect();
    let paths: Vec<String> = order.iter().map(|&n| path(n)).collect();
    let start = Clock::start();
    let found = paths.iter().filter_map(|path| tree.get(path)?.data());
    let sum: usize = found.map(|data| data.len() + usize::from(data[0])).sum();
    each("get, with data", start.elapsed(), count);
    assert_eq!(sum, count * (len + 7));

    let hot = &paths[..paths.len().min(1000)];
    let start = Clock::start();
    let rounds = count / hot.len();
    let found = (0..rounds)
        .flat_map(|_| hot)
        .filter_map(|path| tree.get(path)?.data());
    let sum: usize = found.map(|data| data.len() + usize::from(data[0])).sum();
    each(
        "get, with data, of 1000 znodes",
        start.elapsed(),
        rounds * hot.len(),
    );
    assert_eq!(sum, rounds * hot.len() * (len + 7));

    let sets: Vec<Txn<'_>> = paths
        .iter()
        .map(|path| {
            Txn::SetData(SetDataTxn {
                path: path.as_str().into(),
                data: Some(vec![8; len].into()),
                version: 1,
                reconfig: false,
            })
        })
        .collect();
    let start = Clock::start();
    for (n, txn) in sets.iter().enumerate() {
        tree.apply(&header((2 * count + n) as i64, txn), txn, &mut |_| {});
    }
    each("setData", start.elapsed(), count);
    drop(sets);
    drop((paths, order));

    let mut body = Vec::with_capacity(count * (len + 130));
    let start = Clock::start();
    let info = tree.start_snapshot();
    let mut slowest = Duration::ZERO;
    loop {
        let slice = Instant::now();
        let more = tree.snapshot_slice(1000, &mut body);
        slowest = slowest.max(slice.elapsed());
        if !more {
            break;
        }
    }
    each("write snapshot", start.elapsed(), count);
    println!("  {} MiB, slowest slice {slowest:?}", body.len() >> 20);
    drop(tree);

    let before = resident();
    let start = Clock::start();
    let mut loader = Loader::new(config, info.zxid);
    for chunk in body.chunks(1 << 20) {
        let fed = loader.feed(chunk).expect("a whole body");
        assert!(fed == Fed::More || fed == Fed::Done(chunk.len()));
    }
    let tree = loader.finish().expect("a whole body");
    let spent = start.elapsed();
    each("load snapshot", spent, count);
    println!("  {spent:?} in all");
    assert_eq!(
        (tree.digest(), tree.znode_count()),
        (info.digest, info.znodes + 1)
    );
    memory("loaded", before, count);
}

fn create_txn(path: String, len: usize) -> Txn<'static> {
    Txn::Create(CreateTxn {
        path: path.into(),
        data: Some(vec![7; len].into()),
        acl: vec![Acl::OPEN],
        kind: CreateKind::Plain { ephemeral: false },
        parent_cversion: -1,
    })
}

fn path(n: usize) -> String {
    format!("/bench/{}/znode{n:010}", n / 1000)
}

fn header(zxid: i64, txn: &Txn) -> TxnHeader {
    TxnHeader {
        session: SessionId(1),
        cxid: Xid(1),
        zxid: Zxid(zxid),
        time: 1_700_000_000_000,
        op: txn.op().wire(),
    }
}

fn each(what: &str, spent: Duration, count: usize) {
    println!("{what}: {} ns each", spent.as_nanos() / count as u128);
}

fn memory(what: &str, before: usize, count: usize) {
    let grown = resident().saturating_sub(before);
    println!(
        "{what}: {} MiB resident more, {} bytes each",
        grown >> 20,
        grown / count
    );
}

/// Measures processor time where the system tells it, which other processes disturb less;
/// a few milliseconds coarse.
struct Clock(Duration, Instant);

impl Clock {
    fn start() -> Self {
        Self(Self::on_cpu().unwrap_or_default(), Instant::now())
    }

    fn elapsed(&self) -> Duration {
        match Self::on_cpu() {
            Some(now) => now - self.0,
            None => self.1.elapsed(),
        }
    }

    fn on_cpu() -> Option<Duration> {
        let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
        let nanos = text.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(nanos))
    }
}

/// Resident memory in bytes; 0 where the system does not say.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.unwrap_or(0usize) * 1024
}
