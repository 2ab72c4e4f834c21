//! Whole configurations, from files and arguments to what the server is given.

mod ensemble;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::keys::{Kind, Support};
use super::*;

/// Files that exist only here.
#[derive(Default)]
struct InMemory(BTreeMap<PathBuf, Vec<u8>>);

impl Files for InMemory {
    fn is_no_directory(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }
}

/// Loads `zoo.cfg` with this text, beside these files.
fn load_with(
    text: &str,
    files: &[(&str, &str)],
    arguments: &[&str],
) -> Result<Loaded, ConfigError> {
    let mut all = InMemory::default();
    all.0.insert("zoo.cfg".into(), text.as_bytes().to_vec());
    for (name, text) in files {
        all.0.insert(name.into(), text.as_bytes().to_vec());
    }
    load(
        &Arguments::parse(["zoo.cfg"].iter().chain(arguments).copied()),
        &all,
    )
}

fn good(text: &str) -> Loaded {
    load_with(text, &[], &[]).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

const STANDALONE: &str = "dataDir=/data\nclientPort=2181\n";
const THREE: &str = "dataDir=/data\ninitLimit=10\nsyncLimit=5\ntickTime=2000\n\
                     server.1=a:2888:3888;2181\nserver.2=b:2888:3888;2181\nserver.3=c:2888:3888;2181\n";

#[test]
fn the_least_configuration_and_its_defaults() {
    let Loaded {
        config,
        warnings,
        initial_text,
    } = good(STANDALONE);
    assert_eq!(lines(&warnings), [] as [&str; 0]);
    assert_eq!(initial_text, STANDALONE);
    assert_eq!(config.membership, None);
    assert_eq!(config.my_id, None);
    let Clients {
        listen,
        backlog,
        per_address_limit,
        total_limit,
        keep_alive,
        sessionless_timeout,
    } = config.clients;
    assert_eq!(
        listen,
        Some(Listen {
            host: None,
            port: 2181
        })
    );
    assert_eq!(
        (backlog, per_address_limit, total_limit),
        (4096, Some(60), None)
    );
    assert_eq!(
        (keep_alive, sessionless_timeout),
        (false, Duration::from_secs(10))
    );
    let seconds = Duration::from_secs;
    assert_eq!(
        config.timing,
        Timing {
            tick: seconds(3),
            min_session_timeout: seconds(6),
            max_session_timeout: seconds(60)
        }
    );
    assert_eq!(
        config.storage,
        Storage {
            data_dir: "/data".into(),
            data_log_dir: "/data".into(),
            snap_count: 100_000,
            snap_size_limit_bytes: Some(4 << 30),
            log_size_limit_bytes: None,
            pre_alloc_bytes: 64 << 20,
            force_sync: true,
            slow_sync: seconds(1),
            compression: SnapshotCompression::None,
            trust_empty_snapshot: false,
            accept_lost_mark: false,
            cut_unmarked_tail: false,
            create_directories: true,
            create_database: true,
            digest: true,
            last_zxid_block: true,
            close_session_paths: true,
            purge_interval: Some(seconds(3600)),
            retained_snapshots: 3,
            commit_log_count: 500,
            snapshot_size_factor: 0.33,
        }
    );
    assert_eq!(
        config.node_types,
        NodeTypes {
            extended_types: false,
            emulate_353_ttl: false,
            reaper_interval: seconds(60),
            reaper_max_per_minute: 10_000,
            never_used_container_age: None,
        }
    );
    let limits = config.limits;
    assert_eq!(
        (limits.max_buffer, limits.max_buffer_extra),
        (1_048_575, 1_048_575)
    );
    assert_eq!((limits.outstanding, limits.enforce_quota), (1000, false));
    assert_eq!(
        config.access,
        Access {
            skip_acl: false,
            eager_acl_check: false,
            digest_enabled: true,
            super_digest: None,
            enforced_schemes: None,
            ensemble_names: None,
        }
    );
    let administration = config.administration;
    assert_eq!(administration.words.iter().collect::<Vec<_>>(), ["srvr"]);
    assert_eq!(administration.metrics, Metrics::Default);
    let server = administration.server.expect("it runs");
    assert_eq!(
        (server.listen.to_string(), server.command_url),
        ("0.0.0.0:8080".into(), "/commands".into())
    );
}

#[test]
fn the_sample_file_needs_no_warning() {
    let sample = include_str!("../../../../conf/zoo_sample.cfg");
    let loaded = good(sample);
    assert_eq!(lines(&loaded.warnings), [] as [&str; 0]);
    // What is commented out is right too.
    let everything: String = sample
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with(' '))
                .unwrap_or(line)
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let loaded = load_with(&everything, &[("./data/myid", "1")], &[]).expect("good");
    assert_eq!(lines(&loaded.warnings), [] as [&str; 0]);
    assert!(loaded.config.membership.is_some());
}

