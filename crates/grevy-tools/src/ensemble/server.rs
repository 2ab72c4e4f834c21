//! What one server says of itself.

use super::members::Member;
use super::words::ask;
use crate::files::filter;
use grevy_proto::Zxid;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// What a server answers that runs but does not serve.
const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// A server, and what it said.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Who.
    pub member: Member,
    /// What it answered.
    pub report: Result<Report, NoReport>,
}

/// Why there is nothing to show of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoReport {
    /// It does not answer.
    Down(String),
    /// It runs, and answers that it does not serve; and why, if it says so.
    NotServing(String),
    /// It answers something else.
    Unclear(String),
}

impl fmt::Display for NoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(why) => write!(f, "down: {why}"),
            Self::NotServing(why) if why.is_empty() => f.write_str("not serving"),
            Self::NotServing(why) => write!(f, "not serving: {why}"),
            Self::Unclear(answer) => write!(f, "unclear: {answer}"),
        }
    }
}

/// The answers to `srvr` and, if it is allowed, `mntr`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// `leader`, `follower`, `observer`, `standalone` or `read-only`.
    pub mode: String,
    /// Its last transaction.
    pub zxid: Option<Zxid>,
    /// Open connections.
    pub connections: Option<u64>,
    /// Requests that wait.
    pub outstanding: Option<u64>,
    /// Packets from clients since it started.
    pub received: Option<u64>,
    /// Average latency in ms.
    pub latency: Option<f64>,
    /// The longest latency in ms.
    pub max_latency: Option<f64>,
    /// Znodes.
    pub znodes: Option<u64>,
    /// Open sessions; only `mntr` tells.
    pub sessions: Option<u64>,
    /// Watches on this server; only `mntr` tells.
    pub watches: Option<u64>,
    /// The software.
    pub version: String,
}

impl Server {
    /// Asks a server.
    pub fn ask(member: Member, timeout: Duration) -> Self {
        let report = ask(&member.address, "srvr", timeout).and_then(|srvr| {
            let mut report = Report::read(&srvr).ok_or_else(|| no_report(&srvr))?;
            // Not every server allows it, and what it adds is not worth failing for.
            if let Ok(mntr) = ask(&member.address, "mntr", timeout) {
                report.add(&mntr);
            }
            Ok(report)
        });
        Self { member, report }
    }

    /// Asks all at once.
    pub fn ask_all(members: &[Member], timeout: Duration) -> Vec<Self> {
        std::thread::scope(|scope| {
            let asked: Vec<_> = members
                .iter()
                .map(|member| scope.spawn(|| Self::ask(member.clone(), timeout)))
                .collect();
            let answers = asked.into_iter().zip(members).map(|(thread, member)| {
                thread.join().unwrap_or_else(|_| Self {
                    member: member.clone(),
                    report: Err(NoReport::Unclear("asking it failed".to_owned())),
                })
            });
            answers.collect()
        })
    }

    /// As JSON; `lag` as [`lag`] says.
    pub fn json(&self, lag: Option<Lag>) -> Value {
        let (transactions, epochs) = match lag {
            Some(Lag::Transactions(number)) => (Some(number), Some(0)),
            Some(Lag::Epochs(number)) => (None, Some(number)),
            None => (None, None),
        };
        let mut object = Map::new();
        object.insert("id".to_owned(), self.member.id.into());
        object.insert("server".to_owned(), self.member.address.to_string().into());
        match &self.report {
            Err(why) => {
                object.insert("error".to_owned(), why.to_string().into());
            }
            Ok(report) => object.extend(
                [
                    ("mode", json!(report.mode)),
                    ("zxid", json!(report.zxid.map(|zxid| zxid.to_string()))),
                    ("lag", json!(transactions)),
                    ("lagEpochs", json!(epochs)),
                    ("connections", json!(report.connections)),
                    ("sessions", json!(report.sessions)),
                    ("watches", json!(report.watches)),
                    ("znodes", json!(report.znodes)),
                    ("outstanding", json!(report.outstanding)),
                    ("received", json!(report.received)),
                    ("latency", json!(report.latency)),
                    ("maxLatency", json!(report.max_latency)),
                    ("version", json!(report.version)),
                ]
                .map(|(name, value)| (name.to_owned(), value)),
            ),
        }
        Value::Object(object)
    }
}

/// How far a server is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// In the same epoch.
    Transactions(u32),
    /// Nobody can tell how many transactions an epoch had.
    Epochs(u32),
}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transactions(number) => number.fmt(f),
            Self::Epochs(number) => write!(f, "{number} epochs"),
        }
    }
}

