//! A session against a scripted server: what goes over the wire, and what comes out.

use super::request::Effect;
use super::*;
use grevy_proto::connect::{ConnectRequest, ConnectResponse};
use grevy_proto::event::{EventType, encode_notification};
use grevy_proto::frames::Frames;
use grevy_proto::jute::frame;
use grevy_proto::reply::{ReplyHeader, encode_reply};
use grevy_proto::request::{PathOnly, RequestHeader, SetWatches2, WatchOf};
use grevy_proto::{Decode, Encode, ErrorCode, OpCode, Reader, SessionId, Xid, Zxid};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(6);

/// A session and the time, seen from its driver.
struct Driver {
    session: Session<u32>,
    now: Time,
}

impl Driver {
    fn new(servers: &[&str], edit: impl FnOnce(&mut Options)) -> Self {
        let servers = servers
            .iter()
            .map(|server| server.parse().expect("an address"));
        let mut options = Options::new(servers.collect());
        options.session_timeout = TIMEOUT;
        edit(&mut options);
        Self {
            session: Session::new(options, 1, Time(0)),
            now: Time(0),
        }
    }

    /// In a session with the only server.
    fn connected() -> Self {
        let mut driver = Self::new(&["a"], |_| ());
        driver.connect(false);
        driver
    }

    /// Takes what the session wants done: there must be a connection to open.
    fn connect(&mut self, read_only: bool) -> Vec<Action<u32>> {
        let mut actions = self.actions();
        while !actions
            .iter()
            .any(|action| matches!(action, Action::Connect(_)))
        {
            self.pass_to_timeout();
            actions.extend(self.actions());
        }
        self.session.handle_opened();
        self.sent();
        self.receive(&accept(read_only));
        self.actions()
    }

    fn actions(&mut self) -> Vec<Action<u32>> {
        std::iter::from_fn(|| self.session.poll_action()).collect()
    }

    fn pass_to_timeout(&mut self) {
        self.now = self.session.next_timeout().expect("something is due");
        self.session.handle_timeout(self.now);
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.session.handle_received(bytes, self.now);
    }

    fn lose(&mut self) -> Vec<Action<u32>> {
        self.session.handle_lost("reset", self.now);
        self.actions()
    }

    fn request(&mut self, op: OpCode, token: u32) {
        self.request_with(op, token, Effect::None);
    }

    fn watch(&mut self, op: OpCode, kind: WatchKind, path: &str, watcher: u64, token: u32) {
        let effect = Effect::Watch {
            kind,
            path: path.to_owned(),
            watcher: WatcherId(watcher),
        };
        self.request_with(op, token, effect);
    }

    fn request_with(&mut self, op: OpCode, token: u32, effect: Effect) {
        let body = PathOnly { path: "/a".into() }.to_bytes();
        let request = Request { op, body, effect };
        self.session.handle_request(request, token, self.now);
    }

    /// The payloads of the frames to send.
    fn sent(&mut self) -> Vec<Vec<u8>> {
        let bytes = self.session.poll_transmit().unwrap_or_default();
        let mut frames = Frames::default();
        frames.push(&bytes);
        std::iter::from_fn(|| frames.next(usize::MAX).expect("whole frames")).collect()
    }

    fn sent_ops(&mut self) -> Vec<(i32, OpCode)> {
        self.sent().iter().map(|frame| head(frame).0).collect()
    }

    fn reply(&mut self, xid: i32, zxid: i64, code: i32) {
        let header = ReplyHeader {
            xid: Xid(xid),
            zxid: Zxid(zxid),
            err: code,
        };
        let mut bytes = Vec::new();
        encode_reply(header, &mut bytes, |_| ());
        self.receive(&bytes);
    }

    fn event(&mut self, kind: EventType, path: &str) {
        let mut bytes = Vec::new();
        encode_notification(Zxid(-1), kind, path, &mut bytes);
        self.receive(&bytes);
    }
}

fn head(frame: &[u8]) -> ((i32, OpCode), &[u8]) {
    let mut reader = Reader::new(frame);
    let header = RequestHeader::decode(&mut reader).expect("a header");
    let op = OpCode::from_wire(header.op).expect("a known operation");
    ((header.xid.0, op), reader.rest())
}

