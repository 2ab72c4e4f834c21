//! Where clients connect, and the units of time.

use super::{Kind::*, Preset::*, Support::*, *};

/// Twenty ticks, the default of `maxSessionTimeout`, must fit the 31 bits of a session timeout.
const MAX_TICK: i64 = INT_MAX / 20;

keys! {
    "clientPort" Cfg, port(0), Unset, Supported, "The port for clients; 0 lets the system choose one.";
    "clientPortAddress" Cfg, Text, Derived("every address"), Supported, "The address to listen on for clients; needs `clientPort`.";
    "tickTime" Cfg, Int { unit: Unit::Millis, min: 1, max: MAX_TICK }, Value("3000"), Supported, "The length of a tick, the unit of other times; session expiry is rounded up to it.";
    "minSessionTimeout" Cfg, ms(-1), Derived("2 ticks"), Supported, "The shortest session timeout a client can get; -1 for the default.";
    "maxSessionTimeout" Cfg, ms(-1), Derived("20 ticks"), Supported, "The longest session timeout a client can get; -1 for the default.";
    "maxClientCnxns" Cfg, count(INT_MIN), Value("60"), Supported, "How many connections one address may hold; 0 or less: no limit.";
    "maxCnxns" Property, count(INT_MIN), Value("0"), Supported, "How many connections a port takes in all; 0 or less: no limit.";
    "clientPortListenBacklog" Cfg, count(-1), Ours("4096", "-1 (the system's)"), Supported, "How many connections may wait to be accepted; -1 for the default. The system may hold it lower.";
    "clientTcpKeepAlive" Property, Flag, Value("false"), Supported, "Whether client connections use TCP keep-alive.";
    "nio.sessionlessCnxnTimeout" Property, ms(1), Value("10000"), Supported, "After how long a connection without a session is closed.";
    "extendedTypesEnabled" Property, Flag, Value("false"), Supported, "Whether TTL nodes may be created; restricts server ids to 254.";
    "emulate353TTLNodes" Property, Flag, Value("false"), Supported, "Whether TTL nodes are marked the way ZooKeeper 3.5.3 did.";
    "znode.container.checkIntervalMs" Bare, ms(1), Value("60000"), Supported, "How often empty container and expired TTL nodes are looked for.";
    "znode.container.maxPerMinute" Bare, count(1), Value("10000"), Supported, "How many of them are deleted a minute at most.";
    "znode.container.maxNeverUsedIntervalMs" Bare, Int { unit: Unit::Millis, min: 0, max: i64::MAX }, Value("0"), Supported, "After how long a container that never had a child is deleted; 0: never.";
}
