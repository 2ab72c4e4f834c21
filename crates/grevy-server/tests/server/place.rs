//! A server of its own for each test.

use grevy_server::config::{self, Arguments, OnDisk};
use grevy_server::server::Server;
use grevy_server::shared::Shared;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long to wait for what must come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Lets the system choose a client port.
const CLIENT_PORT: &str = "clientPort=0\nclientPortAddress=127.0.0.1\n";

/// A running server.
pub struct Place {
    pub shared: Arc<Shared>,
    pub address: SocketAddr,
    pub admin: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Place {
    /// Starts a server in a new directory, with more lines for its configuration.
    pub fn new(name: &str, lines: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("server-{name}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("a directory for the test");
        Self::configured(&directory, &format!("{CLIENT_PORT}{lines}"))
    }

    /// The same with `-D` arguments.
    pub fn with_arguments(name: &str, lines: &str, arguments: &[&str]) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("server-{name}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("a directory for the test");
        let file = configuration(&directory, &format!("{CLIENT_PORT}{lines}"));
        Self::start_with(&file, arguments)
    }

    /// The same for server 1 of an ensemble, with more lines for its configuration.
    pub fn member(name: &str, lines: &str) -> Self {
        Self::unnamed(name, &format!("{CLIENT_PORT}{lines}"))
    }

    /// The same without a client port, unless the lines have one.
    pub fn unnamed(name: &str, lines: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("member-{name}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(directory.join("data")).expect("a directory for the test");
        fs::write(directory.join("data/myid"), "1\n").expect("a file for the test");
        Self::configured(&directory, lines)
    }

    fn configured(directory: &Path, lines: &str) -> Self {
        Self::start(&configuration(directory, lines))
    }

    /// Starts a server as a configuration file says.
    pub fn start(file: &Path) -> Self {
        Self::start_with(file, &[])
    }

    fn start_with(file: &Path, arguments: &[&str]) -> Self {
        let file = file.display().to_string();
        let arguments = Arguments::parse([&*file].iter().chain(arguments).copied());
        let loaded = config::load(&arguments, &OnDisk).expect("a good configuration");
        let server = Server::start(loaded).expect("the server starts");
        let (stop, stopped) = oneshot::channel();
        Self {
            shared: server.shared().clone(),
            address: server.address().expect("it has a client port"),
            admin: server.admin_address(),
            stop: Some(stop),
            thread: Some(std::thread::spawn(move || run(server, stopped))),
        }
    }

    /// Returns once no connection is left.
    pub fn wait_for_the_last_connection_to_end(&self) {
        self.wait_until(|| self.shared.clients.is_empty(), "all connections end");
    }

    /// For what nobody is told of, such as the end of a connection whose client does not listen.
    pub fn wait_until(&self, done: impl Fn() -> bool, what: &str) {
        let end = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends bytes and reads until the server ends the connection, and has forgotten it.
    pub fn word(&self, bytes: &[u8]) -> String {
        let before = self.shared.clients.len();
        let answer = exchange(self.address, bytes);
        let is_gone = || self.shared.clients.len() <= before;
        self.wait_until(is_gone, "the connection is forgotten");
        answer
    }

    /// Asks the admin server; returns the status, the headers and the body.
    pub fn http(&self, request: &str, headers: &str, body: &str) -> (u16, String, String) {
        let admin = self.admin.expect("there is an admin server");
        let len = body.len();
        let answer = exchange(
            admin,
            format!(
                "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len}\r\n\
                 {headers}\r\n{body}"
            )
            .as_bytes(),
        );
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (status.expect("a status"), head.to_owned(), body.to_owned())
    }

    /// A command's answer.
    pub fn command(&self, name: &str) -> serde_json::Value {
        let (_, _, body) = self.http(&format!("GET /commands/{name}"), "", "");
        serde_json::from_str(&body).expect("the answer is JSON")
    }
}

fn run(server: Server, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let durable = runtime.block_on(server.run(async { drop(stopped.await) }));
    assert!(durable.is_ok());
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok());
        }
    }
}

/// Writes a configuration file into a directory.
fn configuration(directory: &Path, lines: &str) -> PathBuf {
    let file = directory.join("zoo.cfg");
    let text = format!(
        "dataDir={}\ntickTime=2000\nadmin.serverAddress=127.0.0.1\nadmin.serverPort=0\n{lines}",
        directory.join("data").display()
    );
    fs::write(&file, text).expect("a file for the test");
    file
}

/// Sends bytes and reads until the other side ends the connection.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("the port is open");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("a time limit");
    stream.write_all(bytes).expect("the request is taken");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the answer ends");
    String::from_utf8_lossy(&answer).into_owned()
}
