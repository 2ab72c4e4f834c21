//! Folders, ports and configurations of a local ensemble.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

/// Where each kind of port begins.
const QUORUM_PORT: u16 = 2888;
const ELECTION_PORT: u16 = 3888;
const ADMIN_PORT: u16 = 8081;
/// ZooKeeper's usual client port: an ensemble elsewhere has its other ports as far away.
const CLIENT_PORT: u16 = 2181;

/// How an ensemble is laid out.
#[derive(Debug)]
pub struct Layout {
    /// How many servers vote; they come first.
    pub voters: u16,
    /// How many observe.
    pub observers: u16,
    /// Where the servers' folders are.
    pub dir: PathBuf,
    /// The first client port.
    pub port: u16,
}

/// One server's place.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its number, from 1.
    pub id: u16,
    /// Whether it has no vote.
    pub observes: bool,
    /// Where clients connect, on the loopback address.
    pub client_port: u16,
    /// Its zoo.cfg.
    pub config: PathBuf,
    /// What it says.
    pub log: PathBuf,
}

impl Layout {
    /// Writes what the servers need. Data that is there stays.
    pub fn write(&self) -> io::Result<Vec<Place>> {
        let places: Vec<Place> = (1..=self.voters + self.observers)
            .map(|id| self.place(id))
            .collect();
        for place in &places {
            let data = self.data(place.id);
            let described = |error| in_folder(&data, error);
            fs::create_dir_all(&data).map_err(described)?;
            fs::write(data.join("myid"), format!("{}\n", place.id)).map_err(described)?;
            fs::write(&place.config, self.config(place)).map_err(described)?;
        }
        Ok(places)
    }

    /// Fails if a port is taken: whoever has it would be taken for one of these servers.
    pub fn check_ports(&self) -> io::Result<()> {
        for id in 1..=self.voters + self.observers {
            let others = [QUORUM_PORT, ELECTION_PORT, ADMIN_PORT].map(|kind| self.port(kind, id));
            for port in [self.place(id).client_port].into_iter().chain(others) {
                if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                    let text = format!(
                        "server {id} needs port {port}: {error}; choose others with --port"
                    );
                    return Err(io::Error::new(error.kind(), text));
                }
            }
        }
        Ok(())
    }

    fn place(&self, id: u16) -> Place {
        let folder = self.dir.join(id.to_string());
        Place {
            id,
            observes: id > self.voters,
            client_port: self.port + id - 1,
            config: folder.join("zoo.cfg"),
            log: folder.join("log"),
        }
    }

    fn data(&self, id: u16) -> PathBuf {
        self.dir.join(id.to_string()).join("data")
    }

    /// The port that is as far from its kind's beginning as the clients' are from theirs.
    fn port(&self, begin: u16, id: u16) -> u16 {
        self.port
            .wrapping_sub(CLIENT_PORT)
            .wrapping_add(begin)
            .wrapping_add(id - 1)
    }

    fn config(&self, place: &Place) -> String {
        let data = self.data(place.id);
        let data = fs::canonicalize(&data).unwrap_or(data);
        let mut text = format!(
            "tickTime=2000\n\
             initLimit=10\n\
             syncLimit=5\n\
             dataDir={}\n\
             admin.serverAddress=127.0.0.1\n\
             admin.serverPort={}\n\
             4lw.commands.whitelist=*\n",
            data.display(),
            self.port(ADMIN_PORT, place.id)
        );
        if place.observes {
            text.push_str("peerType=observer\n");
        }
        for id in 1..=self.voters + self.observers {
            let role = match id > self.voters {
                true => "observer",
                false => "participant",
            };
            // With the clients' address, so that whoever knows one server finds the others.
            // Writing into a string cannot fail.
            let _ = writeln!(
                text,
                "server.{id}=127.0.0.1:{}:{}:{role};127.0.0.1:{}",
                self.port(QUORUM_PORT, id),
                self.port(ELECTION_PORT, id),
                self.place(id).client_port
            );
        }
        text
    }
}

impl Place {
    /// Opens the log file, to go on at its end.
    pub fn open_log(&self) -> io::Result<File> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(|error| in_folder(&self.log, error))
    }
}

fn in_folder(path: &Path, error: io::Error) -> io::Error {
    let text = format!(
        "{}: {error}; choose another place with --dir",
        path.display()
    );
    io::Error::new(error.kind(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_have_ports_and_roles_of_their_own() {
        let layout = Layout {
            voters: 2,
            observers: 1,
            dir: PathBuf::from("/nowhere"),
            port: 12181,
        };
        let place = layout.place(3);
        assert!(place.observes);
        assert_eq!(place.client_port, 12183);
        let text = layout.config(&place);
        for line in [
            "admin.serverPort=18083",
            "peerType=observer",
            "server.1=127.0.0.1:12888:13888:participant;127.0.0.1:12181",
            "server.3=127.0.0.1:12890:13890:observer;127.0.0.1:12183",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