#[test]
fn values_arrive() {
    let config = good(
        "dataDir=/data\ndataLogDir=/log\nclientPort=0\nclientPortAddress=::1\n\
         tickTime=500\nminSessionTimeout=700\nmaxSessionTimeout=-1\n\
         maxClientCnxns=0\nmaxCnxns=7\nclientPortListenBacklog=-1\n\
         autopurge.purgeInterval=0\nautopurge.snapRetainCount=9\nsnapSizeLimitInKb=-1\n\
         snapshot.compression.method=gz\ntxnLogSizeLimitInKb=2\npreAllocSize=1\n4lw.commands.whitelist=ruok, stat\n\
         admin.enableServer=false\n\
         authProvider.1=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider\n\
         ensembleAuthName=one, two\nenforce.auth.enabled=true\nenforce.auth.schemes=digest\n\
         DigestAuthenticationProvider.superDigest=super:xQJmxLMiHGwaqBvst5y6rkB6HQs=\n\
         metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\n\
         metricsProvider.httpPort=7001\n",
    )
    .config;
    assert_eq!(
        config.clients.listen.as_ref().map(|l| l.to_string()),
        Some("[::1]:0".into())
    );
    assert_eq!(config.clients.per_address_limit, None);
    assert_eq!(
        (config.clients.total_limit, config.clients.backlog),
        (Some(7), 4096)
    );
    assert_eq!(
        config.timing.min_session_timeout,
        Duration::from_millis(700)
    );
    assert_eq!(config.timing.max_session_timeout, Duration::from_secs(10));
    let storage = &config.storage;
    assert_eq!(storage.initialize_file(), Path::new("/log/initialize"));
    assert_eq!(storage.my_id_file(), Path::new("/data/myid"));
    assert_eq!(
        (storage.purge_interval, storage.retained_snapshots),
        (None, 9)
    );
    assert_eq!(storage.snap_size_limit_bytes, None);
    assert_eq!(storage.compression, SnapshotCompression::Gzip);
    assert_eq!(
        (storage.log_size_limit_bytes, storage.pre_alloc_bytes),
        (Some(2048), 1024)
    );
    let administration = &config.administration;
    assert_eq!(
        administration.words.iter().collect::<Vec<_>>(),
        ["ruok", "srvr", "stat"]
    );
    assert_eq!(administration.server, None);
    assert_eq!(
        administration.metrics,
        Metrics::Prometheus(Listen {
            host: Some("0.0.0.0".into()),
            port: 7001
        })
    );
    let access = &config.access;
    let names = ["one", "two"].map(str::to_owned).into();
    assert_eq!(access.ensemble_names, Some(EnsembleNames::OneOf(names)));
    assert_eq!(access.enforced_schemes, Some(["digest".to_owned()].into()));
    let secret = access.super_digest.as_ref().expect("it is set");
    assert_eq!(secret.reveal(), "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=");
    assert!(
        !format!("{config:?}").contains("xQJmx"),
        "secrets stay out of logs"
    );
}

#[test]
fn every_word_by_a_star_and_isro_by_read_only_mode() {
    let words = |text: &str| {
        good(&format!("{STANDALONE}{text}"))
            .config
            .administration
            .words
    };
    assert_eq!(
        words("4lw.commands.whitelist=*").iter().count(),
        FourLetterWords::ALL.len()
    );
    let read_only = load_with(STANDALONE, &[], &["-Dreadonlymode.enabled=true"]).expect("good");
    assert!(read_only.config.administration.words.allows("isro"));
}

