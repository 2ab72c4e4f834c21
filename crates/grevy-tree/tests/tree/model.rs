//! A naive tree: a map from whole paths to znodes. Slow, and simple enough to be believed.

use grevy_proto::txn::{CreateKind, Txn, TxnHeader};
use grevy_proto::{Acl, Encode, SessionId, StatPersisted, Xid, Zxid};
use grevy_tree::{ChangeKind, EphemeralType, StatsTrack, Tree, TreeConfig};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, PartialEq)]
pub struct ModelNode {
    pub data: Option<Vec<u8>>,
    pub acl: Vec<Acl>,
    pub stat: StatPersisted,
}

/// The root has the empty path.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub nodes: BTreeMap<String, ModelNode>,
    pub sessions: BTreeMap<SessionId, i32>,
    pub zxid: Zxid,
}

pub type Event = (ChangeKind, String);

pub fn config() -> TreeConfig {
    TreeConfig {
        hash_seed: 7,
        extended_types: true,
        emulate_353_ttl: false,
        digest: true,
    }
}

pub fn header(zxid: i64, session: i64, txn: &Txn) -> TxnHeader {
    TxnHeader {
        session: SessionId(session),
        cxid: Xid(1),
        zxid: Zxid(zxid),
        time: 1000 + zxid,
        op: txn.op().wire(),
    }
}

impl Model {
    pub fn new() -> Self {
        let node = |aversion, acl| ModelNode {
            data: Some(Vec::new()),
            acl: vec![acl],
            stat: StatPersisted {
                aversion,
                ..StatPersisted::default()
            },
        };
        Self {
            nodes: BTreeMap::from([
                (String::new(), node(0, Acl::OPEN)),
                ("/zookeeper".into(), node(0, Acl::OPEN)),
                ("/zookeeper/quota".into(), node(0, Acl::OPEN)),
                ("/zookeeper/config".into(), node(-1, Acl::READ)),
            ]),
            sessions: BTreeMap::new(),
            zxid: Zxid::ZERO,
        }
    }

    pub fn children(&self, path: &str) -> Vec<String> {
        let is_child = |key: &&String| !key.is_empty() && parent(key) == path;
        self.nodes.keys().filter(is_child).cloned().collect()
    }

    pub fn owned_by(&self, session: SessionId) -> Vec<String> {
        let of = |node: &ModelNode| EphemeralType::of(node.stat.ephemeral_owner, true, false);
        let owned = self.nodes.iter();
        let owned = owned.filter(|(_, node)| of(node) == EphemeralType::Ephemeral(session));
        owned.map(|(path, _)| path.clone()).collect()
    }

    pub fn apply(&mut self, header: &TxnHeader, txn: &Txn) -> Vec<Event> {
        let mut events = Vec::new();
        self.part(header, txn, &mut events);
        self.zxid = self.zxid.max(header.zxid);
        events
    }

