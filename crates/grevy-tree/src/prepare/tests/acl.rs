//! Permissions: which are needed for what, and at which place among the checks.

use super::*;

#[test]
fn permissions_by_operation() {
    // Everything but the permission that is asked about, then nothing but that.
    for (perm, before, request, good) in [
        (4, "", "create /p/a", "create /p/a 1"),
        (4, "", "create2 /p/a flags=2", "create2 /p/a0000000000 1"),
        (4, "", "createContainer /p/a", "container /p/a 1"),
        (4, "", "createTTL /p/a", "ttl 1000 /p/a 1"),
        (8, "; create /p/a as=super:", "delete /p/a", "delete /p/a"),
        (2, "", "setData /p", "set /p 1"),
        (16, "", "setACL /p", "acl /p 1"),
        (1, "", "multi check /p", "[check /p 1]"),
    ] {
        let refused = match request.starts_with("multi") {
            true => "[error NoAuth]",
            false => "error NoAuth",
        };
        for (perms, expected) in [(perm, good), (31 & !perm, refused)] {
            let before = format!("create /p acl={perms}:world:anyone{before}");
            Leader::check(Leader::new, &before, request, expected);
        }
    }
}

#[test]
fn identities() {
    let closed = "create /p acl=31:digest:a:h";
    for (request, expected) in [
        ("setData /p", "error NoAuth"),
        ("setData /p as=digest:a:h", "set /p 1"),
        ("setData /p as=digest:b:h", "error NoAuth"),
        ("setData /p as=digest:b:h as=digest:a:h", "set /p 1"),
        ("setData /p as=super:", "set /p 1"),
        ("setData /p as=super:me", "set /p 1"),
        ("setData /p as=ip:1.2.3.4", "error NoAuth"),
        // What a stranger cannot learn: whether a version or a child is there.
        ("setData /p v=5", "error NoAuth"),
        ("create /p/a", "error NoAuth"),
        ("create /p/.. as=digest:b:h", "error NoAuth"),
        ("delete /p/a", "error NoAuth"),
        ("multi check /p v=5", "[error NoAuth]"),
        ("setACL /p v=5", "error NoAuth"),
        ("setACL /p acl=none", "error InvalidAcl"),
    ] {
        Leader::check(Leader::new, closed, request, expected);
    }
}

#[test]
fn a_new_list_holds_at_once() {
    for (before, request, expected) in [
        (
            "create /p; setACL /p acl=31:digest:a:h",
            "setData /p",
            "error NoAuth",
        ),
        (
            "create /p; setACL /p acl=31:digest:a:h; setData /p as=digest:a:h",
            "setData /p",
            "error NoAuth",
        ),
        (
            "create /p acl=31:digest:a:h; setACL /p as=digest:a:h; create /p/a",
            "setData /p",
            "set /p 1",
        ),
        (
            "create /p acl=31:digest:a:h; delete /p; create /p",
            "setData /p",
            "set /p 1",
        ),
        ("setACL / acl=1:world:anyone", "create /a", "error NoAuth"),
        (
            "create /p acl=31:auth: as=digest:a:h",
            "setData /p as=digest:a:h",
            "set /p 1",
        ),
        (
            "create /p acl=31:auth: as=digest:a:h",
            "setData /p",
            "error NoAuth",
        ),
    ] {
        Leader::check(Leader::new, before, request, expected);
    }
}

#[test]
fn permissions_may_be_off() {
    let config = PrepareConfig {
        skip_acl: true,
        ..PrepareConfig::default()
    };
    let make = || Leader::with(config.clone(), true);
    let before = "create /p acl=31:digest:a:h";
    for (request, expected) in [
        ("setData /p", "set /p 1"),
        ("create /p/a", "create /p/a 1"),
        ("setACL /p acl=none", "error InvalidAcl"),
    ] {
        Leader::check(make, before, request, expected);
    }
}

#[test]
fn one_request_has_one_room_for_expansion() {
    let config = PrepareConfig {
        expansion_bytes: 60,
        ..PrepareConfig::default()
    };
    let make = || Leader::with(config.clone(), true);
    let who = "as=digest:a:h";
    for (request, expected) in [
        (format!("create /a acl=31:auth: {who}"), "create /a 1"),
        (
            format!("multi create /a acl=31:auth: {who} + create /b acl=31:auth:"),
            "[create /a 1, create /b 2]",
        ),
        (
            format!(
                "multi create /a acl=31:auth: {who} + create /b acl=31:auth: \
                 + create /c acl=31:auth:"
            ),
            "[create /a 1, create /b 2, error InvalidAcl]",
        ),
    ] {
        Leader::check(make, "", &request, expected);
    }
}