#[test]
fn arguments_win() {
    let loaded = load_with(
        &format!("{STANDALONE}tickTime=2000\n"),
        &[],
        &[
            "-DtickTime=1000",
            "-Dzookeeper.forceSync=no",
            "-Djute.maxbuffer=4194304",
            "-Xmx1g",
        ],
    )
    .expect("good");
    assert_eq!(loaded.config.timing.tick, Duration::from_secs(1));
    assert!(!loaded.config.storage.force_sync);
    assert_eq!(loaded.config.limits.max_buffer, 4 << 20);
    assert_eq!(loaded.config.limits.max_buffer_extra, 4 << 20);
    assert_eq!(
        lines(&loaded.warnings),
        [
            "-DtickTime: wins over zoo.cfg:3, where it is \"2000\"; in ZooKeeper the file would win",
            "-Xmx1g: meant for a Java program and ignored; Grevy is none, and needs no heap size",
            "-Dzookeeper.forceSync: writes are acknowledged before they are on the disk; a crash of \
             the machine can lose them",
        ]
    );
}

#[test]
fn hosts_may_stand_in_brackets() {
    let text = "clientPortAddress=[::1]\nadmin.serverAddress=[::2]\n\
                metricsProvider.httpHost=[::3]\nmetricsProvider.className=\
                org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\n";
    let config = good(&format!("{STANDALONE}{text}")).config;
    let client = config.clients.listen.and_then(|listen| listen.host);
    assert_eq!(client.as_deref(), Some("::1"));
    let admin = config.administration.server.and_then(|it| it.listen.host);
    assert_eq!(admin.as_deref(), Some("::2"));
    let Metrics::Prometheus(metrics) = config.administration.metrics else {
        panic!("Prometheus is asked for");
    };
    assert_eq!(metrics.host.as_deref(), Some("::3"));
}

#[test]
fn the_direct_form() {
    let direct = |line: &str| load(&Arguments::parse(line.split(' ')), &InMemory::default());
    let config = direct("2181 /data 1000 5 -Dzookeeper.snapCount=7")
        .expect("good")
        .config;
    assert_eq!(
        config.clients.listen,
        Some(Listen {
            host: None,
            port: 2181
        })
    );
    assert_eq!(config.storage.data_dir, Path::new("/data"));
    assert_eq!(
        (config.timing.tick, config.storage.snap_count),
        (Duration::from_secs(1), 7)
    );
    assert_eq!(config.clients.per_address_limit, Some(5));
    let config = direct("2181 /data").expect("good").config;
    assert_eq!(
        config.clients.per_address_limit, None,
        "ZooKeeper's 60 is the file's default"
    );
    let errors = |line: &str| lines(&direct(line).expect_err("bad").errors);
    assert_eq!(
        errors("x /data y"),
        [
            "argument clientPort: \"x\" is not a whole number (port)",
            "argument tickTime: \"y\" is not a whole number (milliseconds); the default is 3000",
        ]
    );
    assert_eq!(errors("1 2 3 4 5"), [format!("1: {USAGE}")]);
    assert_eq!(errors(""), [format!("arguments: {USAGE}")]);
    assert_eq!(errors("none.cfg"), ["none.cfg: file is missing"]);
    assert_eq!(errors("2181"), [format!("2181: {USAGE}")]);
}

