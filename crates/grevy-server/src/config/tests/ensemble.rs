//! Configurations of ensembles.

use super::*;

#[test]
fn an_ensemble() {
    let Loaded {
        config, warnings, ..
    } = load_with(THREE, &[("/data/myid", "2\n")], &[]).expect("good");
    assert_eq!(lines(&warnings), [] as [&str; 0]);
    assert_eq!(config.my_id, Some(2));
    assert_eq!(
        config.clients.listen.map(|l| l.to_string()),
        Some("0.0.0.0:2181".into())
    );
    let membership = config.membership.expect("three servers are an ensemble");
    assert_eq!((membership.my_id, membership.role), (2, Role::Participant));
    assert_eq!(membership.ensemble.servers.len(), 3);
    assert_eq!(membership.init_limit, Duration::from_secs(20));
    assert_eq!(membership.connect_limit, Duration::from_secs(20));
    assert_eq!(membership.sync_limit, Duration::from_secs(10));
    assert_eq!(
        (membership.last_seen, membership.dynamic_file),
        (None, None)
    );
}

#[test]
fn an_ensemble_of_one() {
    let text = "dataDir=/data\nclientPort=3\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2\nstandaloneEnabled=false\n";
    let loaded = load_with(text, &[("/data/myid", "1")], &[]).expect("good");
    assert!(loaded.config.membership.is_some());
    let standalone = load_with(&text.replace("false", "true"), &[("/data/myid", "1")], &[]);
    assert_eq!(standalone.expect("good").config.membership, None);
}

