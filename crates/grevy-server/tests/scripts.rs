//! The scripts in `bin/`, with a stand-in for the `grevy` program that tells how it was called.

#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

/// A directory with a configuration and a stand-in program, of its own for each test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str, configuration: &str) -> Self {
        let place = Place(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        let _ = fs::remove_dir_all(&place.0);
        fs::create_dir_all(place.0.join("conf")).expect("a directory for the test");
        let configuration = configuration.replace("DIR", &place.0.display().to_string());
        fs::write(place.0.join("conf/zoo.cfg"), configuration).expect("a file for the test");
        let program = "#!/bin/sh\n\
            [ \"$1\" = server ] && [ -n \"$FAKE_RUNS\" ] && exec sleep 60\n\
            for argument in \"$@\"; do printf '<%s>' \"$argument\"; done; echo\n";
        let path = place.0.join("grevy");
        fs::write(&path, program).expect("a file for the test");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
        place
    }

    fn run(&self, script: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let bin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bin");
        let mut command = Command::new("bash");
        command.arg(bin.join(script)).args(arguments).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("USER", "me").env("HOSTNAME", "here");
        command
            .env("GREVY", self.path("grevy"))
            .env("ZOOCFGDIR", self.path("conf"));
        command.env("ZOO_LOG_DIR", self.path("logs"));
        command
            .envs(variables.iter().copied())
            .output()
            .expect("bash runs")
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_server_in_the_foreground() {
    let place = Place::new("foreground", "dataDir=DIR/data\nclientPort=1\n");
    let flags = [("SERVER_JVMFLAGS", "-Da=1 -Xmx1g"), ("JVMFLAGS", "-Db=2")];
    for no_exec in ["", "yes"] {
        let variables = [flags[0], flags[1], ("ZOO_NOEXEC", no_exec)];
        let output = place.run("zkServer.sh", &["start-foreground"], &variables);
        let config = place.path("conf/zoo.cfg");
        assert_eq!(
            stdout(&output),
            format!("<server><{config}><-Da=1><-Xmx1g><-Db=2>\n")
        );
        assert_eq!(
            output.stderr,
            format!("Using config: {config}\n").into_bytes()
        );
    }
    let output = place.run(
        "zkServer.sh",
        &["--config", "/x", "start-foreground", "y.cfg"],
        &[],
    );
    assert_eq!(stdout(&output), "<server></x/y.cfg>\n");
    let output = place.run("zkServer.sh", &["start-foreground", "/a/b.cfg"], &[]);
    assert_eq!(stdout(&output), "<server></a/b.cfg>\n");
    let output = place.run("zkServer.sh", &["version"], &[]);
    assert_eq!(stdout(&output), "<--version>\n");
    let output = place.run("zkServer.sh", &["print-cmd"], &flags);
    let out = place.path("logs/zookeeper-me-server-here.out");
    assert_eq!(
        stdout(&output),
        format!(
            "\"{}\" server \"{}\" -Da=1 -Xmx1g -Db=2 > \"{out}\" 2>&1 < /dev/null\n",
            place.path("grevy"),
            place.path("conf/zoo.cfg")
        )
    );
    let output = place.run("zkServer.sh", &["dance"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("Usage: "));
}

#[test]
fn directories_that_must_be_there() {
    let place = Place::new("autocreate", "dataDir = DIR/data \n");
    let variables = [("ZOO_DATADIR_AUTOCREATE_DISABLE", "1")];
    let run = || place.run("zkServer.sh", &["start-foreground"], &variables);
    let output = run();
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).starts_with("ZooKeeper data directory is missing at "));
    fs::create_dir_all(place.path("data/version-2")).expect("a directory for the test");
    assert!(stdout(&run()).ends_with("<-Dzookeeper.datadir.autocreate=false>\n"));
}

#[test]
fn a_server_in_the_background() {
    let place = Place::new("background", "dataDir=DIR/data\nclientPort=1\n");
    let runs = [("FAKE_RUNS", "1")];
    let pid_file = place.path("data/zookeeper_server.pid");
    let output = place.run("zkServer.sh", &["stop"], &runs);
    assert_eq!(
        stdout(&output),
        format!("Stopping zookeeper ... no zookeeper to stop (could not find file {pid_file})\n")
    );
    assert_eq!(output.status.code(), Some(0));

    let output = place.run("zkServer.sh", &["start"], &runs);
    assert_eq!(stdout(&output), "Starting zookeeper ... STARTED\n");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("Using config: {}\n", place.path("conf/zoo.cfg"))
    );
    let pid = fs::read_to_string(&pid_file).expect("start wrote it");
    let output = place.run("zkServer.sh", &["start"], &runs);
    assert_eq!(
        stdout(&output),
        format!("Starting zookeeper ... already running as process {pid}.\n")
    );
    assert_eq!(output.status.code(), Some(1));
    let output = place.run("zkServer.sh", &["restart"], &runs);
    assert_eq!(
        stdout(&output),
        "Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n"
    );
    assert_ne!(fs::read_to_string(&pid_file).expect("start wrote it"), pid);
    let output = place.run("zkServer.sh", &["stop"], &runs);
    assert_eq!(stdout(&output), "Stopping zookeeper ... STOPPED\n");
    assert!(!Path::new(&pid_file).exists());

    // The stand-in ends at once without FAKE_RUNS, as a server with a bad configuration does.
    let output = place.run(
        "zkServer.sh",
        &["start"],
        &[("ZOOPIDFILE", &place.path("run/pid"))],
    );
    assert_eq!(stdout(&output), "Starting zookeeper ... FAILED TO START\n");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_pid_file_that_holds_no_pid_stops_nothing() {
    let place = Place::new("pid", "dataDir=DIR/data\n");
    for text in ["", "abc", "-1", "1", "0", "x 12"] {
        fs::write(place.path("pid"), text).expect("a file for the test");
        let output = place.run(
            "zkServer.sh",
            &["stop"],
            &[("ZOOPIDFILE", &place.path("pid"))],
        );
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(stdout(&output).contains("holds no process id"), "{text}");
    }
}

