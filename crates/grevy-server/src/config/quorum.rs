//! What this server is in an ensemble, if it is in one, and how ensembles are run.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Files;
use super::clients::Clients;
use super::endpoint::{Endpoint, Listen};
use super::ensemble::{self, Ensemble, Line};
use super::finding::Origin;
use super::properties;
use super::reader::Reader;
use super::server_line::{PeerAddress, Role};
use super::value::quoted;

/// A server's place in its ensemble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// This server's number; it has a line in `ensemble`.
    pub my_id: i64,
    /// What it is, by that line.
    pub role: Role,
    /// The ensemble.
    pub ensemble: Ensemble,
    /// A later configuration that was proposed before the server stopped
    /// (`<dynamic file>.next`).
    pub last_seen: Option<Ensemble>,
    /// The main file, if there is one.
    pub file: Option<PathBuf>,
    /// Where the server lines are, if not in the main file.
    pub dynamic_file: Option<PathBuf>,
    /// How long a server may take to connect to a leader and catch up.
    pub init_limit: Duration,
    /// How long a server may be silent.
    pub sync_limit: Duration,
    /// How long connecting to the leader may take.
    pub connect_limit: Duration,
}

/// How ensembles are run, whether or not this server is in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// Whether the ensemble can be changed while it runs.
    pub reconfig: bool,
    /// Whether a single server runs standalone, and an ensemble can shrink to one.
    pub standalone: bool,
    /// Whether quorum and election ports listen on every address.
    pub listen_on_every_address: bool,
    /// Whether sessions begin as local ones.
    pub local_sessions: bool,
    /// Whether a local session becomes a global one when it needs to.
    pub local_sessions_upgrading: bool,
    /// The port on which followers serve observers.
    pub observer_master_port: Option<u16>,
    /// Whether a server line may name several addresses.
    pub multi_address: bool,
    /// Whether a server without a quorum serves read-only clients.
    pub read_only_mode: bool,
    /// How often binding the election port is tried; none for ever.
    pub election_bind_tries: Option<u32>,
    /// How long connecting to an election port may take.
    pub election_connect_timeout: Duration,
    /// How long reading from an election port may take; none for the sync limit.
    pub election_read_timeout: Option<Duration>,
    /// The first pause before a notification is repeated.
    pub min_notification_interval: Duration,
    /// The longest pause before a notification is repeated.
    pub max_notification_interval: Duration,
    /// Whether a leader serves clients.
    pub leader_serves: bool,
    /// How long a leader waits for a quorum's epochs; none for the init limit.
    pub epoch_wait: Option<Duration>,
    /// The pause between two tries to connect to the leader.
    pub leader_connect_pause: Duration,
    /// How many observers are sent a snapshot at a time.
    pub max_snap_syncs: u32,
    /// How many observers are sent a part of the log at a time.
    pub max_diff_syncs: u32,
    /// Whether learners are always sent a snapshot.
    pub force_snapshot_sync: bool,
    /// How long an observer waits before it connects again.
    pub observer_reconnect_delay: Duration,
    /// How long an observer waits before it takes part in an election.
    pub observer_election_delay: Duration,
    /// How long another server may be silent, if less than the sync limit.
    pub peer_timeout: Option<Duration>,
}

impl Quorum {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Quorum {
            reconfig: reader.flag("reconfigEnabled"),
            standalone: reader.flag("standaloneEnabled"),
            listen_on_every_address: reader.flag("quorumListenOnAllIPs"),
            local_sessions: reader.flag("localSessionsEnabled"),
            local_sessions_upgrading: reader.flag("localSessionsUpgradingEnabled"),
            observer_master_port: reader.port("observerMasterPort").filter(|&port| port > 0),
            multi_address: reader.flag("multiAddress.enabled"),
            read_only_mode: reader.flag("readonlymode.enabled"),
            election_bind_tries: reader.limit("electionPortBindRetry"),
            election_connect_timeout: reader.duration("cnxTimeout"),
            election_read_timeout: reader.time("quorumCnxnTimeoutMs"),
            min_notification_interval: reader.duration("fastleader.minNotificationInterval"),
            max_notification_interval: reader.duration("fastleader.maxNotificationInterval"),
            leader_serves: reader.flag("leaderServes"),
            epoch_wait: reader.time("leader.maxTimeToWaitForEpoch"),
            leader_connect_pause: reader.duration("leaderConnectDelayDuringRetryMs"),
            max_snap_syncs: reader.count("leader.maxConcurrentSnapSyncs"),
            max_diff_syncs: reader.count("leader.maxConcurrentDiffSyncs"),
            force_snapshot_sync: reader.flag("forceSnapshotSync"),
            observer_reconnect_delay: reader.duration("observer.reconnectDelayMs"),
            observer_election_delay: reader.duration("observer.election.DelayMs"),
            peer_timeout: Some(reader.duration("grevy.peerTimeoutMs")).filter(|t| !t.is_zero()),
        }
    }
}

