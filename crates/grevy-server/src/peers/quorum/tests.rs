//! The quorum port over real sockets, with another server that is made of bytes.

use super::*;
use crate::config::Config;
use crate::setup;
use grevy_proto::quorum::{LearnerInfo, SNAPSHOT_SIGNATURE};
use grevy_proto::txn::{CreateKind, CreateTxn, Txn, TxnHeader};
use grevy_proto::{Acl, Encode, Epoch, OpCode, SessionId, Xid, Zxid};
use grevy_storage::snapshot::Trailers;
use grevy_storage::testing::MemDisk;
use grevy_storage::{Compression, Dirs, OpenOptions, Recover, Rejected, Store};
use grevy_tree::Tree;
use grevy_zab::LinkId;
use std::path::Path;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const LONG: Duration = Duration::from_secs(20);

#[derive(Debug, PartialEq)]
enum Event {
    Dialled(u64, LinkId),
    Failed(u64),
    Packets(LinkId, bool, Vec<Packet>),
    /// With the number of znodes.
    Snapshot(LinkId, Zxid, usize),
    Lost(LinkId),
}

struct Heard(UnboundedSender<Event>);

impl Heard {
    fn say(&self, event: Event) {
        let _ = self.0.send(event);
    }
}

impl Events for Heard {
    fn election_message(&self, _: ServerId, _: grevy_proto::election::Notification) {}
    fn election_peer(&self, _: ServerId, _: bool) {}

    fn link_dialled(&self, dial: Dial, link: LinkId) {
        self.say(Event::Dialled(dial.number, link));
    }

    fn dial_failed(&self, dial: Dial) {
        self.say(Event::Failed(dial.number));
    }

    fn link_packets(&self, link: LinkId, accepted: Option<Door>, packets: Vec<Packet>) {
        self.say(Event::Packets(link, accepted.is_some(), packets));
    }

    fn snapshot_received(&self, link: LinkId, received: Received) {
        let znodes = received.tree.znode_count();
        self.say(Event::Snapshot(link, received.zxid, znodes));
        received.file.install().unwrap();
    }

    fn link_lost(&self, link: LinkId) {
        self.say(Event::Lost(link));
    }
}

/// A server under test.
struct Subject {
    quorum: Quorum,
    events: UnboundedReceiver<Event>,
    address: SocketAddr,
    disk: MemDisk,
    config: Config,
}

struct Nothing;

impl Recover for Nothing {
    fn begin(&mut self, _: Option<Zxid>) {}
    fn snapshot_chunk(&mut self, _: &[u8]) -> Result<grevy_storage::snapshot::Fed, Rejected> {
        Err(Rejected("none is expected".to_owned()))
    }
    fn txn(&mut self, _: Zxid, _: &[u8]) -> Result<(), Rejected> {
        Err(Rejected("none is expected".to_owned()))
    }
}

impl Subject {
    fn new() -> Self {
        Self::with(LONG)
    }

    fn with(init_limit: Duration) -> Self {
        let arguments = ["2181".to_owned(), "/zk".to_owned()];
        let arguments = crate::config::Arguments::parse(arguments);
        let config = crate::config::load(&arguments, &crate::config::OnDisk);
        let config = config.unwrap().config;
        let disk = MemDisk::new();
        let dirs = Dirs::both("/zk");
        let opened = Store::open(disk.shared(), dirs, OpenOptions::default(), &mut Nothing);
        let depot = Depot {
            store: opened.unwrap().store,
            compression: Compression::Gzip,
            storage: config.storage.clone(),
            tree: setup::tree_config(&config, 1),
            field_limit: setup::field_limit(&config),
        };
        let settings = Settings {
            me: ServerId(1),
            connect_timeout: LONG,
            hello_timeout: LONG,
            listen_everywhere: false,
            silence: LONG,
            several_addresses: false,
            init_limit,
            connect_pause: Duration::ZERO,
            observer_port: None,
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, events) = unbounded_channel();
        let events_to = Arc::new(Heard(sender));
        let quorum = Quorum::new(Arc::new(settings), events_to, Arc::default(), depot);
        tokio::spawn(quorum.clone().accept(listener, Door::Quorum));
        Self {
            quorum,
            events,
            address,
            disk,
            config,
        }
    }

    async fn heard(&mut self) -> Event {
        let event = tokio::time::timeout(LONG, self.events.recv()).await;
        event.unwrap().unwrap()
    }

