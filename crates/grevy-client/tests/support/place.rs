//! A Grevy server in this process.

use grevy_client::{Client, Connector};
use grevy_server::config::{self, Arguments, OnDisk};
use grevy_server::server::Server;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// A running server. Its ticks are short, so that sessions expire soon when they are to.
pub struct Place {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Place {
    /// Starts a server in a new directory.
    pub fn new(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{}-{name}", env!("CARGO_PKG_NAME")));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("a directory for the test");
        let file = directory.join("zoo.cfg");
        let text = format!(
            "dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\ntickTime=100\n\
             minSessionTimeout=200\nmaxSessionTimeout=60000\nadmin.enableServer=false\n\
             4lw.commands.whitelist=isro\n\
             extendedTypesEnabled=true\n",
            directory.join("data").display()
        );
        fs::write(&file, text).expect("a file for the test");
        let arguments = Arguments::parse([file.display().to_string()]);
        let loaded = config::load(&arguments, &OnDisk).expect("a good configuration");
        let server = Server::start(loaded).expect("the server starts");
        let (stop, stopped) = oneshot::channel();
        Self {
            address: server.address().expect("it has a client port"),
            stop: Some(stop),
            thread: Some(std::thread::spawn(move || run(server, stopped))),
        }
    }

    /// How to connect to it.
    pub fn connector(&self) -> Connector {
        connector(self.address)
    }

    /// A client of it.
    pub async fn client(&self) -> Client {
        self.connector()
            .connect()
            .await
            .expect("the server takes a session")
    }
}

/// How to connect to an address. Tests that want a session to expire ask for less time.
pub fn connector(address: SocketAddr) -> Connector {
    Connector::new(&address.to_string())
        .expect("an address is a connection string")
        .session_timeout(Duration::from_secs(30))
        .pauses(Duration::from_millis(10), Duration::from_millis(100))
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