/// What else of the configuration decides the membership.
pub(super) struct Context<'a> {
    /// The main file's name; empty if there is none.
    pub file: &'a str,
    pub files: &'a dyn Files,
    pub quorum: &'a Quorum,
    pub tick: Duration,
    pub my_id: Option<i64>,
    pub my_id_file: &'a Path,
    pub data_dir: &'a Path,
    pub extended_types: bool,
}

impl Membership {
    /// Finds out whether this server is in an ensemble (`QuorumPeerConfig.isDistributed`), and
    /// checks what it then needs. May give `clients` the address of this server's line.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        context: &Context<'_>,
        clients: &mut Clients,
    ) -> Option<Self> {
        let limits = Limits::read(reader, context.tick);
        let role = reader
            .text("peerType")
            .and_then(|role| Role::parse(&role))
            .unwrap_or_default();
        let errors = reader.report.errors.len();
        let (dynamic_file, ensemble, last_seen) = read_ensemble(reader, context);
        // Of a list that could not be read in full, nothing is said that may not be so.
        let is_whole = reader.report.errors.len() == errors;
        if !is_distributed(reader, &ensemble, context.quorum.standalone, is_whole) {
            if dynamic_file.is_some() && ensemble.servers.is_empty() && is_whole {
                let text = "names no server, so that this one runs alone";
                reader.warn("dynamicConfigFile", text);
            }
            if let Some(my_id) = context.my_id {
                adopt_client_port(reader, &ensemble, my_id, clients);
            }
            return None;
        }
        if is_whole {
            warn_of_numbers(reader, &ensemble);
        }
        check_ids(reader, &ensemble, context.extended_types);
        let (init_limit, sync_limit) = (limits.init(reader), limits.sync(reader));
        let my_id = my_id(reader, context)?;
        adopt_client_port(reader, &ensemble, my_id, clients);
        let Some(mine) = ensemble.servers.get(&my_id) else {
            if is_whole {
                complain_of_absence(reader, context.my_id_file, my_id, dynamic_file.as_deref());
            }
            return None;
        };
        if mine.role != role {
            let text = format!("server.{my_id} says {}, and that holds", mine.role);
            if reader.is_set("peerType") {
                reader.warn("peerType", format!("is {role}, but {text}"));
            } else {
                let text = format!("is not set, which means {role}, but {text}");
                reader.warn("peerType", text);
            }
        }
        if context.quorum.reconfig && mine.addresses.iter().any(is_anywhere) {
            reader.warn(
                &format!("server.{my_id}"),
                "says that this server listens at every address; when it leads, the others take \
                 that over with the configuration (reconfigEnabled=true) and reach it no more. \
                 Write the address that they reach, and quorumListenOnAllIPs=true",
            );
        }
        Some(Membership {
            file: (!context.file.is_empty()).then(|| context.file.into()),
            my_id,
            role: mine.role,
            last_seen,
            dynamic_file,
            init_limit: init_limit?,
            sync_limit: sync_limit?,
            connect_limit: limits.connect.or(init_limit)?,
            ensemble,
        })
    }
}

/// Whether an address is no place where others could reach a server.
fn is_anywhere(address: &PeerAddress) -> bool {
    let ip: Result<IpAddr, _> = address.host.parse();
    ip.is_ok_and(|ip| ip.is_unspecified())
}

/// Says that a limit is missing, or is none.
fn complain(reader: &mut Reader<'_>, name: &str, example: u32) {
    let what = match reader.is_set(name) {
        true => "is 0, in which nothing can be done",
        false => "is not set",
    };
    let text = format!("{what}; an ensemble needs it, for example {name}={example}");
    reader.error(name, text);
}

/// Says that this server has no line in the list of servers.
fn complain_of_absence(
    reader: &mut Reader<'_>,
    my_id_file: &Path,
    my_id: i64,
    dynamic_file: Option<&Path>,
) {
    let name = format!("server.{my_id}");
    let file = my_id_file.display();
    let text =
        format!("is not in the list of servers, but {file} says that this is server {my_id}");
    match dynamic_file {
        None => reader.error(
            &name,
            format!("{text}; add the line, or put the right number into that file"),
        ),
        // The server itself writes that file, as the ensemble changes.
        Some(dynamic) => reader.report.error(
            &Origin::File(dynamic.display().to_string()),
            &name,
            format!(
                "{text}; was it removed by a reconfiguration? Then leave it stopped, or add its \
                 line to this file and let a reconfiguration add it again"
            ),
        ),
    }
}

