//! The servers under measurement, as child processes.

mod child;
mod ensemble;
mod java;
mod snapshots;

pub use child::{Child, exec_bound_to_parent};
pub use ensemble::Ensemble;
pub use snapshots::{SnapshotWatch, Window};

use crate::failure::{Failure, Result};
use crate::process_stat::{self, Cpu};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Apache ZooKeeper.
    Java,
    Grevy,
    /// The floor, see [`crate::floor::echo`].
    Echo,
    /// One that runs already.
    Address {
        address: SocketAddr,
        pid: Option<u32>,
    },
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Java => f.write_str("java"),
            Kind::Grevy => f.write_str("grevy"),
            Kind::Echo => f.write_str("echo"),
            Kind::Address { address, .. } => write!(f, "{address}"),
        }
    }
}

/// A server as the load sees it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub address: SocketAddr,
    /// Its process, if known.
    pub pid: Option<u32>,
    /// The processes of the other members of its ensemble.
    pub others: [Option<u32>; 2],
}

impl Target {
    /// A server that is alone.
    pub fn alone(address: SocketAddr, pid: Option<u32>) -> Target {
        Target {
            address,
            pid,
            others: [None; 2],
        }
    }

    /// Processor time used so far, of all members of an ensemble; `None` if the process is not known.
    pub fn cpu(&self) -> Result<Option<Cpu>> {
        let Some(pid) = self.pid else {
            return Ok(None);
        };
        let mut cpu = Cpu::of(pid)?;
        for other in self.others.into_iter().flatten() {
            cpu = cpu + Cpu::of(other)?;
        }
        Ok(Some(cpu))
    }

    /// Resident bytes; `None` if the process is not known.
    pub fn resident_bytes(&self) -> Result<Option<u64>> {
        self.pid.map(process_stat::resident_bytes).transpose()
    }
}

/// Starts servers.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// Holds data, logs and the jars.
    pub work: PathBuf,
    /// The binary of Grevy.
    pub grevy: PathBuf,
    /// Options for the Java machine, such as `-Xmx2g`.
    pub java_options: Vec<String>,
    /// More lines for both configuration files.
    pub config: Vec<String>,
}

/// A server's data folder and settings; outlives the processes that use it.
pub struct Home {
    pub kind: Kind,
    pub data: PathBuf,
    /// More lines for its configuration file alone.
    extra: String,
    /// Servers to which the floor beneath an ensemble sends its writes; `None`: it is one of these itself.
    mirrors: Option<Vec<SocketAddr>>,
    snap_count: u64,
    launcher: Launcher,
}

impl Launcher {
    /// An empty home. `name` tells the logs of different rows apart.
    pub fn home(&self, kind: Kind, name: &str, snap_count: u64) -> Result<Home> {
        let data = self.work.join(format!("{kind}-{name}"));
        if data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        std::fs::create_dir_all(&data)?;
        Ok(Home {
            kind,
            data,
            extra: String::new(),
            mirrors: Some(Vec::new()),
            snap_count,
            launcher: self.clone(),
        })
    }
}

impl Home {
    /// Transactions between snapshots for the next start.
    pub fn set_snap_count(&mut self, snap_count: u64) {
        self.snap_count = snap_count;
    }

    /// Starts a process on a free loopback port. It may not serve yet.
    pub fn start(&self) -> Result<Child> {
        let address = match self.kind {
            Kind::Address { address, .. } => address,
            _ => free_address()?,
        };
        self.start_at(address)
    }

    /// Starts a process at `address`.
    fn start_at(&self, address: SocketAddr) -> Result<Child> {
        let config = self.data.join("zoo.cfg");
        std::fs::write(&config, self.config(address))?;
        let command = match self.kind {
            Kind::Address { address, pid } => {
                return Ok(Child::foreign(Target::alone(address, pid)));
            }
            Kind::Java => java::command(&self.launcher, &config)?,
            Kind::Grevy => {
                let mut command = Command::new(&self.launcher.grevy);
                command.arg("server").arg(&config);
                command
            }
            Kind::Echo => {
                let mut command = Command::new(child::THIS_BINARY);
                command.arg(match self.mirrors {
                    Some(_) => "echo-server",
                    None => "mirror-server",
                });
                command.arg(address.to_string()).arg("--log");
                command.arg(self.data.join("log"));
                for mirror in self.mirrors.iter().flatten() {
                    command.arg("--mirror").arg(mirror.to_string());
                }
                command
            }
        };
        Child::spawn(command, address, self.data.join("output.log"))
    }

    /// Removes the data.
    pub fn remove(self) {
        if let Err(error) = std::fs::remove_dir_all(&self.data) {
            eprintln!("cannot remove {}: {error}", self.data.display());
        }
    }

    fn config(&self, address: SocketAddr) -> String {
        let mut text = format!(
            "tickTime=2000\ndataDir={}\nclientPortAddress={}\nclientPort={}\nmaxClientCnxns=0\n\
             admin.enableServer=false\nforceSync=yes\nsnapCount={}\n",
            self.data.display(),
            address.ip(),
            address.port(),
            self.snap_count,
        );
        text.push_str(&self.extra);
        for line in &self.launcher.config {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.local_addr().map_err(Failure::from)
}
