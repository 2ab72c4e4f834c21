//! What each operation becomes, and each way in which it can fail, in the order of the checks.

use super::*;

#[test]
fn creates() {
    for (before, request, expected) in [
        ("", "create /a", "create /a 1"),
        ("", "create2 /a", "create2 /a 1"),
        ("", "create /a data=x", "create /a 1"),
        ("create /a", "create /a/b", "create /a/b 1"),
        ("create /a; create /b", "create /c", "create /c 3"),
        // A delete does not turn the counter back.
        ("create /a; delete /a", "create /a", "create /a 2"),
        (
            "create /a; create /a/b; delete /a/b; delete /a; create /a",
            "create /a/c",
            "create /a/c 1",
        ),
        ("", "create /a flags=1", "create ephemeral /a 1"),
        ("", "create2 /a flags=1", "create2 ephemeral /a 1"),
        ("", "create /a flags=2", "create /a0000000000 1"),
        ("", "create /a flags=3", "create ephemeral /a0000000000 1"),
        (
            "create /x; delete /x",
            "create2 /a flags=2",
            "create2 /a0000000001 2",
        ),
        ("create /a", "create /a/ flags=2", "create /a/0000000000 1"),
        ("", "create / flags=2", "create /0000000000 1"),
        ("", "createContainer /a", "container /a 1"),
        ("", "createContainer /a flags=0", "container /a 1"),
        ("", "createContainer /a flags=2", "container /a0000000000 1"),
        ("", "create /a flags=4", "create /a 1"),
        ("", "createTTL /a ttl=5", "ttl 5 /a 1"),
        ("", "createTTL /a ttl=5 flags=6", "ttl 5 /a0000000000 1"),
        (
            "",
            "createTTL /a ttl=1099511627775",
            "ttl 1099511627775 /a 1",
        ),
        // Containers and TTL znodes may have children.
        ("createContainer /a", "create /a/b", "create /a/b 1"),
        (
            "createTTL /a",
            "create /a/b flags=1",
            "create ephemeral /a/b 1",
        ),
        // The kind.
        ("", "create /a flags=7", "error BadArguments"),
        ("", "create /a flags=-1", "error BadArguments"),
        ("", "create /a flags=5", "error BadArguments"),
        ("", "createContainer /a flags=5", "error BadArguments"),
        ("", "createTTL /a ttl=0", "error BadArguments"),
        ("", "createTTL /a ttl=-1", "error BadArguments"),
        ("", "createTTL /a ttl=1099511627776", "error BadArguments"),
        ("", "createTTL /a flags=0 ttl=5", "error BadArguments"),
        ("", "createTTL /a flags=0 ttl=-1", "error BadArguments"),
        ("", "createTTL /a flags=4 ttl=-1", "error BadArguments"),
        // Whether there is a parent, by its shape.
        ("", "create a", "error BadArguments"),
        ("", "create ", "error BadArguments"),
        ("", "create /a\0b", "error BadArguments"),
        ("", "create /no/\0", "error BadArguments"),
        // The list.
        ("", "create /no/a acl=none", "error InvalidAcl"),
        ("", "create /no/a acl=31:auth:", "error InvalidAcl"),
        // The parent.
        ("", "create /no/a", "error NoNode"),
        ("", "create no/a", "error NoNode"),
        ("", "create /no//", "error NoNode"),
        ("create /a; delete /a", "create /a/b", "error NoNode"),
        // The whole path.
        ("", "create //", "error BadArguments"),
        ("", "create //a", "error BadArguments"),
        ("create /a", "create /a/", "error BadArguments"),
        ("", "create /..", "error BadArguments"),
        ("", "create /\u{1}", "error BadArguments"),
        ("", "create /.. flags=2", "create /..0000000000 1"),
        // The znode.
        ("create /a", "create /a", "error NodeExists"),
        ("", "create /", "error NodeExists"),
        ("", "create /zookeeper", "error NodeExists"),
        (
            "create /a flags=1; create /b",
            "create /a/b",
            "error NoChildrenForEphemerals",
        ),
        (
            "create /a flags=1",
            "create /a/b flags=1",
            "error NoChildrenForEphemerals",
        ),
    ] {
        Leader::check(Leader::new, before, request, expected);
    }
}

