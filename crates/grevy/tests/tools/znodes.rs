//! One-shot commands against a server.

use crate::place::{PATIENCE, Place, finish, finish_with, grevy, terminate};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::time::Instant;

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

fn object(line: &str) -> Value {
    serde_json::from_str(line).expect("a line of JSON")
}

#[test]
fn znodes_are_created_read_and_written() {
    let place = Place::new("basics");
    assert_eq!(
        place.ok(&["create", "/a/b/c", "one", "--parents"]),
        "/a/b/c\n"
    );
    assert_eq!(
        place.ok(&["create", "/a/n-", "--sequential"]),
        "/a/n-0000000001\n"
    );
    assert_eq!(place.ok(&["get", "/a/b/c"]), "one", "the bytes as they are");
    assert_eq!(place.ok(&["set", "/a/b/c", "two", "--version", "0"]), "");
    let got = object(&place.ok(&["get", "/a/b/c", "--output", "json"]));
    assert_eq!((&got["data"], &got["version"]), (&json!("two"), &json!(1)));
    assert_eq!(lines(&place.ok(&["ls", "/a"])), ["b", "n-0000000001"]);
    assert_eq!(
        lines(&place.ok(&["ls", "-R", "/a"])),
        ["/a", "/a/b", "/a/n-0000000001", "/a/b/c"]
    );
    assert!(
        place
            .ok(&["stat", "/a/b/c"])
            .contains("\ndataVersion = 1\n")
    );
    place.ok(&["setAcl", "/a/b/c", "world:anyone:r,ip:127.0.0.1:cdrwa"]);
    let acl = place.ok(&["getAcl", "/a/b/c"]);
    assert_eq!(lines(&acl), ["world:anyone:r", "ip:127.0.0.1:cdrwa"]);
    let (_, out, _) = finish_with(place.command(&["set", "/a", "--file", "-"]), "from a pipe");
    assert_eq!(out, "");
    assert_eq!(place.ok(&["get", "/a", "--sync"]), "from a pipe");
    let (code, ..) = finish_with(place.command(&["set", "/a"]), "");
    assert_eq!(code, 2);
    assert_eq!(place.ok(&["get", "/a"]), "from a pipe");
    place.ok(&["set", "/a", ""]);
    assert_eq!(place.ok(&["get", "/a"]), "");
    assert_eq!(place.ok(&["set", "/new", "x", "--create"]), "");
    assert_eq!(place.ok(&["rm", "/new"]), "");
}

