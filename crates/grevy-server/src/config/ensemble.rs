//! The members of an ensemble: `server.N`, `group.N` and `weight.N` lines (`QuorumMaj`,
//! `QuorumHierarchical`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::doubts;
use super::finding::{Origin, Report};
use super::keys;
use super::properties;
use super::server_line::{Role, Server};
use super::value::quoted;

/// The servers of an ensemble and how they vote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ensemble {
    /// The zxid of the change that made this configuration; 0 if there was none yet.
    pub version: i64,
    /// By id.
    pub servers: BTreeMap<i64, Server>,
    /// Groups and weights; none for a simple majority.
    pub hierarchy: Option<Hierarchy>,
}

/// Groups of weighted servers: a quorum holds more than half the weight of more than half of the
/// groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hierarchy {
    /// Ids of servers by group.
    pub groups: BTreeMap<i64, BTreeSet<i64>>,
    /// Weights by server id; every participant has one.
    pub weights: BTreeMap<i64, u64>,
}

impl Ensemble {
    /// The servers with a vote.
    pub fn voters(&self) -> impl Iterator<Item = &Server> {
        self.servers
            .values()
            .filter(|server| server.role == Role::Participant)
    }

    /// The servers without one.
    pub fn observers(&self) -> impl Iterator<Item = &Server> {
        self.servers
            .values()
            .filter(|server| server.role == Role::Observer)
    }
}

/// The text of the configuration as it stands in `/zookeeper/config` and goes over the wire.
impl fmt::Display for Ensemble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, server) in &self.servers {
            writeln!(f, "server.{id}={server}")?;
        }
        if let Some(Hierarchy { groups, weights }) = &self.hierarchy {
            for (id, members) in groups {
                let members: Vec<String> = members.iter().map(i64::to_string).collect();
                writeln!(f, "group.{id}={}", members.join(":"))?;
            }
            for (id, weight) in weights {
                writeln!(f, "weight.{id}={weight}")?;
            }
        }
        write!(f, "version={:x}", self.version)
    }
}

/// One line about the members, not yet understood.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// `server.N`, `group.N` or `weight.N`.
    pub family: &'static str,
    /// What follows the dot.
    pub member: String,
    /// The whole name, as it was written.
    pub name: String,
    pub value: String,
    pub origin: Origin,
}

/// Reads the lines about the members. What is wrong with one is reported and spares the others.
pub(super) fn read(
    lines: &[Line],
    version: i64,
    multi_address: bool,
    whole: &Origin,
    report: &mut Report,
) -> Ensemble {
    let mut ensemble = Ensemble {
        version,
        ..Ensemble::default()
    };
    for line in lines {
        if let Err(text) = ensemble.take(line, multi_address) {
            report.error(&line.origin, &line.name, text);
        }
    }
    let ids: BTreeMap<i64, Role> = ensemble
        .servers
        .iter()
        .map(|(id, s)| (*id, s.role))
        .collect();
    if let Some(hierarchy) = &mut ensemble.hierarchy {
        hierarchy.complete(&ids, whole, report);
    }
    doubts::warn(&ensemble, whole, report);
    ensemble
}

/// Reads a file that holds nothing but the members (`dynamicConfigFile`). `version` is what its
/// name says; in the file `zoo.cfg.dynamic.next`, a `version` line says it instead.
pub(super) fn read_dynamic(
    file: &str,
    text: &str,
    version: Option<i64>,
    multi_address: bool,
    report: &mut Report,
) -> Ensemble {
    let whole = Origin::File(file.to_owned());
    let (entries, bad) = properties::parse(text);
    for bad in bad {
        let origin = Origin::Line {
            file: file.to_owned(),
            line: bad.line,
        };
        report.error(&origin, "", format!("{} is no character", bad.escape));
    }
    // The later of two lines with the same key wins.
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    let mut written_version = 0;
    for entry in entries {
        let origin = Origin::Line {
            file: file.to_owned(),
            line: entry.line,
        };
        if entry.key == "version" {
            match (version, parse_version(&entry.value)) {
                (Some(_), _) => report.error(
                    &origin,
                    "version",
                    "must not be in this file; the version is the end of the file's name",
                ),
                (None, Some(version)) => written_version = version,
                (None, None) => report.error(&origin, "version", bad_version(&entry.value)),
            }
            continue;
        }
        match keys::find_family(&entry.key) {
            Some((key, member)) if FAMILIES.contains(&key.name) => {
                let member = member.to_owned();
                let line = Line {
                    family: key.name,
                    member,
                    name: entry.key.clone(),
                    value: entry.value,
                    origin,
                };
                lines.insert(entry.key, line);
            }
            _ => report.error(
                &origin,
                &entry.key,
                "does not belong here: this file holds server, group and weight lines only",
            ),
        }
    }
    let lines: Vec<Line> = lines.into_values().collect();
    read(
        &lines,
        version.unwrap_or(written_version),
        multi_address,
        &whole,
        report,
    )
}

