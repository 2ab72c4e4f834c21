//! Commands that run other commands, with several processes and a server that goes away.

use crate::place::{Place, signal, terminate};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

/// A command that runs `echo held; cat`, which ends when its input does.
struct Held {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Held {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let script = "echo $GREVY_NODE $GREVY_FENCE; exec cat";
        let mut child = place
            .command(&[arguments, &["--", "sh", "-c", script]].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command can be run");
        let stdout = child.stdout.take().expect("it is piped");
        Self {
            stdin: child.stdin.take(),
            stdout: BufReader::new(stdout),
            child,
        }
    }

    /// Waits until the inner command runs; returns its znode and its fence.
    fn held(&mut self) -> (String, i64) {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("it prints text");
        let (node, fence) = line.trim_end().split_once(' ').expect("two words");
        (node.to_owned(), fence.parse().expect("a number"))
    }

    /// Lets the inner command end.
    fn release(mut self) -> (i32, String) {
        drop(self.stdin.take());
        self.end()
    }

    /// Waits for the end; returns the exit code and what was said.
    fn end(mut self) -> (i32, String) {
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().expect("it is piped");
        stderr.read_to_string(&mut said).expect("it says text");
        let status = self.child.wait().expect("it ends");
        (status.code().unwrap_or(-1), said)
    }
}

/// Asks a four-letter word until the answer has `part`: nobody else tells that a watch is set, or
/// that somebody stands in line.
fn wait_for(place: &Place, word: &str, part: &str) {
    let end = Instant::now() + crate::place::PATIENCE;
    loop {
        let mut stream = TcpStream::connect(&place.server).expect("the server listens");
        stream
            .write_all(word.as_bytes())
            .expect("it takes the word");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        if answer.contains(part) {
            return;
        }
        assert!(Instant::now() < end, "{word} never had {part}: {answer}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_curators(node: &str, parent: &str, name: &str) -> bool {
    let rest = node
        .strip_prefix(parent)
        .and_then(|rest| rest.strip_prefix("/_c_"));
    let (uuid, rest) = rest.expect("it is protected").split_at(36);
    let number = rest.strip_prefix(name).expect("the name of the recipe");
    uuid.matches('-').count() == 4 && number.len() == 10
}

#[test]
fn one_at_a_time_holds_a_lock() {
    let place = Place::new("lock");
    let mut first = Held::start(&place, &["lock", "/locks/l"]);
    let (node, fence) = first.held();
    assert!(is_curators(&node, "/locks/l", "-lock-"), "{node}");
    let (code, _, err) = place.run(&["lock", "/locks/l", "--wait", "0", "--", "true"]);
    assert_eq!(code, 124);
    assert_eq!(err, "grevy: somebody else has it; the wait is over\n");
    assert_eq!(
        place.ok(&["ls", "/locks/l"]).lines().count(),
        1,
        "it left the line"
    );
    let mut second = Held::start(&place, &["lock", "/locks/l"]);
    assert_eq!(first.release(), (0, String::new()));
    let (next, higher) = second.held();
    assert!(higher > fence && next != node);
    assert_eq!(place.ok(&["ls", "/locks/l"]).lines().count(), 1);
    assert_eq!(second.release().0, 0);
    assert_eq!(place.ok(&["ls", "/locks/l"]), "");
}

#[test]
fn a_lock_that_kazoo_holds_is_held() {
    let place = Place::new("lock-kazoo");
    place.ok(&["create", "/k/f4bd3a__lock__0000000000", "--parents"]);
    let (code, out, _) = place.run(&["lock", "/k", "--wait", "0", "--", "echo", "got"]);
    assert_eq!((code, out.as_str()), (124, ""));
}

#[test]
fn the_exit_code_is_the_commands() {
    let place = Place::new("codes");
    for (command, code) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "kill -KILL $$"], 137),
        (&["/no/such/command"], 127),
        (&["/etc/passwd"], 126),
    ] {
        let seen = place.run(&[&["lock", "/l", "--"], command].concat());
        assert_eq!(seen.0, code, "{command:?}: {}", seen.2);
        assert_eq!(place.ok(&["ls", "/l"]), "", "{command:?}");
    }
    let (code, _, err) = place.run(&["lock", "/l", "--server", "127.0.0.1:1", "--", "true"]);
    assert_eq!(code, 125);
    assert!(err.contains("is a server running there?"), "{err}");
}

