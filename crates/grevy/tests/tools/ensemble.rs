//! What servers say of themselves.

use crate::place::{Place, directory, finish, grevy};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

fn objects(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("lines of JSON")
}

#[test]
fn servers_are_shown_with_what_they_do() {
    let place = Place::new("status");
    place.ok(&["create", "/a"]);
    let text = place.ok(&["status"]);
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows[0].starts_with("ID  SERVER"), "{text}");
    let words: Vec<&str> = rows[1].split_whitespace().collect();
    assert_eq!(words[..3], ["-", place.server.as_str(), "standalone"]);
    let json = objects(&place.ok(&["status", "--output", "json"]));
    assert_eq!(json[0]["mode"], "standalone");
    assert_eq!(json[0]["lag"], 0);
    assert!(json[0]["watches"].is_u64() && json[0]["sessions"].is_u64());
}

#[test]
fn a_server_catches_up_and_tells_who_asks() {
    let place = Place::new("session");
    assert_eq!(place.ok(&["sync"]), "");
    let synced = objects(&place.ok(&["sync", "/", "--output", "json"]));
    assert_eq!(synced, [json!({"path": "/", "synced": true})]);
    let who = place.ok(&["whoami", "--auth", "digest:bob:secret"]);
    let who: Vec<&str> = who.lines().collect();
    assert!(
        who.contains(&"ip:127.0.0.1") && who.contains(&"digest:bob"),
        "{who:?}"
    );
    let who = objects(&place.ok(&["whoami", "--output", "json"]));
    assert_eq!(who, [json!({"scheme": "ip", "id": "127.0.0.1"})]);
    let members = objects(&place.ok(&["members", "--output", "json"]));
    assert_eq!(members[0]["servers"], json!([]));
}

/// A directory for server 1 of an ensemble.
fn member_directory(name: &str) -> PathBuf {
    let directory = directory(name);
    fs::create_dir_all(directory.join("data")).expect("a directory for the test");
    fs::write(directory.join("data/myid"), "1\n").expect("a file for the test");
    directory
}

/// A quorum port and an election port, other ones for each test.
fn free_ports() -> [u16; 2] {
    /// How many were given out already.
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Below those that systems give to whoever asks for any port.
    let first = 12_000 + u16::try_from(std::process::id() % 8_000).expect("it is small");
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    [(); 2].map(|()| {
        let mut further = (0..1000).map(|_| first + GIVEN.fetch_add(1, Relaxed));
        further.find(is_free).expect("some are free")
    })
}

#[test]
fn an_ensemble_gets_another_member() {
    let directory = member_directory("reconfig");
    let [quorum, election] = free_ports();
    let lines = format!(
        "standaloneEnabled=false\nreconfigEnabled=true\nskipACL=yes\n\
         initLimit=10\nsyncLimit=5\nserver.1=127.0.0.1:{quorum}:{election}\n"
    );
    let place = Place::start(directory, &lines);
    let observer = "server.2=127.0.0.1:1:2:observer;127.0.0.1:3";
    let (code, _, err) = place.run(&["reconfig", "--add", observer, "--if-version", "0x77"]);
    assert_eq!(code, 4, "{err}");
    let changed = objects(&place.ok(&["reconfig", "--add", observer, "--output", "json"]));
    assert_eq!(
        changed,
        objects(&place.ok(&["members", "--output", "json"]))
    );
    let expected = json!({
        "id": 2, "addresses": ["127.0.0.1:1:2"], "role": "observer", "clients": "127.0.0.1:3",
    });
    assert_eq!(changed[0]["servers"][1], expected);
    let stranger = "server.3=127.0.0.1:4:5;127.0.0.1:6";
    for (change, says) in [
        (
            ["--remove", "1"],
            "not a configuration that this ensemble can have",
        ),
        (["--add", stranger], "up to date"),
    ] {
        let (code, _, err) = place.run(&[&["reconfig"][..], &change].concat());
        assert_eq!(code, 8, "{err}");
        assert!(err.contains(says) && err.lines().count() == 1, "{err}");
    }
    let text = place.ok(&["reconfig", "--remove", "2"]);
    assert!(!text.contains("server.2"), "{text}");
    assert_eq!(place.run(&["reconfig"]).0, 2, "nothing to change");
}

#[test]
fn a_change_that_is_not_allowed_says_what_would_allow_it() {
    for (name, lines, code, says) in [
        ("off", "", 8, "reconfigEnabled=true"),
        ("nobody", "reconfigEnabled=true\n", 5, "superDigest"),
    ] {
        let directory = member_directory(&format!("reconfig-{name}"));
        let [quorum, election] = free_ports();
        let lines = format!(
            "standaloneEnabled=false\n{lines}\
             initLimit=10\nsyncLimit=5\nserver.1=127.0.0.1:{quorum}:{election}\n"
        );
        let place = Place::start(directory, &lines);
        let (exit, _, err) = place.run(&["reconfig", "--remove", "2"]);
        assert_eq!(exit, code, "{err}");
        assert!(err.contains(says) && err.lines().count() == 1, "{err}");
    }
}