#[test]
fn everything_wrong_is_told_at_once() {
    let error = load_with(
        "tickTime=abc\nclientPort=99999\nmaxClientCnxns=many\nautopurge.purgeInterval=1w\n\
         forceSync=maybe\ndigest.enabled=1\nsslQuorum=true\n",
        &[],
        &["--what"],
    )
    .expect_err("bad");
    assert_eq!(
        lines(&error.errors),
        [
            "--what: is no argument of the server; write -Dname=value for a setting",
            "zoo.cfg:7: sslQuorum: this version of Grevy does without TLS; remove the setting, or \
             keep to ZooKeeper where you need it",
            "zoo.cfg:2: clientPort: 99999 (port) is too large; the most is 65535",
            "zoo.cfg:3: maxClientCnxns: \"many\" is not a whole number; the default is 60",
            "zoo.cfg:1: tickTime: \"abc\" is not a whole number (milliseconds); the default is 3000",
            "zoo.cfg: dataDir: is not set; add a line dataDir=/var/lib/zookeeper",
            "zoo.cfg:5: forceSync: \"maybe\" is neither yes nor no; write one of them",
            "zoo.cfg:4: autopurge.purgeInterval: \"1w\" is not an interval; write a number of \
             hours, or a number with ms, s, m, h or d, such as 1 or 30m; 0 for never",
            "zoo.cfg:6: digest.enabled: \"1\" is neither true nor false; write one of them",
        ]
    );
    assert_eq!(error.to_string().lines().count(), error.errors.len());
}

#[test]
fn errors_of_a_standalone_server() {
    let cases = [
        (
            "minSessionTimeout=9000\nmaxSessionTimeout=8000",
            "zoo.cfg:3: minSessionTimeout: minSessionTimeout (9000 ms, by default 2 ticks) must not be larger than \
             maxSessionTimeout (8000 ms, by default 20 ticks); set both",
        ),
        (
            "electionAlg=1",
            "zoo.cfg:3: electionAlg: this version of Grevy does without election algorithms other than 3, which are gone from ZooKeeper too; remove the setting, or keep to ZooKeeper where you need it",
        ),
        (
            "peerType=boss",
            "zoo.cfg:3: peerType: \"boss\" is not known; write \"participant\" or \"observer\"",
        ),
        (
            "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
            "zoo.cfg:3: authProvider.1: this version of Grevy does without SASL; remove the setting, or keep to ZooKeeper where clients authenticate so",
        ),
        (
            "authProvider.x=com.acme.Auth",
            "zoo.cfg:3: authProvider.x: \"com.acme.Auth\" is a Java class, which Grevy cannot load; remove the setting, or keep to ZooKeeper where clients authenticate so",
        ),
        (
            "enforce.auth.enabled=true",
            "zoo.cfg:3: enforce.auth.enabled: is true, but enforce.auth.schemes is not set; name the schemes there, such as digest",
        ),
        (
            "enforce.auth.enabled=true\nenforce.auth.schemes=sasl",
            "zoo.cfg:4: enforce.auth.schemes: names \"sasl\", which this version of Grevy cannot enforce; it knows digest and ip",
        ),
        (
            "metricsProvider.className=Foo",
            "zoo.cfg:3: metricsProvider.className: \"Foo\" is a Java class, which Grevy cannot load; write org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider, or remove the line",
        ),
        (
            "admin.commandURL=x",
            "zoo.cfg:3: admin.commandURL: \"x\" does not begin with a slash; write a path such as /commands",
        ),
        (
            "version=xyz",
            "zoo.cfg:3: version: \"xyz\" is not a version; write a hexadecimal number, or leave the line out",
        ),
        (
            "tickTime=107374183",
            "zoo.cfg:3: tickTime: 107374183 (milliseconds) is too large; the most is 107374182; the default is 3000",
        ),
        (
            "standaloneEnabled=false",
            "zoo.cfg:3: standaloneEnabled: is false, so that the number of participants must be more than 0; add server lines",
        ),
        (
            "server.1=a:1:2:observer",
            "zoo.cfg: server.N: observers without participants are no ensemble; add participants",
        ),
        (
            "server.1=a:1:2\nserver.2=b:1:2:observer",
            "zoo.cfg: server.N: observers without a quorum are no ensemble; add participants, or set standaloneEnabled=false",
        ),
        (
            "server.1=a:1",
            "zoo.cfg:3: server.1: \"a:1\" is not host:quorumPort:electionPort[:role]",
        ),
        (
            "groups=1",
            "zoo.cfg:3: groups: has no number after the dot; write group.N",
        ),
    ];
    for (text, expected) in cases {
        let error = load_with(&format!("{STANDALONE}{text}\n"), &[], &[]).expect_err(text);
        assert_eq!(lines(&error.errors), [expected], "{text}");
    }
    let error = load_with("dataDir=/d\nclientPortAddress=::1", &[], &[]).expect_err("no port");
    assert_eq!(
        lines(&error.errors),
        [
            "zoo.cfg:2: clientPortAddress: is set, but clientPort is not set; add a line clientPort=2181"
        ]
    );
    for bad in ["", "x", "1x"] {
        let error = load_with(STANDALONE, &[("/data/myid", bad)], &[]).expect_err(bad);
        assert!(
            error.to_string().starts_with("/data/myid: serverid "),
            "{error}"
        );
    }
}

