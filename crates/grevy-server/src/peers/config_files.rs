//! The configuration files of a member, kept as new as its configuration, so that it finds its
//! ensemble after a restart. Source: `QuorumPeer.setLastSeenQuorumVerifier`,
//! `setQuorumVerifier`, `QuorumPeerConfig.backupOldConfig`.
//!
//! | file | has |
//! | --- | --- |
//! | `zoo.cfg` | the settings, and from the first change on the name of the next file |
//! | `zoo.cfg.dynamic.<version>` | the configuration in force |
//! | `zoo.cfg.dynamic.next` | one that is proposed |
//! | `zoo.cfg.bak` | `zoo.cfg` as it was when it had all |

use crate::config::rewrite::{Moved, dynamic_text, static_text};
use crate::config::{Membership as Place, properties};
use grevy_proto::ServerId;
use grevy_zab::Membership;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tracing::warn;

/// See the module's text.
#[derive(Debug)]
pub struct ConfigFiles {
    /// The main file.
    main: PathBuf,
    me: ServerId,
    /// The version in force that was written last, or read at the start.
    committed: i64,
    /// The proposed version that the file has; 0 if there is none.
    proposed: i64,
}

impl ConfigFiles {
    /// For the member that `place` describes. `None` if it has no configuration file.
    pub fn new(place: &Place) -> Option<Self> {
        Some(Self {
            main: place.file.clone()?,
            me: ServerId(place.my_id),
            committed: place.ensemble.version,
            proposed: place.last_seen.as_ref().map_or(0, |seen| seen.version),
        })
    }

    /// Keeps a copy of a main file that has the members, before that is changed.
    pub fn back_up(&self, place: &Place) {
        if place.dynamic_file.is_none() {
            let copied = fs::read(&self.main).and_then(|text| write(&self.sibling(".bak"), &text));
            self.warn(copied);
        }
    }

    /// Writes what has changed. What cannot be written is left, as in ZooKeeper: the ensemble
    /// works on, and another change tries again.
    pub fn configured(&mut self, committed: &Membership, proposed: Option<&Membership>) {
        if let Some(proposed) = proposed
            && proposed.version != self.proposed
        {
            let text = dynamic_text(proposed, true);
            self.warn(write(&self.next(), text.as_bytes()));
            self.proposed = proposed.version;
        }
        if committed.version > self.committed {
            self.warn(self.commit(committed));
            self.committed = committed.version;
        }
        if proposed.is_none() {
            self.proposed = 0;
            match fs::remove_file(self.next()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => self.warn(removed),
            }
        }
    }

    fn commit(&self, committed: &Membership) -> io::Result<()> {
        let dynamic = self.sibling(&format!(".dynamic.{:x}", committed.version));
        write(&dynamic, dynamic_text(committed, false).as_bytes())?;
        let dynamic = fs::canonicalize(dynamic)?;
        let me = committed.members.get(&self.me);
        let moved = Moved {
            client: me.is_some_and(|me| me.client.is_some()),
            secure_client: me.is_some_and(|me| me.secure_client.is_some()),
        };
        let text = fs::read(&self.main)?;
        let text = static_text(
            &properties::decode(&text),
            &dynamic.display().to_string(),
            moved,
        );
        write(&self.main, text.as_bytes())
    }

    fn next(&self) -> PathBuf {
        self.sibling(".dynamic.next")
    }

    fn sibling(&self, suffix: &str) -> PathBuf {
        let mut name = self.main.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    fn warn(&self, done: io::Result<()>) {
        if let Err(error) = done {
            warn!(
                "cannot keep the configuration beside {} up to date: {error}; after a restart \
                 this server may not find its ensemble",
                self.main.display()
            );
        }
    }
}

/// Writes a file so that after a crash it is there as it was or as it is to be.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut temporary = path.to_owned().into_os_string();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let mut file = File::create(&temporary)?;
    file.write_all(text)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(version: i64, servers: i64) -> Membership {
        let line = |id| format!("server.{id}=h{id}:1:2;218{id}\n");
        let text: String = (1..=servers).map(line).collect();
        let membership = Membership::parse(&text).unwrap();
        membership.with_version(version)
    }

    #[test]
    fn from_proposed_to_committed() {
        let dir = std::env::temp_dir().join(format!("grevy-config-files-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let main = dir.join("zoo.cfg");
        let before = "# mine\ntickTime=500\nclientPort=2181\nserver.1=h1:1:2\n";
        fs::write(&main, before).unwrap();
        let read = |name: &str| fs::read_to_string(dir.join(name)).ok();
        let mut files = ConfigFiles {
            main,
            me: ServerId(1),
            committed: 0,
            proposed: 0,
        };
        let old = membership(0, 1);
        files.configured(&old, Some(&membership(0x1_0000_0007, 2)));
        assert_eq!(read("zoo.cfg").as_deref(), Some(before));
        let members = "server.1=h1:1:2:participant;0.0.0.0:2181\n\
                       server.2=h2:1:2:participant;0.0.0.0:2182";
        assert_eq!(
            read("zoo.cfg.dynamic.next"),
            Some(format!("{members}\nversion=100000007"))
        );
        files.configured(&membership(0x1_0000_0007, 2), None);
        assert_eq!(read("zoo.cfg.dynamic.next"), None);
        assert_eq!(read("zoo.cfg.dynamic.100000007").as_deref(), Some(members));
        let path = fs::canonicalize(dir.join("zoo.cfg.dynamic.100000007")).unwrap();
        assert_eq!(
            read("zoo.cfg"),
            Some(format!(
                "# mine\ntickTime=500\ndynamicConfigFile={}\n",
                path.display()
            ))
        );
        fs::remove_dir_all(dir).unwrap();
    }
}
