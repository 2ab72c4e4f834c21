//! An ensemble in a jar: nodes with disks that remember, and messages that arrive in any order
//! that streams allow. What is drawn comes from a seed.

#![allow(dead_code, reason = "each test file uses its part of the harness")]

use grevy_node::{
    Action, ClientId, Clients, CloseReason, Connection, Node, NodeConfig, Now, Output, Part,
    Status, Time, View,
};
use grevy_proto::connect::{ConnectRequest, ConnectResponse};
use grevy_proto::election::Notification;
use grevy_proto::jute::{Decode, Encode, Reader};
use grevy_proto::quorum::Packet;
use grevy_proto::reply::ReplyHeader;
use grevy_proto::request::{Create, RequestHeader};
use grevy_proto::txn::{CreateKind, CreateTxn, Txn, TxnEntry, TxnHeader, encode_entry};
use grevy_proto::{Acl, Epoch, ErrorCode, OpCode, ServerId, SessionId, Xid, Zxid};
use grevy_tree::watch::WatchTable;
use grevy_tree::{Fed, Loader, Tree, TreeConfig};
use grevy_zab::{
    ElectionConfig, Entry, Epochs, Limits, LinkId, Membership, Memberships, PeerConfig, Recovered,
    Standing, Timing,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

mod clients;

pub const TICK: Duration = Duration::from_millis(500);

/// What survives a crash.
#[derive(Default, Clone)]
struct Disk {
    epochs: Epochs,
    log: Vec<(Zxid, Arc<[u8]>)>,
    snapshots: BTreeMap<Zxid, Vec<u8>>,
}

struct Running {
    node: Node,
    tree: Tree,
    watches: RefCell<WatchTable>,
    clients: RefCell<BTreeMap<ClientId, Connection>>,
    /// What connections that were closed were sent before.
    dropped: BTreeMap<ClientId, Vec<u8>>,
    /// Ordered and not done.
    orders: VecDeque<Output>,
    links: BTreeMap<LinkId, (usize, LinkId)>,
    received: Option<(Zxid, Vec<u8>, Tree)>,
    notes: Vec<String>,
    /// The newest configuration that files would have.
    last_seen: i64,
    /// How often its state was changed behind its back.
    corrupted: u32,
}

struct Server {
    id: ServerId,
    config: NodeConfig,
    disk: Disk,
    /// How often it was started.
    starts: u32,
    run: Option<Running>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Channel {
    Election(usize, usize),
    /// To this end of a link.
    Link(usize, LinkId),
}

enum Message {
    Notification(Notification),
    Bytes(Vec<u8>),
    Snapshot(Zxid, Vec<u8>),
    Closed,
}

pub struct Cluster {
    servers: Vec<Server>,
    members: Membership,
    /// What the files of single servers say instead.
    pub own_members: BTreeMap<usize, Membership>,
    pub now: Now,
    channels: BTreeMap<Channel, VecDeque<Message>>,
    /// Directed pairs between which nothing gets through.
    cut: BTreeSet<(usize, usize)>,
    random: u64,
    next_client: u32,
    next_link: u32,
    next_xid: i32,
    /// What any server applied, by zxid.
    applied: BTreeMap<Zxid, Vec<u8>>,
    pub commit_log: usize,
    pub limits: Limits,
    /// Whether the ensemble can be changed.
    pub reconfig: bool,
    /// Whether learners are always sent a snapshot.
    pub always_snapshot: bool,
    /// Servers of which somebody says that they are new.
    pub new: BTreeSet<usize>,
    /// Servers that nobody can reach on their quorum ports.
    pub deaf: BTreeSet<usize>,
}

fn tree_config() -> TreeConfig {
    TreeConfig {
        hash_seed: 1,
        extended_types: true,
        emulate_353_ttl: false,
        digest: true,
    }
}

impl Cluster {
    /// Servers 1 to `voters` vote, `observers` more do not.
    pub fn new(voters: usize, observers: usize, seed: u64) -> Self {
        let count = voters + observers;
        let text: String = (1..=count)
            .map(|id| {
                let role = if id <= voters {
                    "participant"
                } else {
                    "observer"
                };
                format!("server.{id}=host{id}:2888:3888:{role};2181\n")
            })
            .collect();
        let members = Membership::parse(&text).unwrap();
        let servers = (1..=count)
            .map(|id| Server {
                id: ServerId(id as i64),
                config: NodeConfig {
                    server_id: ServerId(id as i64),
                    tick: TICK,
                    min_session_timeout: TICK * 2,
                    seed: seed + id as u64,
                    ..NodeConfig::default()
                },
                disk: Disk::default(),
                starts: 0,
                run: None,
            })
            .collect();
        Self {
            servers,
            members,
            own_members: BTreeMap::new(),
            now: Now {
                time: Time(1_000_000),
                wall_ms: 1_700_000_000_000,
            },
            channels: BTreeMap::new(),
            cut: BTreeSet::new(),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            next_client: 0,
            next_link: 0,
            next_xid: 1,
            applied: BTreeMap::new(),
            commit_log: 5,
            limits: Limits {
                seed,
                ..Limits::default()
            },
            reconfig: false,
            always_snapshot: false,
            new: BTreeSet::new(),
            deaf: BTreeSet::new(),
        }
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % n as u64) as usize
    }

    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// Changes the settings of all servers, before they start.
    pub fn configure(&mut self, f: impl Fn(&mut NodeConfig)) {
        self.servers.iter_mut().for_each(|s| f(&mut s.config));
    }

    pub fn start_all(&mut self) {
        (0..self.len()).for_each(|at| self.start(at));
    }

    pub fn start(&mut self, at: usize) {
        let server = &mut self.servers[at];
        assert!(server.run.is_none());
        server.starts += 1;
        server.config.run = server.starts;
        let disk = &server.disk;
        let (mut tree, base) = match disk.snapshots.last_key_value() {
            Some((zxid, body)) => (load(*zxid, body), *zxid),
            None => (Tree::new(tree_config()), Zxid(0)),
        };
        let mut recent = Vec::new();
        for (zxid, entry) in disk.log.iter().filter(|(zxid, _)| *zxid > base) {
            let decoded = TxnEntry::from_bytes(entry).unwrap();
            tree.apply(&decoded.header, &decoded.txn, &mut |_| {});
            recent.push(Entry {
                zxid: *zxid,
                bytes: entry.clone(),
            });
        }
        let is_empty = tree.last_zxid() == Zxid(0) && disk.epochs.accepted == Epoch(0);
        let recovered = Recovered {
            last: tree.last_zxid(),
            epochs: disk.epochs,
            recent: recent.split_off(recent.len().saturating_sub(self.commit_log)),
            standing: match is_empty {
                true if self.new.contains(&at) => Standing::New,
                true => Standing::Empty,
                false => Standing::Normal,
            },
        };
        let peer = PeerConfig {
            id: server.id,
            timing: Timing {
                tick: TICK,
                init: TICK * 10,
                sync: TICK * 5,
                connect: TICK * 10,
            },
            election: ElectionConfig {
                min_interval: Duration::from_millis(200),
                max_interval: Duration::from_millis(1000),
                finalize_wait: Duration::from_millis(200),
                reconfig: self.reconfig,
            },
            limits: self.limits,
            commit_log: self.commit_log,
            always_snapshot: self.always_snapshot,
            read_log: true,
            reconfig: self.reconfig,
        };
        let members = self.own_members.get(&at).unwrap_or(&self.members);
        let members = Memberships::new(members.clone());
        let node = Node::member(
            server.config.clone(),
            peer,
            members,
            recovered,
            &tree,
            self.now,
        );
        server.run = Some(Running {
            node,
            tree,
            watches: RefCell::new(WatchTable::new(1)),
            clients: RefCell::default(),
            dropped: BTreeMap::new(),
            orders: VecDeque::new(),
            links: BTreeMap::new(),
            received: None,
            notes: Vec::new(),
            last_seen: 0,
            corrupted: 0,
        });
        for other in 0..self.len() {
            if other != at && self.is_up(other) {
                self.channels.remove(&Channel::Election(at, other));
                self.call(at, |node, now, _, _| {
                    node.election_peer(now, ServerId(other as i64 + 1), true);
                });
                self.call(other, |node, now, _, _| {
                    node.election_peer(now, ServerId(at as i64 + 1), true);
                });
            }
        }
        self.settle(at);
    }

    /// The server is gone at once; what was not durable is lost.
    pub fn kill(&mut self, at: usize) {
        let Some(run) = self.servers[at].run.take() else {
            return;
        };
        for (link, (other, far)) in run.links {
            self.channels.remove(&Channel::Link(at, link));
            self.channels
                .entry(Channel::Link(other, far))
                .or_default()
                .push_back(Message::Closed);
        }
        self.channels.retain(
            |channel, _| !matches!(channel, Channel::Election(a, b) if *a == at || *b == at),
        );
        for other in (0..self.len()).filter(|other| *other != at) {
            if self.is_up(other) {
                let channel = Channel::Election(at, other);
                self.channels.insert(channel, [Message::Closed].into());
            }
        }
    }

    /// Tells the server to end in an orderly way.
    pub fn begin_stop(&mut self, at: usize) {
        self.call(at, |node, now, _, _| node.begin_stop(now));
    }

    /// Nothing gets onto the disk of the server any more.
    pub fn fail_storage(&mut self, at: usize) {
        self.call(at, |node, now, _, _| {
            node.storage_failed(now, "the disk failed".into());
        });
    }

    /// Whether the server has said that it may end, and everything is on its disk and sent.
    pub fn is_stopped(&self, at: usize) -> bool {
        let run = self.servers[at].run.as_ref().unwrap();
        run.node.is_stopped() && run.orders.is_empty()
    }

    /// The server takes no part from here on, and nobody is told.
    pub fn hang(&mut self, at: usize) {
        self.servers[at].run = None;
    }

    /// Changes the server's state behind its back.
    pub fn corrupt(&mut self, at: usize, path: &str) {
        let run = self.run(at);
        run.corrupted += 1;
        let txn = Txn::Create(CreateTxn {
            path: path.into(),
            data: None,
            acl: vec![Acl::OPEN],
            kind: CreateKind::Plain { ephemeral: false },
            parent_cversion: -1,
        });
        let header = TxnHeader {
            session: SessionId::NONE,
            cxid: Xid(0),
            zxid: run.tree.last_zxid(),
            time: 0,
            op: txn.op().wire(),
        };
        run.tree.apply(&header, &txn, &mut |_| {});
    }

    /// Lets the server `to` believe that `from` proposes this.
    pub fn forge_proposal(&mut self, from: usize, to: usize, zxid: Zxid, txn: &Txn<'_>) {
        let entry = forged_entry(zxid, txn).into();
        self.forge(from, to, &Packet::Proposal { zxid, entry });
    }

    /// Lets the server `to` believe that `from` has sent it a packet.
    pub fn forge(&mut self, from: usize, to: usize, packet: &Packet) {
        let mut links = self.run(to).links.iter();
        let (link, _) = links.find(|(_, (far, _))| *far == from).expect("a link");
        let channel = Channel::Link(to, *link);
        let queue = self.channels.entry(channel).or_default();
        queue.push_back(Message::Bytes(packet.to_bytes()));
    }

    /// Empties the disk of a server that does not run.
    pub fn wipe(&mut self, at: usize) {
        assert!(!self.is_up(at));
        self.servers[at].disk = Disk::default();
    }

    /// Cuts a server off from all others, or ends that. Connections across a cut end.
    pub fn isolate(&mut self, at: usize, cut: bool) {
        for other in (0..self.len()).filter(|other| *other != at) {
            for pair in [(at, other), (other, at)] {
                match cut {
                    true => self.cut.insert(pair),
                    false => self.cut.remove(&pair),
                };
            }
            if !self.is_up(at) || !self.is_up(other) {
                continue;
            }
            for (here, there) in [(at, other), (other, at)] {
                self.call(here, |node, now, _, _| {
                    node.election_peer(now, ServerId(there as i64 + 1), !cut);
                });
                let lost: Vec<LinkId> = self
                    .run(here)
                    .links
                    .iter()
                    .filter(|(_, (far, _))| *far == there)
                    .map(|(link, _)| *link)
                    .collect();
                for link in lost.into_iter().filter(|_| cut) {
                    self.run(here).links.remove(&link);
                    self.channels.remove(&Channel::Link(here, link));
                    self.call(here, |node, now, _, _| node.link_lost(now, link));
                }
            }
        }
    }

    pub fn is_up(&self, at: usize) -> bool {
        self.servers[at].run.is_some()
    }

    fn run(&mut self, at: usize) -> &mut Running {
        self.servers[at].run.as_mut().expect("the server runs")
    }

    pub fn part(&self, at: usize) -> Option<Part> {
        Some(self.servers[at].run.as_ref()?.node.part().clone())
    }

    pub fn status(&self, at: usize) -> Option<Status> {
        Some(self.servers[at].run.as_ref()?.node.status())
    }

    pub fn serves(&self, at: usize) -> bool {
        self.servers[at]
            .run
            .as_ref()
            .is_some_and(|run| run.node.status() == Status::Serving)
    }

    pub fn leader(&self) -> Option<usize> {
        (0..self.len())
            .find(|at| self.serves(*at) && matches!(self.part(*at), Some(Part::Leading { .. })))
    }

    pub fn last_zxid(&self, at: usize) -> Zxid {
        self.servers[at].run.as_ref().unwrap().tree.last_zxid()
    }

    pub fn digest(&self, at: usize) -> i64 {
        self.servers[at].run.as_ref().unwrap().tree.digest()
    }

    /// Whether the ensemble knows the session, by this server's state.
    pub fn knows_session(&self, at: usize, session: SessionId) -> bool {
        let run = self.servers[at].run.as_ref().unwrap();
        run.tree.sessions().contains(session)
    }

    pub fn exists(&self, at: usize, path: &str) -> bool {
        let run = self.servers[at].run.as_ref().unwrap();
        run.tree.get(path).is_some()
    }

    /// What the server's state says who is in the ensemble.
    pub fn told_members(&self, at: usize) -> Option<String> {
        let run = self.servers[at].run.as_ref().unwrap();
        let data = run.tree.get("/zookeeper/config")?.data()?.to_vec();
        String::from_utf8(data).ok()
    }

    pub fn members(&self) -> String {
        self.members.to_string()
    }

    pub fn notes(&self) -> Vec<String> {
        let runs = self.servers.iter().filter_map(|server| {
            let run = server.run.as_ref()?;
            Some(
                run.notes
                    .iter()
                    .map(|note| format!("{}: {note}", server.id.0)),
            )
        });
        runs.flatten().collect()
    }

    fn call(
        &mut self,
        at: usize,
        f: impl FnOnce(&mut Node, Now, &Tree, &RefCell<BTreeMap<ClientId, Connection>>),
    ) {
        let now = self.now;
        if let Some(run) = &mut self.servers[at].run {
            f(&mut run.node, now, &run.tree, &run.clients);
        }
        self.settle(at);
    }

    /// Applies and carries out.
    fn settle(&mut self, at: usize) {
        let now = self.now;
        loop {
            let Some(run) = &mut self.servers[at].run else {
                return;
            };
            if run.node.has_committed() {
                let before = run.tree.last_zxid();
                run.node
                    .apply_committed(now, &mut run.tree, &run.watches, &run.clients);
                assert!(run.tree.last_zxid() >= before);
                let expected = u64::from(run.corrupted);
                assert!(run.node.digest_mismatches() <= expected, "digests differ");
            }
            let Some(output) = run.node.poll() else {
                return;
            };
            self.carry_out(at, output);
        }
    }

    fn carry_out(&mut self, at: usize, output: Output) {
        if let Output::Append { zxid, entry } = &output
            && let Txn::SetData(set) = TxnEntry::from_bytes(entry).unwrap().txn
            && set.reconfig
        {
            assert!(
                self.run(at).last_seen >= zxid.0,
                "files come before the log"
            );
        }
        match output {
            Output::Append { .. }
            | Output::SaveEpochs { .. }
            | Output::Truncate { .. }
            | Output::InstallSnapshot { .. }
            | Output::Snapshot(_) => self.run(at).orders.push_back(output),
            Output::ReadLog { link, after, until } => {
                let log = &self.servers[at].disk.log;
                let found: Vec<Entry> = log
                    .iter()
                    .filter(|(zxid, _)| *zxid > after && *zxid <= until)
                    .map(|(zxid, bytes)| Entry {
                        zxid: *zxid,
                        bytes: bytes.clone(),
                    })
                    .collect();
                let whole = log.iter().any(|(zxid, _)| *zxid == after) && !found.is_empty();
                self.call(at, |node, now, _, _| {
                    node.log_read(now, link, whole.then_some(found));
                });
            }
            Output::Notify { to, message } => {
                let to = to.0 as usize - 1;
                if self.is_up(to) && !self.cut.contains(&(at, to)) {
                    let queue = self.channels.entry(Channel::Election(at, to)).or_default();
                    queue.clear();
                    queue.push_back(Message::Notification(message));
                }
            }
            Output::DialAll => {}
            Output::Dial { leader, .. } => self.dial(at, leader, Node::link_accepted),
            Output::DialMaster { master, .. } => self.dial(at, master, Node::observer_accepted),
            Output::Send { link, packet } => {
                self.send(at, link, Message::Bytes(packet.to_bytes()));
            }
            Output::SendSnapshot { link, zxid } => {
                let body = self.servers[at].disk.snapshots[&zxid].clone();
                self.send(at, link, Message::Snapshot(zxid, body));
            }
            Output::Hangup { link, why } => {
                let id = self.servers[at].id.0;
                self.run(at).notes.push(format!("{id} hangs up: {why}"));
                self.send(at, link, Message::Closed);
                self.run(at).links.remove(&link);
            }
            Output::DropClients => {
                let run = self.run(at);
                for (id, mut client) in std::mem::take(&mut *run.clients.borrow_mut()) {
                    let sent = std::mem::take(client.output());
                    run.dropped.insert(id, sent);
                }
            }
            Output::Became(part) => self.run(at).notes.push(format!("{part:?}")),
            Output::Note(note) | Output::Warning(note) => self.run(at).notes.push(note),
            Output::LinkTimeout { .. }
            | Output::Service(_)
            | Output::Stopped
            | Output::Expired(_) => {}
            Output::Configured {
                committed,
                proposed,
            } => self.run(at).last_seen = proposed.unwrap_or(committed).version,
            Output::Broken(broken) => panic!("{broken}"),
        }
    }

    fn dial(&mut self, at: usize, server: ServerId, accept: fn(&mut Node, Now, LinkId)) {
        let to = server.0 as usize - 1;
        if !self.is_up(to) || self.cut.contains(&(at, to)) || self.deaf.contains(&to) {
            self.call(at, |node, now, _, _| node.dial_failed(now, server));
            return;
        }
        let near = self.new_link();
        let far = self.new_link();
        self.run(at).links.insert(near, (to, far));
        self.run(to).links.insert(far, (at, near));
        self.call(to, |node, now, _, _| accept(node, now, far));
        self.call(at, |node, now, _, _| node.link_dialled(now, near));
    }

    /// Whom a learner says that it is connected to.
    pub fn master(&self, at: usize) -> Option<i64> {
        let run = self.servers[at].run.as_ref().unwrap();
        run.node.peer().master().map(|master| master.0)
    }

    /// Which servers this one is connected to.
    pub fn linked(&self, at: usize) -> BTreeSet<usize> {
        let run = self.servers[at].run.as_ref().unwrap();
        run.links.values().map(|(far, _)| *far).collect()
    }

    fn new_link(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId(self.next_link)
    }

    fn send(&mut self, at: usize, link: LinkId, message: Message) {
        let Some((to, far)) = self.run(at).links.get(&link).copied() else {
            return;
        };
        self.channels
            .entry(Channel::Link(to, far))
            .or_default()
            .push_back(message);
    }

    /// The disk does the next thing that was ordered; appends together.
    fn disk_step(&mut self, at: usize) {
        let Some(order) = self.run(at).orders.pop_front() else {
            return;
        };
        match order {
            Output::Append { zxid, entry } => {
                let mut batch = vec![(zxid, entry)];
                while let Some(Output::Append { .. }) = self.run(at).orders.front() {
                    if let Some(Output::Append { zxid, entry }) = self.run(at).orders.pop_front() {
                        batch.push((zxid, entry));
                    }
                }
                let last = batch.last().map_or(zxid, |(zxid, _)| *zxid);
                self.servers[at].disk.log.extend(batch);
                self.call(at, |node, now, _, _| node.log_synced(now, last));
            }
            Output::SaveEpochs { accepted, current } => {
                let epochs = &mut self.servers[at].disk.epochs;
                assert!(
                    accepted >= epochs.accepted && current >= epochs.current,
                    "P25"
                );
                *epochs = Epochs { accepted, current };
                self.call(at, |node, now, _, _| {
                    node.epochs_saved(now, accepted, current);
                });
            }
            Output::Truncate { to, rebuild } => {
                let disk = &mut self.servers[at].disk;
                disk.log.retain(|(zxid, _)| *zxid <= to);
                disk.snapshots.retain(|zxid, _| *zxid <= to);
                if rebuild {
                    let tree = rebuild_tree(disk);
                    assert_eq!(tree.last_zxid(), to);
                    self.run(at).tree = tree;
                }
                self.call(at, |node, now, _, _| node.truncated(now, to));
            }
            Output::InstallSnapshot { zxid, kept } => {
                let (got, body, tree) = self.run(at).received.take().expect("a snapshot");
                assert_eq!(got, zxid);
                let disk = &mut self.servers[at].disk;
                disk.snapshots = BTreeMap::from([(zxid, body)]);
                let has = |zxid: &Zxid| kept.iter().any(|entry| entry.zxid == *zxid);
                disk.log.retain(|(zxid, _)| has(zxid));
                assert_eq!(disk.log.len(), kept.len());
                self.run(at).tree = tree;
                self.call(at, |node, now, _, _| node.snapshot_installed(now, zxid));
            }
            Output::Snapshot(info) => {
                let mut body = Vec::new();
                while self.run(at).tree.snapshot_slice(3, &mut body) {}
                self.servers[at].disk.snapshots.insert(info.zxid, body);
                self.call(at, |node, now, _, _| node.snapshot_done(now, true));
            }
            other => panic!("no order: {other:?}"),
        }
    }

    fn deliver(&mut self, channel: &Channel) {
        let Some(queue) = self.channels.get_mut(channel) else {
            return;
        };
        let Some(message) = queue.pop_front() else {
            return;
        };
        if queue.is_empty() {
            self.channels.remove(channel);
        }
        match (channel, message) {
            (Channel::Election(from, to), Message::Notification(message)) => {
                let from = ServerId(*from as i64 + 1);
                let bytes = message.to_message();
                let message = Notification::decode(&bytes[4..]).unwrap();
                self.call(*to, |node, now, _, _| {
                    node.election_message(now, from, &message);
                });
            }
            (Channel::Election(from, to), Message::Closed) => {
                let from = ServerId(*from as i64 + 1);
                self.call(*to, |node, now, _, _| node.election_peer(now, from, false));
            }
            (Channel::Link(at, link), Message::Bytes(bytes)) => {
                let (packet, len) = Packet::parse(&bytes, 1 << 20).unwrap().unwrap();
                assert_eq!(len, bytes.len());
                self.call(*at, |node, now, tree, clients| {
                    node.link_packet(now, tree, clients, *link, packet);
                });
            }
            (Channel::Link(at, link), Message::Snapshot(zxid, body)) => {
                let tree = load(zxid, &body);
                self.run(*at).received = Some((zxid, body, tree));
                self.call(*at, |node, now, _, _| {
                    node.snapshot_received(now, *link, zxid);
                });
            }
            (Channel::Link(at, link), Message::Closed) if self.is_up(*at) => {
                self.run(*at).links.remove(link);
                self.call(*at, |node, now, _, _| node.link_lost(now, *link));
            }
            _ => {}
        }
    }

    /// One thing happens somewhere, or time passes.
    pub fn step(&mut self) {
        if self.below(20) == 0 || !self.step_at_once() {
            let micros = 1 + self.below(20_000) as u64;
            self.pass(Duration::from_micros(micros));
        }
    }

    /// Runs until `done`. Time passes only while nothing is under way, and no more than `limit`.
    pub fn run_within(&mut self, what: &str, limit: Duration, done: impl Fn(&Self) -> bool) {
        let end = self.now.time + limit;
        while !done(self) {
            if !self.step_at_once() {
                self.pass(Duration::from_millis(1));
                let notes = self.notes();
                assert!(self.now.time <= end, "{what}: waits\n{}", notes.join("\n"));
            }
        }
    }

    /// One of the things that are under way happens; `false`: there is none.
    fn step_at_once(&mut self) -> bool {
        let channels: Vec<Channel> = self
            .channels
            .keys()
            .filter(|channel| match channel {
                Channel::Election(_, to) | Channel::Link(to, _) => self.is_up(*to),
            })
            .cloned()
            .collect();
        let disks: Vec<usize> = (0..self.len())
            .filter(|at| {
                let run = self.servers[*at].run.as_ref();
                run.is_some_and(|run| !run.orders.is_empty())
            })
            .collect();
        let count = channels.len() + disks.len();
        if count == 0 {
            return false;
        }
        let which = self.below(count);
        match channels.get(which) {
            Some(channel) => self.deliver(channel),
            None => self.disk_step(disks[which - channels.len()]),
        }
        self.note_applied();
        true
    }

    fn pass(&mut self, time: Duration) {
        self.now.time = self.now.time + time;
        self.now.wall_ms += time.as_millis() as i64;
        for at in 0..self.len() {
            let due = self.servers[at].run.as_ref().is_some_and(|run| {
                let next = run.node.next_timeout();
                next.is_some_and(|next| next <= self.now.time)
            });
            if due {
                self.call(at, |node, now, tree, clients| {
                    node.handle_timeout(now, tree, clients);
                });
            }
        }
    }

    /// Runs until `done`, or panics after `limit` of simulated time.
    pub fn run_until(&mut self, what: &str, limit: Duration, done: impl Fn(&Self) -> bool) {
        let end = self.now.time + limit;
        while !done(self) {
            assert!(
                self.now.time < end,
                "{what}: not within {limit:?}\n{}",
                self.notes().join("\n")
            );
            self.step();
        }
    }

    /// Runs until every server serves, or panics after `limit` of simulated time.
    pub fn all_serve(&mut self, limit: Duration) {
        self.run_until("all serve", limit, |c| (0..c.len()).all(|at| c.serves(at)));
    }

    pub fn run_for(&mut self, time: Duration) {
        let end = self.now.time + time;
        while self.now.time < end {
            self.step();
        }
    }

    /// P23: whoever applies the same zxid applies the same bytes.
    fn note_applied(&mut self) {
        for server in &self.servers {
            let Some(run) = &server.run else { continue };
            let last = run.tree.last_zxid();
            if !self.serves(server.id.0 as usize - 1) {
                continue;
            }
            for (zxid, entry) in server.disk.log.iter().rev() {
                if *zxid > last {
                    continue;
                }
                match self.applied.get(zxid) {
                    None => {
                        self.applied.insert(*zxid, entry.to_vec());
                    }
                    Some(known) => {
                        assert_eq!(known[..], entry[..], "P23: {zxid} differs");
                        break;
                    }
                }
            }
        }
    }

    /// All servers that run have everything that any served, in the end.
    pub fn check_agreement(&self) {
        let newest = self.applied.keys().next_back().copied();
        let mut digests = BTreeSet::new();
        for at in (0..self.len()).filter(|at| self.is_up(*at)) {
            assert!(
                Some(self.last_zxid(at)) >= newest,
                "P10: server {} lost",
                at + 1
            );
            digests.insert((self.last_zxid(at), self.digest(at)));
        }
        assert!(digests.len() <= 1, "P29: {digests:?}");
    }
}

/// A transaction of nobody's, as it stands in a proposal.
pub fn forged_entry(zxid: Zxid, txn: &Txn<'_>) -> Vec<u8> {
    let header = TxnHeader {
        session: SessionId::NONE,
        cxid: Xid(0),
        zxid,
        time: 0,
        op: txn.op().wire(),
    };
    let mut entry = Vec::new();
    encode_entry(&header, txn, None, &mut entry);
    entry
}

/// A create of a znode of the kind that `flags` say.
pub fn create_record(path: &str, flags: i32) -> Vec<u8> {
    Create {
        path: path.into(),
        data: None,
        acl: vec![Acl::OPEN],
        flags,
    }
    .to_bytes()
}

fn load(zxid: Zxid, body: &[u8]) -> Tree {
    let mut loader = Loader::new(tree_config(), zxid);
    assert!(matches!(loader.feed(body), Ok(Fed::Done(_))));
    loader.finish().unwrap()
}

fn rebuild_tree(disk: &Disk) -> Tree {
    let (mut tree, base) = match disk.snapshots.last_key_value() {
        Some((zxid, body)) => (load(*zxid, body), *zxid),
        None => (Tree::new(tree_config()), Zxid(0)),
    };
    for (_, entry) in disk.log.iter().filter(|(zxid, _)| *zxid > base) {
        let decoded = TxnEntry::from_bytes(entry).unwrap();
        tree.apply(&decoded.header, &decoded.txn, &mut |_| {});
    }
    tree
}
