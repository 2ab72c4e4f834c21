//! Tools for files, on those of a server that has been used.

use crate::place::{PATIENCE, Place, directory, finish, grevy};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A data directory with eight transactions of znodes in a log. Returns the data directory.
fn used(name: &str) -> PathBuf {
    let place = Place::new(name);
    for line in [
        &["create", "/a", "hello"][..],
        &["create", "/a/b", "x", "--acl", "world:anyone:r"],
        &["create", "/c", "--ttl", "100000"],
        &["create", "/d", "--container"],
        &["set", "/a", "world"],
        &["setAcl", "/a", "world:anyone:cdrw"],
        &["rm", "/d"],
        &["create", "/e", "last"],
    ] {
        place.ok(line);
    }
    place.stop().join("data")
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    finish(grevy(arguments))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are text")
}

/// Where in the log the record of `/a`'s creation begins.
fn offset_of(log: &Path, text: &str) -> usize {
    let content = fs::read(log).unwrap();
    let at = content
        .windows(text.len())
        .position(|window| window == text.as_bytes());
    at.expect("it is in the log")
}

fn flip(file: &Path, at: usize) {
    let mut content = fs::read(file).unwrap();
    content[at] ^= 1;
    fs::write(file, content).unwrap();
}

#[test]
fn logs_are_shown_and_filtered() {
    let data = used("log");
    let log = data.join("version-2/log.1");
    let (code, out, err) = run(&["inspect", "log", text(&log)]);
    assert_eq!((code, err.as_str()), (0, ""));
    let operations: Vec<&str> = out
        .lines()
        .filter_map(|line| line.split("  ").nth(4))
        .filter(|line| !line.ends_with("Session") && !line.contains("Session "))
        .collect();
    assert_eq!(
        operations,
        [
            "create /a 5 bytes acl world:anyone:cdrwa",
            "create /a/b 1 bytes acl world:anyone:r",
            "createTTL /c 0 bytes ttl 100000 ms acl world:anyone:cdrwa",
            "createContainer /d 0 bytes acl world:anyone:cdrwa",
            "setData /a 5 bytes version 1",
            "setACL /a acl world:anyone:cdrw aversion 1",
            "delete /d",
            "create /e 4 bytes acl world:anyone:cdrwa",
        ]
    );
    assert!(out.ends_with("bytes\n") || out.contains(" transactions, the last ends at offset "));
    // A directory, a subtree, data and JSON.
    let (code, out, _) = run(&[
        "inspect",
        "log",
        text(&data),
        "--path",
        "/a",
        "--output",
        "json",
    ]);
    assert_eq!(code, 0);
    let objects: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let seen: Vec<_> = objects
        .iter()
        .map(|object| (object["op"].as_str(), object["data"].as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            (Some("create"), Some("hello")),
            (Some("create"), Some("x")),
            (Some("setData"), Some("world")),
            (Some("setACL"), None),
            (None, None),
        ]
    );
    let zxid = objects[2]["zxid"].as_str().unwrap();
    let range = ["inspect", "log", text(&log), "--from", zxid, "--to", zxid];
    let (_, out, _) = run(&range);
    assert_eq!(out.lines().count(), 2, "{out}");
    let session = objects[0]["session"].as_str().unwrap();
    let (_, out, _) = run(&["inspect", "log", text(&log), "--session", session]);
    assert_eq!(
        out.lines().count(),
        4,
        "open, create, close, the end: {out}"
    );
}

