//! A Grevy server in this process.

use grevy_client::{Client, Connector};
use grevy_server::config::{self, Arguments, OnDisk};
use grevy_server::server::Server;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Tells this process's directories apart.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A running server, on a free port and with a new directory; both go when it is dropped.
///
/// Its ticks are short, so that sessions expire soon when they are to. It does not wait for the
/// disk, since what it writes need not outlive the machine.
///
/// ```
/// use grevy_client::Client;
/// use grevy_testing::Place;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let place = Place::new("orders");
/// let client = Client::connect(&place.address.to_string()).await?;
/// assert!(client.state().is_connected());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Place {
    /// Where clients connect.
    pub address: SocketAddr,
    directory: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Place {
    /// Starts a server. Its directory is named after the test, in case one is left behind.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn new(name: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = format!("grevy-{name}-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(directory);
        // A process of the same number may have been killed in the midst of a test.
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
        let file = file.display().to_string();
        let arguments = Arguments::parse([file, "-Dzookeeper.forceSync=no".to_owned()]);
        let loaded = config::load(&arguments, &OnDisk).expect("a good configuration");
        let server = Server::start(loaded).expect("the server starts");
        let (stop, stopped) = oneshot::channel();
        Self {
            address: server.address().expect("it has a client port"),
            directory,
            stop: Some(stop),
            thread: Some(std::thread::spawn(move || serve(server, stopped))),
        }
    }

    /// How to connect to it.
    pub fn connector(&self) -> Connector {
        connector(self.address)
    }

    /// A client of it.
    ///
    /// # Panics
    ///
    /// If the server does not take it.
    pub async fn client(&self) -> Client {
        self.connector()
            .connect()
            .await
            .expect("the server takes a session")
    }
}

/// How to connect to an address. Tests that want a session to expire ask for less time.
pub(crate) fn connector(address: SocketAddr) -> Connector {
    Connector::new(&address.to_string())
        .expect("an address is a connection string")
        .session_timeout(Duration::from_secs(30))
        .pauses(Duration::from_millis(10), Duration::from_millis(100))
}

fn serve(server: Server, stopped: oneshot::Receiver<()>) {
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
        let ended = self.thread.take().map(JoinHandle::join);
        // It is small enough to be left behind if need be.
        let _ = fs::remove_dir_all(&self.directory);
        assert!(std::thread::panicking() || !matches!(ended, Some(Err(_))));
    }
}
