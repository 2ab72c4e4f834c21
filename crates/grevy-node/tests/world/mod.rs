//! A node in a jar: frames in, frames out, time and disk at the test's command.

#![allow(dead_code, reason = "each test file uses its part of the harness")]

use grevy_node::{
    Action, ClientId, Clients, CloseReason, Connection, Node, NodeConfig, Now, Output, Time, View,
};
use grevy_proto::connect::{ConnectRequest, ConnectResponse};
use grevy_proto::jute::{Decode, Encode, Reader};
use grevy_proto::reply::ReplyHeader;
use grevy_proto::request::{Create, Delete, Read, RequestHeader, SetData};
use grevy_proto::{Acl, ErrorCode, OpCode, SessionId, Xid, Zxid};
use grevy_tree::watch::{WatchTable, WatcherId};
use grevy_tree::{Tree, TreeConfig};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

pub struct World {
    pub node: Node,
    pub tree: Tree,
    pub config: NodeConfig,
    watches: RefCell<WatchTable>,
    clients: RefCell<BTreeMap<ClientId, Connection>>,
    pub now: Now,
    /// Appended to the log and not durable yet.
    unsynced: Vec<Zxid>,
    next_client: u32,
    next_xid: i32,
    pub expired: Vec<SessionId>,
    pub snapshots: Vec<Zxid>,
    /// Whose output the node wanted to be sent at once, and how many connections had any then.
    pub hurried: RefCell<Vec<(ClientId, usize)>>,
}

/// The node's way to the connections while it applies.
struct Port<'a> {
    clients: &'a RefCell<BTreeMap<ClientId, Connection>>,
    hurried: &'a RefCell<Vec<(ClientId, usize)>>,
}

impl Clients for Port<'_> {
    fn with<R>(&self, client: ClientId, f: impl FnOnce(&mut Connection) -> R) -> Option<R> {
        self.clients.with(client, f)
    }

    fn hurry(&self, client: ClientId) {
        let mut clients = self.clients.borrow_mut();
        let outputs = clients.values_mut().map(Connection::output);
        let waiting = outputs.filter(|output| !output.is_empty()).count();
        self.hurried.borrow_mut().push((client, waiting));
    }
}

/// A frame that a client received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub xid: Xid,
    pub zxid: Zxid,
    pub err: ErrorCode,
    pub body: Vec<u8>,
}

impl Frame {
    /// What a frame is, in short: `xid` or event type and path, and the error.
    pub fn short(&self) -> String {
        match self.xid {
            Xid::NOTIFICATION => {
                let mut reader = Reader::new(&self.body);
                let kind = reader.int().unwrap();
                reader.int().unwrap();
                let path = reader.string().unwrap().unwrap();
                format!("event {kind} {path} @{}", self.zxid)
            }
            Xid(xid) => format!("{xid} {} @{}", self.err.name(), self.zxid),
        }
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(NodeConfig::default())
    }

    pub fn with(config: NodeConfig) -> Self {
        let tree = Tree::new(TreeConfig {
            hash_seed: 1,
            extended_types: true,
            emulate_353_ttl: false,
            digest: true,
        });
        let now = Now {
            time: Time(1_000_000),
            wall_ms: 1_700_000_000_000,
        };
        Self {
            node: Node::standalone(config.clone(), &tree, now),
            tree,
            config,
            watches: RefCell::new(WatchTable::new(1)),
            clients: RefCell::default(),
            now,
            unsynced: Vec::new(),
            next_client: 0,
            next_xid: 1,
            expired: Vec::new(),
            snapshots: Vec::new(),
            hurried: RefCell::default(),
        }
    }

    /// A connection that has not said anything.
    pub fn accept(&mut self) -> ClientId {
        let id = ClientId(self.next_client);
        self.next_client += 1;
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let connection = Connection::new(id, address, self.now.time);
        self.clients.borrow_mut().insert(id, connection);
        id
    }

    /// A connection with a new session.
    pub fn connect(&mut self) -> (ClientId, SessionId) {
        self.connect_for(Duration::from_secs(10))
    }

    pub fn connect_for(&mut self, timeout: Duration) -> (ClientId, SessionId) {
        let client = self.accept();
        let response = self.handshake(client, SessionId::NONE, [0; 16], timeout);
        (client, response.expect("the server answers").session)
    }

