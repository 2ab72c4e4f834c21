//! The client against a scripted server.

use super::testing::{PASSWORD, PATIENCE, Peer, buffer, int, long, text};
use super::*;
use grevy_proto::watch::{AddWatchMode, WatcherType};
use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

/// A client of a server that does what `script` says, and what the client is told.
fn start(
    chroot: &str,
    script: impl FnOnce(TcpListener) + Send + 'static,
) -> (Client, Receiver<String>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || script(listener));
    let (client, events) = connect(&format!("{address}{chroot}"));
    (client, events, server)
}

fn connect(to: &str) -> (Client, Receiver<String>) {
    let config = Config {
        connect: ConnectString::parse(to).unwrap(),
        timeout: Duration::from_secs(6),
        read_only: false,
    };
    let (sender, events) = channel();
    let client = Client::start(config, move |event| {
        // A test that has seen enough no longer listens.
        let _ = sender.send(event.to_string());
    });
    (client.unwrap(), events)
}

fn state(state: &str) -> String {
    format!("WatchedEvent state:{state} type:None path:null zxid: -1")
}

fn event(kind: &str, path: &str, zxid: i64) -> String {
    format!("WatchedEvent state:SyncConnected type:{kind} path:{path} zxid: {zxid}")
}

#[test]
fn a_session_from_handshake_to_close() {
    let (client, events, server) = start("/app", |listener| {
        let mut peer = Peer::accept(&listener);
        peer.expect_connect(0, 0, &[0; 16]);
        peer.accept_session();
        // getData of /app/a with a watch
        peer.expect(&[&int(1), &int(4), &text("/app/a"), &[1]]);
        let stat = [0; 68];
        peer.reply(1, 9, 0, &[&buffer(b"data"), &stat[..]].concat());
        // getChildren2 of the root; an event comes before the answer
        peer.expect(&[&int(2), &int(12), &text("/app"), &[0]]);
        peer.send(&[
            &int(-1),
            &long(10),
            &int(0),
            &int(3),
            &int(3),
            &text("/app/a"),
        ]);
        // Nobody watches this one.
        peer.send(&[
            &int(-1),
            &long(10),
            &int(0),
            &int(3),
            &int(3),
            &text("/app/b"),
        ]);
        let children = [&int(2)[..], &text("x"), &text("y"), &stat];
        peer.reply(2, 10, 0, &children.concat());
        // delete of a missing znode
        peer.expect(&[&int(3), &int(2), &text("/app/n"), &int(-1)]);
        peer.reply(3, 11, -101, &[]);
        // closeSession
        peer.expect(&[&int(4), &int(-11)]);
        peer.reply(4, 12, 0, &[]);
    });
    client.wait_connected(PATIENCE).unwrap();
    assert_eq!(events.recv_timeout(PATIENCE), Ok(state("SyncConnected")));
    let (data, _) = client.get_data("/a", true).unwrap();
    assert_eq!(data, Some(b"data".to_vec()));
    let (children, _) = client.get_children("/", false).unwrap();
    assert_eq!(children, ["x", "y"]);
    assert_eq!(events.try_recv(), Ok(event("NodeDataChanged", "/a", 10)));
    assert_eq!(client.delete("/n", -1), Err(ClientError::Server(-101)));
    client.close();
    assert_eq!(events.try_recv(), Ok(state("Closed")));
    assert_eq!(client.state(), State::Closed);
    assert_eq!(client.delete("/n", -1), Err(ClientError::Closed));
    server.join().unwrap();
}

#[test]
fn a_lost_connection_is_resumed_with_identities_and_watches() {
    let (client, events, server) = start("", |listener| {
        let mut peer = Peer::accept(&listener);
        peer.expect_connect(0, 0, &[0; 16]);
        peer.accept_session();
        peer.expect(&[&int(-4), &int(100), &int(0), &text("digest"), &text("u:p")]);
        peer.reply(-4, 0, 0, &[]);
        // exists of a missing znode, with a watch
        peer.expect(&[&int(1), &int(3), &text("/w"), &[1]]);
        peer.reply(1, 0x20, -101, &[]);
        // addWatch
        peer.expect(&[&int(2), &int(106), &text("/p"), &int(1)]);
        peer.reply(2, 0x21, 0, &int(0));
        // setData, whose answer is lost
        peer.expect(&[&int(3), &int(5), &text("/d"), &buffer(b"v"), &int(-1)]);
        drop(peer);

        let mut peer = Peer::accept(&listener);
        peer.expect_connect(0x21, 0x55, &PASSWORD);
        peer.accept_session();
        peer.expect(&[&int(-4), &int(100), &int(0), &text("digest"), &text("u:p")]);
        peer.expect(&[
            &int(-8),
            &int(105),
            &long(0x21),
            &int(0),
            &int(1),
            &text("/w"),
            &int(0),
            &int(0),
            &int(1),
            &text("/p"),
        ]);
        peer.reply(-4, 0, 0, &[]);
        // The znode was created meanwhile.
        peer.send(&[&int(-1), &long(-1), &int(0), &int(1), &int(3), &text("/w")]);
        peer.reply(-8, 0x22, 0, &[]);
        peer.expect(&[&int(4), &int(9), &text("/")]);
        peer.reply(4, 0x22, 0, &text("/"));
    });
    client.wait_connected(PATIENCE).unwrap();
    client.add_auth("digest", Some(b"u:p"));
    assert_eq!(client.exists("/w", true), Ok(None));
    client
        .add_watch("/p", AddWatchMode::PersistentRecursive)
        .unwrap();
    let error = client.set_data("/d", b"v", -1).unwrap_err();
    assert!(matches!(error, ClientError::OutcomeUnknown(_)), "{error}");
    for expected in [
        state("SyncConnected"),
        state("Disconnected"),
        state("SyncConnected"),
        event("NodeCreated", "/w", -1),
    ] {
        assert_eq!(events.recv_timeout(PATIENCE), Ok(expected));
    }
    client.submit_sync("/").wait().unwrap();
    server.join().unwrap();
}