/// The limits in ticks, none where they are not set.
struct Limits {
    init: Option<Duration>,
    sync: Option<Duration>,
    connect: Option<Duration>,
}

impl Limits {
    fn read(reader: &mut Reader<'_>, tick: Duration) -> Self {
        let mut ticks = |name| reader.limit(name).map(|ticks| tick.saturating_mul(ticks));
        Limits {
            init: ticks("initLimit"),
            sync: ticks("syncLimit"),
            connect: ticks("connectToLearnerMasterLimit"),
        }
    }

    fn init(&self, reader: &mut Reader<'_>) -> Option<Duration> {
        if self.init.is_none() {
            complain(reader, "initLimit", 10);
        }
        self.init
    }

    fn sync(&self, reader: &mut Reader<'_>) -> Option<Duration> {
        if self.sync.is_none() {
            complain(reader, "syncLimit", 5);
        }
        self.sync
    }
}

/// The number of a server that needs one.
fn my_id(reader: &mut Reader<'_>, context: &Context<'_>) -> Option<i64> {
    let text = match context.my_id {
        Some(id) if id >= 0 => return Some(id),
        Some(id) => {
            format!("serverid {id} is no server's; write the N of this server's server.N line")
        }
        None if context.files.is_no_directory(context.data_dir) => {
            let text = format!(
                "{} is a file, and is to be a directory",
                context.data_dir.display()
            );
            reader.error("dataDir", text);
            return None;
        }
        None => "myid file is missing; write this server's number into it, the N of its server.N"
            .to_owned(),
    };
    let file = Origin::File(context.my_id_file.display().to_string());
    // What is wrong with its content has been said.
    if !reader
        .report
        .errors
        .iter()
        .any(|error| error.origin == file)
    {
        reader.report.error(&file, "", text);
    }
    None
}

/// Reads the server's number, which may be one that no server can have: a standalone server needs
/// none, and Java servers then look no closer.
pub(super) fn read_my_id(path: &Path, files: &dyn Files, reader: &mut Reader<'_>) -> Option<i64> {
    let origin = Origin::File(path.display().to_string());
    let bytes = match files.read(path) {
        Ok(bytes) => bytes?,
        Err(error) => {
            reader
                .report
                .error(&origin, "", format!("cannot be read: {error}"));
            return None;
        }
    };
    let text = properties::decode(&bytes);
    let first = text.lines().next().unwrap_or_default().trim();
    match first.parse() {
        Ok(id) => Some(id),
        Err(_) => {
            let text = format!(
                "serverid {} is not a number; write the N of this server's server.N line",
                quoted(first)
            );
            reader.report.error(&origin, "", text);
            None
        }
    }
}

fn read_ensemble(
    reader: &mut Reader<'_>,
    context: &Context<'_>,
) -> (Option<PathBuf>, Ensemble, Option<Ensemble>) {
    let multi_address = context.quorum.multi_address;
    let mut lines = Vec::new();
    for family in ensemble::FAMILIES {
        for (member, setting) in reader.family(family) {
            lines.push(Line {
                family,
                member,
                name: setting.name,
                value: setting.value,
                origin: setting.origin,
            });
        }
    }
    let version = reader.text("version").unwrap_or_default();
    let version = ensemble::parse_version(&version).unwrap_or_else(|| {
        reader.error("version", ensemble::bad_version(&version));
        0
    });
    let whole = Origin::File(context.file.to_owned());
    let Some(dynamic) = reader.text("dynamicConfigFile") else {
        let ensemble = ensemble::read(&lines, version, multi_address, &whole, reader.report);
        return (None, ensemble, None);
    };
    for line in &lines {
        let text = format!("must be in the dynamic configuration file {dynamic}, not here");
        reader.report.error(&line.origin, &line.name, text);
    }
    let ensemble = match context.files.read(Path::new(&dynamic)) {
        Ok(Some(bytes)) => {
            let version = ensemble::version_of_file_name(&dynamic);
            let text = properties::decode(&bytes);
            ensemble::read_dynamic(&dynamic, &text, Some(version), multi_address, reader.report)
        }
        Ok(None) => {
            reader.error(
                "dynamicConfigFile",
                format!("there is no file {dynamic}; write the server lines into it"),
            );
            Ensemble::default()
        }
        Err(error) => {
            reader.error(
                "dynamicConfigFile",
                format!("{dynamic} cannot be read: {error}"),
            );
            Ensemble::default()
        }
    };
    let last_seen = read_last_seen(reader, context);
    (Some(PathBuf::from(dynamic)), ensemble, last_seen)
}