#[test]
fn failures_are_one_line_and_a_code() {
    let place = Place::new("failures");
    place.ok(&["create", "/a/b", "--parents"]);
    place.ok(&["create", "/mine", "--acl", "digest:bob:x:cdrwa"]);
    for (arguments, code, expected) in [
        (
            &["get", "/none"][..],
            3,
            "/none: the znode does not exist; grevy ls / shows what does",
        ),
        (
            &["stat", "/a/none"],
            3,
            "/a/none: the znode does not exist; grevy ls /a shows what does",
        ),
        (&["create", "/a"], 4, "/a: the znode exists already"),
        (
            &["create", "/x/y"],
            3,
            "/x/y: its parent /x does not exist; add --parents to create it",
        ),
        (
            &["cp", "-r", "/a", "/x/y"],
            3,
            "/x/y: its parent /x does not exist; add --parents to create it",
        ),
        (
            &["mv", "/a", "/x/y"],
            3,
            "/x/y: its parent /x does not exist; add --parents to create it",
        ),
        (
            &["rm", "/a"],
            4,
            "/a: the znode has children; add -r to delete them too",
        ),
        (
            &["set", "/a", "x", "-v", "9"],
            4,
            "/a: the znode has another version by now; read it again",
        ),
        (
            &["get", "/mine"],
            5,
            "/mine: the znode's ACL does not allow this; name an identity that it allows with \
             --auth scheme:id",
        ),
        (
            &["rm", "-r", "/"],
            2,
            "the root cannot be deleted; name the znodes below it",
        ),
        (
            &["set", "/a"],
            2,
            "give DATA ('' empties the znode), or --file - to read standard input",
        ),
        (
            &["set", "/a", "--file", "/no/such/file"],
            2,
            "cannot read /no/such/file: No such file or directory (os error 2); check the path",
        ),
        (
            &["get", "/a", "--auth", "bob"],
            2,
            "--auth takes scheme:id, such as digest:user:password",
        ),
        (
            &["get", "/a", "--server", "127.0.0.1:1"],
            6,
            "cannot connect to 127.0.0.1:1: connection refused; is a server running there? \
             (--server or GREVY_SERVER says where)",
        ),
    ] {
        let seen = place.run(arguments);
        assert_eq!(
            seen,
            (code, String::new(), format!("grevy: {expected}\n")),
            "{arguments:?}"
        );
    }
    let large = place.directory.join("large");
    fs::write(&large, vec![b'x'; 2 << 20]).expect("a file for the test");
    let large = large.to_str().expect("it is text");
    for arguments in [
        ["set", "/a", "--file", large],
        ["create", "/c", "--file", large],
    ] {
        let (code, _, err) = place.run(&arguments);
        let why =
            "2097152 bytes are more than it takes (jute.maxbuffer, about 1 MiB if it is not set)";
        assert_eq!(code, 8, "{err}");
        assert!(err.contains(why) && err.lines().count() == 1, "{err}");
    }
    let (code, _, err) = finish_with(
        place.command(&["import"]),
        "{\"path\":\"/i\"}\n{\"path\":\"/i/j/k\"}\n",
    );
    assert_eq!(code, 3);
    assert_eq!(
        err,
        "grevy: /i/j/k: its parent /i/j does not exist; its line has to come before\n"
    );
    for (arguments, expected) in [
        (
            &["get", "a"][..],
            "grevy: invalid value 'a' for '<PATH>': Path must start with / character; \
             see grevy get --help\n",
        ),
        (
            &["get"],
            "grevy: the following required arguments were not provided: <PATH>; \
             see grevy get --help\n",
        ),
        (
            &["config", "get", "/a", "b", "--bogus"],
            "grevy: unexpected argument '--bogus' found; tip: to pass '--bogus' as a value, use \
             '-- --bogus'; see grevy config get --help\n",
        ),
    ] {
        let seen = finish(grevy(arguments));
        assert_eq!(
            seen,
            (2, String::new(), expected.to_owned()),
            "{arguments:?}"
        );
    }
    place.ok(&["create", "/gone"]);
    let (code, _, err) = place.run(&["rm", "/none", "/gone"]);
    assert_eq!(code, 3);
    assert!(
        err.starts_with("grevy: /none: ") && err.lines().count() == 1,
        "{err}"
    );
    assert_eq!(place.run(&["stat", "/gone"]).0, 3, "it goes on");
    assert_eq!(place.ok(&["rm", "--force", "/none"]), "");
}

#[test]
fn subtrees_are_drawn_counted_and_searched() {
    let place = Place::new("subtrees");
    for (path, data) in [
        ("/a", "12345"),
        ("/a/b", "1"),
        ("/a/b/lock-1", ""),
        ("/a/c", "needle"),
    ] {
        place.ok(&["create", path, data]);
    }
    assert_eq!(
        place.ok(&["tree", "/a"]),
        "/a\n├── b\n│   └── lock-1\n└── c\n\n4 znodes\n"
    );
    assert_eq!(
        place.ok(&["tree", "/a", "-d", "1"]),
        "/a\n├── b\n└── c\n\n3 znodes\n"
    );
    let du = place.ok(&["du", "/a", "--output", "json"]);
    assert_eq!(
        object(lines(&du)[0]),
        json!({"path": "/a", "znodes": 4, "bytes": 12})
    );
    for (arguments, expected) in [
        (&["--name", "lock-*"][..], &["/a/b/lock-1"][..]),
        (&["--contains", "need"], &["/a/c"]),
        (&["--min-bytes", "2"], &["/a", "/a/c"]),
        (&["--leaf", "--max-bytes", "0"], &["/a/b/lock-1"]),
        (
            &["--acl", "world:anyone", "--name", "?"],
            &["/a", "/a/b", "/a/c"],
        ),
        (&["--changed-within", "3600", "--name", "b"], &["/a/b"]),
    ] {
        let all = [&["find", "/a"], arguments].concat();
        assert_eq!(lines(&place.ok(&all)), expected, "{arguments:?}");
    }
    let (code, out, _) = place.run(&["find", "/a", "--ephemeral"]);
    assert_eq!((code, out.as_str()), (1, ""));
}

