//! What operators look at.

use super::{Kind::*, Preset::*, Support::*, *};

keys! {
    "4lw.commands.whitelist" Property, Words, Value("srvr"), Supported, "Which four-letter words are answered, or `*`; `srvr` always is, `isro` too on a read-only server.";
    "admin.enableServer" Property, Flag, Value("true"), Supported, "Whether the admin server runs.";
    "admin.serverAddress" Property, Text, Value("0.0.0.0"), Supported, "The address it listens on.";
    "admin.serverPort" Property, port(0), Value("8080"), Supported, "The port it listens on; 0 lets the system choose one.";
    "admin.idleTimeout" Property, ms(1), Value("30000"), Supported, "After how long an idle connection to it is closed.";
    "admin.commandURL" Property, Text, Value("/commands"), Supported, "The path below which its commands are.";
    "admin.rateLimiterIntervalInMS" Property, ms(0), Value("300000"), Supported, "How often snapshot and restore may be asked for.";
    "admin.snapshot.enabled" Property, Flag, Value("true"), Supported, "Whether it hands out snapshots.";
    "admin.restore.enabled" Property, Flag, Value("true"), Supported, "Whether it takes a snapshot to restore from.";
    "admin.portUnification" Property, Flag, Value("false"), Refused(&["false"], "TLS"), "Whether the admin port takes both HTTP and HTTPS.";
    "admin.forceHttps" Property, Flag, Value("false"), Refused(&["false"], "TLS"), "Whether the admin port takes HTTPS only.";
    "admin.needClientAuth" Property, Flag, Value("false"), Refused(&["false"], "TLS"), "Whether the admin port asks for a client certificate.";
    "metricsProvider.className" Cfg, Text, Value("org.apache.zookeeper.metrics.impl.DefaultMetricsProvider"), Supported, "How metrics are exposed, by ZooKeeper's class names: DefaultMetricsProvider, NullMetricsProvider or PrometheusMetricsProvider.";
    "metricsProvider.httpHost" Cfg, Text, Value("0.0.0.0"), Supported, "The address of the Prometheus endpoint.";
    "metricsProvider.httpPort" Cfg, port(0), Value("7000"), Supported, "The port of the Prometheus endpoint.";
    "metricsProvider.exportJvmInfo" Cfg, Flag, Value("true"), Accepted("there is no JVM to tell about"), "Whether metrics of the JVM are exposed.";
    "metricsProvider.numWorkerThreads" Cfg, count(1), Value("1"), Accepted("ZooKeeper ignores it too"), "Threads of the Prometheus provider.";
    "metricsProvider.maxQueueSize" Cfg, count(1), Value("1000000"), Accepted("ZooKeeper ignores it too"), "Queue of the Prometheus provider.";
    "metricsProvider.workerShutdownTimeoutMs" Cfg, ms(0), Value("1000"), Accepted("metrics need no worker threads"), "Shutdown of the Prometheus provider.";
    "audit.enable" Property, Flag, Value("false"), NotYet("the audit log"), "Whether every change is written to the audit log, with who made it.";
    "audit.impl.class" Property, Text, Unset, Accepted("classes cannot be loaded"), "The Java class that writes the audit log.";
}
