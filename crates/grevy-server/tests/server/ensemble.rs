//! Ensembles over real sockets and files: servers that stop, come back, fall behind, lose their
//! data or have too much of it.

use crate::client::Client;
use crate::place::Place;
use crate::ports::ports;
use grevy_proto::txn::{SetDataTxn, Txn, TxnEntry, TxnHeader};
use grevy_proto::{Encode, ErrorCode, OpCode, SessionId, Xid, Zxid};
use grevy_server::config::{self, Arguments, OnDisk};
use grevy_server::recovery;
use grevy_storage::snapshot::Fed;
use grevy_storage::{Compression, Dirs, OpenOptions, RealDisk, Recover, Rejected, Store};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Three servers that know each other, numbered from 1.
struct Ensemble {
    directory: PathBuf,
    servers: [Option<Place>; 3],
}

impl Ensemble {
    /// Starts all of them in new directories, with more lines for their configurations.
    fn new(name: &str, lines: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ensemble-{name}"));
        let _ = fs::remove_dir_all(&directory);
        let ports = ports::<6>();
        let members: String = (0..3)
            .map(|n| {
                let (quorum, election) = (ports[2 * n], ports[2 * n + 1]);
                format!("server.{}=127.0.0.1:{quorum}:{election}\n", n + 1)
            })
            .collect();
        for id in 1..=3 {
            let data = directory.join(id.to_string());
            fs::create_dir_all(&data).expect("a directory for the test");
            fs::write(data.join("myid"), id.to_string()).expect("a file for the test");
            let text = format!(
                "dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\ntickTime=500\n\
                 initLimit=20\nsyncLimit=10\nadmin.enableServer=false\n{members}{lines}",
                data.display()
            );
            fs::write(directory.join(format!("{id}.cfg")), text).expect("a file for the test");
        }
        let mut ensemble = Self {
            directory,
            servers: [None, None, None],
        };
        (1..=3).for_each(|id| ensemble.start(id));
        (1..=3).for_each(|id| ensemble.wait(id));
        ensemble
    }

    fn start(&mut self, id: usize) {
        let file = self.directory.join(format!("{id}.cfg"));
        self.servers[id - 1] = Some(Place::start(&file));
    }

    /// Stops it in order.
    fn stop(&mut self, id: usize) {
        self.servers[id - 1] = None;
    }

    fn get(&self, id: usize) -> &Place {
        self.servers[id - 1].as_ref().expect("it runs")
    }

    /// Waits until it serves.
    fn wait(&self, id: usize) {
        let place = self.get(id);
        let serves = || place.shared.not_serving().is_none();
        place.wait_until(serves, "the server serves");
    }

    fn client(&self, id: usize) -> Client {
        Client::connect(self.get(id).address)
    }

    /// The one that leads, and another one.
    fn roles(&self) -> (usize, usize) {
        let leads = |id: &usize| {
            let shared = &self.get(*id).shared;
            shared.look_at_node(|node| node.peer().leads())
        };
        let leader = (1..=3).find(leads).expect("one leads");
        (leader, leader % 3 + 1)
    }

    /// Waits until a server has applied all that another one has, and compares them.
    fn compare(&self, id: usize, with: usize) {
        let last = |id: usize| self.get(id).shared.tree.read().last_zxid();
        let goal = last(with);
        self.get(id)
            .wait_until(|| last(id) >= goal, "the server catches up");
        let digest = |id: usize| self.get(id).shared.tree.read().digest();
        assert_eq!(digest(id), digest(with));
    }

    fn data(&self, id: usize) -> PathBuf {
        self.directory.join(id.to_string()).join("version-2")
    }

    /// The snapshots that a server has.
    fn snapshots(&self, id: usize) -> Vec<String> {
        let files = fs::read_dir(self.data(id)).expect("a directory");
        let names = files.map(|file| file.expect("a file").file_name().into_string());
        let mut names: Vec<String> = names.map(|name| name.expect("a name")).collect();
        names.retain(|name| name.starts_with("snapshot."));
        names.sort();
        names
    }
}

#[test]
fn a_write_anywhere_is_read_everywhere() {
    let ensemble = Ensemble::new("everywhere", "");
    for id in 1..=3 {
        let path = format!("/from-{id}");
        ensemble.client(id).create(&path, b"x", 0);
        for other in 1..=3 {
            let mut client = ensemble.client(other);
            client.sync();
            assert_eq!(client.get(&path), ErrorCode::Ok, "{path} at {other}");
        }
    }
}

