//! Bodies of the fuzz targets. None may panic, hang, or allocate what its input cannot back.
//!
//! `fuzz/` runs them with coverage; `cargo test` runs them on random and mutated inputs.

pub mod node;
mod seeds;

pub use seeds::{inputs, mutate};

use grevy_node::auth;
use grevy_proto::connect::{ConnectRequest, ConnectResponse};
use grevy_proto::election::{Hello, HelloError, Notification, split_message};
use grevy_proto::multi::{decode_multi, encode_multi};
use grevy_proto::reply::{Create2Response, GetDataResponse, ReplyHeader};
use grevy_proto::request;
use grevy_proto::txn::TxnEntry;
use grevy_proto::{Decode, Encode, Reader, Stat};
use grevy_storage::log::{LogReader, Step};
use grevy_storage::snapshot::{self, Compression, Fed};
use grevy_storage::testing::MemDisk;
use grevy_storage::{Dirs, OpenOptions, Rejected, Store};
use grevy_tree::{Loader, TreeConfig};
use grevy_zab::Membership;
use std::path::Path;

/// A target's body.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("requests", requests),
    ("connect", connect),
    ("multi", multi),
    ("txn", txn),
    ("jute", jute),
    ("log", log),
    ("snapshot", snapshot_body),
    ("recovery", recovery),
    ("node", node::node),
    ("hello", hello),
    ("notification", notification),
    ("membership", membership),
];

/// What is read is written so that it reads the same, and then is written the same.
macro_rules! round_trip {
    ($bytes:expr, $($type:ty),+ $(,)?) => {
        $(if let Ok(value) = <$type>::decode(&mut Reader::new($bytes)) {
            let written = value.to_bytes();
            let again = <$type>::decode(&mut Reader::new(&written)).expect("it was read before");
            assert_eq!(again.to_bytes(), written, stringify!($type));
        })+
    };
}

/// Records of requests.
pub fn requests(bytes: &[u8]) {
    round_trip!(
        bytes,
        request::RequestHeader,
        request::Create<'_>,
        request::CreateTtl<'_>,
        request::Delete<'_>,
        request::SetData<'_>,
        request::SetAcl<'_>,
        request::Check<'_>,
        request::Read<'_>,
        request::PathOnly<'_>,
        request::SetWatches<'_>,
        request::SetWatches2<'_>,
        request::WatchOf<'_>,
        request::Auth<'_>,
        request::Reconfig<'_>,
    );
    if let Ok(auth) = request::Auth::decode(&mut Reader::new(bytes)) {
        let here = auth::ip_id(std::net::IpAddr::from([127, 0, 0, 1]));
        auth::authenticate(&auth::AuthConfig::default(), &here, &auth.scheme, auth.auth);
    }
}