    fn part(&mut self, header: &TxnHeader, txn: &Txn, events: &mut Vec<Event>) {
        let zxid = header.zxid;
        match txn {
            Txn::Create(create) => {
                let path = create.path.to_string();
                let Some(above) = self.nodes.get_mut(parent(&path)) else {
                    return;
                };
                let cversion = match create.parent_cversion {
                    -1 => above.stat.cversion + 1,
                    cversion => cversion,
                };
                if cversion > above.stat.cversion {
                    above.stat.cversion = cversion;
                    above.stat.pzxid = zxid;
                }
                if let Some(node) = self.nodes.get_mut(&path) {
                    node.acl = create.acl.clone();
                    return;
                }
                let owner = match create.kind {
                    CreateKind::Plain { ephemeral } | CreateKind::Plain2 { ephemeral } => {
                        i64::from(ephemeral) * header.session.0
                    }
                    CreateKind::Container => i64::MIN,
                    CreateKind::Ttl(ttl) => ttl - (1 << 56),
                };
                let node = ModelNode {
                    data: create.data.as_deref().map(Vec::from),
                    acl: create.acl.clone(),
                    stat: StatPersisted {
                        czxid: zxid,
                        mzxid: zxid,
                        pzxid: zxid,
                        ctime: header.time,
                        mtime: header.time,
                        ephemeral_owner: owner,
                        ..StatPersisted::default()
                    },
                };
                let bytes = node.data.as_ref().map_or(0, Vec::len) as i64;
                self.nodes.insert(path.clone(), node);
                if let Some(subject) = quota_part(&path, "/zookeeper_stats") {
                    self.recount(&subject);
                }
                self.add_usage(&path, bytes, 1);
                events.push((ChangeKind::Created, path));
            }
            Txn::Delete(delete) => self.delete(&delete.path, zxid, events),
            Txn::SetData(set) => {
                let path = if &*set.path == "/" { "" } else { &set.path };
                let Some(node) = self.nodes.get_mut(path) else {
                    return;
                };
                let old = node.data.as_ref().map_or(0, Vec::len) as i64;
                let new = set.data.as_ref().map_or(0, |data| data.len()) as i64;
                node.data = set.data.as_deref().map(Vec::from);
                node.stat.version = set.version;
                node.stat.mzxid = zxid;
                node.stat.mtime = header.time;
                self.add_usage(path, new - old, 0);
                events.push((ChangeKind::DataChanged, set.path.to_string()));
            }
            Txn::SetAcl(set) => {
                let path = if &*set.path == "/" { "" } else { &set.path };
                if let Some(node) = self.nodes.get_mut(path) {
                    node.acl = set.acl.clone();
                    node.stat.aversion = set.version;
                }
            }
            Txn::Multi(parts) => {
                if !parts.iter().any(|part| matches!(part, Txn::Error(_))) {
                    for part in parts {
                        self.part(header, part, events);
                    }
                }
            }
            Txn::CreateSession(timeout) => {
                self.sessions.insert(header.session, *timeout);
            }
            Txn::CloseSession(paths) => {
                for path in paths.iter().flatten() {
                    self.delete(path, zxid, events);
                }
                for path in self.owned_by(header.session) {
                    self.delete(&path, zxid, events);
                }
                self.sessions.remove(&header.session);
            }
            Txn::Check(_) | Txn::Error(_) => {}
        }
    }

    fn delete(&mut self, path: &str, zxid: Zxid, events: &mut Vec<Event>) {
        let Some(above) = self.nodes.get_mut(parent(path)) else {
            return;
        };
        above.stat.pzxid = above.stat.pzxid.max(zxid);
        let below = format!("{path}/");
        let is_gone = |key: &&String| *key == path || key.starts_with(&below);
        let mut gone: Vec<String> = self.nodes.keys().filter(is_gone).cloned().collect();
        gone.sort_by_key(|path| core::cmp::Reverse(path.matches('/').count()));
        for path in gone {
            let node = self.nodes.remove(&path).unwrap();
            self.add_usage(&path, -(node.data.map_or(0, |data| data.len()) as i64), -1);
            events.push((ChangeKind::Deleted, path));
        }
    }

    fn quotas(&self) -> Vec<String> {
        let limits = |path: &String| quota_part(path, "/zookeeper_limits");
        let quotas: BTreeSet<String> = self.nodes.keys().filter_map(limits).collect();
        quotas.into_iter().collect()
    }

    fn add_usage(&mut self, path: &str, bytes: i64, count: i64) {
        let holds = |quota: &String| path == quota || path.starts_with(&format!("{quota}/"));
        let Some(quota) = self
            .quotas()
            .into_iter()
            .filter(holds)
            .max_by_key(String::len)
        else {
            return;
        };
        if let Some(node) = self.nodes.get_mut(&usage_path(&quota)) {
            let mut usage = StatsTrack::parse(node.data.as_deref());
            usage.set("count", usage.get("count") + count);
            usage.set("bytes", usage.get("bytes") + bytes);
            node.data = Some(usage.to_string().into_bytes());
        }
    }

    fn recount(&mut self, quota: &str) {
        let below = format!("{quota}/");
        let counts = |key: &&String| *key == quota || key.starts_with(&below);
        let paths: Vec<&String> = self.nodes.keys().filter(counts).collect();
        let lens = paths
            .iter()
            .map(|path| self.nodes[*path].data.as_ref().map_or(0, Vec::len));
        let text = format!("count={},bytes={}", paths.len(), lens.sum::<usize>());
        if let Some(node) = self.nodes.get_mut(&usage_path(quota)) {
            node.data = Some(text.into_bytes());
        }
    }

    /// What [`Tree::finish_recovery`] does.
    pub fn recount_all(&mut self) {
        for quota in self.quotas() {
            self.recount(&quota);
        }
    }