/// How far a server is behind the one that is furthest: transactions, or epochs.
pub fn lag(server: &Server, all: &[Server]) -> Option<Lag> {
    let zxid_of = |server: &Server| server.report.as_ref().ok().and_then(|report| report.zxid);
    let own = zxid_of(server)?;
    let furthest = all.iter().filter_map(zxid_of).max()?;
    Some(match furthest.epoch() == own.epoch() {
        true => Lag::Transactions(furthest.counter() - own.counter()),
        false => Lag::Epochs(furthest.epoch().0 - own.epoch().0),
    })
}

/// What an answer to `srvr` says that is no report. A server that is up but does not serve says so
/// in a sentence; one of Grevy says why on the next line.
fn no_report(answer: &str) -> NoReport {
    let mut lines = answer
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    match lines.next() {
        None => NoReport::Down("no answer".to_owned()),
        Some(NOT_SERVING) => NoReport::NotServing(lines.collect::<Vec<_>>().join(" ")),
        Some(line) => NoReport::Unclear(line.to_owned()),
    }
}

impl Report {
    /// Reads the answer to `srvr`; `None` if it is not one.
    fn read(srvr: &str) -> Option<Self> {
        let fields: HashMap<&str, &str> = srvr
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name, value.trim()))
            .collect();
        let number = |name| fields.get(name).and_then(|value| value.parse().ok());
        let mut latencies = fields
            .get("Latency min/avg/max")
            .map(|text| text.split('/').skip(1).map(|text| text.parse().ok()));
        let mut latency = || latencies.as_mut()?.next()?;
        Some(Self {
            mode: (*fields.get("Mode")?).to_owned(),
            zxid: fields.get("Zxid").and_then(|text| filter::zxid(text).ok()),
            connections: number("Connections"),
            outstanding: number("Outstanding"),
            received: number("Received"),
            latency: latency(),
            max_latency: latency(),
            znodes: number("Node count"),
            sessions: None,
            watches: None,
            version: fields
                .get("Zookeeper version")
                .and_then(|text| text.split([',', ' ']).next())
                .unwrap_or_default()
                .to_owned(),
        })
    }

    /// Adds what only `mntr` tells.
    fn add(&mut self, mntr: &str) {
        for line in mntr.lines() {
            match line.split_once('\t') {
                Some(("zk_global_sessions", value)) => self.sessions = value.parse().ok(),
                Some(("zk_watch_count", value)) => self.watches = value.parse().ok(),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grevy_proto::HostPort;

    const SRVR: &str = "Zookeeper version: 3.9.2-abc, built on 2024-01-01 00:00 UTC\n\
        Latency min/avg/max: 0/1.25/17\nReceived: 10\nSent: 11\nConnections: 2\nOutstanding: 3\n\
        Zxid: 0x200000005\nMode: follower\nNode count: 9\n";

    #[test]
    fn answers_are_read() {
        let mut report = Report::read(SRVR).unwrap();
        report.add("zk_version\tx\nzk_watch_count\t7\nzk_global_sessions\t4\n");
        let expected = Report {
            mode: "follower".to_owned(),
            zxid: Some(Zxid(0x2_0000_0005)),
            connections: Some(2),
            outstanding: Some(3),
            received: Some(10),
            latency: Some(1.25),
            max_latency: Some(17.0),
            znodes: Some(9),
            sessions: Some(4),
            watches: Some(7),
            version: "3.9.2-abc".to_owned(),
        };
        assert_eq!(report, expected);
    }

    #[test]
    fn a_server_that_does_not_serve_is_not_down() {
        for (answer, expected) in [
            ("", "down: no answer".to_owned()),
            (&format!("{NOT_SERVING}\n"), "not serving".to_owned()),
            (
                &format!("{NOT_SERVING}\nit waits for servers 1 and 2\n"),
                "not serving: it waits for servers 1 and 2".to_owned(),
            ),
            (
                "HTTP/1.1 400 Bad Request\r\n\r\n",
                "unclear: HTTP/1.1 400 Bad Request".to_owned(),
            ),
        ] {
            assert_eq!(Report::read(answer), None);
            assert_eq!(no_report(answer).to_string(), expected);
        }
    }

    #[test]
    fn lags() {
        let server = |zxid: Option<i64>| Server {
            member: Member {
                id: None,
                address: HostPort {
                    host: "h".into(),
                    port: 1,
                },
            },
            report: zxid.map_or(Err(NoReport::Down("no answer".to_owned())), |zxid| {
                Ok(Report {
                    zxid: Some(Zxid(zxid)),
                    ..Report::default()
                })
            }),
        };
        let all = [
            server(Some(0x2_0000_0005)),
            server(Some(0x2_0000_0003)),
            server(Some(0x1_0000_0009)),
            server(None),
        ];
        let lags: Vec<_> = all.iter().map(|server| lag(server, &all)).collect();
        let expected = [
            Some(Lag::Transactions(0)),
            Some(Lag::Transactions(2)),
            Some(Lag::Epochs(1)),
            None,
        ];
        assert_eq!(lags, expected);
    }
}