    /// Asks for a session; `None`: the connection was closed without an answer.
    pub fn handshake(
        &mut self,
        client: ClientId,
        session: SessionId,
        password: [u8; 16],
        timeout: Duration,
    ) -> Option<ConnectResponse> {
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout: timeout.as_millis() as i32,
            session,
            password: Some(&password),
            read_only: Some(false),
        };
        self.frame(client, &request.to_bytes());
        self.sync();
        let bytes = self.take_output(client);
        let body = bytes.get(4..)?;
        let mut reader = Reader::new(body);
        Some(ConnectResponse::decode(&mut reader).expect("a connect response"))
    }

    /// Hands a frame to the connection, and what it asks for to the node.
    pub fn frame(&mut self, client: ClientId, bytes: &[u8]) {
        let action = {
            let view = View {
                now: self.now.time,
                tree: &self.tree,
                watches: &self.watches,
                config: &self.config,
            };
            let handled = self.clients.with(client, |c| c.handle_frame(bytes, view));
            handled.unwrap_or(Action::None)
        };
        match action {
            Action::None => {}
            Action::Connect(ask) => {
                self.node
                    .open_session(self.now, &self.tree, &self.clients, ask);
            }
            Action::Submit(request) => self.node.submit(self.now, &self.tree, request),
            Action::Close(reason) => {
                self.clients.with(client, |c| c.close(reason));
            }
        }
        self.settle();
    }

    /// Sends a request with the next number, and returns that.
    pub fn send(&mut self, client: ClientId, op: OpCode, record: &impl Encode) -> i32 {
        let xid = self.next_xid;
        self.next_xid += 1;
        let mut bytes = RequestHeader {
            xid: Xid(xid),
            op: op.wire(),
        }
        .to_bytes();
        record.encode(&mut bytes);
        self.frame(client, &bytes);
        xid
    }

    pub fn create(&mut self, client: ClientId, path: &str, flags: i32) -> i32 {
        let record = Create {
            path: path.into(),
            data: Some(b"x"),
            acl: vec![Acl::OPEN],
            flags,
        };
        self.send(client, OpCode::Create, &record)
    }

    pub fn set(&mut self, client: ClientId, path: &str, data: &[u8]) -> i32 {
        let record = SetData {
            path: path.into(),
            data: Some(data),
            version: -1,
        };
        self.send(client, OpCode::SetData, &record)
    }

    pub fn delete(&mut self, client: ClientId, path: &str) -> i32 {
        let record = Delete {
            path: path.into(),
            version: -1,
        };
        self.send(client, OpCode::Delete, &record)
    }

    pub fn read(&mut self, client: ClientId, op: OpCode, path: &str, watch: bool) -> i32 {
        let path = path.into();
        self.send(client, op, &Read { path, watch })
    }

    /// The disk has made everything durable that was appended.
    pub fn sync(&mut self) {
        if let Some(&zxid) = self.unsynced.last() {
            self.unsynced.clear();
            self.node.log_synced(self.now, zxid);
        }
        self.settle();
    }

    /// What is appended and not durable.
    pub fn unsynced(&self) -> &[Zxid] {
        &self.unsynced
    }

    fn settle(&mut self) {
        let port = Port {
            clients: &self.clients,
            hurried: &self.hurried,
        };
        self.node
            .apply_committed(self.now, &mut self.tree, &self.watches, &port);
        while let Some(output) = self.node.poll() {
            match output {
                Output::Append { zxid, .. } => self.unsynced.push(zxid),
                Output::Snapshot(info) => self.snapshots.push(info.zxid),
                Output::Expired(session) => self.expired.push(session),
                Output::Broken(broken) => panic!("{broken}"),
                Output::Service(_) => {}
                other => panic!("a server that runs alone asks for {other:?}"),
            }
        }
    }

    /// Time passes; the node is woken whenever it asked for it.
    pub fn advance(&mut self, by: Duration) {
        let end = self.now.time + by;
        while let Some(at) = self.node.next_timeout().filter(|at| *at <= end) {
            self.set_time(at.max(self.now.time));
            self.node
                .handle_timeout(self.now, &self.tree, &self.clients);
            self.settle();
            self.sync();
        }
        self.set_time(end);
    }

    /// Time passes and the node looks at its sessions once; the disk does nothing.
    pub fn expire(&mut self, after: Duration) {
        self.set_time(self.now.time + after);
        self.node
            .handle_timeout(self.now, &self.tree, &self.clients);
        self.settle();
    }

    fn set_time(&mut self, time: Time) {
        self.now.wall_ms += i64::try_from((time - self.now.time).as_millis()).unwrap();
        self.now.time = time;
    }

    /// Ends a connection, as if the client had gone.
    pub fn disconnect(&mut self, client: ClientId) {
        let connection = self.clients.borrow_mut().remove(&client);
        let connection = connection.expect("a connection");
        self.watches
            .borrow_mut()
            .remove_watcher(WatcherId(client.0));
        let session = connection.last_session();
        self.node.client_closed(client, session, connection.heard());
    }

    /// Why the connection is closing.
    pub fn closing(&self, client: ClientId) -> Option<CloseReason> {
        self.clients.with(client, |c| c.closing().cloned())?
    }

    /// Whether the connection would be read from.
    pub fn is_receptive(&self, client: ClientId) -> bool {
        let receptive = self.clients.with(client, |c| c.is_receptive(&self.config));
        receptive.expect("a connection")
    }

    pub fn take_output(&mut self, client: ClientId) -> Vec<u8> {
        let output = self.clients.with(client, |c| std::mem::take(c.output()));
        output.expect("a connection")
    }

    /// The frames that the client has received since the last call.
    pub fn frames(&mut self, client: ClientId) -> Vec<Frame> {
        let bytes = self.take_output(client);
        let mut reader = Reader::new(&bytes);
        let mut frames = Vec::new();
        while !reader.is_empty() {
            let frame = reader.buffer().unwrap().unwrap();
            let mut reader = Reader::new(frame);
            let header = ReplyHeader::decode(&mut reader).unwrap();
            frames.push(Frame {
                xid: header.xid,
                zxid: header.zxid,
                err: ErrorCode::from_wire(header.err).unwrap(),
                body: reader.rest().to_vec(),
            });
        }
        frames
    }

    /// The same, in short.
    pub fn received(&mut self, client: ClientId) -> Vec<String> {
        self.frames(client).iter().map(Frame::short).collect()
    }
}