#[test]
fn snapshots_are_shown_summed_and_compared() {
    let data = used("snapshot");
    let empty = data.join("version-2/snapshot.0");
    let (code, out, _) = run(&["inspect", "snapshot", text(&empty)]);
    assert_eq!((code, out.lines().count()), (0, 6), "{out}");
    assert!(out.contains("4 znodes with 0 bytes of data, 0 sessions"));
    let (_, out, _) = run(&["inspect", "snapshot", text(&empty), "--sizes"]);
    assert!(
        out.ends_with(
            "           4               0  /\n           3               0  /zookeeper\n"
        )
    );
    let (_, out, _) = run(&[
        "inspect",
        "snapshot",
        text(&empty),
        "--output",
        "json",
        "--data",
    ]);
    let znode = out.lines().find(|line| line.contains("/config")).unwrap();
    let znode: serde_json::Value = serde_json::from_str(znode).unwrap();
    assert_eq!(znode["acl"], serde_json::json!(["world:anyone:r"]));
    assert_eq!(znode["data"], "");
    // With itself, and with a file that is none.
    let (code, out, _) = run(&["inspect", "compare", text(&empty), text(&empty)]);
    assert_eq!((code, out.as_str()), (0, ""));
    let log = data.join("version-2/log.1");
    let (code, _, err) = run(&["inspect", "snapshot", text(&log)]);
    assert_eq!(code, 1);
    assert!(
        err.contains("is not a whole snapshot: it does not begin"),
        "{err}"
    );
    assert_eq!(err.lines().count(), 1);
}

#[test]
fn what_is_wrong_is_said_with_file_and_offset() {
    let data = used("verify");
    let log = data.join("version-2/log.1");
    let (code, out, _) = run(&["verify", text(&data)]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("A server would start at zxid "), "{out}");
    assert!(!out.contains("damaged") && !out.contains("note"), "{out}");
    // A directory that is not there is not a history that has vanished.
    let (code, _, err) = run(&["verify", "/nowhere"]);
    assert_eq!(code, 2);
    assert_eq!(
        err,
        "grevy: cannot list /nowhere/version-2: No such file or directory (os error 2); check \
         the path\n"
    );
    flip(&log, offset_of(&log, "hello"));
    let (code, out, _) = run(&["verify", text(&data), "--output", "json"]);
    assert_eq!(code, 1, "{out}");
    let found: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!(found["type"], "damaged");
    assert_eq!(found["file"], text(&log));
    assert_eq!(found["what"], "a record's checksum is wrong");
    assert!(found["offset"].as_u64().is_some());
    assert!(out.ends_with("{\"type\":\"verdict\",\"sound\":false,\"start\":null}\n"));
    let (code, out, err) = run(&["inspect", "log", text(&log)]);
    assert_eq!(code, 1);
    assert!(out.contains("\nCRC ERROR  "), "reading goes on: {out}");
    assert!(err.contains("the checksum of 0x2 is wrong"), "{err}");
}

#[test]
fn what_only_a_raised_limit_takes_is_noted() {
    let place = Place::start(directory("long"), "jute.maxbuffer=4000000\n");
    let large = place.directory.join("large");
    fs::write(&large, vec![b'x'; 3_000_000]).unwrap();
    place.ok(&["create", "/large", "--file", text(&large)]);
    place.ok(&["create", "/last"]);
    let data = place.stop().join("data");
    let log = data.join("version-2/log.1");
    let (code, out, _) = run(&["verify", text(&data)]);
    assert_eq!(code, 0, "{out}");
    for expected in [
        &format!("note     {} at offset ", log.display()),
        ": it has a transaction of 30000",
        "a server starts only if jute.maxbuffer and jute.maxbuffer.extrasize together allow that",
    ] {
        assert!(out.contains(expected), "{expected} in {out}");
    }
    let (code, out, _) = run(&["repair", text(&log), "--dry-run"]);
    assert_eq!(code, 0, "{out}");
    let (code, out, _) = run(&["inspect", "log", text(&log)]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("create /large 3000000 bytes"), "{out}");
}

#[test]
fn what_a_crash_leaves_behind_is_noted_and_no_damage() {
    let data = used("leftovers");
    let version = data.join("version-2");
    let snapshot = fs::read(version.join("snapshot.0")).unwrap();
    fs::write(version.join("snapshot.1000"), &snapshot[..200]).unwrap();
    let log = version.join("log.1");
    let records = fs::read(&log).unwrap();
    // Behind the last record, where the mark has not come to, half a record more.
    let end = records.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let torn = [&records[..end], &records[16..40]].concat();
    fs::write(&log, torn).unwrap();
    let (code, out, _) = run(&["verify", text(&data)]);
    assert_eq!(code, 0, "{out}");
    for expected in [
        "snapshot.1000: when a server starts: passed over ",
        &format!("log.1 at offset {end}: when a server starts: cut 24 bytes off the end"),
    ] {
        assert!(out.contains(expected), "{expected} in {out}");
    }
}

