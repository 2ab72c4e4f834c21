//! Hard limits.

use super::*;

fn enforcing() -> Leader {
    let config = PrepareConfig {
        enforce_quota: true,
        ..PrepareConfig::default()
    };
    Leader::with(config, true)
}

/// `/a` with this quota; usage is counted when its znode is applied.
pub(super) fn limited(limits: &str) -> Leader {
    let mut leader = enforcing();
    for request in [
        "create /a data=12345",
        "create /zookeeper/quota/a",
        &format!("create /zookeeper/quota/a/zookeeper_limits data={limits}"),
        "create /zookeeper/quota/a/zookeeper_stats data=count=0,bytes=0",
    ] {
        let txn = leader.propose(request);
        assert!(!txn.contains("error"), "{request}: {txn}");
    }
    leader.apply_all();
    leader
}

#[test]
fn limits() {
    const COUNT: &str = "count=-1,bytes=-1=;countHardLimit=3";
    const BYTES: &str = "count=-1,bytes=-1=;byteHardLimit=10";
    const SOFT: &str = "count=1,bytes=1";
    const BOTH: &str = "count=1,bytes=1=;byteHardLimit=10;countHardLimit=3";
    for (limits, before, request, expected) in [
        (COUNT, "create /a/b", "create /a/c", "create /a/c 2"),
        (
            COUNT,
            "create /a/b; create /a/c",
            "create /a/d",
            "error QuotaExceeded",
        ),
        (
            COUNT,
            "create /a/b; create /a/b/c",
            "create /a/b/c/d",
            "error QuotaExceeded",
        ),
        (
            COUNT,
            "create /a/b; create /a/c",
            "create /b",
            "create /b 2",
        ),
        (
            COUNT,
            "create /a/b; create /a/c",
            "create /ab",
            "create /ab 2",
        ),
        (
            COUNT,
            "create /a/b; create /a/c; delete /a/b",
            "create /a/d",
            "create /a/d 3",
        ),
        (
            COUNT,
            "create /a/b flags=1; create /a/c; closeSession",
            "create /a/d",
            "create /a/d 3",
        ),
        (
            COUNT,
            "create /a/b; create /a/c",
            "setData /a data=1234567890123",
            "set /a 1",
        ),
        (
            COUNT,
            "create /a/b",
            "multi create /a/c + create /a/d",
            "[create /a/c 2, error QuotaExceeded]",
        ),
        (BYTES, "", "create /a/b data=12345", "create /a/b 1"),
        (BYTES, "", "create /a/b data=123456", "error QuotaExceeded"),
        (
            BYTES,
            "create /a/b data=12345",
            "create /a/c",
            "create /a/c 2",
        ),
        (
            BYTES,
            "create /a/b data=12345",
            "setData /a/b data=123456",
            "error QuotaExceeded",
        ),
        (
            BYTES,
            "create /a/b data=12345",
            "setData /a/b data=54321",
            "set /a/b 1",
        ),
        (
            BYTES,
            "create /a/b data=12345; setData /a",
            "setData /a/b data=1234567890",
            "set /a/b 1",
        ),
        // The version is only looked at after the quota, the permission before it.
        (
            BYTES,
            "",
            "setData /a v=5 data=12345678901",
            "error QuotaExceeded",
        ),
        (
            BYTES,
            "setACL /a acl=1:world:anyone",
            "setData /a data=12345678901",
            "error NoAuth",
        ),
        (
            BYTES,
            "create /a/b",
            "create /a/b data=12345678901",
            "error NodeExists",
        ),
        (
            SOFT,
            "create /a/b",
            "create /a/c data=12345678901",
            "create /a/c 2",
        ),
        (
            BOTH,
            "create /a/b; create /a/c",
            "create /a/d",
            "error QuotaExceeded",
        ),
        (
            BOTH,
            "",
            "setData /a data=12345678901",
            "error QuotaExceeded",
        ),
        // Limits and usage count as they will be.
        (
            COUNT,
            "setData /zookeeper/quota/a/zookeeper_limits data=count=-1,bytes=-1=;countHardLimit=1",
            "create /a/b",
            "error QuotaExceeded",
        ),
        (
            COUNT,
            "setData /zookeeper/quota/a/zookeeper_stats data=count=3,bytes=0",
            "create /a/b",
            "error QuotaExceeded",
        ),
        (
            COUNT,
            "create /a/b; create /a/c; delete /zookeeper/quota/a/zookeeper_limits",
            "create /a/d",
            "create /a/d 3",
        ),
        (
            COUNT,
            "create /a/b; create /a/c; delete /zookeeper/quota/a/zookeeper_stats",
            "create /a/d",
            "create /a/d 3",
        ),
        (
            COUNT,
            "setData /zookeeper/quota/a/zookeeper_limits data=x",
            "create /a/b",
            "create /a/b 1",
        ),
    ] {
        Leader::check(|| limited(limits), before, request, expected);
    }
}

#[test]
fn nothing_is_enforced_unless_configured() {
    let make = || {
        let mut leader = limited("count=-1,bytes=-1=;countHardLimit=1");
        leader.config.enforce_quota = false;
        leader
    };
    Leader::check(make, "create /a/b", "create /a/c", "create /a/c 2");
}

#[test]
fn the_nearest_quota_counts() {
    let make = || {
        let mut leader = limited("count=-1,bytes=-1=;countHardLimit=2");
        for request in [
            "create /a/b",
            "create /zookeeper/quota/a/b",
            "create /zookeeper/quota/a/b/zookeeper_limits data=count=9,bytes=9",
            "create /zookeeper/quota/a/b/zookeeper_stats",
        ] {
            leader.propose(request);
        }
        leader.apply_all();
        leader
    };
    Leader::check(make, "create /a/b/c", "create /a/b/d", "create /a/b/d 2");
    Leader::check(make, "create /a/b/c", "create /a/d", "error QuotaExceeded");
}

#[test]
fn usage_that_is_not_counted_yet_is_not_held_against_anyone() {
    let mut leader = enforcing();
    for request in [
        "create /a",
        "create /zookeeper/quota/a",
        "create /zookeeper/quota/a/zookeeper_limits data=count=1,bytes=1=;countHardLimit=1",
        "create /zookeeper/quota/a/zookeeper_stats",
    ] {
        leader.propose(request);
    }
    assert_eq!(leader.propose("create /a/b"), "create /a/b 1");
    leader.apply_all();
    assert_eq!(leader.propose("create /a/c"), "error QuotaExceeded");
    assert_eq!(leader.tree.quota("/a").unwrap().usage.unwrap().count, 2);
}
