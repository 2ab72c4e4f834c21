//! What is refused before it is passed on.

use super::*;

/// What is said to a request in words before it is passed on.
fn screened(leader: &Leader, text: &str) -> Result<(), ErrorCode> {
    let Parsed {
        op, record, ids, ..
    } = parse(text);
    let request = WriteRequest {
        op,
        record: &record,
    };
    leader
        .pending
        .screen(&leader.tree, &request, &leader.config, &ids)
}

#[test]
fn permissions_come_before_all_else() {
    const NO_AUTH: Result<(), ErrorCode> = Err(ErrorCode::NoAuth);
    const INVALID: Result<(), ErrorCode> = Err(ErrorCode::InvalidAcl);
    let before = [
        "create /mine acl=31:digest:a:h",
        "create /mine/a as=digest:a:h",
        "create /open",
        "create /open/mine acl=1:world:anyone",
    ];
    let requests = [
        ("create /open/a", Ok(())),
        ("create /mine/b", NO_AUTH),
        ("create /mine/b as=digest:a:h", Ok(())),
        ("create /mine/b as=super:", Ok(())),
        ("create2 /mine/b", NO_AUTH),
        // Of several faults this one is told.
        ("create /mine/b flags=77", NO_AUTH),
        ("create /mine/..", NO_AUTH),
        ("create /mine/a", NO_AUTH),
        ("create /mine/b acl=none", INVALID),
        ("create /open/a acl=31:auth:", INVALID),
        ("create /none/a acl=none", INVALID),
        ("delete /mine/a", NO_AUTH),
        ("delete /mine/a v=5", NO_AUTH),
        ("delete /mine/none", NO_AUTH),
        ("delete /open/mine", Ok(())),
        ("setData /mine", NO_AUTH),
        ("setData /mine v=5", NO_AUTH),
        ("setData /open/mine", NO_AUTH),
        ("setACL /mine", NO_AUTH),
        ("setACL /open/mine v=5", NO_AUTH),
        ("setACL /open acl=none", INVALID),
        ("setACL /none acl=none", INVALID),
        // Others will say what is wrong with these.
        ("create /none/a", Ok(())),
        ("create nothing", Ok(())),
        ("create /zookeeper", Ok(())),
        ("create /zookeeper acl=none", Ok(())),
        ("delete /", Ok(())),
        ("delete nothing", Ok(())),
        ("setData /none", Ok(())),
        ("setACL /none", Ok(())),
        ("setData nothing", Ok(())),
        // These are not looked at.
        ("createContainer /mine/b", Ok(())),
        ("createTTL /mine/b", Ok(())),
        ("deleteContainer /mine/a", Ok(())),
        ("multi setData /mine", Ok(())),
        ("check /mine", Ok(())),
        ("createSession 1000", Ok(())),
        ("closeSession", Ok(())),
    ];
    for is_applied in [true, false] {
        let mut leader = Leader::new();
        for text in before {
            leader.propose(text);
        }
        if is_applied {
            leader.apply_all();
        }
        for (text, expected) in requests {
            assert_eq!(screened(&leader, text), expected, "{text}");
        }
    }
}

#[test]
fn what_is_proposed_counts() {
    let mut leader = Leader::new();
    leader.propose("create /p");
    leader.apply_all();
    leader.propose("setACL /p acl=31:digest:a:h");
    assert_eq!(screened(&leader, "setData /p"), Err(ErrorCode::NoAuth));
    leader.propose("setACL /p as=digest:a:h");
    assert_eq!(screened(&leader, "setData /p"), Ok(()));
}

#[test]
fn without_permissions_lists_are_looked_at_yet() {
    let config = PrepareConfig {
        skip_acl: true,
        ..PrepareConfig::default()
    };
    let mut leader = Leader::with(config, true);
    leader.propose("create /p acl=31:digest:a:h");
    assert_eq!(screened(&leader, "setData /p"), Ok(()));
    let bad = screened(&leader, "setACL /p acl=none");
    assert_eq!(bad, Err(ErrorCode::InvalidAcl));
}

#[test]
fn what_cannot_be_read_or_is_too_long_passes() {
    let mut leader = Leader::new();
    leader.propose("setACL / acl=1:world:anyone");
    let record = parse("create /p").record;
    let screen = |leader: &Leader, record: &[u8]| {
        let op = OpCode::Create;
        let request = WriteRequest { op, record };
        leader
            .pending
            .screen(&leader.tree, &request, &leader.config, &[])
    };
    assert_eq!(screen(&leader, &record), Err(ErrorCode::NoAuth));
    assert_eq!(screen(&leader, &record[..7]), Ok(()));
    leader.config.request_bytes = record.len() - 1;
    assert_eq!(screen(&leader, &record), Ok(()));
}