/// Answers one four-letter word.
fn answer_once(text: &'static str) -> (u16, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    let answering = thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("a connection");
        let mut word = [0; 4];
        connection.read_exact(&mut word).expect("a word");
        connection.write_all(text.as_bytes()).expect("an answer");
        String::from_utf8_lossy(&word).into_owned()
    });
    (port, answering)
}

#[test]
fn the_status_of_a_server() {
    const SRVR: &str = "Zookeeper version: 3.9.5\nZxid: 0x0\nMode: standalone\nNode count: 5\n";
    // Where the client's port can stand: the configuration, the server's line, the dynamic file.
    let cases = [
        ("clientPort=PORT\nclientPortAddress=127.0.0.1", ""),
        ("clientPort = PORT\nclientPortAddress : 127.0.0.1", ""),
        (
            "server.1=a:1:2;127.0.0.1:9\nserver.2=b:1:2:participant;127.0.0.1:PORT",
            "",
        ),
        (
            "dynamicConfigFile=DIR/dynamic",
            "server.2=b:1:2;127.0.0.1:PORT\n",
        ),
    ];
    for (index, (text, dynamic)) in cases.into_iter().enumerate() {
        let (port, answering) = answer_once(SRVR);
        let with_port = |text: &str| text.replace("PORT", &port.to_string());
        let text = format!("dataDir=DIR/data\n{}\n", with_port(text));
        let place = Place::new(&format!("status{index}"), &text);
        fs::create_dir_all(place.path("data")).expect("a directory for the test");
        fs::write(place.path("data/myid"), "2\n").expect("a file for the test");
        fs::write(place.path("dynamic"), with_port(dynamic)).expect("a file for the test");
        let output = place.run("zkServer.sh", &["status"], &[]);
        let expected = format!(
            "Client port found: {port}. Client address: 127.0.0.1. Client SSL: false.\n\
             Mode: standalone\n"
        );
        assert!(
            stdout(&output).ends_with(&expected),
            "{text}\n{}",
            stdout(&output)
        );
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(answering.join().expect("it was asked"), "srvr");
    }
}

#[test]
fn the_status_of_no_server() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    drop(listener);
    let text = format!("dataDir=DIR\nclientPort={port}\nclientPortAddress=127.0.0.1\n");
    let output = Place::new("nostatus", &text).run("zkServer.sh", &["status"], &[]);
    assert!(stdout(&output).ends_with("\nError contacting service. It is probably not running.\n"));
    assert_eq!(output.status.code(), Some(1));
    let output = Place::new("noport", "dataDir=DIR\n").run("zkServer.sh", &["status"], &[]);
    assert!(stdout(&output).ends_with("client port in any configs. Terminating.\n"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_other_scripts_pass_on_what_they_are_given() {
    let place = Place::new("others", "dataDir=DIR/data\n");
    let data = place.path("data");
    let output = place.run("zkCli.sh", &["-server", "a:1", "get", "/a b"], &[]);
    assert_eq!(stdout(&output), "<zkcli><-server><a:1><get></a b>\n");
    let output = place.run("zkCleanup.sh", &["-n", "5"], &[]);
    assert_eq!(stdout(&output), format!("<purge><{data}><-n><5>\n"));
    let place = Place::new("others", "dataDir=DIR/data\ndataLogDir=DIR/log\n");
    let output = place.run("zkCleanup.sh", &["-n", "5"], &[]);
    assert_eq!(
        stdout(&output),
        format!("<purge><{}><{data}><-n><5>\n", place.path("log"))
    );
}

#[test]
fn data_directories_are_prepared() {
    let place = Place::new("initialize", "dataDir=DIR/data\ndataLogDir=DIR/log\n");
    let run = |arguments: &[&str]| place.run("zkServer-initialize.sh", arguments, &[]);
    let output = run(&["--myid=7"]);
    assert_eq!(
        (stdout(&output).as_str(), output.status.code()),
        ("Using myid of 7\n", Some(0))
    );
    assert_eq!(
        fs::read_to_string(place.path("data/myid")).expect("it wrote it"),
        "7\n"
    );
    assert!(
        Path::new(&place.path("log/initialize")).exists(),
        "where a server looks for it"
    );

    fs::write(place.path("data/version-2/snapshot.0"), "x").expect("a file for the test");
    let output = run(&["--myid", "8"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).starts_with("ZooKeeper data directory already exists at "));
    assert!(Path::new(&place.path("data/version-2/snapshot.0")).exists());
    let output = run(&["--force"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(!Path::new(&place.path("data/version-2/snapshot.0")).exists());
    assert!(!Path::new(&place.path("data/myid")).exists());

    for wrong in [
        &["--myid=x"][..],
        &["--what"],
        &["--configfile=/none"],
        &["--myid"],
    ] {
        assert_eq!(run(wrong).status.code(), Some(1), "{wrong:?}");
    }
}