#[test]
fn time_to_live_may_be_off() {
    let plain = || Leader::with(PrepareConfig::default(), false);
    for (request, expected) in [
        ("createTTL /a", "error Unimplemented"),
        ("createTTL /a ttl=0", "error Unimplemented"),
        ("create /a flags=6", "error Unimplemented"),
        ("createTTL /a flags=0 ttl=5", "error BadArguments"),
        ("createTTL /a flags=0 ttl=-1", "error BadArguments"),
        ("createContainer /a", "container /a 1"),
    ] {
        Leader::check(plain, "", request, expected);
    }
}

/// The counter of a parent that has had `count` children.
fn counted(count: i32) -> Leader {
    let mut leader = Leader::new();
    for path in ["/a", "/a/x"] {
        leader.propose(&format!("create {path}"));
    }
    let Some((_, prepared)) = leader.proposed.back_mut() else {
        panic!("nothing proposed");
    };
    let Txn::Create(create) = &mut prepared.txn else {
        panic!("not a create");
    };
    create.parent_cversion = count;
    prepared.digest = None;
    while let Some((header, prepared)) = leader.proposed.pop_front() {
        leader.tree.apply(&header, &prepared.txn, &mut |_| {});
        leader.pending.applied(header.zxid);
    }
    // It knows of nothing that it has not decided.
    leader.pending.clear();
    leader
}

#[test]
fn sequence_numbers_run_through_all_numbers() {
    for (count, names) in [
        (7, ["0000000007", "0000000008"]),
        (i32::MAX - 1, ["2147483646", "2147483647"]),
        (i32::MAX, ["2147483647", "-2147483648"]),
    ] {
        for is_applied in [true, false] {
            let mut leader = counted(count);
            for (n, name) in (1..).zip(names) {
                let next = count.wrapping_add(n);
                assert_eq!(
                    leader.propose("create /a/n flags=2"),
                    format!("create /a/n{name} {next}")
                );
                if is_applied {
                    leader.apply_all();
                }
            }
            leader.apply_all();
        }
    }
}

#[test]
fn deletes() {
    for (before, request, expected) in [
        ("create /a", "delete /a", "delete /a"),
        ("create /a", "delete /a v=0", "delete /a"),
        ("create /a; setData /a", "delete /a v=1", "delete /a"),
        (
            "create /a; create /a/b; delete /a/b",
            "delete /a",
            "delete /a",
        ),
        ("createContainer /a", "delete /a", "delete /a"),
        ("create /a flags=1", "delete /a", "delete /a"),
        ("create /a flags=1", "delete /a s=2", "delete /a"),
        ("", "delete a", "error BadArguments"),
        ("", "delete ", "error BadArguments"),
        ("", "delete /", "error BadArguments"),
        ("", "delete /zookeeper", "error BadArguments"),
        ("", "delete /zookeeper/quota", "error BadArguments"),
        ("", "delete /zookeeper/config", "error BadArguments"),
        ("", "delete /a\0", "error BadArguments"),
        ("", "delete /a", "error NoNode"),
        ("", "delete /a/b", "error NoNode"),
        ("", "delete no/b", "error NoNode"),
        ("create /a", "delete /a/", "error NoNode"),
        ("create /a; delete /a", "delete /a", "error NoNode"),
        ("create /a", "delete /a v=1", "error BadVersion"),
        ("create /a; setData /a", "delete /a v=0", "error BadVersion"),
        (
            "create /a; create /a/b",
            "delete /a v=1",
            "error BadVersion",
        ),
        ("create /a; create /a/b", "delete /a", "error NotEmpty"),
        (
            "create /a; create /a/b; create /a/c; delete /a/b",
            "delete /a",
            "error NotEmpty",
        ),
    ] {
        Leader::check(Leader::new, before, request, expected);
    }
}