/// The families of keys that are about the members of an ensemble.
pub(super) const FAMILIES: [&str; 3] = ["server.N", "group.N", "weight.N"];

/// The version at the end of a dynamic file's name, in hexadecimal; 0 if there is none
/// (`QuorumPeerConfig.getVersionFromFilename`).
pub(super) fn version_of_file_name(name: &str) -> i64 {
    name.rsplit_once('.')
        .and_then(|(_, suffix)| parse_version(suffix))
        .unwrap_or(0)
}

/// A version: a number in hexadecimal.
pub(super) fn parse_version(text: &str) -> Option<i64> {
    i64::from_str_radix(text, 16).ok()
}

pub(super) fn bad_version(text: &str) -> String {
    format!(
        "{} is not a version; write a hexadecimal number, or leave the line out",
        quoted(text)
    )
}

impl Ensemble {
    fn take(&mut self, line: &Line, multi_address: bool) -> Result<(), String> {
        let id = match line.member.parse::<i64>() {
            Ok(id) if id >= 0 => id,
            _ => {
                return Err(format!(
                    "has no number after the dot; write {}",
                    line.family
                ));
            }
        };
        match line.family {
            "server.N" => {
                let server = Server::parse(id, &line.value, multi_address)?;
                if self.servers.insert(id, server).is_some() {
                    return Err(format!(
                        "is server {id} a second time; a number is for one server"
                    ));
                }
            }
            "group.N" => {
                let hierarchy = self.hierarchy.get_or_insert_default();
                let mut members = BTreeSet::new();
                for text in line.value.split(':') {
                    let member = match text.trim().parse::<i64>() {
                        Ok(member) if member >= 0 => member,
                        _ => {
                            return Err(format!(
                                "{} is not a server's number; write numbers joined by colons",
                                quoted(text)
                            ));
                        }
                    };
                    let elsewhere = hierarchy
                        .groups
                        .values()
                        .any(|group| group.contains(&member));
                    if elsewhere || !members.insert(member) {
                        return Err(format!(
                            "server {member} is in several groups; it can be in one"
                        ));
                    }
                }
                if hierarchy.groups.insert(id, members).is_some() {
                    return Err(format!("is group {id} a second time; join its lines"));
                }
            }
            _ => {
                let hierarchy = self.hierarchy.get_or_insert_default();
                let weight = line.value.parse::<u32>().map_err(|_| {
                    format!(
                        "{} is not a weight; write a whole number, 0 or more",
                        quoted(&line.value)
                    )
                })?;
                hierarchy.weights.insert(id, weight.into());
            }
        }
        Ok(())
    }
}

