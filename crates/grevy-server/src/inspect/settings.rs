//! The settings that `conf` tells. Source: `ZooKeeperServerConf`.

use super::directories;
use crate::config::{Config, Listen, Membership, PeerAddress, Role};
use std::path::PathBuf;
use std::time::Duration;

/// What `conf` calls the limit where there is none.
const UNLIMITED: u32 = 0;
/// What it calls a port that is not set.
pub const NO_PORT: i32 = -1;

/// A few settings, as numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The client port as configured; -1 without one.
    pub client_port: i32,
    /// The snapshots' directory.
    pub data_dir: PathBuf,
    /// The log's directory.
    pub data_log_dir: PathBuf,
    /// `tickTime`, in ms.
    pub tick_time: u64,
    /// Connections that one address may hold; 0: no limit.
    pub max_client_cnxns: u32,
    /// In ms.
    pub min_session_timeout: u64,
    /// In ms.
    pub max_session_timeout: u64,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// The server's number; 0 if it runs standalone.
    pub server_id: i64,
    /// What a member of an ensemble has besides.
    pub quorum: Option<QuorumSettings>,
}

/// Settings of a member of an ensemble. Source: `QuorumZooKeeperServer.dumpConf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumSettings {
    /// `initLimit`, in ticks.
    pub init_limit: u128,
    /// `syncLimit`, in ticks.
    pub sync_limit: u128,
    /// The server's election port, or several with bars between them.
    pub election_ports: String,
    /// Its quorum port, likewise.
    pub quorum_ports: String,
    /// 0: it takes part in elections; 1: it observes.
    pub peer_type: u32,
}

impl QuorumSettings {
    fn of(membership: &Membership, tick: Duration) -> Self {
        let ticks = |limit: Duration| limit.as_nanos() / tick.as_nanos().max(1);
        let mine = membership.ensemble.servers.get(&membership.my_id);
        let addresses = mine.map_or(&[][..], |server| &server.addresses);
        let ports = |port: fn(&PeerAddress) -> u16| -> String {
            let ports: Vec<String> = addresses.iter().map(|a| port(a).to_string()).collect();
            ports.join("|")
        };
        Self {
            init_limit: ticks(membership.init_limit),
            sync_limit: ticks(membership.sync_limit),
            election_ports: ports(|address| address.election_port),
            quorum_ports: ports(|address| address.quorum_port),
            peer_type: match membership.role {
                Role::Participant => 0,
                Role::Observer => 1,
            },
        }
    }
}

impl Settings {
    /// As configured, with `listen` for clients.
    pub fn of(config: &Config, listen: Option<&Listen>) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (clients, timing) = (&config.clients, &config.timing);
        let port = listen.map(|listen| i32::from(listen.port));
        Self {
            client_port: port.unwrap_or(NO_PORT),
            data_dir: directories::snapshots(config),
            data_log_dir: directories::log(config),
            tick_time: ms(timing.tick),
            max_client_cnxns: clients.per_address_limit.unwrap_or(UNLIMITED),
            min_session_timeout: ms(timing.min_session_timeout),
            max_session_timeout: ms(timing.max_session_timeout),
            backlog: clients.backlog,
            server_id: match config.membership {
                Some(_) => config.my_id.unwrap_or_default(),
                None => 0,
            },
            quorum: config
                .membership
                .as_ref()
                .map(|membership| QuorumSettings::of(membership, timing.tick)),
        }
    }
}
