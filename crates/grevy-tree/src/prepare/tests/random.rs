//! Any requests, proposed at any depth, become what they become one by one.

use super::*;
use proptest::prelude::*;

fn request() -> impl Strategy<Value = String> {
    let set_acl = (path(), acl(), 0..4i32).prop_map(|(path, acl, version)| {
        let version = if version == 3 { 0 } else { -1 };
        format!("setACL {path} v={version} {acl}")
    });
    let multi = proptest::collection::vec(part(), 1..6)
        .prop_map(|parts| format!("multi {}", parts.join(" + ")));
    let request = prop_oneof![
        12 => part(),
        2 => set_acl,
        4 => multi,
        1 => Just("closeSession ".to_string()),
        1 => Just("createSession 5".to_string()),
        1 => Just("deleteContainer /a".to_string()),
    ];
    let session = 1..4;
    let who = proptest::sample::select(&["", "as=digest:u:h", "as=super:"][..]);
    (request, session, who)
        .prop_map(|(request, session, who)| format!("{request} s={session} {who}"))
}

/// A request that may be part of a multi.
fn part() -> impl Strategy<Value = String> {
    let op = prop_oneof![
        4 => Just("create"),
        2 => Just("create2"),
        1 => Just("createContainer"),
        1 => Just("createTTL"),
        4 => Just("delete"),
        4 => Just("setData"),
        1 => Just("check"),
    ];
    (op, path(), 0..8, 0..6i32, "[a-z]{0,3}", acl()).prop_map(
        |(op, path, flags, version, data, acl)| {
            let flags = match (op, flags) {
                ("createTTL", 0..7) => 5,
                ("createContainer", 0..6) => 4,
                (_, flags) => flags.min(4),
            };
            let version = if version > 3 { version - 4 } else { -1 };
            format!("{op} {path} flags={flags} v={version} data={data} {acl}")
        },
    )
}

fn path() -> impl Strategy<Value = &'static str> {
    const USUAL: [&str; 6] = ["/a", "/b", "/a/x", "/a/y", "/b/x", "/a/x/z"];
    const STRANGE: [&str; 7] = [
        "/",
        "",
        "/a/",
        "/zookeeper",
        "/zookeeper/quota/a",
        "/zookeeper/quota/a/zookeeper_limits",
        "/zookeeper/config",
    ];
    prop_oneof![
        6 => proptest::sample::select(&USUAL[..]),
        1 => proptest::sample::select(&STRANGE[..]),
    ]
}

fn acl() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        8 => Just(""),
        1 => Just("acl=31:digest:u:h"),
        1 => Just("acl=31:auth:"),
        1 => Just("acl=1:world:anyone"),
    ]
}

/// Proposes everything to two leaders, one of which applies at once, and the other when it comes.
fn compare(make: fn() -> Leader, steps: &[(String, usize)]) -> Result<(), TestCaseError> {
    let mut one_by_one = make();
    let mut pipelined = make();
    for (request, applies) in steps {
        let expected = one_by_one.propose(request);
        let (expected_header, expected_txn) = one_by_one.proposed[0].clone();
        one_by_one.apply_all();
        prop_assert_eq!(pipelined.propose(request), expected, "{}", request);
        let (header, txn) = pipelined.proposed.back().unwrap();
        prop_assert_eq!((*header, txn), (expected_header, &expected_txn));
        pipelined.pending.check(&pipelined.tree);
        for _ in 0..(*applies).min(pipelined.proposed.len()) {
            pipelined.apply_one();
            pipelined.pending.check(&pipelined.tree);
        }
    }
    pipelined.apply_all();
    prop_assert_eq!(pipelined.tree.digest(), one_by_one.tree.digest());
    prop_assert!(pipelined.tree.quotas().eq(one_by_one.tree.quotas()));
    Ok(())
}

fn steps() -> impl Strategy<Value = Vec<(String, usize)>> {
    proptest::collection::vec((request(), 0..3usize), 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn depth_does_not_matter(steps in steps()) {
        compare(Leader::new, &steps)?;
    }

    #[test]
    fn nor_with_quotas(steps in steps()) {
        let make = || quota::limited("count=-1,bytes=-1=;byteHardLimit=8;countHardLimit=3");
        compare(make, &steps)?;
    }
}
