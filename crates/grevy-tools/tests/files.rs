//! Files as the storage crate writes them, in every compression, and larger than any buffer.

use clap::Parser;
use grevy_proto::txn::{CreateKind, CreateTxn, Txn, TxnHeader};
use grevy_proto::{Acl, SessionId, Xid, Zxid};
use grevy_storage::snapshot::Trailers;
use grevy_storage::{Compression, RealDisk, SnapshotWriter};
use grevy_tools::exit::{Exit, Failure};
use grevy_tools::files::inspect;
use grevy_tree::{Tree, TreeConfig};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// More than fits into any buffer on the way.
const ZNODES: u32 = 3000;
const DATA: usize = 2000;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    inspect: inspect::Arguments,
}

fn inspect(words: &[&str]) -> Result<(Exit, String), Failure> {
    let words = [&["inspect"], words].concat();
    let command = Command::try_parse_from(words).expect("right arguments");
    let mut out = Vec::new();
    let exit = inspect::run(&command.inspect, &mut out)?;
    Ok((exit, String::from_utf8(out).expect("text")))
}

/// A tree with that many znodes of that much data below /a, and one ephemeral znode.
fn tree() -> Tree {
    let mut tree = Tree::new(TreeConfig {
        hash_seed: 1,
        extended_types: true,
        emulate_353_ttl: false,
        digest: true,
    });
    let session = SessionId(0x77);
    let mut zxid = Zxid::ZERO;
    let mut apply = |txn: Txn| {
        zxid = zxid.next();
        let header = TxnHeader {
            session,
            cxid: Xid(1),
            zxid,
            time: 1,
            op: txn.op().wire(),
        };
        tree.apply(&header, &txn, &mut |_| {});
    };
    let create = |path: String, data: Vec<u8>, ephemeral| {
        Txn::Create(CreateTxn {
            path: path.into(),
            data: Some(data.into()),
            acl: vec![Acl::OPEN],
            kind: CreateKind::Plain { ephemeral },
            parent_cversion: -1,
        })
    };
    apply(Txn::CreateSession(30_000));
    apply(create("/a".to_owned(), Vec::new(), false));
    for n in 0..ZNODES {
        apply(create(format!("/a/{n}"), vec![b'x'; DATA], false));
    }
    apply(create("/e".to_owned(), b"me".to_vec(), true));
    tree
}

fn write(tree: &mut Tree, dir: &Path, compression: Compression) -> PathBuf {
    let info = tree.start_snapshot();
    let disk = Arc::new(RealDisk);
    let mut writer =
        SnapshotWriter::begin(disk, dir, info.zxid, compression).expect("the directory is there");
    let mut body = Vec::new();
    loop {
        let more = tree.snapshot_slice(100, &mut body);
        writer.write(&body).expect("it is written");
        body.clear();
        if !more {
            break;
        }
    }
    let trailers = Trailers::All {
        zxid: info.zxid,
        digest: tree.digest(),
        last_zxid: info.zxid,
    };
    writer.finish(trailers).expect("it is finished").path
}

#[test]
fn snapshots_of_every_compression_say_the_same() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("snapshots");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let mut tree = tree();
    let all = [Compression::None, Compression::Gzip, Compression::Snappy];
    let files = all.map(|compression| write(&mut tree, &dir, compression));
    let files = files.each_ref().map(|file| file.to_str().unwrap());
    let sizes = |file| inspect(&["snapshot", file, "--sizes"]).unwrap().1;
    let expected = format!(
        "      ZNODES           BYTES  PATH\n{:>12} {:>15}  /\n{:>12} {:>15}  /a\n{:>12} {:>15}  \
         /e\n{:>12} {:>15}  /zookeeper\n",
        ZNODES + 6,
        ZNODES as usize * DATA + 2,
        ZNODES + 1,
        ZNODES as usize * DATA,
        1,
        2,
        3,
        0
    );
    for file in files {
        assert_eq!(sizes(file), expected, "{file}");
        let (_, out) = inspect(&["snapshot", file, "--session", "0x77", "--data"]).unwrap();
        assert!(out.starts_with("session 0x77 timeout 30000 ms\n"), "{out}");
        assert!(out.contains("ephemeral 0x77"), "{out}");
        assert!(
            out.contains("\n  data \"me\"\n1 znodes with 2 bytes of data"),
            "{out}"
        );
        let compared = inspect(&["compare", files[0], file]).unwrap();
        assert_eq!(compared, (Exit::Done, String::new()), "{file}");
    }
}

#[test]
fn damage_anywhere_in_a_snapshot_is_found() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("damaged-snapshots");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let file = write(&mut tree(), &dir, Compression::None);
    let whole = fs::read(&file).unwrap();
    let damaged = |content: &[u8]| {
        fs::write(&file, content).unwrap();
        let failure = inspect(&["snapshot", file.to_str().unwrap(), "--sizes"]).unwrap_err();
        assert_eq!(failure.exit, Exit::Finding);
        failure.message
    };
    for at in [0, 100, whole.len() / 2, whole.len() - 30] {
        let mut content = whole.clone();
        content[at] ^= 1;
        assert!(
            damaged(&content).contains("is not a whole snapshot: "),
            "{at}"
        );
    }
    for len in [0, 10, 100, whole.len() / 2, whole.len() - 1] {
        damaged(&whole[..len]);
    }
}
