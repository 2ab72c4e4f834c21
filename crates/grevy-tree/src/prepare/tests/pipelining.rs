//! What is forgotten, and when.

use super::*;

#[test]
fn what_is_applied_is_forgotten() {
    let mut leader = Leader::new();
    leader.propose("create /a");
    assert_eq!(leader.pending.len(), 2);
    leader.propose("setData /a");
    leader.propose("delete /no");
    leader.propose("create /b");
    assert_eq!(leader.pending.len(), 3);
    leader.apply_one();
    // The later transactions still write to all of them.
    assert_eq!(leader.pending.len(), 3);
    leader.apply_one();
    assert_eq!(leader.pending.len(), 2);
    leader.apply_one();
    assert_eq!(leader.pending.len(), 2);
    leader.apply_one();
    assert!(leader.pending.is_empty());
}

/// Else a few thousand of them could fill the memory.
#[test]
fn long_paths_are_not_kept() {
    let mut leader = Leader::new();
    let long = "x".repeat(1000);
    for request in ["create", "setData", "delete"] {
        leader.propose(&format!("{request} /{long}"));
    }
    assert_eq!(leader.pending.kept(), 2);
    leader.apply_all();
    assert_eq!(leader.pending.kept(), 1, "the parent");
}

#[test]
fn lists_hold_on_after_they_are_applied() {
    let mut leader = Leader::new();
    leader.propose("create /a acl=1:world:anyone");
    leader.propose("create /b");
    leader.propose("setACL /b acl=1:world:anyone");
    leader.apply_all();
    leader.pending.check(&leader.tree);
    for path in ["/a", "/b"] {
        assert_eq!(leader.propose(&format!("setData {path}")), "error NoAuth");
    }
    leader.apply_all();
}

#[test]
fn several_may_be_forgotten_at_once() {
    let mut leader = Leader::new();
    for n in 0..5 {
        leader.propose(&format!("create /{n} flags=1"));
    }
    while let Some((header, prepared)) = leader.proposed.pop_front() {
        leader.tree.apply(&header, &prepared.txn, &mut |_| {});
    }
    leader.pending.applied(leader.zxid);
    leader.apply_all();
    assert!(leader.pending.ephemerals(SessionId(1)).next().is_none());
}

#[test]
fn a_leader_that_steps_down_forgets_all() {
    let mut leader = Leader::new();
    for request in [
        "create /a",
        "create /zookeeper/quota/a",
        "create /b flags=1",
        "setData /a",
        "multi create /c + delete /a",
    ] {
        leader.propose(request);
    }
    leader.pending.clear();
    leader.proposed.clear();
    leader.apply_all();
    assert_eq!(leader.propose("create /a"), "create /a 1");
    leader.apply_all();
}

#[test]
fn the_root_has_one_record() {
    for (before, request, expected) in [
        (
            "create /a; setData /",
            "create /s flags=2",
            "create /s0000000001 2",
        ),
        ("setData /; create /a", "setData / v=1", "set / 2"),
        ("setACL / acl=27:world:anyone", "create /a", "error NoAuth"),
    ] {
        Leader::check(Leader::new, before, request, expected);
    }
}

#[test]
fn digests_may_be_off() {
    let mut leader = Leader::new();
    let config = TreeConfig {
        digest: false,
        ..leader.tree.config().clone()
    };
    leader.tree = Tree::new(config);
    for request in ["create /a", "setData /a", "delete /a", "createSession 5"] {
        leader.propose(request);
        let (_, prepared) = leader.proposed.back().unwrap();
        assert_eq!(prepared.digest, None);
    }
}