#[test]
fn a_damaged_log_is_repaired_beside_the_old_one_or_with_a_backup() {
    let data = used("repair");
    let log = data.join("version-2/log.1");
    let intact = fs::read(&log).unwrap();
    let last = offset_of(&log, "last");
    let (code, out, _) = run(&["repair", text(&log)]);
    assert_eq!((code, out), (0, format!("{} is sound\n", log.display())));
    // One letter of the data: what the record says is kept.
    flip(&log, last);
    let damaged = fs::read(&log).unwrap();
    let (code, out, _) = run(&["repair", text(&log), "--dry-run"]);
    assert_eq!(code, 1);
    assert!(out.contains("create /e \"mast\""), "{out}");
    let (code, _, err) = run(&["repair", text(&log)]);
    assert_eq!(code, 2);
    assert!(err.contains("add --yes to go ahead"), "{err}");
    let (code, out, _) = run(&["repair", text(&log), "--yes"]);
    let repaired = data.join("version-2/log.1.repaired");
    assert_eq!(code, 0);
    assert!(
        out.ends_with(&format!("wrote {}\n", repaired.display())),
        "{out}"
    );
    assert_eq!(
        fs::read(&log).unwrap(),
        damaged,
        "the old one is left alone"
    );
    let (code, ..) = run(&["repair", text(&repaired)]);
    assert_eq!(code, 0);
    let (code, _, err) = run(&["repair", text(&log), "--yes"]);
    assert_eq!(code, 2);
    assert!(err.contains("exists already"), "{err}");
    let (code, ..) = run(&["repair", text(&log), "--yes", "--in-place"]);
    assert_eq!(code, 0);
    let backup = data.join("version-2/log.1.damaged");
    assert_eq!(fs::read(backup).unwrap(), damaged);
    let (code, out, _) = run(&["verify", text(&data)]);
    // The digests tell that the data is not what it was.
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("differs since transaction"), "{out}");
    // Cut in the middle of the last transactions: the mark tells what is lost.
    fs::write(&log, &intact[..last]).unwrap();
    let (code, out, _) = run(&["repair", text(&log), "--dry-run"]);
    assert_eq!(code, 1);
    assert!(
        out.contains("the file ends inside a record; cut there"),
        "{out}"
    );
    assert!(out.contains("a Grevy server will refuse to start"), "{out}");
}

#[test]
fn two_states_are_compared() {
    let data = used("compare");
    let snapshots = || {
        let names = fs::read_dir(data.join("version-2")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("snapshot.")).collect();
        names.sort();
        names
    };
    let directory = data.parent().expect("the test's directory").to_owned();
    let place = Place::start(directory, "snapCount=2\n");
    let end = Instant::now() + PATIENCE;
    while snapshots().len() < 2 {
        assert!(Instant::now() < end, "no snapshot is taken");
        place.ok(&["set", "/e", "again"]);
    }
    drop(place);
    let files = snapshots();
    let [old, new] = [&files[0], &files[1]].map(|name| data.join("version-2").join(name));
    let (code, out, _) = run(&["inspect", "compare", text(&old), text(&new)]);
    assert_eq!(code, 1);
    assert!(
        out.contains("        +2           +6          2  /a\n"),
        "{out}"
    );
    let (_, out, _) = run(&["inspect", "compare", text(&new), text(&old), "--znodes"]);
    assert!(
        out.starts_with("- /a -5 bytes\n- /a/b -1 bytes\n- /c +0 bytes\n"),
        "{out}"
    );
    let few = [
        "inspect",
        "compare",
        text(&old),
        text(&new),
        "--min-znodes",
        "100",
    ];
    assert_eq!(run(&few).0, 0);
}
