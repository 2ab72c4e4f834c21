//! From texts to settings: which key each name means, and which of several values holds.

use std::collections::BTreeMap;

use super::arguments::Arguments;
use super::finding::{Origin, Report};
use super::keys::{self, Key, Kind, Place, Support};
use super::properties;
use super::suggest::nearest;
use super::value::{self, quoted};

/// One setting as it was written.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub key: &'static Key,
    /// The name as the operator wrote it.
    pub name: String,
    pub value: String,
    pub origin: Origin,
}

/// The settings that hold, after all sources.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// By the table's name.
    single: BTreeMap<&'static str, Setting>,
    /// By the family's name and the member's: `("server.N", "1")`.
    members: BTreeMap<(&'static str, String), Setting>,
}

/// What a name stands for.
enum Meaning {
    Single(&'static Key),
    Member(&'static Key, String),
}

impl Settings {
    /// Takes in a file. Within it, the later of two values wins, as in Java.
    pub fn add_file(&mut self, file: &str, text: &str, report: &mut Report) {
        let (entries, bad) = properties::parse(text);
        for bad in bad {
            let origin = Origin::Line {
                file: file.to_owned(),
                line: bad.line,
            };
            let text = format!(
                "{} is no character; write \\u and four hex digits, or \\\\u for the text",
                bad.escape
            );
            report.error(&origin, "", text);
        }
        for entry in entries {
            let origin = Origin::Line {
                file: file.to_owned(),
                line: entry.line,
            };
            if entry.key.is_empty() {
                report.warn(
                    &origin,
                    "",
                    "a value without a key is ignored; write key=value",
                );
                continue;
            }
            match meaning(&entry.key) {
                Some(meaning) => {
                    remark_on_place(&meaning, &entry.key, &origin, report);
                    self.add(meaning, &entry.key, entry.value, origin, report);
                }
                None => report.warn(&origin, &entry.key, unknown_in_file(&entry.key)),
            }
        }
    }

    /// Takes in the `-D` arguments, which win over the file. (In ZooKeeper, a property set in the
    /// file wins over the same from the command line; hence the warning where they differ.)
    pub fn add_arguments(&mut self, arguments: &Arguments, report: &mut Report) {
        let mut foreign = arguments.java.clone();
        for (name, value) in &arguments.properties {
            let origin = Origin::Argument(format!("-D{name}"));
            match meaning(name) {
                Some(meaning) => self.add(meaning, name, value.clone(), origin, report),
                None if name.starts_with("zookeeper.") => {
                    report.warn(&origin, "", unknown_in_file(name));
                }
                None => foreign.push(format!("-D{name}")),
            }
        }
        if !foreign.is_empty() {
            let origin = Origin::Argument(foreign.join(" "));
            report.warn(
                &origin,
                "",
                "meant for a Java program and ignored; Grevy is none, and needs no heap size",
            );
        }
        for argument in &arguments.unknown {
            let origin = Origin::Argument(argument.clone());
            report.error(
                &origin,
                "",
                "is no argument of the server; write -Dname=value for a setting",
            );
        }
    }

    /// Puts in a setting that came neither from a file nor from `-D`.
    pub fn put(&mut self, name: &str, value: &str, origin: Origin) {
        if let Some(key) = keys::find(name) {
            let setting = Setting {
                key,
                name: name.to_owned(),
                value: value.to_owned(),
                origin,
            };
            self.single.insert(key.name, setting);
        }
    }

    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.single.get(name)
    }

    /// The members of a family, by name.
    pub fn family(&self, family: &str) -> impl Iterator<Item = (&str, &Setting)> {
        self.members
            .iter()
            .filter(move |((name, _), _)| *name == family)
            .map(|((_, member), setting)| (member.as_str(), setting))
    }

    /// Says of every setting that does nothing why that is so, and refuses those without which the
    /// server would not keep what it promises. Those that ask for the default are passed over.
    pub fn report_support(&self, report: &mut Report) {
        for setting in self.single.values().chain(self.members.values()) {
            let Setting {
                key,
                name,
                value,
                origin,
            } = setting;
            let is_default = key
                .default
                .value()
                .is_some_and(|default| same(key, default, value));
            match key.support {
                Support::Supported | Support::InEnsemble => {}
                _ if is_default => {}
                Support::Accepted(why) => {
                    report.warn(origin, name, format!("has no effect: {why}"))
                }
                Support::NotYet(what) => report.warn(
                    origin,
                    name,
                    format!("has no effect: this version of Grevy does without {what}"),
                ),
                Support::Refused(harmless, what) => {
                    if !harmless.iter().any(|harmless| same(key, harmless, value)) {
                        report.error(
                            origin,
                            name,
                            format!(
                                "this version of Grevy does without {what}; remove the setting, or \
                                 keep to ZooKeeper where you need it"
                            ),
                        );
                    }
                }
            }
        }
    }

    fn add(
        &mut self,
        meaning: Meaning,
        name: &str,
        value: String,
        origin: Origin,
        report: &mut Report,
    ) {
        let setting = |key| Setting {
            key,
            name: name.to_owned(),
            value,
            origin: origin.clone(),
        };
        let (before, now) = match meaning {
            Meaning::Single(key) => {
                let now = setting(key);
                (self.single.insert(key.name, now.clone()), now)
            }
            Meaning::Member(family, member) => {
                let now = setting(family);
                (self.members.insert((family.name, member), now.clone()), now)
            }
        };
        let Some(before) = before.filter(|before| before.value != now.value) else {
            return;
        };
        let text = match (&before.origin, &now.origin) {
            (Origin::Line { .. }, Origin::Argument(_)) => format!(
                "wins over {}, where it is {}; in ZooKeeper the file would win",
                before.origin,
                shown(&before)
            ),
            _ => format!(
                "wins over {}, where it is {}",
                before.origin,
                shown(&before)
            ),
        };
        report.warn(
            &now.origin,
            if name_in_origin(&now) { "" } else { name },
            text,
        );
    }
}

/// A setting's value as it may be shown.
pub(super) fn shown(setting: &Setting) -> String {
    match setting.key.kind {
        Kind::Secret => "a secret".to_owned(),
        _ => quoted(&setting.value),
    }
}

/// Whether the origin already says the name.
fn name_in_origin(setting: &Setting) -> bool {
    matches!(setting.origin, Origin::Argument(_))
}

/// Whether two texts are the same value.
fn same(key: &Key, left: &str, right: &str) -> bool {
    match (value::parse(key, left), value::parse(key, right)) {
        (Ok(left), Ok(right)) => left == right,
        _ => false,
    }
}

/// `zookeeper.` may stand before any name, once or more: old files have it twice.
fn meaning(name: &str) -> Option<Meaning> {
    let mut short = name;
    while let Some(rest) = short.strip_prefix("zookeeper.") {
        short = rest;
    }
    if let Some(key) = keys::find(short) {
        return Some(Meaning::Single(key));
    }
    keys::find_family(short).map(|(family, member)| Meaning::Member(family, member.to_owned()))
}

/// Where ZooKeeper would not see what Grevy takes from a file, that is worth a word.
fn remark_on_place(meaning: &Meaning, name: &str, origin: &Origin, report: &mut Report) {
    let (Meaning::Single(key) | Meaning::Member(key, _)) = meaning;
    if name.starts_with("zookeeper.") {
        report.warn(
            origin,
            name,
            format!(
                "is read as {}; ZooKeeper would not find it under this name in a file",
                key.name
            ),
        );
    } else if key.place == Place::Bare {
        report.warn(
            origin,
            name,
            format!("holds here; ZooKeeper takes it from the command line only, as -D{name}=…"),
        );
    }
}

fn unknown_in_file(name: &str) -> String {
    let short = name.trim_start_matches("zookeeper.");
    if let Some(meant) = server_meant(short) {
        return format!("is not known and has no effect; is {meant} meant?");
    }
    let known = keys::all()
        .filter(|key| !key.is_family())
        .map(|key| key.name);
    match nearest(short, known) {
        Some(meant) => format!("is not known and has no effect; is {meant} meant?"),
        None => "is not known and has no effect; ZooKeeper knows it neither".to_owned(),
    }
}

/// `server.4`, by what was written for it: `server4`, `server_4`, `Server.4`.
fn server_meant(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let rest = lower.strip_prefix("server")?;
    let number = rest.strip_prefix(['.', '-', '_']).unwrap_or(rest);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("server.{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, arguments: &[&str]) -> (Settings, Report) {
        let (mut settings, mut report) = (Settings::default(), Report::default());
        settings.add_file("zoo.cfg", text, &mut report);
        settings.add_arguments(&Arguments::parse(arguments.iter().copied()), &mut report);
        settings.report_support(&mut report);
        (settings, report)
    }

    fn lines(findings: &[super::super::Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_and_precedence() {
        let (settings, report) = read(
            "tickTime=2000\nsnapCount=10\nserver.1=a:1:2\nserver.2=b:1:2\nauthProvider.1=x",
            &[
                "-Dzookeeper.snapCount=20",
                "-Djute.maxbuffer=1",
                "-DtickTime=2000",
            ],
        );
        let value = |name: &str| settings.get(name).map(|s| s.value.as_str());
        assert_eq!(value("tickTime"), Some("2000"));
        assert_eq!(value("snapCount"), Some("20"));
        assert_eq!(value("jute.maxbuffer"), Some("1"));
        assert_eq!(value("dataDir"), None);
        let servers: Vec<_> = settings
            .family("server.N")
            .map(|(n, s)| (n, s.value.as_str()))
            .collect();
        assert_eq!(servers, [("1", "a:1:2"), ("2", "b:1:2")]);
        assert_eq!(settings.family("authProvider.*").count(), 1);
        assert_eq!(lines(&report.errors), [] as [&str; 0]);
        assert_eq!(
            lines(&report.warnings),
            [
                "-Dzookeeper.snapCount: wins over zoo.cfg:2, where it is \"10\"; in ZooKeeper the file would win"
            ]
        );
    }

    #[test]
    fn warnings() {
        let cases: &[(&str, &[&str], &str)] = &[
            (
                "tickTime=1\ntickTime=2",
                &[],
                "zoo.cfg:2: tickTime: wins over zoo.cfg:1, where it is \"1\"",
            ),
            (
                "ticktime=1",
                &[],
                "zoo.cfg:1: ticktime: is not known and has no effect; is tickTime meant?",
            ),
            (
                "server4=d:2888:3888",
                &[],
                "zoo.cfg:1: server4: is not known and has no effect; is server.4 meant?",
            ),
            (
                "Server_4=d:2888:3888",
                &[],
                "zoo.cfg:1: Server_4: is not known and has no effect; is server.4 meant?",
            ),
            (
                "my.key=1",
                &[],
                "zoo.cfg:1: my.key: is not known and has no effect; ZooKeeper knows it neither",
            ),
            (
                "zookeeper.snapCount=5",
                &[],
                "zoo.cfg:1: zookeeper.snapCount: is read as snapCount; ZooKeeper would not find it under this name in a file",
            ),
            (
                "jute.maxbuffer=5",
                &[],
                "zoo.cfg:1: jute.maxbuffer: holds here; ZooKeeper takes it from the command line only, as -Djute.maxbuffer=…",
            ),
            (
                "=5",
                &[],
                "zoo.cfg:1: a value without a key is ignored; write key=value",
            ),
            (
                "",
                &["-Dzookeeper.snapcount=5"],
                "-Dzookeeper.snapcount: is not known and has no effect; is snapCount meant?",
            ),
            (
                "",
                &["-Xmx1g", "-Dcom.sun.management.jmxremote"],
                "-Xmx1g -Dcom.sun.management.jmxremote: meant for a Java program and ignored; Grevy is none, and needs no heap size",
            ),
            (
                "nio.numWorkerThreads=4",
                &[],
                "zoo.cfg:1: nio.numWorkerThreads: has no effect: Grevy has no such threads",
            ),
            (
                "superUser=bob",
                &[],
                "zoo.cfg:1: superUser: has no effect: this version of Grevy does without SASL",
            ),
        ];
        for (text, arguments, expected) in cases {
            let (_, report) = read(text, arguments);
            assert_eq!(
                (lines(&report.warnings), report.errors.len()),
                (vec![expected.to_string()], 0)
            );
        }
    }

    #[test]
    fn errors() {
        let refused = "this version of Grevy does without TLS; remove the setting, or keep to ZooKeeper where you need it";
        let cases: &[(&str, &[&str], String)] = &[
            ("a=\\u12", &[], "zoo.cfg:1: \\u12 is no character; write \\u and four hex digits, or \\\\u for the text".into()),
            ("", &["--port"], "--port: is no argument of the server; write -Dname=value for a setting".into()),
            ("secureClientPort=2281", &[], format!("zoo.cfg:1: secureClientPort: {refused}")),
            ("sslQuorum=true", &[], format!("zoo.cfg:1: sslQuorum: {refused}")),
        ];
        for (text, arguments, expected) in cases {
            let (_, report) = read(text, arguments);
            assert_eq!(
                (lines(&report.errors), report.warnings.len()),
                (vec![expected.clone()], 0)
            );
        }
    }

    #[test]
    fn what_asks_for_the_default_is_passed_over() {
        let text = "sslQuorum=FALSE\nportUnification=false\nnio.shutdownTimeout=5000\nfips-mode=true\nelectionAlg=3";
        let (_, report) = read(text, &[]);
        assert_eq!(
            (lines(&report.errors), lines(&report.warnings)),
            (vec![], vec![])
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let key = "DigestAuthenticationProvider.superDigest";
        let (_, report) = read(&format!("{key}=super:x\n{key}=super:y"), &[]);
        assert_eq!(
            lines(&report.warnings),
            [format!(
                "zoo.cfg:2: {key}: wins over zoo.cfg:1, where it is a secret"
            )]
        );
    }
}