/// Nobody asks after the number of a standalone server: any will do, as for a Java server.
#[test]
fn a_standalone_server_may_have_a_number_that_is_no_servers() {
    let loaded = load_with(STANDALONE, &[("/data/myid", "-1\n")], &[]).expect("good");
    assert_eq!(lines(&loaded.warnings), [] as [&str; 0]);
    assert_eq!(loaded.config, good(STANDALONE).config);
}

#[test]
fn warnings_of_a_standalone_server() {
    let cases = [
        (
            "snapCount=1",
            "zoo.cfg:3: snapCount: 1 is too small; 2 is taken",
        ),
        (
            "autopurge.snapRetainCount=1",
            "zoo.cfg:3: autopurge.snapRetainCount: 1 is too small; 3 is taken",
        ),
        (
            "dataLogDir=log",
            "zoo.cfg:3: dataLogDir: log is relative to where the server is started; write an absolute path, or put ./ in front if that is meant",
        ),
        (
            "skipACL=yes",
            "zoo.cfg:3: skipACL: nobody's permissions are checked",
        ),
        (
            "4lw.commands.whitelist=rouk",
            "zoo.cfg:3: 4lw.commands.whitelist: \"rouk\" is no four-letter word; is ruok meant?",
        ),
        (
            "DigestAuthenticationProvider.superDigest=secret",
            "zoo.cfg:3: DigestAuthenticationProvider.superDigest: is not of the form super:<base64 of SHA-1>, so that nobody can be the super user",
        ),
        (
            "ensembleAuthName=x",
            "zoo.cfg:3: ensembleAuthName: has no effect without authProvider.1=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider",
        ),
        (
            "server.1=a:2888:3888",
            "zoo.cfg: server.N: only one server is named, so this one runs standalone",
        ),
        ("dataLogDir=./log", ""),
        ("initLimit=10\nsyncLimit=5", ""),
    ];
    for (text, expected) in cases {
        let warnings = lines(&good(&format!("{STANDALONE}{text}\n")).warnings);
        let expected: Vec<_> = Some(expected.to_owned())
            .into_iter()
            .filter(|e| !e.is_empty())
            .collect();
        assert_eq!(warnings, expected, "{text}");
    }
    assert_eq!(
        lines(&good("dataDir=/d").warnings),
        [
            "zoo.cfg: clientPort: is not set, so that no client can connect; add a line clientPort=2181"
        ]
    );
    // What is set badly is an error, and not missing besides.
    let error = load_with("dataDir=/d\nclientPort=abc", &[], &[]).unwrap_err();
    assert_eq!(lines(&error.warnings), [""; 0]);
}

/// What the table calls supported is read, and what is read is not called otherwise.
#[test]
fn the_table_and_the_readers_agree() {
    let settings = Settings::default();
    let mut report = Report::default();
    let mut reader = Reader::new(&settings, &mut report, Origin::File("x".into()));
    Config::read(&mut reader, "x", &InMemory::default());
    let read = reader.names_read().clone();
    for key in keys::all() {
        let is_read = read.contains(key.name);
        match key.support {
            Support::Supported => assert!(is_read, "{} is not read", key.name),
            Support::InEnsemble => assert!(is_read, "{} is not read", key.name),
            Support::Accepted(_) | Support::NotYet(_) | Support::Refused(..) => {
                assert!(!is_read, "{} is read without need", key.name);
            }
        }
    }
}