    async fn connect(&self) -> Stream {
        Stream {
            stream: TcpStream::connect(self.address).await.unwrap(),
            received: Vec::new(),
        }
    }

    /// A learner that has introduced itself.
    async fn learner(&mut self) -> (Stream, Arc<Link>) {
        let mut stream = self.connect().await;
        stream.send(&[info()]).await;
        let Event::Packets(id, true, packets) = self.heard().await else {
            panic!("no new link");
        };
        assert_eq!(packets, [info()]);
        (stream, self.quorum.links.get(id).unwrap())
    }

    /// A link to a leader that is made of bytes.
    async fn leader(&mut self) -> (Stream, Arc<Link>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        self.quorum.dial(dial(1), vec![address.parse().unwrap()]);
        let stream = Stream {
            stream: listener.accept().await.unwrap().0,
            received: Vec::new(),
        };
        let Event::Dialled(1, id) = self.heard().await else {
            panic!("not dialled");
        };
        (stream, self.quorum.links.get(id).unwrap())
    }
}

/// The other end of a connection.
struct Stream {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Stream {
    async fn send(&mut self, packets: &[Packet]) {
        let bytes: Vec<u8> = packets.iter().flat_map(Encode::to_bytes).collect();
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn receive(&mut self) -> Packet {
        loop {
            let parsed = Packet::parse(&self.received, 1 << 20).unwrap();
            if let Some((packet, used)) = parsed {
                self.received.drain(..used);
                return packet;
            }
            let read = self.stream.read_buf(&mut self.received);
            let read = tokio::time::timeout(LONG, read).await;
            assert_ne!(read.unwrap().unwrap(), 0);
        }
    }

    async fn ends(mut self) {
        let rest = self.stream.read_to_end(&mut self.received);
        match tokio::time::timeout(LONG, rest).await.unwrap() {
            Ok(_) => assert!(self.received.is_empty(), "{:?}", self.received),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }
}

fn info() -> Packet {
    Packet::LearnerInfo(LearnerInfo {
        observer: false,
        accepted_epoch: Epoch(3),
        server: Some(ServerId(2)),
        config_version: 0,
    })
}

fn dial(number: u64) -> Dial {
    Dial {
        number,
        leader: ServerId(2),
        timeout: LONG,
        door: Door::Quorum,
    }
}

fn proposal(counter: u32, size: usize) -> Packet {
    Packet::Proposal {
        zxid: Zxid::new(Epoch(3), counter),
        entry: vec![counter as u8; size].into(),
    }
}

#[tokio::test]
async fn packets_both_ways() {
    let mut subject = Subject::new();
    let (mut stream, link) = subject.learner().await;
    for counter in 1..4 {
        link.push(&proposal(counter, 100_000));
        link.push(&Packet::Commit(Zxid::new(Epoch(3), counter)));
        link.send_now();
    }
    for counter in 1..4 {
        assert_eq!(stream.receive().await, proposal(counter, 100_000));
        let commit = Packet::Commit(Zxid::new(Epoch(3), counter));
        assert_eq!(stream.receive().await, commit);
    }
    // What one read brings is one batch; what is cut waits for its end.
    let acks = [Packet::Ack(Zxid(1)), Packet::Ack(Zxid(2)), proposal(9, 10)];
    let bytes: Vec<u8> = acks.iter().flat_map(Encode::to_bytes).collect();
    let (most, last) = bytes.split_at(bytes.len() - 1);
    stream.stream.write_all(most).await.unwrap();
    let expected = Event::Packets(link.id(), false, acks[..2].to_vec());
    assert_eq!(subject.heard().await, expected);
    stream.stream.write_all(last).await.unwrap();
    let expected = Event::Packets(link.id(), false, acks[2..].to_vec());
    assert_eq!(subject.heard().await, expected);
    for byte in proposal(5, 50).to_bytes() {
        stream.stream.write_all(&[byte]).await.unwrap();
    }
    let expected = Event::Packets(link.id(), false, vec![proposal(5, 50)]);
    assert_eq!(subject.heard().await, expected);
    drop(stream);
    assert_eq!(subject.heard().await, Event::Lost(link.id()));
    assert!(subject.quorum.links.is_empty());
}

#[tokio::test]
async fn a_link_that_is_hung_up_sends_what_is_queued() {
    let mut subject = Subject::new();
    let (mut stream, link) = subject.learner().await;
    link.push(&proposal(1, 3_000_000));
    link.push(&Packet::UpToDate);
    link.hang_up();
    link.push(&Packet::Sync);
    // What still comes in is not for the node any more.
    stream.send(&[Packet::Ack(Zxid(1))]).await;
    let large = stream.receive_large().await;
    assert_eq!(large, proposal(1, 3_000_000));
    assert_eq!(stream.receive().await, Packet::UpToDate);
    stream.ends().await;
    drop(link);
    let (stream, link) = subject.learner().await;
    drop(stream);
    assert_eq!(subject.heard().await, Event::Lost(link.id()));
}

impl Stream {
    async fn receive_large(&mut self) -> Packet {
        loop {
            let parsed = Packet::parse(&self.received, 1 << 30).unwrap();
            if let Some((packet, used)) = parsed {
                self.received.drain(..used);
                return packet;
            }
            assert_ne!(self.stream.read_buf(&mut self.received).await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn whoever_is_no_learner_is_sent_away() {
    let mut subject = Subject::new();
    let long = [&11i32.to_be_bytes()[..], &[0; 8], &4096i32.to_be_bytes()].concat();
    for (what, bytes) in [
        ("garbage", b"GET / HTTP/1.1\r\n\r\n....".to_vec()),
        ("no introduction", Packet::Ack(Zxid(1)).to_bytes()),
        ("too long an introduction", long),
    ] {
        eprintln!("{what}");
        let mut stream = subject.connect().await;
        stream.stream.write_all(&bytes).await.unwrap();
        stream.ends().await;
    }
    // Nor may a learner send what only leaders do, or no packet at all.
    let snap = Packet::Snap(Zxid(5)).to_bytes();
    let junk = [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff];
    for (bytes, heard) in [(snap, true), (junk.to_vec(), false)] {
        let (mut stream, link) = subject.learner().await;
        stream.stream.write_all(&bytes).await.unwrap();
        stream.ends().await;
        if heard {
            let packets = vec![Packet::Snap(Zxid(5))];
            let expected = Event::Packets(link.id(), false, packets);
            assert_eq!(subject.heard().await, expected);
        }
        assert_eq!(subject.heard().await, Event::Lost(link.id()));
    }
}

#[tokio::test]
async fn an_election_connection_is_recognised() {
    let hello = Hello {
        server: ServerId(2),
        addresses: Vec::new(),
    };
    for bytes in [hello.encode_v1(), hello.encode_v2()] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut caller = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        caller.write_all(&bytes).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let error = introduction(stream).await.unwrap_err().to_string();
        assert!(error.contains("it is an election connection"), "{error}");
    }
}

#[tokio::test]
async fn silence_ends_a_link() {
    let mut subject = Subject::new();
    let (stream, link) = subject.learner().await;
    link.set_patience(Duration::from_millis(20));
    assert_eq!(subject.heard().await, Event::Lost(link.id()));
    stream.ends().await;
    // Before the introduction, too.
    let subject = Subject::with(Duration::from_millis(20));
    subject.connect().await.ends().await;
}

#[tokio::test]
async fn a_leader_that_cannot_be_reached() {
    let mut subject = Subject::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let nobody: HostPort = nobody.unwrap().to_string().parse().unwrap();
    subject.quorum.dial(dial(1), vec![nobody]);
    assert_eq!(subject.heard().await, Event::Failed(1));
    subject.quorum.dial(dial(2), Vec::new());
    assert_eq!(subject.heard().await, Event::Failed(2));
    // A later order ends an earlier one.
    let somebody: HostPort = subject.address.to_string().parse().unwrap();
    subject.quorum.dial(dial(3), Vec::new());
    subject.quorum.dial(dial(4), vec![somebody]);
    assert!(matches!(subject.heard().await, Event::Dialled(4, _)));
}

/// A tree of some size.
fn tree(config: &Config) -> Tree {
    let mut tree = Tree::new(setup::tree_config(config, 7));
    for n in 0..2000u32 {
        let header = TxnHeader {
            session: SessionId(5),
            cxid: Xid(1),
            zxid: Zxid::new(Epoch(2), n + 1),
            time: 0,
            op: OpCode::Create.wire(),
        };
        let txn = Txn::Create(CreateTxn {
            kind: CreateKind::Plain { ephemeral: false },
            path: format!("/node-{n}").into(),
            data: Some(vec![n as u8; 2000].into()),
            acl: vec![Acl::OPEN],
            parent_cversion: n.cast_signed() + 1,
        });
        tree.apply(&header, &txn, &mut |_| {});
    }
    tree
}

#[tokio::test]
async fn snapshots_between_two_servers() {
    let mut leader = Subject::new();
    let mut learner = Subject::new();
    let mut tree = tree(&leader.config);
    let taken = tree.start_snapshot();
    let store = &leader.quorum.depot.store;
    let mut writer = store.snapshot(taken.zxid, Compression::Snappy).unwrap();
    let mut body = Vec::new();
    while tree.snapshot_slice(usize::MAX, &mut body) {}
    writer.write(&body).unwrap();
    writer.finish(Trailers::None).unwrap();

    let to_leader: HostPort = leader.address.to_string().parse().unwrap();
    learner.quorum.dial(dial(1), vec![to_leader]);
    let Event::Dialled(1, id) = learner.heard().await else {
        panic!("not dialled");
    };
    let link = learner.quorum.links.get(id).unwrap();
    link.push(&info());
    link.send_now();
    let Event::Packets(learner_id, true, _) = leader.heard().await else {
        panic!("no learner");
    };
    let to_learner = leader.quorum.links.get(learner_id).unwrap();
    to_learner.push(&Packet::Snap(taken.zxid));
    to_learner.push_snapshot(taken.zxid);
    to_learner.send_now();
    let snap = vec![Packet::Snap(taken.zxid)];
    assert_eq!(learner.heard().await, Event::Packets(id, false, snap));
    // It need not be followed by anything.
    let expected = Event::Snapshot(id, taken.zxid, tree.znode_count());
    assert_eq!(learner.heard().await, expected);
    // But may be, at once.
    to_learner.push(&Packet::Snap(taken.zxid));
    to_learner.push_snapshot(taken.zxid);
    let behind = [proposal(7, 10), Packet::UpToDate];
    behind.iter().for_each(|packet| to_learner.push(packet));
    to_learner.send_now();
    let snap = vec![Packet::Snap(taken.zxid)];
    assert_eq!(learner.heard().await, Event::Packets(id, false, snap));
    assert_eq!(learner.heard().await, expected);
    let mut came = Vec::new();
    while came.len() < 2 {
        let Event::Packets(_, false, packets) = learner.heard().await else {
            panic!("no packets");
        };
        came.extend(packets);
    }
    assert_eq!(came, behind);
    let name = format!("/zk/version-2/snapshot.{:x}.gz", taken.zxid.0);
    assert!(learner.disk.content(Path::new(&name)).is_some());
    assert!(leftovers(&learner).is_empty());
}

/// Files of snapshots that were not finished.
fn leftovers(subject: &Subject) -> Vec<String> {
    let names = subject.disk.shared().list(Path::new("/zk/version-2"));
    let mut names = names.unwrap();
    names.retain(|name| name.starts_with("grevy.snapshot"));
    names
}

#[tokio::test]
async fn snapshots_that_are_none() {
    let mut tree = tree(&Subject::new().config);
    tree.start_snapshot();
    let mut body = Vec::new();
    while tree.snapshot_slice(usize::MAX, &mut body) {}
    let signature = SNAPSHOT_SIGNATURE.to_bytes();
    let whole = [&body[..], &signature].concat();
    let mut unsigned = whole.clone();
    unsigned[body.len() + 5] ^= 1;
    let mut damaged = whole.clone();
    damaged[body.len() / 2..][..2000].fill(0xff);
    for (what, bytes) in [
        ("cut short", &whole[..whole.len() - 1]),
        ("unsigned", &unsigned),
        ("damaged", &damaged),
    ] {
        eprintln!("{what}");
        let mut subject = Subject::new();
        let (mut stream, link) = subject.leader().await;
        stream.send(&[Packet::Snap(Zxid(5))]).await;
        let snap = vec![Packet::Snap(Zxid(5))];
        let expected = Event::Packets(link.id(), false, snap);
        assert_eq!(subject.heard().await, expected);
        // The other end may have seen enough.
        let _ = stream.stream.write_all(bytes).await;
        let _ = stream.stream.shutdown().await;
        assert_eq!(subject.heard().await, Event::Lost(link.id()));
        while !leftovers(&subject).is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_snapshot_that_is_not_there_ends_the_link() {
    let mut subject = Subject::new();
    let (mut stream, link) = subject.learner().await;
    link.push(&Packet::Snap(Zxid(5)));
    link.push_snapshot(Zxid(5));
    link.send_now();
    assert_eq!(stream.receive().await, Packet::Snap(Zxid(5)));
    stream.ends().await;
    assert_eq!(subject.heard().await, Event::Lost(link.id()));
}