#[test]
fn subtrees_are_copied_moved_and_removed() {
    let place = Place::new("copies");
    for n in 0..300 {
        let name = format!("/a/{n:03}");
        if n % 100 == 0 {
            place.ok(&["create", &name, "x", "--parents"]);
        }
    }
    place.ok(&["setAcl", "/a/100", "world:anyone:cdrw"]);
    place.ok(&["cp", "-r", "/a", "/copy/of/a", "--parents"]);
    assert_eq!(
        lines(&place.ok(&["ls", "/copy/of/a"])),
        ["000", "100", "200"]
    );
    assert_eq!(
        place.ok(&["getAcl", "/copy/of/a/100"]),
        "world:anyone:cdrw\n"
    );
    let again = ["cp", "-r", "/a", "/copy/of/a"];
    assert_eq!(place.run(&again).0, 4);
    place.ok(&["set", "/copy/of/a/000", "changed"]);
    let written = place.ok(&[&again[..], &["--existing", "keep", "--output", "json"]].concat());
    assert_eq!(object(&written)["written"], 0);
    assert_eq!(place.ok(&["get", "/copy/of/a/000"]), "changed");
    // An existing znode whose list does not let anybody set it is a failure, and not overlooked.
    let overwrite = [&again[..], &["--existing", "overwrite"]].concat();
    assert_eq!(place.run(&overwrite).0, 5);
    place.ok(&["cp", "/a/000", "/copy/of/a/000", "--existing", "overwrite"]);
    assert_eq!(place.ok(&["get", "/copy/of/a/000"]), "x");
    place.ok(&["mv", "/copy/of/a", "/moved"]);
    assert_eq!(lines(&place.ok(&["ls", "/copy/of"])), [""; 0]);
    assert_eq!(lines(&place.ok(&["ls", "/moved"])), ["000", "100", "200"]);
    let (code, _, err) = place.run(&["mv", "/moved", "/a"]);
    assert_eq!(
        (code, err.as_str()),
        (4, "grevy: /a: the znode exists already\n")
    );
    let dry = place.ok(&["rm", "-r", "/moved", "--dry-run"]);
    assert_eq!(
        lines(&dry),
        ["/moved/200", "/moved/100", "/moved/000", "/moved"]
    );
    let dry = place.ok(&["rm", "/moved/000", "--dry-run", "--output", "json"]);
    let expected = json!({"path": "/moved/000", "deleted": 0, "dryRun": true});
    assert_eq!(object(&dry), expected);
    let removed = place.ok(&["rm", "-r", "/moved", "--output", "json"]);
    assert_eq!(object(&removed), json!({"path": "/moved", "deleted": 4}));
    assert_eq!(place.run(&["stat", "/moved"]).0, 3);
    assert_eq!(place.run(&["mv", "/a", "/a/b"]).0, 2);
}