#[test]
fn an_expired_session_ends_everything() {
    let (client, events, server) = start("", |listener| {
        let mut peer = Peer::accept(&listener);
        peer.frame();
        peer.send(&[&int(0), &int(0), &long(0), &buffer(&[0; 16]), &[0]]);
    });
    assert_eq!(client.delete("/a", -1), Err(ClientError::SessionExpired));
    assert_eq!(events.recv_timeout(PATIENCE), Ok(state("Expired")));
    assert_eq!(client.state(), State::Closed);
    assert_eq!(
        client.wait_connected(PATIENCE),
        Err(ClientError::SessionExpired)
    );
    server.join().unwrap();
}

#[test]
fn a_refused_identity_ends_everything() {
    let (client, events, server) = start("", |listener| {
        let mut peer = Peer::accept(&listener);
        peer.frame();
        peer.accept_session();
        peer.expect(&[&int(-4), &int(100), &int(0), &text("x"), &int(-1)]);
        peer.reply(-4, 0, -115, &[]);
    });
    client.wait_connected(PATIENCE).unwrap();
    client.add_auth("x", None);
    assert_eq!(events.recv_timeout(PATIENCE), Ok(state("SyncConnected")));
    assert_eq!(events.recv_timeout(PATIENCE), Ok(state("AuthFailed")));
    assert_eq!(client.state(), State::AuthFailed);
    assert_eq!(client.delete("/a", -1), Err(ClientError::AuthFailed));
    server.join().unwrap();
}

#[test]
fn servers_that_cannot_be_reached_are_named() {
    // No test listens on the first port.
    let free = "127.0.0.1:1";
    let (client, _) = connect(free);
    let expected = ClientError::ConnectionLoss(format!(
        "cannot connect to {free}: connection refused; is a server running there?"
    ));
    assert_eq!(client.delete("/a", -1), Err(expected));
    client.wait_settled(PATIENCE);
    assert_eq!(client.state(), State::Connecting);
    client.close();
    assert_eq!(client.state(), State::Closed);
}

#[test]
fn a_server_that_does_not_serve_says_so() {
    let (go_on, wait) = channel();
    let (client, _, server) = start("", move |listener| {
        let mut peer = Peer::accept(&listener);
        peer.frame();
        wait.recv_timeout(PATIENCE).unwrap();
    });
    let reply = client.submit_sync("/");
    go_on.send(()).unwrap();
    let error = reply.wait().unwrap_err();
    assert!(error.to_string().contains("it has no quorum"), "{error}");
    server.join().unwrap();
}

#[test]
fn nonsense_from_a_server_breaks_the_connection_only() {
    let replies: [&[&[u8]]; 3] = [
        // An answer to another request.
        &[&[0, 0, 0, 16], &[0, 0, 0, 99], &[0; 12]],
        // Half a header.
        &[&[0, 0, 0, 4], &[0, 0, 0, 1]],
        // A frame of negative length.
        &[&[0xff, 0xff, 0xff, 0xfe]],
    ];
    for reply in replies {
        let reply = reply.concat();
        let (client, _, server) = start("", move |listener| {
            let mut peer = Peer::accept(&listener);
            peer.frame();
            peer.accept_session();
            peer.frame();
            peer.0.write_all(&reply).unwrap();
            // The client comes back.
            Peer::accept(&listener).frame();
        });
        client.wait_connected(PATIENCE).unwrap();
        let error = client.delete("/a", -1).unwrap_err();
        assert!(matches!(error, ClientError::OutcomeUnknown(_)), "{error}");
        server.join().unwrap();
    }
}

#[test]
fn watches_can_be_removed_locally() {
    let (client, events, server) = start("", |listener| {
        let mut peer = Peer::accept(&listener);
        peer.frame();
        peer.accept_session();
        peer.expect(&[&int(1), &int(4), &text("/a"), &[1]]);
        peer.reply(1, 1, 0, &[&buffer(b""), &[0; 68][..]].concat());
        for xid in [2, 3, 4] {
            peer.expect(&[&int(xid), &int(18), &text("/a"), &int(2)]);
            peer.reply(xid, 1, -121, &[]);
        }
    });
    let no_watcher = Err(ClientError::Server(-121));
    client.get_data("/a", true).unwrap();
    assert_eq!(
        client.remove_watches("/a", WatcherType::Data, false),
        no_watcher
    );
    assert_eq!(client.remove_watches("/a", WatcherType::Data, true), Ok(()));
    assert_eq!(
        client.remove_watches("/a", WatcherType::Data, true),
        no_watcher
    );
    assert_eq!(events.recv_timeout(PATIENCE), Ok(state("SyncConnected")));
    assert_eq!(
        events.recv_timeout(PATIENCE),
        Ok(event("DataWatchRemoved", "/a", -1))
    );
    server.join().unwrap();
}
