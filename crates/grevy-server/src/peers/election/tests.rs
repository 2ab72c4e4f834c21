//! The election port over real sockets, with servers that are made of bytes.

use super::*;
use crate::peers::Door;
use crate::peers::quorum::{Dial, Received};
use grevy_proto::Zxid;
use grevy_proto::election::{PeerState, split_message};
use grevy_proto::quorum::Packet;
use grevy_zab::{LinkId, Membership};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const LONG: Duration = Duration::from_secs(10);

#[derive(Debug, PartialEq)]
enum Event {
    Message(i64, Notification),
    Peer(i64, bool),
}

struct Heard(UnboundedSender<Event>);

impl Events for Heard {
    fn election_message(&self, from: ServerId, message: Notification) {
        let _ = self.0.send(Event::Message(from.0, message));
    }

    fn election_peer(&self, server: ServerId, connected: bool) {
        let _ = self.0.send(Event::Peer(server.0, connected));
    }

    fn link_dialled(&self, _: Dial, _: LinkId) {}
    fn dial_failed(&self, _: Dial) {}
    fn link_packets(&self, _: LinkId, _: Option<Door>, _: Vec<Packet>) {}
    fn snapshot_received(&self, _: LinkId, _: Received) {}
    fn link_lost(&self, _: LinkId) {}
}

/// A server under test.
struct Subject {
    election: Election,
    events: UnboundedReceiver<Event>,
    address: SocketAddr,
}

impl Subject {
    fn new(me: i64, members: &[(i64, SocketAddr)]) -> Self {
        Self::with(me, members, LONG)
    }

    fn with(me: i64, members: &[(i64, SocketAddr)], hello_timeout: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, events) = unbounded_channel();
        let settings = Settings {
            me: ServerId(me),
            connect_timeout: LONG,
            hello_timeout,
            listen_everywhere: false,
            silence: LONG,
            several_addresses: false,
            init_limit: LONG,
            connect_pause: LONG,
            observer_port: None,
        };
        let election = Election::new(Arc::new(settings), Arc::new(Heard(sender)));
        let mut all = members.to_vec();
        all.push((me, address));
        election.configure(&roster(&all));
        tokio::spawn(election.clone().accept(listener));
        Self {
            election,
            events,
            address,
        }
    }

    async fn hears(&mut self, expected: Event) {
        let event = tokio::time::timeout(LONG, self.events.recv()).await;
        assert_eq!(event.unwrap(), Some(expected));
    }

    async fn dial(&self) -> Connection {
        Connection {
            stream: TcpStream::connect(self.address).await.unwrap(),
            received: Vec::new(),
        }
    }

    /// A connection from server `id`, which says that it is at `at`.
    async fn call(&self, id: i64, at: &str) -> Connection {
        let mut connection = self.dial().await;
        connection.stream.write_all(&hello(id, at)).await.unwrap();
        connection
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.election.stop();
    }
}

fn roster(members: &[(i64, SocketAddr)]) -> Roster {
    let line = |(id, address): &(i64, SocketAddr)| {
        format!("server.{id}={}:1:{}\n", address.ip(), address.port())
    };
    let text: String = members.iter().map(line).collect();
    Roster::of(&Membership::parse(&text).unwrap(), None)
}

fn hello(id: i64, at: &str) -> Vec<u8> {
    let hello = Hello {
        server: ServerId(id),
        addresses: vec![at.parse().unwrap()],
    };
    hello.encode_v1()
}

fn vote(round: i64) -> Notification {
    Notification {
        state: PeerState::Looking,
        leader: ServerId(7),
        zxid: Zxid(5),
        round,
        epoch: 3,
        version: 2,
        config: Some("version=0".into()),
    }
}

async fn bind() -> (tokio::net::TcpListener, SocketAddr) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn read_vote(connection: &mut Connection) -> Notification {
    let Connection { stream, received } = connection;
    loop {
        if let Some((message, used)) = split_message(received).unwrap() {
            let vote = Notification::decode(message).unwrap();
            received.drain(..used);
            return vote;
        }
        let read = tokio::time::timeout(LONG, stream.read_buf(received)).await;
        assert_ne!(read.unwrap().unwrap(), 0);
    }
}

