//! Servers that form an ensemble.

use super::{Kind::*, Preset::*, Support::*, *};

const ALL_AT_ONCE: Support =
    Accepted("all addresses are dialled at once, and the first that answers is used");

const KEEPS_ALL: Support = Accepted("observers always keep a log and snapshots");

keys! {
    "server.N" Cfg, Text, Unset, InEnsemble, "A server: `host:quorumPort:electionPort[:participant|observer][;[clientHost:]clientPort]`, several addresses joined by `|`. A single server with `standaloneEnabled` is a standalone server.";
    "group.N" Cfg, Text, Unset, InEnsemble, "A group of a hierarchical quorum: server ids joined by `:`.";
    "weight.N" Cfg, count(0), Value("1"), InEnsemble, "A server's weight in its group.";
    "initLimit" Cfg, int(Unit::Ticks, 0), Unset, InEnsemble, "How long a server may take to connect to a leader and catch up. Required in an ensemble.";
    "syncLimit" Cfg, int(Unit::Ticks, 0), Unset, InEnsemble, "How long a server may be silent. Required in an ensemble.";
    "connectToLearnerMasterLimit" Cfg, int(Unit::Ticks, 0), Value("0"), InEnsemble, "How long connecting to the leader may take; 0: as `initLimit`.";
    "standaloneEnabled" Cfg, Flag, Value("true"), InEnsemble, "Whether a single server runs standalone; `false`: as an ensemble of one that can grow.";
    "reconfigEnabled" Cfg, Flag, Value("false"), InEnsemble, "Whether the ensemble can be changed while it runs.";
    "dynamicConfigFile" Cfg, Path, Unset, InEnsemble, "The file of the server, group and weight lines, if they are not in the main file.";
    "version" Cfg, Text, Value("0"), InEnsemble, "The version of the server lines, in hexadecimal; written by servers.";
    "peerType" Cfg, Choice(&["participant", "observer"]), Value("participant"), InEnsemble, "What this server is; the server lines decide.";
    "electionAlg" Cfg, count(INT_MIN), Value("3"), Refused(&["3"], "election algorithms other than 3, which are gone from ZooKeeper too"), "The election algorithm.";
    "quorumListenOnAllIPs" Cfg, Flag, Value("false"), InEnsemble, "Whether the quorum and election ports listen on every address.";
    "localSessionsEnabled" Cfg, Flag, Value("false"), InEnsemble, "Whether sessions begin as local ones, known to one server only.";
    "localSessionsUpgradingEnabled" Cfg, Flag, Value("false"), InEnsemble, "Whether a local session becomes a global one when it needs to.";
    "syncEnabled" Cfg, Flag, Value("true"), KEEPS_ALL, "Whether an observer keeps a log and snapshots.";
    "observer.syncEnabled" Property, Flag, Derived("`syncEnabled`"), KEEPS_ALL, "The same, and it wins.";
    "observerMasterPort" Cfg, Int { unit: Unit::Port, min: INT_MIN, max: 65535 }, Value("0"), InEnsemble, "The port on which followers serve observers, and observers look for them; 0: none.";
    "observerMaster.sizeLimit" Property, bytes(1), Value("33554432"), Accepted("a follower brings observers up to date as a leader does: from the transactions that it keeps anyway (commitLogCount), its log, or a snapshot"), "How many bytes of committed proposals a follower keeps for observers.";
    "multiAddress.enabled" Cfg, Flag, Value("false"), InEnsemble, "Whether a server line may name several addresses.";
    "multiAddress.reachabilityCheckEnabled" Cfg, Flag, Value("true"), ALL_AT_ONCE, "Whether a reachable one of them is looked for.";
    "multiAddress.reachabilityCheckTimeoutMs" Cfg, ms(1), Value("1000"), ALL_AT_ONCE, "How long that may take.";
    "oraclePath" Cfg, Path, Unset, NotYet("asking an oracle"), "A file that breaks ties in an ensemble of two.";
    "readonlymode.enabled" Bare, Flag, Value("false"), InEnsemble, "Whether a server without a quorum serves read-only clients; adds `isro` to the four-letter words.";
    "electionPortBindRetry" Property, count(0), Value("3"), InEnsemble, "How often binding the election port is tried; 0: for ever.";
    "cnxTimeout" Property, ms(1), Value("5000"), InEnsemble, "How long connecting to another server's election port may take.";
    "quorumCnxnTimeoutMs" Property, ms(-1), Value("-1"), InEnsemble, "How long reading from the election port may take; -1: `syncLimit`.";
    "tcpKeepAlive" Property, Flag, Value("false"), Accepted("connections of the election port always use it, so that a machine that is gone is noticed within syncLimit or so"), "Whether connections of the election port use TCP keep-alive.";
    "fastleader.minNotificationInterval" Property, ms(1), Value("200"), InEnsemble, "The first pause before a notification is repeated.";
    "fastleader.maxNotificationInterval" Property, ms(1), Value("60000"), InEnsemble, "The longest pause before a notification is repeated.";
    "leaderServes" Property, YesNo, Value("yes"), InEnsemble, "Whether a leader serves clients.";
    "leader.maxTimeToWaitForEpoch" Property, ms(-1), Value("-1"), InEnsemble, "How long a leader waits for a quorum's epochs; -1: `initLimit`.";
    "leaderConnectDelayDuringRetryMs" Property, ms(0), Value("100"), InEnsemble, "The pause between two tries to connect to the leader.";
    "leader.maxConcurrentSnapSyncs" Property, count(1), Value("10"), InEnsemble, "How many observers are sent a snapshot at a time.";
    "leader.maxConcurrentDiffSyncs" Property, count(1), Value("100"), InEnsemble, "How many observers are sent a part of the log at a time.";
    "leader.maxConcurrentSnapshots" Property, count(1), Unset, Accepted("ZooKeeper 3.6 replaced it by leader.maxConcurrentSnapSyncs"), "How many learners are sent a snapshot at a time.";
    "leader.maxConcurrentSnapshotTimeout" Property, count(0), Unset, Accepted("ZooKeeper 3.6 removed it"), "How long a learner waits for its turn.";
    "forceSnapshotSync" Property, Flag, Value("false"), InEnsemble, "Whether learners are always sent a snapshot. For tests.";
    "observer.reconnectDelayMs" Property, ms(0), Value("0"), InEnsemble, "How long an observer waits at most after no follower would have it (`observerMasterPort`).";
    "observer.election.DelayMs" Property, ms(0), Value("200"), InEnsemble, "How long an observer that lost its leader waits at most before it looks for the next.";
    "grevy.peerTimeoutMs" Property, ms(0), Value("0"), InEnsemble, "Grevy's own: how long another server may be silent, if less than `syncLimit`; 0: off. Not below `tickTime` beside servers of ZooKeeper.";
}