#[test]
fn what_is_exported_can_be_imported() {
    let place = Place::new("export");
    place.ok(&[
        "create",
        "/a/b",
        "text",
        "--parents",
        "--acl",
        "world:anyone:cdr",
    ]);
    let binary = place.directory.join("binary");
    fs::write(&binary, [0xff, 0, 1]).unwrap();
    place.ok(&["create", "/a/c", "--file", binary.to_str().unwrap()]);
    let export = place.ok(&["export", "/a"]);
    assert_eq!(
        export,
        "{\"path\":\"/a\",\"data\":\"\",\"acl\":[\"world:anyone:cdrwa\"]}\n\
         {\"path\":\"/a/b\",\"data\":\"text\",\"acl\":[\"world:anyone:rcd\"]}\n\
         {\"path\":\"/a/c\",\"dataBase64\":\"/wAB\",\"acl\":[\"world:anyone:cdrwa\"]}\n"
            .replace("rcd", "cdr")
    );
    let other = Place::new("import");
    let import = other.command(&["import", "--to", "/x/y"]);
    assert_eq!(
        finish_with(import, &export),
        (0, "3 znodes written\n".to_owned(), String::new())
    );
    assert_eq!(other.ok(&["export", "/x/y"]), export.replace("/a", "/x/y"));
    let dry = finish_with(other.command(&["import", "--dry-run"]), &export);
    assert_eq!(dry.1, "3 znodes are in order\n");
    let to = ["import", "--to", "/x/y", "--dry-run"];
    let (code, _, err) = finish_with(other.command(&to), &export);
    assert_eq!(
        (code, err.as_str()),
        (4, "grevy: /x/y: the znode exists already\n")
    );
    let keep = [&to[..], &["--existing", "keep", "--output", "json"]].concat();
    let (_, out, _) = finish_with(other.command(&keep), &export);
    assert_eq!(object(&out), json!({"written": 0, "dryRun": true}));
    let (code, _, err) = finish_with(other.command(&["import"]), "{\"path\":\"/z\"}\nnonsense\n");
    assert_eq!(code, 2);
    assert!(
        err.starts_with("grevy: standard input, line 2: not JSON: "),
        "{err}"
    );
}

#[test]
fn what_may_not_be_read_is_said_and_passed_over() {
    let place = Place::new("denied");
    for path in ["/a", "/a/b", "/a/c", "/a/c/below", "/a/d"] {
        place.ok(&["create", path, "12345"]);
    }
    place.ok(&["setAcl", "/a/c", "digest:bob:x:r"]);
    let said = "grevy: /a/c: the znode's ACL does not allow this; name an identity that it allows \
                with --auth scheme:id\n";
    for (arguments, expected) in [
        (&["tree", "/a"][..], "/a\n├── b\n└── d\n\n3 znodes\n"),
        (&["find", "/a"], "/a\n/a/b\n/a/d\n"),
        (&["find", "/a", "--contains", "3"], "/a\n/a/b\n/a/d\n"),
        (&["ls", "-R", "/a"], "/a\n/a/b\n/a/d\n"),
    ] {
        let seen = place.run(arguments);
        let expected = (5, expected.to_owned(), said.to_owned());
        assert_eq!(seen, expected, "{arguments:?}");
    }
    let (code, out, err) = place.run(&["du", "/a", "--output", "json"]);
    assert_eq!((code, err.as_str()), (5, said));
    assert_eq!(
        object(lines(&out)[0]),
        json!({"path": "/a", "znodes": 3, "bytes": 15})
    );
    let local = place.directory.join("local");
    let get = ["config", "get", "/a", local.to_str().expect("it is text")];
    assert_eq!(place.run(&get), (5, String::new(), said.to_owned()));
    assert!(!local.exists());
}

#[test]
fn an_export_that_fails_leaves_the_file_that_was_there() {
    let place = Place::new("export-file");
    place.ok(&["create", "/a/b", "--parents"]);
    place.ok(&["create", "/a/mine", "--acl", "digest:bob:x:cdrwa"]);
    let file = place.directory.join("export.jsonl");
    let name = file.to_str().expect("it is text");
    fs::write(&file, "old\n").expect("a file for the test");
    for (path, code) in [("/none", 3), ("/a", 5)] {
        assert_eq!(place.run(&["export", path, "--file", name]).0, code);
        assert_eq!(fs::read_to_string(&file).expect("it is there"), "old\n");
    }
    let hidden = fs::read_dir(&place.directory).expect("it is there");
    let hidden = hidden.filter(|entry| {
        let name = entry.as_ref().map(|entry| entry.file_name());
        name.is_ok_and(|name| name.to_string_lossy().starts_with('.'))
    });
    assert_eq!(hidden.count(), 0, "nothing is left behind");
    place.ok(&["export", "/a/b", "--file", name]);
    let exported = fs::read_to_string(&file).expect("it is there");
    assert!(exported.starts_with("{\"path\":\"/a/b\""), "{exported}");
}