#[test]
fn a_signal_ends_the_command_and_releases_the_lock() {
    let place = Place::new("signal");
    let mut holder = Held::start(&place, &["lock", "/l"]);
    holder.held();
    let waiting = Held::start(&place, &["lock", "/l"]);
    wait_for(&place, "wchs", "Total watches:2");
    terminate(&waiting.child);
    assert_eq!(waiting.end(), (143, String::new()));
    terminate(&holder.child);
    assert_eq!(holder.end(), (143, String::new()));
    assert_eq!(place.ok(&["ls", "/l"]), "");
}

#[test]
fn signals_with_a_meaning_of_their_own_are_handed_on() {
    let place = Place::new("signals");
    for (name, code) in [("USR1", 31), ("USR2", 32), ("QUIT", 33), ("INT", 34)] {
        let script = format!("trap 'exit {code}' {name}; echo ready; while :; do sleep 0.05; done");
        let mut child = place
            .command(&["lock", "/l", "--", "sh", "-c", &script])
            .stdout(Stdio::piped())
            // A terminal's keys would be thought to have sent these.
            .stderr(Stdio::null())
            .spawn()
            .expect("the command can be run");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        stdout.read_line(&mut line).expect("it prints text");
        signal(&child, name);
        assert_eq!(child.wait().expect("it ends").code(), Some(code), "{name}");
    }
}

#[test]
fn a_command_does_not_outlive_who_ran_it() {
    let place = Place::new("killed");
    let mut holder = Held::start(&place, &["lock", "/l"]);
    holder.held();
    holder.child.kill().expect("it can be killed");
    // Its input is open, so nothing else ends the command and closes its output.
    let mut rest = String::new();
    let read = holder.stdout.read_to_string(&mut rest);
    assert_eq!(
        (read.expect("it is text"), holder.stdin.is_some()),
        (0, true)
    );
    holder.child.wait().expect("it has ended");
}

#[test]
fn a_lost_session_ends_the_command() {
    let mut place = Place::new("lost");
    let mut holder = Held::start(&place, &["lock", "/l", "--timeout", "1000"]);
    holder.held();
    place.kill();
    let (code, said) = holder.end();
    assert_eq!(code, 123);
    assert!(said.contains("telling the command to end"), "{said}");
}

#[test]
fn a_deleted_znode_ends_the_command() {
    let place = Place::new("deleted");
    let mut holder = Held::start(&place, &["lock", "/l"]);
    let (node, _) = holder.held();
    place.ok(&["rm", &node]);
    let said = format!("grevy: somebody deleted {node}; telling the command to end\n");
    assert_eq!(holder.end(), (123, said));
}

