//! Reads without a leader, for those whom that will do for.

mod cluster;

use cluster::Cluster;
use grevy_node::{CloseReason, Status};
use grevy_proto::{Encode, ErrorCode, OpCode, SessionId};
use std::time::Duration;

const SECONDS: Duration = Duration::from_secs(30);

/// Server 0 alone of three, with `/before` in its state, without a leader.
fn left_alone() -> Cluster {
    let mut cluster = Cluster::new(3, 0, 1);
    cluster.configure(|config| config.read_only = true);
    cluster.start_all();
    cluster.run_until("all serve", SECONDS, |c| (0..3).all(|at| c.serves(at)));
    let client = cluster.connect(0);
    cluster.run_until("a session", SECONDS, |c| c.session(0, client).is_some());
    cluster.create(0, client, "/before");
    cluster.run_until("its state", SECONDS, |c| c.exists(0, "/before"));
    cluster.kill(1);
    cluster.kill(2);
    cluster.run_until("read-only", SECONDS, |c| {
        c.status(0) == Some(Status::ReadOnly)
    });
    assert_eq!(cluster.session(0, client), None, "it is gone");
    cluster
}

fn exists(path: &str) -> Vec<u8> {
    let mut record = path.to_bytes();
    false.encode(&mut record);
    record
}

#[test]
fn reads_are_served_and_nothing_else() {
    let mut cluster = left_alone();
    let (zxid, logged) = (cluster.last_zxid(0), cluster.logged(0));
    let client = cluster.ask_session(0, SessionId::NONE, true);
    assert!(cluster.is_told_read_only(0, client));
    let session = cluster.session(0, client).unwrap();
    let asked = [
        (OpCode::Exists, exists("/before"), ErrorCode::Ok),
        (OpCode::Exists, exists("/after"), ErrorCode::NoNode),
        (OpCode::Sync, "/".to_bytes(), ErrorCode::NotReadOnly),
        (
            OpCode::Create,
            cluster::create_record("/after", 0),
            ErrorCode::NotReadOnly,
        ),
        (OpCode::Multi, Vec::new(), ErrorCode::NotReadOnly),
        (OpCode::Exists, exists("/before"), ErrorCode::Ok),
        (OpCode::CloseSession, Vec::new(), ErrorCode::Ok),
    ];
    let expected = asked.map(|(op, record, code)| {
        let xid = cluster.request(0, client, op, &record);
        (xid, code)
    });
    assert_eq!(cluster.replies(0, client), expected);
    let closed = Some(CloseReason::SessionClosed(session));
    assert_eq!(cluster.closing(0, client), closed);
    cluster.run_for(Duration::from_secs(3));
    assert_eq!((cluster.last_zxid(0), cluster.logged(0)), (zxid, logged));
    assert!(!cluster.knows_session(0, session));
}

#[test]
fn its_sessions_are_resumed_and_expire_and_others_are_sent_away() {
    let mut cluster = left_alone();
    let refused = Some(CloseReason::ReadOnly);
    let demanding = cluster.ask_session(0, SessionId::NONE, false);
    assert_eq!(cluster.closing(0, demanding), refused);
    let stranger = cluster.ask_session(0, SessionId(1 << 56 | 77), true);
    assert_eq!(cluster.closing(0, stranger), refused);

    let client = cluster.ask_session(0, SessionId::NONE, true);
    let session = cluster.session(0, client).unwrap();
    cluster.disconnect(0, client);
    let back = cluster.ask_session(0, session, true);
    assert_eq!(cluster.session(0, back), Some(session));
    cluster.run_until("its end", SECONDS, |c| {
        c.closing(0, back) == Some(CloseReason::SessionExpired(session))
    });
}

#[test]
fn it_ends_when_there_is_a_leader() {
    let mut cluster = left_alone();
    let client = cluster.ask_session(0, SessionId::NONE, true);
    let session = cluster.session(0, client).unwrap();
    cluster.start(1);
    cluster.run_until("service", SECONDS, |c| c.serves(0) && c.serves(1));
    assert_eq!(cluster.session(0, client), None, "its connection is gone");
    let notes = cluster.notes().join("\n");
    for line in ["reads are served", "no reads are served"] {
        assert!(notes.contains(line), "{notes}");
    }
    let back = cluster.ask_session(0, session, true);
    cluster.run_until("an answer", SECONDS, |c| c.closing(0, back).is_some());
    let refused = Some(CloseReason::SessionRefused(session));
    assert_eq!(cluster.closing(0, back), refused);
    let writer = cluster.ask_session(0, SessionId::NONE, true);
    cluster.run_until("a session", SECONDS, |c| c.session(0, writer).is_some());
    assert!(!cluster.is_told_read_only(0, writer));
    cluster.create(0, writer, "/after");
    cluster.run_until("it is there", SECONDS, |c| c.exists(1, "/after"));
    cluster.run_for(Duration::from_secs(1));
    cluster.check_agreement();
}