/// Accepts a connection, and reads who is at its other end.
async fn accept(listener: &tokio::net::TcpListener) -> (Hello, Connection) {
    let accepted = tokio::time::timeout(LONG, listener.accept()).await;
    let (stream, _) = accepted.unwrap().unwrap();
    hello::read(stream, LONG).await.unwrap().unwrap()
}

async fn is_closed(mut connection: Connection) {
    let mut rest = Vec::new();
    let end = tokio::time::timeout(LONG, connection.stream.read_to_end(&mut rest)).await;
    match end.unwrap() {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}

#[tokio::test]
async fn a_larger_server_calls_and_keeps_the_connection() {
    let mut subject = Subject::new(2, &[]);
    let mut first = subject.call(3, "127.0.0.1:1").await;
    subject.hears(Event::Peer(3, true)).await;
    for round in 1..3 {
        let bytes = vote(round).to_message();
        first.stream.write_all(&bytes).await.unwrap();
        subject.hears(Event::Message(3, vote(round))).await;
        subject.election.notify(ServerId(3), &vote(10 + round));
        assert_eq!(read_vote(&mut first).await, vote(10 + round));
    }
    // It lost that connection without this server's knowing, and calls again. Its first message
    // comes with the hello.
    let mut second = subject.dial().await;
    let both = [hello(3, "127.0.0.1:1"), vote(4).to_message()].concat();
    second.stream.write_all(&both).await.unwrap();
    subject.hears(Event::Peer(3, true)).await;
    subject.hears(Event::Message(3, vote(4))).await;
    assert_eq!(read_vote(&mut second).await, vote(12), "sent again");
    is_closed(first).await;
    drop(second);
    subject.hears(Event::Peer(3, false)).await;
}

#[tokio::test]
async fn a_smaller_server_is_called_back() {
    let mut subject = Subject::new(2, &[]);
    let (listener, address) = bind().await;
    is_closed(subject.call(1, &address.to_string()).await).await;
    let (hello, mut first) = accept(&listener).await;
    assert_eq!(hello.server, ServerId(2));
    assert_eq!(hello.addresses[0].port, subject.address.port());
    subject.hears(Event::Peer(1, true)).await;
    subject.election.notify(ServerId(1), &vote(1));
    assert_eq!(read_vote(&mut first).await, vote(1));
    // A new connection takes the place of the old one. The first call may have been on its way
    // when that was made, and is not answered.
    for _ in 0..2 {
        is_closed(subject.call(1, &address.to_string()).await).await;
    }
    let (_, mut second) = accept(&listener).await;
    subject.hears(Event::Peer(1, true)).await;
    assert_eq!(read_vote(&mut second).await, vote(1));
    is_closed(first).await;
    drop(second);
    subject.hears(Event::Peer(1, false)).await;
}

#[tokio::test]
async fn members_are_dialled_and_dialled_again() {
    let (listener, address) = bind().await;
    let mut subject = Subject::new(2, &[(1, address)]);
    subject.election.notify(ServerId(1), &vote(1));
    subject.election.notify(ServerId(1), &vote(2));
    for _ in 0..3 {
        let (hello, mut connection) = accept(&listener).await;
        assert_eq!(hello.server, ServerId(2));
        subject.hears(Event::Peer(1, true)).await;
        assert_eq!(read_vote(&mut connection).await, vote(2));
        drop(connection);
        subject.hears(Event::Peer(1, false)).await;
    }
    drop(listener);
    subject.hears(Event::Peer(1, false)).await;
}

/// A Java listener turns away who does not say where it is.
#[tokio::test]
async fn who_was_removed_says_where_it_is_all_the_same() {
    let (listener, address) = bind().await;
    let mut subject = Subject::new(2, &[(1, address)]);
    let (named, connection) = accept(&listener).await;
    subject.hears(Event::Peer(1, true)).await;
    subject.election.configure(&roster(&[(1, address)]));
    drop(connection);
    let (nameless, _connection) = accept(&listener).await;
    assert_eq!(nameless, named);
    assert_eq!(nameless.addresses[0].port, subject.address.port());
}

#[tokio::test]
async fn who_cannot_be_reached_holds_nobody_up() {
    let (silent, silent_address) = bind().await;
    let (listener, address) = bind().await;
    // Nobody is there, or says so.
    let nowhere = "192.0.2.1:9".parse().unwrap();
    let mut subject = Subject::new(4, &[(1, nowhere), (2, silent_address), (3, address)]);
    subject.election.notify(ServerId(1), &vote(1));
    subject.election.notify(ServerId(3), &vote(3));
    let (_, mut connection) = accept(&listener).await;
    assert_eq!(read_vote(&mut connection).await, vote(3));
    let heard = async { while subject.events.recv().await != Some(Event::Peer(3, true)) {} };
    tokio::time::timeout(LONG, heard).await.unwrap();
    drop(silent);
}

#[tokio::test]
async fn larger_members_are_asked_to_call() {
    let (listener, address) = bind().await;
    let mut subject = Subject::new(2, &[(3, address)]);
    for _ in 0..2 {
        let (hello, connection) = accept(&listener).await;
        assert_eq!(hello.server, ServerId(2));
        is_closed(connection).await;
    }
    let stream = subject.call(3, &address.to_string()).await;
    subject.hears(Event::Peer(3, true)).await;
    drop(stream);
    subject.hears(Event::Peer(3, false)).await;
    let (hello, _) = accept(&listener).await;
    assert_eq!(hello.server, ServerId(2));
}

#[tokio::test]
async fn two_servers_find_each_other_again() {
    let (listener, address) = bind().await;
    let listener = listener.into_std().unwrap();
    let mut large = Subject::new(9, &[(1, address)]);
    let mut small = Subject::new(1, &[(9, large.address)]);
    tokio::spawn(small.election.clone().accept(listener));
    small.hears(Event::Peer(9, true)).await;
    large.hears(Event::Peer(1, true)).await;
    small.election.notify(ServerId(9), &vote(1));
    large.election.notify(ServerId(1), &vote(2));
    // They may have called each other at the same time, so that there was another connection.
    let deadline = tokio::time::Instant::now() + LONG;
    for (subject, from, round) in [(&mut small, 9, 2), (&mut large, 1, 1)] {
        loop {
            let event = tokio::time::timeout_at(deadline, subject.events.recv()).await;
            match event.unwrap().unwrap() {
                Event::Message(sender, message) => {
                    assert_eq!((sender, message), (from, vote(round)));
                    break;
                }
                Event::Peer(peer, _) => assert_eq!(peer, from),
            }
        }
    }
}

#[tokio::test]
async fn whoever_is_no_server_is_sent_away() {
    let mut subject = Subject::with(2, &[], LONG);
    let old = 3i64.to_be_bytes();
    for (what, bytes) in [
        ("garbage", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("this server's number", hello(2, "a:1")),
        ("no number", hello(i64::MAX, "a:1")),
        ("an unknown form", (-7i64).to_be_bytes().to_vec()),
        ("a frame too long", [&old[..], &[0x7f, 0, 0, 0]].concat()),
        ("an empty frame", [&old[..], &[0; 4]].concat()),
    ] {
        eprintln!("{what}");
        let mut connection = subject.dial().await;
        connection.stream.write_all(&bytes).await.unwrap();
        is_closed(connection).await;
    }
    for connected in [true, false, true, false] {
        subject.hears(Event::Peer(3, connected)).await;
    }
    // A half of a hello harms nobody either.
    let mut half = subject.dial().await;
    half.stream.write_all(&hello(3, "a:1")[..12]).await.unwrap();
    let mut connection = subject.call(3, "a:1").await;
    subject.hears(Event::Peer(3, true)).await;
    // Nor does a message that cannot be read.
    let unreadable = [&[0, 0, 0, 1, 9][..], &vote(1).to_message()].concat();
    for byte in unreadable {
        connection.stream.write_all(&[byte]).await.unwrap();
    }
    subject.hears(Event::Message(3, vote(1))).await;
}

/// Why a connection that begins so is refused by server 1 of these members.
async fn refused(members: &[(i64, &str)], bytes: &[u8]) -> String {
    let (listener, address) = bind().await;
    let context = Subject::new(1, &[]).election.context.clone();
    let members: Vec<_> = members
        .iter()
        .map(|(id, at)| (*id, at.parse().unwrap()))
        .collect();
    *context.roster.write() = roster(&members);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let (stream, from) = listener.accept().await.unwrap();
    let (hello, connection) = hello::read(stream, LONG).await.unwrap().unwrap();
    let result = context.keep_or_call_back(hello, connection, from);
    result.unwrap_err().to_string()
}

#[tokio::test]
async fn a_stranger_is_told_from_what_is_set_up_wrongly() {
    let learner = [&11i32.to_be_bytes()[..], &[0; 20]].concat();
    let (here, there) = ("10.0.0.1:3888", "10.0.0.2:3888");
    for (members, bytes, expected) in [
        (
            [(1, here), (2, there)],
            hello(1, here),
            "it is from a server that is number 1 as well; each needs a myid of its own",
        ),
        (
            [(1, here), (2, here)],
            hello(1, here),
            "it is from this very server, which looked for server 2: both have the same election \
             address in the configuration; give each its own",
        ),
        (
            [(1, here), (2, there)],
            learner,
            "it is a learner's; are the quorum port and the election port of a server.N line \
             swapped?",
        ),
        (
            [(1, here), (2, there)],
            hello(1000, there),
            "it is from a server 1000 that is in no configuration",
        ),
    ] {
        assert_eq!(refused(&members, &bytes).await, expected);
    }
}

#[tokio::test]
async fn a_hello_must_come_in_time() {
    let subject = Subject::with(2, &[], Duration::from_millis(20));
    let mut half = subject.dial().await;
    half.stream.write_all(&hello(3, "a:1")[..12]).await.unwrap();
    is_closed(half).await;
}

#[tokio::test]
async fn the_silent_do_not_shut_others_out() {
    let mut subject = Subject::new(2, &[]);
    let mut silent = Vec::new();
    for _ in 0..150 {
        silent.push(subject.dial().await);
    }
    let _stream = subject.call(3, "a:1").await;
    subject.hears(Event::Peer(3, true)).await;
    is_closed(silent.swap_remove(0)).await;
}

#[tokio::test]
async fn only_so_many_strangers() {
    let mut subject = Subject::new(2, &[]);
    let mut streams = Vec::new();
    for id in 0..MAX_STRANGERS as i64 {
        streams.push(subject.call(100 + id, "a:1").await);
        subject.hears(Event::Peer(100 + id, true)).await;
    }
    is_closed(subject.call(200, "a:1").await).await;
    streams.truncate(1);
    for _ in 1..MAX_STRANGERS {
        let event = tokio::time::timeout(LONG, subject.events.recv()).await;
        assert!(matches!(event.unwrap(), Some(Event::Peer(_, false))));
    }
    // Each made room.
    let _stream = subject.call(200, "a:1").await;
    subject.hears(Event::Peer(200, true)).await;
}

#[tokio::test]
async fn two_servers_of_one_number_take_turns() {
    let mut subject = Subject::new(2, &[]);
    let mut present = subject.call(3, "a:1").await;
    subject.hears(Event::Peer(3, true)).await;
    for _ in 0..3 {
        let next = subject.call(3, "a:1").await;
        subject.hears(Event::Peer(3, true)).await;
        is_closed(present).await;
        present = next;
    }
    let waiting = subject.call(3, "a:1").await;
    for round in 1..3 {
        let bytes = vote(round).to_message();
        present.stream.write_all(&bytes).await.unwrap();
        subject.hears(Event::Message(3, vote(round))).await;
    }
    // Whoever waits need not wait for nothing.
    drop(present);
    subject.hears(Event::Peer(3, false)).await;
    subject.hears(Event::Peer(3, true)).await;
    drop(waiting);
    subject.hears(Event::Peer(3, false)).await;
}

#[tokio::test]
async fn a_machine_that_is_gone_is_noticed() {
    let subject = Subject::new(2, &[]);
    let stream = TcpStream::connect(subject.address).await.unwrap();
    subject.election.context.set_options(&stream).unwrap();
    let socket = socket2::SockRef::from(&stream);
    assert!(socket.keepalive().unwrap());
    let (first, interval) = (socket.tcp_keepalive_time(), socket.tcp_keepalive_interval());
    let probes = interval.unwrap() * socket.tcp_keepalive_retries().unwrap();
    assert!(first.unwrap() + probes <= LONG);
    #[cfg(target_os = "linux")]
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(LONG));
}
