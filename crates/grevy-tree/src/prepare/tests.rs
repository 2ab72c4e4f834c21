//! A small language for requests and transactions, and a server around [`Pending`].

mod acl;
mod basics;
mod multi;
mod pipelining;
mod quota;
mod random;
mod screen;
mod session;

use super::*;
use crate::tree::TreeConfig;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use grevy_proto::Encode;
use grevy_proto::multi::{MultiOp, encode_multi};
use grevy_proto::request::{Check, Create, CreateTtl, Delete, PathOnly, SetAcl, SetData};
use grevy_proto::txn::CreateKind;

const TIME: i64 = 1_000_000;

/// A leader that applies its transactions when it is told to.
struct Leader {
    config: PrepareConfig,
    tree: Tree,
    pending: Pending,
    proposed: VecDeque<(TxnHeader, Prepared<'static>)>,
    zxid: Zxid,
    time: i64,
    session_state: Result<(), ErrorCode>,
    ephemeral_state: Result<(), ErrorCode>,
}

impl Leader {
    fn new() -> Self {
        Self::with(PrepareConfig::default(), true)
    }

    fn with(config: PrepareConfig, extended_types: bool) -> Self {
        Self {
            config,
            tree: Tree::new(TreeConfig {
                hash_seed: 1,
                extended_types,
                emulate_353_ttl: false,
                digest: true,
            }),
            pending: Pending::default(),
            proposed: VecDeque::new(),
            zxid: Zxid(0x1_0000_0000),
            time: TIME,
            session_state: Ok(()),
            ephemeral_state: Ok(()),
        }
    }

    /// Decides on a request in words and tells the transaction in words.
    fn propose(&mut self, text: &str) -> String {
        let request = parse(text);
        self.propose_bytes(request.op, &request.record, request.session, &request.ids);
        let (_, prepared) = self.proposed.back().unwrap();
        describe(&prepared.txn)
    }

    fn propose_bytes(&mut self, op: OpCode, record: &[u8], session: i64, ids: &[Id]) {
        self.zxid = self.zxid.next();
        let context = Context {
            config: &self.config,
            session: SessionId(session),
            cxid: Xid(1),
            zxid: self.zxid,
            time: self.time,
            ids,
            session_state: self.session_state,
            ephemeral_state: self.ephemeral_state,
            reconfigure: None,
        };
        let request = WriteRequest { op, record };
        let prepared = self.pending.prepare(&self.tree, &request, &context);
        // What cannot be read takes no zxid; for the tables here it fails like anything else.
        let prepared = match prepared {
            Ok(prepared) => prepared.into_owned(),
            Err(code) => Prepared {
                txn: Txn::Error(code.wire()),
                digest: None,
            },
        };
        self.proposed
            .push_back((context.header(&prepared.txn), prepared));
    }

    /// Applies the oldest proposal, and checks what was foretold of it.
    fn apply_one(&mut self) {
        let (header, prepared) = self.proposed.pop_front().unwrap();
        self.tree.apply(&header, &prepared.txn, &mut |_| {});
        self.pending.applied(header.zxid);
        let is_error = matches!(prepared.txn, Txn::Error(_));
        assert_eq!(prepared.digest.is_none(), is_error, "{prepared:?}");
        if let Some(digest) = prepared.digest {
            let actual = TxnDigest {
                version: DIGEST_VERSION,
                digest: self.tree.digest(),
            };
            assert_eq!(digest, actual, "{:?}", prepared.txn);
        }
    }

    fn apply_all(&mut self) {
        while !self.proposed.is_empty() {
            self.apply_one();
        }
        assert!(self.pending.is_empty());
        assert_eq!(self.pending.quota_records, 0);
        assert_eq!(self.pending.digest(&self.tree), self.tree.digest());
    }

    /// What the last of `requests` (separated by `; `) becomes, whether those before it are
    /// applied or only proposed.
    #[track_caller]
    fn check(make: impl Fn() -> Self, before: &str, request: &str, expected: &str) {
        for is_applied in [true, false] {
            let mut leader = make();
            for earlier in before.split("; ").filter(|text| !text.is_empty()) {
                let txn = leader.propose(earlier);
                assert!(!txn.contains("error"), "{earlier}: {txn}");
                if is_applied {
                    leader.apply_all();
                }
            }
            assert_eq!(
                leader.propose(request),
                expected,
                "after {before:?}, applied: {is_applied}, {request}"
            );
            leader.apply_all();
        }
    }
}

struct Parsed {
    op: OpCode,
    record: Vec<u8>,
    session: i64,
    ids: Vec<Id>,
}

/// `op path key=value…`, where a multi is `multi op path key=value… + op …`. Keys: `flags`,
/// `data`, `v` (version), `acl`, `ttl`, `s` (session), `as` (identity).
fn parse(text: &str) -> Parsed {
    let mut session = 1;
    let mut ids = Vec::new();
    for (key, value) in text.split(' ').filter_map(|word| word.split_once('=')) {
        match key {
            "s" => session = value.parse().unwrap(),
            "as" => ids.push(id(value)),
            _ => {}
        }
    }
    let (op, record) = match text.strip_prefix("multi") {
        Some(parts) => {
            let parts = parts.split('+').map(str::trim);
            let parts: Vec<_> = parts.filter(|part| !part.is_empty()).map(part).collect();
            let mut record = Vec::new();
            encode_multi(&parts, &mut record);
            (OpCode::Multi, record)
        }
        None => single(text),
    };
    Parsed {
        op,
        record,
        session,
        ids,
    }
}

fn single(text: &str) -> (OpCode, Vec<u8>) {
    let mut words = text.split(' ');
    let (op, path) = (words.next().unwrap(), words.next().unwrap_or_default());
    match op {
        "create" => (OpCode::Create, create(text).to_bytes()),
        "create2" => (OpCode::Create2, create(text).to_bytes()),
        "createContainer" => (OpCode::CreateContainer, create(text).to_bytes()),
        "createTTL" => (OpCode::CreateTtl, create_ttl(text).to_bytes()),
        "delete" => (OpCode::Delete, delete(text).to_bytes()),
        "deleteContainer" => (
            OpCode::DeleteContainer,
            PathOnly { path: path.into() }.to_bytes(),
        ),
        "setData" => (OpCode::SetData, set_data(text).to_bytes()),
        "setACL" => (
            OpCode::SetAcl,
            SetAcl {
                path: path.into(),
                acl: acl(text),
                version: version(text),
            }
            .to_bytes(),
        ),
        "check" => (OpCode::Check, check(text).to_bytes()),
        "createSession" => (
            OpCode::CreateSession,
            path.parse::<i32>().unwrap().to_bytes(),
        ),
        "closeSession" => (OpCode::CloseSession, Vec::new()),
        other => panic!("{other}"),
    }
}

fn part(text: &str) -> MultiOp<'_> {
    match text.split(' ').next().unwrap() {
        "create" => MultiOp::Create(OpCode::Create, create(text)),
        "create2" => MultiOp::Create(OpCode::Create2, create(text)),
        "createContainer" => MultiOp::Create(OpCode::CreateContainer, create(text)),
        "createTTL" => MultiOp::CreateTtl(create_ttl(text)),
        "delete" => MultiOp::Delete(delete(text)),
        "setData" => MultiOp::SetData(set_data(text)),
        "check" => MultiOp::Check(check(text)),
        other => panic!("{other}"),
    }
}