impl Hierarchy {
    /// Gives every participant its weight, and checks that each is in a group.
    fn complete(&mut self, servers: &BTreeMap<i64, Role>, whole: &Origin, report: &mut Report) {
        let grouped: BTreeSet<i64> = self.groups.values().flatten().copied().collect();
        for (&id, &role) in servers {
            if role == Role::Participant {
                if !grouped.contains(&id) {
                    report.error(
                        whole,
                        &format!("server.{id}"),
                        format!("server {id} is not in a group; name it in a group line, or remove all of them"),
                    );
                }
                self.weights.entry(id).or_insert(1);
            }
        }
        for id in grouped.difference(&servers.keys().copied().collect()) {
            let text =
                format!("has server {id}, which has no server.{id} line; add that or take it out");
            let group = self.groups.iter().find(|(_, members)| members.contains(id));
            let group = group.map_or(0, |(group, _)| *group);
            report.error(whole, &format!("group.{group}"), text);
        }
        // An observer in a group adds to the group's weight without ever voting.
        for (&id, &role) in servers {
            if role == Role::Observer && grouped.contains(&id) && self.weights.get(&id) != Some(&0)
            {
                report.error(
                    whole,
                    &format!("server.{id}"),
                    format!("observer {id} is in a group, whose weight it would raise without a vote; take it out, or set weight.{id}=0"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> (Ensemble, Vec<String>) {
        let mut report = Report::default();
        let ensemble = read_dynamic("d", text, Some(0x2a), false, &mut report);
        assert!(report.warnings.is_empty());
        (
            ensemble,
            report.errors.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn majority() {
        let (ensemble, errors) =
            check("server.10=c:1:2:observer\nserver.2=b:1:2;2181\nserver.1=a:1:2\n");
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(ensemble.voters().map(|s| s.id).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(ensemble.observers().map(|s| s.id).collect::<Vec<_>>(), [10]);
        assert_eq!(
            ensemble.to_string(),
            "server.1=a:1:2:participant\nserver.2=b:1:2:participant;0.0.0.0:2181\n\
             server.10=c:1:2:observer\nversion=2a"
        );
    }

    #[test]
    fn hierarchy() {
        let (ensemble, errors) = check(
            "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer\n\
             group.1=1:2\ngroup.2=3\nweight.2=3\nweight.3=0",
        );
        assert!(errors.is_empty(), "{errors:?}");
        let text = ensemble.to_string();
        assert!(
            text.ends_with(
                "\ngroup.1=1:2\ngroup.2=3\nweight.1=1\nweight.2=3\nweight.3=0\nversion=2a"
            ),
            "{text}"
        );
    }

    #[test]
    fn errors() {
        let cases = [
            (
                "server.x=a:1:2",
                "d:1: server.x: has no number after the dot; write server.N",
            ),
            (
                "server.-1=a:1:2",
                "d:1: server.-1: has no number after the dot; write server.N",
            ),
            (
                "server.1=a:1:2\nserver.01=b:1:2",
                "d:1: server.1: is server 1 a second time; a number is for one server",
            ),
            (
                "clientPort=1",
                "d:1: clientPort: does not belong here: this file holds server, group and weight lines only",
            ),
            (
                "version=1",
                "d:1: version: must not be in this file; the version is the end of the file's name",
            ),
            (
                "server.1=a:1:2\ngroup.1=1:1",
                "d:2: group.1: server 1 is in several groups; it can be in one",
            ),
            (
                "server.1=a:1:2\ngroup.1=1\ngroup.2=1",
                "d:3: group.2: server 1 is in several groups; it can be in one",
            ),
            (
                "server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1",
                "d: server.2: server 2 is not in a group; name it in a group line, or remove all of them",
            ),
            (
                "server.1=a:1:2\ngroup.1=1:7",
                "d: group.1: has server 7, which has no server.7 line; add that or take it out",
            ),
            (
                "server.1=a:1:2\ngroup.1=x\n",
                "d:2: group.1: \"x\" is not a server's number; write numbers joined by colons",
            ),
            (
                "server.1=a:1:2\ngroup.1=1\nweight.1=-1",
                "d:3: weight.1: \"-1\" is not a weight; write a whole number, 0 or more",
            ),
            (
                "groups=1",
                "d:1: groups: has no number after the dot; write group.N",
            ),
            ("a=\\u1", "d:1: \\u1 is no character"),
        ];
        for (text, expected) in cases {
            let (_, errors) = check(text);
            assert_eq!(errors.first().map(String::as_str), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_group_with_an_observer_is_told() {
        let servers = "server.1=a:1:2\nserver.2=b:1:2:observer\ngroup.1=1:2";
        assert_eq!(check(servers).1.len(), 1);
        assert_eq!(check(&format!("{servers}\nweight.2=0")).1.len(), 0);
    }

    #[test]
    fn versions_of_file_names() {
        let cases = [
            ("/conf/zoo.cfg.dynamic.100000000", 0x1_0000_0000),
            ("zoo.cfg.dynamic.1001", 0x1001),
            ("zoo.cfg.dynamic", 0),
            ("dynamic", 0),
            ("zoo.cfg.dynamic.", 0),
        ];
        for (name, version) in cases {
            assert_eq!(version_of_file_name(name), version, "{name}");
        }
    }

    #[test]
    fn the_next_file_says_its_version() {
        let mut report = Report::default();
        let text = "server.1=a:1:2\nversion=ff";
        let ensemble = read_dynamic("d", text, None, false, &mut report);
        assert_eq!((ensemble.version, report.errors.len()), (255, 0));
    }
}
