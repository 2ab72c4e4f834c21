//! Sessions: who may write, and what goes with them.

use super::*;

#[test]
fn sessions_begin_and_end() {
    for (before, request, expected) in [
        ("", "createSession 30000", "session 30000"),
        ("", "closeSession", "close []"),
        (
            "createSession 30000; create /a; create /b flags=1",
            "closeSession",
            "close [/b]",
        ),
        (
            "create /a flags=1 s=2; create /b flags=1",
            "closeSession",
            "close [/b]",
        ),
        ("create /a flags=1; delete /a", "closeSession", "close []"),
        (
            "create /a flags=1; delete /a; create /a",
            "closeSession",
            "close []",
        ),
        (
            "create /a flags=1; delete /a; create /a flags=1 s=2",
            "closeSession",
            "close []",
        ),
        (
            "create /a flags=1 s=2; delete /a; create /a flags=1",
            "closeSession",
            "close [/a]",
        ),
        (
            "create /a flags=1; setData /a",
            "closeSession",
            "close [/a]",
        ),
        (
            "create /a flags=1; delete /a; create /a flags=1",
            "closeSession",
            "close [/a]",
        ),
        (
            "create /a flags=1; closeSession",
            "closeSession",
            "close []",
        ),
        (
            "create /a flags=1; closeSession",
            "create /a s=2",
            "create /a 2",
        ),
        (
            "create /p; create /p/a flags=1; closeSession",
            "delete /p",
            "delete /p",
        ),
        (
            "create /p; create /p/a flags=1; closeSession",
            "create /p/s flags=2",
            "create /p/s0000000001 2",
        ),
        (
            "createContainer /a",
            "closeSession s=-9223372036854775808",
            "close []",
        ),
    ] {
        Leader::check(Leader::new, before, request, expected);
    }
}

#[test]
fn some_applied_some_proposed() {
    let mut leader = Leader::new();
    for (n, request) in [
        "create /applied flags=1",
        "create /touched flags=1",
        "create /deleted flags=1",
        "create /taken flags=1",
        "create /new flags=1",
        "setData /touched",
        "delete /deleted",
        "delete /taken",
        "create /taken flags=1 s=2",
        "multi create /failed flags=1 + delete /no",
    ]
    .into_iter()
    .enumerate()
    {
        leader.propose(request);
        if n == 3 {
            leader.apply_all();
        }
    }
    assert_eq!(
        leader.propose("closeSession"),
        "close [/applied /new /touched]"
    );
    leader.apply_all();
    assert_eq!(leader.tree.ephemerals(SessionId(1)).count(), 0);
    assert_eq!(leader.tree.ephemerals(SessionId(2)).count(), 1);
}

#[test]
fn a_long_list_is_cut_and_all_znodes_go() {
    let config = PrepareConfig {
        expansion_bytes: 50,
        ..PrepareConfig::default()
    };
    let mut leader = Leader::with(config, true);
    for n in 0..20 {
        leader.propose(&format!("create /{n:06} flags=1"));
    }
    let closed = leader.propose("closeSession");
    assert_eq!(closed.matches('/').count(), 4, "{closed}");
    leader.apply_all();
    assert_eq!(leader.tree.ephemerals_count(), 0);
}

#[test]
fn no_transaction_outgrows_a_record() {
    let config = PrepareConfig {
        request_bytes: 200,
        expansion_bytes: 25,
        ..PrepareConfig::default()
    };
    let make = || Leader::with(config.clone(), true);
    for (request, expected) in [
        ("create /n- flags=2", "create /n-0000000000 1"),
        (
            "multi create /n- flags=2 + create /n- flags=2",
            "[create /n-0000000000 1, create /n-0000000001 2]",
        ),
        (
            "multi create /n- flags=2 + create /n- flags=2 + create /n- flags=2",
            "[create /n-0000000000 1, create /n-0000000001 2, error BadArguments]",
        ),
        (
            "multi create /a + create /b + create /c + create /d + create /e",
            "error BadArguments",
        ),
    ] {
        Leader::check(make, "", request, expected);
    }
}

#[test]
fn the_list_may_be_off() {
    let config = PrepareConfig {
        close_session_paths: false,
        ..PrepareConfig::default()
    };
    let make = || Leader::with(config.clone(), true);
    Leader::check(make, "create /a flags=1", "closeSession", "close");
}