#[test]
fn clients_outlive_the_leader() {
    let mut ensemble = Ensemble::new("outlive", "");
    let (leader, other) = ensemble.roles();
    let mut client = ensemble.client(other);
    client.create("/before", b"x", 0);
    ensemble.stop(leader);
    // On the same connection: it waits for the next leader.
    client.create("/after", b"x", 1);
    assert_eq!(client.get("/after"), ErrorCode::Ok);
    ensemble.start(leader);
    ensemble.wait(leader);
    ensemble.compare(leader, other);
    let mut back = ensemble.client(leader);
    back.sync();
    assert_eq!(back.get("/after"), ErrorCode::Ok);
    // Its clients are told that it ends, and not before they are answered.
    let (leader, other) = ensemble.roles();
    let mut client = ensemble.client(leader);
    client.create("/last", b"x", 0);
    ensemble.stop(leader);
    client.wait_for_end();
    let mut client = ensemble.client(other);
    client.sync();
    assert_eq!(client.get("/last"), ErrorCode::Ok);
}

/// The members hand on what the limit lets in: forwarded, proposed, from the log, in a snapshot.
#[test]
fn what_is_long_gets_everywhere() {
    let mut ensemble = Ensemble::new("long", "jute.maxbuffer=4000000\n");
    let (leader, other) = ensemble.roles();
    let third = 6 - leader - other;
    let mut client = ensemble.client(other);
    client.create("/a", b"", 0);
    ensemble.stop(third);
    assert_eq!(client.set("/a", &vec![1; 3_900_000]), ErrorCode::Ok);
    client.create("/b", b"", 0);
    ensemble.start(third);
    ensemble.wait(third);
    ensemble.compare(third, other);
    ensemble.stop(third);
    fs::remove_dir_all(ensemble.data(third)).expect("it is removed");
    ensemble.start(third);
    ensemble.wait(third);
    ensemble.compare(third, other);
    // Each reads its own files.
    for id in 1..=3 {
        ensemble.stop(id);
        ensemble.start(id);
        ensemble.wait(id);
    }
    (1..=3).for_each(|id| ensemble.compare(id, other));
    assert_eq!(ensemble.client(third).get("/b"), ErrorCode::Ok);
}

#[test]
fn lost_data_comes_back_as_a_snapshot() {
    let mut ensemble = Ensemble::new("lost", "");
    let (leader, other) = ensemble.roles();
    let mut client = ensemble.client(leader);
    let data = vec![7; 500_000];
    for n in 0..20 {
        client.create(&format!("/large-{n}"), &data, 0);
    }
    ensemble.stop(other);
    fs::remove_dir_all(ensemble.data(other)).expect("it is removed");
    ensemble.start(other);
    ensemble.wait(other);
    ensemble.compare(other, leader);
    // The leader's, in place of its own of nothing.
    let snapshots = ensemble.snapshots(other);
    assert_eq!(snapshots.len(), 1, "{snapshots:?}");
    assert_ne!(snapshots[0], "snapshot.0");
    client.create("/behind", b"x", 0);
    // What it took over is there after a restart.
    ensemble.stop(other);
    ensemble.start(other);
    ensemble.wait(other);
    ensemble.compare(other, leader);
}

#[test]
fn whoever_is_behind_gets_the_log() {
    let mut ensemble = Ensemble::new("behind", "");
    let (leader, other) = ensemble.roles();
    let mut client = ensemble.client(leader);
    client.create("/node", b"", 0);
    ensemble.compare(other, leader);
    ensemble.stop(other);
    let before = ensemble.snapshots(other);
    // More than the leader keeps in memory (`commitLogCount`).
    for _ in 0..1200 {
        client.set("/node", b"x");
    }
    ensemble.start(other);
    ensemble.wait(other);
    ensemble.compare(other, leader);
    assert_eq!(ensemble.snapshots(other), before, "no snapshot was needed");
}

/// Passes over everything.
struct Nothing {
    body: grevy_storage::snapshot::BodyParser,
}

impl Recover for Nothing {
    fn begin(&mut self, _: Option<Zxid>) {
        self.body = grevy_storage::snapshot::BodyParser::default();
    }

    fn snapshot_chunk(&mut self, chunk: &[u8]) -> Result<Fed, Rejected> {
        self.body.feed(chunk, &mut |_| Ok(()))
    }

    fn txn(&mut self, _: Zxid, _: &[u8]) -> Result<(), Rejected> {
        Ok(())
    }
}

/// Appends a transaction that no other server has to the log of one that is stopped.
fn append(ensemble: &Ensemble, id: usize) {
    let directory = ensemble.directory.join(id.to_string());
    let mut nothing = Nothing {
        body: grevy_storage::snapshot::BodyParser::default(),
    };
    let opened = Store::open(
        Arc::new(RealDisk),
        Dirs::both(directory),
        OpenOptions::default(),
        &mut nothing,
    );
    let mut opened = opened.expect("its directory is in order");
    let zxid = opened.log.last_zxid().next();
    let header = TxnHeader {
        session: SessionId(1),
        cxid: Xid(1),
        zxid,
        time: 1,
        op: OpCode::SetData.wire(),
    };
    let txn = Txn::SetData(SetDataTxn {
        path: "/node".into(),
        data: Some(b"never committed".to_vec().into()),
        version: 1,
        reconfig: false,
    });
    let entry = TxnEntry {
        header,
        txn,
        digest: None,
    };
    opened.log.append(zxid, &entry.to_bytes()).expect("room");
    opened.log.close().expect("a disk that works");
}