/// The handshake.
pub fn connect(bytes: &[u8]) {
    round_trip!(bytes, ConnectRequest<'_>, ConnectResponse);
}

/// Operations of a multi.
pub fn multi(bytes: &[u8]) {
    let Ok(ops) = decode_multi(&mut Reader::new(bytes)) else {
        return;
    };
    let mut written = Vec::new();
    encode_multi(&ops, &mut written);
    let again = decode_multi(&mut Reader::new(&written)).expect("it was read before");
    assert_eq!(again, ops);
}

/// Transactions.
pub fn txn(bytes: &[u8]) {
    let Ok(entry) = TxnEntry::decode(&mut Reader::new(bytes)) else {
        return;
    };
    let written = entry.to_bytes();
    let again = TxnEntry::from_bytes(&written).expect("it was read before");
    assert_eq!(again, entry);
    // Applying is total, whatever the transaction.
    let mut tree = grevy_tree::Tree::new(tree_config());
    tree.apply(&entry.header, &entry.txn, &mut |_| {});
}

/// Replies, and the primitives below everything.
pub fn jute(bytes: &[u8]) {
    round_trip!(
        bytes,
        ReplyHeader,
        Stat,
        Create2Response<'_>,
        GetDataResponse<'_>,
        Vec<grevy_proto::Acl>,
        Option<&[u8]>,
        bool,
    );
}

/// A log file.
pub fn log(bytes: &[u8]) {
    let disk = MemDisk::new();
    disk.put("/log/log.1", bytes);
    let Ok(mut reader) = LogReader::open(&disk, Path::new("/log/log.1")) else {
        return;
    };
    let mut at = 0;
    while let Ok(Step::Record(record)) = reader.read() {
        assert!(record.offset >= at && record.end as usize <= bytes.len());
        at = record.end;
    }
}

/// A snapshot's body, cut anywhere.
pub fn snapshot_body(bytes: &[u8]) {
    let load = |piece: usize| {
        let loader = Loader::new(tree_config(), grevy_proto::Zxid(1));
        let mut loader = loader.field_limit(1 << 20);
        for chunk in bytes.chunks(piece.max(1)) {
            match loader.feed(chunk) {
                Ok(grevy_tree::Fed::More) => {}
                Ok(grevy_tree::Fed::Done(_)) => break,
                Err(_) => return None,
            }
        }
        loader
            .finish()
            .ok()
            .map(|tree| (tree.digest(), tree.znode_count()))
    };
    assert_eq!(load(bytes.len()), load(7));
}

/// A data directory in which one file has these bytes.
pub fn recovery(bytes: &[u8]) {
    let Some((&which, content)) = bytes.split_first() else {
        return;
    };
    let name = match which % 6 {
        0 => "/data/version-2/log.1",
        1 => "/data/version-2/snapshot.0",
        2 => "/data/version-2/snapshot.0.gz",
        3 => "/data/version-2/snapshot.0.snappy",
        4 => "/data/version-2/grevy.durable",
        _ => "/data/version-2/currentEpoch",
    };
    let disk = seeds::small_disk();
    disk.put(name, content);
    let mut builder = crate::builder::Builder::new(tree_config());
    // Whether it starts or refuses: it does not panic.
    let _ = Store::open(
        disk.shared(),
        Dirs::both("/data"),
        OpenOptions::default(),
        &mut builder,
    );
    let path = Path::new(name);
    let mut sink = |_: &[u8]| Err::<Fed, Rejected>(Rejected(String::new()));
    for compression in [Compression::None, Compression::Gzip, Compression::Snappy] {
        let _ = snapshot::read(&disk, path, compression, &mut sink);
    }
}

/// What a server says first to another, in one piece and in two.
pub fn hello(bytes: &[u8]) {
    let Ok(Some((hello, size))) = Hello::parse(bytes) else {
        return;
    };
    assert!(size <= bytes.len());
    let half = Hello::parse(&bytes[..size / 2]);
    assert!(matches!(half, Ok(None)), "{half:?}");
    if !hello.addresses.is_empty() {
        let written = hello.encode_v2();
        // Names can take more bytes than before, where they were not UTF-8.
        match Hello::parse(&written) {
            Ok(Some(again)) => assert_eq!(again, (hello, written.len())),
            again => assert!(matches!(again, Err(HelloError::Length(_))), "{again:?}"),
        }
    }
}

/// What servers say to each other about leaders.
pub fn notification(bytes: &[u8]) {
    let Ok(Some((message, size))) = split_message(bytes) else {
        return;
    };
    assert_eq!(message, &bytes[4..size]);
    let Ok(notification) = Notification::decode(message) else {
        return;
    };
    let mut expected = notification.clone();
    expected.version = if expected.config.is_some() { 2 } else { 0 };
    let again = Notification::decode(&notification.to_message()[4..]);
    assert_eq!(again, Ok(expected));
}

/// The members of an ensemble, and a change to them.
pub fn membership(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (text, change) = text.split_once("\n\n").unwrap_or((&text, ""));
    let Ok(membership) = Membership::parse(text) else {
        return;
    };
    let again = Membership::parse(&membership.to_string());
    assert_eq!(again.as_ref(), Ok(&membership));
    let members: Vec<_> = membership.members.keys().copied().collect();
    assert!(!membership.quorum.is_quorum(|_| false));
    assert!(
        membership
            .quorum
            .voters()
            .iter()
            .all(|v| members.contains(v))
    );
    let (joining, leaving) = change.split_once('\n').unwrap_or((change, ""));
    for next in [
        membership.reconfigure(Some(joining), Some(leaving), None, 1),
        membership.reconfigure(None, None, Some(change), 1),
    ] {
        match next {
            Ok(next) => assert_eq!(Membership::parse(&next.to_string()), Ok(next)),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn tree_config() -> TreeConfig {
    TreeConfig {
        hash_seed: 1,
        extended_types: true,
        emulate_353_ttl: false,
        digest: true,
    }
}