#[test]
fn a_session_that_may_not_write() {
    use ErrorCode::{EphemeralOnLocalSession, SessionExpired, SessionMoved};
    for (session, ephemeral, request, expected) in [
        (
            Err(SessionExpired),
            Ok(()),
            "create /a",
            "error SessionExpired",
        ),
        (
            Err(SessionMoved),
            Ok(()),
            "create2 /a",
            "error SessionMoved",
        ),
        (
            Err(SessionMoved),
            Ok(()),
            "createContainer /no/a",
            "error SessionMoved",
        ),
        (Err(SessionMoved), Ok(()), "create a", "error SessionMoved"),
        (
            Err(SessionMoved),
            Ok(()),
            "create a flags=9",
            "error BadArguments",
        ),
        (
            Err(SessionMoved),
            Ok(()),
            "createTTL a ttl=0",
            "error BadArguments",
        ),
        (Err(SessionMoved), Ok(()), "delete /", "error SessionMoved"),
        (Err(SessionMoved), Ok(()), "setData a", "error SessionMoved"),
        (Err(SessionMoved), Ok(()), "setACL a", "error SessionMoved"),
        (
            Err(SessionMoved),
            Ok(()),
            "multi check a",
            "[error SessionMoved]",
        ),
        (Err(SessionMoved), Ok(()), "multi", "[]"),
        (
            Err(SessionMoved),
            Ok(()),
            "deleteContainer /",
            "error SessionMoved",
        ),
        (
            Err(SessionMoved),
            Ok(()),
            "deleteContainer / s=0",
            "error BadArguments",
        ),
        (Err(SessionExpired), Ok(()), "closeSession", "close []"),
        (Err(SessionExpired), Ok(()), "createSession 5", "session 5"),
        (
            Ok(()),
            Err(EphemeralOnLocalSession),
            "create /a",
            "create /a 1",
        ),
        (
            Ok(()),
            Err(EphemeralOnLocalSession),
            "create a flags=1",
            "error EphemeralOnLocalSession",
        ),
        (
            Ok(()),
            Err(EphemeralOnLocalSession),
            "multi create /a flags=3",
            "[error EphemeralOnLocalSession]",
        ),
    ] {
        let mut leader = Leader::new();
        (leader.session_state, leader.ephemeral_state) = (session, ephemeral);
        assert_eq!(
            leader.propose(request),
            expected,
            "{session:?} {ephemeral:?} {request}"
        );
        leader.apply_all();
    }
}

#[test]
fn reconfigurations() {
    let accept: &Reconfigure<'_> = &|_| Ok(b"server.1=x".as_slice().into());
    let refuse: &Reconfigure<'_> = &|_| Err(ErrorCode::NewConfigNoQuorum);
    let moved = Err(ErrorCode::SessionMoved);
    let nobody = &[][..];
    let root = &[Id::new("super", "")][..];
    let record = Reconfig {
        joining: request::Nullable(Some("server.1=x".into())),
        leaving: request::Nullable(None),
        members: request::Nullable(None),
        config_id: -1,
    };
    let long: &Reconfigure<'_> = &|_| Ok([b'x'; 2000].into());
    for (enabled, state, reconfigure, ids, expected) in [
        (false, moved, None, nobody, "error ReconfigDisabled"),
        (true, moved, None, root, "error SessionMoved"),
        (true, Ok(()), None, root, "error Unimplemented"),
        (
            true,
            Ok(()),
            Some(refuse),
            nobody,
            "error NewConfigNoQuorum",
        ),
        (true, Ok(()), Some(accept), nobody, "error NoAuth"),
        (true, Ok(()), Some(long), root, "error BadArguments"),
        (true, Ok(()), Some(accept), root, "set /zookeeper/config -1"),
    ] {
        let mut leader = Leader::new();
        leader.config.reconfig = enabled;
        leader.config.request_bytes = 1000;
        leader.zxid = leader.zxid.next();
        let context = Context {
            config: &leader.config,
            session: SessionId(1),
            cxid: Xid(1),
            zxid: leader.zxid,
            time: TIME,
            ids,
            session_state: state,
            ephemeral_state: state,
            reconfigure,
        };
        let request = WriteRequest {
            op: OpCode::Reconfig,
            record: &record.to_bytes(),
        };
        let prepared = leader.pending.prepare(&leader.tree, &request, &context);
        let prepared = prepared.expect("the record is whole");
        assert_eq!(describe(&prepared.txn), expected);
        let header = context.header(&prepared.txn);
        if expected.starts_with("set") {
            assert_eq!(header.op, OpCode::Reconfig.wire());
        }
        leader.proposed.push_back((header, prepared.into_owned()));
        leader.apply_all();
    }
}

/// A znode that became ephemeral only with the multi's last part is the tree's once it is applied,
/// whatever takes the place of its record.
#[test]
fn who_became_ephemeral_late_is_not_mixed_up_with_others() {
    let mut leader = Leader::new();
    leader.propose("multi create /e + delete /e + create /e flags=1");
    leader.apply_all();
    leader.pending.check(&leader.tree);
    for n in 0..100 {
        leader.propose(&format!("create /{n}"));
        leader.apply_all();
    }
    assert_eq!(leader.propose("closeSession "), "close [/e]");
    leader.apply_all();
}