#[test]
fn the_reaper_takes_what_is_due() {
    for (before, request, expected) in [
        (
            "createContainer /a",
            "deleteContainer /a s=0",
            "deleteContainer /a",
        ),
        (
            "createContainer /a; create /a/b",
            "deleteContainer /a s=0",
            "error NotEmpty",
        ),
        (
            "createContainer /a; create /a/b; delete /a/b",
            "deleteContainer /a s=0",
            "deleteContainer /a",
        ),
        // The time passed since is 1000.
        (
            "createTTL /a ttl=999",
            "deleteContainer /a s=0",
            "deleteContainer /a",
        ),
        (
            "createTTL /a ttl=1000",
            "deleteContainer /a s=0",
            "error BadVersion",
        ),
        ("create /a", "deleteContainer /a s=0", "error BadVersion"),
        (
            "create /a flags=1",
            "deleteContainer /a s=0",
            "error BadVersion",
        ),
        (
            "create /a; create /a/b",
            "deleteContainer /a s=0",
            "error NotEmpty",
        ),
        ("", "deleteContainer /a s=0", "error NoNode"),
        ("", "deleteContainer / s=0", "error BadArguments"),
        ("", "deleteContainer /zookeeper s=0", "error BadArguments"),
        ("", "deleteContainer a s=0", "error BadArguments"),
        // Clients may ask as well, and need what a delete needs.
        ("create /a", "deleteContainer /a", "deleteContainer /a"),
        (
            "createTTL /a ttl=1000",
            "deleteContainer /a",
            "deleteContainer /a",
        ),
        (
            "create /a flags=1",
            "deleteContainer /a",
            "error BadVersion",
        ),
        (
            "create /p acl=23:world:anyone; create /p/a",
            "deleteContainer /p/a",
            "error NoAuth",
        ),
        (
            "create /p acl=23:world:anyone",
            "deleteContainer /p/a",
            "error NoAuth",
        ),
        (
            "create /p acl=23:world:anyone; createContainer /p/a",
            "deleteContainer /p/a s=0",
            "deleteContainer /p/a",
        ),
    ] {
        for is_applied in [true, false] {
            let mut leader = Leader::new();
            for earlier in before.split("; ").filter(|text| !text.is_empty()) {
                leader.propose(earlier);
                if is_applied {
                    leader.apply_all();
                }
            }
            leader.time += 1000;
            assert_eq!(leader.propose(request), expected, "{before:?} {request}");
            leader.apply_all();
        }
    }
}

#[test]
fn new_data_renews_a_time_to_live() {
    let mut leader = Leader::new();
    leader.propose("createTTL /a ttl=1000");
    leader.apply_all();
    leader.time += 900;
    leader.propose("setData /a");
    leader.time += 900;
    assert_eq!(leader.propose("deleteContainer /a s=0"), "error BadVersion");
    leader.time += 101;
    assert_eq!(
        leader.propose("deleteContainer /a s=0"),
        "deleteContainer /a"
    );
    leader.apply_all();
}

#[test]
fn data_and_lists() {
    for (before, request, expected) in [
        ("create /a", "setData /a data=x", "set /a 1"),
        ("create /a", "setData /a v=0", "set /a 1"),
        ("create /a; setData /a data=x", "setData /a v=1", "set /a 2"),
        ("", "setData / data=x", "set / 1"),
        ("setData / data=x; create /a", "setData / v=1", "set / 2"),
        ("", "setData /zookeeper data=x", "set /zookeeper 1"),
        ("", "setData a", "error BadArguments"),
        ("", "setData ", "error BadArguments"),
        ("create /a", "setData /a/", "error BadArguments"),
        ("", "setData /a//b", "error BadArguments"),
        ("", "setData /a", "error NoNode"),
        ("create /a; delete /a", "setData /a", "error NoNode"),
        ("create /a", "setData /a v=1", "error BadVersion"),
        ("create /a", "setData /a v=-2", "error BadVersion"),
        (
            "create /a; setData /a",
            "setData /a v=0",
            "error BadVersion",
        ),
        // The configuration may be read by anyone, and no more.
        ("", "setData /zookeeper/config", "error NoAuth"),
        (
            "",
            "setData /zookeeper/config as=super:",
            "set /zookeeper/config 1",
        ),
        ("create /a", "setACL /a", "acl /a 1"),
        ("create /a; setACL /a", "setACL /a v=1", "acl /a 2"),
        ("create /a; setData /a", "setACL /a v=0", "acl /a 1"),
        ("create /a; setACL /a", "setData /a v=0", "set /a 1"),
        ("", "setACL /", "acl / 1"),
        ("", "setACL a acl=none", "error BadArguments"),
        ("", "setACL /a/", "error BadArguments"),
        ("", "setACL /a acl=none", "error InvalidAcl"),
        ("", "setACL /a acl=31:digest:a", "error InvalidAcl"),
        ("", "setACL /a", "error NoNode"),
        ("create /a", "setACL /a v=1", "error BadVersion"),
        ("create /a; setACL /a", "setACL /a v=0", "error BadVersion"),
    ] {
        Leader::check(Leader::new, before, request, expected);
    }
}