#[test]
fn errors_of_an_ensemble() {
    const ID: &[(&str, &str)] = &[("/data/myid", "1")];
    type Beside = &'static [(&'static str, &'static str)];
    type Expected = &'static [&'static str];
    let cases: &[(String, Beside, Expected)] = &[
        (
            THREE.replace("initLimit=10", "initLimit=0"),
            ID,
            &[
                "zoo.cfg:2: initLimit: is 0, in which nothing can be done; an ensemble needs it, for example initLimit=10",
            ],
        ),
        (
            THREE.replace("syncLimit=5", ""),
            ID,
            &["zoo.cfg: syncLimit: is not set; an ensemble needs it, for example syncLimit=5"],
        ),
        (
            THREE.to_owned(),
            &[],
            &[
                "/data/myid: myid file is missing; write this server's number into it, the N of its server.N",
            ],
        ),
        (
            THREE.to_owned(),
            &[("/data/myid", "abc")],
            &[
                "/data/myid: serverid \"abc\" is not a number; write the N of this server's server.N line",
            ],
        ),
        (
            THREE.to_owned(),
            &[("/data/myid", "-1")],
            &["/data/myid: serverid -1 is no server's; write the N of this server's server.N line"],
        ),
        (
            THREE.to_owned(),
            &[("/data/myid", "4")],
            &[
                "zoo.cfg: server.4: is not in the list of servers, but /data/myid says that this is server 4; add the line, or put the right number into that file",
            ],
        ),
        (
            THREE.to_owned(),
            &[("/data", "")],
            &["zoo.cfg:1: dataDir: /data is a file, and is to be a directory"],
        ),
        (
            THREE.replace(";2181", ""),
            &[("/data/myid", "4")],
            &[
                "zoo.cfg: server.4: is not in the list of servers, but /data/myid says that this is server 4; add the line, or put the right number into that file",
            ],
        ),
        (
            "dataDir=/data\ninitLimit=1\nsyncLimit=1\ndynamicConfigFile=/dyn.1f".to_owned(),
            &[
                ("/data/myid", "3"),
                (
                    "/dyn.1f",
                    "server.1=a:1:2;1\nserver.2=b:1:2;1\nserver.4=d:1:2;1",
                ),
            ],
            &[
                "/dyn.1f: server.3: is not in the list of servers, but /data/myid says that this is server 3; was it removed by a reconfiguration? Then leave it stopped, or add its line to this file and let a reconfiguration add it again",
            ],
        ),
        (
            THREE.replace("a:2888:3888;2181", "a : 2888 : 3888"),
            ID,
            &["zoo.cfg:5: server.1: \"a \" is no host; write no blanks around the colons"],
        ),
        (
            THREE.replace("a:2888:3888;2181", "a:2888"),
            ID,
            &["zoo.cfg:5: server.1: \"a:2888\" is not host:quorumPort:electionPort[:role]"],
        ),
        (
            "dataDir=/data\nserver.1=a:1:2\nserver.2=b".to_owned(),
            ID,
            &["zoo.cfg:3: server.2: \"b\" is not host:quorumPort:electionPort[:role]"],
        ),
        (
            "dataDir=/data\nclientPort=1\nserver.1=a:1:2\nserver.2=b:1:2:observer".to_owned(),
            ID,
            &[
                "zoo.cfg: server.N: observers without a quorum are no ensemble; add participants, or set standaloneEnabled=false",
            ],
        ),
        (
            THREE.replace("a:2888:3888;2181", "a:2888:3888;2888"),
            ID,
            &[
                "zoo.cfg: clientPort: clients are to connect to port 2888, which is the quorum port of server.1, this server; give them another",
            ],
        ),
        (
            format!(
                "{}clientPort=3888\nclientPortAddress=a\n",
                THREE.replace(";2181", "")
            ),
            ID,
            &[
                "zoo.cfg:8: clientPort: clients are to connect to port 3888, which is the election port of server.1, this server; give them another",
            ],
        ),
        (
            format!("{THREE}observerMasterPort=2181"),
            ID,
            &[
                "zoo.cfg: clientPort: clients are to connect to port 2181, which is the observerMasterPort of server.1, this server; give them another",
            ],
        ),
        (
            format!("{THREE}clientPort=2182"),
            ID,
            &[
                "zoo.cfg:8: clientPort: the clients' address 0.0.0.0:2182 differs from 0.0.0.0:2181 in the line server.1; make them the same, or remove clientPort",
            ],
        ),
        (
            format!("{THREE}server.255=d:1:2\nserver.256=e:1:2\nextendedTypesEnabled=true"),
            ID,
            &[
                "zoo.cfg: server.255: the number must be 254 or less with extendedTypesEnabled=true",
                "zoo.cfg: server.256: the number must be 254 or less with extendedTypesEnabled=true",
            ],
        ),
        (
            format!("{THREE}server.4=d:1:2|e:1:2"),
            ID,
            &[
                "zoo.cfg:8: server.4: has several addresses, but multiAddress.enabled is not true; set it, or name one address",
            ],
        ),
        (
            format!("{THREE}dynamicConfigFile=/dyn"),
            &[
                ("/data/myid", "1"),
                ("/dyn", "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2"),
            ],
            &[
                "zoo.cfg:5: server.1: must be in the dynamic configuration file /dyn, not here",
                "zoo.cfg:6: server.2: must be in the dynamic configuration file /dyn, not here",
                "zoo.cfg:7: server.3: must be in the dynamic configuration file /dyn, not here",
            ],
        ),
    ];
    for (text, files, expected) in cases {
        let error = load_with(text, files, &[]).expect_err(text);
        assert_eq!(lines(&error.errors), *expected, "{text}");
        // What is wrong gives no reason to warn of anything else.
        if !text.contains("server.255") {
            assert_eq!(lines(&error.warnings), [""; 0], "{text}");
        }
    }
}

#[test]
fn ports_that_are_not_taken() {
    let without = THREE.replace(";2181", "");
    for more in [
        "clientPort=0",
        "clientPort=2888\nclientPortAddress=elsewhere",
        "clientPort=2890\npeerType=observer\nserver.1=a:2888:3888:observer\nserver.4=d:1:2\nobserverMasterPort=2890",
    ] {
        let loaded = load_with(&format!("{without}{more}\n"), &[("/data/myid", "1")], &[]);
        assert!(loaded.is_ok(), "{more}: {loaded:?}");
    }
}