#[test]
fn quotas_are_set_shown_and_deleted() {
    let place = Place::new("quota");
    place.ok(&["create", "/a/b", "12345", "--parents"]);
    let (code, ..) = place.run(&["quota", "list", "/a"]);
    assert_eq!(code, 3);
    assert_eq!(place.run(&["quota", "set", "/a"]).0, 2);
    assert_eq!(place.run(&["quota", "set", "/none", "--bytes", "1"]).0, 3);
    let set = ["quota", "set", "/a", "--znodes", "5", "--bytes-hard", "100"];
    assert_eq!(place.ok(&set), "");
    let listed = object(&place.ok(&["quota", "list", "/a", "--output", "json"]));
    let expected = json!({
        "path": "/a",
        "znodes": {"used": 2, "limit": 5, "hardLimit": null},
        "bytes": {"used": 5, "limit": null, "hardLimit": 100},
    });
    assert_eq!(listed, expected);
    let text = place.ok(&["quota", "list", "/a"]);
    assert_eq!(
        lines(&text)[1].split_whitespace().collect::<Vec<_>>(),
        ["znodes", "2", "5", "-"]
    );
    assert_eq!(
        place.run(&["quota", "set", "/a/b", "--bytes", "1"]).0,
        8,
        "they do not nest"
    );
    assert_eq!(place.ok(&["quota", "delete", "/a"]), "");
    assert_eq!(place.run(&["quota", "delete", "/a"]).0, 3);
}

#[test]
fn an_interrupted_import_says_how_to_go_on() {
    let place = Place::new("import-interrupted");
    let mut child = place
        .command(&["import"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be run");
    let mut stdin = child.stdin.take().expect("it is piped");
    // More than it writes at a time; then it waits for more.
    for n in 0..200 {
        writeln!(
            stdin,
            "{{\"path\":\"/a{}\"}}",
            if n == 0 {
                String::new()
            } else {
                format!("/{n}")
            }
        )
        .expect("it reads");
    }
    let end = Instant::now() + PATIENCE;
    while place.run(&["stat", "/a/100"]).0 != 0 {
        assert!(Instant::now() < end, "nothing was written");
    }
    terminate(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("grevy: interrupted; "), "{said}");
    assert!(
        said.ends_with("run it again with --existing keep to go on\n"),
        "{said}"
    );
}

#[test]
fn a_cluster_is_mirrored_and_again_after_changes() {
    let here = Place::new("mirror-here");
    let there = Place::new("mirror-there");
    here.ok(&["create", "/app/a", "1", "--parents"]);
    here.ok(&["create", "/app/b", "2"]);
    let mirror = |more: &[&str]| {
        let all = ["mirror", "/app", "/copy/app", "--to-server", &there.server];
        here.ok(&[&all[..], more].concat())
    };
    assert_eq!(
        mirror(&["--dry-run"]),
        "0 the same, would be created 3, would be changed 0, would be deleted 0\n"
    );
    assert_eq!(mirror(&[]), "0 the same, created 3, changed 0, deleted 0\n");
    assert_eq!(mirror(&[]), "3 the same, created 0, changed 0, deleted 0\n");
    here.ok(&["set", "/app/a", "other"]);
    here.ok(&["rm", "/app/b"]);
    there.ok(&["create", "/copy/app/b/c"]);
    assert_eq!(mirror(&[]), "1 the same, created 0, changed 1, deleted 0\n");
    assert_eq!(
        mirror(&["--delete"]),
        "2 the same, created 0, changed 0, deleted 2\n"
    );
    assert_eq!(there.ok(&["get", "/copy/app/a"]), "other");
    let (code, _, err) = here.run(&["mirror", "/app", "--to-server", "127.0.0.1:1"]);
    assert_eq!(code, 6);
    assert!(err.ends_with("(--to-server says where)\n"), "{err}");
    assert_eq!(lines(&there.ok(&["ls", "/copy/app"])), ["a"]);
}
