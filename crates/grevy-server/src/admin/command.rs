//! The commands by name, and the way to each. Source: `Commands`.

use super::facts::{self, Query};
use super::http::Peer;
use super::reply::{self, Facts};
use super::{Admin, apart, auth, dashboard, ensemble, shed, snapshot};
use crate::four_letter::NOT_SERVING;
use crate::shared::Shared;
use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use std::fmt::Write as _;

/// A command.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// Other names, those of the four-letter words above all.
    pub aliases: &'static [&'static str],
    /// What it tells or does.
    pub about: &'static str,
    run: Run,
}

#[derive(Debug, Clone, Copy)]
enum Run {
    /// Looks something up, in a server that serves.
    Serving(fn(&Shared, &Query) -> Facts),
    /// The same, in any server.
    Always(fn(&Shared, &Query) -> Facts),
    Snapshot,
    Restore,
    Shed,
}

impl Command {
    const fn serving(name: &'static str, run: fn(&Shared, &Query) -> Facts) -> Self {
        Self::new(name, Run::Serving(run))
    }

    const fn always(name: &'static str, run: fn(&Shared, &Query) -> Facts) -> Self {
        Self::new(name, Run::Always(run))
    }

    const fn new(name: &'static str, run: Run) -> Self {
        Self {
            name,
            aliases: &[],
            about: "",
            run,
        }
    }

    const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    fn find(name: &str) -> Option<&'static Self> {
        let is_meant = |c: &&Self| c.name == name || c.aliases.contains(&name);
        COMMANDS.iter().find(is_meant)
    }

    /// How it has to be asked for.
    pub fn method(&self) -> Method {
        match self.run {
            Run::Restore | Run::Shed => Method::POST,
            _ => Method::GET,
        }
    }

    /// Whether it needs an `Authorization` header of somebody with every permission on the root.
    pub fn needs_permission(&self) -> bool {
        matches!(self.run, Run::Snapshot | Run::Restore | Run::Shed)
    }

    /// Whether it is refused while the server does not serve.
    pub fn needs_service(&self) -> bool {
        !matches!(self.run, Run::Always(_))
    }
}

/// All commands, in alphabetical order.
pub const COMMANDS: &[Command] = &[
    Command::serving("configuration", facts::configuration)
        .also(&["conf", "config"])
        .about("Some settings, in numbers."),
    Command::serving("connection_stat_reset", facts::connection_stat_reset)
        .also(&["crst"])
        .about("Has every connection count anew."),
    Command::serving("connections", facts::connections)
        .also(&["cons"])
        .about("Every connection with its session and counters."),
    Command::serving("dirs", facts::dirs).about("How many bytes snapshots and logs take."),
    Command::serving("dump", facts::dump)
        .about("When sessions expire, by the server's clock in ms, and their ephemeral znodes."),
    Command::always("ensemble", ensemble::ensemble)
        .about("The ensemble as this server sees it, with or without a leader. Not ZooKeeper's."),
    Command::always("environment", facts::environment)
        .also(&["env", "envi"])
        .about("Version, system, user, memory."),
    Command::always("get_trace_mask", facts::get_trace_mask)
        .also(&["gtmk"])
        .about("ZooKeeper's trace mask; nothing goes by it."),
    Command::serving("hash", facts::hash)
        .about("Digests of the tree, one each 128 zxids, the newest 1024."),
    Command::serving("initial_configuration", facts::initial_configuration)
        .also(&["icfg"])
        .about("The configuration file, its secrets masked."),
    Command::serving("is_read_only", facts::is_read_only)
        .also(&["isro"])
        .about("Whether the server has no leader, and serves reads to those who allow that."),
    Command::serving("last_snapshot", facts::last_snapshot)
        .also(&["lsnp"])
        .about("The newest snapshot: zxid in hex, time in s since 1970."),
    Command::serving("leader", ensemble::leader)
        .also(&["lead"])
        .about("Who leads, its number and host; an error if there is no ensemble."),
    Command::always("monitor", facts::monitor)
        .also(&["mntr"])
        .about("All metrics."),
    Command::serving("observer_connection_stat_reset", ensemble::reset_observers)
        .also(&["orst"])
        .about("Has the leader, or a follower, count its observers' packets anew."),
    Command::serving("observers", ensemble::observers)
        .also(&["obsr"])
        .about("The observers of this leader or follower, with their traffic."),
    Command::new("restore", Run::Restore).also(&["rest"]).about(
        "Not available: 501 to those who may. Stop the server and replace its data instead.",
    ),
    Command::serving("ruok", facts::nothing)
        .about("No error if the server serves; else status 503 and the reason."),
    Command::serving("server_stats", facts::server_stats)
        .also(&["srvr"])
        .about("The server at a glance."),
    Command::always("set_trace_mask", facts::set_trace_mask)
        .also(&["stmk"])
        .about("Sets the trace mask to `?traceMask=<number>`."),
    Command::new("shed_connections", Run::Shed)
        .also(&["shed"])
        .about("Ends a share of the connections: `{\"percentage\": 10}`. Clients come back."),
    Command::new("snapshot", Run::Snapshot)
        .also(&["snap"])
        .about("Takes a snapshot and sends it, unless `?streaming=false`."),
    Command::serving("stat_reset", facts::stat_reset)
        .also(&["srst"])
        .about("Has the server count anew."),
    Command::serving("stats", facts::stats)
        .also(&["stat"])
        .about("As server_stats, with the connections."),
    Command::always("system_properties", facts::system_properties)
        .also(&["sysp"])
        .about("What Java calls system properties: of the system, and of the configuration file."),
    Command::serving("voting_view", ensemble::voting_view)
        .about("The voters with their addresses; empty if there is no ensemble."),
    Command::serving("watch_summary", facts::watch_summary)
        .also(&["wchs"])
        .about("How many data watches there are."),
    Command::serving("watches", facts::watches)
        .also(&["wchc"])
        .about("The paths that each session watches."),
    Command::serving("watches_by_path", facts::watches_by_path)
        .also(&["wchp"])
        .about("The sessions that watch each path."),
    Command::always("zabstate", ensemble::zabstate)
        .about("Where the server is in the protocol; empty if there is no ensemble."),
];

