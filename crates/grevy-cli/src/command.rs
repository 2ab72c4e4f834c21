//! The commands, typed, and their usage lines.

use grevy_proto::Acl;
use grevy_proto::request::CreateMode;
use grevy_proto::watch::{AddWatchMode, WatcherType};

/// Name and arguments of every command, in the order of the usage text.
pub const USAGE: &[(&str, &str)] = &[
    (
        "addWatch",
        "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default \
         is PERSISTENT_RECURSIVE",
    ),
    ("addauth", "scheme auth"),
    ("close", ""),
    ("config", "[-c] [-w] [-s]"),
    ("connect", "host:port"),
    ("create", "[-s] [-e] [-c] [-t ttl] path [data] [acl]"),
    ("delete", "[-v version] path"),
    ("deleteall", "path [-b batch size]"),
    ("delquota", "[-n|-b|-N|-B] path"),
    ("get", "[-s] [-w] [-b] [-x] path"),
    ("getAcl", "[-s] path"),
    ("getAllChildrenNumber", "path"),
    ("getEphemerals", "path"),
    ("history", ""),
    ("listquota", "path"),
    ("ls", "[-s] [-w] [-R] path"),
    ("printwatches", "on|off"),
    ("quit", ""),
    (
        "reconfig",
        "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | \
         [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
    ),
    ("redo", "cmdno"),
    ("removewatches", "path [-c|-d|-a] [-l]"),
    ("set", "path data [-s] [-v version] [-b]"),
    ("setAcl", "[-s] [-v version] [-R] path acl"),
    ("setquota", "-n|-b|-N|-B val path"),
    ("stat", "[-w] path"),
    ("sync", "path"),
    ("version", ""),
    ("whoami", ""),
];

/// The usage line of a command.
pub fn usage(name: &str) -> String {
    let arguments = USAGE.iter().find(|(command, _)| *command == name);
    format!(
        "{name} {}",
        arguments.map_or("", |(_, arguments)| arguments)
    )
}

/// The usage text of the whole program.
pub fn usage_of_all() -> String {
    let mut text =
        "ZooKeeper -server host:port -client-configuration properties-file cmd args\n".to_owned();
    for (name, arguments) in USAGE {
        text.push_str(&format!("\t{name} {arguments}\n"));
    }
    text
}

/// A command for a server. What the shell does alone (connect, history, …) is not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Leaves a persistent watch.
    AddWatch { path: String, mode: AddWatchMode },
    /// Adds an identity.
    AddAuth {
        scheme: String,
        auth: Option<String>,
    },
    /// Ends the session.
    Close,
    /// Shows the ensemble's configuration; `client`: as a connection string.
    Config {
        client: bool,
        watch: bool,
        stat: bool,
    },
    /// Creates a znode.
    Create {
        path: String,
        data: Option<String>,
        acl: Vec<Acl>,
        mode: CreateMode,
        /// In ms, for the modes that have one.
        ttl: i64,
    },
    /// Deletes a znode.
    Delete { path: String, version: i32 },
    /// Deletes a znode and all below it, `batch` at a time; not above 0: one by one.
    DeleteAll { path: String, batch: i32 },
    /// Deletes a quota, or one of its limits.
    DelQuota { path: String, limit: Option<Limit> },
    /// Shows a znode's data.
    Get {
        path: String,
        stat: bool,
        watch: bool,
        format: DataFormat,
    },
    /// Shows a znode's access control list.
    GetAcl { path: String, stat: bool },
    /// Counts what is below a znode.
    GetAllChildrenNumber { path: String },
    /// Lists the session's ephemeral znodes.
    GetEphemerals { prefix: String },
    /// Shows a quota and what is used of it.
    ListQuota { path: String },
    /// Lists a znode's children; `recursive`: all below it.
    Ls {
        path: String,
        stat: bool,
        watch: bool,
        recursive: bool,
    },
    /// Changes the ensemble's membership.
    Reconfig {
        joining: Option<String>,
        leaving: Option<String>,
        members: Option<String>,
        /// The configuration that this changes, or -1.
        version: i64,
        stat: bool,
    },
    /// Removes watches.
    RemoveWatches {
        path: String,
        which: WatcherType,
        local: bool,
    },
    /// Replaces a znode's data.
    Set {
        path: String,
        data: Vec<u8>,
        version: i32,
        stat: bool,
    },
    /// Replaces an access control list; `recursive`: of all below too.
    SetAcl {
        path: String,
        acl: Vec<Acl>,
        version: i32,
        stat: bool,
        recursive: bool,
    },
    /// Limits the number of znodes, or of bytes, at and below a path.
    SetQuota {
        path: String,
        limit: Limit,
        /// As given; checked when it is used.
        value: String,
    },
    /// Shows a znode's Stat.
    Stat { path: String, watch: bool },
    /// Lets the server catch up with its leader.
    Sync { path: String },
    /// Shows the program's version.
    Version,
    /// Shows the connection's identities.
    WhoAmI,
}

/// What a quota limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Znodes, with a warning in the server's log.
    Count,
    /// Bytes, likewise.
    Bytes,
    /// Znodes, enforced.
    CountHard,
    /// Bytes, enforced.
    BytesHard,
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataFormat {
    /// As text.
    Plain,
    /// In base64.
    Base64,
    /// As a hexadecimal dump.
    HexDump,
}