#[test]
fn versions_run_over() {
    let mut leader = Leader::new();
    leader.propose("create /a");
    leader.apply_all();
    for (version, next) in [(i32::MAX, i32::MIN), (-2, -1), (-1, 0)] {
        let set = grevy_proto::txn::SetDataTxn {
            path: "/a".into(),
            data: None,
            version,
            reconfig: false,
        };
        let header = TxnHeader {
            session: SessionId(1),
            cxid: Xid(1),
            zxid: leader.zxid.next(),
            time: TIME,
            op: OpCode::SetData.wire(),
        };
        leader.zxid = header.zxid;
        leader.tree.apply(&header, &Txn::SetData(set), &mut |_| {});
        // It knows of nothing that it has not decided.
        leader.pending.clear();
        assert_eq!(
            leader.propose(&format!("setData /a v={version}")),
            format!("set /a {next}")
        );
        leader.apply_all();
    }
}

#[test]
fn what_cannot_be_read_or_is_no_write() {
    for (op, record, expected) in [
        (OpCode::Create, &[][..], "error MarshallingError"),
        (OpCode::Create2, &[0, 0, 0, 1], "error MarshallingError"),
        (OpCode::CreateTtl, &[0xff; 4], "error MarshallingError"),
        (OpCode::Delete, &[0xff; 8], "error MarshallingError"),
        (OpCode::DeleteContainer, &[], "error MarshallingError"),
        (
            OpCode::SetData,
            &[0, 0, 0, 9, b'/'],
            "error MarshallingError",
        ),
        (OpCode::SetAcl, &[0xff; 12], "error MarshallingError"),
        (OpCode::CreateSession, &[0, 0], "error MarshallingError"),
        (OpCode::Multi, &[0, 0], "error MarshallingError"),
        (OpCode::Check, &single("check /").1, "error Unimplemented"),
        (OpCode::GetData, &[], "error Unimplemented"),
        (OpCode::Error, &[], "error Unimplemented"),
        (OpCode::Ping, &[], "error Unimplemented"),
    ] {
        let mut leader = Leader::new();
        leader.propose_bytes(op, record, 1, &[]);
        let (header, prepared) = leader.proposed.back().unwrap();
        assert_eq!(describe(&prepared.txn), expected, "{op:?}");
        assert_eq!(header.op, OpCode::Error.wire(), "{op:?}");
        leader.apply_all();
    }
}

#[test]
fn bytes_after_a_record_are_ignored() {
    let mut leader = Leader::new();
    let mut record = create("create /a").to_bytes();
    record.extend([1, 2, 3]);
    leader.propose_bytes(OpCode::Create, &record, 1, &[]);
    assert_eq!(describe(&leader.proposed[0].1.txn), "create /a 1");
}

#[test]
fn data_arrives_as_it_was_sent() {
    let mut leader = Leader::new();
    for (path, data) in [
        ("/null", None),
        ("/empty", Some(&b""[..])),
        ("/x", Some(b"x")),
    ] {
        let create = Create {
            path: path.into(),
            data,
            acl: Vec::from([Acl::OPEN]),
            flags: 0,
        };
        leader.propose_bytes(OpCode::Create, &create.to_bytes(), 1, &[]);
        leader.apply_all();
        assert_eq!(leader.tree.get(path).unwrap().data(), data, "{path}");
        for data in [Some(&b"new"[..]), None, Some(b"")] {
            let set = SetData {
                path: path.into(),
                data,
                version: -1,
            };
            leader.propose_bytes(OpCode::SetData, &set.to_bytes(), 1, &[]);
            leader.apply_all();
            assert_eq!(leader.tree.get(path).unwrap().data(), data, "{path}");
        }
    }
}
