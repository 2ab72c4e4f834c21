//! A server of its own for each test, and the command.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An empty directory for a test.
pub fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tools-{name}"));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory for the test");
    directory
}

/// A running server.
pub struct Place {
    pub directory: PathBuf,
    pub server: String,
    child: Child,
}

impl Place {
    /// Starts a server on an empty directory.
    pub fn new(name: &str) -> Self {
        Self::start(directory(name), "")
    }

    /// Starts a server on what is in the directory, with more lines for its configuration.
    pub fn start(directory: PathBuf, lines: &str) -> Self {
        let file = directory.join("zoo.cfg");
        let text = format!(
            "dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\ntickTime=200\n\
             maxSessionTimeout=60000\nadmin.enableServer=false\nextendedTypesEnabled=true\n4lw.commands.whitelist=*\n{lines}",
            directory.join("data").display()
        );
        fs::write(&file, text).expect("a file for the test");
        let mut place = Self {
            server: String::new(),
            child: spawn(&directory),
            directory,
        };
        place.server = format!("127.0.0.1:{}", place.wait_for_port());
        place
    }

    fn wait_for_port(&mut self) -> String {
        let file = self.data().join("client.port");
        let end = Instant::now() + PATIENCE;
        loop {
            match fs::read_to_string(&file) {
                Ok(port) if port.trim_end().parse::<u16>().is_ok() => {
                    return port.trim_end().to_owned();
                }
                Err(error) if error.kind() != ErrorKind::NotFound => panic!("{error}"),
                _ => {}
            }
            let ended = self.child.try_wait().expect("a child's state");
            assert_eq!(ended, None, "the server ended");
            assert!(Instant::now() < end, "no port within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Stops it in an orderly way, and leaves its files.
    pub fn stop(mut self) -> PathBuf {
        let directory = self.directory.clone();
        terminate(&self.child);
        let ended = self.child.wait().expect("the server ends");
        assert!(ended.success(), "{ended}");
        directory
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server ends");
    }

    /// Starts it again after it was killed, on the same port.
    pub fn restart(&mut self) {
        let port = self
            .server
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .to_owned();
        let file = self.directory.join("zoo.cfg");
        let text = fs::read_to_string(&file).expect("its configuration");
        let text = text.replace("clientPort=0\n", &format!("clientPort={port}\n"));
        fs::write(&file, text).expect("a file for the test");
        let _ = fs::remove_file(self.data().join("client.port"));
        self.child = spawn(&self.directory);
        assert_eq!(self.wait_for_port(), port);
    }

    /// The command with the server set.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = grevy(arguments);
        command.env("GREVY_SERVER", &self.server);
        command
    }

    /// Runs a command; returns its exit code, stdout and stderr.
    pub fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        finish(self.command(arguments))
    }

    /// Runs a command that must succeed; returns what it printed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}: {out}");
        out
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It may have been stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a server on the configuration in a directory.
fn spawn(directory: &Path) -> Child {
    let log = fs::File::create(directory.join("server.log")).expect("a file for the test");
    Command::new(env!("CARGO_BIN_EXE_grevy"))
        .arg("server")
        .arg(directory.join("zoo.cfg"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the server can be run")
}

/// The command, apart from the environment of whoever runs the tests.
pub fn grevy(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grevy"));
    command
        .args(arguments)
        .env_remove("GREVY_SERVER")
        .env_remove("GREVY_AUTH")
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn finish(mut command: Command) -> (i32, String, String) {
    texts(command.output().expect("the command can be run"))
}

/// Runs a command with this on its standard input.
pub fn finish_with(mut command: Command, input: &str) -> (i32, String, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be run");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    texts(child.wait_with_output().expect("the command ends"))
}

/// Asks a process to end.
pub fn terminate(child: &Child) {
    signal(child, "TERM");
}

/// Sends a signal, by its name.
pub fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let killed = Command::new("kill").args(["-s", name, &id]).status();
    assert!(killed.is_ok_and(|status| status.success()));
}

fn texts(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("the output is text");
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}