/// Every key of the table can be set to its own default without a word, in the file and by `-D`.
#[test]
fn defaults_can_be_spelled_out() {
    let mut text = STANDALONE.to_owned();
    let mut arguments = Vec::new();
    for key in keys::all().filter(|key| !key.is_family() && key.name != "clientPort") {
        let Some(value) = key.default.value() else {
            continue;
        };
        match key.place {
            keys::Place::Bare => arguments.push(format!("-D{}={value}", key.name)),
            _ => text.push_str(&format!("{}={value}\n", key.name)),
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let loaded = load_with(&text, &[], &arguments).expect("good");
    assert_eq!(lines(&loaded.warnings), [] as [&str; 0]);
    let plain = good(STANDALONE).config;
    assert_eq!(loaded.config, plain);
}

/// A line that could be in a file: a known key or nonsense, with a value that could be anything.
fn any_line() -> impl Strategy<Value = String> {
    let names: Vec<&'static str> = keys::all().map(|key| key.name).collect();
    let name = prop_oneof![
        4 => prop::sample::select(names).prop_map(|name| name.replace(".N", ".1").replace('*', "x")),
        2 => "(server|group|weight)\\.?[0-9a-z-]{0,3}",
        1 => "\\PC{0,12}",
    ];
    let value = prop_oneof![
        3 => "-?[0-9]{0,20}",
        1 => "(true|false|yes|no|0x[0-9a-f]{0,9}|[0-9]{1,4}[a-z]{0,2})",
        2 => "[a-c\\[\\]:|;0-9]{0,20}",
        1 => "[a-z]:[1-9]:[1-9](:observer)?(;[0-9]{1,5})?",
        1 => "\\PC{0,20}",
    ];
    (name, "[=: ]{0,2}", value).prop_map(|(name, separator, value)| name + &separator + &value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = properties::decode(&bytes);
        let (entries, bad) = properties::parse(&text);
        let lines = text.split(['\n', '\r']).count();
        for line in entries.iter().map(|e| e.line).chain(bad.iter().map(|b| b.line)) {
            prop_assert!((1..=lines).contains(&line));
        }
    }

    #[test]
    fn no_configuration_panics(
        file in prop::collection::vec(any_line(), 0..12),
        dynamic in prop::collection::vec(any_line(), 0..6),
        arguments in prop::collection::vec(any_line(), 0..3),
        my_id in "\\PC{0,3}",
    ) {
        let text = format!("{STANDALONE}{}", file.join("\n"));
        let arguments: Vec<String> = arguments.iter().map(|a| format!("-D{a}")).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let dynamic = dynamic.join("\n");
        let files = [("/data/myid", my_id.as_str()), ("a", dynamic.as_str())];
        match load_with(&text, &files, &arguments) {
            Ok(loaded) => prop_assert!(loaded.config.timing.min_session_timeout <= loaded.config.timing.max_session_timeout),
            Err(error) => prop_assert!(!error.errors.is_empty()),
        }
    }

    /// What `Display` writes, the reader takes back.
    #[test]
    fn an_ensembles_text_reads_back(servers in prop::collection::btree_map(0i64..300, (any::<bool>(), any::<Option<u16>>()), 1..6), version in 0i64..) {
        let servers = servers.into_iter().map(|(id, (observer, client))| {
            let role = if observer { Role::Observer } else { Role::Participant };
            let address = PeerAddress { host: format!("h{id}"), quorum_port: 1, election_port: 2 };
            let client = client.map(|port| Endpoint { host: "::1".into(), port });
            (id, Server { id, addresses: vec![address], role, client })
        });
        let ensemble = Ensemble { version, servers: servers.collect(), hierarchy: None };
        let mut report = Report::default();
        let read = super::ensemble::read_dynamic("d", &ensemble.to_string(), None, false, &mut report);
        prop_assert_eq!((read, report.errors), (ensemble, vec![]));
    }
}

/// Kinds that the documentation would not explain are not in use.
#[test]
fn secrets_have_no_default() {
    for key in keys::all().filter(|key| key.kind == Kind::Secret) {
        assert_eq!(key.default.value(), None, "{}", key.name);
    }
}