fn path(text: &str) -> &str {
    text.split(' ').nth(1).unwrap_or_default()
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split(' ')
        .filter_map(|word| word.split_once('='))
        .find(|(found, _)| *found == key)
        .map(|(_, value)| value)
}

fn number(text: &str, key: &str) -> Option<i64> {
    value(text, key).map(|value| value.parse().unwrap())
}

fn version(text: &str) -> i32 {
    number(text, "v").unwrap_or(-1) as i32
}

fn data(text: &str) -> Option<&[u8]> {
    value(text, "data").map(str::as_bytes)
}

fn id(text: &str) -> Id {
    let (scheme, id) = text.split_once(':').unwrap();
    Id::new(scheme.to_string(), id.to_string())
}

/// `acl=none` for an empty list, `acl=perms:scheme:id,…`; an open one if it is missing.
fn acl(text: &str) -> Vec<Acl> {
    match value(text, "acl") {
        None => Vec::from([Acl::OPEN]),
        Some("none") => Vec::new(),
        Some(list) => list
            .split(',')
            .map(|entry| {
                let (perms, entry) = entry.split_once(':').unwrap();
                Acl {
                    perms: perms.parse().unwrap(),
                    id: id(entry),
                }
            })
            .collect(),
    }
}

fn create(text: &str) -> Create<'_> {
    let flags = match value(text, "flags") {
        Some(flags) => flags.parse().unwrap(),
        None if text.starts_with("createContainer") => 4,
        None if text.starts_with("createTTL") => 5,
        None => 0,
    };
    Create {
        path: path(text).into(),
        data: data(text),
        acl: acl(text),
        flags,
    }
}

fn create_ttl(text: &str) -> CreateTtl<'_> {
    CreateTtl {
        create: create(text),
        ttl: number(text, "ttl").unwrap_or(1000),
    }
}

fn delete(text: &str) -> Delete<'_> {
    Delete {
        path: path(text).into(),
        version: version(text),
    }
}

fn set_data(text: &str) -> SetData<'_> {
    SetData {
        path: path(text).into(),
        data: data(text),
        version: version(text),
    }
}

fn check(text: &str) -> Check<'_> {
    Check {
        path: path(text).into(),
        version: version(text),
    }
}

/// A transaction in words: what it does, to which path, and the number it carries (the parent's
/// cversion, or the new version).
fn describe(txn: &Txn) -> String {
    match txn {
        Txn::Create(create) => {
            let kind = match create.kind {
                CreateKind::Plain { ephemeral: false } => "create".to_string(),
                CreateKind::Plain { ephemeral: true } => "create ephemeral".to_string(),
                CreateKind::Plain2 { ephemeral: false } => "create2".to_string(),
                CreateKind::Plain2 { ephemeral: true } => "create2 ephemeral".to_string(),
                CreateKind::Container => "container".to_string(),
                CreateKind::Ttl(ttl) => format!("ttl {ttl}"),
            };
            format!("{kind} {} {}", create.path, create.parent_cversion)
        }
        Txn::Delete(delete) if delete.container => format!("deleteContainer {}", delete.path),
        Txn::Delete(delete) => format!("delete {}", delete.path),
        Txn::SetData(set) => format!("set {} {}", set.path, set.version),
        Txn::SetAcl(set) => format!("acl {} {}", set.path, set.version),
        Txn::Check(check) => format!("check {} {}", check.path, check.version),
        Txn::Multi(txns) => {
            let txns: Vec<_> = txns.iter().map(describe).collect();
            format!("[{}]", txns.join(", "))
        }
        Txn::Error(code) => match ErrorCode::from_wire(*code) {
            Some(code) => format!("error {}", code.name()),
            None => format!("error {code}"),
        },
        Txn::CreateSession(timeout) => format!("session {timeout}"),
        Txn::CloseSession(None) => "close".to_string(),
        Txn::CloseSession(Some(paths)) => format!("close [{}]", paths.join(" ")),
    }
}