const NO_RESTORE: &str = "This version of Grevy cannot replace the data of a running server. Stop \
                          it, put the snapshot into an empty data directory, and start it";

/// Carries out what is asked for below the commands' path.
pub(super) async fn handle(
    State(admin): State<Admin>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Response {
    let methods = [Method::GET, Method::HEAD, Method::POST];
    if !methods.contains(request.method()) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = request.uri().path();
    let name = match path.strip_prefix(&admin.0.commands) {
        Some("" | "/") => return links(&admin),
        Some(rest) if rest.starts_with('/') => rest[1..].to_owned(),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let Some(command) = Command::find(&name) else {
        let text = format!("Unknown command: {name}");
        return reply::error(StatusCode::OK, &name, text);
    };
    let header = request.headers().get(AUTHORIZATION);
    let header = header.map(|value| value.as_bytes().to_vec());
    match check(&admin, command, request.method().clone(), header, peer).await {
        Ok(()) => run(&admin, command, request).await,
        Err(refusal) => refusal,
    }
}

/// Refuses what may not be done.
async fn check(
    admin: &Admin,
    command: &'static Command,
    method: Method,
    header: Option<Vec<u8>>,
    Peer(peer): Peer,
) -> Result<(), Response> {
    let expected = command.method();
    let is_fit = method == expected || (method == Method::HEAD && expected == Method::GET);
    if !is_fit {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let mut refusal = reply::error(status, command.name, format!("Ask with {expected}"));
        if let Ok(allowed) = expected.as_str().parse() {
            refusal.headers_mut().insert(ALLOW, allowed);
        }
        return Err(refusal);
    }
    let shared = admin.shared().clone();
    let (why_not, denied) = apart(move || {
        let why_not = shared.not_serving().filter(|_| command.needs_service());
        let denied = match command.needs_permission() {
            true => auth::authorize(&shared, header.as_deref(), peer.ip()).err(),
            false => None,
        };
        (why_not, denied)
    })
    .await;
    // Java says so with status 200, which makes probes that look no further believe in it.
    if let Some(why) = why_not {
        let text = format!("{NOT_SERVING}: {why}");
        return Err(reply::error(
            StatusCode::SERVICE_UNAVAILABLE,
            command.name,
            text,
        ));
    }
    if let Some(denied) = denied {
        let (status, text) = denied.answer();
        return Err(reply::error(status, command.name, text));
    }
    Ok(())
}

async fn run(admin: &Admin, command: &'static Command, request: Request) -> Response {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    match command.run {
        Run::Serving(look_up) | Run::Always(look_up) => {
            let shared = admin.shared().clone();
            let facts = apart(move || look_up(&shared, &query)).await;
            reply::facts(command.name, facts)
        }
        Run::Snapshot => snapshot::run(admin, command.name, &query).await,
        Run::Restore => reply::error(StatusCode::NOT_IMPLEMENTED, command.name, NO_RESTORE),
        Run::Shed => shed::run(admin.shared(), command.name, request.into_body()).await,
    }
}

/// A link to each command.
fn links(admin: &Admin) -> Response {
    let mut page = String::new();
    for command in COMMANDS {
        let (name, base) = (command.name, dashboard::escape(&admin.0.commands));
        let _ = writeln!(page, "<a href=\"{base}/{name}\">{name}</a>\n<br/>");
    }
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}