#[test]
fn servers_that_do_not_answer_are_shown_too() {
    let place = Place::new("status-down");
    let both = format!("{},127.0.0.1:1", place.server);
    let (code, out, err) = finish(grevy(&["status", "--server", &both, "--listed"]));
    assert_eq!((code, err.as_str()), (1, ""));
    assert!(
        out.contains("127.0.0.1:1") && out.contains("down: connection refused"),
        "{out}"
    );
    let (code, _, err) = finish(grevy(&["status", "--server", "127.0.0.1:1"]));
    assert_eq!(code, 6);
    assert!(err.contains("no server serves"), "{err}");
}

#[test]
fn an_identity_that_cannot_be_used_is_not_passed_over() {
    let place = Place::new("status-auth");
    let with_variable = |verb: &str, auth: &str| {
        let mut command = place.command(&[verb]);
        command.env("GREVY_AUTH", auth);
        finish(command)
    };
    for (code, _, err) in [
        place.run(&["status", "--auth", "nonsense"]),
        with_variable("status", "nonsense"),
    ] {
        assert_eq!(code, 2, "{err}");
        assert!(err.contains("--auth takes scheme:id"), "{err}");
    }
    let (code, _, err) = place.run(&["status", "--auth", "nonsense:x"]);
    assert_eq!(code, 5, "{err}");
    assert!(err.contains("check --auth"), "{err}");
    for verb in ["status", "ls"] {
        let (code, _, err) = with_variable(verb, "");
        assert_eq!(
            (code, err.as_str()),
            (0, ""),
            "{verb}: a variable that is not set"
        );
    }
}

#[test]
fn a_server_without_a_leader_says_what_it_waits_for() {
    let directory = member_directory("status-looking");
    let [quorum, election] = free_ports();
    let lines = format!(
        "initLimit=10\nsyncLimit=5\nserver.1=127.0.0.1:{quorum}:{election}\n\
         server.2=127.0.0.1:1:2\n"
    );
    let place = Place::start(directory, &lines);
    let status = ["status", "--timeout", "1000"];
    let (code, out, err) = place.run(&status);
    assert_eq!(code, 6, "{err}");
    let row = out.lines().nth(1).unwrap_or_default();
    let row = row.split_once("not serving: ").expect("it is not down").1;
    assert!(row.ends_with("it waits for server 2"), "{row}");
    let (_, out, _) = place.run(&[&status[..], &["--output", "json"]].concat());
    assert_eq!(objects(&out)[0]["error"], format!("not serving: {row}"));
}

#[test]
fn looks_are_printed_where_there_is_no_terminal() {
    let place = Place::new("top");
    let looks = place.ok(&[
        "top",
        "--count",
        "2",
        "--interval",
        "100",
        "--output",
        "json",
    ]);
    let looks = objects(&looks);
    assert_eq!(looks.len(), 2);
    assert!(looks[0]["requestsPerSecond"].is_null());
    assert!(looks[1]["requestsPerSecond"].is_number());
}

#[test]
fn an_ensemble_on_taken_ports_is_not_started() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("it has one").port();
    let folder = directory("ensemble-taken").join("ensemble");
    let arguments = [
        "ensemble",
        "--servers",
        "1",
        "--port",
        &port.to_string(),
        "--dir",
        folder.to_str().expect("it is text"),
    ];
    let (code, out, err) = finish(grevy(&arguments));
    assert_eq!((code, out.as_str()), (1, ""));
    let said = format!("grevy: server 1 needs port {port}: ");
    assert!(err.starts_with(&said) && err.lines().count() == 1, "{err}");
    assert!(!folder.exists());
}

/// An ensemble of one that began, what it prints, and the id of its server's process; none if
/// somebody else has one of its ports.
fn one_server(folder: &Path, port: u16) -> Option<(Child, Lines<BufReader<ChildStdout>>, String)> {
    let mut child = grevy(&["ensemble", "--servers", "1", "--port"])
        .arg(port.to_string())
        .arg("--dir")
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command can be run");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let pid = lines.find_map(|line| {
        let line = line.expect("it is text");
        let mut words = line.split_whitespace().skip_while(|word| *word != "pid");
        words.nth(1).map(str::to_owned)
    });
    if pid.is_none() {
        child.wait().expect("it ends");
    }
    Some((child, lines, pid?))
}

#[test]
fn an_ensemble_that_nobody_reads_of_ends_with_its_servers() {
    let folder = directory("ensemble-pipe");
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).expect("it is small");
    let mut ports = (first..).step_by(10).take(50);
    let begun = ports.find_map(|port| one_server(&folder, port));
    let (mut child, lines, pid) = begun.expect("ports that nobody has");
    drop(lines);
    // Something that it would tell, unless it has noticed already and has ended its servers.
    let killed = Command::new("kill").args(["-KILL", &pid]).output();
    assert!(killed.is_ok(), "{killed:?}");
    assert_eq!(child.wait().expect("it ends").code(), Some(141));
}

#[test]
fn a_load_is_measured_and_leaves_nothing_behind() {
    let place = Place::new("bench");
    for mix in ["get", "set", "create", "mixed"] {
        let load = [
            "bench",
            "--mix",
            mix,
            "--seconds",
            "1",
            "--connections",
            "2",
        ];
        let text = place.ok(&[&load[..], &["--output", "json"]].concat());
        let object: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert!(object["requests"].as_u64() > Some(0), "{mix}: {text}");
        let (p50, max) = (object["p50ms"].as_f64(), object["maxMs"].as_f64());
        assert!(p50 > Some(0.0) && p50 <= max, "{mix}: {text}");
    }
    assert_eq!(place.ok(&["ls", "/"]), "zookeeper\n");
}