fn accept(read_only: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame(&mut bytes, |out| {
        ConnectResponse::accept(SessionId(0x55), 6000).encode(out);
        read_only.encode(out);
    });
    bytes
}

fn refuse() -> Vec<u8> {
    let mut bytes = Vec::new();
    frame(&mut bytes, |out| {
        ConnectResponse::refuse().encode(out);
        false.encode(out);
    });
    bytes
}

#[test]
fn requests_wait_for_a_server_and_are_answered_in_order() {
    let mut driver = Driver::new(&["a"], |_| ());
    driver.request(OpCode::Create2, 1);
    driver.request(OpCode::GetData, 2);
    assert_eq!(
        driver.connect(false),
        [Action::State(SessionState::Connected)]
    );
    assert_eq!(
        driver.sent_ops(),
        [(1, OpCode::Create2), (2, OpCode::GetData)]
    );
    driver.reply(1, 10, 0);
    driver.reply(2, 10, -101);
    assert_eq!(
        driver.actions(),
        [
            Action::Reply(1, Ok(Vec::new())),
            Action::Reply(2, Err(Failure::Server(-101))),
        ]
    );
}

#[test]
fn a_lost_write_is_not_a_lost_read() {
    let mut driver = Driver::connected();
    driver.request(OpCode::SetData, 1);
    driver.request(OpCode::GetData, 2);
    driver.sent();
    let actions = driver.lose();
    assert!(
        matches!(
            &actions[..],
            [
                Action::State(SessionState::Disconnected),
                Action::Reply(1, Err(Failure::OutcomeUnknown(_))),
                Action::Reply(2, Err(Failure::ConnectionLoss(_))),
            ]
        ),
        "{actions:?}"
    );
    // Nothing of it is sent again.
    driver.connect(false);
    assert_eq!(driver.sent_ops(), []);
}

#[test]
fn waiting_ends_when_every_server_was_tried() {
    let mut driver = Driver::new(&["a", "b"], |_| ());
    driver.request(OpCode::SetData, 1);
    driver.actions();
    let after_the_first = driver.lose();
    assert_eq!(after_the_first, []);
    driver.pass_to_timeout();
    driver.actions();
    // This one does not even answer.
    driver.pass_to_timeout();
    let actions = driver.actions();
    let [
        Action::Disconnect,
        Action::Unreachable(reason),
        Action::Reply(1, Err(Failure::ConnectionLoss(_))),
    ] = &actions[..]
    else {
        panic!("{actions:?}");
    };
    assert!(reason.contains("reset") && reason.contains("no answer in time"));
}

#[test]
fn a_server_that_forgets_us_does_not_cost_the_session() {
    for (servers, patience) in [(&["a"][..], 2_000_000), (&["a", "b", "c", "d"], 1_500_000)] {
        let mut driver = Driver::new(servers, |_| ());
        driver.session.handle_opened();
        driver.pass_to_timeout();
        assert_eq!(driver.now, Time(patience));
    }
}

#[test]
fn a_session_moves_with_its_identities_and_watches() {
    let mut driver = Driver::connected();
    driver
        .session
        .handle_auth("digest".to_owned(), b"u:p".to_vec(), 9, driver.now);
    driver.watch(OpCode::GetData, WatchKind::Data, "/d", 1, 1);
    driver.watch(OpCode::AddWatch, WatchKind::Persistent, "/p", 2, 2);
    driver.sent();
    driver.reply(Xid::AUTH.0, 0, 0);
    driver.reply(1, 7, 0);
    driver.reply(2, 8, 0);
    assert_eq!(driver.actions().len(), 3);
    driver.lose();
    driver.pass_to_timeout();
    driver.session.handle_opened();
    let hello = driver.sent();
    let hello = ConnectRequest::from_bytes(&hello[0]).expect("a connect request");
    assert_eq!(
        (hello.session, hello.last_zxid_seen),
        (SessionId(0x55), Zxid(8))
    );
    assert_eq!(hello.password, Some(&SessionId(0x55).password()[..]));
    driver.receive(&accept(false));
    let sent = driver.sent();
    let ops: Vec<_> = sent.iter().map(|frame| head(frame).0).collect();
    assert_eq!(ops, [(-4, OpCode::Auth), (-8, OpCode::SetWatches2)]);
    let again = SetWatches2::from_bytes(head(&sent[1]).1).expect("watches");
    assert_eq!(again.standard.relative_zxid, Zxid(8));
    assert_eq!(
        (again.standard.data, again.persistent),
        (vec!["/d".into()], vec!["/p".into()])
    );
    let actions = driver.actions();
    assert!(
        actions.contains(&Action::Resumed(WatcherId(2))),
        "{actions:?}"
    );
}

