//! The configuration of a server: `zoo.cfg` and `-D` arguments, as ZooKeeper takes them, read into
//! a typed and checked [`Config`].
//!
//! Texts become settings ([`keys`] is the table of all there are), `-D` arguments win over the
//! file, and each part of [`Config`] reads its own. Everything that is wrong is reported at once,
//! with its file and line. Nothing here touches a file but [`OnDisk`].

mod access;
mod administration;
mod arguments;
mod clients;
#[cfg(test)]
mod docs;
mod doubts;
mod endpoint;
mod ensemble;
mod finding;
pub mod keys;
mod limits;
mod number;
mod own_ports;
pub mod properties;
mod quorum;
mod reader;
pub mod rewrite;
mod server_line;
mod settings;
mod storage;
mod suggest;
#[cfg(test)]
mod tests;
mod value;

use std::io;
use std::path::Path;

pub use access::{Access, EnsembleNames, Secret};
pub use administration::{AdminServer, Administration, FourLetterWords, Metrics};
pub use arguments::Arguments;
pub use clients::{Clients, NodeTypes, Timing};
pub use endpoint::{Endpoint, Listen};
pub use ensemble::{Ensemble, Hierarchy};
pub use finding::{ConfigError, Finding, Origin};
pub use limits::Limits;
pub use quorum::{Membership, Quorum};
pub use server_line::{PeerAddress, Role, Server};
pub use storage::{SnapshotCompression, Storage};

use finding::Report;
use reader::Reader;
use settings::Settings;

/// The configuration of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where clients connect.
    pub clients: Clients,
    /// Ticks and session timeouts.
    pub timing: Timing,
    /// Container and TTL nodes.
    pub node_types: NodeTypes,
    /// Where data is kept, and how.
    pub storage: Storage,
    /// What bounds the load.
    pub limits: Limits,
    /// Who may do what.
    pub access: Access,
    /// What operators look at.
    pub administration: Administration,
    /// This server's number, if it has one. A standalone server may.
    pub my_id: Option<i64>,
    /// How ensembles are run.
    pub quorum: Quorum,
    /// This server's place in an ensemble; none if it runs standalone.
    pub membership: Option<Membership>,
}

/// A configuration the server can start with.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What the operator should know.
    pub warnings: Vec<Finding>,
    /// The text of the configuration file; empty if there was none. The admin server shows it.
    pub initial_text: String,
}

/// The files a configuration refers to.
pub trait Files {
    /// Whether there is something of that name, but no directory.
    fn is_no_directory(&self, path: &Path) -> bool;

    /// The bytes of a file; `None` if there is no such file.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
}

/// The files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnDisk;

impl Files for OnDisk {
    fn is_no_directory(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_dir())
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Reads the configuration that the arguments of the server ask for: one file
/// (`QuorumPeerMain`), or `port dataDir [tickTime] [maxClientCnxns]` (`ZooKeeperServerMain`),
/// with `-D` arguments anywhere.
pub fn load(arguments: &Arguments, files: &dyn Files) -> Result<Loaded, ConfigError> {
    let mut report = Report::default();
    let mut settings = Settings::default();
    let mut file = String::new();
    let mut initial_text = String::new();
    match arguments.rest.as_slice() {
        [path] => {
            file.clone_from(path);
            match files.read(Path::new(path)) {
                Ok(Some(bytes)) => {
                    initial_text = properties::decode(&bytes).into_owned();
                    settings.add_file(path, &initial_text, &mut report);
                }
                // A port alone.
                Ok(None) if path.parse::<u16>().is_ok() => return Err(unusable(path, USAGE)),
                Ok(None) => return Err(unusable(path, "file is missing")),
                Err(error) => return Err(unusable(path, &format!("cannot be read: {error}"))),
            }
        }
        [port, data_dir, more @ ..] if more.len() <= 2 => {
            add_direct(&mut settings, port, data_dir, more);
        }
        [] => return Err(unusable("", USAGE)),
        [first, ..] => return Err(unusable(first, USAGE)),
    }
    settings.add_arguments(arguments, &mut report);
    settings.report_support(&mut report);
    let whole = Origin::File(if file.is_empty() {
        "arguments".to_owned()
    } else {
        file.clone()
    });
    let mut reader = Reader::new(&settings, &mut report, whole);
    let config = Config::read(&mut reader, &file, files);
    if report.errors.is_empty() {
        Ok(Loaded {
            config,
            warnings: report.warnings,
            initial_text,
        })
    } else {
        Err(ConfigError {
            errors: report.errors,
            warnings: report.warnings,
        })
    }
}

const USAGE: &str =
    "write one configuration file, or port dataDir [tickTime] [maxClientCnxns], after the command";

/// The direct form, in which ZooKeeper limits connections only when told to.
fn add_direct(settings: &mut Settings, port: &str, data_dir: &str, more: &[String]) {
    let names = ["clientPort", "dataDir", "tickTime", "maxClientCnxns"];
    settings.put(
        "maxClientCnxns",
        "0",
        Origin::Argument("by default".to_owned()),
    );
    let values = [port, data_dir]
        .into_iter()
        .chain(more.iter().map(String::as_str));
    for (name, value) in names.into_iter().zip(values) {
        settings.put(name, value, Origin::Argument(format!("argument {name}")));
    }
}

fn unusable(file: &str, text: &str) -> ConfigError {
    let origin = Origin::File(if file.is_empty() { "arguments" } else { file }.to_owned());
    let error = Finding {
        origin,
        key: String::new(),
        text: text.to_owned(),
    };
    ConfigError {
        errors: vec![error],
        warnings: Vec::new(),
    }
}

impl Config {
    fn read(reader: &mut Reader<'_>, file: &str, files: &dyn Files) -> Self {
        let mut clients = Clients::read(reader);
        let timing = Timing::read(reader);
        let node_types = NodeTypes::read(reader);
        let storage = Storage::read(reader);
        let limits = Limits::read(reader);
        let access = Access::read(reader);
        let administration = Administration::read(reader);
        let quorum = Quorum::read(reader);
        let errors = reader.report.errors.len();
        let my_id_file = storage.my_id_file();
        let my_id = match reader.is_set("dataDir") {
            true => quorum::read_my_id(&my_id_file, files, reader),
            false => None,
        };
        let context = quorum::Context {
            file,
            files,
            quorum: &quorum,
            tick: timing.tick,
            my_id,
            my_id_file: &my_id_file,
            data_dir: &storage.data_dir,
            extended_types: node_types.extended_types,
        };
        let membership = Membership::read(reader, &context, &mut clients);
        if let Some(membership) = &membership {
            own_ports::check(reader, membership, &quorum, &clients, &administration);
        }
        // The line of this server, if it could be read, may say where clients connect.
        let is_understood = reader.report.errors.len() == errors;
        if is_understood && clients.listen.is_none() && !reader.is_set("clientPort") {
            reader.warn(
                "clientPort",
                "is not set, so that no client can connect; add a line clientPort=2181",
            );
        }
        Config {
            clients,
            timing,
            node_types,
            storage,
            limits,
            access,
            administration,
            my_id: my_id.filter(|&id| id >= 0),
            quorum,
            membership,
        }
    }
}
