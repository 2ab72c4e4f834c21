//! A server that is told to end while its disk does not answer.

use crate::client::Client;
use crate::place::PATIENCE;
use grevy_proto::ErrorCode;
use grevy_server::config::{self, Arguments, OnDisk};
use grevy_server::server::{Server, StartError};
use grevy_storage::disk::{Lock, OpenMode};
use grevy_storage::{Disk, DiskError, File, RealDisk};
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Lets syncs through, or none of them.
#[derive(Default)]
struct Gate {
    is_shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn set(&self, is_shut: bool) {
        *self.is_shut.lock().expect("nobody panics") = is_shut;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let is_shut = self.is_shut.lock().expect("nobody panics");
        drop(self.opened.wait_while(is_shut, |is_shut| *is_shut));
    }
}

/// The real disk behind a gate.
struct Gated(Arc<Gate>);

struct GatedFile(Box<dyn File>, Arc<Gate>);

impl Disk for Gated {
    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        RealDisk.list(dir)
    }

    fn create_dir(&self, dir: &Path) -> Result<(), DiskError> {
        RealDisk.create_dir(dir)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> Result<Box<dyn File>, DiskError> {
        let file = RealDisk.open(path, mode)?;
        Ok(Box::new(GatedFile(file, self.0.clone())))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        RealDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.0.pass();
        RealDisk.sync_dir(dir)
    }

    fn lock(&self, dir: &Path) -> Result<Lock, DiskError> {
        RealDisk.lock(dir)
    }
}

impl File for GatedFile {
    fn len(&self) -> Result<u64, DiskError> {
        self.0.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        self.0.read_at(buf, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<(), DiskError> {
        self.0.write_at(data, offset)
    }

    fn set_len(&self, len: u64) -> Result<(), DiskError> {
        self.0.set_len(len)
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.1.pass();
        self.0.sync()
    }
}

fn start(file: &Path, disk: impl Disk + 'static) -> Result<Server, StartError> {
    let arguments = Arguments::parse([file.display().to_string()]);
    let loaded = config::load(&arguments, &OnDisk).expect("a good configuration");
    Server::start_on(loaded, Arc::new(disk))
}

/// A server in a thread of its own, and how to end it.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    /// Whether everything is durable.
    thread: JoinHandle<bool>,
}

impl Running {
    fn new(server: Server) -> Self {
        let address = server.address().expect("it has a client port");
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            let durable = runtime.block_on(server.run(async { drop(stopped.await) }));
            durable.expect("it runs")
        });
        Self {
            address,
            stop,
            thread,
        }
    }

    /// Ends it. Returns whether everything is durable.
    fn end(self) -> bool {
        drop(self.stop);
        self.thread.join().expect("it ends in order")
    }
}

#[test]
fn a_disk_that_does_not_answer_is_not_waited_for() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("server-stuck-disk");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory for the test");
    let file = directory.join("zoo.cfg");
    let text = format!(
        "dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\ntickTime=100\n\
         admin.enableServer=false\n",
        directory.join("data").display()
    );
    fs::write(&file, text).expect("a file for the test");
    let gate = Arc::new(Gate::default());
    let server = start(&file, Gated(gate.clone())).expect("the server starts");
    let running = Running::new(server);
    let mut client = Client::connect(running.address);
    client.create("/acknowledged", b"x", 0);
    gate.set(true);
    let write = Client::set_frame("/acknowledged", b"y");
    client
        .stream
        .write_all(&write)
        .expect("the server takes it");
    assert!(!running.end(), "what was written is not durable");
    client.wait_for_end();
    // Here the process would end. What is under way in this one has to, first.
    gate.set(false);
    let end = Instant::now() + PATIENCE;
    let server = loop {
        match start(&file, RealDisk) {
            Ok(server) => break server,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        sleep(Duration::from_millis(10));
    };
    let running = Running::new(server);
    let mut client = Client::connect(running.address);
    assert_eq!(client.get("/acknowledged"), ErrorCode::Ok);
    assert!(running.end());
}