    pub fn digest(&self) -> i64 {
        let counted = self.nodes.iter();
        let counted = counted.filter(|(path, _)| !path.starts_with("/zookeeper/"));
        let digests = counted.map(|(path, node)| {
            let s = &node.stat;
            let mut bytes = path.clone().into_bytes();
            bytes.extend(node.data.iter().flatten());
            for zxid in [s.czxid, s.mzxid, s.pzxid] {
                zxid.encode(&mut bytes);
            }
            s.ctime.encode(&mut bytes);
            s.mtime.encode(&mut bytes);
            s.version.encode(&mut bytes);
            s.cversion.encode(&mut bytes);
            s.aversion.encode(&mut bytes);
            s.ephemeral_owner.encode(&mut bytes);
            i64::from(crc32fast::hash(&bytes))
        });
        digests.fold(0, i64::wrapping_add)
    }

    /// Panics unless the tree holds exactly this.
    pub fn check(&self, tree: &Tree) {
        assert_eq!(tree.last_zxid(), self.zxid);
        assert_eq!(tree.digest(), self.digest());
        assert_eq!(
            tree.sessions().iter().collect::<BTreeMap<_, _>>(),
            self.sessions
        );
        assert_eq!(tree.znode_count(), self.nodes.len() + 1);
        assert_eq!(tree.znodes().count(), self.nodes.len());
        let mut size = 1 + self.nodes[""].data.as_ref().map_or(0, Vec::len);
        let (mut containers, mut ttls) = (BTreeSet::new(), BTreeSet::new());
        let mut ephemerals = BTreeMap::<SessionId, BTreeSet<String>>::new();
        for (path, node) in &self.nodes {
            size += path.encode_utf16().count() + node.data.as_ref().map_or(0, Vec::len);
            let znode = tree
                .get(path)
                .unwrap_or_else(|| panic!("{path} is missing"));
            assert_eq!(znode.path(), if path.is_empty() { "/" } else { path });
            assert_eq!(znode.data(), node.data.as_deref(), "{path}");
            assert_eq!(znode.acl(), node.acl, "{path}");
            assert_eq!(znode.persisted(), node.stat, "{path}");
            let children = self.children(path);
            let names = children
                .iter()
                .map(|child| child.rsplit_once('/').unwrap().1);
            let names: BTreeSet<&str> = names.collect();
            assert_eq!(znode.children().collect::<BTreeSet<_>>(), names, "{path}");
            assert_eq!(znode.child_count(), names.len());
            let below = format!("{path}/");
            let below = self
                .nodes
                .keys()
                .filter(|key| key.starts_with(&below))
                .count();
            assert_eq!(znode.descendant_count(), below, "{path}");
            let stat = znode.stat();
            assert_eq!(stat.num_children as usize, names.len());
            assert_eq!(stat.cversion, node.stat.cversion * 2 - stat.num_children);
            assert_eq!(
                stat.data_length as usize,
                node.data.as_ref().map_or(0, Vec::len)
            );
            let owner = match znode.kind() {
                EphemeralType::Ephemeral(session) => {
                    ephemerals.entry(session).or_default().insert(path.clone());
                    session
                }
                EphemeralType::Persistent => SessionId::NONE,
                EphemeralType::Container => {
                    containers.insert(path.clone());
                    SessionId::NONE
                }
                EphemeralType::Ttl(_) => {
                    ttls.insert(path.clone());
                    SessionId::NONE
                }
            };
            assert_eq!(stat.ephemeral_owner, owner);
        }
        assert_eq!(tree.approximate_data_size(), size as i64);
        assert_eq!(
            tree.containers().map(|z| z.path()).collect::<BTreeSet<_>>(),
            containers
        );
        assert_eq!(
            tree.ttl_znodes().map(|z| z.path()).collect::<BTreeSet<_>>(),
            ttls
        );
        let owners = tree.ephemeral_owners();
        let owned = owners.map(|session| (session, tree.ephemerals(session).collect()));
        assert_eq!(owned.collect::<BTreeMap<_, BTreeSet<_>>>(), ephemerals);
        let quotas: Vec<&str> = tree.quotas().map(|quota| quota.path).collect();
        assert_eq!(quotas, self.quotas());
    }
}

/// No path if there is no parent.
pub fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some((_, "")) | None => "none",
        Some((parent, _)) => parent,
    }
}

fn quota_part(path: &str, name: &str) -> Option<String> {
    let part = path.strip_prefix("/zookeeper/quota")?.strip_suffix(name)?;
    (!part.is_empty()).then(|| part.into())
}

fn usage_path(quota: &str) -> String {
    format!("/zookeeper/quota{quota}/zookeeper_stats")
}
