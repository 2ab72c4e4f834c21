//! Measures deciding on writes, with nothing pending and with much.
//!
//! `cargo run --release -p grevy-tree --example prepare [znodes] [depth]`

use grevy_proto::request::{Create, Delete, SetData};
use grevy_proto::{Acl, Encode, OpCode, SessionId, Xid, Zxid};
use grevy_tree::{Context, Pending, PrepareConfig, Tree, TreeConfig, WriteRequest};
use std::time::{Duration, Instant};

fn main() {
    let mut args = std::env::args()
        .skip(1)
        .map(|arg| arg.parse().expect("a number"));
    let count: usize = args.next().unwrap_or(100_000);
    let depth: usize = args.next().unwrap_or(1000);
    for depth in [1, depth] {
        println!("{count} znodes, {depth} pending");
        let mut leader = Leader::new();
        let parent = [create("/bench".into())];
        leader.run("create parent", OpCode::Create, &parent, depth);
        let paths: Vec<_> = (0..count).map(|n| format!("/bench/{n:010}")).collect();
        let creates: Vec<_> = paths.iter().cloned().map(create).collect();
        leader.run("create", OpCode::Create, &creates, depth);
        let sets: Vec<_> = paths.iter().map(|path| set_data(path)).collect();
        leader.run("setData", OpCode::SetData, &sets, depth);
        let deletes: Vec<_> = paths.iter().map(|path| delete(path)).collect();
        leader.run("delete", OpCode::Delete, &deletes, depth);
    }
}

fn create(path: String) -> Vec<u8> {
    Create {
        path: path.into(),
        data: Some(&[7; 100]),
        acl: vec![Acl::OPEN],
        flags: 0,
    }
    .to_bytes()
}

fn set_data(path: &str) -> Vec<u8> {
    SetData {
        path: path.into(),
        data: Some(&[8; 100]),
        version: -1,
    }
    .to_bytes()
}

fn delete(path: &str) -> Vec<u8> {
    Delete {
        path: path.into(),
        version: -1,
    }
    .to_bytes()
}

struct Leader {
    tree: Tree,
    pending: Pending,
    zxid: Zxid,
}

impl Leader {
    fn new() -> Self {
        Self {
            tree: Tree::new(TreeConfig {
                hash_seed: 42,
                extended_types: false,
                emulate_353_ttl: false,
                digest: true,
            }),
            pending: Pending::default(),
            zxid: Zxid::ZERO,
        }
    }

    /// Decides on all requests, and applies what was decided whenever `depth` are pending.
    fn run(&mut self, what: &str, op: OpCode, records: &[Vec<u8>], depth: usize) {
        let config = PrepareConfig::default();
        let mut spent = Duration::ZERO;
        for batch in records.chunks(depth) {
            let mut proposed = Vec::with_capacity(depth);
            let start = Instant::now();
            for record in batch {
                self.zxid = self.zxid.next();
                let context = Context {
                    config: &config,
                    session: SessionId(1),
                    cxid: Xid(1),
                    zxid: self.zxid,
                    time: 1_700_000_000_000,
                    ids: &[],
                    session_state: Ok(()),
                    ephemeral_state: Ok(()),
                    reconfigure: None,
                };
                let request = WriteRequest { op, record };
                let prepared = self.pending.prepare(&self.tree, &request, &context);
                let prepared = prepared.expect("the record is whole");
                proposed.push((context.header(&prepared.txn), prepared));
            }
            spent += start.elapsed();
            for (header, prepared) in &proposed {
                self.tree.apply(header, &prepared.txn, &mut |_| {});
            }
            let start = Instant::now();
            for (header, _) in &proposed {
                self.pending.applied(header.zxid);
            }
            spent += start.elapsed();
            let foretold = proposed.last().and_then(|(_, prepared)| prepared.digest);
            assert_eq!(
                foretold.map(|digest| digest.digest),
                Some(self.tree.digest())
            );
        }
        let each = spent.as_nanos() / records.len() as u128;
        println!("  {what}: {each} ns each");
    }
}
