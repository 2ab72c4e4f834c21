//! The texts of the words, as ZooKeeper writes them, so that scripts that parse them go on
//! working. Source: `org.apache.zookeeper.server.command`.

use crate::config::Metrics;
use crate::date::Date;
use crate::ensemble::ProposalSizes;
use crate::inspect::config_text;
use crate::inspect::connections::{self, ConnectionReport};
use crate::inspect::ensemble::LeaderReport;
use crate::inspect::sessions::{Expiry, Tracked};
use crate::inspect::settings::{NO_PORT, Settings};
use crate::inspect::{directories, ensemble, environment, server, sessions, watches};
use crate::metrics;
use crate::shared::Shared;
use crate::version;
use grevy_proto::SessionId;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};
use std::net::SocketAddr;

/// The only one that ZooKeeper still has.
const ELECTION_ALGORITHM: u32 = 3;

/// Lines that end as `PrintWriter.println` ends them.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, line: impl Display) {
        // Writing into a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

pub(super) fn srvr(shared: &Shared) -> String {
    let mut lines = Lines::default();
    version_lines(shared, &mut lines);
    server_lines(shared, &mut lines);
    lines.0
}

pub(super) fn stat(shared: &Shared, peer: SocketAddr) -> String {
    let mut lines = Lines::default();
    version_lines(shared, &mut lines);
    lines.line("Clients:");
    for connection in connections::all(shared) {
        lines.line(Brief::new(&connection, peer));
    }
    lines.line("");
    server_lines(shared, &mut lines);
    lines.0
}

fn version_lines(shared: &Shared, lines: &mut Lines) {
    lines.line(format_args!("Zookeeper version: {}", version::full()));
    if server::is_read_only(shared) {
        lines.line("READ-ONLY mode; serving only read-only clients");
    }
}

fn server_lines(shared: &Shared, lines: &mut Lines) {
    let server = server::report(shared);
    let stats = server.stats;
    lines.line(format_args!(
        "Latency min/avg/max: {}/{:?}/{}",
        stats.min_latency_ms, stats.avg_latency_ms, stats.max_latency_ms
    ));
    lines.line(format_args!("Received: {}", stats.received));
    lines.line(format_args!("Sent: {}", stats.sent));
    lines.line(format_args!("Connections: {}", server.connections));
    lines.line(format_args!("Outstanding: {}", server.outstanding));
    lines.line(format_args!("Zxid: {}", server.zxid));
    lines.line(format_args!("Mode: {}", server.mode));
    lines.line(format_args!("Node count: {}", server.znodes));
    let leader = ensemble::report(shared).and_then(|report| report.leader);
    if let Some(LeaderReport { proposals, .. }) = leader {
        let ProposalSizes { last, min, max } = proposals;
        lines.line(format_args!(
            "Proposal sizes last/min/max: {last}/{min}/{max}"
        ));
    }
}

pub(super) fn srst(shared: &Shared) -> String {
    server::reset(shared);
    "Server stats reset.\n".to_owned()
}

pub(super) fn cons(shared: &Shared, peer: SocketAddr) -> String {
    let mut lines = Lines::default();
    for connection in connections::all(shared) {
        lines.line(Detailed(Brief::new(&connection, peer)));
    }
    lines.line("");
    lines.0
}

pub(super) fn crst(shared: &Shared) -> String {
    connections::reset(shared);
    "Connection stats reset.\n".to_owned()
}

/// A connection in a few numbers.
struct Brief<'a> {
    connection: &'a ConnectionReport,
    /// It is the one that asked: Java has stopped listening to it by now, and counts the word.
    asks: bool,
}

impl<'a> Brief<'a> {
    fn new(connection: &'a ConnectionReport, peer: SocketAddr) -> Self {
        Self {
            connection,
            asks: connection.address == peer,
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.connection;
        let (ops, received) = match self.asks {
            true => (0, 1),
            false => (c.interest_ops(), c.stats.received),
        };
        let (address, queued, sent) = (c.address_text(), c.queued, c.stats.sent);
        write!(
            f,
            " /{address}[{ops:x}](queued={queued},recved={received},sent={sent}"
        )
    }
}

impl Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)?;
        f.write_str(")")
    }
}

