//! Subtrees and local folders.

use crate::place::{Place, finish};
use std::fs;

#[test]
fn a_folder_goes_there_and_back() {
    let place = Place::new("config");
    place.ok(&["create", "/app/db", "host=a\nport=1\n", "--parents"]);
    place.ok(&["create", "/app/deep/leaf", "x", "--parents"]);
    place.ok(&["set", "/app/deep", "own"]);
    let folder = place.directory.join("local");
    let local = folder.to_str().unwrap();
    assert_eq!(place.ok(&["config", "get", "/app", local]), "");
    assert_eq!(fs::read(folder.join("db")).unwrap(), b"host=a\nport=1\n");
    assert_eq!(fs::read(folder.join("deep/leaf")).unwrap(), b"x");
    assert_eq!(fs::read(folder.join("deep/.znode")).unwrap(), b"own");
    assert!(!folder.join(".znode").exists(), "/app has no data");
    assert_eq!(place.ok(&["config", "diff", "/app", local]), "");

    fs::write(folder.join("db"), "host=b\nport=1\n").unwrap();
    fs::write(folder.join("new"), "n").unwrap();
    fs::remove_file(folder.join("deep/leaf")).unwrap();
    let (code, out, _) = place.run(&["config", "diff", "/app", local]);
    assert_eq!(code, 1);
    let difference = "~ /app/db\n    - host=a\n    + host=b\n- /app/deep/leaf\n+ /app/new\n";
    assert_eq!(out, difference);
    let dry = place.ok(&["config", "apply", "/app", local, "--delete", "--dry-run"]);
    assert_eq!(dry, difference);
    assert_eq!(place.run(&["stat", "/app/new"]).0, 3, "nothing was done");
    place.ok(&["config", "apply", "/app", local]);
    assert_eq!(
        place.ok(&["get", "/app/deep/leaf"]),
        "x",
        "not without --delete"
    );
    place.ok(&["config", "apply", "/app", local, "--delete"]);
    assert_eq!(place.ok(&["config", "diff", "/app", local]), "");
    assert_eq!(place.ok(&["get", "/app/db"]), "host=b\nport=1\n");
    assert_eq!(place.run(&["stat", "/app/deep/leaf"]).0, 3);
}

#[test]
fn a_file_may_become_a_folder() {
    let place = Place::new("config-shape");
    let folder = place.directory.join("local");
    let local = folder.to_str().unwrap();
    fs::create_dir_all(folder.join("a/b")).unwrap();
    fs::write(folder.join("a/b/c"), "1").unwrap();
    place.ok(&["config", "apply", "/top/app", local]);
    fs::remove_dir_all(folder.join("a/b")).unwrap();
    fs::write(folder.join("a/b"), "2").unwrap();
    place.ok(&["config", "apply", "/top/app", local, "--delete"]);
    assert_eq!(place.ok(&["export", "/top/app"]).lines().count(), 3);
    assert_eq!(place.ok(&["get", "/top/app/a/b"]), "2");
}

#[test]
fn one_znode_is_set_from_a_file_or_edited() {
    let place = Place::new("config-edit");
    let file = place.directory.join("file");
    fs::write(&file, "one").unwrap();
    let file = file.to_str().unwrap();
    place.ok(&["config", "set", "/app/x", file]);
    assert_eq!(place.ok(&["get", "/app/x"]), "one");
    let copy = place.directory.join("copy");
    place.ok(&["config", "get", "/app/x", copy.to_str().unwrap()]);
    assert_eq!(fs::read(copy).unwrap(), b"one");
    let edit = |editor: &str| {
        let mut command = place.command(&["config", "edit", "/app/x"]);
        command.env_remove("VISUAL").env("EDITOR", editor);
        command.env("TMPDIR", &place.directory);
        finish(command)
    };
    assert_eq!(edit("sed -i s/one/two/"), (0, String::new(), String::new()));
    assert_eq!(place.ok(&["get", "/app/x"]), "two");
    assert_eq!(edit("false").0, 1);
    // Somebody else is faster.
    let grevy = env!("CARGO_BIN_EXE_grevy");
    let server = &place.server;
    let meanwhile = format!("{grevy} set /app/x three --server {server}; echo four >");
    let (code, _, err) = edit(&meanwhile);
    assert_eq!(code, 4);
    let kept = err.trim_end().rsplit(' ').next().unwrap();
    assert_eq!(fs::read_to_string(kept).unwrap(), "four\n");
    assert_eq!(place.ok(&["get", "/app/x"]), "three");
}

#[test]
fn what_cannot_be_applied_changes_nothing() {
    let place = Place::new("config-refused");
    let folder = place.directory.join("local");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("big"), vec![b'x'; 1 << 20]).unwrap();
    let local = folder.to_str().unwrap();
    let (code, _, err) = place.run(&["config", "apply", "/app", local]);
    assert_eq!(code, 4);
    assert!(err.contains("too much for one transaction"), "{err}");
    assert_eq!(place.run(&["stat", "/app"]).0, 3);
    let (code, _, err) = place.run(&["config", "diff", "/app", "/no/such/folder"]);
    assert_eq!(code, 2);
    assert!(err.contains("cannot read /no/such/folder"), "{err}");
}
