//! All or nothing.

use super::*;

#[test]
fn parts_build_on_each_other() {
    for (before, request, expected) in [
        ("", "multi", "[]"),
        (
            "",
            "multi create /a + create /a/b + setData /a data=x + check /a v=1 + delete /a/b",
            "[create /a 1, create /a/b 1, set /a 1, check /a 2, delete /a/b]",
        ),
        (
            "",
            "multi create /s flags=2 + create /s flags=2 + create2 /s flags=3",
            "[create /s0000000000 1, create /s0000000001 2, create2 ephemeral /s0000000002 3]",
        ),
        (
            "create /a",
            "multi delete /a + create /a + delete /a",
            "[delete /a, create /a 2, delete /a]",
        ),
        (
            "create /a",
            "multi setData /a + setData /a v=1 + setData /a v=2",
            "[set /a 1, set /a 2, set /a 3]",
        ),
        // What a mode says counts, where the operation leaves it open.
        (
            "",
            "multi create /a flags=4 + create2 /b flags=4 + createContainer /c flags=0",
            "[container /a 1, container /b 2, container /c 3]",
        ),
        (
            "",
            "multi createTTL /a ttl=5 + createTTL /b flags=0 + createTTL /c flags=4",
            "[ttl 5 /a 1, create /b 2, container /c 3]",
        ),
    ] {
        Leader::check(Leader::new, before, request, expected);
    }
}

#[test]
fn one_failure_fails_all() {
    for (before, request, expected) in [
        (
            "",
            "multi create /a + delete /no + create /b",
            "[create /a 1, error NoNode, error RuntimeInconsistency]",
        ),
        (
            "",
            "multi delete /no + delete /no",
            "[error NoNode, error RuntimeInconsistency]",
        ),
        (
            "create /a",
            "multi check /a v=0 + check /a v=1",
            "[check /a 1, error BadVersion]",
        ),
        ("", "multi check a", "[error BadArguments]"),
        ("", "multi check /no", "[error NoNode]"),
        ("", "multi createTTL /a ttl=0", "[error BadArguments]"),
        ("", "multi createTTL /a flags=9", "[error BadArguments]"),
        (
            "create /a flags=1",
            "multi create /a/b",
            "[error NoChildrenForEphemerals]",
        ),
        // What spoils the request as a whole.
        (
            "",
            "multi create /a + create /b flags=9",
            "error MarshallingError",
        ),
        (
            "",
            "multi create /a + create /b flags=5",
            "error MarshallingError",
        ),
    ] {
        Leader::check(Leader::new, before, request, expected);
    }
}

#[test]
fn nothing_remains_of_a_failed_multi() {
    let failing = "multi create /p/s flags=2 + setData /p data=new + delete /p/old \
                   + create /p/e flags=1 + setACL-by-create-and-delete";
    let failing = failing.replace("setACL-by-create-and-delete", "delete /no");
    for before in [
        "create /p; create /p/old",
        "create /p; create /p/old; setData /p data=x; create /p/s flags=2",
        "create /p; create /p/e; delete /p/e; create /p/old",
    ] {
        for request in [
            "create /p/s flags=2",
            "setData /p v=0",
            "setData /p v=1",
            "delete /p/old",
            "create /p/old",
            "create /p/e",
            "delete /p/e",
            "closeSession",
            "multi create /p/s flags=3 + setData /p",
        ] {
            let mut plain = Leader::new();
            let mut other = Leader::new();
            for leader in [&mut plain, &mut other] {
                for (n, earlier) in before.split("; ").enumerate() {
                    leader.propose(earlier);
                    if n == 0 {
                        leader.apply_all();
                    }
                }
            }
            let failed = other.propose(&failing);
            assert!(failed.ends_with("error NoNode]"), "{failed}");
            assert_eq!(
                other.propose(request),
                plain.propose(request),
                "after {before:?}: {request}"
            );
            plain.apply_all();
            other.apply_all();
        }
    }
}

#[test]
fn a_failed_multi_still_carries_the_digest() {
    let mut leader = Leader::new();
    leader.propose("create /a");
    let before = leader.pending.digest(&leader.tree);
    leader.propose("multi create /b + delete /no");
    let (header, prepared) = leader.proposed.back().unwrap();
    assert_eq!(header.op, OpCode::Multi.wire());
    assert_eq!(prepared.digest.map(|digest| digest.digest), Some(before));
    leader.apply_all();
}

#[test]
fn reads_are_no_parts() {
    let read = MultiOp::Read(
        OpCode::GetData,
        request::Read {
            path: "/".into(),
            watch: false,
        },
    );
    let mut record = Vec::new();
    encode_multi(&[read], &mut record);
    let mut leader = Leader::new();
    leader.propose_bytes(OpCode::Multi, &record, 1, &[]);
    assert_eq!(
        describe(&leader.proposed[0].1.txn),
        "error MarshallingError"
    );
}