/// A connection in all its numbers, if it has a session.
struct Detailed<'a>(Brief<'a>);

impl Display for Detailed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f)?;
        let c = self.0.connection;
        if let Some(session) = c.session {
            let (operation, established) = (c.last_operation(), c.established_ms);
            let timeout = c.timeout.as_millis();
            write!(
                f,
                ",sid={session},lop={operation},est={established},to={timeout}"
            )?;
            if c.last_cxid() >= 0 {
                write!(f, ",lcxid=0x{:x}", c.last_cxid())?;
            }
            let stats = &c.stats;
            write!(
                f,
                ",lzxid=0x{:x},lresp={},llat={},minlat={},avglat={},maxlat={}",
                c.last_zxid(),
                stats.last_response.millis(),
                stats.last_latency / 1000,
                stats.min_latency / 1000,
                c.avg_latency_ms(),
                c.max_latency_ms(),
            )?;
        }
        f.write_str(")")
    }
}

pub(super) fn conf(shared: &Shared) -> String {
    let Settings {
        client_port,
        data_dir,
        data_log_dir,
        tick_time,
        max_client_cnxns,
        min_session_timeout,
        max_session_timeout,
        backlog,
        server_id,
        quorum,
    } = Settings::of(&shared.config, shared.client_port.wanted().as_ref());
    let mut lines = Lines::default();
    lines.line(format_args!("clientPort={client_port}"));
    lines.line(format_args!("secureClientPort={NO_PORT}"));
    lines.line(format_args!("dataDir={}", data_dir.display()));
    lines.line(format_args!("dataDirSize={}", directories::size(&data_dir)));
    lines.line(format_args!("dataLogDir={}", data_log_dir.display()));
    lines.line(format_args!(
        "dataLogSize={}",
        directories::size(&data_log_dir)
    ));
    lines.line(format_args!("tickTime={tick_time}"));
    lines.line(format_args!("maxClientCnxns={max_client_cnxns}"));
    lines.line(format_args!("minSessionTimeout={min_session_timeout}"));
    lines.line(format_args!("maxSessionTimeout={max_session_timeout}"));
    lines.line(format_args!("clientPortListenBacklog={backlog}"));
    lines.line(format_args!("serverId={server_id}"));
    if let (Some(settings), Some(report)) = (quorum, ensemble::report(shared)) {
        lines.line(format_args!("initLimit={}", settings.init_limit));
        lines.line(format_args!("syncLimit={}", settings.sync_limit));
        lines.line(format_args!("electionAlg={ELECTION_ALGORITHM}"));
        lines.line(format_args!("electionPort={}", settings.election_ports));
        lines.line(format_args!("quorumPort={}", settings.quorum_ports));
        lines.line(format_args!("peerType={}", settings.peer_type));
        lines.line("membership: ");
        // The text ends without an end of line, as Java's.
        lines.0.push_str(&report.membership.to_string());
    }
    lines.0
}

pub(super) fn dirs(shared: &Shared) -> String {
    let snapshots = directories::size(&directories::snapshots(&shared.config));
    let log = directories::size(&directories::log(&shared.config));
    format!("datadir_size: {snapshots}\nlogdir_size: {log}\n")
}

pub(super) fn dump(shared: &Shared) -> String {
    let mut lines = Lines::default();
    lines.line("SessionTracker dump:");
    let local = sessions::local(shared);
    if let Some((expiries, sessions)) = &local {
        lines.0.push_str("Local ");
        dump_expiries(expiries, *sessions, &mut lines);
    }
    match sessions::tracked(shared) {
        Tracked::Expiring(expiries, sessions) => {
            if local.is_some() {
                lines.0.push_str("Global ");
            }
            dump_expiries(&expiries, sessions, &mut lines);
        }
        Tracked::Known(sessions) => {
            lines.line(format_args!("Global Sessions({}):", sessions.len()));
            for (session, timeout) in sessions {
                lines.line(format_args!("{session}\t{timeout}ms"));
            }
        }
    }
    lines.line("ephemeral nodes dump:");
    let ephemerals = sessions::ephemerals(shared);
    lines.line(format_args!(
        "Sessions with Ephemerals ({}):",
        ephemerals.len()
    ));
    for (session, paths) in ephemerals {
        lines.line(format_args!("{session}:"));
        for path in paths {
            lines.line(format_args!("\t{path}"));
        }
    }
    lines.line("Connections dump:");
    dump_connections(shared, &mut lines);
    lines.0
}