#[test]
fn old_servers_are_spared_the_new_request() {
    let mut driver = Driver::connected();
    driver.watch(OpCode::GetChildren2, WatchKind::Child, "/c", 1, 1);
    driver.reply(1, 7, 0);
    driver.lose();
    driver.connect(false);
    assert_eq!(driver.sent_ops(), [(-8, OpCode::SetWatches)]);
}

#[test]
fn expiry_ends_everything() {
    let mut driver = Driver::connected();
    driver.watch(OpCode::GetData, WatchKind::Data, "/d", 1, 1);
    driver.reply(1, 7, 0);
    driver.lose();
    driver.request(OpCode::GetData, 2);
    driver.pass_to_timeout();
    driver.session.handle_opened();
    driver.actions();
    driver.receive(&refuse());
    assert_eq!(
        driver.actions(),
        [
            Action::State(SessionState::Expired),
            Action::Reply(2, Err(Failure::SessionExpired)),
            Action::Unwatched(WatcherId(1), Some(Failure::SessionExpired)),
            Action::Disconnect,
        ]
    );
    driver.request(OpCode::GetData, 3);
    assert_eq!(
        driver.actions(),
        [Action::Reply(3, Err(Failure::SessionExpired))]
    );
    assert_eq!(driver.session.next_timeout(), None);
}

#[test]
fn one_watch_at_the_server_serves_all_watchers_here() {
    let mut driver = Driver::connected();
    driver.watch(OpCode::GetData, WatchKind::Data, "/d", 1, 1);
    driver.watch(OpCode::Exists, WatchKind::Exists, "/d", 2, 2);
    driver.reply(1, 7, 0);
    driver.reply(2, 7, 0);
    driver.actions();
    driver.event(EventType::NodeDataChanged, "/d");
    let told: Vec<_> = driver
        .actions()
        .into_iter()
        .filter_map(|action| match action {
            Action::Event(watcher, event) => Some((watcher.0, event.kind)),
            _ => None,
        })
        .collect();
    let kind = EventType::NodeDataChanged;
    assert_eq!(told, [(1, kind), (2, kind)]);
}

#[test]
fn the_server_is_told_when_nobody_watches_any_more() {
    let removal = |driver: &mut Driver| {
        let sent = driver.sent();
        sent.iter()
            .filter(|frame| head(frame).0.1 == OpCode::RemoveWatches)
            .map(|frame| WatchOf::from_bytes(head(frame).1).expect("a watch").kind)
            .collect::<Vec<_>>()
    };
    // With nothing else on the path, "any", which all servers know.
    let mut driver = Driver::connected();
    driver.watch(OpCode::AddWatch, WatchKind::Persistent, "/p", 1, 1);
    driver.reply(1, 7, 0);
    driver.session.handle_unwatch(WatcherId(1), driver.now);
    assert_eq!(removal(&mut driver), [WatcherType::Any as i32]);
    // A registration under way of the same kind keeps the watch, of another kind only itself.
    for (kind, op, expected) in [
        (WatchKind::Data, OpCode::GetData, vec![]),
        (
            WatchKind::Child,
            OpCode::GetChildren2,
            vec![WatcherType::Data as i32],
        ),
    ] {
        let mut driver = Driver::connected();
        driver.watch(OpCode::GetData, WatchKind::Data, "/d", 1, 1);
        driver.reply(1, 7, 0);
        driver.watch(op, kind, "/d", 2, 2);
        driver.session.handle_unwatch(WatcherId(1), driver.now);
        assert_eq!(removal(&mut driver), expected);
    }
    // Given up before it was registered.
    let mut driver = Driver::connected();
    driver.watch(OpCode::GetData, WatchKind::Data, "/d", 1, 1);
    driver.session.handle_unwatch(WatcherId(1), driver.now);
    assert_eq!(removal(&mut driver), []);
    driver.reply(1, 7, 0);
    assert_eq!(removal(&mut driver), [WatcherType::Any as i32]);
}

