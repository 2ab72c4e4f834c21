//! The transaction log, the snapshots and their upkeep.

use super::{Kind::*, Preset::*, Support::*, *};

keys! {
    "dataDir" Cfg, Path, Unset, Supported, "The directory of the snapshots and of `myid`. Required.";
    "dataLogDir" Cfg, Path, Derived("`dataDir`"), Supported, "The directory of the transaction log; a device of its own makes writes faster.";
    "autopurge.purgeInterval" Cfg, Interval, Ours("1", "0 (never)"), Supported, "How often old snapshots and logs are deleted, in hours or with a unit (`30m`, `1d`); 0: never.";
    "autopurge.snapRetainCount" Cfg, count(INT_MIN), Value("3"), Supported, "How many snapshots are kept, with the logs they need; at least 3.";
    "snapCount" Property, count(INT_MIN), Value("100000"), Supported, "After how many transactions a snapshot is due; drawn anew between half of it and all of it; at least 2.";
    "snapSizeLimitInKb" Property, kilobytes(i64::MIN), Value("4194304"), Supported, "After how much transaction log a snapshot is due; 0 or less: no matter how much.";
    "txnLogSizeLimitInKb" Property, kilobytes(i64::MIN), Value("-1"), Supported, "After how many KB a new log file is begun; 0 or less: only with a snapshot.";
    "preAllocSize" Property, kilobytes(0), Value("65536"), Supported, "By how much a log file is extended ahead of the writes.";
    "forceSync" Property, YesNo, Value("yes"), Supported, "Whether a transaction is on the disk before it is acknowledged. `no` risks acknowledged writes.";
    "fsync.warningthresholdms" Property, ms(0), Value("1000"), Supported, "After how long a sync of the log is reported as slow.";
    "snapshot.compression.method" Property, Choice(&["", "gz", "snappy"]), Value(""), Supported, "How new snapshots are compressed.";
    "snapshot.trust.empty" Property, Flag, Value("false"), Supported, "Whether a log without any snapshot is trusted, as after an upgrade from 3.4.";
    "grevy.acceptLostMark" Property, Flag, Value("false"), Supported, "Grevy's own, for one start: takes the log for complete though `grevy.durable`, which would tell, is missing or damaged.";
    "grevy.cutUnmarkedTail" Property, Flag, Value("false"), Supported, "Grevy's own, for one start: cuts a log of a Java server that lost power at its first damaged record, though intact ones stand behind that.";
    "datadir.autocreate" Property, Flag, Value("true"), Supported, "Whether missing data directories are created.";
    "db.autocreate" Property, Flag, Value("true"), Supported, "Whether a server without data begins with an empty tree; else only beside a file `initialize`.";
    "digest.enabled" Property, Flag, Value("true"), Supported, "Whether the tree's digest is kept, logged with each transaction and compared.";
    "serializeLastProcessedZxid.enabled" Property, Flag, Value("true"), Supported, "Whether a snapshot ends with the last zxid it holds.";
    "closeSessionTxn.enabled" Property, Flag, Value("true"), Supported, "Whether a closing session's transaction lists the nodes it deletes.";
    "commitLogCount" Property, count(INT_MIN), Value("500"), InEnsemble, "How many committed transactions are kept in memory for learners; at least 500.";
    "snapshotSizeFactor" Property, Float { min: -1e9, max: 1.0 }, Value("0.33"), InEnsemble, "Up to which share of the snapshot's size a learner is sent log instead; negative: never.";
}
