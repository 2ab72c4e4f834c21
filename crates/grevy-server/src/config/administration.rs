//! What operators look at: four-letter words, the admin server, metrics.

use std::collections::BTreeSet;
use std::time::Duration;

use super::endpoint::{Listen, host_alone};
use super::reader::Reader;
use super::suggest::nearest;
use super::value::quoted;

/// Ways to look at a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administration {
    /// The four-letter words that are answered.
    pub words: FourLetterWords,
    /// The admin server; none if it does not run.
    pub server: Option<AdminServer>,
    /// How metrics are exposed.
    pub metrics: Metrics,
}

/// The four-letter words that are answered (`4lw.commands.whitelist`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FourLetterWords(BTreeSet<String>);

/// The admin server, over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminServer {
    /// Where it listens.
    pub listen: Listen,
    /// After how long an idle connection is closed.
    pub idle_timeout: Duration,
    /// The path below which its commands are; begins with a slash and does not end with one.
    pub command_url: String,
    /// How often snapshot and restore may be asked for.
    pub rate_limit_interval: Duration,
    /// Whether it hands out snapshots.
    pub snapshot: bool,
    /// Whether it takes a snapshot to restore from.
    pub restore: bool,
}

/// How metrics are exposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metrics {
    /// By `mntr` and the admin server.
    Default,
    /// Not at all.
    Null,
    /// As `Default`, and over HTTP in Prometheus' format.
    Prometheus(Listen),
}

impl FourLetterWords {
    /// Every word there is (`FourLetterCommands.cmd2String`), and `icfg`.
    pub const ALL: [&str; 19] = [
        "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "icfg", "isro", "mntr",
        "ruok", "srst", "srvr", "stat", "stmk", "wchc", "wchp", "wchs",
    ];

    /// Whether the word is answered.
    pub fn allows(&self, word: &str) -> bool {
        self.0.contains(word)
    }

    /// The words that are answered, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        const KEY: &str = "4lw.commands.whitelist";
        let listed = reader.words(KEY).unwrap_or_default();
        let mut words = BTreeSet::from(["srvr".to_owned()]);
        if reader.flag("readonlymode.enabled") {
            words.insert("isro".to_owned());
        }
        for word in listed {
            if word == "*" {
                words.extend(Self::ALL.map(str::to_owned));
            } else if Self::ALL.contains(&word.as_str()) {
                words.insert(word);
            } else {
                let hint = match nearest(&word, Self::ALL) {
                    Some(meant) => format!("; is {meant} meant?"),
                    None => format!("; the words are {}", Self::ALL.join(", ")),
                };
                reader.warn(
                    KEY,
                    format!("{} is no four-letter word{hint}", quoted(&word)),
                );
            }
        }
        FourLetterWords(words)
    }
}

impl AdminServer {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let host = reader.text("admin.serverAddress").and_then(host_alone);
        let url = reader.text("admin.commandURL").unwrap_or_default();
        if !url.starts_with('/') {
            reader.error(
                "admin.commandURL",
                format!(
                    "{} does not begin with a slash; write a path such as /commands",
                    quoted(&url)
                ),
            );
        }
        let server = AdminServer {
            listen: Listen {
                host,
                port: reader.port("admin.serverPort").unwrap_or_default(),
            },
            idle_timeout: reader.duration("admin.idleTimeout"),
            command_url: url.trim_end_matches('/').to_owned(),
            rate_limit_interval: reader.duration("admin.rateLimiterIntervalInMS"),
            snapshot: reader.flag("admin.snapshot.enabled"),
            restore: reader.flag("admin.restore.enabled"),
        };
        reader.flag("admin.enableServer").then_some(server)
    }
}

impl Metrics {
    fn read(reader: &mut Reader<'_>) -> Self {
        const CLASS: &str = "metricsProvider.className";
        let host = reader.text("metricsProvider.httpHost").and_then(host_alone);
        let port = reader.port("metricsProvider.httpPort").unwrap_or_default();
        let class = reader.text(CLASS).unwrap_or_default();
        match class.strip_prefix("org.apache.zookeeper.metrics.") {
            Some("impl.DefaultMetricsProvider") => Metrics::Default,
            Some("impl.NullMetricsProvider") => Metrics::Null,
            Some("prometheus.PrometheusMetricsProvider") => {
                Metrics::Prometheus(Listen { host, port })
            }
            _ => {
                reader.error(
                    CLASS,
                    format!(
                        "{} is a Java class, which Grevy cannot load; write \
                         org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider, or \
                         remove the line",
                        quoted(&class)
                    ),
                );
                Metrics::Default
            }
        }
    }
}

impl Administration {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Administration {
            words: FourLetterWords::read(reader),
            server: AdminServer::read(reader),
            metrics: Metrics::read(reader),
        }
    }
}