#[test]
fn silence_is_answered_with_pings_and_then_with_another_server() {
    let mut driver = Driver::connected();
    driver.pass_to_timeout();
    assert_eq!(driver.now, Time(2_000_000));
    assert_eq!(driver.sent_ops(), [(-2, OpCode::Ping)]);
    driver.reply(Xid::PING.0, 0, 0);
    driver.pass_to_timeout();
    assert_eq!(driver.now, Time(4_000_000));
    assert_eq!(driver.sent_ops(), [(-2, OpCode::Ping)]);
    driver.pass_to_timeout();
    assert_eq!(driver.now, Time(6_000_000));
    let actions = driver.actions();
    assert_eq!(
        actions,
        [
            Action::Disconnect,
            Action::State(SessionState::Disconnected)
        ]
    );
}

#[test]
fn a_read_only_server_serves_until_a_better_one_is_found() {
    let mut driver = Driver::new(&["a", "b"], |options| options.can_be_read_only = true);
    let actions = driver.connect(true);
    assert_eq!(actions, [Action::State(SessionState::ConnectedReadOnly)]);
    driver.pass_to_timeout();
    let actions = driver.actions();
    let [Action::Probe(better)] = &actions[..] else {
        panic!("{actions:?}");
    };
    driver.session.handle_probed(true, driver.now);
    assert_eq!(
        driver.actions(),
        [
            Action::Disconnect,
            Action::State(SessionState::Disconnected),
            Action::Connect(better.clone()),
        ]
    );
    driver.session.handle_opened();
    let hello = driver.sent();
    let hello = ConnectRequest::from_bytes(&hello[0]).expect("a connect request");
    assert_eq!(
        hello.session,
        SessionId::NONE,
        "the others do not know that session"
    );
}

#[test]
fn a_server_that_breaks_the_protocol_loses_us() {
    for bytes in [
        &[0xff, 0xff, 0xff, 0xff][..],
        &[0x7f, 0, 0, 0],
        &[0, 0, 0, 2, 1, 2],
        &[0, 0, 0, 16, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ] {
        let mut driver = Driver::connected();
        driver.receive(bytes);
        let actions = driver.actions();
        assert_eq!(
            actions,
            [
                Action::Disconnect,
                Action::State(SessionState::Disconnected)
            ]
        );
    }
}

#[test]
fn a_refused_identity_ends_the_session() {
    let mut driver = Driver::connected();
    driver
        .session
        .handle_auth("digest".to_owned(), b"u".to_vec(), 9, driver.now);
    driver.reply(Xid::AUTH.0, 0, ErrorCode::AuthFailed.wire());
    assert_eq!(
        driver.actions(),
        [
            Action::State(SessionState::AuthFailed),
            Action::Reply(9, Err(Failure::AuthFailed)),
            Action::Disconnect,
        ]
    );
}

#[test]
fn a_write_that_was_sent_before_a_refused_identity_may_have_happened() {
    let mut driver = Driver::connected();
    driver.request(OpCode::SetData, 1);
    driver.request(OpCode::GetData, 2);
    driver.reply(Xid::AUTH.0, 0, ErrorCode::AuthFailed.wire());
    let actions = driver.actions();
    assert!(
        matches!(
            &actions[..],
            [
                Action::State(SessionState::AuthFailed),
                Action::Reply(1, Err(Failure::OutcomeUnknown(_))),
                Action::Reply(2, Err(Failure::AuthFailed)),
                Action::Disconnect,
            ]
        ),
        "{actions:?}"
    );
}

#[test]
fn closing_comes_after_what_was_asked_before() {
    let mut driver = Driver::connected();
    driver.request(OpCode::SetData, 1);
    driver.session.handle_close(driver.now);
    driver.request(OpCode::SetData, 2);
    assert_eq!(
        driver.sent_ops(),
        [(1, OpCode::SetData), (2, OpCode::CloseSession)]
    );
    driver.reply(1, 7, 0);
    driver.reply(2, 8, 0);
    assert_eq!(
        driver.actions(),
        [
            Action::Reply(2, Err(Failure::Closed)),
            Action::Reply(1, Ok(Vec::new())),
            Action::State(SessionState::Closed),
            Action::Disconnect,
        ]
    );
}