fn assert_kept(ensemble: &Ensemble, id: usize) {
    let tree = ensemble.get(id).shared.tree.read();
    let data = tree.get("/node").expect("it exists").data();
    assert_eq!(data.map(<[u8]>::to_vec).as_deref(), Some(&b"kept"[..]));
}

#[test]
fn what_only_one_server_has_is_taken_back() {
    let mut ensemble = Ensemble::new("taken-back", "");
    let (leader, other) = ensemble.roles();
    let mut client = ensemble.client(leader);
    client.create("/node", b"kept", 0);
    ensemble.compare(other, leader);
    ensemble.stop(other);
    append(&ensemble, other);
    ensemble.start(other);
    ensemble.wait(other);
    client.create("/next", b"x", 0);
    ensemble.compare(other, leader);
    assert_kept(&ensemble, other);
}

/// Has nothing left but a snapshot of all that it has.
fn keep_only_a_snapshot(ensemble: &Ensemble, id: usize) {
    let file = ensemble.directory.join(format!("{id}.cfg"));
    let arguments = Arguments::parse([file.display().to_string()]);
    let loaded = config::load(&arguments, &OnDisk).expect("a good configuration");
    let recovered = recovery::recover(&loaded.config, Arc::new(RealDisk), 1);
    let mut recovered = recovered.expect("its directory is in order");
    let info = recovered.tree.start_snapshot();
    let mut body = Vec::new();
    while recovered.tree.snapshot_slice(1000, &mut body) {}
    for file in fs::read_dir(ensemble.data(id)).expect("a directory") {
        let file = file.expect("a file");
        let name = file.file_name().into_string().expect("a name");
        if name.starts_with("snapshot.") || name.starts_with("log.") {
            fs::remove_file(file.path()).expect("it is removed");
        }
    }
    let writer = recovered.store.snapshot(info.zxid, Compression::None);
    let mut writer = writer.expect("room");
    writer.write(&body).expect("room");
    let (zxid, digest) = (info.zxid, info.digest);
    let trailers = recovery::trailers(&loaded.config.storage, zxid, digest);
    writer.finish(trailers).expect("room");
}

#[test]
fn what_cannot_be_taken_back_is_replaced() {
    let mut ensemble = Ensemble::new("replaced", "");
    let (leader, other) = ensemble.roles();
    let mut client = ensemble.client(leader);
    client.create("/node", b"kept", 0);
    ensemble.compare(other, leader);
    ensemble.stop(other);
    append(&ensemble, other);
    keep_only_a_snapshot(&ensemble, other);
    ensemble.start(other);
    ensemble.wait(other);
    client.create("/next", b"x", 0);
    ensemble.compare(other, leader);
    assert_kept(&ensemble, other);
    // What it took over is there after a restart.
    ensemble.stop(other);
    ensemble.start(other);
    ensemble.wait(other);
    ensemble.compare(other, leader);
}

#[test]
fn members_move_one_after_the_other() {
    let lines = "reconfigEnabled=true\nskipACL=yes\n";
    let ensemble = Ensemble::new("moving", lines);
    let ports = ports::<9>();
    let new = |id: usize| {
        let first = 3 * (id - 1);
        let (quorum, election, client) = (ports[first], ports[first + 1], ports[first + 2]);
        format!("server.{id}=127.0.0.1:{quorum}:{election};127.0.0.1:{client}")
    };
    let new: Vec<String> = (1..=3).map(new).collect();
    let clients: Vec<SocketAddr> = (0..3)
        .map(|n| (Ipv4Addr::LOCALHOST, ports[3 * n + 2]).into())
        .collect();
    // The leader last: another one has to take its place.
    let (leader, _) = ensemble.roles();
    for id in (1..=3).filter(|id| *id != leader).chain([leader]) {
        let mut client = ensemble.client(id);
        assert_eq!(client.join(&new[id - 1]), ErrorCode::Ok);
        let moved = || TcpStream::connect(clients[id - 1]).is_ok();
        ensemble.get(id).wait_until(moved, "its client port moves");
        (1..=3).for_each(|id| ensemble.wait(id));
    }
    for (n, address) in clients.iter().enumerate() {
        let path = format!("/{n}");
        Client::connect(*address).create(&path, b"x", 0);
        for other in &clients {
            let mut client = Client::connect(*other);
            client.sync();
            assert_eq!(client.get(&path), ErrorCode::Ok);
        }
    }
}