fn dump_expiries(expiries: &[Expiry], sessions: usize, lines: &mut Lines) {
    lines.line(format_args!(
        "Session Sets ({})/({sessions}):",
        expiries.len()
    ));
    for expiry in expiries {
        let (count, at) = (expiry.sessions.len(), Date(expiry.wall_ms));
        lines.line(format_args!("{count} expire at {at}:"));
        for session in &expiry.sessions {
            lines.line(format_args!("\t{session}"));
        }
    }
}

/// When connections end that are not heard of; ZooKeeper rounds that up to the time that a
/// connection without a session has.
fn dump_connections(shared: &Shared, lines: &mut Lines) {
    let interval = shared.config.clients.sessionless_timeout;
    let step = u64::try_from(interval.as_micros())
        .unwrap_or(u64::MAX)
        .max(1);
    let connections = connections::all(shared);
    let mut sets: BTreeMap<u64, Vec<&ConnectionReport>> = BTreeMap::new();
    for connection in &connections {
        let patience = match connection.session {
            Some(_) => connection.timeout,
            None => interval,
        };
        let at = (connection.heard + patience).0 / step + 1;
        sets.entry(at).or_default().push(connection);
    }
    let now = shared.clock.now();
    let (count, all) = (sets.len(), connections.len());
    lines.line(format_args!("Connections Sets ({count})/({all}):"));
    for (at, set) in sets {
        let wall_ms = sessions::wall_ms(grevy_node::Time(at.saturating_mul(step)), now);
        lines.line(format_args!("{} expire at {}:", set.len(), Date(wall_ms)));
        for connection in set {
            let session = connection.session.unwrap_or(SessionId::NONE);
            let address = connection.address_text();
            lines.line(format_args!("\tip: /{address} sessionId: {session}"));
        }
    }
}

pub(super) fn envi() -> String {
    let mut lines = Lines::default();
    lines.line("Environment:");
    for (key, value) in environment::entries() {
        lines.line(format_args!("{key}={value}"));
    }
    lines.0
}

pub(super) fn hash(shared: &Shared) -> String {
    let mut lines = Lines::default();
    for (zxid, digest) in shared.look_at_node(|node| node.digests().to_vec()) {
        lines.line(format_args!("{:x}: {digest}", zxid.0));
    }
    lines.0
}

pub(super) fn icfg(shared: &Shared) -> String {
    config_text::masked(&shared.initial_text)
}

pub(super) fn mntr(shared: &Shared) -> String {
    let mut lines = Lines(String::with_capacity(32 << 10));
    lines.line(format_args!("zk_version\t{}", version::full()));
    for (name, value) in server::states(shared) {
        lines.line(format_args!("zk_{name}\t{value}"));
    }
    if shared.config.administration.metrics == Metrics::Null {
        return lines.0;
    }
    for (info, value) in metrics::read(shared) {
        for (name, number) in metrics::numbers(info, &value) {
            lines.line(format_args!("zk_{name}\t{number}"));
        }
    }
    lines.0
}

pub(super) fn wchs(shared: &Shared) -> String {
    let summary = watches::summary(shared);
    format!(
        "{} connections watching {} paths\nTotal watches:{}\n",
        summary.watchers, summary.paths, summary.watches
    )
}

pub(super) fn wchc(shared: &Shared) -> String {
    let mut lines = Lines::default();
    for (session, paths) in watches::by_session(shared) {
        lines.line(session);
        for path in paths {
            lines.line(format_args!("\t{path}"));
        }
    }
    lines.line("");
    lines.0
}

pub(super) fn wchp(shared: &Shared) -> String {
    let mut lines = Lines::default();
    for (path, sessions) in watches::by_path(shared) {
        lines.line(path);
        for session in sessions {
            lines.line(format_args!("\t{session}"));
        }
    }
    lines.line("");
    lines.0
}
