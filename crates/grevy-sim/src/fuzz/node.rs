//! A whole node, fed with whatever frames, moments and syncs an input says.

use super::tree_config;
use grevy_node::{
    Action, ClientId, Clients, Connection, Node, NodeConfig, Now, Output, Time, View,
};
use grevy_proto::connect::ConnectRequest;
use grevy_proto::{Encode, SessionId, Zxid};
use grevy_tree::Tree;
use grevy_tree::watch::{WatchTable, WatcherId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A handshake without its length.
pub(super) fn handshake(session: i64) -> Vec<u8> {
    ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: Zxid(0),
        timeout: 4000,
        session: SessionId(session),
        password: Some(&SessionId(session).password()),
        read_only: Some(false),
    }
    .to_bytes()
}

/// Appends a frame as [`node`] reads it.
pub(super) fn add_frame(frame: &[u8], input: &mut Vec<u8>) {
    input.push(0);
    input.extend_from_slice(&(frame.len() as u16).to_be_bytes());
    input.extend_from_slice(frame);
}

struct World {
    node: Node,
    tree: Tree,
    watches: RefCell<WatchTable>,
    clients: RefCell<BTreeMap<ClientId, Connection>>,
    config: NodeConfig,
    now: Now,
    unsynced: Option<Zxid>,
}

/// The input is a list of steps: a byte says which, what it needs follows.
pub fn node(mut input: &[u8]) {
    let config = NodeConfig {
        snap_count: 5,
        ..NodeConfig::default()
    };
    let tree = Tree::new(tree_config());
    let now = Now {
        time: Time(0),
        wall_ms: 1_000_000,
    };
    let mut world = World {
        node: Node::standalone(config.clone(), &tree, now),
        tree,
        watches: RefCell::new(WatchTable::new(1)),
        clients: RefCell::default(),
        config,
        now,
        unsynced: None,
    };
    for client in 0..3 {
        world.accept(client);
    }
    while let Some((&step, rest)) = input.split_first() {
        input = rest;
        match step % 8 {
            0..4 => {
                let Some((len, rest)) = input.split_first_chunk::<2>() else {
                    break;
                };
                let len = usize::from(u16::from_be_bytes(*len)).min(rest.len());
                let (frame, rest) = rest.split_at(len);
                input = rest;
                world.frame(ClientId(u32::from(step % 4).min(2)), frame);
            }
            4 | 5 => world.sync(),
            6 => {
                world.now.time = Time(world.now.time.0 + 3_000_000);
                world.now.wall_ms += 3_000;
                world
                    .node
                    .handle_timeout(world.now, &world.tree, &world.clients);
                world.settle();
            }
            _ => world.replace(u32::from(step / 8 % 3)),
        }
    }
    world.sync();
    world.check();
}

impl World {
    fn accept(&mut self, client: u32) {
        let id = ClientId(client);
        let connection = Connection::new(id, IpAddr::from([127, 0, 0, 1]), self.now.time);
        self.clients.borrow_mut().insert(id, connection);
        self.frame(id, &handshake(0));
        self.sync();
    }

    /// The connection ends, and another comes.
    fn replace(&mut self, client: u32) {
        let gone = self.clients.borrow_mut().remove(&ClientId(client));
        if let Some(gone) = gone {
            self.watches.borrow_mut().remove_watcher(WatcherId(client));
            let (session, heard) = (gone.last_session(), gone.heard());
            self.node.client_closed(ClientId(client), session, heard);
        }
        self.accept(client);
    }

    fn frame(&mut self, client: ClientId, frame: &[u8]) {
        let view = View {
            now: self.now.time,
            tree: &self.tree,
            watches: &self.watches,
            config: &self.config,
        };
        let action = self.clients.with(client, |c| c.handle_frame(frame, view));
        match action {
            Some(Action::Connect(ask)) => {
                self.node
                    .open_session(self.now, &self.tree, &self.clients, ask);
            }
            Some(Action::Submit(request)) => self.node.submit(self.now, &self.tree, request),
            Some(Action::Close(reason)) => {
                self.clients.with(client, |c| c.close(reason));
            }
            Some(Action::None) | None => {}
        }
        self.settle();
    }

    fn sync(&mut self) {
        if let Some(zxid) = self.unsynced.take() {
            self.node.log_synced(self.now, zxid);
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.node
            .apply_committed(self.now, &mut self.tree, &self.watches, &self.clients);
        while let Some(output) = self.node.poll() {
            match output {
                Output::Append { zxid, .. } => self.unsynced = Some(zxid),
                Output::Snapshot(_) => {
                    let mut body = Vec::new();
                    while self.tree.snapshot_slice(3, &mut body) {}
                    self.node.snapshot_done(self.now, true);
                }
                Output::Expired(_) => {}
                Output::Broken(broken) => panic!("a rule of the protocol is broken: {broken}"),
                Output::Service(_) => {}
                other => panic!("a server that runs alone asks for {other:?}"),
            }
        }
    }

    /// What must hold whatever came: parents know their children, and what leaves is frames.
    fn check(&mut self) {
        for znode in self.tree.znodes() {
            let path = znode.path();
            if path == "/" {
                continue;
            }
            if let Some((parent, name)) = path.rsplit_once('/') {
                let parent = self.tree.get(parent).expect("a parent");
                assert!(parent.children().any(|child| child == name), "{path}");
            }
        }
        for connection in self.clients.borrow_mut().values_mut() {
            let mut rest = &connection.output()[..];
            while let Some((len, after)) = rest.split_first_chunk::<4>() {
                let len = u32::from_be_bytes(*len) as usize;
                rest = after.get(len..).expect("whole frames");
            }
            assert!(rest.is_empty());
        }
    }
}