/// The configuration that was proposed last, if it was not in force yet.
fn read_last_seen(reader: &mut Reader<'_>, context: &Context<'_>) -> Option<Ensemble> {
    let next = format!("{}.dynamic.next", context.file);
    match context.files.read(Path::new(&next)) {
        Ok(bytes) => bytes.map(|bytes| {
            let text = properties::decode(&bytes);
            let multi_address = context.quorum.multi_address;
            ensemble::read_dynamic(&next, &text, None, multi_address, reader.report)
        }),
        Err(error) => {
            let origin = Origin::File(next);
            let text = format!("cannot be read: {error}");
            reader.report.warn(&origin, "", text);
            None
        }
    }
}

/// `QuorumPeerConfig.parseDynamicConfig`: one server line with `standaloneEnabled` is a standalone
/// server, which HBase relies on.
fn is_distributed(
    reader: &mut Reader<'_>,
    ensemble: &Ensemble,
    standalone: bool,
    is_whole: bool,
) -> bool {
    let voters = ensemble.voters().count();
    let observers = ensemble.observers().count();
    if !is_whole {
        return voters > 1;
    }
    match voters {
        0 if !standalone => {
            reader.error("standaloneEnabled", "is false, so that the number of participants must be more than 0; add server lines");
        }
        0 if observers > 0 => {
            reader.error(
                "server.N",
                "observers without participants are no ensemble; add participants",
            );
        }
        0 => {}
        1 if standalone && observers > 0 => {
            reader.error(
                "server.N",
                "observers without a quorum are no ensemble; add participants, or set \
                 standaloneEnabled=false",
            );
        }
        1 if standalone => {
            reader.warn(
                "server.N",
                "only one server is named, so this one runs standalone",
            );
        }
        _ => return true,
    }
    false
}

fn warn_of_numbers(reader: &mut Reader<'_>, ensemble: &Ensemble) {
    let voters = ensemble.voters().count();
    if voters <= 2 {
        reader.warn(
            "server.N",
            "no failure of a server will be tolerated; that takes at least 3 servers",
        );
    } else if voters.is_multiple_of(2) {
        reader.warn(
            "server.N",
            format!(
                "{voters} servers tolerate no more failures than {}; an odd number is better",
                voters - 1
            ),
        );
    }
}

/// A session id begins with the byte of its server, and with extended types 255 has a meaning.
fn check_ids(reader: &mut Reader<'_>, ensemble: &Ensemble, extended_types: bool) {
    for &id in ensemble.servers.keys() {
        let name = format!("server.{id}");
        if extended_types && id > 254 {
            reader.error(
                &name,
                "the number must be 254 or less with extendedTypesEnabled=true",
            );
        } else if id > 255 {
            reader.warn(&name, "numbers above 255 do not fit a session id, so that two servers' sessions could get the same");
        }
    }
}

/// This server's line may say where it listens for clients; then it must not differ from
/// `clientPort` (`QuorumPeerConfig.setupClientPort`).
fn adopt_client_port(
    reader: &mut Reader<'_>,
    ensemble: &Ensemble,
    my_id: i64,
    clients: &mut Clients,
) {
    let Some(line) = ensemble
        .servers
        .get(&my_id)
        .and_then(|mine| mine.client.as_ref())
    else {
        return;
    };
    if let Some(own) = &clients.listen
        && !agree(own, line)
    {
        reader.error(
            "clientPort",
            format!("the clients' address {own} differs from {line} in the line server.{my_id}; make them the same, or remove clientPort"),
        );
    }
    clients.listen = Some(Listen {
        host: Some(line.host.clone()),
        port: line.port,
    });
}

/// Names cannot be compared with addresses here, so a name agrees with anything.
fn agree(own: &Listen, line: &Endpoint) -> bool {
    let address = |host: &str| host.parse::<IpAddr>().ok();
    let hosts_agree = own.is_every_address()
        || match (own.host.as_deref().and_then(address), address(&line.host)) {
            (Some(own), Some(line)) => own == line,
            _ => true,
        };
    hosts_agree && own.port == line.port
}