#[test]
fn a_command_that_does_not_end_is_killed() {
    let place = Place::new("grace");
    let script = "trap '' TERM; echo $GREVY_NODE; while read -r line; do :; done";
    let mut child = place
        .command(&["lock", "/l", "--grace", "100", "--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command can be run");
    let stdin = child.stdin.take();
    let mut node = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    stdout.read_line(&mut node).expect("it prints text");
    place.ok(&["rm", node.trim_end()]);
    assert_eq!(child.wait().expect("it ends").code(), Some(123));
    drop(stdin);
}

#[test]
fn candidates_lead_one_after_another() {
    let place = Place::new("elect");
    let mut first = Held::start(&place, &["elect", "/leader", "--id", "one"]);
    let (node, _) = first.held();
    assert!(is_curators(&node, "/leader", "-latch-"), "{node}");
    assert_eq!(place.ok(&["get", &node]), "one");
    let mut second = Held::start(&place, &["elect", "/leader", "--id", "two"]);
    wait_for(&place, "wchs", "Total watches:2");
    assert_eq!(place.ok(&["ls", "/leader"]).lines().count(), 2);
    assert_eq!(first.release().0, 0);
    let (node, _) = second.held();
    assert_eq!(place.ok(&["get", &node]), "two");
    assert_eq!(second.release().0, 0);
}

#[test]
fn a_semaphore_lets_so_many_in() {
    let place = Place::new("semaphore");
    let mut first = Held::start(&place, &["semaphore", "/s", "2"]);
    let (node, _) = first.held();
    assert!(is_curators(&node, "/s/leases", "-lease-"), "{node}");
    let mut second = Held::start(&place, &["semaphore", "/s", "2"]);
    second.held();
    let (code, ..) = place.run(&["semaphore", "/s", "2", "--wait", "0", "--", "true"]);
    assert_eq!(code, 124);
    let mut third = Held::start(&place, &["semaphore", "/s", "2"]);
    assert_eq!(first.release().0, 0);
    third.held();
    assert_eq!(second.release().0, 0);
    assert_eq!(third.release().0, 0);
    assert_eq!(place.ok(&["ls", "/s/leases"]), "");
    assert_eq!(place.ok(&["ls", "/s/locks"]), "");
}

#[test]
fn changes_are_told_in_order() {
    let place = Place::new("watch");
    let script = "echo $GREVY_EVENT $GREVY_PATH; test $GREVY_EVENT != changed || exit 9; \
                  test $GREVY_EVENT != deleted || kill -TERM $PPID";
    let child = place
        .command(&["watch", "-r", "/w", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be run");
    wait_for(&place, "wchs", "Total watches:1");
    place.ok(&["create", "/w/a", "--parents"]);
    place.ok(&["set", "/w/a", "x"]);
    place.ok(&["rm", "/w/a"]);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "grevy: sh ended with 9 for changed /w/a\n",
        "it is said, and the next change runs the command all the same"
    );
    let told = String::from_utf8(output.stdout).expect("it prints text");
    assert_eq!(
        told,
        "created /w\ncreated /w/a\nchanged /w/a\ndeleted /w/a\n"
    );
}

#[test]
fn a_change_is_printed_and_that_is_all() {
    let place = Place::new("watch-once");
    let child = place
        .command(&["watch", "/w", "--once", "--output", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command can be run");
    wait_for(&place, "wchs", "Total watches:1");
    place.ok(&["create", "/w"]);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(
        (told["event"].as_str(), told["path"].as_str()),
        (Some("created"), Some("/w"))
    );
    let zxid = told["zxid"].as_str().expect("it is a string");
    assert!(zxid.starts_with("0x"), "{zxid}");
}

#[test]
fn the_only_change_ends_as_its_command() {
    let place = Place::new("watch-code");
    let child = place
        .command(&["watch", "/w", "--once", "--", "sh", "-c", "exit 9"])
        .spawn()
        .expect("the command can be run");
    wait_for(&place, "wchs", "Total watches:1");
    place.ok(&["create", "/w"]);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(9));
}

#[test]
fn a_new_session_goes_on_watching() {
    let mut place = Place::new("watch-again");
    let mut child = place
        .command(&["watch", "/w", "--timeout", "400"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be run");
    wait_for(&place, "wchs", "Total watches:1");
    let start = Instant::now();
    place.kill();
    // It says so when the session is over, and a new one cannot be had yet; once a second.
    let mut said = BufReader::new(child.stderr.take().expect("it is piped"));
    for _ in 0..3 {
        let mut line = String::new();
        said.read_line(&mut line).expect("it says text");
        assert!(line.contains("is a server running there?"), "{line}");
    }
    assert!(start.elapsed() >= Duration::from_secs(2));
    place.restart();
    let mut told = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut next = || {
        let mut line = String::new();
        told.read_line(&mut line).expect("it prints text");
        line
    };
    assert_eq!(next(), "reconnected /w\n");
    place.ok(&["create", "/w"]);
    assert_eq!(next(), "created /w\n");
    terminate(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
}

#[test]
fn a_connection_that_comes_back_is_told() {
    let mut place = Place::new("watch-absence");
    let mut child = place
        .command(&["watch", "/w", "--timeout", "30000"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command can be run");
    wait_for(&place, "wchs", "Total watches:1");
    place.kill();
    place.restart();
    let mut told = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    told.read_line(&mut line).expect("it prints text");
    assert_eq!(line, "reconnected /w\n");
    terminate(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
}

#[test]
fn a_short_absence_of_the_server_is_survived() {
    let mut place = Place::new("absence");
    let mut holder = Held::start(&place, &["lock", "/l", "--timeout", "30000"]);
    let (node, _) = holder.held();
    place.kill();
    place.restart();
    assert_eq!(
        place.ok(&["ls", "/l"]).trim_end(),
        node.trim_start_matches("/l/")
    );
    assert_eq!(holder.release(), (0, String::new()));
    assert_eq!(place.ok(&["ls", "/l"]), "");
}