#[test]
fn warnings_of_an_ensemble() {
    let cases = [
        (
            "server.3=c:2888:3888",
            "zoo.cfg: server.N: no failure of a server will be tolerated; that takes at least 3 servers",
        ),
        ("", ""),
    ];
    for (removed, expected) in cases {
        let text = match removed {
            "" => THREE.to_owned(),
            removed => THREE.replace(&format!("{removed};2181\n"), ""),
        };
        let loaded = load_with(&text, &[("/data/myid", "1")], &[]).expect("good");
        assert_eq!(lines(&loaded.warnings).join("\n"), expected);
    }
    let four = format!("{THREE}server.4=d:1:2");
    let loaded = load_with(&four, &[("/data/myid", "1")], &[]).expect("good");
    assert_eq!(
        lines(&loaded.warnings),
        ["zoo.cfg: server.N: 4 servers tolerate no more failures than 3; an odd number is better"]
    );
    let observer = format!("{THREE}server.4=d:1:2:observer;2181");
    let loaded = load_with(&observer, &[("/data/myid", "4")], &[]).expect("good");
    assert_eq!(
        lines(&loaded.warnings),
        [
            "zoo.cfg: peerType: is not set, which means participant, but server.4 says observer, and that holds"
        ]
    );
    assert_eq!(
        loaded.config.membership.map(|m| m.role),
        Some(Role::Observer)
    );
    for (more, expected) in [
        (
            "peerType=observer",
            "zoo.cfg:8: peerType: is observer, but server.1 says participant, and that holds",
        ),
        (
            "admin.serverPort=3888",
            "zoo.cfg:8: admin.serverPort: 3888 is the election port of server.1, this server; give the admin server another, or set admin.enableServer=false",
        ),
    ] {
        let text = format!("{THREE}{more}");
        let loaded = load_with(&text, &[("/data/myid", "1")], &[]).expect("good");
        assert_eq!(lines(&loaded.warnings), [expected]);
    }
    let anywhere = THREE.replace("=a:", "=0.0.0.0:");
    for (my_id, reconfig, warnings) in [("1", true, 1), ("1", false, 0), ("2", true, 0)] {
        let text = format!("{anywhere}reconfigEnabled={reconfig}\n");
        let loaded = load_with(&text, &[("/data/myid", my_id)], &[]).expect("good");
        let told = lines(&loaded.warnings);
        assert_eq!(told.len(), warnings, "{told:?}");
        assert!(
            told.iter()
                .all(|text| text.contains("server.1: says that this"))
        );
    }
}

#[test]
fn server_lines_in_a_dynamic_file() {
    let text = "dataDir=/data\ninitLimit=1\nsyncLimit=1\nclientPort=3\ndynamicConfigFile=/dyn.1f\n";
    let servers = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n";
    let next = format!("{servers}server.4=d:1:2\nversion=20");
    let files = [
        ("/data/myid", "1"),
        ("/dyn.1f", servers),
        ("zoo.cfg.dynamic.next", next.as_str()),
    ];
    let membership = load_with(text, &files, &[])
        .expect("good")
        .config
        .membership
        .expect("three");
    assert_eq!(membership.ensemble.version, 0x1f);
    assert_eq!(
        membership.dynamic_file.as_deref(),
        Some(Path::new("/dyn.1f"))
    );
    let last_seen = membership.last_seen.expect("there is a next file");
    assert_eq!((last_seen.version, last_seen.servers.len()), (0x20, 4));
    let error = load_with(text, &files[..1], &[]).expect_err("no file");
    assert_eq!(
        lines(&error.errors),
        ["zoo.cfg:5: dynamicConfigFile: there is no file /dyn.1f; write the server lines into it"]
    );
    assert_eq!(lines(&error.warnings), [""; 0]);
    let empty = [("/dyn.1f", "")];
    assert_eq!(
        lines(&load_with(text, &empty, &[]).expect("good").warnings),
        ["zoo.cfg:5: dynamicConfigFile: names no server, so that this one runs alone"]
    );
}
